//! Regions: ranges of keys, each replicated by one raft group.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Key, KeyRange, PeerId, RegionId, StoreId};

/// One range of keys and the replicas that hold it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Region {
    /// Unique among the subject's regions.
    pub id: RegionId,
    /// The range's first key; empty for the beginning of the key space.
    pub start_key: Key,
    /// The first key behind the range; empty for the end of the key space.
    pub end_key: Key,
    /// How often its peers and its range have changed: tells an old view from a newer one.
    pub epoch: Epoch,
    /// The peer that leads, one of `peers`; `null` if none is known to.
    pub leader: Option<Peer>,
    /// Its replicas.
    pub peers: Vec<Peer>,
    /// Peers the leader has not heard from for long.
    pub down_peers: Vec<DownPeer>,
    /// Peers that lag too far behind in the log to be of use.
    pub pending_peers: Vec<Peer>,
    /// Its size in bytes as the leader estimates it (TiKV: in steps of 1 MiB).
    pub approximate_size_bytes: Option<u64>,
    /// How many keys it holds, estimated.
    pub approximate_keys: Option<u64>,
    /// Bytes written in the leader's last report interval (TiKV: about 60 s): an amount, not a rate.
    pub written_bytes: Option<u64>,
    /// Keys written in that interval.
    pub written_keys: Option<u64>,
    /// Bytes read in that interval.
    pub read_bytes: Option<u64>,
    /// Keys read in that interval.
    pub read_keys: Option<u64>,
}

impl Region {
    /// A region of which nothing but its place is known.
    pub fn new(id: RegionId, range: KeyRange, epoch: Epoch) -> Self {
        Self {
            id,
            start_key: range.start_key,
            end_key: range.end_key,
            epoch,
            leader: None,
            peers: Vec::new(),
            down_peers: Vec::new(),
            pending_peers: Vec::new(),
            approximate_size_bytes: None,
            approximate_keys: None,
            written_bytes: None,
            written_keys: None,
            read_bytes: None,
            read_keys: None,
        }
    }

    /// The range of keys it holds.
    pub fn key_range(&self) -> KeyRange {
        KeyRange::new(self.start_key.clone(), self.end_key.clone())
    }
}

/// How often a region's peers and its range have changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Epoch {
    /// Grows when peers are added or removed.
    pub conf_ver: u64,
    /// Grows when the region is split or merged.
    pub version: u64,
}

/// One replica of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// Unique among the subject's peers.
    pub id: PeerId,
    /// The store it lies on.
    pub store_id: StoreId,
    /// Its part in the raft group.
    pub role: PeerRole,
}

/// The part a peer plays in its raft group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PeerRole {
    /// Votes, and can lead.
    Voter,
    /// Receives the log, does not vote.
    Learner,
    /// Becoming a voter; counts in the incoming majority.
    IncomingVoter,
    /// Ceasing to be a voter; counts in the outgoing majority.
    DemotingVoter,
    /// A role this version does not know.
    #[serde(other)]
    Unknown,
}

/// A peer that its leader has not heard from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownPeer {
    /// The peer.
    pub peer: Peer,
    /// For how long; in JSON whole seconds, as PD counts them.
    #[serde(rename = "down_seconds", with = "whole_seconds")]
    pub down_for: Option<Duration>,
}

mod whole_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands the field by reference")]
    pub(super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(|duration| duration.as_secs()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(Duration::from_secs))
    }
}

/// Which regions to stream: [`Subject::regions`](crate::Subject::regions).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionQuery {
    /// Where to begin; empty for the beginning of the key space.
    pub start_key: Key,
    /// Where to stop; empty for the end of the key space.
    pub end_key: Key,
    /// Only regions with a peer on this store.
    pub store: Option<StoreId>,
    /// How many regions to ask for at a time; a subject may cap it.
    pub page_size: NonZeroUsize,
    /// Stop after this many regions.
    pub limit: Option<usize>,
}

impl RegionQuery {
    /// How many regions a page holds unless told otherwise.
    pub const DEFAULT_PAGE_SIZE: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

    /// Every region.
    pub fn all() -> Self {
        Self::range(KeyRange::all())
    }

    /// The regions that overlap a range of keys.
    pub fn range(range: KeyRange) -> Self {
        Self {
            start_key: range.start_key,
            end_key: range.end_key,
            store: None,
            page_size: Self::DEFAULT_PAGE_SIZE,
            limit: None,
        }
    }

    /// Only regions with a peer on `store`.
    pub fn of_store(self, store: StoreId) -> Self {
        Self { store: Some(store), ..self }
    }

    /// Stop after `limit` regions.
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }
}

impl Default for RegionQuery {
    fn default() -> Self {
        Self::all()
    }
}

/// A page of regions in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RegionPage {
    /// The regions; none twice in a stream.
    pub regions: Vec<Region>,
    /// Ranges of keys before, between or, at the end of the stream, behind these regions that no region holds.
    pub gaps: Vec<KeyRange>,
    /// Ranges of keys that more than one region claims: a view taken in the middle of a split or merge.
    pub overlaps: Vec<KeyRange>,
}

impl RegionPage {
    /// A page without gaps or overlaps.
    pub fn new(regions: Vec<Region>) -> Self {
        Self { regions, gaps: Vec::new(), overlaps: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_without_leader_says_null() {
        let region = Region::new(2.into(), KeyRange::all(), Epoch { conf_ver: 5, version: 5 });
        let json = serde_json::to_value(&region).unwrap();
        assert!(json["leader"].is_null() && json["written_bytes"].is_null());
        assert_eq!(json["epoch"]["conf_ver"], 5);
        assert_eq!(serde_json::from_value::<Region>(json).unwrap(), region);
    }

    #[test]
    fn a_down_peer_says_its_seconds() {
        let peer = Peer { id: 3.into(), store_id: 1.into(), role: PeerRole::Voter };
        let down = DownPeer { peer, down_for: Some(Duration::from_secs(601)) };
        assert_eq!(serde_json::to_value(down).unwrap()["down_seconds"], 601);
    }
}
