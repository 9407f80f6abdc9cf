//! PD's scheduling: which peers and leaders should be elsewhere, and the operators that move them.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::Pd;
use super::memory::{Known, Memory, StoreState};
use super::operator::{Operator, Step, change_peers, kind};
use crate::model::{Cluster, Peer, Role};

/// PD looks for work this often.
pub(crate) const TICK: TimeDelta = TimeDelta::seconds(2);
/// How many peers are moved to one store at a time, at the limit that a store has at first.
const MOVES_PER_STORE: f64 = 2.0;
const FIRST_LIMIT: f64 = 15.0;
const LEADERS_PER_TICK: usize = 2;
/// How many leaders `evict-leader-scheduler` moves from a store at a time.
pub(crate) const EVICTED_PER_TICK: usize = 3;
/// From this score on a store is slow and its leaders are moved away.
pub(crate) const SLOW_SCORE: u64 = 80;
pub(crate) const BALANCE_REGION: &str = "balance-region-scheduler";
pub(crate) const BALANCE_LEADER: &str = "balance-leader-scheduler";
pub(crate) const EVICT_SLOW: &str = "evict-slow-store-scheduler";
pub(crate) const EVICT_LEADER: &str = "evict-leader-scheduler";
/// The checker of placement rules, as it is kept among what pauses.
const RULE_CHECKER: &str = "checker/rule";

impl Pd {
    /// New operators, and how many ids their peers took. Nothing while PD warms up.
    pub(crate) fn plan(&mut self, cluster: &Cluster) -> (Vec<Operator>, u64) {
        let now = cluster.now;
        let Some(memory) = self.memory.as_mut() else { return (Vec::new(), 0) };
        memory.forget(now);
        memory.paused.retain(|_, (_, until)| *until > now);
        let Some(memory) = self.memory.as_ref().filter(|memory| memory.is_warm(cluster)) else {
            return (Vec::new(), 0);
        };
        let mut plan = Plan { pd: self, memory, cluster, new: Vec::new(), counts: BTreeMap::new(), ids: 0 };
        plan.count();
        if !memory.is_paused(RULE_CHECKER, now) {
            plan.replace();
            plan.keep_the_rules();
        }
        plan.evict_leaders();
        // Balancing would hold region after region of a cluster that is computed.
        if cluster.regions.calm_count() == 0 {
            if !memory.is_paused(BALANCE_REGION, now) {
                plan.balance_regions();
            }
            if !memory.is_paused(BALANCE_LEADER, now) {
                plan.balance_leaders();
            }
        }
        (plan.new, plan.ids)
    }

    /// Whether PD would put something on this store.
    pub(crate) fn is_target(&self, cluster: &Cluster, id: u64) -> bool {
        let kept_free = 1.0 - self.policy.number("low-space-ratio", cluster.now);
        self.stores.get(&id).is_some_and(|meta| meta.state == StoreState::Up)
            && self.state_name(cluster, id) == "Up"
            && self.beat(id).is_some_and(|beat| {
                beat.slow_score < SLOW_SCORE
                    && beat.available_bytes as f64 > beat.capacity_bytes as f64 * kept_free
            })
    }

    /// Whether PD would make a peer on this store the leader.
    pub(crate) fn may_lead(&self, cluster: &Cluster, id: u64) -> bool {
        !self.policy.evicted.contains(&id)
            && self.stores.get(&id).is_some_and(|meta| meta.state == StoreState::Up)
            && self.state_name(cluster, id) == "Up"
            && self.beat(id).is_some_and(|beat| beat.slow_score < SLOW_SCORE)
    }

