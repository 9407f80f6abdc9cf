//! What an invariant says of one thing in one observation.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::Severity;
use crate::Regarding;

/// What an invariant says of one thing in one observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// The thing.
    pub regarding: Regarding,
    /// Whether it is violated or cannot be told.
    pub verdict: Verdict,
    /// How bad it is; `null` if that cannot be told.
    pub severity: Option<Severity>,
    /// What was measured, in `unit`.
    pub observed: Option<f64>,
    /// What it should have stayed on the right side of, in `unit`.
    pub threshold: Option<f64>,
    /// The unit of both.
    pub unit: Option<Cow<'static, str>>,
    /// What was seen, for a person.
    pub message: String,
    /// Whether the observation itself proves that it has lasted, so that no grace is due: the control plane says that
    /// it has waited for half an hour already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// Whether another finding tells why it cannot be told, so that it need not be told as unobserved, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explained: bool,
}

/// Whether a thing violates an invariant or cannot be told; what holds is not named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It is violated.
    Violated,
    /// It cannot be told, for this reason.
    Unknown(String),
}

impl Finding {
    /// `regarding` violates the invariant.
    pub fn violated(regarding: impl Into<Regarding>, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            regarding: regarding.into(),
            verdict: Verdict::Violated,
            severity: Some(severity),
            observed: None,
            threshold: None,
            unit: None,
            message: message.into(),
            settled: false,
            explained: false,
        }
    }

    /// Whether `regarding` violates the invariant cannot be told; [`Regarding::Cluster`] for everything that is not
    /// named in another finding.
    ///
    /// The same cause should give the same reason in every invariant: they are told together.
    pub fn unknown(regarding: impl Into<Regarding>, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            regarding: regarding.into(),
            verdict: Verdict::Unknown(reason.clone()),
            severity: None,
            observed: None,
            threshold: None,
            unit: None,
            message: reason,
            settled: false,
            explained: false,
        }
    }

    /// What was measured, what it should have stayed on the right side of, and the unit of both.
    pub fn measured(self, observed: f64, threshold: f64, unit: impl Into<Cow<'static, str>>) -> Self {
        Self { observed: Some(observed), threshold: Some(threshold), unit: Some(unit.into()), ..self }
    }

    /// The observation itself proves that it has lasted: no grace is due.
    pub fn settled(self) -> Self {
        Self { settled: true, ..self }
    }

    /// Another finding tells why it cannot be told: of a store that is lost nobody wonders what its latency is.
    pub fn explained(self) -> Self {
        Self { explained: true, ..self }
    }

    /// Whether it is violated.
    pub fn is_violated(&self) -> bool {
        self.verdict == Verdict::Violated
    }

    /// An order in which the worst comes last, total so that it does not matter which of two was found first.
    pub(super) fn by_weight(&self, other: &Self) -> Ordering {
        let number = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.is_some().cmp(&b.is_some()),
        };
        (self.severity.cmp(&other.severity))
            .then_with(|| self.settled.cmp(&other.settled))
            .then_with(|| other.explained.cmp(&self.explained))
            .then_with(|| number(self.observed, other.observed))
            .then_with(|| number(self.threshold, other.threshold))
            .then_with(|| self.message.cmp(&other.message))
            .then_with(|| self.unit.cmp(&other.unit))
    }

    /// Drops numbers that are none: JSON has no word for them, and nothing equals them.
    pub(super) fn clean(&mut self) {
        self.observed = self.observed.filter(|number| number.is_finite());
        self.threshold = self.threshold.filter(|number| number.is_finite());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreId;

    #[test]
    fn json_names_the_thing_and_the_verdict() {
        let finding =
            Finding::violated(StoreId(4), Severity::Warning, "p99 is 250 ms").measured(0.25, 0.1, "s");
        let json = serde_json::to_value(&finding).unwrap();
        let expected = serde_json::json!({
            "regarding": "store/4", "verdict": "violated", "severity": "warning",
            "observed": 0.25, "threshold": 0.1, "unit": "s", "message": "p99 is 250 ms",
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Finding>(json).unwrap(), finding);

        let unknown = serde_json::to_value(Finding::unknown(Regarding::Cluster, "no metrics")).unwrap();
        assert_eq!(unknown["verdict"], serde_json::json!({ "unknown": "no metrics" }));
        assert!(unknown["severity"].is_null());
    }

    #[test]
    fn the_worse_of_two_weighs_more_and_different_ones_never_weigh_the_same() {
        let warning = Finding::violated(StoreId(1), Severity::Warning, "z");
        let critical = Finding::violated(StoreId(1), Severity::Critical, "a");
        assert_eq!(critical.by_weight(&warning), Ordering::Greater);
        assert_eq!(warning.by_weight(&warning.clone().settled()), Ordering::Less);
        assert_eq!(warning.by_weight(&warning.clone().measured(-1.0, 0.0, "s")), Ordering::Less);
        assert_eq!(warning.by_weight(&warning.clone()), Ordering::Equal);
    }

    #[test]
    fn numbers_that_are_none_are_left_out() {
        let mut finding =
            Finding::violated(StoreId(1), Severity::Info, "").measured(f64::NAN, f64::INFINITY, "s");
        finding.clean();
        assert_eq!((finding.observed, finding.threshold), (None, None));
    }
}
