//! The heart: no sockets, no tasks, no wall clock.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::event::{Event, Fault, NodeId, OperatorEnd};
use crate::http::{Reply, Request, RequestLog};
use crate::log::{Logs, Stood};
use crate::model::{Cluster, Layout, Process, Regions, Store, Work};
use crate::pd::{Known, Pd, REGION_BEAT, STORE_BEAT, Source, StoreMeta, TICK};
use crate::random::{Random, hash};
use crate::{Config, store};

/// How long the cluster has been running at the start.
const RUNNING_FOR: TimeDelta = TimeDelta::hours(3);
/// How often what is on each store is summed up.
pub(crate) const COUNT: TimeDelta = TimeDelta::seconds(5);
/// Faults that wait to strike, at most.
pub(crate) const MAX_FAULTS: usize = 1_000;

/// A model of a cluster. The same [`Config`] and the same calls give the same answers, to the byte.
#[derive(Debug)]
pub struct Simulator {
    pub(crate) config: Config,
    pub(crate) cluster: Cluster,
    pub(crate) pd: Pd,
    pub(crate) random: Random,
    queue: BinaryHeap<Reverse<(DateTime<Utc>, u64, Task)>>,
    sequence: u64,
    script: BTreeMap<u64, Event>,
    faults: Vec<Fault>,
    log: RequestLog,
    /// How operators end that have not begun yet, by region.
    pub(crate) dooms: BTreeMap<u64, OperatorEnd>,
    pub(crate) logs: Logs,
}

/// What is due at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    StoreBeat(u64),
    RegionBeat(u64),
    /// The peers of a region find out whether they have a leader.
    Election(u64),
    /// A peer of a region without a quorum tries to be elected.
    Campaign(u64),
    PdElection,
    /// The member that was chosen takes over from a leader of PD that resigned.
    PdTakesOver(usize),
    Count,
    Schedule,
    /// Operators that are due do their next step.
    Operate,
    /// A new peer has received its snapshot.
    Arrival {
        region: u64,
        peer: u64,
    },
    RestartPds,
    /// An event of the script, by its number.
    Script(u64),
}

/// A process that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeInfo {
    /// Which one.
    pub id: NodeId,
    /// `pd0`, `tikv2`, …
    pub name: String,
    /// `host:port` at which it answers HTTP: PD's client port, TiKV's status port.
    pub authority: String,
    /// What becomes of a connection.
    pub reachable: Reachable,
}

/// What becomes of a connection to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reachable {
    /// It is answered.
    Answers,
    /// It is refused: the process is dead.
    Refused,
    /// It is accepted and never answered: the process hangs.
    Silent,
}

impl From<Process> for Reachable {
    fn from(process: Process) -> Self {
        match process {
            Process::Running => Self::Answers,
            Process::Hung => Self::Silent,
            Process::Dead => Self::Refused,
        }
    }
}

impl Simulator {
    /// A cluster that has been running for three hours.
    pub fn new(config: Config) -> Self {
        let started_at = config.start - RUNNING_FOR;
        // Ids as a real bootstrap gives them: store 1, its region 2 with peer 3, then the other stores.
        let ids: Vec<u64> = (0..config.stores as u64).map(|n| if n == 0 { 1 } else { n + 3 }).collect();
        let regions = if ids.is_empty() { 0 } else { config.regions.max(1) };
        let cluster = Cluster {
            seed: config.seed,
            now: config.start,
            stores: BTreeMap::new(),
            regions: Regions::new(Layout::new(config.seed, regions, ids.clone())),
            sums: BTreeMap::new(),
        };
        let mut simulator = Self {
            pd: Pd::new(config.seed, config.pds, started_at, !ids.is_empty()),
            random: Random::new(config.seed),
            cluster,
            queue: BinaryHeap::new(),
            sequence: 0,
            script: BTreeMap::new(),
            faults: Vec::new(),
            log: RequestLog::default(),
            dooms: BTreeMap::new(),
            logs: Logs::default(),
            config,
        };
        for member in 0..simulator.pd.members.list.len() {
            simulator.log_pd_start(member);
        }
        simulator.log_pd_leader(started_at + TimeDelta::seconds(5));
        for id in &ids {
            simulator.join(*id, started_at + TimeDelta::seconds(6));
        }
        simulator.cluster.count();
        simulator.know_the_past();
        simulator.later(COUNT, Task::Count);
        simulator.later(TICK, Task::Schedule);
        let hot =
            simulator.cluster.regions.starting_at(b"usertable:user5").next().map_or(0, |region| region.id);
        for (after, event) in simulator.config.scenario.script(&ids, simulator.config.pds, hot) {
            let number = simulator.script.len() as u64;
            simulator.script.insert(number, event);
            simulator.later(TimeDelta::from_std(after).unwrap_or_default(), Task::Script(number));
        }
        simulator
    }

