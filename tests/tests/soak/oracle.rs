//! Judges what a monitor tells by what was done to the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use operator_core::{Event, EventKind, InvariantChecker, Snapshot, ViolationState};
use tikv_simulator::NodeId;

use super::faults::{Faults, PDS, STORES};
use crate::watched::short;

/// PD calls a store `Disconnected` so long after it has stopped, at the latest, and then somebody must have looked.
const NOTICED: Duration = Duration::from_secs(20 + 5);
/// What an observation may take, and not a moment longer.
const DEADLINE: Duration = Duration::from_millis(25_010);
const TICK: Duration = Duration::from_secs(30);

/// What nothing that happens here is a reason for.
const NEVER: [&str; 9] = [
    "low_disk_space",
    "offline_peer",
    "extra_peer",
    "learner_peer",
    "leader_imbalance",
    "region_imbalance",
    "version_mismatch",
    "clock_skew",
    "forgotten",
];

/// How often each thing was put to the test.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    ticks: u64,
    fired: u64,
    resolved: u64,
    stores_found_down: u64,
    stores_found_up: u64,
    quorums_found_lost: u64,
    members_found_down: u64,
    stores_found_slow: u64,
    without_an_answer: u64,
    healthy_ticks: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.ticks += other.ticks;
        self.fired += other.fired;
        self.resolved += other.resolved;
        self.stores_found_down += other.stores_found_down;
        self.stores_found_up += other.stores_found_up;
        self.quorums_found_lost += other.quorums_found_lost;
        self.members_found_down += other.members_found_down;
        self.stores_found_slow += other.stores_found_slow;
        self.without_an_answer += other.without_an_answer;
        self.healthy_ticks += other.healthy_ticks;
    }

    /// A test that finds nothing because nothing happens proves nothing.
    pub(super) fn assert_that_something_was_tested(&self, days: u64) {
        assert!(self.ticks > 2_000 * days && self.healthy_ticks > 200 * days, "{self:?}");
        for count in [self.fired, self.resolved, self.stores_found_down, self.members_found_down] {
            assert!(count >= 10 * days, "{self:?}");
        }
        assert!(self.stores_found_up > 1_000 * days && self.quorums_found_lost >= days, "{self:?}");
        assert!(self.without_an_answer >= days && self.stores_found_slow >= days, "{self:?}");
    }
}

pub(super) struct Oracle {
    seed: u64,
    tally: Tally,
    /// What fires, by invariant and thing, as it was told.
    firing: BTreeMap<(String, String), ()>,
    /// For how many ticks in a row stores, regions' quorums and members could be seen.
    clear: Clear,
    last: Duration,
}

#[derive(Default)]
struct Clear {
    stores: u32,
    quorums: u32,
    members: u32,
    metrics: u32,
}

