//! What an observation shows of each thing, and why it does not show the rest.
//!
//! Reasons are worded in one place, so that the same cause has the same words in every invariant.

use std::collections::HashMap;

use operator_core::{
    Finding, Observation, Part, Regarding, RegionHealth, Signal, SignalValue, Store, StoreId, StoreMetrics,
    StoreState, TrustCode,
};

use crate::signals;

/// An observation, as invariants look at it.
pub(super) struct Sight<'a> {
    pub(super) observation: &'a Observation,
}

/// Why something cannot be told.
pub(super) type Unseen = String;

impl<'a> Sight<'a> {
    pub(super) fn of(observation: &'a Observation) -> Self {
        Self { observation }
    }

    /// The stores that have not been removed.
    pub(super) fn stores(&self) -> Result<impl Iterator<Item = &'a Store> + Clone + use<'a>, Unseen> {
        let stores = self.observation.stores.as_deref().ok_or_else(|| self.missing(Part::Stores))?;
        Ok(stores.iter().filter(|store| store.state != StoreState::Tombstone))
    }

    pub(super) fn metrics(&self) -> Result<HashMap<StoreId, &'a StoreMetrics>, Unseen> {
        let metrics = self.observation.metrics.as_deref().ok_or_else(|| self.missing(Part::Metrics))?;
        Ok(metrics.iter().map(|metrics| (metrics.store_id, metrics)).collect())
    }

    pub(super) fn region_health(&self) -> Result<&'a RegionHealth, Unseen> {
        let cluster = self.observation.cluster.as_ref();
        cluster
            .and_then(|cluster| cluster.region_health.as_ref())
            .ok_or_else(|| self.missing(Part::RegionHealth))
    }

    /// The signals of one name, by their stores.
    pub(super) fn of_stores(&self, name: &'static str) -> Result<HashMap<StoreId, &'a SignalValue>, Unseen> {
        let of_store = |signal: &'a Signal| match signal.regarding {
            Regarding::Store(id) => Some((id, &signal.value)),
            _ => None,
        };
        Ok(self.signals(name)?.filter_map(of_store).collect())
    }

    /// A number that is known of the whole cluster; `None` if it is not.
    pub(super) fn number(&self, name: &'static str) -> Option<f64> {
        self.of_cluster(name).ok().flatten().and_then(|value| number(&value))
    }

    /// The value of a signal of the whole cluster; `None` if there is none.
    pub(super) fn of_cluster(&self, name: &'static str) -> Result<Option<&'a SignalValue>, Unseen> {
        let mut about = self.signals(name)?;
        Ok(about.find(|signal| signal.regarding == Regarding::Cluster).map(|signal| &signal.value))
    }

    /// The signals of one name.
    pub(super) fn signals(
        &self,
        name: &'static str,
    ) -> Result<impl Iterator<Item = &'a Signal> + use<'a>, Unseen> {
        let signals = self.observation.signals.as_deref().ok_or_else(|| self.missing(Part::Signals))?;
        Ok(signals.iter().filter(move |signal| signal.name == name))
    }

    /// Why a part is not there.
    pub(super) fn missing(&self, part: Part) -> Unseen {
        let mut errors = self.observation.errors.iter();
        match errors.find(|error| error.part == part) {
            Some(error) => error.message.clone(),
            None => format!("the {} were not observed", part.as_str().replace('_', " ")),
        }
    }

    /// Why what PD counts or orders cannot be believed, if that is so.
    pub(super) fn pd_is_behind(&self) -> Option<Unseen> {
        let trusted = self.observation.trust.reasons.iter().all(|reason| reason.code != TrustCode::WarmingUp);
        let signal = self.of_cluster(signals::PD_WARMING_UP).ok().flatten().and_then(SignalValue::as_bool);
        (!trusted || signal == Some(true))
            .then(|| "PD warms up: it has not heard from everybody yet".to_owned())
    }

    /// Why the newest data of this part is not the present, if that is so.
    pub(super) fn out_of_date(&self, part: Part) -> Option<Unseen> {
        let mut reasons = self.observation.trust.reasons.iter();
        let reason = reasons.find(|reason| reason.code == TrustCode::OutOfDate && reason.part == Some(part));
        reason.map(|_| match part {
            Part::Stores => "what PD says of the stores is out of date, or clocks differ".to_owned(),
            _ => format!("the {} are out of date", part.as_str().replace('_', " ")),
        })
    }

    /// Tells of each store that lives what `judge` says, and of the others why nothing can be told.
    pub(super) fn each_live_store(&self, judge: impl Fn(&'a Store) -> Option<Finding>) -> Vec<Finding> {
        let stores = match self.stores() {
            Ok(stores) => stores,
            Err(reason) => return vec![Finding::unknown(Regarding::Cluster, reason)],
        };
        if let Some(reason) = self.out_of_date(Part::Stores) {
            return vec![Finding::unknown(Regarding::Cluster, reason)];
        }
        // Without signals PD's word has to do.
        let lost = self.of_stores(signals::LOST).unwrap_or_default();
        let findings = stores.filter_map(|store| match not_live(store, lost.get(&store.id).copied()) {
            // `store_down` tells why.
            Some(reason) => Some(Finding::unknown(store.id, reason).explained()),
            None => judge(store),
        });
        findings.collect()
    }
}

/// Whether this leader of PD has heard from the store since it leads.
pub(super) fn is_heard(store: &Store) -> bool {
    store.capacity_bytes.is_some()
}

/// Why nothing can be known of the store but that it is not there, if that is so.
pub(super) fn not_live(store: &Store, lost: Option<&SignalValue>) -> Option<Unseen> {
    let id = store.id;
    match (store.state, lost.and_then(SignalValue::as_bool)) {
        (_, Some(true)) => Some(format!("store {id} is lost")),
        (StoreState::Up | StoreState::Offline, _) => None,
        _ => Some(format!("PD does not hear from store {id}")),
    }
}

/// The number, if it is one that can be compared.
pub(super) fn number(value: &&SignalValue) -> Option<f64> {
    value.as_number().filter(|number| number.is_finite())
}
