//! PD's scheduling: which peers and leaders should be elsewhere, and the operators that move them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Pd;
use super::memory::{Known, StoreState};
use crate::model::Cluster;

/// PD looks for work this often.
pub(crate) const TICK: TimeDelta = TimeDelta::seconds(2);
/// How many peers are moved to one store at a time.
const MOVES_PER_STORE: usize = 2;
const LEADERS_PER_TICK: usize = 2;
/// A snapshot travels for four to nine seconds.
fn snapshot_takes(region: u64) -> TimeDelta {
    TimeDelta::seconds(4 + i64::try_from(region % 6).unwrap_or(0))
}

const TIMEOUT: TimeDelta = TimeDelta::minutes(10);
/// From this score on a store is slow and its leaders are moved away.
pub(crate) const SLOW_SCORE: u64 = 80;
/// How long PD remembers operators that ended.
const REMEMBERED: TimeDelta = TimeDelta::minutes(10);

/// One change of one region that PD asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operator {
    pub(crate) region: u64,
    pub(crate) conf_ver: u64,
    pub(crate) version: u64,
    pub(crate) why: &'static str,
    pub(crate) what: What,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
    /// The learner that was added, and when.
    pub(crate) learner: Option<(u64, DateTime<Utc>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    MovePeer { from: u64, to: u64 },
    TransferLeader { from: u64, to: u64 },
}

/// What the cluster has to do for an operator now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    AddLearner { region: u64, store: u64 },
    Replace { region: u64, from: u64, to: u64 },
    Transfer { region: u64, to: u64 },
}

impl Pd {
    /// Steps of the operators that run, and new operators. Nothing while PD warms up.
    pub(crate) fn schedule(&mut self, cluster: &Cluster) -> Vec<Step> {
        let now = cluster.now;
        if !self.memory.as_ref().is_some_and(|memory| memory.is_warm(cluster)) {
            return Vec::new();
        }
        let steps = self.run(cluster);
        let new = self.plan(cluster);
        if let Some(memory) = &mut self.memory {
            for operator in &mut memory.operators {
                if now - operator.created_at > TIMEOUT {
                    operator.finished_at = Some(now);
                }
            }
            let (running, ended): (Vec<_>, Vec<_>) =
                memory.operators.drain(..).partition(|operator| operator.finished_at.is_none());
            memory.operators = running;
            for (operators, event) in [(&new, "create"), (&ended, "finish")] {
                for operator in operators {
                    *memory.operator_counts.entry((operator.why, event)).or_default() += 1;
                }
            }
            memory.finished.extend(ended);
            memory.finished.retain(|operator| operator.finished_at.is_some_and(|at| now - at < REMEMBERED));
            memory.operators.extend(new);
        }
        steps
    }

    fn run(&mut self, cluster: &Cluster) -> Vec<Step> {
        let now = cluster.now;
        let mut steps = Vec::new();
        let Some(memory) = &mut self.memory else { return steps };
        for operator in &mut memory.operators {
            let Some(region) = cluster.regions.get(operator.region) else {
                operator.finished_at = Some(now);
                continue;
            };
            let led = region.leader.is_some_and(|leader| cluster.is_alive(leader.store));
            match operator.what {
                _ if !led || now - operator.created_at < TimeDelta::seconds(1) => {}
                What::TransferLeader { to, .. } => {
                    steps.push(Step::Transfer { region: operator.region, to });
                    operator.finished_at = Some(now);
                }
                What::MovePeer { to, .. } if !cluster.is_alive(to) => {}
                What::MovePeer { from, to } => match operator.learner {
                    None => {
                        steps.push(Step::AddLearner { region: operator.region, store: to });
                        operator.learner = Some((to, now));
                    }
                    Some((_, since)) if now - since >= snapshot_takes(operator.region) => {
                        steps.push(Step::Replace { region: operator.region, from, to });
                        operator.finished_at = Some(now);
                    }
                    Some(_) => {}
                },
            }
        }
        steps
    }

    fn plan(&self, cluster: &Cluster) -> Vec<Operator> {
        let Some(memory) = &self.memory else { return Vec::new() };
        let mut plan = Plan { pd: self, cluster, new: Vec::new(), counts: BTreeMap::new() };
        for id in self.stores.keys().filter(|id| self.is_target(cluster, **id)) {
            plan.counts.insert(*id, Count::default());
        }
        for known in memory.regions.values() {
            for peer in &known.region.peers {
                if let Some(count) = plan.counts.get_mut(&peer.store) {
                    count.peers += 1;
                }
            }
            if let Some(count) = known.region.leader.and_then(|leader| plan.counts.get_mut(&leader.store)) {
                count.leaders += 1;
            }
        }
        for operator in &memory.operators {
            if let What::MovePeer { to, .. } = operator.what
                && let Some(count) = plan.counts.get_mut(&to)
            {
                count.arriving += 1;
                count.peers += u64::from(operator.learner.is_none());
            }
        }
        plan.replace();
        plan.evict_leaders();
        // Balancing would hold region after region of a cluster that is computed.
        if cluster.regions.calm_count() == 0 {
            plan.balance_regions();
            plan.balance_leaders();
        }
        plan.new
    }

    /// Whether PD would put something on this store.
    fn is_target(&self, cluster: &Cluster, id: u64) -> bool {
        self.stores.get(&id).is_some_and(|meta| meta.state == StoreState::Up)
            && self.state_name(cluster, id) == "Up"
            && self.beat(id).is_some_and(|beat| {
                beat.slow_score < SLOW_SCORE && beat.available_bytes > beat.capacity_bytes / 5
            })
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    peers: u64,
    leaders: u64,
    arriving: usize,
}

struct Plan<'a> {
    pd: &'a Pd,
    cluster: &'a Cluster,
    new: Vec<Operator>,
    /// Of the stores that something can be put on.
    counts: BTreeMap<u64, Count>,
}

