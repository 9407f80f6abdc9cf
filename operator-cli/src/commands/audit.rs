//! `operator audit`: what was done, by whom, and what came of it.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use operator_core::{AuditRecord, AuditRun, AuditRuns, AuditStep, OutcomeKind, RunState, read_audit};

use super::act::{AuditLogArg, request};
use super::logs::moment;
use crate::error::Failure;
use crate::output::table::{self, Cell, Column};
use crate::output::{Format, Output, Style, Tone, text};

/// So many runs are put together at most; what began before is not looked at.
const MOST_RUNS: usize = 10_000;

/// Show what was done with `operator act`, by whom, and what came of it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator audit                                      the last actions, one a line
  operator audit --since 1h
  operator audit --run 3f2a9c1e7b604d58               each step of one
  operator audit -o json | jq -r 'select(.state == \"may_have_been_sent\") | .run'

With -o json each action, or with --run each step, is one object a line. An action that may have been
sent is being sent now, or the program ended while it was: look at the cluster before doing it again.

Exit codes: 0 everything was read, 1 something was not (stderr says what), 64 the command line makes
no sense.")]
pub(crate) struct AuditArgs {
    /// Only what went on since then: 15m ago, or 2026-11-22T02:43:46Z, or `2026-11-22 02:43` in UTC
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<DateTime<Utc>>,
    /// The steps of this one
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// At most this many, the last
    #[arg(
        long,
        value_name = "N",
        default_value_t = 50,
        conflicts_with = "run",
        value_parser = clap::value_parser!(u16).range(1..=MOST_RUNS as i64)
    )]
    limit: u16,
    #[command(flatten)]
    audit_log: AuditLogArg,
}

/// Where the audit log is; with `create`, the default's folder is there afterwards.
///
/// # Errors
/// [`Failure::Usage`] if nothing names it, and if the folder cannot be made.
pub(super) fn log_file(arg: &AuditLogArg, create: bool) -> Result<PathBuf, Failure> {
    if let Some(named) = named_log(arg) {
        return Ok(named);
    }
    let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let folder = state.or_else(|| variable("HOME").map(|home| home.join(".local/state"))).ok_or_else(|| {
        let message = "where is the audit log? Name a file by --audit-log or the environment variable OPERATOR_AUDIT_LOG; \
                       there is no HOME to keep one in";
        Failure::Usage(message.to_owned())
    })?;
    let folder = folder.join("operator");
    if create {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(|error| {
            let message =
                format!("the folder {} for the audit log could not be made: {error}", folder.display());
            Failure::other(message, error)
        })?;
    }
    Ok(folder.join("audit.jsonl"))
}

/// The audit log that the command line or the environment names.
pub(super) fn named_log(arg: &AuditLogArg) -> Option<PathBuf> {
    arg.audit_log.clone().or_else(|| variable("OPERATOR_AUDIT_LOG"))
}

/// A variable that is empty is not set: compose files cannot leave one out.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

