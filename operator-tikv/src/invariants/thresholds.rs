//! From where on something is violated, and for how long it must be.

use std::borrow::Cow;
use std::time::Duration;

use operator_core::{Error, ErrorKind, InvariantInfo, Result, Severity, ascending, within};

/// From where on something is violated, and for how long it must be; `default()` is what the documentation of the
/// invariants says.
///
/// ```
/// use std::time::Duration;
/// use operator_core::Severity;
/// use operator_tikv::invariants::{Thresholds, tikv_invariants};
///
/// let mut thresholds = Thresholds::default().grace("store_down", Severity::Critical, Duration::from_secs(120));
/// thresholds.latency_p99_seconds = 0.05;
/// assert!(tikv_invariants(&thresholds).is_ok());
///
/// thresholds.disk_used_warning_ratio = 70.0;
/// let error = tikv_invariants(&thresholds).unwrap_err();
/// assert!(error.message.contains("disk_used_warning_ratio"), "{error}");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Thresholds {
    /// `high_latency`: a store's p99 is above this, in seconds, up to an hour; 0.1.
    pub latency_p99_seconds: f64,
    /// `low_disk_space`, warning: more than this part of the capacity is taken, 0 to 1; 0.7.
    pub disk_used_warning_ratio: f64,
    /// `low_disk_space`, critical; 0.85.
    pub disk_used_critical_ratio: f64,
    /// `store_unobserved`, `high_latency`: metrics that are older than this, in seconds, are none; 120.
    pub metrics_age_seconds: f64,
    /// `store_busy`: requests a second refused by a store as too busy, or for a full channel, above this; 0.
    pub busy_per_second: f64,
    /// `store_slow`: a store's slow score is at least this, 1 to 100; 80.
    pub slow_score: f64,
    /// `leader_imbalance`, `region_imbalance`: a store's score is above this many times the mean, 1 to 1,000; 2.
    pub imbalance_ratio: f64,
    /// The same: not with fewer leaders or regions a store than this; 10.
    pub imbalance_least_per_store: f64,
    /// `clock_skew`: two clocks differ by more than this, in seconds, up to a day; 0.5.
    pub clock_skew_seconds: f64,
    /// `leadership_churn`: regions get a leader more often than this in a minute, up to 100,000; 100.
    pub churn_elections_per_minute: f64,
    /// The same: in at least this many regions, 1 to 100,000; 20.
    pub churn_regions: f64,
    graces: Vec<(Cow<'static, str>, Severity, Duration)>,
    keep_firing: Vec<(Cow<'static, str>, Duration)>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            latency_p99_seconds: 0.1,
            disk_used_warning_ratio: 0.7,
            disk_used_critical_ratio: 0.85,
            metrics_age_seconds: 120.0,
            busy_per_second: 0.0,
            slow_score: 80.0,
            imbalance_ratio: 2.0,
            imbalance_least_per_store: 10.0,
            clock_skew_seconds: 0.5,
            churn_elections_per_minute: 100.0,
            churn_regions: 20.0,
            graces: Vec::new(),
            keep_firing: Vec::new(),
        }
    }
}

impl Thresholds {
    /// The same with another grace of the invariant `id` at one of its severities.
    pub fn grace(mut self, id: impl Into<Cow<'static, str>>, severity: Severity, grace: Duration) -> Self {
        self.graces.push((id.into(), severity, grace));
        self
    }

    /// The same with the invariant `id` firing on for this long after it was last violated.
    pub fn keep_firing(mut self, id: impl Into<Cow<'static, str>>, keep_firing: Duration) -> Self {
        self.keep_firing.push((id.into(), keep_firing));
        self
    }

    /// Whether they make sense.
    ///
    /// # Errors
    /// Kind `InvalidInput`, naming the field.
    pub fn validate(&self) -> Result<()> {
        within("latency_p99_seconds", self.latency_p99_seconds, 0.0..=3_600.0)?;
        within("disk_used_warning_ratio", self.disk_used_warning_ratio, 0.0..=1.0)?;
        within("disk_used_critical_ratio", self.disk_used_critical_ratio, 0.0..=1.0)?;
        ascending(
            ("disk_used_warning_ratio", self.disk_used_warning_ratio),
            ("disk_used_critical_ratio", self.disk_used_critical_ratio),
        )?;
        within("metrics_age_seconds", self.metrics_age_seconds, 1.0..=86_400.0)?;
        within("busy_per_second", self.busy_per_second, 0.0..=1e9)?;
        within("slow_score", self.slow_score, 1.0..=100.0)?;
        within("imbalance_ratio", self.imbalance_ratio, 1.0..=1_000.0)?;
        within("imbalance_least_per_store", self.imbalance_least_per_store, 0.0..=1e9)?;
        within("clock_skew_seconds", self.clock_skew_seconds, 0.0..=86_400.0)?;
        within("churn_elections_per_minute", self.churn_elections_per_minute, 0.0..=100_000.0)?;
        within("churn_regions", self.churn_regions, 1.0..=100_000.0)
    }

