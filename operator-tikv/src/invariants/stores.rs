//! Stores that are gone, or cannot be seen.

use std::sync::Arc;
use std::time::Duration;

use operator_core::{Finding, InvariantInfo, Part, Severity, Store, StoreState, common};

use super::{PD, Rule, Thresholds, rule, unknown};
use crate::signals;

const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn store_down(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("store_down", Severity::Warning, Duration::ZERO)
        .severity(Severity::Critical, MINUTE)
        // PD takes 20 s to notice that it is gone again: one that comes and goes is one violation.
        .keep_firing(MINUTE)
        .description(
            "A store is lost: PD has not heard from it for 20 s and it does not answer itself; or PD alone does not \
             hear from it. Its regions have one replica less. Stores that are being removed count only if they died \
             with regions on them.",
        )
        .look_first("Does its process run? The end of its log (FATAL, panic), its disk, and the way to PD's leader.")
        .source("state_name of GET /pd/api/v1/stores, and GET /status of the store's own status port");
    let invariant = common::store_down(thresholds.patient(info), PD);
    Rule { needs: &[Part::Stores], invariant: Arc::new(invariant) }
}

pub(super) fn store_unobserved(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("store_unobserved", Severity::Warning, MINUTE)
        .keep_firing(MINUTE)
        .description("A store is up and has no metrics: what it suffers from goes unseen.")
        .look_first("Is it a target of Prometheus, and does its status port answer GET /metrics?")
        .source("the metrics of the store, and state_name of GET /pd/api/v1/stores");
    let oldest = thresholds.metrics_age_seconds;
    rule(&[Part::Stores, Part::Metrics], thresholds.patient(info), move |sight| {
        let metrics = match sight.metrics() {
            Ok(metrics) => metrics,
            Err(reason) => return unknown(reason),
        };
        let stores = match sight.stores() {
            Ok(stores) => stores,
            Err(reason) => return unknown(reason),
        };
        if let Some(reason) = sight.out_of_date(Part::Stores) {
            return unknown(reason);
        }
        let lost = sight.of_stores(signals::LOST).unwrap_or_default();
        let judge = |store: &Store| {
            if store.state != StoreState::Up {
                // One that is lost or leaves is none that is up; one that PD does not hear from may be.
                let reason = sight.not_live(store, lost.get(&store.id).copied())?;
                let is_lost = lost.get(&store.id).and_then(|lost| lost.as_bool()) == Some(true);
                return (!is_lost).then(|| Finding::unknown(store.id, reason).explained());
            }
            let of_store = metrics.get(&store.id).filter(|metrics| !super::load::is_empty(metrics));
            let age = of_store.map(|metrics| (sight.observation.at - metrics.at).as_seconds_f64());
            let message = match age {
                None => format!("store {} ({}) is up and has no metrics", store.id, store.address),
                Some(age) if age > oldest => {
                    let message = format!("the newest metrics of store {} are {age:.0} s old", store.id);
                    return Some(
                        Finding::violated(store.id, Severity::Warning, message).measured(age, oldest, "s"),
                    );
                }
                Some(_) => return None,
            };
            Some(Finding::violated(store.id, Severity::Warning, message))
        };
        stores.filter_map(judge).collect()
    })
}
