//! PD: its members, what they know, what they plan, what they answer.

mod members;
mod memory;
mod policy;
mod operator;
mod ledger;
mod schedule;
mod text;
mod answer;
mod view;
mod route;
mod about;
mod stores;
mod regions;
mod statistics;
mod hotspot;
mod operators;
mod settings;
mod metrics;
mod act;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

pub(crate) use about::VERSION;
pub(crate) use answer::path_segments;
pub(crate) use members::Members;
pub(crate) use memory::{Known, REGION_BEAT, STORE_BEAT, Source, StoreMeta};
pub(crate) use operator::{Operator, Status, Step};
pub(crate) use schedule::TICK;

use crate::model::Cluster;
use crate::random::hash;
use memory::{Memory, StoreBeat, StoreState, UNLIMITED};
use policy::Policy;

/// Flow from which PD counts a region as hot; it computes its threshold from the busiest regions, this is about that.
const HOT_WRITES: f64 = 128.0 * 1_024.0;
const HOT_READS: f64 = 512.0 * 1_024.0;
const HIGHEST_DEGREE: u32 = 300;
/// PD calls a region hot that was so for this many heartbeats in a row.
const HOT_FROM: u32 = 3;
/// A region writes enough that a peer which does not answer is soon seen to lag.
const LAGS_FROM: f64 = 1_024.0;
/// The leader reports a peer as down after this.
const PEER_DOWN_AFTER: TimeDelta = TimeDelta::minutes(10);

/// All PD members together.
#[derive(Debug)]
pub(crate) struct Pd {
    pub(crate) cluster_id: u64,
    pub(crate) members: Members,
    /// What etcd keeps of the stores.
    pub(crate) stores: BTreeMap<u64, StoreMeta>,
    /// What the leader knows; `None` while nobody leads.
    pub(crate) memory: Option<Memory>,
    /// What the followers copied from the last leader.
    synced: BTreeMap<u64, Known>,
    pub(crate) bootstrapped_at: Option<DateTime<Utc>>,
    /// What etcd keeps of how to schedule.
    pub(crate) policy: Policy,
}

impl Pd {
    pub(crate) fn new(seed: u64, members: usize, started_at: DateTime<Utc>, bootstrapped: bool) -> Self {
        Self {
            cluster_id: 7_710_000_000_000_000_000 + hash(seed, 0, 12) % 1_000_000_000_000_000,
            members: Members::new(seed, members, started_at),
            stores: BTreeMap::new(),
            memory: Some(Memory::new(started_at, Source::Storage)),
            synced: BTreeMap::new(),
            bootstrapped_at: bootstrapped.then(|| started_at + TimeDelta::seconds(7)),
            policy: Policy::new(),
        }
    }

    /// Nobody leads from now on.
    pub(crate) fn lose_leader(&mut self, now: DateTime<Utc>) {
        self.members.leader = None;
        self.members.lost_at = now;
        if let Some(memory) = self.memory.take() {
            self.synced = memory.regions;
        }
    }

    /// A member has just become leader and knows what `source` gives.
    pub(crate) fn lead(&mut self, cluster: &Cluster, source: Source) {
        let mut memory = Memory::new(cluster.now, source);
        let mut synced = std::mem::take(&mut self.synced);
        for region in cluster.regions.held() {
            let known = match (source, synced.remove(&region.id)) {
                (Source::Synced, Some(known)) => known,
                _ => Known::from_beat(region.clone(), cluster.seed, cluster.now),
            };
            memory.regions.insert(region.id, known.forget(source));
        }
        self.memory = Some(memory);
    }

    pub(crate) fn beat(&self, store: u64) -> Option<&StoreBeat> {
        self.memory.as_ref()?.stores.get(&store)
    }

    /// The last heartbeat that PD remembers.
    pub(crate) fn last_beat(&self, store: u64) -> Option<DateTime<Utc>> {
        self.beat(store).map(|beat| beat.at).or_else(|| self.stores.get(&store)?.persisted_beat)
    }

