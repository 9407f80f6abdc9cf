//! Stores that carry more than the others.

use std::time::Duration;

use operator_core::{Finding, InvariantInfo, Part, Regarding, Severity, Store, StoreState};

use super::behind::pd_is_behind;
use super::{Rule, Thresholds, rule, unknown};
use crate::signals;
use operator_core::common::{Sight, used_ratio};

const GRACE: Duration = Duration::from_secs(900);

pub(super) fn leaders(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("leader_imbalance", Severity::Info, GRACE)
        .description(
            "A store leads far more regions than the others, and PD moves nothing: it does most of the work.",
        )
        .look_first(
            "Is balance-leader-scheduler there and not paused? Leader weights, evicted leaders, label rules.",
        )
        .source("leader_score of GET /pd/api/v1/stores, and GET /pd/api/v1/operators");
    imbalance(thresholds, info, signals::LEADER_SCORE, "leaders", |store| store.leader_count, |_| false)
}

pub(super) fn regions(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("region_imbalance", Severity::Info, GRACE)
        .description("A store holds far more than the others, and PD moves nothing: it fills first.")
        .look_first("Is balance-region-scheduler there and not paused? Region weights, labels, store limits.")
        .source("region_score of GET /pd/api/v1/stores, and GET /pd/api/v1/operators");
    // PD's score climbs when the disk fills, whatever fills it: that is told by `low_disk_space`.
    let most = thresholds.disk_used_warning_ratio;
    let is_full = move |store: &Store| used_ratio(store).is_some_and(|used| used > most);
    imbalance(thresholds, info, signals::REGION_SCORE, "regions", |store| store.region_count, is_full)
}

fn imbalance(
    thresholds: &Thresholds,
    info: InvariantInfo,
    score: &'static str,
    what: &'static str,
    count: fn(&Store) -> Option<u64>,
    is_excused: impl Fn(&Store) -> bool + Send + Sync + 'static,
) -> Rule {
    let (ratio, least) = (thresholds.imbalance_ratio, thresholds.imbalance_least_per_store);
    rule(&[Part::Stores, Part::Signals], thresholds.patient(info), move |sight| {
        compare(sight, score, what, count, &is_excused, ratio, least)
    })
}

fn compare(
    sight: &Sight<'_>,
    score: &'static str,
    what: &'static str,
    count: fn(&Store) -> Option<u64>,
    is_excused: impl Fn(&Store) -> bool,
    ratio: f64,
    least: f64,
) -> Vec<Finding> {
    let (scores, stores) = match (sight.of_stores(score), sight.stores()) {
        (Ok(scores), Ok(stores)) => (scores, stores),
        (Err(reason), _) | (_, Err(reason)) => return unknown(reason),
    };
    if let Some(reason) = pd_is_behind(sight).or_else(|| sight.out_of_date(Part::Stores)) {
        return unknown(reason);
    }
    // Those that are leaving or gone are meant to carry less.
    let mut judged = Vec::new();
    for store in stores.filter(|store| store.state == StoreState::Up) {
        match (scores.get(&store.id).and_then(|value| value.as_finite()), count(store)) {
            (Some(score), Some(count)) => judged.push((store, score, count)),
            _ => return unknown(format!("the {what} of store {} are not known", store.id)),
        }
    }
    let mean = |total: f64| total / judged.len().max(1) as f64;
    let mean_count = mean(judged.iter().map(|(_, _, count)| *count as f64).sum());
    let mean_score = mean(judged.iter().map(|(_, score, _)| *score).sum());
    if mean_count < least {
        return Vec::new();
    }
    judged.retain(|(store, score, _)| *score > mean_score * ratio && !is_excused(store));
    if judged.is_empty() {
        return Vec::new();
    }
    match sight.number(signals::SCHEDULING_OPERATORS) {
        Some(running) if running > 0.0 => return Vec::new(),
        Some(_) => {}
        None => return vec![Finding::unknown(Regarding::Cluster, "whether PD schedules is not known")],
    }
    let found = judged.iter().map(|(store, score, count)| {
        let (times, address) = (score / mean_score, &store.address);
        let message = format!(
            "store {} ({address}): its {what} weigh {times:.1} times the mean ({count}, mean {mean_count:.0}), \
             and PD moves nothing",
            store.id
        );
        Finding::violated(store.id, Severity::Info, message).measured(*score, mean_score * ratio, "score")
    });
    found.collect()
}
