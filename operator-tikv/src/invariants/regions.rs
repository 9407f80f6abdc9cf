//! Regions that are not as they should be.

use std::time::Duration;

use operator_core::{
    Finding, InvariantInfo, Part, Regarding, RegionHealth, RegionProblem, Severity, StoreState,
};

use super::behind::pd_is_behind;
use super::{Rule, Thresholds, rule, unknown};
use crate::signals;
use operator_core::common::{Sight, Unseen};

const MINUTE: Duration = Duration::from_secs(60);
const TEN_MINUTES: Duration = Duration::from_secs(600);
const HALF_A_MINUTE: Duration = Duration::from_secs(30);

/// How many regions a message names.
const NAMED: usize = 5;

/// What PD counts itself, one invariant a problem.
pub(super) fn counted_by_pd(thresholds: &Thresholds) -> Vec<Rule> {
    let kinds = [
        (
            RegionProblem::MissPeer,
            TEN_MINUTES,
            "Regions have fewer replicas than the rules ask for. A cluster that has always had fewer stores than \
             replicas is not meant.",
            "Is a store down, or is there no store left that may take a replica (labels, space, limits)?",
        ),
        (
            RegionProblem::DownPeer,
            MINUTE,
            "Regions have a replica that their leader has not heard from for ten minutes.",
            "The store of the replica: is it down, or cut off from the others?",
        ),
        (
            RegionProblem::PendingPeer,
            TEN_MINUTES,
            "Regions have a replica that lags far behind its leader: one more failure may cost the quorum.",
            "The store of the replica: its disk, its CPU, snapshots on their way to it.",
        ),
        (
            RegionProblem::OfflinePeer,
            TEN_MINUTES,
            "Regions have a replica on a store that is being removed.",
            "GET /pd/api/v1/stores/progress?action=removing, and whether the other stores may take the replicas.",
        ),
        (
            RegionProblem::ExtraPeer,
            TEN_MINUTES,
            "Regions have more replicas than the rules ask for.",
            "GET /pd/api/v1/operators, and whether a scheduler or checker is paused.",
        ),
        (
            RegionProblem::LearnerPeer,
            TEN_MINUTES,
            "Regions have a replica that does not vote: it was added and never promoted. Not judged in clusters with \
             TiFlash, whose replicas are learners on purpose.",
            "GET /pd/api/v1/operators: does the move that added it still run?",
        ),
    ];
    let counted = kinds.map(|(problem, grace, description, look_first)| {
        let info = InvariantInfo::new(problem.as_str(), Severity::Warning, grace)
            .keep_firing(MINUTE)
            .description(description)
            .look_first(look_first)
            .source("pd_regions_status of GET /metrics of PD's leader; GET /pd/api/v1/regions/check/…");
        rule(&[Part::RegionHealth], thresholds.patient(info), move |sight| count_of(sight, problem))
    });
    counted.into()
}

fn count_of(sight: &Sight<'_>, problem: RegionProblem) -> Vec<Finding> {
    let health = match sight.region_health() {
        Ok(health) => health,
        Err(reason) => return unknown(reason),
    };
    match health.count(problem) {
        Some(0) => sight.out_of_date(Part::Stores).map(unknown).unwrap_or_default(),
        Some(count) => match is_on_purpose(sight, problem) {
            Ok(true) => Vec::new(),
            Ok(false) => vec![found(health, problem, count, Severity::Warning, "")],
            Err(reason) => unknown(reason),
        },
        None => vec![uncounted(sight, health)],
    }
}

/// Why PD has no count.
fn uncounted(sight: &Sight<'_>, health: &RegionHealth) -> Finding {
    let cannot_tell = |reason: Unseen| Finding::unknown(Regarding::Cluster, reason);
    if let Some(reason) = pd_is_behind(sight) {
        return cannot_tell(reason);
    }
    if health.quorum_lost.is_some_and(|count| count > 0) {
        let reason = "regions without a quorum report to nobody: PD's counts say nothing";
        return cannot_tell(reason.to_owned()).explained();
    }
    cannot_tell("what PD counts of the regions is not known".to_owned())
}

/// Whether the cluster is meant to be so.
fn is_on_purpose(sight: &Sight<'_>, problem: RegionProblem) -> Result<bool, Unseen> {
    match problem {
        RegionProblem::MissPeer => {
            let Some(replicas) = sight.number(signals::MAX_REPLICAS) else { return Ok(false) };
            let stores = sight.stores()?.count();
            if stores as f64 >= replicas {
                return Ok(false);
            }
            // Fewer stores than replicas: from birth, unless some have been removed.
            match sight.number(signals::REMOVED_STORES) {
                Some(removed) => Ok(removed == 0.0),
                None => Err("whether stores have been removed is not known".to_owned()),
            }
        }
        RegionProblem::LearnerPeer => {
            let is_tiflash = |value: &String| value.starts_with("tiflash");
            Ok(sight.stores()?.any(|store| store.labels.get("engine").is_some_and(is_tiflash)))
        }
        _ => Ok(false),
    }
}

