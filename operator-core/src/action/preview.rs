//! What an action would do.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Action;
use crate::Danger;

/// What an action would do to the subject as it is now: what a person or an agent decides by, and what is sent if it is
/// approved. Made by [`Actor::preview`](super::Actor::preview), which changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Preview {
    /// The version of this format: 1.
    pub schema: u32,
    /// The name of the subject.
    pub subject: String,
    /// When the subject was looked at.
    pub at: DateTime<Utc>,
    /// What is to be done.
    pub action: Action,
    /// What it can do at worst.
    pub danger: Danger,
    /// What will happen, in a sentence for a person.
    pub summary: String,
    /// Exactly what would be sent; `null` if the subject was asked for it already or is as wanted, so that there is nothing to send.
    pub request: Option<PlannedRequest>,
    /// What must hold, and whether it does.
    pub preconditions: Vec<Precondition>,
    /// What a person should know that forbids nothing.
    pub warnings: Vec<String>,
    /// What all this was read from, by name (`region/17 epoch`): if that is another when it comes to sending, nothing is
    /// sent. It holds what the action depends on, and nothing that changes by itself.
    pub basis: BTreeMap<String, Value>,
    /// What else was seen, by name (`region/17 former operator`), for telling the effect from what was there before. It may
    /// change by itself, and whether it has does not count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, Value>,
    /// What would take it back, with the values of now; `null` if nothing does.
    pub undo: Option<Action>,
}

impl Preview {
    /// The version of the format.
    pub const SCHEMA: u32 = 1;

    /// A preview of something that needs nothing to be sent and nothing to hold.
    pub fn new(
        subject: impl Into<String>,
        at: DateTime<Utc>,
        action: Action,
        summary: impl Into<String>,
    ) -> Self {
        Self {
            schema: Self::SCHEMA,
            subject: subject.into(),
            at,
            danger: action.danger(),
            action,
            summary: summary.into(),
            request: None,
            preconditions: Vec::new(),
            warnings: Vec::new(),
            basis: BTreeMap::new(),
            notes: BTreeMap::new(),
            undo: None,
        }
    }

    /// Why it must not be sent: the preconditions that do not hold or cannot be told; empty if all hold.
    pub fn objections(&self) -> impl Iterator<Item = &Precondition> {
        self.preconditions.iter().filter(|one| one.verdict != PreconditionVerdict::Holds)
    }

    /// Whether what was approved with `approved` is what would be sent now.
    pub fn is_same(&self, approved: &Self) -> bool {
        self.subject == approved.subject
            && self.action == approved.action
            && self.request == approved.request
            && self.basis == approved.basis
    }
}

/// A request as it would be sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedRequest {
    /// The method, `POST` or `DELETE` where it is HTTP.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The body, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

impl PlannedRequest {
    /// A request without a body.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self { method: method.into(), path: path.into(), body: None }
    }

    /// With this body.
    pub fn with_body(self, body: impl Into<Value>) -> Self {
        Self { body: Some(body.into()), ..self }
    }
}

/// Something that must hold before an action is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Precondition {
    /// What it is about, in `snake_case`: `region_exists`, `quorum_survives`.
    pub name: String,
    /// Whether it holds.
    pub verdict: PreconditionVerdict,
    /// What was seen, for a person.
    pub message: String,
}

impl Precondition {
    /// One that was looked at.
    pub fn new(name: impl Into<String>, holds: bool, message: impl Into<String>) -> Self {
        let verdict = if holds { PreconditionVerdict::Holds } else { PreconditionVerdict::Fails };
        Self { name: name.into(), verdict, message: message.into() }
    }

    /// One that could not be told.
    pub fn unknown(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: PreconditionVerdict::Unknown, message: message.into() }
    }
}

/// Whether a precondition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PreconditionVerdict {
    /// It does.
    Holds,
    /// It does not.
    Fails,
    /// It could not be told, which forbids as much as that it does not.
    Unknown,
}
