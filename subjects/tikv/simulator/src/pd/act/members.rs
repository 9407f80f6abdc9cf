//! `POST /leader/resign`, `/leader/transfer/{name}`: PD changes its own leader.

use chrono::TimeDelta;

use crate::Reply;
use crate::log::Stood;
use crate::pd::answer;
use crate::simulator::{Simulator, Task};

impl Simulator {
    pub(super) fn act_on_members(&mut self, method: &str, path: &[&str]) -> Option<Reply> {
        let leader = self.pd.members.leader?;
        let (wanted, done) = match (method, path) {
            ("POST", ["leader", "resign"]) => (None, "The resign command is submitted."),
            ("POST", ["leader", "transfer", name]) => (Some(*name), "The transfer command is submitted."),
            _ => return None,
        };
        let members = &self.pd.members;
        let is_wanted = |index: &usize| match wanted {
            Some(name) => members.list.get(*index).is_some_and(|member| member.name == name),
            None => *index != leader,
        };
        let candidates: Vec<_> = (0..members.list.len()).filter(is_wanted).collect();
        if candidates.is_empty() {
            // Alone there is nobody to hand over to, which is well when nobody was named.
            let alone = wanted.is_none();
            return Some(if alone {
                answer::ok(done)
            } else {
                answer::error(500, "no valid pd to transfer etcd leader")
            });
        }
        let alive: Vec<_> = candidates.iter().copied().filter(|index| members.is_alive(*index)).collect();
        let index = usize::try_from(self.random.between(0, alive.len() as u64)).unwrap_or(0);
        let Some(next) = alive.get(index).copied() else {
            return Some(answer::error(
                500,
                "[PD:etcd:ErrEtcdMoveLeader]etcdserver: request timed out, leader transfer took too long",
            ));
        };
        if next != leader {
            self.lose_leader_of_pd(Stood::Resigned);
            let takes = i64::try_from(self.random.between(40, 120)).unwrap_or(80);
            self.later(TimeDelta::milliseconds(takes), Task::PdTakesOver(next));
            // Should that one die meanwhile, the others elect.
            let takes = crate::pd::Members::election_takes(&mut self.random, false);
            self.later(takes, Task::PdElection);
        }
        Some(answer::ok(done))
    }
}
