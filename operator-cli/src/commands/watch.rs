//! `operator watch`: the monitor, and what it tells, as lines or on a screen.

mod story;
mod teller;
mod live;
mod exposition;
mod meter;
mod listen;
mod logs;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use operator_core::{Clock, ErrorKind, InvariantChecker, Monitor, MonitorConfig, Scope};
use operator_tikv::invariants::{Thresholds, leadership_churn};
use operator_tikv::log::Churn;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use self::listen::Listener;
use self::live::Live;
pub(crate) use self::live::give_back;
use self::logs::Logs;
use self::story::Story;
use self::teller::Teller;
use super::RulesArgs;
use crate::args::Options;
use crate::connect;
use crate::error::Failure;
use crate::output::{Format, Output};
use crate::session::Session;

/// How many events may wait for whoever reads the output; what comes then is lost, counted and said.
const WAITING: usize = 10_000;

/// Watch the cluster, and tell what changes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator watch                               on a terminal a live view; q, Esc or Ctrl-C leaves it
  operator watch --no-live --pending | tee watched.log
  operator watch --rules tikv.rules.yml --prometheus http://127.0.0.1:9090
  operator watch --interval 30s -o json >> events.jsonl
  operator watch --listen 127.0.0.1:9464       for Prometheus: http://127.0.0.1:9464/metrics
  operator watch --logs /var/log/tikv          also who leads which region, as the logs tell it
  operator watch --simulate=store-crash        a story from its beginning to its end, in half a minute
  operator watch --simulate=two-stores-lost -o json | jq -r '[.type, .severity, .regarding, .message] | @tsv'

On a terminal it shows what is wrong, the members, the stores with how their load went, and the last
events; on leaving, a summary stays. First comes how far all of it can be believed, and how old it is;
`-` is not known. The bars of all stores have one scale, a bar is a look, and `-` among them is a look
that did not see the value.

Elsewhere, and with --no-live, each event is one line, or with -o json one object, written at once.
`pending` is found and not yet told as `firing`, because it may pass: lines leave it out unless
--pending is given. It runs until Ctrl-C or SIGTERM, tells `stopped`, and exits with 0.

With --listen it tells over HTTP how it fares itself: /metrics has what it found and how long that took,
in Prometheus' format; /readyz answers 200 while the last observation is younger than three intervals, or
three times as long as one takes, and 503 with the reason otherwise; /healthz answers 200 while it goes on
looking, whatever it sees. Anybody who reaches the address may ask. --probe asks /healthz, for a container
that has no other program.

With --logs it follows logs of TiKV and PD, of a directory those that are still written, from now on: a
`log` event tells who leads a region or PD and who does no more, at most 20 a look, and how many more
there were; and leadership_churn is judged.

With --simulate the scenario is told from its beginning, unlike to other commands, in simulated time:
the cluster, the monitor, its graces and timeouts live by one clock, which runs --speed times as
fast as that on the wall and starts on 2026-01-01; so the same command tells the same story. What
can be mended is mended after some minutes (stderr says when), and the story ends by itself once
nothing fires any more, or after ten simulated minutes.")]
pub(crate) struct WatchArgs {
    /// How often to look, such as 5s or 1m
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    interval: humantime::Duration,
    /// How many times as fast as the wall clock a simulated story is told, 1 to 100000 [default: 20]
    #[arg(long, value_name = "X")]
    speed: Option<f64>,
    /// Write lines on a terminal, too
    #[arg(long)]
    no_live: bool,
    /// Write a line also for what is pending
    #[arg(long)]
    pending: bool,
    #[command(flatten)]
    rules: RulesArgs,
    /// Follow these logs, too, and tell how leadership moves
    #[arg(long, value_name = "FILE|DIR", num_args = 1..)]
    logs: Vec<PathBuf>,
    /// Tell over HTTP how it fares: /metrics, /healthz, /readyz
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Only ask the /healthz of one that listens there: 0 it is well, 1 it is not or does not answer
    #[arg(long, value_name = "HOST:PORT", exclusive = true)]
    probe: Option<String>,
}

/// Who is told, and how.
enum Audience {
    Lines(Teller),
    Live(Live),
}

