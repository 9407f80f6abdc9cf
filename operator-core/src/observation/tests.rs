use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::{InMemorySubject, RegionHealth, RegionProblem, StoreId, SubjectExt};

const SECOND: Duration = Duration::from_secs(1);

fn start() -> DateTime<Utc> {
    "2026-03-01T12:00:00.25Z".parse().unwrap()
}

/// Every part, at a time that goes on with tokio's.
fn scope() -> Scope {
    Scope::all().clock(Clock::tokio(start()))
}

fn up(id: u64, last_heartbeat: Option<DateTime<Utc>>) -> Store {
    Store { last_heartbeat, ..Store::new(id.into(), format!("10.0.0.{id}:20160"), StoreState::Up) }
}

/// A subject that answers all six parts.
fn full() -> InMemorySubject {
    InMemorySubject::new("full")
        .with_stores([up(1, None), up(2, None)])
        .with_metrics([])
        .with_cluster_metrics(ClusterMetrics { region_count: Some(7), ..ClusterMetrics::default() })
        .with_region_health(RegionHealth { no_leader: Some(0), ..RegionHealth::default() })
        .with_members([])
        .with_signals([])
}

fn verdict(observation: &Observation) -> TrustVerdict {
    observation.trust.verdict
}

#[tokio::test(start_paused = true)]
async fn the_parts_run_together_and_the_time_is_when_they_began() {
    let subject = full();
    Part::ALL.iter().for_each(|part| subject.delay(part.operation(), SECOND));
    let began = Instant::now();
    let observation = subject.observe(&scope()).await.unwrap();
    assert_eq!(began.elapsed(), SECOND);
    assert_eq!(observation.at, start());
    assert_eq!(observation.trust, Trust::default());
    assert!(observation.stores.is_some() && observation.metrics.is_some() && observation.members.is_some());
    assert!(observation.signals.is_some() && observation.errors.is_empty());
    let cluster = observation.cluster.unwrap();
    assert_eq!((cluster.region_count, cluster.region_health.unwrap().no_leader), (Some(7), Some(0)));
}

#[tokio::test]
async fn a_part_that_fails_is_a_gap_with_an_error_and_makes_it_partial() {
    for part in Part::ALL {
        let subject = full();
        subject.fail(part.operation(), ErrorKind::Unavailable);
        let observation = subject.observe(&scope()).await.unwrap();
        let failure = PartError::new(
            part,
            &Error::new(ErrorKind::Unavailable, part.operation().as_str(), "made to fail"),
        );
        assert_eq!(observation.errors, [failure]);
        assert_eq!(verdict(&observation), TrustVerdict::Partial);
        let reason = TrustReason::new(TrustCode::PartFailed, Some(part), "made to fail");
        assert_eq!(observation.trust.reasons, [reason]);
        assert_gap(part, &observation);
    }
}

/// That `part`, and no other, is missing. Health without the numbers of the cluster comes with those of the stores.
fn assert_gap(part: Part, observation: &Observation) {
    let cluster = observation.cluster.as_ref();
    let there = [
        (Part::Stores, observation.stores.is_some()),
        (Part::Metrics, observation.metrics.is_some()),
        (Part::Cluster, cluster.is_some_and(|cluster| cluster.region_count.is_some())),
        (Part::RegionHealth, cluster.is_some_and(|cluster| cluster.region_health.is_some())),
        (Part::Members, observation.members.is_some()),
        (Part::Signals, observation.signals.is_some()),
    ];
    for (which, there) in there {
        assert_eq!(there, which != part, "{which} while {part} is missing");
    }
}

