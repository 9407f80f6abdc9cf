//! What happens when something is due, and what events do.

use chrono::TimeDelta;

use crate::event::{Event, NodeId};
use crate::log::Stood;
use crate::model::{Filling, Load, Process, Work};
use crate::pd::{Members, REGION_BEAT, STORE_BEAT, Source, TICK};
use crate::simulator::{COUNT, Simulator, Task};

impl Simulator {
    pub(crate) fn run(&mut self, task: Task) {
        match task {
            Task::StoreBeat(id) => self.store_beat(id),
            Task::RegionBeat(id) => self.region_beat(id),
            Task::Election(id) => self.election(id),
            Task::Campaign(id) => self.campaign(id),
            Task::PdElection => self.pd_election(),
            Task::Count => {
                self.cluster.count();
                self.later(COUNT, Task::Count);
            }
            Task::Schedule => {
                self.schedule();
                self.later(TICK, Task::Schedule);
            }
            Task::RestartPds => {
                for index in 0..self.pd.members.list.len() {
                    self.restart_pd(index);
                }
            }
            Task::PdTakesOver(index) => self.pd_takes_over(index),
            Task::Operate => self.operate(),
            Task::Arrival { region, peer } => self.arrive(region, peer),
            Task::Script(number) => {
                if let Some(event) = self.take_script(number) {
                    self.apply(event);
                }
            }
        }
    }

