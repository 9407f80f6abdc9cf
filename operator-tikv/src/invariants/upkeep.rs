//! What people leave behind, and what they should not leave for long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use operator_core::{Finding, InvariantInfo, Part, Severity, StoreState};

use super::behind::pd_is_behind;
use super::{Rule, Thresholds, rule, unknown};
use crate::signals;

pub(super) fn version_mismatch(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("version_mismatch", Severity::Info, Duration::from_secs(900))
        .description(
            "Stores run different versions for longer than an upgrade takes: one was forgotten or failed.",
        )
        .look_first("Which stores still run the older version, and whether the upgrade goes on.")
        .source("version of GET /pd/api/v1/stores");
    rule(&[Part::Stores], thresholds.patient(info), |sight| {
        let stores = match sight.stores() {
            Ok(stores) => stores,
            Err(reason) => return unknown(reason),
        };
        // TiFlash has versions of its own.
        let mut engines: BTreeMap<&str, BTreeMap<&str, Vec<String>>> = BTreeMap::new();
        let mut silent = Vec::new();
        for store in stores {
            let engine = store.labels.get("engine").map_or("tikv", String::as_str);
            match &store.version {
                Some(version) => {
                    engines.entry(engine).or_default().entry(version).or_default().push(store.id.to_string());
                }
                None => {
                    let reason = format!("the version of store {} is not known", store.id);
                    silent.push(Finding::unknown(store.id, reason));
                }
            }
        }
        let mixed: Vec<_> = engines.values().filter(|versions| versions.len() > 1).collect();
        if mixed.is_empty() {
            return silent;
        }
        let described = mixed.iter().flat_map(|versions| versions.iter()).map(|(version, stores)| {
            let shown: Vec<_> = stores.iter().take(5).map(String::as_str).collect();
            let more = if stores.len() > shown.len() { ", …" } else { "" };
            format!("{version} on {} (store {}{more})", stores.len(), shown.join(", "))
        });
        let message =
            format!("the stores run different versions: {}", described.collect::<Vec<_>>().join("; "));
        let versions: BTreeSet<_> = mixed.iter().flat_map(|versions| versions.keys()).collect();
        let found = Finding::violated(operator_core::Regarding::Cluster, Severity::Info, message);
        vec![found.measured(versions.len() as f64, 1.0, "versions")]
    })
}

pub(super) fn clock_skew(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("clock_skew", Severity::Warning, Duration::from_secs(60))
        .keep_firing(Duration::from_secs(60))
        .description(
            "PD's clock, a store's or ours differs from the others: timestamps, leases and the ages that are shown \
             here are wrong by that. Compared only as far as answers give a time away, so that a difference of less \
             than about 1.5 s may go unseen.",
        )
        .look_first("NTP or chrony on the machine whose clock is off: PD's, a store's, and the one this runs on.")
        .source("the Date header of PD's answers, and last_heartbeat of GET /pd/api/v1/stores, against our clock");
    let most = thresholds.clock_skew_seconds;
    rule(&[Part::Signals], thresholds.patient(info), move |sight| {
        let offsets = match sight.signals(signals::CLOCK_OFFSET) {
            Ok(offsets) => offsets,
            Err(reason) => return unknown(reason),
        };
        let mut compared = false;
        let mut findings = Vec::new();
        for signal in offsets {
            let Some(offset) = signal.value.as_finite() else { continue };
            compared = true;
            if offset.abs() > most {
                let way = if offset > 0.0 { "ahead of" } else { "behind" };
                let whose = match &signal.regarding {
                    operator_core::Regarding::Cluster => "PD's clock".to_owned(),
                    other => format!("the clock of {other}"),
                };
                let message = format!("{whose} is at least {:.1} s {way} ours", offset.abs());
                let found = Finding::violated(signal.regarding.clone(), Severity::Warning, message);
                findings.push(found.measured(offset.abs(), most, "s"));
            }
        }
        if compared { findings } else { unknown("no answer gave a time to compare clocks by") }
    })
}

