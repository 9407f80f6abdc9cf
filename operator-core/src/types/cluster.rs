//! The subject as a whole, in numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{RegionHealth, Store, StoreId, StoreMetrics, StoreState};

/// The subject as a whole, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClusterMetrics {
    /// How many stores there are, removed ones apart.
    pub store_count: Option<u64>,
    /// How many are in each state; states without any are left out.
    pub stores_by_state: BTreeMap<StoreState, u64>,
    /// How many regions there are.
    pub region_count: Option<u64>,
    /// How many regions each store leads, as far as known.
    pub leader_count: BTreeMap<StoreId, u64>,
    /// How many regions are not as they should be; `null` if that was not, or could not be, observed.
    pub region_health: Option<RegionHealth>,
    /// What the data takes on all stores together, in bytes. This and the next two are sums of what was measured in the
    /// same observation, not of what the control plane says; `null` unless it was measured of every store.
    pub disk_used_bytes: Option<u64>,
    /// What is free on all stores together, in bytes.
    pub disk_available_bytes: Option<u64>,
    /// Size of all stores' disks or quotas together, in bytes.
    pub disk_capacity_bytes: Option<u64>,
}

impl ClusterMetrics {
    /// What follows from the stores alone.
    pub fn from_stores(stores: &[Store]) -> Self {
        let mut metrics = Self { store_count: Some(0), ..Self::default() };
        for store in stores {
            *metrics.stores_by_state.entry(store.state).or_default() += 1;
            if store.state != StoreState::Tombstone {
                metrics.store_count = metrics.store_count.map(|count| count + 1);
                if let Some(count) = store.leader_count {
                    metrics.leader_count.insert(store.id, count);
                }
            }
        }
        metrics
    }

    /// Adds up the disks of `stores`, removed ones apart. One that was not measured leaves the sum unknown.
    pub fn add_up_disks(&mut self, stores: &[Store], metrics: &[StoreMetrics]) {
        let of: BTreeMap<_, _> = metrics.iter().map(|metrics| (metrics.store_id, metrics)).collect();
        let sum = |bytes: fn(&StoreMetrics) -> Option<u64>| {
            let mut here = stores.iter().filter(|store| store.state != StoreState::Tombstone);
            here.try_fold(0_u64, |sum, store| {
                of.get(&store.id).and_then(|known| bytes(known))?.checked_add(sum)
            })
        };
        self.disk_used_bytes = sum(|metrics| metrics.disk_used_bytes);
        self.disk_available_bytes = sum(|metrics| metrics.disk_available_bytes);
        self.disk_capacity_bytes = sum(|metrics| metrics.disk_capacity_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_stores_do_not_count_and_unknown_leaders_are_not_zero() {
        let mut up = Store::new(1.into(), "a:1", StoreState::Up);
        up.leader_count = Some(7);
        let silent = Store::new(2.into(), "b:1", StoreState::Disconnected);
        let gone = Store::new(3.into(), "c:1", StoreState::Tombstone);
        let metrics = ClusterMetrics::from_stores(&[up, silent, gone]);
        assert_eq!(metrics.store_count, Some(2));
        let json = serde_json::to_value(&metrics).unwrap();
        assert_eq!(json["leader_count"], serde_json::json!({"1": 7}));
        assert_eq!(json["stores_by_state"], serde_json::json!({"Up": 1, "Disconnected": 1, "Tombstone": 1}));
        assert_eq!(serde_json::from_value::<ClusterMetrics>(json).unwrap(), metrics);
    }

    #[test]
    fn disks_add_up_only_if_every_store_was_measured() {
        let store = |id: u64, state| Store::new(id.into(), "a:1", state);
        let mut stores =
            vec![store(1, StoreState::Up), store(2, StoreState::Down), store(3, StoreState::Tombstone)];
        let measured = |id: u64, used| {
            let mut metrics = StoreMetrics::new(id.into(), chrono::DateTime::UNIX_EPOCH);
            metrics.disk_used_bytes = Some(used);
            metrics
        };
        let mut metrics = vec![measured(1, 394_059_848), measured(2, 1)];
        metrics[0].disk_capacity_bytes = Some(u64::MAX);
        let mut cluster = ClusterMetrics::from_stores(&stores);
        cluster.add_up_disks(&stores, &metrics);
        assert_eq!((cluster.disk_used_bytes, cluster.disk_capacity_bytes), (Some(394_059_849), None));
        // More than a number holds is not known either.
        metrics[1].disk_capacity_bytes = Some(1);
        cluster.add_up_disks(&stores, &metrics);
        assert_eq!(cluster.disk_capacity_bytes, None);
        stores.push(store(4, StoreState::Up));
        cluster.add_up_disks(&stores, &metrics);
        assert_eq!(cluster.disk_used_bytes, None);
    }
}
