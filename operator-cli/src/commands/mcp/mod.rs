//! `operator mcp`: a server that speaks the Model Context Protocol, for agents.

mod tool;
mod answer;
mod acting;
mod under_way;
mod context;
mod tools;
mod server;
mod stdio;
mod token;
mod http;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::acting::{ALL, Acting, Log};
use self::context::Context;
use self::http::Listener;
use self::server::Server;
use self::token::Token;
use super::RulesArgs;
use super::act::{self, AuditLogArg, audit_log};
use crate::args::Options;
use crate::connect::{self, Connection};
use crate::error::Failure;
use crate::output::Output;
use crate::output::text::escaped;

/// So long it is waited, at the end, for what is still being done.
const LAST_WAIT: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Let agents observe the cluster, over the Model Context Protocol
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator mcp                                 what a client starts; PD_ENDPOINT names the cluster
  operator mcp --simulate=store-crash          a simulated cluster, to try a client with
  operator mcp --logs /var/log/tikv            with what these logs tell
  operator mcp --allow-actions=drain_store,undrain_store
  operator mcp --listen 127.0.0.1:9465         over HTTP, for clients of this machine that show the token

A client, such as an editor or an agent, starts it and speaks with it through stdin and stdout:
  {\"mcpServers\": {\"tikv\": {\"command\": \"operator\", \"args\": [\"mcp\", \"--pd\", \"http://pd0:2379\"]}}}

Nothing but the protocol is written to stdout; over HTTP nothing is. It only reads, unless
--allow-actions is given: then clients have what an action would do shown to them, and may then have it
done; all of that is in the audit log. It watches the cluster while it runs, every --interval,
so that clients can ask what was wrong before they came. It ends with its input, or with Ctrl-C, and exits with 0;
what a client has begun is waited for, up to a minute, or until Ctrl-C again.")]
pub(crate) struct McpArgs {
    /// Tell what this log, or the logs in this directory, say; no other file can be asked for; can be given again
    #[arg(long, value_name = "DIR|FILE")]
    logs: Vec<PathBuf>,
    /// Let clients also act: do everything, or only what is named, such as --allow-actions=drain_store,undrain_store
    #[arg(
        long,
        value_name = "NAMES",
        num_args = 0..=1,
        require_equals = true,
        value_delimiter = ',',
        default_missing_value = ALL
    )]
    allow_actions: Option<Vec<String>>,
    /// With --allow-actions: let clients overrule that PD's view is incomplete, or that something critical is the matter
    #[arg(long, requires = "allow_actions")]
    allow_force: bool,
    /// With --allow-actions: for how long what was shown may be approved, up to a day
    #[arg(long, value_name = "DURATION", default_value = "5m", requires = "allow_actions")]
    approve_within: humantime::Duration,
    #[command(flatten)]
    audit_log: AuditLogArg,
    /// Speak over HTTP, at http://HOST:PORT/mcp, instead of stdin and stdout; only addresses of this machine itself
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// With --listen: a file with the token that clients must show [default: a new one, told on stderr]
    #[arg(long, value_name = "FILE", requires = "listen")]
    token_file: Option<PathBuf>,
    /// How often to look at the cluster while nobody asks
    #[arg(long, value_name = "DURATION", default_value = "15s")]
    interval: humantime::Duration,
    #[command(flatten)]
    rules: RulesArgs,
}

impl McpArgs {
    /// How long it may take to end: as long as what was begun is waited for, and a little.
    pub(crate) fn last_words(&self, usual: Duration) -> Duration {
        if self.allow_actions.is_some() { LAST_WAIT + usual } else { usual }
    }

    /// Returns once `stop` is cancelled, or the input ends.
    pub(crate) async fn run(
        self,
        options: &Options,
        mut output: Output,
        stop: CancellationToken,
    ) -> Result<(), Failure> {
        self.check_logs()?;
        let token = self.token_file.as_deref().map(Token::read).transpose()?;
        let listener = match &self.listen {
            Some(address) => Some(Listener::bind(address).await?),
            None => None,
        };
        let connection = connect::connect(options, &self.rules).await?;
        // What still runs for a client ends with this.
        let _ending = stop.clone().drop_guard();
        let asked = connection.session.asked.clone();
        let acting = self.acting(options, &connection)?;
        let context = Context::new(connection, acting, self.logs, *self.interval, &stop).await?;
        let server = Server::new(context);
        let kept = server.clone();
        if let Some(listener) = listener {
            output.note(&format!("serving {asked} at {}", listener.url));
            let token = match token {
                Some(token) => token,
                None => {
                    let token = Token::new()?;
                    output.note(&format!("Authorization: Bearer {}", token.reveal()));
                    token
                }
            };
            listener.serve(server, token, stop.clone()).await;
            finish(&kept, &mut output, &stop).await;
            return Ok(());
        }
        if io::stdin().is_terminal() {
            output.note(&format!(
                "serving {asked} on stdin and stdout, for a client that speaks the Model Context Protocol; \
                 `operator mcp --help` shows how one is set up. Ctrl-C ends it."
            ));
        }
        let served = stdio::serve(server, stop.clone()).await;
        finish(&kept, &mut output, &stop).await;
        served
    }

    /// What clients may do.
    fn acting(&self, options: &Options, connection: &Connection) -> Result<Option<Acting>, Failure> {
        let Some(names) = &self.allow_actions else { return Ok(None) };
        let guard = acting::guard(names, self.allow_force)?;
        let log = match audit_log(options, &self.audit_log)? {
            Some(log) => Log::File(Arc::new(log)),
            None => Log::Memory(Arc::default()),
        };
        if self.approve_within.is_zero() {
            return Err(Failure::Usage("--approve-within: nobody reads in no time".to_owned()));
        }
        if *self.approve_within > DAY {
            return Err(Failure::Usage("--approve-within: a cluster is another after a day".to_owned()));
        }
        let executor = act::executor(options, connection, guard, log.writer())?;
        let executor = executor.with_token_lifetime(*self.approve_within);
        Ok(Some(Acting::new(executor, self.allow_force, log)))
    }

    fn check_logs(&self) -> Result<(), Failure> {
        for path in &self.logs {
            // Also `-`, which would be the protocol's own input.
            path.metadata()
                .map_err(|error| Failure::Usage(format!("--logs: {}: {error}", path.display())))?;
        }
        Ok(())
    }
}

/// Sees to its end, and so into the audit log, what a client has begun: it was told that it goes on.
async fn finish(server: &Server, output: &mut Output, stop: &CancellationToken) {
    let Some(acting) = server.acting() else { return };
    let under_way = &acting.under_way;
    let running = under_way.running();
    if running.is_empty() {
        return;
    }
    output.note(&escaped(&format!(
        "waiting up to {} s for {}; Ctrl-C ends the waiting, not the action",
        LAST_WAIT.as_secs(),
        running.join(", ")
    )));
    let asked_to_end = stop.is_cancelled();
    let asked_again = async {
        // Who asks a second time is heard where the first was.
        if asked_to_end { std::future::pending().await } else { stop.cancelled().await }
    };
    tokio::select! {
        () = under_way.idle() => return,
        () = tokio::time::sleep(LAST_WAIT) => {}
        () = asked_again => {}
    }
    output.note(&escaped(&format!(
        "not over: {}; `operator audit` tells how far it came",
        under_way.running().join(", ")
    )));
}
