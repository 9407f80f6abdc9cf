//! Each invariant on observations made by hand.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use operator_core::{
    ClusterMetrics, Error, ErrorKind, Finding, Invariant, Member, Observation, Part, PartError, Regarding,
    RegionHealth, RegionProblem, Severity, Signal, SignalValue, Store, StoreMetrics, StoreState, TrustCode,
    TrustReason,
};

use super::*;
use crate::signals;

mod judged;

/// The invariants by their names, as they come.
const IDS: [&str; 22] = [
    "store_down",
    "high_latency",
    "low_disk_space",
    "miss_peer",
    "down_peer",
    "pending_peer",
    "offline_peer",
    "extra_peer",
    "learner_peer",
    "no_leader",
    "quorum_lost",
    "pd_member_unhealthy",
    "pd_no_leader",
    "store_unobserved",
    "store_busy",
    "store_slow",
    "leader_imbalance",
    "region_imbalance",
    "version_mismatch",
    "clock_skew",
    "forgotten",
    "stuck_offline",
];

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn store(id: u64) -> Store {
    let mut store = Store::new(id.into(), format!("tikv{id}:20160"), StoreState::Up);
    store.version = Some("9.0.0".to_owned());
    store.capacity_bytes = Some(1_000);
    store.available_bytes = Some(900);
    store.used_bytes = Some(50);
    store.leader_count = Some(20);
    store.region_count = Some(60);
    store.last_heartbeat = Some(now() - TimeDelta::seconds(5));
    store
}

/// Three stores, three members, nothing wrong, everything seen.
fn healthy() -> Observation {
    let mut seen = Observation::empty(now());
    let stores: Vec<_> = [1, 4, 5].map(store).into();
    seen.metrics = Some(stores.iter().map(|store| metrics(store.id.0)).collect());
    let mut cluster = ClusterMetrics::from_stores(&stores);
    let mut health = RegionHealth::default();
    RegionProblem::ALL.into_iter().for_each(|problem| health.set_count(problem, Some(0)));
    cluster.region_health = Some(health);
    seen.cluster = Some(cluster);
    seen.members = Some((0..3).map(member).collect());
    seen.signals = Some(Vec::new());
    for store in &stores {
        set(&mut seen, store.id, signals::SLOW_SCORE, 1.0);
        set(&mut seen, store.id, signals::BUSY, false);
        set(&mut seen, store.id, signals::LEADER_SCORE, 20.0);
        set(&mut seen, store.id, signals::REGION_SCORE, 60.0);
    }
    set(&mut seen, Regarding::Cluster, signals::PD_WARMING_UP, false);
    set(&mut seen, Regarding::Cluster, signals::SCHEDULERS_KNOWN, true);
    set(&mut seen, Regarding::Cluster, signals::CHECKERS_KNOWN, true);
    set(&mut seen, Regarding::Cluster, signals::SCHEDULING_OPERATORS, 0.0);
    set(&mut seen, Regarding::Cluster, signals::MAX_REPLICAS, 3.0);
    set(&mut seen, Regarding::Cluster, signals::CLOCK_OFFSET, 0.0);
    seen.stores = Some(stores);
    seen
}

fn metrics(id: u64) -> StoreMetrics {
    let mut metrics = StoreMetrics::new(id.into(), now());
    metrics.qps = Some(100.0);
    metrics.latency_p99 = Some(Duration::from_millis(5));
    metrics
}

fn member(n: u64) -> Member {
    let mut member = Member::new(format!("pd{n}"), (n + 1).into());
    member.healthy = Some(true);
    member.leader = n == 0;
    member
}

/// Sets a signal, instead of the one that is there.
fn set(seen: &mut Observation, regarding: impl Into<Regarding>, name: &str, value: impl Into<SignalValue>) {
    let regarding = regarding.into();
    unset(seen, regarding.clone(), name);
    seen.signals.get_or_insert_default().push(Signal::new(regarding, name, value, now(), "test"));
}

fn unset(seen: &mut Observation, regarding: impl Into<Regarding>, name: &str) {
    let regarding = regarding.into();
    let signals = seen.signals.get_or_insert_default();
    signals.retain(|signal| signal.name != name || signal.regarding != regarding);
}

fn of(seen: &mut Observation, id: u64) -> &mut Store {
    seen.stores.as_mut().unwrap().iter_mut().find(|store| store.id.0 == id).unwrap()
}

fn of_metrics(seen: &mut Observation, id: u64) -> &mut StoreMetrics {
    seen.metrics.as_mut().unwrap().iter_mut().find(|metrics| metrics.store_id.0 == id).unwrap()
}

fn health(seen: &mut Observation) -> &mut RegionHealth {
    seen.cluster.as_mut().unwrap().region_health.as_mut().unwrap()
}

