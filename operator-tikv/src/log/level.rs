//! How grave a line is.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// How grave a line is, from the gravest to the most talkative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The process ends; also `PANIC`, `DPANIC` and `CRITICAL`.
    Fatal,
    /// Something failed; also `ERRO`.
    Error,
    /// Something is not as it should be; also `WARNING`.
    Warn,
    /// Something happened.
    Info,
    /// For whoever debugs it; also `DEBG`.
    Debug,
    /// Everything; also `TRCE`.
    Trace,
}

impl Level {
    /// Every level, in order.
    pub const ALL: [Self; 6] = [Self::Fatal, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fatal => "FATAL",
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }

    /// Reads a level as TiKV, PD and their older versions write it.
    pub(super) fn read(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"INFO" => Self::Info,
            b"WARN" | b"WARNING" => Self::Warn,
            b"ERROR" | b"ERRO" => Self::Error,
            b"FATAL" | b"CRITICAL" | b"CRIT" | b"PANIC" | b"DPANIC" => Self::Fatal,
            b"DEBUG" | b"DEBG" => Self::Debug,
            b"TRACE" | b"TRCE" => Self::Trace,
            _ => return None,
        })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no level: fatal, error, warn, info, debug or trace")]
pub struct UnknownLevel(String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        Self::read(name.to_ascii_uppercase().as_bytes()).ok_or_else(|| UnknownLevel(name.to_owned()))
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
