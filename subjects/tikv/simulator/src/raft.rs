//! Who leads a region, and how that changes.

use chrono::TimeDelta;

use crate::model::Peer;
use crate::simulator::{Simulator, Task};

impl Simulator {
    /// The peers look after this time, in milliseconds, whether they have a leader.
    pub(crate) fn elect_within(&mut self, region: u64, low_ms: u64, high_ms: u64) {
        let after = i64::try_from(self.random.between(low_ms, high_ms)).unwrap_or(15_000);
        self.later(TimeDelta::milliseconds(after), Task::Election(region));
    }

    /// The peers of a region elect a leader, if it has none and enough of them are there.
    pub(crate) fn election(&mut self, id: u64) {
        let alive = |store| self.cluster.is_alive(store);
        let Some(region) = self.cluster.regions.get(id) else { return };
        let (quorum, leader) = (region.has_quorum(alive), region.leader);
        let candidates: Vec<_> = region.voters().filter(|peer| alive(peer.store)).collect();
        if leader.is_some_and(|leader| alive(leader.store)) && quorum {
            return;
        }
        let pick = usize::try_from(self.random.between(0, candidates.len() as u64)).unwrap_or(0);
        if !quorum {
            self.lose_leader(id);
            return;
        }
        if let Some(winner) = candidates.get(pick) {
            self.lead(id, *winner);
            self.report(id, false);
        }
    }

    /// The leader of a region, if it has one, hands over to another peer, and PD hears of it.
    pub(crate) fn hand_over(&mut self, id: u64, to: Peer) {
        let leader = self.cluster.regions.get(id).and_then(|region| region.leader);
        if leader.is_some_and(|leader| leader.id == to.id) {
            return;
        }
        self.lead(id, to);
        self.report(id, false);
    }

    /// Nobody leads the region any more.
    pub(crate) fn lose_leader(&mut self, id: u64) {
        if let Some(region) = self.cluster.regions.get_mut(id) {
            region.leader = None;
        }
    }

    fn lead(&mut self, id: u64, peer: Peer) {
        if let Some(region) = self.cluster.regions.get_mut(id) {
            region.term += 1;
            region.voted = peer.id;
            region.leader = Some(peer);
        }
    }
}
