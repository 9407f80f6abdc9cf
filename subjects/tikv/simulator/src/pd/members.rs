//! The PD members and who leads them.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::Process;
use crate::random::{Random, hash};

#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) id: u64,
    /// `host:port` for clients.
    pub(crate) authority: String,
    pub(crate) process: Process,
    pub(crate) started_at: DateTime<Utc>,
}

#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) list: Vec<Member>,
    /// The index of the leader, while there is one.
    pub(crate) leader: Option<usize>,
    /// When the last leader was lost.
    pub(crate) lost_at: DateTime<Utc>,
}

impl Members {
    pub(crate) fn new(seed: u64, count: usize, started_at: DateTime<Utc>) -> Self {
        let list = (0..count.max(1))
            .map(|index| Member {
                name: format!("pd{index}"),
                // Real ids are beyond what a signed integer holds; so are some of these.
                id: hash(seed, index as u64, 11) | 1 << (63 - index.min(1)),
                authority: format!("pd{index}:2379"),
                process: Process::Running,
                started_at,
            })
            .collect();
        Self { list, leader: Some(0), lost_at: started_at }
    }

    pub(crate) fn is_alive(&self, index: usize) -> bool {
        self.list.get(index).is_some_and(|member| member.process == Process::Running)
    }

    fn alive(&self) -> impl Iterator<Item = usize> {
        (0..self.list.len()).filter(|index| self.is_alive(*index))
    }

    pub(crate) fn has_quorum(&self) -> bool {
        self.alive().count() > self.list.len() / 2
    }

    /// How long until another leads: the old leader's lease, then an election of etcd's and one of PD's. 13 s were
    /// measured after a kill, three when everyone is there and only has to agree.
    pub(crate) fn election_takes(random: &mut Random, after_a_crash: bool) -> TimeDelta {
        let millis =
            if after_a_crash { random.between(12_700, 13_300) } else { random.between(2_700, 3_300) };
        TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(13_000))
    }

    /// One of the living becomes leader, if they are enough. Its index.
    pub(crate) fn elect(&mut self, random: &mut Random) -> Option<usize> {
        if self.leader.is_some() || !self.has_quorum() {
            return None;
        }
        let candidates: Vec<_> = self.alive().collect();
        let pick = usize::try_from(random.between(0, candidates.len() as u64)).ok()?;
        self.leader = candidates.get(pick).copied();
        self.leader
    }
}
