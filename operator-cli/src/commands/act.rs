//! `operator act`: what can be done, what it would do, and doing it.

pub(super) mod shown;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use operator_core::{
    Action, Actor, Approval, AuditLog, Danger, ErrorKind, Executor, FileAuditLog, Guard, InMemoryAuditLog,
    Invariant, OutcomeKind, Part, Refusal, Scope, Stage,
};
use operator_tikv::TikvActor;
use operator_tikv::invariants::{Thresholds, tikv_invariants_of};

use super::RulesArgs;
use super::audit::{log_file, named_log};
use crate::args::Options;
use crate::connect::{self, Connection};
use crate::error::{Failure, REFUSED};
use crate::output::text::{self, escaped, shortened};
use crate::output::{Format, Output};
use crate::progress;

pub(super) use self::shown::request;

/// What is looked at before acting: enough to tell whether PD can be believed, and what it says of those acted on.
const LOOKED_AT: [Part; 4] = [Part::Stores, Part::Members, Part::Cluster, Part::Signals];

/// Show what an action would do, and with --yes do it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator act --list                        what can be done
  operator act drain_store store_id=4        what it would do: nothing is sent
  operator act drain_store store_id=4 --yes  does it, and waits until it is seen
  operator act split_region region_id=17 policy=keys 'keys=[\"74800000FF\"]'
  operator act set_store_labels store_id=4 'labels={\"zone\": \"z1\"}' --yes
  operator --simulate act drain_store store_id=4 --yes
  operator act drain_store store_id=4 --yes -o json | jq -r .outcome

Without --yes it shows the request that would be sent, what must hold for it and whether it does, and
what would take it back. With --yes it looks again, writes to the audit log that it is about to send,
sends once, and looks until the effect is seen. Ctrl-C ends the looking, not what was sent: `operator
audit` tells how far it came.

It is refused if something that must hold does not, or cannot be told. --force overrules only that PD's
view is incomplete (it warms up, or something did not answer) and that something critical is the matter
with what is acted on.

Exit codes: 0 seen, or taken and not seen yet (without --yes: it could be sent), 1 it failed, or nobody
knows whether it worked, 4 it is refused, 64 the command line makes no sense, 130 ended by Ctrl-C. They
are the same if nobody reads the output.")]
pub(crate) struct ActArgs {
    /// The action, as --list names it
    #[arg(required_unless_present = "list", conflicts_with = "list")]
    name: Option<String>,
    /// Its parameters; a list or an object is JSON
    #[arg(value_name = "KEY=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// List what can be done
    #[arg(long)]
    list: bool,
    /// Send it
    #[arg(long)]
    yes: bool,
    /// Even if PD's view is incomplete, or something critical is the matter
    #[arg(long)]
    force: bool,
    /// Who says so, for the audit log [default: the user's name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// How long to wait for the effect, such as 30s [default: 1m for leaders and settings, 10m where data moves]
    #[arg(long, value_name = "DURATION")]
    wait: Option<humantime::Duration>,
    #[command(flatten)]
    audit_log: AuditLogArg,
}

/// Where the audit log is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AuditLogArg {
    /// The audit log [default: ~/.local/state/operator/audit.jsonl, or in $XDG_STATE_HOME; none for a simulated
    /// cluster] [env: OPERATOR_AUDIT_LOG]
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_log: Option<PathBuf>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as store_id=4")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl ActArgs {
    pub(crate) async fn run(self, options: &Options, output: &mut Output) -> Result<ExitCode, Failure> {
        let Some(name) = &self.name else {
            output.show(Action::infos(), shown::list)?;
            return Ok(ExitCode::SUCCESS);
        };
        let parameters = self.parameters.iter().map(|(name, value)| (&**name, &**value));
        let action = Action::parse_texts(name, parameters).map_err(usage)?;
        if !self.yes && self.by.is_some() {
            return Err(Failure::Usage("--by names who approves, which --yes does".to_owned()));
        }
        if self.by.as_ref().is_some_and(|by| by.trim().is_empty()) {
            return Err(Failure::Usage("--by: who says so?".to_owned()));
        }
        let connection = connect::connect(options, &RulesArgs::NONE).await?;
        let log = if self.yes { audit_log(options, &self.audit_log)? } else { None };
        let audit: Arc<dyn AuditLog> = match &log {
            Some(log) => Arc::new(log.clone()),
            // What is only shown is not written down, nor what was never done to anything real.
            None => Arc::new(InMemoryAuditLog::default()),
        };
        // Whoever types it is asked by --yes, and may overrule by --force.
        let guard = Guard::up_to(Danger::Destructive).allow_force(true);
        let mut executor = executor(options, &connection, guard, audit)?;
        if let Some(wait) = self.wait {
            executor = executor.with_verify_deadline(*wait);
        }
        let asked = &connection.session.asked;
        if self.yes {
            self.execute(&executor, action, log.is_some(), asked, output).await
        } else {
            self.preview(&executor, &action, asked, output).await
        }
    }

    async fn preview<A: Actor>(
        &self,
        executor: &Executor<A>,
        action: &Action,
        asked: &str,
        output: &mut Output,
    ) -> Result<ExitCode, Failure> {
        let assessment = progress::waiting(asked, executor.assess(action)).await.map_err(never)?;
        let shown =
            output.show(&assessment, |assessment, style| shown::assessment(assessment, self.force, style));
        // Whoever reads only the beginning still asks for the exit code.
        shown.or_else(|failure| if failure.is_closed_pipe() { Ok(()) } else { Err(failure) })?;
        let refused = assessment.refusals.iter().any(|refusal| !self.overrules(refusal));
        Ok(if refused { REFUSED.into() } else { ExitCode::SUCCESS })
    }

    fn overrules(&self, refusal: &Refusal) -> bool {
        self.force && refusal.can_be_forced
    }

    async fn execute<A: Actor>(
        &self,
        executor: &Executor<A>,
        action: Action,
        recorded: bool,
        asked: &str,
        output: &mut Output,
    ) -> Result<ExitCode, Failure> {
        let proposal = progress::waiting(asked, executor.propose(action)).await.map_err(never)?;
        if output.format == Format::Table {
            let preview = shown::preview(&proposal.preview, output.style);
            let shown = output.text(&format!("{preview}\n")).and_then(|()| output.flush());
            unread(shown, output);
        }
        let steps = recorded.then(|| self.steps_of(&proposal.run));
        let approval = Approval::by(self.approver()).forced(self.force);
        let stage = Mutex::new(Stage::Checking);
        let report = |now: Stage| {
            let mut stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!((&*stage, &now), (Stage::Sending, Stage::Verifying { .. })) {
                told_once(steps.as_deref());
            }
            *stage = now;
        };
        let line = |_| told(&stage.lock().unwrap_or_else(PoisonError::into_inner));
        let work = executor.execute_reporting(&proposal.token, approval, &report);
        let outcome = progress::showing(line, work).await?;
        let shown = output.show(&outcome, |outcome, style| shown::outcome(outcome, steps.as_deref(), style));
        unread(shown, output);
        Ok(match outcome.outcome {
            OutcomeKind::Verified | OutcomeKind::Accepted => ExitCode::SUCCESS,
            OutcomeKind::Refused => REFUSED.into(),
            _ => ExitCode::FAILURE,
        })
    }

    /// What to type to see each step.
    fn steps_of(&self, run: &str) -> String {
        match &self.audit_log.audit_log {
            Some(file) => format!("operator audit --run {run} --audit-log {}", file.display()),
            None => format!("operator audit --run {run}"),
        }
    }

    fn approver(&self) -> String {
        let user = || ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
        self.by.clone().or_else(user).unwrap_or_else(|| "unknown".to_owned())
    }
}

