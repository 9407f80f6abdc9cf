//! Why an action is not sent.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an action is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Refusal {
    /// What kind of reason it is: what a program decides by.
    pub code: RefusalCode,
    /// What was found, for a person.
    pub message: String,
    /// What exactly, in words that stay while the numbers of the message change: of `trust` the codes of the reasons with the
    /// parts that they concern, of a `critical_violation` the invariant and what it regards; else empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub about: BTreeSet<String>,
    /// Whether an approval that [forces](super::Approval::forced) overrules it.
    pub can_be_forced: bool,
}

impl Refusal {
    pub(super) fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), about: BTreeSet::new(), can_be_forced: false }
    }

    pub(super) fn about(self, about: impl IntoIterator<Item = String>) -> Self {
        Self { about: about.into_iter().collect(), ..self }
    }

    /// Whether who was told `told` knows of this: it is no worse.
    pub(super) fn is_told_by(&self, told: &Self) -> bool {
        // How far a precondition is from holding is in its message alone.
        let same = self.code != RefusalCode::Precondition || self.message == told.message;
        self.code == told.code && self.about.is_subset(&told.about) && same
    }

    pub(super) fn unless_forced(self, can_be_forced: bool) -> Self {
        Self { can_be_forced, ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The kinds of reason why an action is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefusalCode {
    /// The guard lets nothing pass.
    ReadOnly,
    /// The guard does not let actions of this name pass.
    NotAllowed,
    /// The guard does not let anything so dangerous pass.
    TooDangerous,
    /// A precondition does not hold, or it cannot be told whether it does.
    Precondition,
    /// What is known of the subject cannot be believed entirely, or nothing is known.
    Trust,
    /// Something critical is the matter with what the action is done to.
    CriticalViolation,
    /// The same action is under way.
    SameRunning,
    /// As many actions as may be are under way.
    TooManyRunning,
    /// As many actions as may be in a minute were begun in the last one.
    TooOften,
    /// Whoever was to approve it said no, or nothing in time.
    NotApproved,
    /// What would be sent now is not what was approved, or what it was approved for has changed.
    Changed,
    /// The subject said no.
    Subject,
}

impl RefusalCode {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::NotAllowed => "not_allowed",
            Self::TooDangerous => "too_dangerous",
            Self::Precondition => "precondition",
            Self::Trust => "trust",
            Self::CriticalViolation => "critical_violation",
            Self::SameRunning => "same_running",
            Self::TooManyRunning => "too_many_running",
            Self::TooOften => "too_often",
            Self::NotApproved => "not_approved",
            Self::Changed => "changed",
            Self::Subject => "subject",
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
