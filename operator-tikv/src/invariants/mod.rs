//! What must hold of a TiKV cluster.
//!
//! | id | violated when | grace | severity |
//! |---|---|---|---|
//! | `store_down` | a store is lost or `Disconnected`; critical once lost for 60 s, or `Down` | 0 s, 60 s | warning, critical |
//! | `high_latency` | a store's p99 is above 100 ms | 60 s | warning |
//! | `low_disk_space` | more than 70 % of a store's capacity is taken; 85 %: critical | 0 s | warning, critical |
//! | `miss_peer`, `pending_peer`, `offline_peer`, `extra_peer`, `learner_peer` | PD counts such regions | 600 s | warning |
//! | `down_peer` | PD counts such regions | 60 s | warning |
//! | `no_leader` | regions have no leader, or one on a lost store | 30 s | critical |
//! | `quorum_lost` | regions have most of their voters on lost stores | 10 s | critical |
//! | `pd_member_unhealthy` | a member of PD fails its health check | 30 s | warning |
//! | `pd_no_leader` | no member of PD leads | 10 s | critical |
//! | `store_unobserved` | a store that is `Up` has no metrics | 60 s | warning |
//! | `store_busy` | a store says that it is busy, its channels are full or its writes stall | 60 s | warning |
//! | `store_slow` | a store's slow score is 80 or more | 60 s | warning |
//! | `leader_imbalance`, `region_imbalance` | a store's score is more than twice the mean, and PD schedules nothing | 900 s | info |
//! | `version_mismatch` | stores run different versions | 900 s | info |
//! | `clock_skew` | two clocks differ by more than 500 ms | 60 s | warning |
//! | `forgotten` | leaders are evicted from a store, or a scheduler or checker is paused | 3600 s | info |
//! | `stuck_offline` | a store that is being removed gets no emptier | 1800 s | warning |
//! | `leadership_churn` | more than 100 leaders are elected within a minute, in at least 20 regions; only where logs are followed ([`leadership_churn`]) | 120 s | warning |
//!
//! All of them are pure functions of one observation; what it does not show is *unknown* and never *holds*. Of a store
//! that is not live nothing else can be told than that it is not, and of what PD counts nothing while PD warms up.
//! Which stores are lost is said by the [`LOST`](crate::signals::LOST) signals, which come from the stores themselves.
//!
//! A setting with a time to live (`POST /config?ttlSecond=…`) that nobody removed is not found by `forgotten`: PD
//! shows it nowhere.

mod thresholds;
mod behind;
mod stores;
mod load;
mod regions;
mod pd;
mod balance;
mod upkeep;
mod churn;

use std::sync::Arc;

use operator_core::common::Sight;
use operator_core::{Finding, Invariant, InvariantInfo, Observation, Part, Regarding, Result, invariant_fn};

pub use self::churn::leadership_churn;
pub use self::thresholds::Thresholds;

/// What knows the stores.
const PD: &str = "PD";

/// Every invariant, in the order of the table above, but for [`leadership_churn`].
///
/// # Errors
/// Kind `InvalidInput`, naming the field, if a threshold makes no sense.
pub fn tikv_invariants(thresholds: &Thresholds) -> Result<Vec<Arc<dyn Invariant>>> {
    Ok(rules(thresholds)?.into_iter().map(|rule| rule.invariant).collect())
}

/// The invariants that need nothing else than these parts of an observation: one that needs a part that is never
/// observed could only ever be unknown.
///
/// # Errors
/// As [`tikv_invariants`].
pub fn tikv_invariants_of(
    thresholds: &Thresholds,
    observed: impl Fn(Part) -> bool,
) -> Result<Vec<Arc<dyn Invariant>>> {
    let rules = rules(thresholds)?.into_iter();
    Ok(rules
        .filter(|rule| rule.needs.iter().all(|part| observed(*part)))
        .map(|rule| rule.invariant)
        .collect())
}

/// An invariant, and the parts without which it never knows anything.
struct Rule {
    needs: &'static [Part],
    invariant: Arc<dyn Invariant>,
}

fn rule(
    needs: &'static [Part],
    info: InvariantInfo,
    check: impl Fn(&Sight<'_>) -> Vec<Finding> + Send + Sync + 'static,
) -> Rule {
    let invariant = invariant_fn(info, move |observation: &Observation| check(&Sight::of(observation, PD)));
    Rule { needs, invariant: Arc::new(invariant) }
}

/// Nothing can be told, for this reason.
fn unknown(reason: impl Into<String>) -> Vec<Finding> {
    vec![Finding::unknown(Regarding::Cluster, reason)]
}

fn rules(thresholds: &Thresholds) -> Result<Vec<Rule>> {
    thresholds.validate()?;
    let mut rules = vec![stores::store_down(thresholds)];
    rules.extend([load::high_latency(thresholds), load::low_disk_space(thresholds)]);
    rules.extend(regions::counted_by_pd(thresholds));
    rules.extend([regions::no_leader(thresholds), regions::quorum_lost(thresholds)]);
    rules.extend([pd::member_unhealthy(thresholds), pd::no_leader(thresholds)]);
    rules.extend([
        stores::store_unobserved(thresholds),
        load::store_busy(thresholds),
        load::store_slow(thresholds),
    ]);
    rules.extend([balance::leaders(thresholds), balance::regions(thresholds)]);
    rules.extend([upkeep::version_mismatch(thresholds), upkeep::clock_skew(thresholds)]);
    rules.extend([upkeep::forgotten(thresholds), upkeep::stuck_offline(thresholds)]);
    let churn = churn::rule_of(thresholds);
    thresholds.validate_graces(rules.iter().chain([&churn]).map(|rule| rule.invariant.info()))?;
    Ok(rules)
}

#[cfg(test)]
mod tests;