/// What acts on the cluster of `connection`, as far as `guard` lets it.
///
/// # Errors
/// [`Failure::Usage`] as when the connection was made.
pub(super) fn executor(
    options: &Options,
    connection: &Connection,
    guard: Guard,
    audit: Arc<dyn AuditLog>,
) -> Result<Executor<TikvActor>, Failure> {
    let clock = &connection.session.clock;
    let scope = Scope::of(LOOKED_AT).part_deadline(*options.timeout).clock(clock.clone());
    Ok(Executor::new(Arc::new(connection.actor(options)?), guard, audit)
        .with_clock(clock.clone())
        .with_scope(scope)
        .with_invariants(invariants()?))
}

/// Where it is written down; nowhere for a simulated cluster, unless a file is named.
///
/// # Errors
/// As [`log_file`], and if the file cannot be opened.
pub(super) fn audit_log(options: &Options, arg: &AuditLogArg) -> Result<Option<FileAuditLog>, Failure> {
    if options.simulate.is_some() && named_log(arg).is_none() {
        return Ok(None);
    }
    Ok(Some(FileAuditLog::open(log_file(arg, true)?)?))
}

/// The invariants that need nothing but what is looked at.
fn invariants() -> Result<Vec<Arc<dyn Invariant>>, Failure> {
    Ok(tikv_invariants_of(&Thresholds::default(), |part| LOOKED_AT.contains(&part))?)
}

/// What was approved is done, and ends as it ends, whether or not anybody can read of it.
fn unread(shown: Result<(), Failure>, output: &mut Output) {
    if let Err(failure) = shown
        && !failure.is_closed_pipe()
    {
        output.note(failure.report().trim_end());
    }
}

/// What never makes sense, whatever the cluster is like, is the command line's fault.
fn never(error: operator_core::Error) -> Failure {
    if error.kind == ErrorKind::InvalidInput { usage(error) } else { error.into() }
}

/// An action that cannot be is the command line's fault.
fn usage(error: operator_core::Error) -> Failure {
    Failure::Usage(format!("{}; `operator act --list` shows what there is", error.message))
}

/// Said before there is anything to interrupt: afterwards the program may be gone.
fn told_once(steps: Option<&str>) {
    use std::io::Write as _;
    let mut told = "waiting for its effect; Ctrl-C ends the waiting, not the action".to_owned();
    if let Some(steps) = steps {
        told.push_str(&format!(": `{}` tells how far it came", escaped(steps)));
    }
    // Whether anybody reads it makes no difference to the work.
    let _ = writeln!(std::io::stderr(), "{told}");
}

fn told(stage: &Stage) -> String {
    match stage {
        Stage::Sending => "sending".to_owned(),
        Stage::Verifying { message, waited, deadline } => {
            let whole = |time: Duration| text::duration(Duration::from_secs(time.as_secs()));
            format!(
                "{} (waiting {} of {})",
                shortened(&escaped(message), 45),
                whole(*waited),
                whole(*deadline)
            )
        }
        _ => "looking at the cluster again".to_owned(),
    }
}

#[cfg(test)]
mod tests;