    /// The steps that put the peer of one store on another, and PD's words for it. `None` where there is nothing to move.
    pub(crate) fn move_peer(
        &self,
        cluster: &Cluster,
        known: &Known,
        from: u64,
        to: u64,
        id: u64,
    ) -> Option<(String, Vec<Step>)> {
        let old = known.region.peer_on(from)?;
        let new = Peer { id, store: to, role: old.role };
        let leads = known.region.leader.is_some_and(|leader| leader.store == from);
        let next = || {
            let mut others = known.region.voters().filter(|peer| peer.store != from);
            others.find(|peer| self.may_lead(cluster, peer.store)).map_or(to, |peer| peer.store)
        };
        let transfer = leads.then(|| (from, next()));
        Some((format!("mv peer: store [{from}] to [{to}]"), change_peers(Some(new), Some(old), transfer)))
    }
}

#[derive(Debug, Clone, Copy)]
struct Count {
    peers: u64,
    leaders: u64,
    arriving: usize,
    /// How many may be on their way to it at a time.
    most: usize,
    /// Whether PD puts leaders there.
    leads: bool,
    leader_weight: f64,
    region_weight: f64,
}

impl Count {
    fn leader_score(&self) -> f64 {
        self.leaders as f64 / self.leader_weight.max(1e-6)
    }

    fn region_score(&self) -> f64 {
        self.peers as f64 / self.region_weight.max(1e-6)
    }

    fn is_open(&self) -> bool {
        self.arriving < self.most
    }
}

struct Plan<'a> {
    pd: &'a Pd,
    memory: &'a Memory,
    cluster: &'a Cluster,
    new: Vec<Operator>,
    /// Of the stores that something can be put on.
    counts: BTreeMap<u64, Count>,
    /// How many ids were taken.
    ids: u64,
}

impl<'a> Plan<'a> {
    fn count(&mut self) {
        for (id, meta) in self.pd.stores.iter().filter(|(id, _)| self.pd.is_target(self.cluster, **id)) {
            let most = (meta.limits.add_peer / FIRST_LIMIT * MOVES_PER_STORE).ceil().clamp(1.0, 64.0);
            let count = Count {
                peers: 0,
                leaders: 0,
                arriving: 0,
                most: most as usize,
                leads: self.pd.may_lead(self.cluster, *id),
                leader_weight: meta.leader_weight,
                region_weight: meta.region_weight,
            };
            self.counts.insert(*id, count);
        }
        for known in self.memory.regions.values() {
            for peer in &known.region.peers {
                if let Some(count) = self.counts.get_mut(&peer.store) {
                    count.peers += 1;
                }
            }
            if let Some(count) = known.region.leader.and_then(|leader| self.counts.get_mut(&leader.store)) {
                count.leaders += 1;
            }
        }
        for operator in &self.memory.operators {
            if let Some(count) = operator.target().and_then(|to| self.counts.get_mut(&to)) {
                count.arriving += 1;
                count.peers += u64::from(!operator.has_added());
            }
        }
    }

    fn known(&self) -> impl Iterator<Item = &'a Known> + use<'a> {
        self.memory.regions.values()
    }

    fn is_busy(&self, region: u64) -> bool {
        self.memory.operators.iter().chain(&self.new).any(|operator| operator.region == region)
    }

    /// How many operators of a kind run, also those that were just planned.
    fn running(&self, wanted: u64) -> usize {
        let all = self.memory.operators.iter().chain(&self.new);
        all.filter(|operator| operator.kind & wanted != 0).count()
    }

    fn is_within(&self, limit: &str, wanted: u64) -> bool {
        (self.running(wanted) as f64) < self.pd.policy.number(limit, self.cluster.now)
    }

    fn new_id(&mut self) -> u64 {
        self.ids += 1;
        self.cluster.regions.next_id() + self.ids - 1
    }

    fn add(&mut self, known: &Known, desc: &'static str, brief: String, kind: u64, steps: Vec<Step>) {
        let operator = Operator::new(known, desc, brief, kind, steps, self.cluster.now);
        if let Some(count) = operator.target().and_then(|to| self.counts.get_mut(&to)) {
            count.arriving += 1;
            count.peers += 1;
        }
        self.new.push(operator);
    }

    fn add_move(&mut self, known: &Known, desc: &'static str, kind: u64, from: u64, to: u64) {
        let id = self.new_id();
        if let Some((brief, steps)) = self.pd.move_peer(self.cluster, known, from, to, id) {
            self.add(known, desc, brief, kind, steps);
        }
    }

