//! Violations with their history, and what is told when something about them changes.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Severity;
use crate::{Regarding, seconds};

/// A thing that violates an invariant, and since when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Violation {
    /// The invariant's id.
    pub invariant: Cow<'static, str>,
    /// The thing.
    pub regarding: Regarding,
    /// How bad it is: of what is firing the severity that fires, of what is pending the one found.
    pub severity: Severity,
    /// Where it stands.
    pub state: ViolationState,
    /// When it was first found.
    pub since: DateTime<Utc>,
    /// When it began to fire, at whatever severity; `null` while it is pending.
    pub firing_since: Option<DateTime<Utc>>,
    /// What was measured when it was last found, in `unit`.
    pub observed: Option<f64>,
    /// What that should have stayed on the right side of, in `unit`.
    pub threshold: Option<f64>,
    /// The unit of both.
    pub unit: Option<Cow<'static, str>>,
    /// What was seen when it was last found, for a person.
    pub message: String,
    /// How long it lasted, from first sight to being resolved; only of what is resolved. In JSON `lasted_seconds`.
    #[serde(
        default,
        rename = "lasted_seconds",
        with = "seconds::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub lasted: Option<Duration>,
}

/// Where a violation stands, in Prometheus' words; what is inactive has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ViolationState {
    /// Found, and its grace is not over.
    Pending,
    /// Found for longer than its grace, or not gone for long enough.
    Firing,
    /// It fired and is gone.
    Resolved,
}

impl ViolationState {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

impl fmt::Display for ViolationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A thing of which an invariant cannot tell whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unknown {
    /// The invariant's id.
    pub invariant: Cow<'static, str>,
    /// The thing; `cluster` if the invariant cannot see at all.
    pub regarding: Regarding,
    /// Since when it cannot.
    pub since: DateTime<Utc>,
    /// Why, as of the last observation.
    pub reason: String,
}

impl Unknown {
    /// What an invariant cannot tell.
    pub fn new(
        invariant: impl Into<Cow<'static, str>>,
        regarding: Regarding,
        since: DateTime<Utc>,
        reason: impl Into<String>,
    ) -> Self {
        Self { invariant: invariant.into(), regarding, since, reason: reason.into() }
    }
}

/// What has changed with one observation: each is told once.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Transition {
    /// Found for the first time, and its grace is not over. One that is gone before ends silently, as in Prometheus.
    Pending(Violation),
    /// Its grace is over, or a firing violation has changed its severity.
    Firing {
        /// The violation.
        violation: Violation,
        /// The severity at which it has been firing until now.
        previous_severity: Option<Severity>,
    },
    /// It fired and is gone.
    Resolved(Violation),
    /// It has been unknown for longer than the limit.
    Unobserved(Unknown),
    /// What was unobserved is seen again; `reason` is the last one given.
    ObservedAgain(Unknown),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_agreed_names() {
        let violation = Violation {
            invariant: "store_down".into(),
            regarding: "store/4".parse().unwrap(),
            severity: Severity::Critical,
            state: ViolationState::Firing,
            since: DateTime::UNIX_EPOCH,
            firing_since: Some(DateTime::UNIX_EPOCH),
            observed: None,
            threshold: None,
            unit: None,
            message: "lost".into(),
            lasted: None,
        };
        let json = serde_json::to_value(&violation).unwrap();
        let expected = serde_json::json!({
            "invariant": "store_down", "regarding": "store/4", "severity": "critical", "state": "firing",
            "since": "1970-01-01T00:00:00Z", "firing_since": "1970-01-01T00:00:00Z",
            "observed": null, "threshold": null, "unit": null, "message": "lost",
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Violation>(json).unwrap(), violation);

        let resolved = Violation {
            state: ViolationState::Resolved,
            lasted: Some(Duration::from_millis(2_500)),
            ..violation
        };
        assert_eq!(serde_json::to_value(resolved).unwrap()["lasted_seconds"], 2.5);
    }
}