pub(super) fn forgotten(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("forgotten", Severity::Info, Duration::from_secs(3_600))
        .description(
            "Somebody evicts the leaders of a store, or has paused a scheduler or a checker, for longer than \
             maintenance takes.",
        )
        .look_first(
            "Who did it and whether it is still wanted; else remove the scheduler, or resume with delay 0.",
        )
        .source(
            "GET /pd/api/v1/schedulers, /pd/api/v1/schedulers?status=paused, /pd/api/v1/checker/{name}, and \
             /pd/api/v1/scheduler-config/evict-leader-scheduler/list",
        );
    rule(&[Part::Signals], thresholds.patient(info), |sight| {
        let mut findings = Vec::new();
        match sight.signals(signals::EVICT_LEADER) {
            Ok(evicted) => findings.extend(evicted.map(|signal| {
                let message = match &signal.regarding {
                    operator_core::Regarding::Cluster => "leaders are evicted from some store".to_owned(),
                    store => format!("leaders are evicted from {store}"),
                };
                Finding::violated(signal.regarding.clone(), Severity::Info, message)
            })),
            Err(reason) => return unknown(reason),
        }
        let named = |name| {
            let texts = sight.signals(name).into_iter().flatten().filter_map(|signal| signal.value.as_text());
            texts.collect::<Vec<_>>()
        };
        let mut paused = named(signals::PAUSED_SCHEDULER);
        let checkers = named(signals::PAUSED_CHECKER).into_iter().map(|name| format!("the {name} checker"));
        let checkers: Vec<_> = checkers.collect();
        paused.extend(checkers.iter().map(String::as_str));
        let known = [signals::SCHEDULERS_KNOWN, signals::CHECKERS_KNOWN].map(|name| {
            sight.of_cluster(name).ok().flatten().and_then(|value| value.as_bool()) == Some(true)
        });
        if !paused.is_empty() {
            let message = format!("paused: {}", paused.join(", "));
            findings.push(Finding::violated(operator_core::Regarding::Cluster, Severity::Info, message));
        }
        if known != [true, true] {
            findings.extend(unknown("what is paused in PD is not known"));
        } else if let Some(reason) = pd_is_behind(sight) {
            // A PD that has just come to lead starts its schedulers one after the other.
            findings.extend(unknown(reason));
        }
        findings
    })
}

pub(super) fn stuck_offline(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("stuck_offline", Severity::Warning, Duration::from_secs(1_800))
        .keep_firing(Duration::from_secs(300))
        .description("A store is being removed and still has regions, and PD moves none away or cannot say when it will be done.")
        .look_first("May the other stores take the replicas (count, labels, space, limits)? GET /pd/api/v1/operators.")
        .source("GET /pd/api/v1/stores/progress?action=removing, and state_name of GET /pd/api/v1/stores");
    rule(&[Part::Stores, Part::Signals], thresholds.patient(info), |sight| {
        let (stores, speeds, left) = match (
            sight.stores(),
            sight.of_stores(signals::REMOVAL_SPEED),
            sight.of_stores(signals::REMOVAL_SECONDS_LEFT),
        ) {
            (Ok(stores), Ok(speeds), Ok(left)) => (stores, speeds, left),
            (Err(reason), ..) | (_, Err(reason), _) | (_, _, Err(reason)) => return unknown(reason),
        };
        let judge = |store: &operator_core::Store| {
            let (id, address) = (store.id, &store.address);
            if store.state != StoreState::Offline || store.region_count == Some(0) {
                return None;
            }
            let speed = speeds.get(&id).and_then(|value| value.as_finite());
            let message = match (store.region_count, speed) {
                (Some(count), Some(0.0)) => {
                    format!("store {id} ({address}) is being removed, has {count} regions, and none moves")
                }
                (Some(count), Some(_)) if left.get(&id).and_then(|value| value.as_finite()).is_none() => {
                    format!(
                        "store {id} ({address}) is being removed, has {count} regions, and PD cannot say how long"
                    )
                }
                (Some(_), Some(_)) => return None,
                _ => {
                    let reason = format!("how the removal of store {id} goes is not known");
                    return Some(Finding::unknown(id, reason));
                }
            };
            let found = Finding::violated(id, Severity::Warning, message);
            Some(found.measured(speed.unwrap_or_default(), 0.0, "MiB/s"))
        };
        stores.filter_map(judge).collect()
    })
}
