//! What a log tells.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{PeerId, RegionId};

/// A line of a log that tells of leadership in a raft group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeadershipChange {
    /// When, as the line says.
    pub at: DateTime<Utc>,
    /// What happened.
    pub kind: LeadershipChangeKind,
    /// The raft group; `null` where the line names none.
    pub region_id: Option<RegionId>,
    /// The peer that says so (TiKV's `raft_id`).
    pub peer_id: Option<PeerId>,
    /// The raft term.
    pub term: Option<u64>,
    /// What the peer was before, as the line says: tells a leader's step-down from a late follower.
    pub from_role: Option<String>,
    /// Where in the program the line was written: `raft.rs:1162`.
    pub source: String,
    /// The log file.
    pub file: String,
    /// The line in the file, from 1.
    pub line: u64,
}

impl LeadershipChange {
    /// A change of which the line says nothing but its kind, time and place.
    pub fn new(
        at: DateTime<Utc>,
        kind: LeadershipChangeKind,
        source: impl Into<String>,
        file: impl Into<String>,
        line: u64,
    ) -> Self {
        Self {
            at,
            kind,
            region_id: None,
            peer_id: None,
            term: None,
            from_role: None,
            source: source.into(),
            file: file.into(),
            line,
        }
    }
}

/// What a [`LeadershipChange`] tells, in raft's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeadershipChangeKind {
    /// The peer won an election.
    BecameLeader,
    /// The peer follows; `from_role` says whether it led before.
    BecameFollower,
    /// The peer asks for votes.
    BecameCandidate,
    /// The peer asks whether it would get votes.
    BecamePreCandidate,
    /// The peer starts an election.
    ElectionStarted,
    /// A leader starts to hand over.
    TransferStarted,
    /// A peer is told to take over.
    TransferReceived,
}
