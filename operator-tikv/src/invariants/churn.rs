//! Leadership that does not come to rest.

use std::sync::Arc;
use std::time::Duration;

use operator_core::common::Sight;
use operator_core::{Finding, Invariant, InvariantInfo, Part, Regarding, Result, Severity};

use super::{Rule, Thresholds, rule, unknown};
use crate::signals;

/// The invariant `leadership_churn`, which only those can judge who follow logs: its signals come from a
/// [`Churn`](crate::log::Churn).
///
/// # Errors
/// As [`tikv_invariants`](super::tikv_invariants).
pub fn leadership_churn(thresholds: &Thresholds) -> Result<Arc<dyn Invariant>> {
    // All of them know each other's names.
    super::rules(thresholds)?;
    Ok(rule_of(thresholds).invariant)
}

pub(super) fn rule_of(thresholds: &Thresholds) -> Rule {
    // One store that is restarted moves a third of all leaders within seconds, and its minute is over in a minute.
    let info = InvariantInfo::new("leadership_churn", Severity::Warning, Duration::from_secs(120))
        .keep_firing(Duration::from_secs(60))
        .description("Regions get new leaders again and again, which no balancing needs: each time their clients wait.")
        .look_first(
            "Who elects whom and why: operator logs --summary on the logs of all stores. Then the network between \
             them, their disks, and whether stores restart.",
        )
        .source("`became leader` in the logs of TiKV");
    let (most, least_regions) = (thresholds.churn_elections_per_minute, thresholds.churn_regions);
    rule(&[Part::Signals], thresholds.patient(info), move |sight| {
        let number = |name| number(sight, name);
        let counted = [
            signals::LOGS_FOLLOWED,
            signals::LOGS_READABLE,
            signals::LEADERS_ELECTED,
            signals::LEADERS_ELECTED_REGIONS,
        ]
        .map(number);
        let [logs, readable, elections, regions] = match counted {
            [Ok(Some(logs)), Ok(Some(readable)), Ok(Some(elections)), Ok(Some(regions))] => {
                [logs, readable, elections, regions]
            }
            [Err(reason), ..] => return unknown(reason),
            _ => return unknown("no logs are followed"),
        };
        if readable == 0.0 {
            return unknown(format!("none of the {logs} logs that are followed can be read"));
        }
        if elections > most && regions >= least_regions {
            let message = format!("{elections} leaders were elected within a minute, in {regions} regions");
            let found = Finding::violated(Regarding::Cluster, Severity::Warning, message);
            return vec![found.measured(elections, most, "1/min")];
        }
        Vec::new()
    })
}

fn number(sight: &Sight<'_>, name: &'static str) -> std::result::Result<Option<f64>, String> {
    Ok(sight.of_cluster(name)?.and_then(|value| value.as_finite()))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use operator_core::{Observation, RegionId, Verdict};

    use super::*;
    use crate::log::Churn;

    fn seen(churn: Option<&Churn>) -> Observation {
        let mut seen = Observation::empty(DateTime::UNIX_EPOCH);
        seen.signals = Some(churn.map(|churn| signals::of_logs(churn, seen.at)).unwrap_or_default());
        seen
    }

    fn churn(elections: u64, regions: u64) -> Churn {
        let churn = Churn::default();
        churn.followed(3, 1);
        (0..elections).for_each(|number| churn.elected(RegionId(number % regions)));
        churn
    }

    #[test]
    fn many_elections_in_many_regions_are_too_many() {
        let thresholds = Thresholds::default();
        let invariant = leadership_churn(&thresholds).unwrap();
        for (elections, regions, violated) in
            [(0, 1, false), (100, 100, false), (101, 20, true), (101, 19, false), (5_000, 5_000, true)]
        {
            let found = invariant.check(&seen(Some(&churn(elections, regions))));
            assert_eq!(found.len(), usize::from(violated), "{elections} in {regions}: {found:?}");
            assert!(found.iter().all(|found| found.verdict == Verdict::Violated));
        }
        let mut thresholds =
            Thresholds::default().grace("leadership_churn", Severity::Warning, Duration::ZERO);
        (thresholds.churn_elections_per_minute, thresholds.churn_regions) = (1.0, 1.0);
        let invariant = leadership_churn(&thresholds).unwrap();
        assert_eq!(invariant.check(&seen(Some(&churn(2, 1))))[0].observed, Some(2.0));
    }

    #[test]
    fn without_a_log_nothing_can_be_told() {
        let invariant = leadership_churn(&Thresholds::default()).unwrap();
        let blind = churn(101, 20);
        blind.followed(3, 0);
        let unseen = Observation::empty(DateTime::UNIX_EPOCH);
        for seen in [seen(None), seen(Some(&blind)), unseen] {
            let found = invariant.check(&seen);
            assert!(matches!(found[0].verdict, Verdict::Unknown(_)), "{found:?}");
        }
    }
}