    /// The simulated time.
    pub fn now(&self) -> DateTime<Utc> {
        self.cluster.now
    }

    /// What the cluster was built from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Lets time pass: everything that is due in this span happens, in its order.
    pub fn advance(&mut self, by: Duration) {
        let end = TimeDelta::from_std(by)
            .ok()
            .and_then(|by| self.cluster.now.checked_add_signed(by))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        while let Some(Reverse((at, _, task))) = self.queue.peek().copied() {
            if at > end {
                break;
            }
            self.queue.pop();
            self.cluster.now = self.cluster.now.max(at);
            self.run(task);
        }
        self.cluster.now = end;
    }

    /// What the node at `authority` (`host:port`) answers.
    pub fn answer(&mut self, authority: &str, request: &Request) -> Reply {
        self.log.note(authority, request);
        let Some(node) = self.node_at(authority) else { return Reply::Refused };
        match self.reachable(node) {
            Reachable::Refused => return Reply::Refused,
            Reachable::Silent => return Reply::Silent,
            Reachable::Answers => {}
        }
        let fault = self.strike(node, request);
        if let Some((reply, false)) = fault {
            return reply;
        }
        let reply = match node {
            NodeId::Pd(index) if request.method == "GET" => self.pd.answer(&self.cluster, index, request),
            NodeId::Pd(index) => self.act(index, request),
            NodeId::Store(id) => store::answer(&self.cluster, &self.pd, id, request),
        };
        fault.map_or(reply, |(lost, _)| lost)
    }

    /// Every process there is, PDs first.
    pub fn nodes(&self) -> Vec<NodeInfo> {
        let pds = self.pd.members.list.iter().enumerate().map(|(index, member)| NodeInfo {
            id: NodeId::Pd(index),
            name: member.name.clone(),
            authority: member.authority.clone(),
            reachable: member.process.into(),
        });
        let stores = self.cluster.stores.values().map(|store| NodeInfo {
            id: NodeId::Store(store.id),
            name: store.name.clone(),
            authority: store.status_address.clone(),
            reachable: store.process.into(),
        });
        pds.chain(stores).collect()
    }

    /// Gives a node its real address, so that members' `client_urls` and stores' `status_address` can be dialled. A
    /// store's `address` names the same host, with a port at which nothing listens.
    pub fn set_authority(&mut self, node: NodeId, authority: impl Into<String>) {
        match node {
            NodeId::Pd(index) => {
                if let Some(member) = self.pd.members.list.get_mut(index) {
                    member.authority = authority.into();
                }
            }
            NodeId::Store(id) => {
                // A store that announces a loopback address for its status is on this machine with all its ports:
                // a client rightly does not dial the loopback address of a store that lives on another.
                let first = self.cluster.stores.keys().take_while(|other| **other < id).count();
                if let Some(store) = self.cluster.stores.get_mut(&id) {
                    store.status_address = authority.into();
                    let host = store.status_address.rsplit_once(':').map_or("", |(host, _)| host);
                    store.address = format!("{host}:{}", 20_160 + first);
                }
            }
        }
    }

    /// What becomes of a connection to the node; a node that does not exist refuses.
    pub fn reachable(&self, node: NodeId) -> Reachable {
        match node {
            NodeId::Pd(index) => self.pd.members.list.get(index).map(|member| member.process),
            NodeId::Store(id) => self.cluster.stores.get(&id).map(|store| store.process),
        }
        .map_or(Reachable::Refused, Reachable::from)
    }

    /// Makes coming requests fail in a way of your choice. At most 1,000 faults wait; more are ignored.
    pub fn inject(&mut self, fault: Fault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }

    /// The requests received so far.
    pub fn requests(&self) -> &RequestLog {
        &self.log
    }

    /// The requests received so far, to clear them.
    pub fn requests_mut(&mut self) -> &mut RequestLog {
        &mut self.log
    }

    fn node_at(&self, authority: &str) -> Option<NodeId> {
        let pd = self.pd.members.list.iter().position(|member| member.authority == authority);
        pd.map(NodeId::Pd).or_else(|| {
            let store = self.cluster.stores.values().find(|store| store.status_address == authority);
            store.map(|store| NodeId::Store(store.id))
        })
    }

