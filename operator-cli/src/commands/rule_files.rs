//! `--rules`: a team's own alerts, beside ours.

use std::path::PathBuf;

use operator_tikv::rules::{RuleFile, Rules};

use crate::error::Failure;

/// The rule files of a command.
#[derive(Debug, clap::Args)]
pub(crate) struct RulesArgs {
    /// Evaluate the alerts of this Prometheus rule file as well, through Prometheus; can be given again
    #[arg(long = "rules", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

impl RulesArgs {
    /// No files.
    pub(crate) const NONE: Self = Self { files: Vec::new() };

    /// What the files say; `None` if there are none.
    ///
    /// # Errors
    /// [`Failure::Usage`] with everything that is wrong in the first file that is.
    pub(crate) fn read(&self) -> Result<Option<Rules>, Failure> {
        let files = self
            .files
            .iter()
            .map(|file| RuleFile::read(file).map_err(|error| Failure::Usage(format!("--rules: {error}"))));
        let files: Vec<_> = files.collect::<Result<_, _>>()?;
        Ok((!files.is_empty()).then(|| Rules::new(&files)))
    }
}
