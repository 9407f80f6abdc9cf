//! What a monitor tells: one JSON object a line.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Regarding, Severity};

/// Something worth telling. What does not apply to its kind is left out of the JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// The version of this format: 1. Readers must ignore fields that they do not know.
    pub schema: u32,
    /// Counts from 1 without gaps in what one monitor tells: a gap in what was received is a loss.
    pub sequence: u64,
    /// When it was told, by the monitor's clock; of what an observation showed, when that was begun; of a `log`, when
    /// that says that it happened.
    pub at: DateTime<Utc>,
    /// What kind of event it is.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The name of the subject.
    pub subject: String,
    /// The id of the invariant; none if it concerns several, which the message then lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invariant: Option<Cow<'static, str>>,
    /// The thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regarding: Option<Regarding>,
    /// How bad it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// How bad it was until now, where that has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_severity: Option<Severity>,
    /// Since when it has been so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// How long it lasted, of what is resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted_seconds: Option<f64>,
    /// What was measured, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<f64>,
    /// What that should have stayed on the right side of, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// The unit of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Cow<'static, str>>,
    /// What happened, for a person.
    pub message: String,
}

impl Event {
    /// The version of the format.
    pub const SCHEMA: u32 = 1;

    /// An event that concerns nothing in particular.
    pub fn new(
        sequence: u64,
        at: DateTime<Utc>,
        kind: EventKind,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            schema: Self::SCHEMA,
            sequence,
            at,
            kind,
            subject: subject.into(),
            invariant: None,
            regarding: None,
            severity: None,
            previous_severity: None,
            since: None,
            lasted_seconds: None,
            observed: None,
            threshold: None,
            unit: None,
            message: message.into(),
        }
    }
}

/// What kind of event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The monitor has begun.
    Started,
    /// What can be believed of the observations has changed; also told of the first one.
    Observed,
    /// Something violates an invariant, and its grace is not over.
    Pending,
    /// A violation fires, or a firing one has changed its severity.
    Firing,
    /// A violation that fired is gone.
    Resolved,
    /// An invariant has not been able to see something for longer than the limit.
    Unobserved,
    /// What was unobserved is seen again.
    ObservedAgain,
    /// The subject does not answer at all.
    Unreachable,
    /// It does again.
    Reachable,
    /// Observations took so long that ticks were left out.
    TicksSkipped,
    /// Something worth knowing in a log.
    Log,
    /// Something was done to the subject.
    Action,
    /// The monitor has ended.
    Stopped,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Started,
        Self::Observed,
        Self::Pending,
        Self::Firing,
        Self::Resolved,
        Self::Unobserved,
        Self::ObservedAgain,
        Self::Unreachable,
        Self::Reachable,
        Self::TicksSkipped,
        Self::Log,
        Self::Action,
        Self::Stopped,
    ];

    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Observed => "observed",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Unobserved => "unobserved",
            Self::ObservedAgain => "observed_again",
            Self::Unreachable => "unreachable",
            Self::Reachable => "reachable",
            Self::TicksSkipped => "ticks_skipped",
            Self::Log => "log",
            Self::Action => "action",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_one_name() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn json_has_what_applies_and_comes_back() {
        let mut event = Event::new(7, DateTime::UNIX_EPOCH, EventKind::Firing, "demo", "lost");
        let json = serde_json::to_value(&event).unwrap();
        let expected = serde_json::json!({
            "schema": 1, "sequence": 7, "at": "1970-01-01T00:00:00Z", "type": "firing", "subject": "demo", "message": "lost",
        });
        assert_eq!(json, expected);

        event.invariant = Some("store_down".into());
        event.regarding = Some("store/4".parse().unwrap());
        event.severity = Some(Severity::Critical);
        event.previous_severity = Some(Severity::Warning);
        event.since = Some(DateTime::UNIX_EPOCH);
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!((&json["regarding"], &json["previous_severity"]), (&"store/4".into(), &"warning".into()));
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
    }
}
