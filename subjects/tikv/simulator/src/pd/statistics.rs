//! `/regions/check/…` and `/stats/region`: what PD counts of the regions that have reported.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::answer;
use super::memory::{Known, StoreState};
use super::regions::list;
use super::view::View;
use crate::Reply;
use crate::model::Role;

/// Nine kinds of regions that deserve a look. PD has none for a region without leader or quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    MissPeer,
    ExtraPeer,
    DownPeer,
    PendingPeer,
    OfflinePeer,
    LearnerPeer,
    Empty,
    Oversized,
    Undersized,
}

impl Check {
    pub(crate) const ALL: [Self; 9] = [
        Self::MissPeer,
        Self::ExtraPeer,
        Self::DownPeer,
        Self::PendingPeer,
        Self::OfflinePeer,
        Self::LearnerPeer,
        Self::Empty,
        Self::Oversized,
        Self::Undersized,
    ];

    /// As in the path; the metric adds `-region-count`, or `-count` where this ends with `-region`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MissPeer => "miss-peer",
            Self::ExtraPeer => "extra-peer",
            Self::DownPeer => "down-peer",
            Self::PendingPeer => "pending-peer",
            Self::OfflinePeer => "offline-peer",
            Self::LearnerPeer => "learner-peer",
            Self::Empty => "empty-region",
            Self::Oversized => "oversized-region",
            Self::Undersized => "undersized-region",
        }
    }
}

const REPLICAS: usize = 3;

#[derive(Serialize)]
struct Bucket {
    start: u64,
    end: u64,
    count: u64,
}

#[derive(Serialize)]
struct Stats {
    count: u64,
    empty_count: u64,
    storage_size: u64,
    user_storage_size: u64,
    storage_keys: u64,
    store_leader_count: BTreeMap<String, u64>,
    store_peer_count: BTreeMap<String, u64>,
    store_leader_size: BTreeMap<String, u64>,
    store_leader_keys: BTreeMap<String, u64>,
    store_peer_size: BTreeMap<String, u64>,
    store_peer_keys: BTreeMap<String, u64>,
}

impl View<'_> {
    pub(crate) fn statistics(&self, path: &[&str]) -> Option<Reply> {
        Some(match path {
            ["regions", "check", "hist-size"] => self.histogram(Known::size_mib),
            ["regions", "check", "hist-keys"] => self.histogram(|known| known.region.keys() / 1_000),
            ["regions", "check", name] => {
                let check = Check::ALL.into_iter().find(|check| check.name() == *name)?;
                list(self.in_check(check).map(Cow::Borrowed))
            }
            ["stats", "region"] => self.stats(),
            _ => return None,
        })
    }

    /// Only regions that reported to this leader of PD are looked at, so that a PD that has just become leader finds
    /// nothing wrong. Calm regions have nothing wrong with them.
    pub(crate) fn in_check(&self, check: Check) -> impl Iterator<Item = &Known> {
        self.held().filter(move |known| known.reported && self.is_in(check, known))
    }

    fn is_in(&self, check: Check, known: &Known) -> bool {
        let region = &known.region;
        match check {
            Check::MissPeer => region.peers.len() < REPLICAS,
            Check::ExtraPeer => region.peers.len() > REPLICAS,
            Check::DownPeer => !known.down.is_empty(),
            Check::PendingPeer => !known.pending.is_empty(),
            Check::OfflinePeer => region
                .peers
                .iter()
                .any(|peer| self.pd.stores.get(&peer.store).is_some_and(|meta| meta.state != StoreState::Up)),
            Check::LearnerPeer => region.peers.iter().any(|peer| peer.role == Role::Learner),
            Check::Empty => known.size_mib() <= 1,
            Check::Oversized => known.size_mib() >= 144,
            // Smaller than `max-merge-region-size`: candidates for a merge.
            Check::Undersized => known.size_mib() <= 54,
        }
    }

    fn histogram(&self, figure: impl Fn(&Known) -> u64) -> Reply {
        let mut buckets = BTreeMap::<u64, u64>::new();
        for known in self.held() {
            *buckets.entry(figure(known)).or_default() += 1;
        }
        let buckets: Vec<_> =
            buckets.into_iter().map(|(value, count)| Bucket { start: value, end: value, count }).collect();
        answer::ok(&buckets)
    }

    fn stats(&self) -> Reply {
        let totals = self.totals();
        let mut stats = Stats {
            count: self.cluster.regions.count(),
            empty_count: 0,
            storage_size: 0,
            user_storage_size: 0,
            storage_keys: 0,
            store_leader_count: BTreeMap::new(),
            store_peer_count: BTreeMap::new(),
            store_leader_size: BTreeMap::new(),
            store_leader_keys: BTreeMap::new(),
            store_peer_size: BTreeMap::new(),
            store_peer_keys: BTreeMap::new(),
        };
        for known in self.held() {
            stats.empty_count += u64::from(known.size_mib() <= 1);
            stats.storage_size += known.size_mib();
            stats.storage_keys += known.region.keys();
        }
        for (id, store) in totals {
            let calm = self.cluster.regions.calm_on(id);
            // A calm region counts once, with its leader.
            stats.storage_size += (calm.leader_bytes / 1_048_576.0) as u64;
            stats.storage_keys += (calm.leader_bytes / crate::model::RECORD_BYTES) as u64;
            let id = id.to_string();
            if store.leaders > 0 {
                stats.store_leader_count.insert(id.clone(), store.leaders);
                stats.store_leader_size.insert(id.clone(), store.leader_mib);
                stats.store_leader_keys.insert(id.clone(), store.leader_keys);
            }
            if store.peers > 0 {
                stats.store_peer_count.insert(id.clone(), store.peers);
                stats.store_peer_size.insert(id.clone(), store.peer_mib);
                stats.store_peer_keys.insert(id, store.peer_keys);
            }
        }
        answer::ok(&stats)
    }
}
