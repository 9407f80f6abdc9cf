//! Stores that are gone, and stores that fill.

use super::{LOST, Sight};
use crate::invariant::invariant_fn;
use crate::{Finding, Invariant, InvariantInfo, Part, Regarding, Severity, Store, StoreMetrics, StoreState};

/// Violated by a store that is [`LOST`], or that the control plane does not hear from and calls so. One that is being
/// removed counts only if it died with regions on it.
pub fn store_down(info: InvariantInfo, control_plane: &'static str) -> impl Invariant {
    invariant_fn(info, move |observation| {
        let sight = Sight::of(observation, control_plane);
        let stores = match sight.stores() {
            Ok(stores) => stores,
            Err(reason) => return vec![Finding::unknown(Regarding::Cluster, reason)],
        };
        let lost = sight.of_stores(LOST).unwrap_or_default();
        let judge = |store: &Store| {
            is_down(store, lost.get(&store.id).and_then(|lost| lost.as_bool()), control_plane)
        };
        let mut findings: Vec<_> = stores.filter_map(judge).collect();
        if let Some(reason) = sight.out_of_date(Part::Stores) {
            // Who is called `Up` may be down by now.
            findings.push(Finding::unknown(Regarding::Cluster, reason));
        }
        findings
    })
}

fn is_down(store: &Store, lost: Option<bool>, control_plane: &str) -> Option<Finding> {
    let (id, state) = (store.id, store.state);
    let found = |severity, what: &str| {
        let message = format!("store {id} ({}) {what}; {control_plane} calls it {state}", store.address);
        Some(Finding::violated(id, severity, message))
    };
    match (state, lost) {
        (StoreState::Up | StoreState::Tombstone, _) => None,
        (StoreState::Offline, Some(true)) if store.region_count != Some(0) => {
            found(Severity::Warning, "is being removed and died with regions on it")
        }
        (StoreState::Offline, _) => None,
        // It has been gone for as long as the control plane waits for it.
        (StoreState::Down, Some(true)) => found(Severity::Critical, "is lost").map(Finding::settled),
        (_, Some(true)) => found(Severity::Critical, "is lost: it does not answer"),
        (StoreState::Down, None) if is_heard(store) => {
            found(Severity::Critical, "has not been heard for long").map(Finding::settled)
        }
        (StoreState::Disconnected, Some(false)) if is_heard(store) => {
            found(Severity::Warning, &format!("answers here, but {control_plane} no longer hears from it"))
        }
        (StoreState::Disconnected, None) if is_heard(store) => {
            found(Severity::Warning, &format!("is no longer heard by {control_plane}"))
        }
        // The control plane has not heard from it yet, and it lives.
        (_, Some(false)) => None,
        (_, None) => Some(Finding::unknown(
            id,
            format!(
                "store {id} could not be asked, and {control_plane}'s leader has not heard from it since it leads"
            ),
        )),
    }
}

/// Whether the control plane's leader has heard from the store since it leads: only then it knows its size.
fn is_heard(store: &Store) -> bool {
    store.capacity_bytes.is_some()
}

/// How much of a store's capacity may be taken, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiskLimits {
    /// More is a warning.
    pub warning_ratio: f64,
    /// More is critical.
    pub critical_ratio: f64,
}

impl Default for DiskLimits {
    fn default() -> Self {
        Self { warning_ratio: 0.7, critical_ratio: 0.85 }
    }
}

/// Violated by a store of whose capacity more is taken than `limits` say, by its data or by anything else.
pub fn low_disk_space(
    info: InvariantInfo,
    limits: DiskLimits,
    control_plane: &'static str,
) -> impl Invariant {
    invariant_fn(info, move |observation| {
        let sight = Sight::of(observation, control_plane);
        let metrics = sight.metrics().unwrap_or_default();
        sight.each_live_store(|store| {
            let Some(used) = used_ratio(store).or_else(|| used_ratio_measured(metrics.get(&store.id)?))
            else {
                let reason = format!("how full store {} is is not known", store.id);
                return Some(Finding::unknown(store.id, reason));
            };
            let (severity, threshold) = match used {
                used if used > limits.critical_ratio => (Severity::Critical, limits.critical_ratio),
                used if used > limits.warning_ratio => (Severity::Warning, limits.warning_ratio),
                _ => return None,
            };
            let message =
                format!("store {} ({}): {:.0} % of its disk is taken", store.id, store.address, used * 100.0);
            Some(Finding::violated(store.id, severity, message).measured(used, threshold, "ratio"))
        })
    })
}

/// How much of a store's capacity is taken, from 0 to 1, by its data or by anything else; `None` if that is not known.
pub fn used_ratio(store: &Store) -> Option<f64> {
    taken(store.capacity_bytes, store.available_bytes, store.used_bytes)
}

fn used_ratio_measured(metrics: &StoreMetrics) -> Option<f64> {
    taken(metrics.disk_capacity_bytes, metrics.disk_available_bytes, metrics.disk_used_bytes)
}

/// What is not available is taken, by whomever; if that is not known, what the data takes.
fn taken(capacity: Option<u64>, available: Option<u64>, used: Option<u64>) -> Option<f64> {
    let capacity = capacity.filter(|capacity| *capacity > 0)?;
    // More room than there is room for is nonsense, and no reason to call a disk empty.
    let taken = available.and_then(|available| capacity.checked_sub(available)).max(used)?;
    Some(taken as f64 / capacity as f64)
}