fn found(
    health: &RegionHealth,
    problem: RegionProblem,
    count: u64,
    severity: Severity,
    what: &str,
) -> Finding {
    let sample = health.sample.get(&problem).map(Vec::as_slice).unwrap_or_default();
    let mut named: Vec<_> = sample.iter().take(NAMED).map(ToString::to_string).collect();
    let regions = if count == 1 { "region" } else { "regions" };
    let mut message = format!("{count} {regions}: {problem}{what}");
    if !named.is_empty() {
        if count > named.len() as u64 {
            named.push("…".to_owned());
        }
        message.push_str(&format!(" ({})", named.join(", ")));
    }
    Finding::violated(Regarding::Cluster, severity, message).measured(count as f64, 0.0, "regions")
}

pub(super) fn no_leader(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("no_leader", Severity::Critical, HALF_A_MINUTE)
        .keep_firing(HALF_A_MINUTE)
        .description(
            "Regions have no leader, or one on a store that is lost: what they hold can be neither read nor written.",
        )
        .look_first("Which stores are lost, and whether the regions have a quorum without them; then the stores' logs.")
        .source(
            "each region's leader in GET /pd/api/v1/regions/key and the stores that are lost; where there are metrics \
             tikv_raftstore_leader_missing, which counts after ten minutes",
        );
    rule(&[Part::RegionHealth], thresholds.patient(info), |sight| {
        let missing = sight.of_stores(signals::LEADER_MISSING).unwrap_or_default();
        let most_missing = missing.values().filter_map(|value| value.as_finite()).fold(0.0, f64::max);
        let by_stores = || {
            let message = format!("a store counts {most_missing} regions whose leader it misses");
            let finding = Finding::violated(Regarding::Cluster, Severity::Critical, message);
            vec![finding.measured(most_missing, 0.0, "regions")]
        };
        let health = match sight.region_health() {
            Ok(health) => health,
            Err(_) if most_missing > 0.0 => return by_stores(),
            Err(reason) => return unknown(reason),
        };
        match health.no_leader {
            Some(count) if count > 0 => {
                let what = ": nobody can read or write them";
                vec![found(health, RegionProblem::NoLeader, count, Severity::Critical, what)]
            }
            _ if most_missing > 0.0 => by_stores(),
            Some(_) => sight.out_of_date(Part::Stores).map(unknown).unwrap_or_default(),
            None => unknown(pd_is_behind(sight).unwrap_or_else(unsure)),
        }
    })
}

fn unsure() -> Unseen {
    "whether stores that do not answer here are lost is not known".to_owned()
}

pub(super) fn quorum_lost(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("quorum_lost", Severity::Critical, Duration::from_secs(10))
        .keep_firing(HALF_A_MINUTE)
        .description(
            "Regions have the majority of their voters on stores that are lost. They come back only with one of those \
             stores. PD does not see it and goes on showing leaders.",
        )
        .look_first("Bring one of the lost stores back. Only if none can be: unsafe recovery, which loses data.")
        .source(
            "the voters in GET /pd/api/v1/regions/key, GET /status of the status ports of stores in doubt, and \
             GET /region/{id} of those that are left",
        );
    rule(&[Part::RegionHealth], thresholds.patient(info), |sight| {
        let health = match sight.region_health() {
            Ok(health) => health,
            Err(reason) => return unknown(reason),
        };
        match health.quorum_lost {
            None => unknown(unsure()),
            // Stores that are called `Up` by a PD that shows the past may be lost by now.
            Some(0) => sight.out_of_date(Part::Stores).map(unknown).unwrap_or_default(),
            Some(count) => {
                let lost = lost_stores(sight);
                let what = if lost.is_empty() { String::new() } else { format!(" with {}", lost.join(", ")) };
                vec![found(health, RegionProblem::QuorumLost, count, Severity::Critical, &what)]
            }
        }
    })
}

/// The lost stores, a few of them by name.
fn lost_stores(sight: &Sight<'_>) -> Vec<String> {
    let lost = sight.of_stores(signals::LOST).unwrap_or_default();
    let is_lost = |id| lost.get(&id).is_some_and(|lost| lost.as_bool() == Some(true));
    let Ok(stores) = sight.stores() else { return Vec::new() };
    let mut named: Vec<_> = stores
        .filter(|store| store.state != StoreState::Up && is_lost(store.id))
        .take(NAMED + 1)
        .map(|store| format!("store {} ({})", store.id, store.address))
        .collect();
    if named.len() > NAMED {
        named.truncate(NAMED);
        named.push("…".to_owned());
    }
    named
}