fn warm_up(seen: &mut Observation) {
    set(seen, Regarding::Cluster, signals::PD_WARMING_UP, true);
    seen.trust.reasons.push(TrustReason::new(TrustCode::WarmingUp, None, "sign"));
}

/// PD does not hear from the store, and it does or does not answer itself.
fn disconnect(seen: &mut Observation, id: u64, lost: Option<bool>) {
    of(seen, id).state = StoreState::Disconnected;
    if let Some(lost) = lost {
        set(seen, operator_core::StoreId(id), signals::LOST, lost);
    }
}

/// What the invariant finds, in short: `store/4 warning`, `cluster unknown`.
fn found(id: &str, seen: &Observation) -> Vec<String> {
    found_by(&Thresholds::default(), id, seen)
}

fn found_by(thresholds: &Thresholds, id: &str, seen: &Observation) -> Vec<String> {
    findings(thresholds, id, seen).iter().map(short).collect()
}

fn findings(thresholds: &Thresholds, id: &str, seen: &Observation) -> Vec<Finding> {
    let invariants = tikv_invariants(thresholds).unwrap();
    let invariant = invariants.iter().find(|invariant| invariant.info().id == id).unwrap();
    invariant.check(seen)
}

fn short(finding: &Finding) -> String {
    let settled = if finding.settled { " settled" } else { "" };
    let what = finding.severity.map_or("unknown", Severity::as_str);
    format!("{} {what}{settled}", finding.regarding)
}

/// Everything that any invariant finds.
fn all(seen: &Observation) -> Vec<(String, Vec<String>)> {
    let invariants = tikv_invariants(&Thresholds::default()).unwrap();
    let found = invariants.iter().map(|invariant| {
        (invariant.info().id.to_string(), invariant.check(seen).iter().map(short).collect::<Vec<_>>())
    });
    found.filter(|(_, found)| !found.is_empty()).collect()
}

#[test]
fn all_are_there_in_their_order_and_say_what_they_are() {
    let invariants = tikv_invariants(&Thresholds::default()).unwrap();
    let ids: Vec<_> = invariants.iter().map(|invariant| invariant.info().id.to_string()).collect();
    assert_eq!(ids, IDS);
    for info in invariants.iter().map(Invariant::info) {
        assert!(info.validate().is_ok() && info.description.len() > 30 && info.source.len() > 10, "{info:?}");
        assert!(info.look_first.as_ref().is_some_and(|text| text.len() > 20), "{info:?}");
    }
}

#[test]
fn severities_and_graces_are_those_of_the_table() {
    use Severity::{Critical, Info, Warning};
    let table: [(&str, &[(Severity, u64)]); 22] = [
        ("store_down", &[(Warning, 0), (Critical, 60)]),
        ("high_latency", &[(Warning, 60)]),
        ("low_disk_space", &[(Warning, 0), (Critical, 0)]),
        ("miss_peer", &[(Warning, 600)]),
        ("down_peer", &[(Warning, 60)]),
        ("pending_peer", &[(Warning, 600)]),
        ("offline_peer", &[(Warning, 600)]),
        ("extra_peer", &[(Warning, 600)]),
        ("learner_peer", &[(Warning, 600)]),
        ("no_leader", &[(Critical, 30)]),
        ("quorum_lost", &[(Critical, 10)]),
        ("pd_member_unhealthy", &[(Warning, 30)]),
        ("pd_no_leader", &[(Critical, 10)]),
        ("store_unobserved", &[(Warning, 60)]),
        ("store_busy", &[(Warning, 60)]),
        ("store_slow", &[(Warning, 60)]),
        ("leader_imbalance", &[(Info, 900)]),
        ("region_imbalance", &[(Info, 900)]),
        ("version_mismatch", &[(Info, 900)]),
        ("clock_skew", &[(Warning, 60)]),
        ("forgotten", &[(Info, 3_600)]),
        ("stuck_offline", &[(Warning, 1_800)]),
    ];
    for (invariant, (id, severities)) in tikv_invariants(&Thresholds::default()).unwrap().iter().zip(table) {
        let info = invariant.info();
        let graces: Vec<_> = info.severities.iter().map(|s| (s.severity, s.grace.as_secs())).collect();
        assert_eq!((info.id.as_ref(), graces.as_slice()), (id, severities));
    }
}

#[test]
fn a_healthy_cluster_has_nothing_and_nothing_unknown() {
    assert_eq!(all(&healthy()), []);
}