    pub(crate) fn state_name(&self, cluster: &Cluster, store: u64) -> &'static str {
        let silent = self.last_beat(store).map_or(TimeDelta::MAX, |at| cluster.now - at);
        self.stores.get(&store).map_or("", |meta| meta.state_name(silent, self.policy.max_store_down))
    }

    /// A store's heartbeat arrives, if somebody leads.
    pub(crate) fn store_beat(&mut self, cluster: &Cluster, id: u64, at: DateTime<Utc>) {
        let (Some(store), Some(meta), Some(memory)) =
            (cluster.stores.get(&id), self.stores.get_mut(&id), self.memory.as_mut())
        else {
            return;
        };
        if meta.state == StoreState::Tombstone {
            return;
        }
        let used = cluster.used_bytes(id);
        meta.note_beat(at);
        memory.stores.insert(
            id,
            StoreBeat {
                at,
                capacity_bytes: store.capacity_bytes,
                available_bytes: store.available_bytes(used, cluster.now),
                used_bytes: used,
                load: cluster.load_on(id),
                slow_score: store.slow_score as u64,
                slow: store.slow,
            },
        );
    }

    /// The leader of a region reports, if it has one and PD has one.
    pub(crate) fn region_beat(&mut self, cluster: &Cluster, id: u64, periodic: bool) {
        let (Some(region), Some(memory)) = (cluster.regions.get(id), self.memory.as_mut()) else { return };
        if !region.leader.is_some_and(|leader| cluster.is_alive(leader.store)) {
            return;
        }
        let mut known = Known::from_beat(region.as_ref().clone(), cluster.seed, cluster.now);
        if let Some(before) = memory.regions.get(&id) {
            known.hot_writes = before.hot_writes;
            known.hot_reads = before.hot_reads;
            // A heartbeat between two others tells a change; what it adds to the flow is little.
            if !periodic {
                known.at = before.at;
                known.written_bytes = before.written_bytes;
                known.read_bytes = before.read_bytes;
            }
        }
        // Without a quorum nothing is committed, so nobody lags behind.
        let commits = region.has_quorum(|store| cluster.is_alive(store));
        for peer in &region.peers {
            match cluster.silent_for(peer.store) {
                Some(silent) => {
                    if commits && region.load.written_bytes_per_second >= LAGS_FROM {
                        known.pending.push(*peer);
                    }
                    if silent >= PEER_DOWN_AFTER {
                        known.down.push((*peer, silent.num_seconds().unsigned_abs()));
                    }
                }
                None if region.arriving == Some(peer.id) => known.pending.push(*peer),
                None => {}
            }
        }
        if periodic {
            known.count_heat();
        }
        memory.regions.insert(id, known);
    }

    /// The left half of a split is as hot as the whole was.
    pub(crate) fn inherit(&mut self, left: u64, whole: u64) {
        if let Some(memory) = &mut self.memory
            && let Some(known) = memory.regions.get(&whole).cloned()
        {
            memory.regions.insert(left, known);
        }
    }

    /// A merged region is gone.
    pub(crate) fn forget_region(&mut self, id: u64) {
        if let Some(memory) = &mut self.memory {
            memory.regions.remove(&id);
        }
    }

    pub(crate) fn take_offline(&mut self, cluster: &Cluster, id: u64) {
        let regions = cluster.regions.held().filter(|region| region.peer_on(id).is_some()).count() as u64;
        if let Some(meta) = self.stores.get_mut(&id).filter(|meta| meta.state == StoreState::Up) {
            meta.state = StoreState::Offline;
            meta.limits_before = Some(meta.limits);
            meta.limits.remove_peer = UNLIMITED;
            meta.regions_to_remove = regions;
            meta.offline_since = Some(cluster.now);
        }
    }

    /// A store that was to be removed stays.
    pub(crate) fn keep(&mut self, id: u64) {
        if let Some(meta) = self.stores.get_mut(&id).filter(|meta| meta.state == StoreState::Offline) {
            meta.state = StoreState::Up;
            meta.limits = meta.limits_before.take().unwrap_or(meta.limits);
            meta.offline_since = None;
        }
    }

    /// An offline store without regions becomes a tombstone. Whether it just did.
    pub(crate) fn bury_if_empty(&mut self, cluster: &Cluster, id: u64) -> bool {
        let empty = || {
            cluster.regions.calm_on(id).peers == 0
                && cluster.regions.held().all(|region| region.peer_on(id).is_none())
        };
        match self.stores.get_mut(&id) {
            Some(meta) if self.memory.is_some() && meta.state == StoreState::Offline && empty() => {
                meta.state = StoreState::Tombstone;
                true
            }
            _ => false,
        }
    }
}

impl Known {
    /// Whether PD calls it hot.
    pub(crate) fn is_hot(&self) -> bool {
        self.hot_writes.max(self.hot_reads) >= HOT_FROM
    }

    /// Counts one more heartbeat in which the region was hot, or not.
    pub(crate) fn count_heat(&mut self) {
        let load = self.region.load;
        for (degree, hot) in [
            (&mut self.hot_writes, load.written_bytes_per_second >= HOT_WRITES),
            (&mut self.hot_reads, load.read_bytes_per_second >= HOT_READS),
        ] {
            *degree = if hot { (*degree + 1).min(HIGHEST_DEGREE) } else { degree.saturating_sub(1) };
        }
    }
}