    /// Makes something happen now.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Crash(node) => self.stop(node, Process::Dead),
            Event::Hang(node) => self.stop(node, Process::Hung),
            Event::Restart(NodeId::Pd(index)) => self.restart_pd(index),
            Event::Restart(NodeId::Store(id)) => self.restart_store(id),
            Event::RestartAllPds => {
                for index in 0..self.pd.members.list.len() {
                    self.stop(NodeId::Pd(index), Process::Dead);
                }
                self.later(TimeDelta::seconds(1), Task::RestartPds);
            }
            Event::Slow(id) | Event::Fast(id) => {
                self.cluster.settle();
                if let Some(store) = self.cluster.stores.get_mut(&id) {
                    store.slow = matches!(event, Event::Slow(_));
                }
            }
            Event::Fill { store, seconds } => {
                let from = self.cluster.now;
                if let Some(store) = self.cluster.stores.get_mut(&store) {
                    let over = TimeDelta::seconds(i64::try_from(seconds.min(1 << 31)).unwrap_or(60));
                    store.filling = Some(Filling { from, over, from_bytes: store.other_bytes });
                }
            }
            Event::Empty(id) => {
                if let Some(store) = self.cluster.stores.get_mut(&id) {
                    store.filling = None;
                }
            }
            Event::TakeOffline(id) => {
                self.touch_store(id);
                self.pd.take_offline(&self.cluster, id);
            }
            Event::AddStore => {
                if self.pd.bootstrapped_at.is_some() {
                    let id = self.cluster.regions.new_id();
                    self.join(id, self.cluster.now);
                }
            }
            Event::Heat { region, written_bytes_per_second, read_bytes_per_second } => {
                if self.touch(region)
                    && let Some(region) = self.cluster.regions.get_mut(region)
                {
                    region.load = Load {
                        written_bytes_per_second: written_bytes_per_second as f64,
                        read_bytes_per_second: read_bytes_per_second as f64,
                    };
                }
            }
            Event::Split(id) => self.split_at(id, &[]),
            Event::MergeWithNext(id) => self.merge_with_next(id),
            Event::TransferLeader { region, to_store } => self.transfer(region, to_store),
            Event::Doom { region, end } => self.doom(region, end),
            Event::ResignPdLeader => {
                if let Some(leader) = self.pd.members.leader {
                    let count = self.pd.members.list.len();
                    let next =
                        (1..count).map(|n| (leader + n) % count).find(|n| self.pd.members.is_alive(*n));
                    if next.is_some() {
                        self.lose_leader_of_pd(Stood::Resigned);
                        self.pd.members.leader = next;
                        self.new_leader_of_pd(Source::Synced);
                    }
                }
            }
            Event::SetMaxStoreDownTime(seconds) => {
                let span = TimeDelta::seconds(i64::try_from(seconds.min(1 << 31)).unwrap_or(1_800));
                self.pd.policy.set_max_store_down(span);
            }
        }
    }

    fn stop(&mut self, node: NodeId, process: Process) {
        let now = self.cluster.now;
        match node {
            NodeId::Pd(index) => {
                let Some(member) = self.pd.members.list.get_mut(index) else { return };
                if member.process == Process::Dead {
                    return;
                }
                member.process = process;
                let led = self.pd.members.leader == Some(index);
                if led || (self.pd.members.leader.is_some() && !self.pd.members.has_quorum()) {
                    self.lose_leader_of_pd(if led { Stood::Stopped } else { Stood::Alone });
                    let takes = Members::election_takes(&mut self.random, true);
                    self.later(takes, Task::PdElection);
                }
            }
            NodeId::Store(id) => {
                self.cluster.settle();
                let Some(store) = self.cluster.stores.get_mut(&id) else { return };
                if store.process == Process::Dead {
                    return;
                }
                store.process = process;
                store.stopped_at.get_or_insert(now);
                let regions = self.touch_store(id);
                if process == Process::Hung {
                    self.log_hang(id);
                }
                for region in regions {
                    let held = self.cluster.regions.get(region);
                    if held.is_some_and(|held| held.leader.is_some_and(|leader| leader.store == id)) {
                        self.lose_leader(region);
                    }
                    // An election timeout is 10 to 20 s; a leader that lost its quorum notices as late.
                    self.elect_within(region, 10_000, 20_000);
                }
            }
        }
    }

    fn restart_pd(&mut self, index: usize) {
        let now = self.cluster.now;
        let Some(member) = self.pd.members.list.get_mut(index) else { return };
        match member.process {
            Process::Running => return,
            Process::Dead => member.started_at = now,
            Process::Hung => {}
        }
        let died = member.process == Process::Dead;
        member.process = Process::Running;
        if died {
            self.log_pd_start(index);
        }
        if self.pd.members.leader.is_none() {
            let takes = Members::election_takes(&mut self.random, false);
            self.later(takes, Task::PdElection);
        }
    }

    fn restart_store(&mut self, id: u64) {
        let now = self.cluster.now;
        self.cluster.settle();
        let Some(store) = self.cluster.stores.get_mut(&id) else { return };
        let died = store.process == Process::Dead;
        match store.process {
            Process::Running => return,
            Process::Dead => {
                store.started_at = now;
                store.work = Work::new(now);
            }
            Process::Hung => {}
        }
        store.process = Process::Running;
        store.stopped_at = None;
        if let Some(meta) = self.pd.stores.get_mut(&id) {
            meta.started_at = store.started_at;
        }
        if died {
            self.log_start(id, now);
        }
        self.log_return(id, died);
        let regions: Vec<_> =
            self.cluster.regions.held().filter(|r| r.leader.is_none()).map(|r| r.id).collect();
        for region in regions {
            self.elect_within(region, 1_000, 11_000);
        }
        self.pd.store_beat(&self.cluster, id, now);
    }

    fn store_beat(&mut self, id: u64) {
        if let Some(store) = self.cluster.stores.get_mut(&id) {
            store.update_slow_score();
        }
        self.log_complaints(id);
        let tombstone = self.pd.bury_if_empty(&self.cluster, id);
        if tombstone || self.cluster.is_alive(id) {
            self.pd.store_beat(&self.cluster, id, self.cluster.now);
        }
        self.later(STORE_BEAT, Task::StoreBeat(id));
    }

    fn region_beat(&mut self, id: u64) {
        if !self.cluster.regions.is_held(id) {
            return;
        }
        if self.cluster.grow(id) {
            self.split_at(id, &[]);
        }
        self.report(id, true);
        self.later(REGION_BEAT, Task::RegionBeat(id));
    }

    /// The leader of a region tells PD how it is.
    pub(crate) fn report(&mut self, id: u64, periodic: bool) {
        let leader = |simulator: &Self| {
            let memory = simulator.pd.memory.as_ref()?;
            memory.regions.get(&id)?.region.leader.map(|leader| leader.store)
        };
        let before = leader(self);
        self.pd.region_beat(&self.cluster, id, periodic);
        if let (Some(from), Some(to)) = (before, leader(self))
            && from != to
        {
            self.log_pd_hears(id, from, to);
        }
    }

    fn pd_takes_over(&mut self, index: usize) {
        if self.pd.members.leader.is_none() && self.pd.members.is_alive(index) && self.pd.members.has_quorum()
        {
            self.pd.members.leader = Some(index);
            self.new_leader_of_pd(Source::Synced);
        }
    }

    fn pd_election(&mut self) {
        let lost_at = self.pd.members.lost_at;
        if let Some(leader) = self.pd.members.elect(&mut self.random) {
            let kept = self.pd.members.list.get(leader).is_some_and(|member| member.started_at < lost_at);
            self.new_leader_of_pd(if kept { Source::Synced } else { Source::Storage });
        }
    }

    fn schedule(&mut self) {
        self.operate();
        let (new, ids) = self.pd.plan(&self.cluster);
        self.cluster.regions.skip_ids(ids);
        for operator in new {
            self.begin(operator);
        }
    }
}
