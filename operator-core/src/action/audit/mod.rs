//! The record of what was proposed, approved, sent, and what came of it.

mod memory;
mod file;
mod read;
#[cfg(test)]
mod tests;

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::file::FileAuditLog;
pub use self::memory::InMemoryAuditLog;
pub use self::read::{AuditLineError, AuditRecords, AuditRun, AuditRuns, RunState, read_audit};
use super::{Action, OutcomeKind, PlannedRequest};
use crate::{ErrorKind, Result};

/// The longest line of an audit log, its end included: longer ones are neither written nor read.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Where records are kept: append-only.
#[async_trait]
pub trait AuditLog: Debug + Send + Sync + 'static {
    /// Appends one record, and returns only once it would survive a crash of the program and of the machine.
    ///
    /// # Errors
    /// If that is not certain: then nothing may be sent.
    async fn append(&self, record: &AuditRecord) -> Result<()>;
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditRecord {
    /// The version of this format: 1. Readers must ignore fields that they do not know.
    pub schema: u32,
    /// When.
    pub at: DateTime<Utc>,
    /// The run: the same in all records of one action, and in no other's.
    pub run: String,
    /// The name of the subject.
    pub subject: String,
    /// The action.
    pub action: Action,
    /// What is recorded of it.
    #[serde(flatten)]
    pub step: AuditStep,
}

impl AuditRecord {
    /// The version of the format.
    pub const SCHEMA: u32 = 1;
}

/// The steps of an action, in their order. In JSON `"step": "proposed"` and its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuditStep {
    /// Somebody asked for it, and this would be sent.
    Proposed {
        /// What would be sent; `null` if there is nothing to send.
        request: Option<PlannedRequest>,
    },
    /// Somebody said yes.
    Approved {
        /// Who.
        by: String,
        /// Whether what would have forbidden it was overruled.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        forced: bool,
    },
    /// It is about to be sent: from here on it may have been. On disk before the request leaves.
    Sending {
        /// What.
        request: PlannedRequest,
    },
    /// The subject answered, or did not.
    Answered {
        /// Whether the request has reached the subject; `null` if that is not known.
        sent: Option<bool>,
        /// What kind of failure, if it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorKind>,
        /// The subject's words, or what went wrong.
        message: String,
    },
    /// It is over.
    Ended {
        /// How.
        outcome: OutcomeKind,
        /// What happened.
        message: String,
    },
}
