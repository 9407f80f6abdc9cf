//! Who leads a region, and how that changes.

use std::borrow::Cow;

use chrono::TimeDelta;

use crate::Led;
use crate::model::Peer;
use crate::random::hash;
use crate::simulator::{Simulator, Task};

/// The term in which a new region's log begins.
const FIRST_TERM: u64 = 5;

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
            self.step_down(id);
            return;
        }
        if let Some(winner) = candidates.get(pick) {
            self.lead(id, *winner);
            self.report(id, false);
        }
    }

    /// A leader without a quorum notices, and its peers go on trying to elect one.
    fn step_down(&mut self, id: u64) {
        if self.config.logs
            && let Some(region) = self.cluster.regions.get(id).map(Cow::into_owned)
        {
            if let Some(leader) = region.leader.filter(|leader| self.cluster.is_alive(leader.store)) {
                self.log_step_down(&region, leader);
            }
            if self.logs.campaigning.insert(id) {
                self.later(self.campaigns_after(id), Task::Campaign(id));
            }
        }
        self.lose_leader(id);
    }

    /// A peer of a region that cannot elect a leader tries, and again some seconds later; nothing but logs come of it.
    pub(crate) fn campaign(&mut self, id: u64) {
        let region = self.cluster.regions.get(id).map(Cow::into_owned);
        let alive = |store| self.cluster.is_alive(store);
        match region.filter(|region| region.leader.is_none() && !region.has_quorum(alive)) {
            Some(region) => {
                let candidate = region.voters().find(|peer| self.cluster.is_alive(peer.store));
                if let Some(candidate) = candidate {
                    self.log_campaign_in_vain(&region, candidate);
                }
                self.later(self.campaigns_after(id), Task::Campaign(id));
            }
            None => {
                self.logs.campaigning.remove(&id);
            }
        }
    }

    /// An election timeout: 10 to 20 s. Not drawn from the model's chance, which logs must not change.
    fn campaigns_after(&self, id: u64) -> TimeDelta {
        let now = self.cluster.now.timestamp_millis().unsigned_abs();
        let millis = 10_000 + hash(self.cluster.seed, id, now) % 10_000;
        TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(15_000))
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

    /// A peer leads from now on, for a term of its own.
    fn lead(&mut self, id: u64, peer: Peer) {
        let before = self.cluster.regions.get(id).filter(|_| self.config.logs).map(Cow::into_owned);
        if let Some(before) = before {
            self.log_election(&before, peer);
        }
        let Some(region) = self.cluster.regions.get_mut(id) else { return };
        region.term += 1;
        region.voted = peer.id;
        region.leader = Some(peer);
        let term = region.term;
        self.note_leader(Led { at: self.cluster.now, region: id, peer: peer.id, store: peer.store, term });
    }

    /// A region that was split off gets its first leader, beside the old one's.
    pub(crate) fn lead_first(&mut self, id: u64) {
        let Some(region) = self.cluster.regions.get_mut(id) else { return };
        let leader = region.leader.take();
        region.term = FIRST_TERM;
        region.voted = 0;
        let left = region.clone();
        self.log_split(&left, FIRST_TERM);
        if let Some(leader) = leader {
            self.lead(id, leader);
        }
    }
}
