//! `operator rules lint`: which rules can never fire.

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use operator_tikv::rules::{LintConfig, LintReport, RuleVerdict, Verdict, lint};

use crate::args::Options;
use crate::connect;
use crate::error::Failure;
use crate::output::table::{self, Cell, Column};
use crate::output::text::{self, escaped};
use crate::output::{Output, Style, Tone};
use crate::progress;

/// Hold every rule of a file against what Prometheus really has: which of them can never fire, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator rules lint tikv.rules.yml --prometheus http://127.0.0.1:9090
  operator rules lint tikv.rules.yml -o json | jq -r '.rules[] | select(.verdict == \"cannot_fire\") | .rule'

Exit codes: 0 no rule is dead, 1 one cannot fire, or Prometheus did not answer, 64 the command line makes no sense.
What is missing from a Prometheus that is younger than --young may come: of such rules it cannot be said.")]
pub(super) struct LintArgs {
    /// The rule file, as Prometheus reads it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What has existed for so long before counts as existing
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    since: humantime::Duration,
    /// What is missing says nothing before Prometheus has watched for so long
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    young: humantime::Duration,
    /// Look at this moment of the past, such as 2026-11-22T03:00:00Z, instead of now
    #[arg(long, value_name = "TIME", value_parser = super::moment)]
    at: Option<DateTime<Utc>>,
    /// Show also the rules that can fire
    #[arg(short, long)]
    all: bool,
}

impl LintArgs {
    pub(super) async fn run(self, options: &Options, output: &mut Output) -> Result<ExitCode, Failure> {
        if self.since.is_zero() {
            return Err(Failure::Usage("--since must be longer than zero".to_owned()));
        }
        if *self.young > *self.since {
            return Err(Failure::Usage("--young must not be longer than --since".to_owned()));
        }
        let file = super::read(&self.file, output)?;
        let client = connect::prometheus_client(options).await?;
        let config = LintConfig::default().since(*self.since).young(*self.young);
        let config = self.at.map_or(config, |at| config.at(at));
        let asked = client.endpoint().map_or_else(String::new, |endpoint| endpoint.to_string());
        let work = lint(&file, &client, config);
        let report = progress::waiting(&format!("Prometheus at {asked}"), work)
            .await
            .map_err(|error| Failure::from(error.during("rules lint")))?;
        output.show(&report, |report, style| render(report, self.all, style))?;
        let dead = report.count(Verdict::CannotFire) > 0;
        Ok(if dead { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn render(report: &LintReport, all: bool, style: Style) -> String {
    let mut rules: Vec<_> = report.rules.iter().collect();
    rules.sort_by_key(|rule| rule.verdict);
    let wanted = |rule: &&RuleVerdict| all || rule.verdict != Verdict::CanFire || !rule.remarks.is_empty();
    let rows = rules.into_iter().filter(wanted).flat_map(rows);
    let columns = [Column::Left("VERDICT"), Column::Right("LINE"), Column::Left("RULE"), Column::Left("WHY")];
    let mut text = table::render(columns, rows, style);
    if !text.is_empty() {
        text.push('\n');
    }
    let counts = [Verdict::CannotFire, Verdict::CannotSay, Verdict::CanFire]
        .map(|verdict| format!("{} {}", report.count(verdict), verdict.as_str()));
    text.push_str(&format!(
        "{} rules of {}: {}.\nHeld against {}, which has watched for {}, at {}; {} questions.\n",
        report.rules.len(),
        escaped(&report.file),
        counts.join(", "),
        escaped(&report.prometheus),
        text::duration(std::time::Duration::from_secs_f64(report.watched_seconds)),
        text::time(report.at),
        report.requests,
    ));
    text
}

/// A row for each thing that there is to say.
fn rows(rule: &RuleVerdict) -> Vec<[Cell; 4]> {
    let tone = match rule.verdict {
        Verdict::CannotFire => Tone::Bad,
        Verdict::CanFire => Tone::Good,
        _ => Tone::Doubtful,
    };
    let remarks = rule.remarks.iter().map(|remark| format!("note: {remark}"));
    let mut said: Vec<_> = rule.reasons.iter().cloned().chain(remarks).collect();
    if said.is_empty() {
        said.push(String::new());
    }
    let rows = said.into_iter().enumerate().map(|(index, why)| match index {
        0 => [
            Cell::toned(rule.verdict.as_str(), tone),
            rule.line.to_string().into(),
            rule.rule.as_str().into(),
            why.into(),
        ],
        _ => ["".into(), "".into(), "".into(), why.into()],
    });
    rows.collect()
}
