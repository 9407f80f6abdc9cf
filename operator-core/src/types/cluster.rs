//! The subject as a whole, in numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{RegionHealth, Store, StoreId, StoreState};

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
}
