//! What the leader of PD answers from: its memory, etcd, and the ranges of the regions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Pd;
use super::memory::{Known, Memory, Source};
use crate::model::{Cluster, Role};

pub(crate) struct View<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) pd: &'a Pd,
    pub(crate) memory: &'a Memory,
    /// The member that leads.
    pub(crate) leader: usize,
}

/// What PD counts on one store.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) leaders: u64,
    pub(crate) leader_mib: u64,
    pub(crate) leader_keys: u64,
    pub(crate) peers: u64,
    pub(crate) peer_mib: u64,
    pub(crate) peer_keys: u64,
    pub(crate) learners: u64,
    pub(crate) pending: u64,
}

impl<'a> View<'a> {
    /// Every region in the order of keys, from the one that holds `key`.
    pub(crate) fn regions_starting_at(&self, key: &'a [u8]) -> impl Iterator<Item = Cow<'a, Known>> + 'a {
        let (memory, cluster) = (self.memory, self.cluster);
        cluster.regions.starting_at(key).map(move |region| memory.known(cluster, region))
    }

    pub(crate) fn region(&self, id: u64) -> Option<Cow<'a, Known>> {
        let region = self.cluster.regions.get(id)?;
        Some(self.memory.known(self.cluster, region))
    }

    /// The regions that something happened to: all but those of a very large cluster.
    pub(crate) fn held(&self) -> impl Iterator<Item = &'a Known> {
        self.memory.regions.values()
    }

    pub(crate) fn is_warm(&self) -> bool {
        self.memory.is_warm(self.cluster)
    }

    /// What PD counts on every store, in one pass.
    pub(crate) fn totals(&self) -> BTreeMap<u64, Totals> {
        let share = self.memory.calm_share(self.cluster.now);
        let led = if self.memory.source == Source::Storage { share } else { 1.0 };
        let mib = |bytes: f64| (bytes / 1_048_576.0 * share).max(0.0) as u64;
        let keys = |bytes: f64| (bytes / crate::model::RECORD_BYTES * share).max(0.0) as u64;
        let mut totals: BTreeMap<u64, Totals> = (self.pd.stores.keys())
            .map(|id| {
                let calm = self.cluster.regions.calm_on(*id);
                let totals = Totals {
                    leaders: (calm.leaders as f64 * led) as u64,
                    leader_mib: mib(calm.leader_bytes),
                    leader_keys: keys(calm.leader_bytes),
                    peers: calm.peers,
                    peer_mib: mib(calm.peer_bytes),
                    peer_keys: keys(calm.peer_bytes),
                    ..Totals::default()
                };
                (*id, totals)
            })
            .collect();
        for known in self.held() {
            let (mib, keys) = (known.size_mib(), known.region.keys());
            for peer in &known.region.peers {
                if let Some(total) = totals.get_mut(&peer.store) {
                    total.peers += 1;
                    total.peer_mib += mib;
                    total.peer_keys += keys;
                    total.learners += u64::from(peer.role == Role::Learner);
                    total.pending += u64::from(known.pending.contains(peer));
                }
            }
            if let Some(total) = known.region.leader.and_then(|leader| totals.get_mut(&leader.store)) {
                total.leaders += 1;
                total.leader_mib += mib;
                total.leader_keys += keys;
            }
        }
        totals
    }
}
