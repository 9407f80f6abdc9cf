//! What came of an action.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Action, PlannedRequest, Refusal};

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The version of this format: 1.
    pub schema: u32,
    /// The run, as in the audit log.
    pub run: String,
    /// The name of the subject.
    pub subject: String,
    /// What was to be done.
    pub action: Action,
    /// How it ended.
    pub outcome: OutcomeKind,
    /// Whether a request has reached the subject; `null` if that is not known.
    pub sent: Option<bool>,
    /// What was sent; `null` if nothing was.
    pub request: Option<PlannedRequest>,
    /// What happened, for a person.
    pub message: String,
    /// Why it was refused; empty if it was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When this was known.
    pub at: DateTime<Utc>,
    /// What takes it back; `null` if nothing does or nothing was done.
    pub undo: Option<Action>,
}

impl Outcome {
    /// The version of the format.
    pub const SCHEMA: u32 = 1;
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutcomeKind {
    /// The effect was seen.
    Verified,
    /// The subject has taken it, now or before; the effect was not seen, and may still come.
    Accepted,
    /// The guard, a precondition or the subject said no: nothing was changed.
    Refused,
    /// It did not work, or it is not known whether it did: the message says which.
    Failed,
}

impl OutcomeKind {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
