//! What is done to the cluster, and what is true of it because of that.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use tikv_simulator::{Event, Fault, NodeId, Reply, Simulator};

pub(super) const STORES: [u64; 3] = [1, 4, 5];
pub(super) const PDS: [usize; 3] = [0, 1, 2];

/// Nothing is done in these minutes of the day, and everything is whole again some minutes after they begin.
const QUIET: [(u64, u64); 2] = [(580, 660), (1_360, 1_440)];
/// So long after a quiet time has begun a healthy hour does.
const SETTLED_AFTER: Duration = Duration::from_secs(20 * 60);

/// A linear congruential generator: the test must not share the one it tests with.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.below(list.len() as u64)).unwrap()].clone()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Fault,
    Restart(NodeId),
    Fast(u64),
}

/// Since when a process has been as it is, after the day's beginning.
#[derive(Debug, Clone, Copy)]
struct Process {
    runs: bool,
    since: Duration,
}

fn answer(status: u16, body: &'static str) -> Reply {
    let headers = vec![("content-type".to_owned(), "application/json; charset=UTF-8".to_owned())];
    Reply::Answer { status, headers, body: body.into(), delay: Duration::ZERO }
}

/// A day's faults.
pub(super) struct Faults {
    dice: Dice,
    due: BinaryHeap<Reverse<(Duration, Act)>>,
    processes: BTreeMap<NodeId, Process>,
    /// Since when each store has been slow, and until when it was.
    slow: BTreeMap<u64, (Duration, Option<Duration>)>,
    /// When something last happened to PD, or to answers on their way.
    pub(super) disturbed: Duration,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        let nodes = STORES.into_iter().map(NodeId::Store).chain(PDS.into_iter().map(NodeId::Pd));
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5EED);
        let mut due = BinaryHeap::new();
        for minute in
            (2..1_440).filter(|minute| !QUIET.iter().any(|(from, to)| (*from..*to).contains(minute)))
        {
            due.push(Reverse((Duration::from_millis(minute * 60_000 + dice.below(60_000)), Act::Fault)));
        }
        // So that the day does not end with the last fault.
        due.push(Reverse((Duration::from_secs(24 * 3_600 - 1), Act::Restart(NodeId::Store(1)))));
        Self {
            dice,
            due,
            processes: nodes.map(|node| (node, Process { runs: true, since: Duration::ZERO })).collect(),
            slow: BTreeMap::new(),
            disturbed: Duration::ZERO,
        }
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    pub(super) fn act(&mut self, now: Duration, simulator: &mut Simulator) {
        let Some(Reverse((_, act))) = self.due.pop() else { return };
        match act {
            Act::Restart(node) => self.restart(node, now, simulator),
            Act::Fast(store) => {
                if let Some((_, until)) = self.slow.get_mut(&store) {
                    *until = Some(now);
                }
                simulator.apply(Event::Fast(store));
            }
            Act::Fault => self.fault(now, simulator),
        }
    }

    fn restart(&mut self, node: NodeId, now: Duration, simulator: &mut Simulator) {
        if self.processes[&node].runs {
            return;
        }
        self.processes.insert(node, Process { runs: true, since: now });
        if matches!(node, NodeId::Pd(_)) {
            self.disturbed = now;
        }
        simulator.apply(Event::Restart(node));
    }

    fn fault(&mut self, now: Duration, simulator: &mut Simulator) {
        let lasts = Duration::from_secs(self.dice.of(&[3, 12, 25, 60, 150, 400]));
        let (store, pd) = (self.dice.of(&STORES), self.dice.of(&PDS));
        match self.dice.below(20) {
            0..=7 => self.stop(NodeId::Store(store), now, lasts, simulator),
            8..=11 => self.stop(NodeId::Pd(pd), now, lasts, simulator),
            12 if PDS.iter().all(|pd| self.processes[&NodeId::Pd(*pd)].runs) => {
                self.disturbed = now;
                simulator.apply(Event::RestartAllPds);
            }
            13 => {
                self.disturbed = now;
                simulator.apply(Event::ResignPdLeader);
            }
            14 | 15 if self.slow.get(&store).is_none_or(|(_, until)| until.is_some()) => {
                self.slow.insert(store, (now, None));
                simulator.apply(Event::Slow(store));
                self.due.push(Reverse((now + lasts + Duration::from_secs(200), Act::Fast(store))));
            }
            _ => self.disturb(now, simulator),
        }
    }

    fn stop(&mut self, node: NodeId, now: Duration, lasts: Duration, simulator: &mut Simulator) {
        if !self.processes[&node].runs {
            return;
        }
        self.processes.insert(node, Process { runs: false, since: now });
        if matches!(node, NodeId::Pd(_)) {
            self.disturbed = now;
        }
        simulator.apply(if self.dice.below(3) == 0 { Event::Hang(node) } else { Event::Crash(node) });
        self.due.push(Reverse((now + lasts, Act::Restart(node))));
    }

    /// Some answers of PD do not come, or are none.
    fn disturb(&mut self, now: Duration, simulator: &mut Simulator) {
        self.disturbed = now;
        let replies = [
            Fault::too_many_requests(),
            Fault::no_service(),
            Reply::Refused,
            Reply::Silent,
            answer(200, ""),
            answer(200, "{\"count\":"),
            answer(200, "null"),
            answer(500, "\"[PD:apiutil:ErrRedirect]redirect failed\""),
        ];
        let paths = [
            "/pd/api/v1/stores",
            "/pd/api/v1/members",
            "/pd/api/v1/schedulers",
            "/pd/api/v1/regions",
            "/pd/api",
        ];
        let path = self.dice.of(&paths);
        let times = 1 + self.dice.below(4);
        simulator.inject(Fault::new(path, self.dice.of(&replies)).times(times));
    }

    /// For how long the process has not been running.
    pub(super) fn down_for(&self, node: NodeId, now: Duration) -> Option<Duration> {
        let process = self.processes[&node];
        (!process.runs).then(|| now.saturating_sub(process.since))
    }

    /// For how long it has been running.
    pub(super) fn up_for(&self, node: NodeId, now: Duration) -> Option<Duration> {
        let process = self.processes[&node];
        process.runs.then(|| now.saturating_sub(process.since))
    }

    /// For how long at least two of these have not been running.
    pub(super) fn majority_down_for(
        &self,
        nodes: impl Iterator<Item = NodeId>,
        now: Duration,
    ) -> Option<Duration> {
        let mut down: Vec<_> = nodes.filter_map(|node| self.down_for(node, now)).collect();
        down.sort();
        // The second that stopped broke it.
        (down.len() >= 2).then(|| down[down.len() - 2])
    }

    /// Whether the store has been slow within this time.
    pub(super) fn was_slow(&self, store: u64, within: Duration, now: Duration) -> bool {
        self.slow.get(&store).is_some_and(|(_, until)| until.is_none_or(|until| until + within >= now))
    }

    /// For how long the store has been slow.
    pub(super) fn slow_for(&self, store: u64, now: Duration) -> Option<Duration> {
        let (since, until) = self.slow.get(&store)?;
        until.is_none().then(|| now.saturating_sub(*since))
    }

    /// Whether everything has been whole for a while and stays so.
    pub(super) fn is_healthy_hour(now: Duration) -> bool {
        QUIET.iter().any(|(from, to)| {
            let (from, to) = (Duration::from_secs(from * 60), Duration::from_secs(to * 60));
            (from + SETTLED_AFTER..to).contains(&now)
        })
    }
}
