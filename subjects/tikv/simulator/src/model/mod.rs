//! What is true of the stores and the regions, whatever PD thinks of it.

mod key;
mod region;
mod layout;
mod regions;
mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

pub(crate) use key::{hex, unhex};
pub(crate) use layout::Layout;
pub(crate) use region::{Load, Peer, RECORD_BYTES, Region, Role};
pub(crate) use regions::Regions;
pub(crate) use store::{Filling, Process, Store};

/// A region that grew beyond this splits.
pub(crate) const SPLIT_BYTES: f64 = 144.0 * 1_048_576.0;
/// Most writes replace a record, and what they leave behind is compacted away: this share stays.
const GROWTH: f64 = 0.02;
/// TiKV's logs, its reserved space and its engine's overhead.
const OWN_BYTES: f64 = 2.0 * 1_073_741_824.0;

/// The stores and the regions as they are.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) seed: u64,
    pub(crate) now: DateTime<Utc>,
    pub(crate) stores: BTreeMap<u64, Store>,
    pub(crate) regions: Regions,
    pub(crate) sums: BTreeMap<u64, Sum>,
}

/// What the regions on one store sum up to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sum {
    used_bytes: f64,
    load: Load,
}

impl Cluster {
    pub(crate) fn is_alive(&self, store: u64) -> bool {
        self.stores.get(&store).is_some_and(Store::is_alive)
    }

    /// How long the store has not answered, if it does not.
    pub(crate) fn silent_for(&self, store: u64) -> Option<TimeDelta> {
        let store = self.stores.get(&store)?;
        if store.is_alive() { None } else { store.stopped_at.map(|at| self.now - at) }
    }

    /// What each store's regions sum up to, in one pass over those that are held.
    pub(crate) fn count(&mut self) {
        let minute = self.minute();
        let mut sums: BTreeMap<u64, Sum> = (self.stores.keys())
            .map(|id| {
                let calm = self.regions.calm_on(*id);
                let load = Load {
                    written_bytes_per_second: calm.peer_load.written_bytes_per_second,
                    read_bytes_per_second: calm.leader_load.read_bytes_per_second,
                };
                (*id, Sum { used_bytes: calm.peer_bytes + OWN_BYTES, load })
            })
            .collect();
        for region in self.regions.held() {
            let load = region.load.in_minute(self.seed, region.id, minute);
            for peer in &region.peers {
                let Some(sum) = sums.get_mut(&peer.store) else { continue };
                sum.used_bytes += region.size_bytes;
                // Writes reach every peer, reads only the leader.
                if let Some(leader) = region.leader {
                    sum.load.written_bytes_per_second += load.written_bytes_per_second;
                    if leader == *peer {
                        sum.load.read_bytes_per_second += load.read_bytes_per_second;
                    }
                }
            }
        }
        self.sums = sums;
    }

    /// Bytes that the store's regions and TiKV itself take on its disk, when they were counted last.
    pub(crate) fn used_bytes(&self, store: u64) -> u64 {
        self.sums.get(&store).map_or(OWN_BYTES, |sum| sum.used_bytes) as u64
    }

    /// What clients do to the store, when it was counted last.
    pub(crate) fn load_on(&self, store: u64) -> Load {
        self.sums.get(&store).map(|sum| sum.load).unwrap_or_default()
    }

    /// Minutes since 1970: what a region's load of the moment depends on.
    pub(crate) fn minute(&self) -> i64 {
        self.now.timestamp().div_euclid(60)
    }

    /// A minute of writes to a region that somebody leads. Whether it is large enough to split now.
    pub(crate) fn grow(&mut self, region: u64) -> bool {
        let Some(region) = self.regions.get_mut(region) else { return false };
        if region.leader.is_some() {
            region.size_bytes += region.load.written_bytes_per_second * 60.0 * GROWTH;
        }
        region.size_bytes > SPLIT_BYTES
    }
}
