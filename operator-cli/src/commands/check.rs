//! `operator check`: one observation, judged by every invariant.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use operator_core::{
    CheckReport, Invariant, Scope, Severity, Subject, SubjectExt, TrustCode, Violation, ViolationState,
};
use operator_tikv::invariants::{Thresholds, tikv_invariants_of};

use super::RulesArgs;
use crate::error::Failure;
use crate::output::table::{self, Cell, Column};
use crate::output::text::{self, escaped};
use crate::output::{Output, Style, Tone};
use crate::session::Session;

/// Check once that everything holds that must
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator check
  operator --simulate=store-crash check
  operator check --rules tikv.rules.yml --prometheus http://127.0.0.1:9090
  operator check --no-grace -o json | jq -r '.violations[] | [.severity, .regarding, .message] | @tsv'

Exit codes, as monitoring plugins have them; the worst of 2, 1, 3, 0 counts:
  0   everything holds, or what fires is only worth knowing (info)
  1   a warning fires
  2   something critical fires
  3   something cannot be told, or nothing could be observed at all: why is said on stderr, and the
      report says that everything is unknown; also whatever else keeps it from checking
  64  the command line makes no sense

What an invariant is patient with is `pending` at first sight, and does not count; --no-grace counts it.")]
pub(crate) struct CheckArgs {
    /// Have no patience: what may last a while before it fires does so at once
    #[arg(long)]
    no_grace: bool,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
}

impl CheckArgs {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<ExitCode, Failure> {
        let name = session.subject.config().name.clone();
        let mut invariants = invariants(&*session.subject)?;
        invariants.extend(session.rule_invariants());
        let scope = Scope::all().part_deadline(session.timeout).clock(session.clock.clone());
        let report = match crate::progress::waiting(&session.asked, session.subject.observe(&scope)).await {
            Ok(observation) => CheckReport::of(name, &observation, invariants, self.no_grace)?,
            Err(error) => {
                let blind = CheckReport::blind(name, session.clock.now(), &error, invariants, self.no_grace)?;
                output.note(Failure::from(error).report().trim_end());
                blind
            }
        };
        match output.show(&report, render) {
            // A reader that leaves early changes nothing about the cluster.
            Err(failure) if !failure.is_closed_pipe() => Err(failure),
            _ => Ok(report.outcome().exit_code().into()),
        }
    }
}

/// TiKV's invariants with their default thresholds, but for those that need what this subject does not show.
pub(super) fn invariants(subject: &dyn Subject) -> Result<Vec<Arc<dyn Invariant>>, Failure> {
    let config = subject.config();
    Ok(tikv_invariants_of(&Thresholds::default(), |part| config.supports(part.operation()))?)
}

pub(super) fn render(report: &CheckReport, style: Style) -> String {
    let mut sections = vec![summary(report, style)];
    if !report.violations.is_empty() {
        sections.push(violations(&report.violations, style));
    }
    sections.extend(unknown(report, style));
    sections.extend(super::status::unseen(&report.errors, style));
    sections.join("\n")
}

fn summary(report: &CheckReport, style: Style) -> String {
    let count = |state| report.violations.iter().filter(|violation| violation.state == state).count();
    let (firing, pending) = (count(ViolationState::Firing), count(ViolationState::Pending));
    let judged = match (firing, pending) {
        (0, 0) if report.unknown.is_empty() => "everything holds".to_owned(),
        (0, 0) => "nothing is violated, as far as it can be told".to_owned(),
        _ => format!("{firing} firing, {pending} pending"),
    };
    let trust = &report.trust;
    let (tone, _) = super::status::meaning(trust.verdict);
    let verdict = style.paint(tone, trust.verdict.as_str());
    let mut shown = format!("{verdict} ({}): {judged}\n", text::time(report.at));
    // The parts that failed have a section of their own; if all did, stderr tells why.
    for reason in trust.reasons.iter().filter(|reason| reason.code != TrustCode::PartFailed) {
        let _ = writeln!(shown, "  {}", escaped(&reason.message));
    }
    shown
}

pub(super) fn violations(violations: &[Violation], style: Style) -> String {
    const COLUMNS: [Column; 7] = [
        Column::Left("SEVERITY"),
        Column::Left("STATE"),
        Column::Left("REGARDING"),
        Column::Left("INVARIANT"),
        Column::Right("OBSERVED"),
        Column::Right("THRESHOLD"),
        Column::Left("MESSAGE"),
    ];
    let rows = violations.iter().map(|violation| {
        let unit = violation.unit.as_deref().unwrap_or_default();
        let number = |value: Option<f64>| {
            let text = value.map(|value| format!("{} {unit}", text::rate(value)));
            Cell::from(text::known(text.as_deref().map(str::trim_end)))
        };
        [
            Cell::toned(violation.severity.as_str(), tone(violation.severity)),
            violation.state.as_str().into(),
            violation.regarding.to_string().into(),
            (&*violation.invariant).into(),
            number(violation.observed),
            number(violation.threshold),
            (&violation.message).into(),
        ]
    });
    table::render(COLUMNS, rows, style)
}

/// How a severity looks.
pub(super) fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Bad,
        Severity::Warning => Tone::Doubtful,
        _ => Tone::Title,
    }
}

/// What cannot be told; what cannot for the same reason together.
fn unknown(report: &CheckReport, style: Style) -> Option<String> {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for unknown in &report.unknown {
        let what = format!("{} of {}", unknown.invariant, unknown.regarding);
        match groups.iter_mut().find(|(reason, _)| *reason == unknown.reason) {
            Some((_, list)) => list.push(what),
            None => groups.push((&unknown.reason, vec![what])),
        }
    }
    let lines = groups.iter().map(|(reason, list)| {
        let reason = text::failure(reason, None, 4);
        format!("  {reason}\n    {}\n", escaped(&list.join(", ")))
    });
    let lines: String = lines.collect();
    (!lines.is_empty()).then(|| format!("{}\n{lines}", style.paint(Tone::Title, "Cannot be told:")))
}
