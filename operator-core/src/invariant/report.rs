//! One observation judged by every invariant: what `operator check` prints.

use std::cmp::Reverse;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{CheckerConfig, Invariant, InvariantChecker, Severity, Unknown, Violation, ViolationState};
use crate::{Error, Observation, PartError, Result, Trust, TrustCode, TrustReason};

/// One observation judged by every invariant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// The version of this format: 1.
    pub schema: u32,
    /// When the observation was begun.
    pub at: DateTime<Utc>,
    /// The name of the subject.
    pub subject: String,
    /// How far the observation can be believed.
    pub trust: Trust,
    /// What is firing or pending, firing first, worst first.
    pub violations: Vec<Violation>,
    /// What cannot be told.
    pub unknown: Vec<Unknown>,
    /// The parts of the observation that failed.
    pub errors: Vec<PartError>,
}

impl CheckReport {
    /// The version of the format.
    pub const SCHEMA: u32 = 1;

    /// Judges one observation as if nothing had been seen before: what has a grace is pending, unless graces are
    /// ignored.
    ///
    /// # Errors
    /// As [`InvariantChecker::new`].
    pub fn of(
        subject: impl Into<String>,
        observation: &Observation,
        invariants: impl IntoIterator<Item = Arc<dyn Invariant>>,
        ignore_grace: bool,
    ) -> Result<Self> {
        let config = CheckerConfig::default().ignore_grace(ignore_grace);
        let mut checker = InvariantChecker::with_config(invariants, config)?;
        let _ = checker.check(observation);
        Ok(Self::after(subject, observation, &checker))
    }

    /// Where a checker stands after `observation`.
    pub fn after(subject: impl Into<String>, observation: &Observation, checker: &InvariantChecker) -> Self {
        let mut violations = checker.violations();
        violations.sort_by_key(|violation| Reverse((violation.state, violation.severity)));
        Self {
            schema: Self::SCHEMA,
            at: observation.at,
            subject: subject.into(),
            trust: observation.trust.clone(),
            violations,
            unknown: checker.unknown(),
            errors: observation.errors.clone(),
        }
    }

    /// What can be said when nothing could be observed: that nothing is known but what the error itself proves.
    ///
    /// # Errors
    /// As [`InvariantChecker::new`].
    pub fn blind(
        subject: impl Into<String>,
        at: DateTime<Utc>,
        error: &Error,
        invariants: impl IntoIterator<Item = Arc<dyn Invariant>>,
        ignore_grace: bool,
    ) -> Result<Self> {
        let config = CheckerConfig::default().ignore_grace(ignore_grace);
        let mut checker = InvariantChecker::with_config(invariants, config)?;
        let _ = checker.failed_after(at, std::time::Duration::ZERO, error, &error.to_string());
        let mut observation = Observation::empty(at);
        let reason = TrustReason::new(TrustCode::PartFailed, None, error.to_string());
        observation.trust = Trust { verdict: reason.code.verdict(), reasons: vec![reason] };
        Ok(Self::after(subject, &observation, &checker))
    }

    /// What it comes to.
    pub fn outcome(&self) -> CheckOutcome {
        let firing = self.violations.iter().filter(|violation| violation.state == ViolationState::Firing);
        match firing.map(|violation| violation.severity).max() {
            Some(Severity::Critical) => CheckOutcome::Critical,
            Some(Severity::Warning) => CheckOutcome::Warning,
            Some(Severity::Info) | None if self.unknown.is_empty() => CheckOutcome::Ok,
            Some(Severity::Info) | None => CheckOutcome::Unknown,
        }
    }
}

/// What a check comes to, best first: something proven is worse than something unknown, and what is unknown is not ok.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckOutcome {
    /// Nothing fires, or only what is worth knowing.
    Ok,
    /// Something cannot be told, and what can is ok.
    Unknown,
    /// A warning fires, and nothing worse.
    Warning,
    /// Something critical fires.
    Critical,
}

