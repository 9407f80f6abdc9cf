//! For every recorded state: what the invariants must say of it, written by hand from what was true
//! (`tests/recordings/README.md`). What is not named here holds.

use std::collections::BTreeSet;

use operator_core::{CheckReport, Clock, Scope, SubjectExt, ViolationState};
use operator_tests::STATES;
use operator_tikv::invariants::{Thresholds, tikv_invariants_of};
use operator_tikv::signals;
use rstest::rstest;

use crate::recordings::replayed;
use crate::support::recorded;

/// An invariant, what it regards, and where it stands at first sight.
type Told = (&'static str, &'static str, &'static str);

/// What is to be said of a state.
struct Judgement {
    state: &'static str,
    violated: &'static [Told],
    /// Invariants, and the things of which they cannot tell.
    unknown: &'static [(&'static [&'static str], &'static [&'static str])],
}

/// What is known of each store only while it lives and PD's leader has heard from it.
const OF_LIVE_STORES: &[&str] = &["low_disk_space", "store_busy", "store_slow"];

/// What PD counts.
const COUNTED: &[&str] =
    &["miss_peer", "down_peer", "pending_peer", "offline_peer", "extra_peer", "learner_peer"];

/// What PD cannot know while it warms up.
const HIDDEN_BY_WARMING_UP: &[&str] = &["no_leader", "leader_imbalance", "region_imbalance", "forgotten"];

/// What needs stores.
const WITHOUT_STORES: &[&str] = &[
    "store_down",
    "no_leader",
    "quorum_lost",
    "leader_imbalance",
    "region_imbalance",
    "version_mismatch",
    "clock_skew",
    "forgotten",
    "stuck_offline",
];

const CLUSTER: &[&str] = &["cluster"];

const JUDGEMENTS: [Judgement; 17] = [
    Judgement { state: "healthy-idle", violated: &[], unknown: &[] },
    Judgement { state: "healthy-loaded", violated: &[], unknown: &[] },
    Judgement { state: "healthy-busy", violated: &[], unknown: &[] },
    // Store 5 hangs; 16 regions have not told PD of another leader than it.
    Judgement {
        state: "store-disconnected",
        violated: &[("store_down", "store/5", "firing"), ("no_leader", "cluster", "pending")],
        unknown: &[(OF_LIVE_STORES, &["store/5"])],
    },
    Judgement {
        state: "store-down",
        violated: &[("store_down", "store/4", "firing"), ("pending_peer", "cluster", "pending")],
        unknown: &[(OF_LIVE_STORES, &["store/4"])],
    },
    Judgement { state: "store-back", violated: &[], unknown: &[] },
    // A follower's page of metrics was recorded. The store is slow and does not say so: its slow score is 1.
    Judgement { state: "store-slow", violated: &[], unknown: &[(COUNTED, CLUSTER)] },
    Judgement { state: "scaling-out", violated: &[("extra_peer", "cluster", "pending")], unknown: &[] },
    Judgement {
        state: "store-offline",
        violated: &[
            ("extra_peer", "cluster", "pending"),
            ("pending_peer", "cluster", "pending"),
            ("offline_peer", "cluster", "pending"),
            ("learner_peer", "cluster", "pending"),
        ],
        unknown: &[],
    },
    Judgement { state: "store-tombstone", violated: &[], unknown: &[] },
    // No finding of stores, leaders or quorum: every store lives.
    Judgement {
        state: "pd-member-lost",
        violated: &[("pd_member_unhealthy", "member/pd0", "pending")],
        unknown: &[
            (OF_LIVE_STORES, &["store/1", "store/4"]),
            (COUNTED, CLUSTER),
            (HIDDEN_BY_WARMING_UP, CLUSTER),
        ],
    },
    Judgement {
        state: "pd-warming-up",
        violated: &[],
        unknown: &[
            (OF_LIVE_STORES, &["store/1", "store/4"]),
            (COUNTED, CLUSTER),
            (HIDDEN_BY_WARMING_UP, CLUSTER),
        ],
    },
    Judgement { state: "pd-warm-again", violated: &[], unknown: &[(COUNTED, CLUSTER)] },
    // As `pd-member-lost` in PD, but for the member.
    Judgement {
        state: "two-stores-lost",
        violated: &[
            ("store_down", "store/4", "firing"),
            ("store_down", "store/5", "firing"),
            ("no_leader", "cluster", "pending"),
            ("quorum_lost", "cluster", "pending"),
        ],
        unknown: &[(OF_LIVE_STORES, &["store/4", "store/5"]), (COUNTED, CLUSTER)],
    },
    Judgement {
        state: "not-bootstrapped",
        violated: &[],
        unknown: &[(WITHOUT_STORES, CLUSTER), (OF_LIVE_STORES, CLUSTER), (COUNTED, CLUSTER)],
    },
    Judgement {
        state: "pd-leader-just-lost",
        violated: &[("pd_no_leader", "cluster", "pending")],
        unknown: &[
            (WITHOUT_STORES, CLUSTER),
            (OF_LIVE_STORES, CLUSTER),
            (COUNTED, CLUSTER),
            (&["pd_member_unhealthy"], CLUSTER),
        ],
    },
    Judgement {
        state: "pd-no-quorum",
        violated: &[("pd_no_leader", "cluster", "pending")],
        unknown: &[
            (WITHOUT_STORES, CLUSTER),
            (OF_LIVE_STORES, CLUSTER),
            (COUNTED, CLUSTER),
            (&["pd_member_unhealthy"], CLUSTER),
        ],
    },
];

/// The state, served over HTTP with its stores' status ports, judged.
async fn judged(state: &str) -> CheckReport {
    let (_server, subject, scope) = replayed(state).await;
    // The recordings are observed without metrics: what needs them is judged over the simulator.
    let invariants = tikv_invariants_of(&Thresholds::default(), |part| scope.parts.contains(&part)).unwrap();
    match subject.observe(&scope).await {
        Ok(observation) => CheckReport::of("tikv", &observation, invariants, false).unwrap(),
        Err(error) => CheckReport::blind("tikv", scope.clock.now(), &error, invariants, false).unwrap(),
    }
}

#[rstest]
#[case("healthy-idle")]
#[case("healthy-loaded")]
#[case("healthy-busy")]
#[case("store-disconnected")]
#[case("store-down")]
#[case("store-back")]
#[case("store-slow")]
#[case("scaling-out")]
#[case("store-offline")]
#[case("store-tombstone")]
#[case("pd-member-lost")]
#[case("pd-warming-up")]
#[case("pd-warm-again")]
#[case("two-stores-lost")]
#[case("not-bootstrapped")]
#[case("pd-leader-just-lost")]
#[case("pd-no-quorum")]
#[tokio::test]
async fn a_recorded_state_is_judged_as_it_was(#[case] state: &str) {
    let expected = JUDGEMENTS.iter().find(|judgement| judgement.state == state).unwrap();
    let report = judged(state).await;

    let violated: BTreeSet<_> =
        report.violations.iter().map(|v| format!("{} {} {}", v.invariant, v.regarding, v.state)).collect();
    let told = |(invariant, regarding, stands): &Told| format!("{invariant} {regarding} {stands}");
    assert_eq!(violated, expected.violated.iter().map(told).collect());

    let unknown: BTreeSet<_> =
        report.unknown.iter().map(|u| format!("{} {}", u.invariant, u.regarding)).collect();
    let each = |(invariants, things): &(&[&str], &[&str])| {
        let all =
            invariants.iter().flat_map(|invariant| things.iter().map(move |thing| (*invariant, *thing)));
        all.map(|(invariant, thing)| format!("{invariant} {thing}")).collect::<Vec<_>>()
    };
    assert_eq!(unknown, expected.unknown.iter().flat_map(each).collect());
}

#[test]
fn every_recorded_state_is_judged() {
    let judged: BTreeSet<_> = JUDGEMENTS.iter().map(|judgement| judgement.state).collect();
    assert_eq!(judged, BTreeSet::from(STATES));
}

/// Where PD and every official alert see nothing but two disconnected stores.
#[tokio::test]
async fn a_lost_quorum_is_of_all_regions_and_names_the_stores() {
    let report = judged("two-stores-lost").await;
    let lost = report.violations.iter().find(|violation| violation.invariant == "quorum_lost").unwrap();
    assert_eq!((lost.observed, lost.state), (Some(54.0), ViolationState::Pending));
    assert!(lost.message.contains("54 regions") && lost.message.contains("store 4"), "{}", lost.message);
    assert!(lost.message.contains("store 5"), "{}", lost.message);
}

/// With the stores' recorded pages beside PD's answers; where a store's was not recorded, another's.
#[rstest]
#[case("healthy-idle")]
#[case("healthy-loaded")]
#[case("healthy-busy")]
#[tokio::test(start_paused = true)]
async fn a_healthy_state_violates_nothing_that_is_measured_either(#[case] state: &str) {
    let (transport, subject) = recorded(state);
    let scope = Scope::all().clock(Clock::manual(transport.recording().recorded_at()));
    let observation = subject.observe(&scope).await.unwrap();
    assert_eq!(observation.metrics.as_ref().unwrap().len(), 3);
    // What the pages tell of themselves is told of every store, and it is told that all is well.
    for name in [signals::WRITE_STALL, signals::LEADER_MISSING] {
        let told: Vec<_> = observation.signals_named(name).map(|signal| signal.value.as_number()).collect();
        assert_eq!(told, [Some(0.0); 3], "{name}");
    }
    let invariants = subject.invariants(&Thresholds::default()).unwrap();
    let report = CheckReport::of("tikv", &observation, invariants, true).unwrap();
    assert_eq!(report.violations, []);
    // Looked at twice at one moment, a page tells no rates, and therefore no latency.
    let unknown: Vec<_> = report.unknown.iter().map(|unknown| &*unknown.invariant).collect();
    assert_eq!(unknown, ["high_latency"; 3]);
}
