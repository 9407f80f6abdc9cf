//! How many regions are not as they should be, and which.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::RegionId;

/// A way in which a region is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RegionProblem {
    /// Fewer replicas than the rules ask for.
    MissPeer,
    /// More replicas than the rules ask for.
    ExtraPeer,
    /// A replica that its leader has not heard from for long (TiKV: 10 minutes).
    DownPeer,
    /// A replica that lags too far behind.
    PendingPeer,
    /// A replica on a store that is being removed.
    OfflinePeer,
    /// A replica that does not vote.
    LearnerPeer,
    /// No leader, or one on a store that is lost: no reads, no writes.
    NoLeader,
    /// A majority of the voters lies on lost stores: no leader can be elected.
    QuorumLost,
}

impl RegionProblem {
    /// Every kind, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::MissPeer,
        Self::ExtraPeer,
        Self::DownPeer,
        Self::PendingPeer,
        Self::OfflinePeer,
        Self::LearnerPeer,
        Self::NoLeader,
        Self::QuorumLost,
    ];

    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissPeer => "miss_peer",
            Self::ExtraPeer => "extra_peer",
            Self::DownPeer => "down_peer",
            Self::PendingPeer => "pending_peer",
            Self::OfflinePeer => "offline_peer",
            Self::LearnerPeer => "learner_peer",
            Self::NoLeader => "no_leader",
            Self::QuorumLost => "quorum_lost",
        }
    }
}

impl fmt::Display for RegionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many regions have each problem; `None` where that could not be observed, which is not zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RegionHealth {
    /// Regions with [`RegionProblem::MissPeer`].
    pub miss_peer: Option<u64>,
    /// Regions with [`RegionProblem::ExtraPeer`].
    pub extra_peer: Option<u64>,
    /// Regions with [`RegionProblem::DownPeer`].
    pub down_peer: Option<u64>,
    /// Regions with [`RegionProblem::PendingPeer`].
    pub pending_peer: Option<u64>,
    /// Regions with [`RegionProblem::OfflinePeer`].
    pub offline_peer: Option<u64>,
    /// Regions with [`RegionProblem::LearnerPeer`].
    pub learner_peer: Option<u64>,
    /// Regions with [`RegionProblem::NoLeader`].
    pub no_leader: Option<u64>,
    /// Regions with [`RegionProblem::QuorumLost`].
    pub quorum_lost: Option<u64>,
    /// Some of the regions, as evidence: at most [`RegionHealth::SAMPLE`] a kind.
    pub sample: BTreeMap<RegionProblem, Vec<RegionId>>,
}

impl RegionHealth {
    /// How many region ids are kept a kind.
    pub const SAMPLE: usize = 20;

    /// How many regions have `problem`, if that is known.
    pub fn count(&self, problem: RegionProblem) -> Option<u64> {
        match problem {
            RegionProblem::MissPeer => self.miss_peer,
            RegionProblem::ExtraPeer => self.extra_peer,
            RegionProblem::DownPeer => self.down_peer,
            RegionProblem::PendingPeer => self.pending_peer,
            RegionProblem::OfflinePeer => self.offline_peer,
            RegionProblem::LearnerPeer => self.learner_peer,
            RegionProblem::NoLeader => self.no_leader,
            RegionProblem::QuorumLost => self.quorum_lost,
        }
    }

    /// Sets how many regions have `problem`.
    pub fn set_count(&mut self, problem: RegionProblem, count: Option<u64>) {
        *match problem {
            RegionProblem::MissPeer => &mut self.miss_peer,
            RegionProblem::ExtraPeer => &mut self.extra_peer,
            RegionProblem::DownPeer => &mut self.down_peer,
            RegionProblem::PendingPeer => &mut self.pending_peer,
            RegionProblem::OfflinePeer => &mut self.offline_peer,
            RegionProblem::LearnerPeer => &mut self.learner_peer,
            RegionProblem::NoLeader => &mut self.no_leader,
            RegionProblem::QuorumLost => &mut self.quorum_lost,
        } = count;
    }

    /// Keeps a region as evidence of `problem`, unless [`RegionHealth::SAMPLE`] are kept already.
    pub fn add_sample(&mut self, problem: RegionProblem, region: RegionId) {
        let sample = self.sample.entry(problem).or_default();
        if sample.len() < Self::SAMPLE {
            sample.push(region);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_has_its_own_count_and_its_name_in_json() {
        let mut health = RegionHealth::default();
        for (count, problem) in (1..).zip(RegionProblem::ALL) {
            health.set_count(problem, Some(count));
        }
        let json = serde_json::to_value(&health).unwrap();
        for (count, problem) in (1..).zip(RegionProblem::ALL) {
            assert_eq!(health.count(problem), Some(count));
            assert_eq!(json[problem.as_str()], count);
            assert_eq!(serde_json::to_value(problem).unwrap(), problem.as_str());
        }
    }

    #[test]
    fn the_evidence_is_bounded() {
        let mut health = RegionHealth::default();
        (0..1_000).for_each(|id| health.add_sample(RegionProblem::NoLeader, id.into()));
        assert_eq!(health.sample[&RegionProblem::NoLeader].len(), RegionHealth::SAMPLE);
    }
}
