//! One region: a Raft group over a range of keys.

use crate::random::fraction;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Voter,
    Learner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) id: u64,
    pub(crate) store: u64,
    pub(crate) role: Role,
}

/// What is true of a region.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Region {
    pub(crate) id: u64,
    pub(crate) start: Vec<u8>,
    /// Exclusive; empty is beyond every key.
    pub(crate) end: Vec<u8>,
    /// Counts changes of peers.
    pub(crate) conf_ver: u64,
    /// Counts splits and merges.
    pub(crate) version: u64,
    pub(crate) peers: Vec<Peer>,
    /// The peer that was added and waits for its snapshot.
    pub(crate) arriving: Option<u64>,
    /// The peer that leads, if one can.
    pub(crate) leader: Option<Peer>,
    /// The peer that led last, whom the others voted for.
    pub(crate) voted: u64,
    pub(crate) term: u64,
    pub(crate) size_bytes: f64,
    pub(crate) load: Load,
}

/// What clients do to a region, on average.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Load {
    pub(crate) written_bytes_per_second: f64,
    pub(crate) read_bytes_per_second: f64,
}

/// Bytes of one record, as the recorded load had them.
pub(crate) const RECORD_BYTES: f64 = 1_024.0;

impl Load {
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self {
            written_bytes_per_second: self.written_bytes_per_second * factor,
            read_bytes_per_second: self.read_bytes_per_second * factor,
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            written_bytes_per_second: self.written_bytes_per_second + other.written_bytes_per_second,
            read_bytes_per_second: self.read_bytes_per_second + other.read_bytes_per_second,
        }
    }

    /// Load is never quite even: this minute's, between 0.8 and 1.2 of the average.
    pub(crate) fn in_minute(self, seed: u64, region: u64, minute: i64) -> Self {
        self.scaled(0.8 + 0.4 * fraction(seed, region, minute.unsigned_abs()))
    }
}

impl Region {
    pub(crate) fn peer_on(&self, store: u64) -> Option<Peer> {
        self.peers.iter().copied().find(|peer| peer.store == store)
    }

    pub(crate) fn voters(&self) -> impl Iterator<Item = Peer> {
        self.peers.iter().copied().filter(|peer| peer.role == Role::Voter)
    }

    pub(crate) fn keys(&self) -> u64 {
        (self.size_bytes / RECORD_BYTES) as u64
    }

    /// Whether enough voters are on stores for which `alive` holds.
    pub(crate) fn has_quorum(&self, alive: impl Fn(u64) -> bool) -> bool {
        let voters = self.voters().count();
        self.voters().filter(|peer| alive(peer.store)).count() > voters / 2
    }
}
