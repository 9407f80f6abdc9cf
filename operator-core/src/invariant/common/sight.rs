//! What an observation shows of each thing, and why it does not show the rest.
//!
//! Reasons are worded in one place, so that the same cause has the same words in every invariant.

use std::collections::HashMap;

use super::LOST;
use crate::{
    Finding, Observation, Part, Regarding, RegionHealth, Signal, SignalValue, Store, StoreId, StoreMetrics,
    StoreState, TrustCode,
};

/// An observation, as invariants look at it.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// What was observed.
    pub observation: &'a Observation,
    /// What the messages call that which knows the stores: `PD`.
    pub control_plane: &'a str,
}

/// Why something cannot be told.
pub type Unseen = String;

impl<'a> Sight<'a> {
    /// Of a subject whose stores are known by `control_plane`.
    pub fn of(observation: &'a Observation, control_plane: &'a str) -> Self {
        Self { observation, control_plane }
    }

    /// The stores that have not been removed.
    pub fn stores(&self) -> Result<impl Iterator<Item = &'a Store> + Clone + use<'a>, Unseen> {
        let stores = self.observation.stores.as_deref().ok_or_else(|| self.missing(Part::Stores))?;
        Ok(stores.iter().filter(|store| store.state != StoreState::Tombstone))
    }

    /// The metrics of each store that has some.
    pub fn metrics(&self) -> Result<HashMap<StoreId, &'a StoreMetrics>, Unseen> {
        let metrics = self.observation.metrics.as_deref().ok_or_else(|| self.missing(Part::Metrics))?;
        Ok(metrics.iter().map(|metrics| (metrics.store_id, metrics)).collect())
    }

    /// How many regions are not as they should be.
    pub fn region_health(&self) -> Result<&'a RegionHealth, Unseen> {
        let cluster = self.observation.cluster.as_ref();
        cluster
            .and_then(|cluster| cluster.region_health.as_ref())
            .ok_or_else(|| self.missing(Part::RegionHealth))
    }

    /// The signals of one name, by their stores.
    pub fn of_stores(&self, name: &'static str) -> Result<HashMap<StoreId, &'a SignalValue>, Unseen> {
        let of_store = |signal: &'a Signal| match signal.regarding {
            Regarding::Store(id) => Some((id, &signal.value)),
            _ => None,
        };
        Ok(self.signals(name)?.filter_map(of_store).collect())
    }

    /// A number that is known of the whole cluster; `None` if it is not.
    pub fn number(&self, name: &'static str) -> Option<f64> {
        self.of_cluster(name).ok().flatten().and_then(SignalValue::as_finite)
    }

    /// The value of a signal of the whole cluster; `None` if there is none.
    pub fn of_cluster(&self, name: &'static str) -> Result<Option<&'a SignalValue>, Unseen> {
        let mut about = self.signals(name)?;
        Ok(about.find(|signal| signal.regarding == Regarding::Cluster).map(|signal| &signal.value))
    }

    /// The signals of one name.
    pub fn signals(&self, name: &'static str) -> Result<impl Iterator<Item = &'a Signal> + use<'a>, Unseen> {
        let signals = self.observation.signals.as_deref().ok_or_else(|| self.missing(Part::Signals))?;
        Ok(signals.iter().filter(move |signal| signal.name == name))
    }

    /// Why a part is not there.
    pub fn missing(&self, part: Part) -> Unseen {
        let mut errors = self.observation.errors.iter();
        match errors.find(|error| error.part == part) {
            Some(error) => error.message.clone(),
            None => format!("the {} were not observed", part.as_str().replace('_', " ")),
        }
    }

    /// Why the newest data of this part is not the present, if that is so.
    pub fn out_of_date(&self, part: Part) -> Option<Unseen> {
        let mut reasons = self.observation.trust.reasons.iter();
        let reason = reasons.find(|reason| reason.code == TrustCode::OutOfDate && reason.part == Some(part));
        reason.map(|_| match part {
            Part::Stores => {
                format!("what {} says of the stores is out of date, or clocks differ", self.control_plane)
            }
            _ => format!("the {} are out of date", part.as_str().replace('_', " ")),
        })
    }

    /// Tells of each store that lives what `judge` says, and of the others why nothing can be told.
    pub fn each_live_store(&self, judge: impl Fn(&'a Store) -> Option<Finding>) -> Vec<Finding> {
        let stores = match self.stores() {
            Ok(stores) => stores,
            Err(reason) => return vec![Finding::unknown(Regarding::Cluster, reason)],
        };
        if let Some(reason) = self.out_of_date(Part::Stores) {
            return vec![Finding::unknown(Regarding::Cluster, reason)];
        }
        // Without signals the control plane's word has to do.
        let lost = self.of_stores(LOST).unwrap_or_default();
        let findings = stores.filter_map(|store| match self.not_live(store, lost.get(&store.id).copied()) {
            // `store_down` tells why.
            Some(reason) => Some(Finding::unknown(store.id, reason).explained()),
            None => judge(store),
        });
        findings.collect()
    }

    /// Why nothing can be known of the store but that it is not there, if that is so.
    pub fn not_live(&self, store: &Store, lost: Option<&SignalValue>) -> Option<Unseen> {
        let id = store.id;
        match (store.state, lost.and_then(SignalValue::as_bool)) {
            (_, Some(true)) => Some(format!("store {id} is lost")),
            (StoreState::Up | StoreState::Offline, _) => None,
            _ => Some(format!("{} does not hear from store {id}", self.control_plane)),
        }
    }
}