impl Plan<'_> {
    fn known(&self) -> impl Iterator<Item = &Known> {
        self.pd.memory.iter().flat_map(|memory| memory.regions.values())
    }

    fn is_busy(&self, region: u64) -> bool {
        let running = self.pd.memory.iter().flat_map(|memory| &memory.operators);
        running.chain(&self.new).any(|operator| operator.region == region)
    }

    fn add(&mut self, known: &Known, why: &'static str, what: What) {
        if let What::MovePeer { to, .. } = what
            && let Some(count) = self.counts.get_mut(&to)
        {
            count.arriving += 1;
            count.peers += 1;
        }
        self.new.push(Operator {
            region: known.region.id,
            conf_ver: known.region.conf_ver,
            version: known.region.version,
            why,
            what,
            created_at: self.cluster.now,
            finished_at: None,
            learner: None,
        });
    }

    /// The emptiest store that can take a peer of this region.
    fn target(&self, known: &Known) -> Option<u64> {
        self.counts
            .iter()
            .filter(|(id, count)| count.arriving < MOVES_PER_STORE && known.region.peer_on(**id).is_none())
            .min_by_key(|(_, count)| count.peers)
            .map(|(id, _)| *id)
    }

    /// Peers on stores that are leaving or were silent for too long.
    fn replace(&mut self) {
        let leaving: BTreeMap<u64, &'static str> = (self.pd.stores.keys())
            .filter_map(|id| match self.pd.state_name(self.cluster, *id) {
                "Offline" => Some((*id, "replace-rule-offline-peer")),
                "Down" => Some((*id, "replace-rule-down-peer")),
                _ => None,
            })
            .collect();
        if leaving.is_empty() {
            return;
        }
        let candidates: Vec<_> = self
            .known()
            .filter_map(|known| {
                let (from, why) = known
                    .region
                    .peers
                    .iter()
                    .find_map(|peer| leaving.get(&peer.store).map(|why| (peer.store, *why)))?;
                Some((known.clone(), from, why))
            })
            .collect();
        for (known, from, why) in candidates {
            if self.counts.values().all(|count| count.arriving >= MOVES_PER_STORE) {
                return;
            }
            if !self.is_busy(known.region.id)
                && let Some(to) = self.target(&known)
            {
                self.add(&known, why, What::MovePeer { from, to });
            }
        }
    }

    /// Slow stores should lead nothing.
    fn evict_leaders(&mut self) {
        let slow: Vec<_> = (self.pd.stores.keys().copied())
            .filter(|id| self.pd.beat(*id).is_some_and(|beat| beat.slow_score >= SLOW_SCORE))
            .collect();
        for store in slow {
            let led: Vec<_> = self
                .known()
                .filter(|known| known.region.leader.is_some_and(|leader| leader.store == store))
                .take(LEADERS_PER_TICK)
                .cloned()
                .collect();
            for known in led {
                let to = known.region.voters().find(|peer| self.counts.contains_key(&peer.store));
                if let (Some(to), false) = (to, self.is_busy(known.region.id)) {
                    self.add(&known, "evict-slow-store", What::TransferLeader { from: store, to: to.store });
                }
            }
        }
    }

    fn balance_regions(&mut self) {
        for _ in 0..MOVES_PER_STORE {
            let fullest =
                self.counts.iter().max_by_key(|(_, count)| count.peers).map(|(id, count)| (*id, count.peers));
            let emptiest = self
                .counts
                .iter()
                .filter(|(_, count)| count.arriving < MOVES_PER_STORE)
                .min_by_key(|(_, count)| count.peers)
                .map(|(id, count)| (*id, count.peers));
            let (Some((from, most)), Some((to, least))) = (fullest, emptiest) else { return };
            if most < least + 4 {
                return;
            }
            let moved = self.known().find(|known| {
                known.region.peer_on(from).is_some()
                    && known.region.peer_on(to).is_none()
                    && known.region.leader.is_some()
                    && !self.is_busy(known.region.id)
            });
            let Some(known) = moved.cloned() else { return };
            if let Some(count) = self.counts.get_mut(&from) {
                count.peers -= 1;
            }
            self.add(&known, "balance-region", What::MovePeer { from, to });
        }
    }

    fn balance_leaders(&mut self) {
        for _ in 0..LEADERS_PER_TICK {
            let most = self
                .counts
                .iter()
                .max_by_key(|(_, count)| count.leaders)
                .map(|(id, count)| (*id, count.leaders));
            let least = self
                .counts
                .iter()
                .min_by_key(|(_, count)| count.leaders)
                .map(|(id, count)| (*id, count.leaders));
            let (Some((from, most)), Some((to, least))) = (most, least) else { return };
            if most < least + 3 {
                return;
            }
            let moved = self.known().find(|known| {
                known.region.leader.is_some_and(|leader| leader.store == from)
                    && known.region.voters().any(|peer| peer.store == to)
                    && !self.is_busy(known.region.id)
            });
            let Some(known) = moved.cloned() else { return };
            for (store, delta) in [(from, u64::MAX), (to, 1)] {
                if let Some(count) = self.counts.get_mut(&store) {
                    count.leaders = count.leaders.wrapping_add(delta);
                }
            }
            self.add(&known, "balance-leader", What::TransferLeader { from, to });
        }
    }
}
