//! `operator rules`: a team's alerts for Prometheus, before they are trusted.

mod lint;
mod test;
mod export;

use std::path::Path;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use operator_tikv::rules::RuleFile;

use self::export::ExportArgs;
use self::lint::LintArgs;
use self::test::TestArgs;
use crate::args::Options;
use crate::error::Failure;
use crate::output::Output;
use crate::output::text::escaped;

/// Judge alerts for Prometheus: which can never fire, and how often they would have
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator rules lint tikv.rules.yml --prometheus http://127.0.0.1:9090
  operator rules test tikv.rules.yml --since 6h --prometheus http://127.0.0.1:9090
  operator rules export > alerts.yml")]
pub(crate) struct RulesCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Lint(LintArgs),
    Test(TestArgs),
    Export(ExportArgs),
}

impl RulesCommand {
    pub(crate) async fn run(self, options: &Options, output: &mut Output) -> Result<ExitCode, Failure> {
        match self.what {
            What::Lint(args) => args.run(options, output).await,
            What::Test(args) => args.run(options, output).await,
            What::Export(args) => args.run(output),
        }
    }
}

/// Reads a file, and says what is odd about it.
fn read(path: &Path, output: &mut Output) -> Result<RuleFile, Failure> {
    let file = RuleFile::read(path).map_err(|error| Failure::Usage(error.to_string()))?;
    for remark in &file.remarks {
        output.note(&format!("note: {}: {}", escaped(&file.name), escaped(&remark.to_string())));
    }
    Ok(file)
}

/// Reads a moment: RFC 3339, or seconds since 1970.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let seconds = text.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let date = || DateTime::parse_from_rfc3339(text).ok().map(|date| date.to_utc());
    seconds.or_else(date).ok_or_else(|| "a moment is 2026-11-22T03:00:00Z, or seconds since 1970".to_owned())
}
