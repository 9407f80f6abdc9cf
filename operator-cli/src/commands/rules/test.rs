//! `operator rules test`: how often alerts would have fired.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use operator_tikv::prometheus::TimeRange;
use operator_tikv::rules::{HistoryReport, RuleHistory, history, usual_step};

use crate::args::Options;
use crate::connect;
use crate::error::Failure;
use crate::output::table::{self, Cell, Column};
use crate::output::text::{self, escaped};
use crate::output::{Output, Style, Tone};
use crate::progress;

/// Prometheus answers a question with so many moments at most.
const MAX_MOMENTS: f64 = 11_000.0;
/// So many series of an alert are shown.
const SHOWN: usize = 5;

/// Tell how long each alert of a file would have been pending and firing over a past time
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator rules test tikv.rules.yml --since 6h --prometheus http://127.0.0.1:9090
  operator rules test tikv.rules.yml --from 2026-11-22T03:00:00Z --to 2026-11-22T04:00:00Z --step 15s -o json

Every rule is one question to Prometheus. Its answers go through the same state machine as live rules, with `for` and
`keep_firing_for`; while Prometheus has no data everything stands still.")]
pub(super) struct TestArgs {
    /// The rule file, as Prometheus reads it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How far back to begin
    #[arg(long, value_name = "DURATION", default_value = "1h", conflicts_with = "from")]
    since: humantime::Duration,
    /// The moment to begin at, such as 2026-11-22T03:00:00Z
    #[arg(long, value_name = "TIME", value_parser = super::moment)]
    from: Option<DateTime<Utc>>,
    /// The moment to end at [default: now]
    #[arg(long, value_name = "TIME", value_parser = super::moment)]
    to: Option<DateTime<Utc>>,
    /// From one evaluation to the next [default: 5s, and more for more than 7 hours]
    #[arg(long, value_name = "DURATION")]
    step: Option<humantime::Duration>,
}

impl TestArgs {
    pub(super) async fn run(self, options: &Options, output: &mut Output) -> Result<ExitCode, Failure> {
        let range = self.range()?;
        let file = super::read(&self.file, output)?;
        let client = connect::prometheus_client(options).await?;
        let asked = client.endpoint().map_or_else(String::new, |endpoint| endpoint.to_string());
        let work = history(&file, &client, range);
        let report = progress::waiting(&format!("Prometheus at {asked}"), work)
            .await
            .map_err(|error| Failure::from(error.during("rules test")))?;
        output.show(&report, render)?;
        let unknown = report.rules.iter().any(|rule| rule.unknown.is_some());
        Ok(if unknown { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn range(&self) -> Result<TimeRange, Failure> {
        let senseless = |what: &str| Failure::Usage(what.to_owned());
        let to = self.to.unwrap_or_else(Utc::now);
        let since = TimeDelta::from_std(*self.since).ok().and_then(|since| to.checked_sub_signed(since));
        let from = self.from.or(since).ok_or_else(|| senseless("--since is too long"))?;
        let length = (to - from).to_std().map_err(|_| senseless("--to is before --from"))?;
        let step = self.step.map_or_else(|| usual_step(length), |step| *step);
        if step < Duration::from_millis(1) {
            return Err(senseless("--step must be a millisecond at least"));
        }
        if length.as_secs_f64() / step.as_secs_f64() >= MAX_MOMENTS {
            return Err(senseless(
                "more than 11000 evaluations, which is more than Prometheus answers: take a longer --step",
            ));
        }
        Ok(TimeRange::new(from, to, step))
    }
}

fn render(report: &HistoryReport, style: Style) -> String {
    let columns = [
        Column::Right("LINE"),
        Column::Left("ALERT"),
        Column::Right("PENDING"),
        Column::Right("FIRING"),
        Column::Right("FIRED"),
        Column::Left("WHAT"),
    ];
    let mut text = table::render(columns, report.rules.iter().flat_map(rows), style);
    let span = Duration::from_secs_f64(report.step_seconds);
    text.push_str(&format!(
        "\n{}: {} alerts, evaluated every {span:?} from {} to {} by {}.\n",
        escaped(&report.file),
        report.rules.len(),
        text::time(report.from),
        text::time(report.to),
        escaped(&report.prometheus),
    ));
    for gap in &report.without_data {
        text.push_str(&format!(
            "No data from {} to {}: everything stands still.\n",
            text::time(gap.from),
            text::time(gap.to)
        ));
    }
    text
}

/// A row for the rule, and one for each of the series that fired longest.
fn rows(rule: &RuleHistory) -> Vec<[Cell; 6]> {
    let long = |seconds: f64| match seconds {
        0.0 => "-".to_owned(),
        _ => text::duration(Duration::from_secs_f64(seconds)),
    };
    let (line, name) = (rule.line.to_string().into(), rule.rule.as_str().into());
    if let Some(why) = &rule.unknown {
        let unknown = || Cell::toned(text::UNKNOWN, Tone::Doubtful);
        return vec![[line, name, unknown(), unknown(), unknown(), Cell::toned(why, Tone::Doubtful)]];
    }
    let times = |count: usize| if count == 0 { "-".to_owned() } else { format!("{count}x") };
    let firing = |seconds: f64| match seconds {
        0.0 => Cell::from(long(seconds)),
        _ => Cell::toned(long(seconds), Tone::Bad),
    };
    let counted = match rule.alerts.len() {
        0 => "never".to_owned(),
        1 => "1 series".to_owned(),
        count => format!("{count} series"),
    };
    let mut rows = vec![[
        line,
        name,
        long(rule.pending_seconds).into(),
        firing(rule.firing_seconds),
        times(rule.fired).into(),
        counted.into(),
    ]];
    let mut worst: Vec<_> = rule.alerts.iter().filter(|alert| !alert.labels.is_empty()).collect();
    worst.sort_by(|a, b| {
        (b.firing_seconds, b.pending_seconds)
            .partial_cmp(&(a.firing_seconds, a.pending_seconds))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    rows.extend(worst.into_iter().take(SHOWN).map(|alert| {
        let labels: Vec<_> = alert.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        [
            "".into(),
            "".into(),
            long(alert.pending_seconds).into(),
            firing(alert.firing_seconds),
            times(alert.fired).into(),
            labels.join(" ").into(),
        ]
    }));
    rows
}