    /// What a fault makes of the request, and whether the request is carried out first.
    fn strike(&mut self, node: NodeId, request: &Request) -> Option<(Reply, bool)> {
        let index = self.faults.iter().position(|fault| {
            fault.times > 0
                && fault.node.is_none_or(|wanted| wanted == node)
                && fault.method.as_ref().is_none_or(|wanted| *wanted == request.method)
                && request.path().starts_with(&fault.path_prefix)
        })?;
        let fault = self.faults.get_mut(index)?;
        fault.times -= 1;
        let struck = (fault.reply.clone(), fault.done);
        if fault.times == 0 {
            self.faults.remove(index);
        }
        Some(struck)
    }

    pub(crate) fn later(&mut self, after: TimeDelta, task: Task) {
        self.sequence += 1;
        self.queue.push(Reverse((self.cluster.now + after, self.sequence, task)));
    }

    pub(crate) fn take_script(&mut self, number: u64) -> Option<Event> {
        self.script.remove(&number)
    }

    /// A moment of its own for each beat, so that they spread over the period.
    fn phase(&self, id: u64, period: TimeDelta) -> TimeDelta {
        let nanos = period.num_nanoseconds().unwrap_or(1).unsigned_abs().max(1);
        TimeDelta::nanoseconds(i64::try_from(hash(self.config.seed, id, 31) % nanos).unwrap_or(0))
    }

    /// A store process starts for the first time.
    pub(crate) fn join(&mut self, id: u64, started_at: DateTime<Utc>) {
        let name = format!("tikv{}", self.cluster.stores.len());
        self.cluster.stores.insert(
            id,
            Store {
                id,
                address: format!("{name}:20160"),
                status_address: format!("{name}:20180"),
                name,
                process: Process::Running,
                started_at,
                stopped_at: None,
                capacity_bytes: self.config.store_capacity_bytes,
                other_bytes: self.config.store_capacity_bytes as f64 * 0.1,
                filling: None,
                slow: false,
                slow_score: 1.0,
                work: Work::new(started_at),
            },
        );
        self.log_start(id, started_at);
        self.pd.stores.insert(id, StoreMeta::new(started_at));
        self.later(self.phase(id, STORE_BEAT), Task::StoreBeat(id));
    }

    /// What PD learnt in the three hours before the start.
    fn know_the_past(&mut self) {
        let (seed, now) = (self.config.seed, self.cluster.now);
        let ids: Vec<_> = self.cluster.stores.keys().copied().collect();
        for id in ids {
            let at = now - STORE_BEAT + self.phase(id, STORE_BEAT);
            self.pd.store_beat(&self.cluster, id, at);
        }
        let held: Vec<_> = self.cluster.regions.held().cloned().collect();
        for region in held {
            let phase = self.phase(region.id, REGION_BEAT);
            let mut known = Known::from_beat(region.clone(), seed, now - REGION_BEAT + phase);
            for _ in 0..16 {
                known.count_heat();
            }
            if let Some(memory) = &mut self.pd.memory {
                memory.regions.insert(region.id, known);
            }
            self.later(phase, Task::RegionBeat(region.id));
        }
    }

    /// Puts a calm region among those that are held, with what PD knows of it.
    pub(crate) fn touch(&mut self, id: u64) -> bool {
        if self.cluster.regions.is_held(id) {
            return true;
        }
        let Some(region) = self.cluster.regions.get(id).map(Cow::into_owned) else {
            return false;
        };
        self.remember(&region);
        self.cluster.regions.get_mut(id).is_some()
    }

    fn remember(&mut self, region: &crate::model::Region) {
        if let Some(memory) = &mut self.pd.memory {
            let known = memory.known(&self.cluster, Cow::Borrowed(region)).into_owned();
            memory.regions.insert(region.id, known);
        }
        self.later(self.phase(region.id, REGION_BEAT), Task::RegionBeat(region.id));
    }

    /// Every region with a peer on the store, all of them held.
    pub(crate) fn touch_store(&mut self, store: u64) -> Vec<u64> {
        for id in self.cluster.regions.hold_on_store(store) {
            if let Some(region) = self.cluster.regions.get(id).map(Cow::into_owned) {
                self.remember(&region);
            }
        }
        self.cluster.regions.held().filter(|r| r.peer_on(store).is_some()).map(|r| r.id).collect()
    }

    /// The leader of PD leads no more.
    pub(crate) fn lose_leader_of_pd(&mut self, why: Stood) {
        let leader = self.pd.members.leader;
        self.pd.lose_leader(self.cluster.now);
        if let Some(leader) = leader {
            self.log_pd_leader_lost(leader, why);
        }
    }

    pub(crate) fn new_leader_of_pd(&mut self, source: Source) {
        self.pd.lead(&self.cluster, source);
        self.log_pd_leader(self.cluster.now);
    }
}
