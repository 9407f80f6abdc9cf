//! What is true of the stores and the regions, whatever PD thinks of it.

mod key;
mod region;
mod layout;
mod regions;
mod store;
mod work;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

pub(crate) use key::{hex, unhex};
pub(crate) use layout::Layout;
pub(crate) use region::{Load, Peer, RECORD_BYTES, Region, Role};
pub(crate) use regions::Regions;
pub(crate) use store::{Filling, Process, Store};
pub(crate) use work::{Rates, Totals, Work};

/// A region that grew beyond this splits.
pub(crate) const SPLIT_BYTES: f64 = 144.0 * 1_048_576.0;
/// Most writes replace a record, and what they leave behind is compacted away: this share stays.
const GROWTH: f64 = 0.02;
/// TiKV's logs, its reserved space and its engine's overhead.
pub(crate) const OWN_BYTES: f64 = 2.0 * 1_073_741_824.0;
/// A peer counts as without leader after this (`abnormal-leader-missing-duration`).
const ORPHANED_AFTER: TimeDelta = TimeDelta::minutes(10);

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
    /// Of `load`, what goes through the leaders on the store.
    led: Load,
    leaders: u64,
    peers: u64,
    /// Peers of regions that nobody leads for a long time.
    orphans: u64,
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
        self.settle();
        let minute = self.minute();
        let mut sums: BTreeMap<u64, Sum> = (self.stores.keys())
            .map(|id| {
                let calm = self.regions.calm_on(*id);
                let load = Load {
                    written_bytes_per_second: calm.peer_load.written_bytes_per_second,
                    read_bytes_per_second: calm.leader_load.read_bytes_per_second,
                };
                let sum = Sum {
                    used_bytes: calm.peer_bytes + OWN_BYTES,
                    load,
                    led: calm.leader_load,
                    leaders: calm.leaders,
                    peers: calm.peers,
                    orphans: 0,
                };
                (*id, sum)
            })
            .collect();
        for region in self.regions.held() {
            let load = region.load.in_minute(self.seed, region.id, minute);
            let answered = |id| self.silent_for(id).is_none_or(|silent| silent < ORPHANED_AFTER);
            let orphaned = region.leader.is_none() && !region.has_quorum(answered);
            // The gauge keeps a leader that lost its quorum, as recorded.
            let counted_as_leader = region.leader.map_or(region.voted, |leader| leader.id);
            for peer in &region.peers {
                let Some(sum) = sums.get_mut(&peer.store) else { continue };
                sum.used_bytes += region.size_bytes;
                sum.peers += 1;
                sum.leaders += u64::from(peer.id == counted_as_leader);
                sum.orphans += u64::from(orphaned);
                // Writes reach every peer, reads only the leader.
                if let Some(leader) = region.leader {
                    sum.load.written_bytes_per_second += load.written_bytes_per_second;
                    if leader == *peer {
                        sum.load.read_bytes_per_second += load.read_bytes_per_second;
                        sum.led = sum.led.plus(load);
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

    /// What the store does in a second, while it runs.
    fn rates(sum: &Sum) -> Rates {
        Rates {
            puts: sum.led.written_bytes_per_second / RECORD_BYTES,
            gets: sum.led.read_bytes_per_second / RECORD_BYTES,
            applied: sum.load.written_bytes_per_second / RECORD_BYTES,
            leaders: sum.leaders as f64,
            peers: sum.peers as f64,
        }
    }

    /// The stores that others cannot reach, and since when.
    fn lost(&self) -> Vec<(u64, DateTime<Utc>)> {
        let is_needed = |id: u64| self.sums.get(&id).is_some_and(|sum| sum.peers > 0);
        let lost = self.stores.values().filter(|store| !store.is_alive() && is_needed(store.id));
        lost.filter_map(|store| Some((store.id, store.stopped_at?))).collect()
    }

    /// Books what every store did until now; to be called before anything changes on which that depends.
    pub(crate) fn settle(&mut self) {
        let lost = self.lost();
        for store in self.stores.values_mut() {
            match self.sums.get(&store.id) {
                Some(sum) if store.is_alive() => {
                    store.work.advance(self.now, Self::rates(sum), store.slow, &lost);
                }
                // Not counted yet: all its time is booked at the first count.
                None if store.is_alive() => {}
                _ => store.work.skip(self.now),
            }
        }
    }

    /// What the store did until now, and what it does.
    pub(crate) fn work_of(&self, store: &Store) -> (Work, Rates) {
        let mut work = store.work.clone();
        let rates = self.sums.get(&store.id).map(Self::rates).unwrap_or_default();
        work.advance(self.now, rates, store.slow, &self.lost());
        (work, rates)
    }

    /// Peers on the store whose region nobody leads since ten minutes, when they were counted last.
    pub(crate) fn orphans_on(&self, store: u64) -> u64 {
        self.sums.get(&store).map_or(0, |sum| sum.orphans)
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