    /// The emptiest store that can take a peer of this region.
    fn target(&self, known: &Known) -> Option<u64> {
        self.counts
            .iter()
            .filter(|(id, count)| count.is_open() && known.region.peer_on(**id).is_none())
            .min_by(|(_, a), (_, b)| a.region_score().total_cmp(&b.region_score()))
            .map(|(id, _)| *id)
    }

    /// Peers on stores that are leaving or were silent for too long.
    fn replace(&mut self) {
        let leaving: BTreeMap<u64, [&'static str; 2]> = (self.pd.stores.keys())
            .filter_map(|id| match self.pd.state_name(self.cluster, *id) {
                "Offline" => Some((*id, ["replace-rule-offline-peer", "replace-rule-offline-leader-peer"])),
                "Down" => Some((*id, ["replace-rule-down-peer", "replace-rule-down-leader-peer"])),
                _ => None,
            })
            .collect();
        if leaving.is_empty() {
            return;
        }
        for known in self.known() {
            if self.counts.values().all(|count| !count.is_open())
                || !self.is_within("replica-schedule-limit", kind::REPLICA)
            {
                return;
            }
            let on = |peer: &Peer| leaving.get(&peer.store).map(|why| (peer.store, *why));
            let Some((from, [plain, leader])) = known.region.peers.iter().find_map(on) else { continue };
            if !self.is_busy(known.region.id)
                && let Some(to) = self.target(known)
            {
                let leads = known.region.leader.is_some_and(|peer| peer.store == from);
                self.add_move(known, if leads { leader } else { plain }, kind::REPLICA, from, to);
            }
        }
    }

    /// Regions with too few or too many peers.
    fn keep_the_rules(&mut self) {
        let wanted = self.pd.policy.replicas();
        for known in self.known() {
            let region = &known.region;
            let voters = region.voters().count();
            if (voters == wanted && region.peers.len() == wanted)
                || region.leader.is_none()
                || self.is_busy(region.id)
                || !self.is_within("replica-schedule-limit", kind::REPLICA)
            {
                continue;
            }
            let learner = region.peers.iter().copied().find(|peer| peer.role == Role::Learner);
            if voters < wanted {
                let settled =
                    |peer: &Peer| self.counts.contains_key(&peer.store) && !known.pending.contains(peer);
                if let Some(learner) = learner.filter(settled) {
                    let brief = format!("promote peer: store [{}]", learner.store);
                    self.add(known, "fix-peer-role", brief, kind::REPLICA, vec![Step::Promote(learner)]);
                } else if learner.is_none()
                    && let Some(store) = self.target(known)
                {
                    let peer = Peer { id: self.new_id(), store, role: Role::Voter };
                    let steps = change_peers(Some(peer), None, None);
                    self.add(
                        known,
                        "add-rule-peer",
                        format!("add peer: store [{store}]"),
                        kind::REPLICA,
                        steps,
                    );
                }
                continue;
            }
            // The one that serves least: a learner, one on a store that is not well, the newest.
            let spare = region.peers.iter().filter(|peer| region.leader != Some(**peer)).max_by_key(|peer| {
                (peer.role == Role::Learner, !self.counts.contains_key(&peer.store), peer.id)
            });
            if let Some(spare) = spare.copied() {
                let brief = format!("rm peer: store [{}]", spare.store);
                self.add(known, "remove-orphan-peer", brief, 0, vec![Step::Remove(spare)]);
            }
        }
    }

    /// Slow stores should lead nothing, nor those of `evict-leader-scheduler`.
    fn evict_leaders(&mut self) {
        let now = self.cluster.now;
        let slow = self
            .pd
            .stores
            .keys()
            .filter(|id| self.pd.beat(**id).is_some_and(|beat| beat.slow_score >= SLOW_SCORE));
        let stores: Vec<_> = (self.pd.policy.evicted.iter().map(|id| (*id, EVICT_LEADER, EVICTED_PER_TICK)))
            .chain(slow.map(|id| (*id, EVICT_SLOW, LEADERS_PER_TICK)))
            .filter(|(_, name, _)| !self.memory.is_paused(name, now))
            .collect();
        for (store, desc, at_a_time) in stores {
            let mut moved = 0;
            for known in self.known() {
                if moved == at_a_time || !self.is_within("leader-schedule-limit", kind::LEADER) {
                    break;
                }
                if known.region.leader.is_none_or(|leader| leader.store != store)
                    || self.is_busy(known.region.id)
                {
                    continue;
                }
                let may_lead = |peer: &Peer| self.counts.get(&peer.store).is_some_and(|count| count.leads);
                let others: Vec<_> = known.region.voters().filter(may_lead).map(|peer| peer.store).collect();
                let Some(to) = others.first().copied() else { continue };
                let brief = if desc == EVICT_LEADER {
                    let others: Vec<_> = others.iter().map(u64::to_string).collect();
                    let others = others.join(" ");
                    format!(
                        "evict leader: from store {store} to one in [{others}], or to {to} (for compatibility)"
                    )
                } else {
                    format!("transfer leader: store {store} to {to}")
                };
                self.add(known, desc, brief, 0, vec![Step::TransferLeader { from: store, to }]);
                moved += 1;
            }
        }
    }

    fn balance_regions(&mut self) {
        let by_score = |a: &Count, b: &Count| a.region_score().total_cmp(&b.region_score());
        for _ in 0..MOVES_PER_STORE as usize {
            let fullest =
                self.counts.iter().max_by(|(_, a), (_, b)| by_score(a, b)).map(|(id, count)| (*id, *count));
            let emptiest = self
                .counts
                .iter()
                .filter(|(_, count)| count.is_open())
                .min_by(|(_, a), (_, b)| by_score(a, b))
                .map(|(id, count)| (*id, *count));
            let (Some((from, most)), Some((to, least))) = (fullest, emptiest) else { return };
            if most.region_score() < least.region_score() + 4.0
                || !self.is_within("region-schedule-limit", kind::REGION)
            {
                return;
            }
            let moved = self.known().find(|known| {
                known.region.peer_on(from).is_some()
                    && known.region.peer_on(to).is_none()
                    && known.region.leader.is_some()
                    && !self.is_busy(known.region.id)
            });
            let Some(known) = moved else { return };
            if let Some(count) = self.counts.get_mut(&from) {
                count.peers -= 1;
            }
            self.add_move(known, BALANCE_REGION, 0, from, to);
        }
    }

    fn balance_leaders(&mut self) {
        let by_score = |a: &Count, b: &Count| a.leader_score().total_cmp(&b.leader_score());
        for _ in 0..LEADERS_PER_TICK {
            let most =
                self.counts.iter().max_by(|(_, a), (_, b)| by_score(a, b)).map(|(id, count)| (*id, *count));
            let least = self
                .counts
                .iter()
                .filter(|(_, count)| count.leads)
                .min_by(|(_, a), (_, b)| by_score(a, b))
                .map(|(id, count)| (*id, *count));
            let (Some((from, most)), Some((to, least))) = (most, least) else { return };
            if most.leader_score() < least.leader_score() + 3.0
                || !self.is_within("leader-schedule-limit", kind::LEADER)
            {
                return;
            }
            let moved = self.known().find(|known| {
                known.region.leader.is_some_and(|leader| leader.store == from)
                    && known.region.voters().any(|peer| peer.store == to)
                    && !self.is_busy(known.region.id)
            });
            let Some(known) = moved else { return };
            for (store, delta) in [(from, u64::MAX), (to, 1)] {
                if let Some(count) = self.counts.get_mut(&store) {
                    count.leaders = count.leaders.wrapping_add(delta);
                }
            }
            let brief = format!("transfer leader: store {from} to {to}");
            self.add(known, BALANCE_LEADER, brief, 0, vec![Step::TransferLeader { from, to }]);
        }
    }
}
