//! Why the program ends without doing what it was told, in words and as an exit code.

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;

use operator_core::ErrorKind;

use crate::output::text::{self, escaped, shortened};

/// The command line makes no sense (`EX_USAGE`).
pub(crate) const USAGE: u8 = 64;
/// An action was refused.
pub(crate) const REFUSED: u8 = 4;
/// Ended by Ctrl-C, as a shell counts it: 128 + SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The options contradict each other or miss something.
    #[error("{0}")]
    Usage(String),
    /// The subject did not answer as asked.
    #[error(transparent)]
    Subject(#[from] operator_core::Error),
    /// The results could not be written.
    #[error("the output could not be written")]
    Output(#[from] io::Error),
    /// A result cannot be written as JSON.
    #[error("the result could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// Something around the question went wrong.
    #[error("{message}")]
    Other {
        message: String,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Failure {
    /// Something went wrong around the question: `message` says what, `source` why.
    pub(crate) fn other(
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::Other { message: message.into(), source: source.into() }
    }

    /// Whether the reader of the results has gone: it has what it wanted, so nothing failed.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// How the program ends, if `failed` stands for a failure.
    pub(crate) fn exit_code(&self, failed: u8) -> ExitCode {
        match self {
            Self::Usage(_) => USAGE.into(),
            _ if self.is_closed_pipe() => ExitCode::SUCCESS,
            _ => failed.into(),
        }
    }

    /// What a person reads: what happened, why, and what to try. Ends with an end of line.
    pub(crate) fn report(&self) -> String {
        let (message, endpoint) = match self {
            Self::Subject(error) => {
                (format!("{}: {}", error.operation, error.message), error.endpoint.as_deref())
            }
            _ => (self.to_string(), None),
        };
        // A list of what is wrong stands line by line.
        let (first, rest) = message.split_once('\n').unwrap_or((&message, ""));
        let mut text = format!("error: {}\n", text::failure(first, endpoint, 5));
        for line in rest.lines() {
            text.push_str(&format!("  {}\n", escaped(line)));
        }
        if let Some(because) = because(self, &message) {
            text.push_str(&format!("  because: {}\n", escaped(&shortened(&because, 300))));
        }
        if let Some(hint) = self.hint() {
            text.push_str(&format!("  try: {hint}\n"));
        }
        text
    }

    /// What only this program knows; what else to try is for the subject's message to say.
    fn hint(&self) -> Option<&'static str> {
        let Self::Subject(error) = self else { return None };
        match error.kind {
            ErrorKind::Timeout => Some("`--timeout 60s` waits longer; `-v` shows every request"),
            ErrorKind::Unsupported => Some("`operator config` lists what can be asked"),
            _ => None,
        }
    }
}

/// The errors beneath, unless the message tells the lowest of them, which is what really happened.
fn because(failure: &Failure, message: &str) -> Option<String> {
    let mut causes = Vec::new();
    let mut source = failure.source();
    while let Some(error) = source {
        causes.push(error.to_string());
        source = error.source();
    }
    if message.contains(causes.last()?) {
        return None;
    }
    causes.retain(|cause| !message.contains(cause));
    Some(causes.join(": "))
}

#[cfg(test)]
mod tests {
    use operator_core::Error;

    use super::*;

    #[test]
    fn a_report_names_the_endpoint_the_cause_and_what_to_try() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused\u{1b}[2J");
        let error = Error::new(ErrorKind::Timeout, "stores", "no PD could be reached")
            .at("http://127.0.0.1:1")
            .because(refused);
        let report = Failure::from(error).report();
        let lines: Vec<_> = report.lines().collect();
        assert_eq!(lines.first(), Some(&"error: stores: no PD could be reached (http://127.0.0.1:1)"));
        assert_eq!(lines.get(1), Some(&"  because: connection refused\\u{1b}[2J"));
        assert!(lines.get(2).unwrap().starts_with("  try: `--timeout"), "{report}");
    }

    #[test]
    fn a_cause_that_the_message_tells_is_not_told_again() {
        let failure = Failure::other("reading ca.pem: no such file", io::Error::other("no such file"));
        assert_eq!(failure.report(), "error: reading ca.pem: no such file\n");
    }

    #[test]
    fn a_closed_pipe_is_no_failure_and_a_full_disk_is() {
        let code = |kind: io::ErrorKind| Failure::from(io::Error::from(kind)).exit_code(3);
        assert_eq!(code(io::ErrorKind::BrokenPipe), ExitCode::SUCCESS);
        assert_eq!(code(io::ErrorKind::StorageFull), ExitCode::from(3));
        assert_eq!(Failure::Usage(String::new()).exit_code(3), ExitCode::from(64));
    }
}