impl WatchArgs {
    /// Returns once `stop` is cancelled, nobody reads any more, or the story is over.
    pub(crate) async fn run(
        self,
        options: &Options,
        mut output: Output,
        stop: CancellationToken,
    ) -> Result<(), Failure> {
        if let Some(address) = &self.probe {
            return listen::probe(address).await;
        }
        let listener = match &self.listen {
            Some(address) => Some(Listener::bind(address).await?),
            None => None,
        };
        if let Some(listener) = &listener {
            output.note(&format!("listening on {}", listener.url));
        }
        let config = MonitorConfig::default()
            .interval(*self.interval)
            .scope(Scope::all().part_deadline(*options.timeout));
        match options.simulate {
            Some(_) if !self.rules.files.is_empty() => Err(Failure::Usage(
                "--rules needs a Prometheus, and a simulated story has none: its time is not that of any Prometheus"
                    .to_owned(),
            )),
            Some(_) if !self.logs.is_empty() => Err(Failure::Usage(
                "--logs needs a cluster that writes some, and a simulated story writes none".to_owned(),
            )),
            Some(scenario) => {
                let speed = self.speed.unwrap_or(Story::USUAL_SPEED);
                let story = Story::new(scenario, speed)?;
                let title = format!("{scenario}, simulated, {speed}x");
                let audience = self.audience(options, title, output);
                let handle = Handle::current();
                blocking(move || story.tell(config, audience, listener, &handle, &stop)).await
            }
            None if self.speed.is_some() => Err(Failure::Usage(
                "--speed is for stories: only beside --simulate does time pass faster".to_owned(),
            )),
            None => {
                let connection = connect::connect(options, &self.rules).await?;
                let session = &connection.session;
                let mut invariants = super::check::invariants(&*session.subject)?;
                let churn = self.churn(session)?;
                if churn.is_some() {
                    invariants.push(leadership_churn(&Thresholds::default())?);
                }
                invariants.extend(session.rule_invariants());
                let checker = InvariantChecker::new(invariants)?;
                let subject = Arc::clone(&session.subject);
                let mut monitor = Monitor::new(subject, checker, config).map_err(senseless)?;
                if let Some(churn) = churn {
                    monitor.reporter(Logs::follow(self.logs.clone(), churn, stop.clone())?);
                }
                let _answering = listener.map(|listener| {
                    let endpoints = session.tikv.iter().flat_map(|tikv| tikv.pd().http().endpoints());
                    let endpoints = endpoints.map(ToString::to_string).collect();
                    listener.tell_of(&monitor, endpoints, &Handle::current())
                });
                match self.audience(options, session.asked.clone(), output) {
                    Audience::Lines(teller) => tell(monitor, teller, stop).await,
                    Audience::Live(live) => show(monitor, live, session.clock.clone(), stop).await,
                }
            }
        }
    }

    /// Where elections are counted, if logs are to be followed.
    fn churn(&self, session: &Session) -> Result<Option<Arc<Churn>>, Failure> {
        let Some(tikv) = session.tikv.as_ref().filter(|_| !self.logs.is_empty()) else { return Ok(None) };
        logs::check(&self.logs)?;
        let churn = Arc::<Churn>::default();
        tikv.count_elections(Arc::clone(&churn));
        Ok(Some(churn))
    }

    fn audience(&self, options: &Options, title: String, output: Output) -> Audience {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        // What is logged would be drawn over.
        let logs = options.verbose && io::stderr().is_terminal();
        let terminal = io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb && !logs;
        if terminal && output.format == Format::Table && !self.no_live && !self.pending {
            Audience::Live(Live { output, title, interval: *self.interval })
        } else {
            Audience::Lines(Teller::new(output, self.pending))
        }
    }
}

/// Runs the monitor, and tells beside it: a reader that stalls holds up nobody but itself.
async fn tell(mut monitor: Monitor, mut teller: Teller, stop: CancellationToken) -> Result<(), Failure> {
    let mut events = monitor.events("output", WAITING);
    let running = tokio::spawn(monitor.run(stop.clone()));
    let handle = Handle::current();
    let told = blocking(move || {
        while let Some(delivery) = handle.block_on(events.recv()) {
            teller.tell(&delivery)?;
        }
        Ok(())
    })
    .await;
    // Whoever does not listen any more needs no monitor.
    stop.cancel();
    if told.is_ok() {
        running.await.map_err(bug)?;
    }
    told
}

/// Runs the monitor, and shows where it stands beside it. Whoever leaves waits for nothing.
async fn show(monitor: Monitor, live: Live, clock: Clock, stop: CancellationToken) -> Result<(), Failure> {
    let snapshots = monitor.snapshots();
    let running = tokio::spawn(monitor.run(stop.clone()));
    let shown = blocking(move || live.show(snapshots, &mpsc::channel().1, &clock, &stop)).await;
    running.abort();
    match running.await {
        Err(panic) if panic.is_panic() => Err(bug(panic)),
        _ => shown,
    }
}

/// Runs what blocks its thread on one of its own.
async fn blocking(work: impl FnOnce() -> Result<(), Failure> + Send + 'static) -> Result<(), Failure> {
    tokio::task::spawn_blocking(work).await.map_err(bug)?
}

fn bug(panic: tokio::task::JoinError) -> Failure {
    Failure::other("the program has a bug and stopped", panic)
}

/// What was configured makes no sense: only the command line configures anything.
fn senseless(error: operator_core::Error) -> Failure {
    match error.kind {
        ErrorKind::InvalidInput => Failure::Usage(error.message),
        _ => error.into(),
    }
}