#[tokio::test]
async fn a_part_that_is_not_supported_is_a_gap_and_nothing_else() {
    let subject = InMemorySubject::new("stores").with_stores([up(1, None)]);
    let observation = subject.observe(&scope()).await.unwrap();
    let only_stores = Observation { stores: Some(vec![up(1, None)]), ..Observation::empty(observation.at) };
    assert_eq!(observation, only_stores);
    assert_eq!(verdict(&observation), TrustVerdict::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_hangs_ends_at_its_deadline_and_the_others_are_kept() {
    let subject = full();
    subject.delay(Operation::Members, Duration::from_secs(86_400));
    let began = Instant::now();
    let observation = subject.observe(&scope().part_deadline(3 * SECOND)).await.unwrap();
    assert_eq!(began.elapsed(), 3 * SECOND);
    assert_gap(Part::Members, &observation);
    let error = &observation.errors[0];
    assert_eq!((error.part, error.kind), (Part::Members, ErrorKind::Timeout));
    assert_eq!(error.message, "no answer within 3s");
}

#[tokio::test(start_paused = true)]
async fn only_what_the_scope_names_is_asked() {
    let subject = full();
    Part::ALL.iter().for_each(|part| subject.delay(part.operation(), SECOND));
    subject.heal(Operation::Stores);
    let began = Instant::now();
    let observation =
        subject.observe(&Scope::of([Part::Stores]).clock(Clock::manual(start()))).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    let only_stores =
        Observation { stores: Some(vec![up(1, None), up(2, None)]), ..Observation::empty(start()) };
    assert_eq!(observation, only_stores);
}

#[tokio::test]
async fn nothing_at_all_is_an_error_and_not_an_observation() {
    let subject = full();
    Part::ALL.iter().for_each(|part| subject.fail(part.operation(), ErrorKind::Unavailable));
    subject.fail(Operation::Stores, ErrorKind::Unauthorized);
    // The first part's error: what it says of the stores explains the rest.
    assert_eq!(subject.observe(&scope()).await.unwrap_err().kind, ErrorKind::Unauthorized);

    let bare = InMemorySubject::new("bare");
    let error = bare.observe(&Scope::of([Part::Members, Part::Metrics])).await.unwrap_err();
    assert_eq!((error.kind, &*error.operation), (ErrorKind::Unsupported, "observe"));
    let error = bare.observe(&Scope::of([])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn health_comes_with_the_numbers_of_the_stores_if_there_are_none_of_the_cluster() {
    let health = RegionHealth { quorum_lost: Some(2), ..RegionHealth::default() };
    let subject = InMemorySubject::new("demo").with_stores([up(1, None)]).with_region_health(health.clone());
    let cluster = subject.observe(&scope()).await.unwrap().cluster.unwrap();
    assert_eq!((cluster.store_count, cluster.region_count), (Some(1), None));
    assert_eq!(cluster.region_health, Some(health.clone()));

    // Without the stores their number is not known, which is not zero.
    let cluster = subject.observe(&Scope::of([Part::RegionHealth])).await.unwrap().cluster.unwrap();
    assert_eq!(cluster, ClusterMetrics { region_health: Some(health), ..ClusterMetrics::default() });
}

/// An observation of stores with these heartbeats and of metrics of these ages, a minute being too old.
async fn aged(heartbeats: &[(StoreState, i64)], metrics: &[i64]) -> Vec<(Option<Part>, String)> {
    let ago = |seconds: &i64| start() - TimeDelta::seconds(*seconds);
    let store =
        |(id, (state, age)): (u64, &(StoreState, i64))| Store { state: *state, ..up(id, Some(ago(age))) };
    let subject = InMemorySubject::new("old")
        .with_stores((1..).zip(heartbeats).map(store))
        .with_metrics((1..).zip(metrics).map(|(id, age)| StoreMetrics::new(StoreId(id), ago(age))));
    let scope = Scope::all().clock(Clock::manual(start())).stale_after(60 * SECOND);
    let trust = subject.observe(&scope).await.unwrap().trust;
    let stale = !trust.reasons.is_empty();
    assert_eq!(trust.verdict, if stale { TrustVerdict::Stale } else { TrustVerdict::Complete });
    assert!(trust.reasons.iter().all(|reason| reason.code == TrustCode::OutOfDate));
    trust.reasons.into_iter().map(|reason| (reason.part, reason.message)).collect()
}

#[tokio::test]
async fn it_is_stale_when_the_newest_heartbeat_or_metric_is() {
    use StoreState::{Down, Up};

    let stores = (Some(Part::Stores), "the newest heartbeat of any store is 61 s old".to_owned());
    let metrics = (Some(Part::Metrics), "the newest metric of any store is 62 s old".to_owned());
    assert_eq!(aged(&[(Up, 61)], &[62, 70]).await, [stores.clone(), metrics]);
    assert_eq!(aged(&[(Up, 61), (Up, 600)], &[1]).await, [stores]);
    // One that is fresh shows that the others are late, and not the view of them.
    assert_eq!(aged(&[(Up, 60), (Up, 600)], &[60, 600]).await, []);
    // Stores that are gone send none; without any there is nothing to be old; and clocks differ.
    assert_eq!(aged(&[(Down, 6_000)], &[]).await, []);
    assert_eq!(aged(&[], &[]).await, []);
    assert_eq!(aged(&[(Up, -600)], &[-600]).await, []);
}

#[tokio::test]
async fn trust_takes_the_worst_and_keeps_every_reason() {
    let subject = full();
    let warming = TrustReason::new(TrustCode::WarmingUp, None, "1 of 2 stores heard from");
    subject.set_trust([warming.clone()]);
    subject.fail(Operation::Members, ErrorKind::Timeout);
    let observation = subject.observe(&scope()).await.unwrap();
    let failed = TrustReason::new(TrustCode::PartFailed, Some(Part::Members), "made to fail");
    let trust = Trust { verdict: TrustVerdict::WarmingUp, reasons: vec![warming, failed] };
    assert_eq!(observation.trust, trust);

    subject.set_stores([up(1, Some(start() - TimeDelta::hours(1)))]);
    let observation = subject.observe(&scope()).await.unwrap();
    assert_eq!(verdict(&observation), TrustVerdict::Stale);
    assert_eq!(observation.trust.reasons.len(), 3);
}

#[tokio::test]
async fn in_json_it_is_as_agreed() {
    let mut store = up(u64::MAX, Some(start()));
    store.status_address = Some("10.0.0.1:20180".into());
    store.labels.insert("zone".into(), "a".into());
    store.capacity_bytes = Some(1 << 40);
    let mut metrics = StoreMetrics::new(StoreId(u64::MAX), start());
    metrics.qps = Some(1.5);
    metrics.latency_p99 = Some(Duration::from_micros(2_500));
    let mut health = RegionHealth { no_leader: Some(1), ..RegionHealth::default() };
    health.add_sample(RegionProblem::NoLeader, 17.into());
    let mut cluster = ClusterMetrics::from_stores(std::slice::from_ref(&store));
    cluster.leader_count.insert(store.id, 3);
    let mut member = Member::new("pd0", 9.into());
    member.client_urls.push("http://pd0:2379".into());
    let signal = Signal::new(store.id, "slow_score", 80.0, start(), "/stores");
    let subject = InMemorySubject::new("json")
        .with_stores([store])
        .with_metrics([metrics])
        .with_cluster_metrics(cluster)
        .with_region_health(health)
        .with_members([member])
        .with_signals([signal]);
    let mut observation = subject.observe(&Scope::all().clock(Clock::manual(start()))).await.unwrap();
    let error = Error::new(ErrorKind::Unavailable, "members", "no leader").at("http://pd0:2379");
    observation.errors.push(PartError::new(Part::Members, &error));
    let reason = TrustReason::new(TrustCode::PartFailed, Some(Part::Members), "no leader");
    observation.trust = Trust { verdict: TrustVerdict::Partial, reasons: vec![reason] };

    let json = serde_json::to_value(&observation).unwrap();
    assert_eq!(
        json,
        json!({
            "at": "2026-03-01T12:00:00.250Z",
            "trust": {
                "verdict": "partial",
                "reasons": [{"code": "part_failed", "part": "members", "message": "no leader"}],
            },
            "stores": [{
                "id": u64::MAX,
                "address": "10.0.0.18446744073709551615:20160",
                "status_address": "10.0.0.1:20180",
                "state": "Up",
                "version": null,
                "labels": {"zone": "a"},
                "capacity_bytes": 1_099_511_627_776_u64,
                "available_bytes": null,
                "used_bytes": null,
                "leader_count": null,
                "region_count": null,
                "started_at": null,
                "last_heartbeat": "2026-03-01T12:00:00.250Z",
            }],
            "metrics": [{
                "store_id": u64::MAX,
                "at": "2026-03-01T12:00:00.250Z",
                "qps": 1.5,
                "latency_p99_seconds": 0.0025,
                "disk_used_bytes": null,
                "disk_available_bytes": null,
                "disk_capacity_bytes": null,
                "cpu_cores": null,
                "memory_bytes": null,
            }],
            "cluster": {
                "store_count": 1,
                "stores_by_state": {"Up": 1},
                "region_count": null,
                "leader_count": {"18446744073709551615": 3},
                "region_health": {
                    "miss_peer": null,
                    "extra_peer": null,
                    "down_peer": null,
                    "pending_peer": null,
                    "offline_peer": null,
                    "learner_peer": null,
                    "no_leader": 1,
                    "quorum_lost": null,
                    "sample": {"no_leader": [17]},
                },
                "disk_used_bytes": null,
                "disk_available_bytes": null,
                "disk_capacity_bytes": null,
            },
            "members": [{
                "name": "pd0",
                "id": 9,
                "client_urls": ["http://pd0:2379"],
                "healthy": null,
                "leader": false,
            }],
            "signals": [{
                "regarding": "store/18446744073709551615",
                "name": "slow_score",
                "value": 80.0,
                "unit": null,
                "at": "2026-03-01T12:00:00.250Z",
                "source": "/stores",
            }],
            "errors": [{
                "part": "members",
                "kind": "unavailable",
                "endpoint": "http://pd0:2379",
                "message": "no leader",
            }],
        })
    );
    let text = json.to_string();
    assert!(text.contains("\"id\":18446744073709551615,"), "{text}");
    assert_eq!(serde_json::from_str::<Observation>(&text).unwrap(), observation);
}

#[test]
fn names_are_those_of_json() {
    for part in Part::ALL {
        assert_eq!(serde_json::to_value(part).unwrap(), part.as_str());
    }
    let verdicts =
        [TrustVerdict::Complete, TrustVerdict::Partial, TrustVerdict::WarmingUp, TrustVerdict::Stale];
    assert!(verdicts.is_sorted());
    for verdict in verdicts {
        assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
    }
}

#[tokio::test(start_paused = true)]
async fn a_declared_part_that_turns_out_unsupported_is_a_failure() {
    let subject = InMemorySubject::new("demo")
        .with_stores([Store::new(1.into(), "a:1", StoreState::Up)])
        .with_members([]);
    subject.fail(Operation::Members, ErrorKind::Unsupported);
    let observation = subject.observe(&Scope::all()).await.unwrap();
    assert_eq!(observation.errors[0].part, Part::Members);
    assert_eq!(observation.trust.verdict, TrustVerdict::Partial);
}
