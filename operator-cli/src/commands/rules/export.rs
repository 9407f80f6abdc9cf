//! `operator rules export`: our invariants for a Prometheus without us.

use std::process::ExitCode;

use operator_tikv::invariants::Thresholds;

use crate::error::Failure;
use crate::output::Output;

/// Write what `check` and `watch` judge by as a rule file for Prometheus, as far as PromQL can say it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator rules export > alerts.yml && promtool check rules alerts.yml

What PromQL cannot say is listed at the end of the file, with the reason.")]
pub(super) struct ExportArgs {}

impl ExportArgs {
    pub(super) fn run(self, output: &mut Output) -> Result<ExitCode, Failure> {
        output.text(&operator_tikv::rules::export(&Thresholds::default())?)?;
        output.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}