    /// Whether every grace is one of an invariant that there is, at a severity that it has.
    pub(super) fn validate_graces<'a>(&self, infos: impl Iterator<Item = &'a InvariantInfo>) -> Result<()> {
        let infos: Vec<_> = infos.collect();
        let find = |id: &str| infos.iter().find(|info| info.id == id);
        let refuse = |message: String| Err(Error::new(ErrorKind::InvalidInput, "thresholds", message));
        for (id, severity, _) in &self.graces {
            let known = find(id).is_some_and(|info| info.severities.iter().any(|s| s.severity == *severity));
            if !known {
                return refuse(format!(
                    "grace of {id} at {severity}: there is no such invariant or severity"
                ));
            }
        }
        for (id, _) in &self.keep_firing {
            if find(id).is_none() {
                return refuse(format!("keep_firing of {id}: there is no such invariant"));
            }
        }
        infos.into_iter().try_for_each(InvariantInfo::validate)
    }

    /// The invariant with the graces that are set here instead of its own.
    pub(super) fn patient(&self, mut info: InvariantInfo) -> InvariantInfo {
        for (id, severity, grace) in &self.graces {
            if *id == info.id && info.severities.iter().any(|listed| listed.severity == *severity) {
                info = info.severity(*severity, *grace);
            }
        }
        for (id, keep_firing) in &self.keep_firing {
            if *id == info.id {
                info = info.keep_firing(*keep_firing);
            }
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use operator_core::Invariant;

    use super::super::tikv_invariants;
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_by_the_name_of_its_field() {
        type Field = fn(&mut Thresholds) -> &mut f64;
        let fields: [(&str, Field); 11] = [
            ("latency_p99_seconds", |t| &mut t.latency_p99_seconds),
            ("disk_used_warning_ratio", |t| &mut t.disk_used_warning_ratio),
            ("disk_used_critical_ratio", |t| &mut t.disk_used_critical_ratio),
            ("metrics_age_seconds", |t| &mut t.metrics_age_seconds),
            ("busy_per_second", |t| &mut t.busy_per_second),
            ("slow_score", |t| &mut t.slow_score),
            ("imbalance_ratio", |t| &mut t.imbalance_ratio),
            ("imbalance_least_per_store", |t| &mut t.imbalance_least_per_store),
            ("clock_skew_seconds", |t| &mut t.clock_skew_seconds),
            ("churn_elections_per_minute", |t| &mut t.churn_elections_per_minute),
            ("churn_regions", |t| &mut t.churn_regions),
        ];
        for (name, field) in fields {
            for value in [f64::NAN, -1.0, f64::INFINITY, f64::NEG_INFINITY] {
                let mut thresholds = Thresholds::default();
                *field(&mut thresholds) = value;
                let error = tikv_invariants(&thresholds).unwrap_err();
                assert_eq!(error.kind, ErrorKind::InvalidInput);
                assert!(error.message.starts_with(&format!("{name}:")), "{error}");
            }
        }
        let swapped = Thresholds { disk_used_warning_ratio: 0.9, ..Thresholds::default() };
        let error = tikv_invariants(&swapped).unwrap_err();
        assert!(error.message.contains("disk_used_critical_ratio"), "{error}");
    }

    #[test]
    fn graces_are_set_by_name_and_names_that_there_are_not_are_refused() {
        let minute = Duration::from_secs(60);
        let thresholds = Thresholds::default()
            .grace("store_down", Severity::Warning, minute)
            .keep_firing("store_down", Duration::ZERO);
        let invariants = tikv_invariants(&thresholds).unwrap();
        let info = invariants.iter().map(Invariant::info).find(|info| info.id == "store_down").unwrap();
        assert_eq!(info.severities.iter().map(|s| s.grace).collect::<Vec<_>>(), [minute, minute]);
        assert_eq!(info.keep_firing, Duration::ZERO);

        for (thresholds, named) in [
            (Thresholds::default().grace("store_dwn", Severity::Warning, minute), "store_dwn"),
            (
                Thresholds::default().grace("high_latency", Severity::Critical, minute),
                "high_latency at critical",
            ),
            (Thresholds::default().grace("store_down", Severity::Warning, Duration::MAX), "store_down.grace"),
            (Thresholds::default().keep_firing("nothing", minute), "keep_firing of nothing"),
        ] {
            let error = tikv_invariants(&thresholds).unwrap_err();
            assert!(error.kind == ErrorKind::InvalidInput && error.message.contains(named), "{error}");
        }
    }
}
