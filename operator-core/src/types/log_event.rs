//! What a log tells.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{PeerId, RegionId, StoreId};

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
    /// The peer at the other end: whom leadership goes to, who handed it over, who asked for a vote or gave it. Left out
    /// where there is none, as are the next three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_peer_id: Option<PeerId>,
    /// The store that led, as the control plane was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_store: Option<StoreId>,
    /// The store that leads now, as the control plane was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_store: Option<StoreId>,
    /// The member of the control plane, of its own leadership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Where in the program the line was written: `raft.rs:1162`.
    pub source: String,
    /// The log file.
    pub file: String,
    /// The line in the file, from 1; `null` if reading began in its middle, so that nobody counted.
    pub line: Option<u64>,
}

impl LeadershipChange {
    /// A change of which the line says nothing but its kind, time and place.
    pub fn new(
        at: DateTime<Utc>,
        kind: LeadershipChangeKind,
        source: impl Into<String>,
        file: impl Into<String>,
        line: impl Into<Option<u64>>,
    ) -> Self {
        Self {
            at,
            kind,
            region_id: None,
            peer_id: None,
            term: None,
            from_role: None,
            other_peer_id: None,
            from_store: None,
            to_store: None,
            member: None,
            source: source.into(),
            file: file.into(),
            line: line.into(),
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
    /// A leader gives up a transfer for another.
    TransferAborted,
    /// A leader steps down, because too few of its peers answer.
    QuorumLost,
    /// A peer has had no leader for longer than it should.
    LeaderMissing,
    /// A candidate asks for votes, real ones or those before an election.
    VotesRequested,
    /// The peer votes for another.
    VoteGranted,
    /// The peer does not vote for another, whose log is behind.
    VoteRefused,
    /// The peer does not answer another's request for a vote, because its leader lives.
    VoteIgnored,
    /// A candidate gets a vote.
    VoteReceived,
    /// A candidate is refused a vote.
    RefusalReceived,
    /// The peer hears from a later term, and follows.
    HigherTermSeen,
    /// The control plane was told that another store leads the region.
    LeaderReported,
    /// A member of the control plane leads it.
    PdLeaderElected,
    /// It is ready to serve.
    PdLeaderReady,
    /// It leads no more.
    PdLeaderResigned,
    /// A member follows the control plane's leader.
    PdLeaderFollowed,
    /// It follows it no more.
    PdLeaderLost,
}

impl LeadershipChangeKind {
    /// Every kind.
    pub const ALL: [Self; 23] = [
        Self::BecameLeader,
        Self::BecameFollower,
        Self::BecameCandidate,
        Self::BecamePreCandidate,
        Self::ElectionStarted,
        Self::TransferStarted,
        Self::TransferReceived,
        Self::TransferAborted,
        Self::QuorumLost,
        Self::LeaderMissing,
        Self::VotesRequested,
        Self::VoteGranted,
        Self::VoteRefused,
        Self::VoteIgnored,
        Self::VoteReceived,
        Self::RefusalReceived,
        Self::HigherTermSeen,
        Self::LeaderReported,
        Self::PdLeaderElected,
        Self::PdLeaderReady,
        Self::PdLeaderResigned,
        Self::PdLeaderFollowed,
        Self::PdLeaderLost,
    ];

    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BecameLeader => "became_leader",
            Self::BecameFollower => "became_follower",
            Self::BecameCandidate => "became_candidate",
            Self::BecamePreCandidate => "became_pre_candidate",
            Self::ElectionStarted => "election_started",
            Self::TransferStarted => "transfer_started",
            Self::TransferReceived => "transfer_received",
            Self::TransferAborted => "transfer_aborted",
            Self::QuorumLost => "quorum_lost",
            Self::LeaderMissing => "leader_missing",
            Self::VotesRequested => "votes_requested",
            Self::VoteGranted => "vote_granted",
            Self::VoteRefused => "vote_refused",
            Self::VoteIgnored => "vote_ignored",
            Self::VoteReceived => "vote_received",
            Self::RefusalReceived => "refusal_received",
            Self::HigherTermSeen => "higher_term_seen",
            Self::LeaderReported => "leader_reported",
            Self::PdLeaderElected => "pd_leader_elected",
            Self::PdLeaderReady => "pd_leader_ready",
            Self::PdLeaderResigned => "pd_leader_resigned",
            Self::PdLeaderFollowed => "pd_leader_followed",
            Self::PdLeaderLost => "pd_leader_lost",
        }
    }

    /// Whether it is about a vote, or a term that another peer raised: why an election went as it did. There are many
    /// of them for each change of leadership.
    pub fn is_vote(self) -> bool {
        matches!(
            self,
            Self::VotesRequested
                | Self::VoteGranted
                | Self::VoteRefused
                | Self::VoteIgnored
                | Self::VoteReceived
                | Self::RefusalReceived
                | Self::HigherTermSeen
        )
    }
}

impl fmt::Display for LeadershipChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_one_name() {
        for kind in LeadershipChangeKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
