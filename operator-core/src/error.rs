//! What can go wrong when a subject is asked.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Part;

/// The result of asking a subject.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a subject did not answer, or not as asked.
#[derive(Debug)]
#[non_exhaustive]
pub struct Error {
    /// What kind of failure it is: what a program decides by.
    pub kind: ErrorKind,
    /// What was asked: the method's name (`stores`, `region`, …).
    pub operation: Cow<'static, str>,
    /// Who was asked, without credentials.
    pub endpoint: Option<String>,
    /// What happened and, where it helps, what to try: what a person reads.
    pub message: String,
    source: Option<Source>,
}

impl Error {
    /// An error without an endpoint or a source.
    pub fn new(kind: ErrorKind, operation: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { kind, operation: operation.into(), endpoint: None, message: message.into(), source: None }
    }

    /// The subject does not have what `operation` asks for.
    pub fn unsupported(operation: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, operation, "this subject does not support it")
    }

    /// Names who was asked. A URL's user and password must be gone already.
    pub fn at(self, endpoint: impl Into<String>) -> Self {
        Self { endpoint: Some(endpoint.into()), ..self }
    }

    /// Keeps the error beneath.
    pub fn because(self, source: impl Into<Source>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// Whether the same question may be answered later without anybody changing it.
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.message)?;
        match &self.endpoint {
            // A message that names the endpoint itself need not say it twice.
            Some(endpoint) if !self.message.contains(endpoint.as_str()) => write!(f, " ({endpoint})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The subject does not have what was asked for, and never will.
    Unsupported,
    /// There is no such store, region, …
    NotFound,
    /// The question makes no sense.
    InvalidInput,
    /// Nobody could be reached, or nobody leads.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The credentials or the certificate were refused.
    Unauthorized,
    /// An answer came and could not be understood.
    Protocol,
    /// An answer came that is larger than the limit.
    TooLarge,
    /// The subject, or a guard in front of it, said no.
    Refused,
    /// The caller gave up.
    Cancelled,
}

impl ErrorKind {
    /// Whether the same question may be answered later without anybody changing it.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Timeout)
    }

    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::NotFound => "not_found",
            Self::InvalidInput => "invalid_input",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Unauthorized => "unauthorized",
            Self::Protocol => "protocol",
            Self::TooLarge => "too_large",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The failure of one part of an observation, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartError {
    /// The part that is missing or incomplete.
    pub part: Part,
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// Who was asked, without credentials.
    pub endpoint: Option<String>,
    /// What happened.
    pub message: String,
}

impl PartError {
    /// The failure of `part`.
    pub fn new(part: Part, error: &Error) -> Self {
        Self { part, kind: error.kind, endpoint: error.endpoint.clone(), message: error.message.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_asked_of_whom_and_keeps_its_source() {
        let source = std::io::Error::other("reset");
        let error = Error::new(ErrorKind::Unavailable, "stores", "connection reset")
            .at("http://pd0:2379")
            .because(source);
        assert_eq!(error.to_string(), "stores: connection reset (http://pd0:2379)");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "reset");
        assert!(error.is_retryable() && !Error::unsupported("regions").is_retryable());
    }

    #[test]
    fn an_endpoint_is_not_said_twice() {
        let error = Error::new(ErrorKind::Protocol, "stores", "GET http://pd0:2379/stores: not JSON")
            .at("http://pd0:2379");
        assert_eq!(error.to_string(), "stores: GET http://pd0:2379/stores: not JSON");
    }

    #[test]
    fn kinds_have_one_name() {
        let kinds =
            [ErrorKind::Unsupported, ErrorKind::NotFound, ErrorKind::InvalidInput, ErrorKind::TooLarge];
        for kind in kinds {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