impl Oracle {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            tally: Tally::default(),
            firing: BTreeMap::new(),
            clear: Clear::default(),
            last: Duration::ZERO,
        }
    }

    /// After a tick, of which `told` was told, at `now` of the day.
    pub(super) fn tick(
        &mut self,
        snapshot: &Snapshot,
        told: &[Arc<Event>],
        faults: &Faults,
        began: DateTime<Utc>,
        now: Duration,
    ) {
        let Some(at) = snapshot.at else { return };
        let at = (at - began).to_std().unwrap();
        self.tally.ticks += 1;
        let place = || format!("seed {}, {:.1} s", self.seed, at.as_secs_f64());
        assert!(snapshot.took <= DEADLINE, "{}: a tick took {:?}", place(), snapshot.took);
        assert!(snapshot.violations.len() + snapshot.unknown.len() < 200, "{}: memory", place());

        let seen = snapshot.observation.as_ref().filter(|_| snapshot.unreachable.is_none());
        let count = |clear: bool, ticks: u32| if clear { ticks + 1 } else { 0 };
        let stores = seen.is_some_and(|seen| seen.stores.is_some() && seen.signals.is_some());
        let cluster = seen.and_then(|seen| seen.cluster.as_ref()?.region_health.as_ref());
        self.clear.stores = count(stores, self.clear.stores);
        self.clear.quorums =
            count(stores && cluster.is_some_and(|health| health.quorum_lost.is_some()), self.clear.quorums);
        let members = seen.and_then(|seen| seen.members.as_ref());
        self.clear.members = count(
            members.is_some_and(|members| members.iter().all(|member| member.healthy.is_some())),
            self.clear.members,
        );

        self.clear.metrics =
            count(stores && seen.is_some_and(|seen| seen.metrics.is_some()), self.clear.metrics);

        self.events(told, snapshot, faults, at, now);
        self.stores(snapshot, faults, at, now);
        self.slow(snapshot, faults, at);
        self.quorums(snapshot, faults, at);
        self.members(snapshot, faults, at);
        if Faults::is_healthy_hour(at) && Faults::is_healthy_hour(now) {
            self.tally.healthy_ticks += 1;
            let told: Vec<_> = told.iter().map(|event| short(event)).collect();
            assert!(told.is_empty(), "{}: told in a healthy hour: {told:?}", self.place(at));
            let violations = (&snapshot.violations, &snapshot.unknown);
            assert!(violations.0.is_empty() && violations.1.is_empty(), "{}: {violations:?}", self.place(at));
        }
        self.last = at;
    }

    fn place(&self, at: Duration) -> String {
        format!("seed {}, {:.1} s", self.seed, at.as_secs_f64())
    }

    /// Whether what was told has a reason, and is told once.
    fn events(
        &mut self,
        told: &[Arc<Event>],
        snapshot: &Snapshot,
        faults: &Faults,
        at: Duration,
        now: Duration,
    ) {
        for event in told {
            let (Some(invariant), Some(regarding)) = (&event.invariant, &event.regarding) else { continue };
            let key = (invariant.to_string(), regarding.to_string());
            let place = format!("{}: {}: {}", self.place(at), short(event), event.message);
            match event.kind {
                EventKind::Firing if event.previous_severity.is_none() => {
                    self.tally.fired += 1;
                    assert!(self.firing.insert(key.clone(), ()).is_none(), "told twice: {place}");
                    assert!(self.has_reason(&key, faults, at, now), "without a reason: {place}");
                }
                EventKind::Firing => assert!(self.firing.contains_key(&key), "not told before: {place}"),
                EventKind::Resolved => {
                    self.tally.resolved += 1;
                    assert!(self.firing.remove(&key).is_some(), "resolved what did not fire: {place}");
                    assert!(snapshot.unreachable.is_none(), "resolved without a sight: {place}");
                    assert!(!self.still_so(&key, faults, at, now), "resolved what is still so: {place}");
                }
                _ => {}
            }
        }
    }

    fn has_reason(
        &self,
        (invariant, regarding): &(String, String),
        faults: &Faults,
        at: Duration,
        now: Duration,
    ) -> bool {
        let lately = |node| {
            let up = faults.up_for(node, now);
            up.is_none_or(|up| up <= TICK + now - at + Duration::from_secs(15))
        };
        match invariant.as_str() {
            "store_down" | "store_unobserved" => lately(NodeId::Store(number(regarding))),
            "pd_member_unhealthy" => lately(NodeId::Pd(usize::try_from(number(regarding)).unwrap())),
            "store_slow" | "store_busy" | "high_latency" => {
                faults.was_slow(number(regarding), Duration::from_secs(200), now)
            }
            "quorum_lost" => STORES.into_iter().filter(|id| lately(NodeId::Store(*id))).count() >= 2,
            "pd_no_leader" => {
                now.saturating_sub(faults.disturbed) < Duration::from_secs(90) || {
                    PDS.iter().filter(|pd| faults.down_for(NodeId::Pd(**pd), now).is_some()).count() >= 2
                }
            }
            // A store's leaders move, or cannot; a store that was away catches up.
            "no_leader" | "pending_peer" | "down_peer" | "miss_peer" => true,
            never => !NEVER.contains(&never) && never != "stuck_offline",
        }
    }

    /// Whether what is told to be over is not.
    fn still_so(
        &self,
        (invariant, regarding): &(String, String),
        faults: &Faults,
        at: Duration,
        now: Duration,
    ) -> bool {
        let down = |node| faults.down_for(node, now).is_some_and(|down| down > now - at + NOTICED);
        match invariant.as_str() {
            "store_down" => down(NodeId::Store(number(regarding))),
            "quorum_lost" => STORES.into_iter().filter(|id| down(NodeId::Store(*id))).count() >= 2,
            "pd_member_unhealthy" => down(NodeId::Pd(usize::try_from(number(regarding)).unwrap())),
            _ => false,
        }
    }

    fn stores(&mut self, snapshot: &Snapshot, faults: &Faults, at: Duration, now: Duration) {
        for id in STORES {
            let fires = fires(snapshot, "store_down", &format!("store/{id}"));
            let node = NodeId::Store(id);
            let began_down = faults.down_for(node, at).filter(|down| *down >= NOTICED);
            if self.clear.stores > 0 && began_down.is_some() {
                self.tally.stores_found_down += 1;
                assert!(fires, "{}: store {id} is down since {began_down:?}, unsaid", self.place(at));
            }
            let long_up = faults.up_for(node, at).is_some_and(|up| up > 4 * TICK + now - at);
            if self.clear.stores >= 5 && long_up {
                self.tally.stores_found_up += 1;
                assert!(!fires, "{}: store {id} is up, and said to be down", self.place(at));
            }
        }
    }

    /// A store that has been slow and running for longer than the grace, measured over a minute.
    fn slow(&mut self, snapshot: &Snapshot, faults: &Faults, at: Duration) {
        let due = 6 * TICK;
        for id in STORES {
            let slow = faults.slow_for(id, at).is_some_and(|slow| slow >= due);
            let up = faults.up_for(NodeId::Store(id), at).is_some_and(|up| up >= due);
            // A store that has no regions to serve has no latency.
            let quorum = faults.majority_down_for(STORES.into_iter().map(NodeId::Store), at).is_none();
            if self.clear.metrics >= 6 && slow && up && quorum {
                self.tally.stores_found_slow += 1;
                let told = fires(snapshot, "high_latency", &format!("store/{id}"));
                assert!(told, "{}: store {id} is slow, unsaid: {:?}", self.place(at), snapshot.unknown);
            }
        }
    }

    fn quorums(&mut self, snapshot: &Snapshot, faults: &Faults, at: Duration) {
        let down = faults.majority_down_for(STORES.into_iter().map(NodeId::Store), at);
        // Seen, then seen for longer than its grace.
        let due = NOTICED + 2 * TICK;
        if self.clear.quorums >= 3 && down.is_some_and(|down| down >= due) {
            self.tally.quorums_found_lost += 1;
            assert!(
                fires(snapshot, "quorum_lost", "cluster"),
                "{}: quorums are lost, unsaid",
                self.place(at)
            );
        }
    }

    fn members(&mut self, snapshot: &Snapshot, faults: &Faults, at: Duration) {
        for pd in PDS {
            let down = faults.down_for(NodeId::Pd(pd), at);
            if self.clear.members >= 3 && down.is_some_and(|down| down >= 3 * TICK) {
                self.tally.members_found_down += 1;
                let fires = fires(snapshot, "pd_member_unhealthy", &format!("member/pd{pd}"));
                assert!(fires, "{}: pd{pd} is down since {down:?}, unsaid", self.place(at));
            }
        }
        let without_leader = faults.majority_down_for(PDS.into_iter().map(NodeId::Pd), at);
        // What stopped while the tick ran may have answered it.
        if without_leader.is_some_and(|down| !down.is_zero()) {
            self.tally.without_an_answer += 1;
            assert!(
                snapshot.unreachable.is_some(),
                "{}: two PDs are down, and it is believed",
                self.place(at)
            );
        }
    }

    /// At the end of the day, in a healthy hour.
    pub(super) fn end(self, told: &[Arc<Event>], checker: &InvariantChecker) -> Tally {
        let told: Vec<_> =
            told.iter().filter(|event| event.kind != EventKind::Stopped).map(|e| short(e)).collect();
        assert!(told.is_empty(), "seed {}: {told:?}", self.seed);
        assert!(self.firing.is_empty(), "seed {}: never resolved: {:?}", self.seed, self.firing);
        assert_eq!(
            checker.history_count(),
            0,
            "seed {}: something is remembered of a healthy cluster",
            self.seed
        );
        self.tally
    }
}

fn fires(snapshot: &Snapshot, invariant: &str, regarding: &str) -> bool {
    snapshot.violations.iter().any(|violation| {
        violation.invariant == invariant
            && violation.regarding.to_string() == regarding
            && violation.state == ViolationState::Firing
    })
}

/// The number at the end of `store/4` or `member/pd1`.
fn number(regarding: &str) -> u64 {
    regarding.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}
