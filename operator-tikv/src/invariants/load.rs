//! Stores that live and suffer.

use std::sync::Arc;
use std::time::Duration;

use operator_core::common::{self, DiskLimits};
use operator_core::{Finding, InvariantInfo, Part, Severity, StoreMetrics, StoreState};

use super::behind::pd_is_behind;
use super::{PD, Rule, Thresholds, rule, unknown};
use crate::signals;

const MINUTE: Duration = Duration::from_secs(60);

/// Whether there is nothing in it.
pub(super) fn is_empty(metrics: &StoreMetrics) -> bool {
    metrics.qps.is_none()
        && metrics.latency_p99.is_none()
        && metrics.disk_used_bytes.is_none()
        && metrics.disk_available_bytes.is_none()
        && metrics.disk_capacity_bytes.is_none()
        && metrics.cpu_cores.is_none()
        && metrics.memory_bytes.is_none()
}

pub(super) fn high_latency(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("high_latency", Severity::Warning, MINUTE)
        .keep_firing(MINUTE)
        .description("Of 100 requests to a store one takes longer than 100 ms.")
        .look_first("Its disk (raftstore append and apply), its CPU, hot regions on it, and other stores it waits for.")
        .source("tikv_grpc_msg_duration_seconds_bucket without kv_gc, over a minute");
    let (most, oldest) = (thresholds.latency_p99_seconds, thresholds.metrics_age_seconds);
    rule(&[Part::Stores, Part::Metrics], thresholds.patient(info), move |sight| {
        let metrics = match sight.metrics() {
            Ok(metrics) => metrics,
            Err(reason) => return unknown(reason),
        };
        sight.each_live_store(|store| {
            let fresh =
                |metrics: &&&StoreMetrics| (sight.observation.at - metrics.at).as_seconds_f64() <= oldest;
            let Some(metrics) = metrics.get(&store.id).filter(fresh) else {
                return Some(Finding::unknown(store.id, format!("store {} has no metrics", store.id)));
            };
            match metrics.latency_p99.map(|p99| p99.as_secs_f64()) {
                // Nobody asked it anything.
                None if metrics.qps == Some(0.0) => None,
                None => Some(Finding::unknown(
                    store.id,
                    format!("the latency of store {} is not known", store.id),
                )),
                Some(p99) if p99 > most => {
                    let message =
                        format!("store {} ({}): p99 is {:.0} ms", store.id, store.address, p99 * 1e3);
                    Some(Finding::violated(store.id, Severity::Warning, message).measured(p99, most, "s"))
                }
                Some(_) => None,
            }
        })
    })
}

pub(super) fn low_disk_space(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("low_disk_space", Severity::Warning, Duration::ZERO)
        .severity(Severity::Critical, Duration::ZERO)
        .keep_firing(MINUTE)
        .description(
            "More of a store's capacity is taken than should be, by its data or by anything else on the disk. From \
             80 % on PD moves no more regions to it; a full disk stops it.",
        )
        .look_first("Whether all stores fill (add one, or delete data) or one alone (other files, a lower capacity).")
        .source("capacity, available and used_size of GET /pd/api/v1/stores, or else tikv_store_size_bytes");
    let limits = DiskLimits {
        warning_ratio: thresholds.disk_used_warning_ratio,
        critical_ratio: thresholds.disk_used_critical_ratio,
    };
    let invariant = common::low_disk_space(thresholds.patient(info), limits, PD);
    Rule { needs: &[Part::Stores], invariant: Arc::new(invariant) }
}

pub(super) fn store_busy(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("store_busy", Severity::Warning, MINUTE)
        .keep_firing(MINUTE)
        .description("A store has too much to do: it says that it is busy, its channels are full, or its writes stall.")
        .look_first("Hot regions on it, its disk and its pending compactions; then whether all stores are as busy.")
        .source(
            "is_busy of GET /pd/api/v1/stores, and where there are metrics tikv_scheduler_too_busy_total, \
             tikv_channel_full_total, tikv_engine_write_stall",
        );
    let most = thresholds.busy_per_second;
    rule(&[Part::Stores, Part::Signals], thresholds.patient(info), move |sight| {
        let said = match sight.of_stores(signals::BUSY) {
            Ok(said) => said,
            Err(reason) => return unknown(reason),
        };
        let measures = [
            (signals::SERVER_IS_BUSY, "refuses requests as too busy", "/s", most),
            (signals::CHANNEL_FULL, "has full channels", "/s", most),
            (signals::WRITE_STALL, "stalls writes", "us", 0.0),
        ]
        .map(|(name, what, unit, most)| (sight.of_stores(name).unwrap_or_default(), what, unit, most));
        sight.each_live_store(|store| {
            let (id, address) = (store.id, &store.address);
            let mut known = false;
            for (measured, what, unit, most) in &measures {
                let Some(value) = measured.get(&id).and_then(|value| value.as_finite()) else { continue };
                known = true;
                if value > *most {
                    let finding =
                        Finding::violated(id, Severity::Warning, format!("store {id} ({address}) {what}"));
                    return Some(finding.measured(value, *most, *unit));
                }
            }
            match said.get(&id).and_then(|said| said.as_bool()) {
                Some(true) => {
                    let message = format!("store {id} ({address}) says that it is busy");
                    Some(Finding::violated(id, Severity::Warning, message))
                }
                Some(false) => None,
                None if known => None,
                None => Some(Finding::unknown(id, format!("whether store {id} is busy is not known"))),
            }
        })
    })
}

pub(super) fn store_slow(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("store_slow", Severity::Warning, MINUTE)
        .keep_firing(MINUTE)
        .description("A store finds itself slow: its disk answers late. PD takes 80 of 100 for slow and may evict its leaders.")
        .look_first("Its disk: latency, errors, other users of it. Then the network between the stores.")
        .source("slow_score of GET /pd/api/v1/stores");
    let least = thresholds.slow_score;
    rule(&[Part::Stores, Part::Signals], thresholds.patient(info), move |sight| {
        let scores = match sight.of_stores(signals::SLOW_SCORE) {
            Ok(scores) => scores,
            Err(reason) => return unknown(reason),
        };
        // Versions before 5.2 have no score.
        let kept = !scores.is_empty() || pd_is_behind(sight).is_some();
        sight.each_live_store(|store| match scores.get(&store.id).and_then(|value| value.as_finite()) {
            Some(score) if score >= least => {
                let message = format!("store {} ({}): its slow score is {score}", store.id, store.address);
                Some(Finding::violated(store.id, Severity::Warning, message).measured(score, least, "score"))
            }
            None if kept && store.state == StoreState::Up => {
                Some(Finding::unknown(store.id, format!("the slow score of store {} is not known", store.id)))
            }
            _ => None,
        })
    })
}