#[test]
fn of_what_is_not_observed_nothing_is_told_but_that_it_is_unknown() {
    let nothing = all(&Observation::empty(now()));
    assert_eq!(nothing.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), IDS);
    assert!(nothing.iter().all(|(_, found)| *found == ["cluster unknown"]), "{nothing:?}");

    type Take = fn(&mut Observation);
    let take: [(Part, Take); 5] = [
        (Part::Stores, |seen| seen.stores = None),
        (Part::Metrics, |seen| seen.metrics = None),
        (Part::RegionHealth, |seen| seen.cluster.as_mut().unwrap().region_health = None),
        (Part::Members, |seen| seen.members = None),
        (Part::Signals, |seen| seen.signals = None),
    ];
    for (part, take) in take {
        let mut seen = healthy();
        take(&mut seen);
        let error = Error::new(ErrorKind::Timeout, part.as_str(), "no answer within 25s");
        seen.errors.push(PartError::new(part, &error));
        let found = all(&seen);
        assert!(!found.is_empty(), "{part}");
        for (id, found) in found {
            assert!(found.iter().all(|finding| finding.ends_with(" unknown")), "{part}, {id}: {found:?}");
            for finding in findings(&Thresholds::default(), &id, &seen) {
                assert_eq!(finding.message, "no answer within 25s", "{part}, {id}");
            }
        }
    }
}

#[test]
fn only_those_are_chosen_that_can_ever_know_something() {
    let ids = |observed: fn(Part) -> bool| -> Vec<_> {
        let chosen = tikv_invariants_of(&Thresholds::default(), observed).unwrap();
        chosen.iter().map(|invariant| invariant.info().id.to_string()).collect()
    };
    assert_eq!(ids(|_| true), IDS);
    let without_metrics = ids(|part| part != Part::Metrics);
    let left_out: Vec<_> =
        IDS.into_iter().filter(|id| !without_metrics.iter().any(|kept| kept == id)).collect();
    assert_eq!(left_out, ["high_latency", "store_unobserved"]);
    assert_eq!(ids(|_| false), Vec::<String>::new());
}

#[test]
fn an_empty_cluster_and_one_of_one_store_raise_nothing() {
    let mut empty = healthy();
    empty.stores = Some(Vec::new());
    empty.metrics = Some(Vec::new());
    empty.signals.as_mut().unwrap().retain(|signal| signal.regarding == Regarding::Cluster);
    assert_eq!(all(&empty), []);

    let mut alone = healthy();
    alone.stores.as_mut().unwrap().truncate(1);
    alone.metrics.as_mut().unwrap().truncate(1);
    // PD counts every region: each has one replica of three, as it always had.
    health(&mut alone).miss_peer = Some(60);
    set(&mut alone, Regarding::Cluster, signals::REMOVED_STORES, 0.0);
    assert_eq!(all(&alone), []);
    set(&mut alone, Regarding::Cluster, signals::REMOVED_STORES, 2.0);
    assert_eq!(all(&alone), [("miss_peer".to_owned(), vec!["cluster warning".to_owned()])]);
    unset(&mut alone, Regarding::Cluster, signals::REMOVED_STORES);
    assert_eq!(all(&alone), [("miss_peer".to_owned(), vec!["cluster unknown".to_owned()])]);
}

#[test]
fn while_pd_warms_up_nothing_that_it_cannot_know_is_told() {
    let mut seen = healthy();
    warm_up(&mut seen);
    for id in [1, 4] {
        disconnect(&mut seen, id, Some(false));
        let store = of(&mut seen, id);
        (store.capacity_bytes, store.available_bytes, store.used_bytes) = (None, None, None);
        for name in [signals::SLOW_SCORE, signals::BUSY] {
            unset(&mut seen, operator_core::StoreId(id), name);
        }
    }
    *health(&mut seen) = RegionHealth::default();
    health(&mut seen).quorum_lost = Some(0);
    let found = all(&seen);
    assert!(
        found.iter().flat_map(|(_, found)| found).all(|finding| finding.ends_with("unknown")),
        "{found:?}"
    );
    let told: Vec<_> = found.iter().map(|(id, _)| id.as_str()).collect();
    for known in
        ["store_down", "quorum_lost", "pd_member_unhealthy", "pd_no_leader", "clock_skew", "version_mismatch"]
    {
        assert!(!told.contains(&known), "{known} can be told: {found:?}");
    }
    for hidden in ["no_leader", "miss_peer", "leader_imbalance", "forgotten", "low_disk_space", "store_slow"]
    {
        assert!(told.contains(&hidden), "{hidden} cannot be told: {found:?}");
    }
}

#[test]
fn the_past_is_not_the_present() {
    let mut seen = healthy();
    seen.trust.reasons.push(TrustReason::new(TrustCode::OutOfDate, Some(Part::Stores), "90 s old"));
    let told_of = all(&seen);
    for id in ["store_down", "low_disk_space", "no_leader", "quorum_lost", "miss_peer", "store_slow"] {
        let told = told_of.iter().find(|(told, _)| told == id).map(|(_, found)| found.as_slice());
        assert_eq!(told, Some(&["cluster unknown".to_owned()][..]), "{id}");
    }
    // What is proven stays so.
    disconnect(&mut seen, 4, Some(true));
    assert_eq!(found("store_down", &seen), ["store/4 critical", "cluster unknown"]);
}