impl CheckOutcome {
    /// The exit code, as monitoring plugins have it: 0 ok, 1 warning, 2 critical, 3 unknown.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{ErrorKind, Finding, InvariantInfo, Regarding, StoreId, invariant_fn};

    const MINUTE: Duration = Duration::from_secs(60);

    /// An invariant that always finds the same.
    fn finds(id: &'static str, grace: Duration, findings: Vec<Finding>) -> Arc<dyn Invariant> {
        Arc::new(invariant_fn(InvariantInfo::new(id, Severity::Info, grace), move |_| findings.clone()))
    }

    fn at(severity: Severity, grace: Duration) -> Arc<dyn Invariant> {
        let info = InvariantInfo::new(severity.as_str(), severity, grace);
        Arc::new(invariant_fn(info, move |_| vec![Finding::violated(StoreId(1), severity, "bad")]))
    }

    fn blind() -> Arc<dyn Invariant> {
        finds("blind", MINUTE, vec![Finding::unknown(Regarding::Cluster, "no metrics")])
    }

    fn report(invariants: &[Arc<dyn Invariant>], ignore_grace: bool) -> CheckReport {
        let observation = Observation::empty(DateTime::UNIX_EPOCH);
        CheckReport::of("demo", &observation, invariants.iter().cloned(), ignore_grace).unwrap()
    }

    #[test]
    fn the_worst_of_2_1_3_0_counts() {
        let (info, warning, critical) = (
            at(Severity::Info, Duration::ZERO),
            at(Severity::Warning, Duration::ZERO),
            at(Severity::Critical, Duration::ZERO),
        );
        for (invariants, code) in [
            (vec![], 0),
            (vec![finds("fine", MINUTE, vec![])], 0),
            (vec![info.clone()], 0),
            (vec![info.clone(), blind()], 3),
            (vec![warning.clone(), blind()], 1),
            (vec![blind(), critical.clone(), warning.clone()], 2),
            (vec![at(Severity::Critical, MINUTE)], 0),
            (vec![at(Severity::Critical, MINUTE), blind()], 3),
            (vec![at(Severity::Critical, MINUTE), warning], 1),
        ] {
            assert_eq!(report(&invariants, false).outcome().exit_code(), code, "{invariants:?}");
        }
        assert_eq!(report(&[at(Severity::Critical, MINUTE)], true).outcome().exit_code(), 2);
    }

    #[test]
    fn the_worst_comes_first_and_json_has_the_agreed_names() {
        let report =
            report(&[at(Severity::Critical, MINUTE), at(Severity::Info, Duration::ZERO), blind()], false);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["schema"], &json["subject"]), (&1.into(), &"demo".into()));
        assert_eq!(json["violations"][0]["state"], "firing");
        assert_eq!(json["violations"][1]["state"], "pending");
        let unknown = serde_json::json!([{
            "invariant": "blind", "regarding": "cluster", "since": "1970-01-01T00:00:00Z", "reason": "no metrics",
        }]);
        assert_eq!(json["unknown"], unknown);
        assert!(json["trust"]["verdict"] == "complete" && json["errors"] == serde_json::json!([]));
        assert_eq!(serde_json::from_value::<CheckReport>(json).unwrap(), report);
    }

    #[test]
    fn nothing_observed_is_unknown_and_says_why() {
        let error = Error::new(ErrorKind::Unavailable, "stores", "nobody leads");
        let invariants = [finds("fine", MINUTE, vec![])];
        let report = CheckReport::blind("demo", DateTime::UNIX_EPOCH, &error, invariants, false).unwrap();
        assert_eq!(report.outcome(), CheckOutcome::Unknown);
        assert_eq!(report.unknown[0].reason, "stores: nobody leads");
        assert_eq!(report.trust.reasons[0].message, "stores: nobody leads");
    }
}