impl AuditArgs {
    pub(crate) async fn run(self, mut output: Output) -> Result<ExitCode, Failure> {
        let path = log_file(&self.audit_log, false)?;
        let work = tokio::task::spawn_blocking(move || {
            let file = match File::open(&path) {
                Ok(file) => file,
                // Who names a file means one that is there.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound
                        && self.run.is_none()
                        && named_log(&self.audit_log).is_none() =>
                {
                    if output.format == Format::Table {
                        output.text("nothing was done yet\n")?;
                        output.flush()?;
                    }
                    return Ok(ExitCode::SUCCESS);
                }
                Err(error) => return Err(unreadable(&path, error)),
            };
            let unread = match &self.run {
                Some(run) => self.steps(&path, file, run, &mut output)?,
                None => self.runs(&path, file, &mut output)?,
            };
            output.flush()?;
            Ok(if unread > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        });
        work.await.map_err(|panic| Failure::other("the program has a bug and stopped", panic))?
    }

    /// The last runs. Returns how many lines could not be read.
    fn runs(&self, path: &Path, file: File, output: &mut Output) -> Result<u64, Failure> {
        let mut runs = AuditRuns::last(MOST_RUNS);
        let unread = each_record(path, file, output, |record, _| {
            runs.add(record);
            Ok(())
        })?;
        let beyond = runs.left_out();
        let mut runs = runs.into_runs();
        runs.retain(|run| self.since.is_none_or(|since| run.at >= since));
        let left_out = runs.len().saturating_sub(self.limit.into());
        runs.drain(..left_out);
        match output.format {
            Format::Json => runs.iter().try_for_each(|run| output.json_line(run))?,
            Format::Table if runs.is_empty() && unread > 0 => {}
            Format::Table if runs.is_empty() => output.text("nothing was done\n")?,
            Format::Table => output.text(&table_of(&runs, output.style))?,
        }
        if left_out > 0 {
            output.flush()?;
            output.note(&format!("{left_out} earlier ones are not shown: --limit shows more"));
        }
        if beyond > 0 {
            output.flush()?;
            output.note(&format!(
                "{beyond} that began before the last {MOST_RUNS} were not looked at: --run finds them"
            ));
        }
        Ok(unread)
    }

    /// The steps of one run. Returns how many lines could not be read.
    fn steps(&self, path: &Path, file: File, run: &str, output: &mut Output) -> Result<u64, Failure> {
        const COLUMNS: [Column; 3] = [Column::Left("AT"), Column::Left("STEP"), Column::Left("WHAT")];
        let (mut table, mut found) = (table::Table::new(COLUMNS, output.style), false);
        let unread = each_record(path, file, output, |record, output| {
            if record.run != run || self.since.is_some_and(|since| record.at < since) {
                return Ok(());
            }
            let first = !std::mem::replace(&mut found, true);
            match output.format {
                Format::Json => output.json_line(&record),
                Format::Table => {
                    if first {
                        let action = record.action.to_string();
                        output.text(&format!(
                            "{} on {}\n\n",
                            text::escaped(&action),
                            text::escaped(&record.subject)
                        ))?;
                    }
                    let (step, what) = told(&record.step);
                    output.text(&table.render([[text::time(record.at).into(), step.into(), what.into()]]))
                }
            }
        })?;
        if !found {
            let message = format!("there is no run {run} in {}", path.display());
            return Err(Failure::other(message, "`operator audit` lists them"));
        }
        Ok(unread)
    }
}

/// Hands over each record, and tells of each line that is none. Returns how many those are.
fn each_record(
    path: &Path,
    file: File,
    output: &mut Output,
    mut take: impl FnMut(AuditRecord, &mut Output) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let mut unread = 0;
    for line in read_audit(BufReader::new(file)) {
        match line {
            Ok(record) => take(record, output)?,
            Err(error) => {
                unread += 1;
                output.note(&text::escaped(&format!("{}: {error}", path.display())));
            }
        }
    }
    Ok(unread)
}

fn unreadable(path: &Path, error: io::Error) -> Failure {
    let hint = if error.kind() == io::ErrorKind::NotFound {
        "; it begins with the first `operator act --yes`"
    } else {
        ""
    };
    Failure::other(format!("the audit log {} cannot be read: {error}{hint}", path.display()), error)
}

pub(super) fn table_of(runs: &[AuditRun], style: Style) -> String {
    const COLUMNS: [Column; 6] = [
        Column::Left("BEGAN"),
        Column::Left("RUN"),
        Column::Left("ACTION"),
        Column::Left("BY"),
        Column::Left("STATE"),
        Column::Left("WHAT HAPPENED"),
    ];
    let rows = runs.iter().map(|run| {
        let (state, tone) = match (run.state, run.ended) {
            (_, Some(OutcomeKind::Verified)) => ("verified", Some(Tone::Good)),
            (_, Some(OutcomeKind::Accepted)) => ("accepted", Some(Tone::Doubtful)),
            (_, Some(kind)) => (kind.as_str(), Some(Tone::Bad)),
            (RunState::Proposed, None) => ("proposed", None),
            (RunState::Approved, None) => ("approved, not sent", None),
            (RunState::Answered, None) if run.sent == Some(true) => ("sent, no end", Some(Tone::Doubtful)),
            (RunState::Answered, None) if run.sent == Some(false) => {
                ("not sent, no end", Some(Tone::Doubtful))
            }
            (_, None) => ("may have been sent", Some(Tone::Bad)),
        };
        let forced = if run.forced { " (forced)" } else { "" };
        let by = run.approved_by.as_ref().map(|by| format!("{by}{forced}"));
        [
            text::time(run.started_at).into(),
            Cell::from(&run.run),
            run.action.to_string().into(),
            text::known(by).into(),
            tone.map_or_else(|| Cell::from(state), |tone| Cell::toned(state, tone)),
            Cell::from(&run.message),
        ]
    });
    table::render(COLUMNS, rows, style)
}

/// The name of a step, and what it says.
fn told(step: &AuditStep) -> (&'static str, String) {
    match step {
        AuditStep::Proposed { request: sent } => {
            ("proposed", sent.as_ref().map_or_else(|| "nothing to send".to_owned(), request))
        }
        AuditStep::Approved { by, forced } => (
            "approved",
            format!("by {by}{}", if *forced { ", who overruled what it was refused for" } else { "" }),
        ),
        AuditStep::Sending { request: sent } => ("sending", request(sent)),
        AuditStep::Answered { sent, message, .. } => {
            let arrived = match sent {
                Some(true) => "arrived",
                Some(false) => "did not arrive",
                None => "nobody knows whether it arrived",
            };
            ("answered", format!("{arrived}: {message}"))
        }
        AuditStep::Ended { outcome, message } => ("ended", format!("{outcome}: {message}")),
        _ => ("other", String::new()),
    }
}
