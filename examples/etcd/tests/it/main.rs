//! Against a real etcd: three processes on ports of their own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test ends where something is wrong"
)]

mod cluster;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use operator_core::{
    Event, EventKind, InvariantChecker, Monitor, MonitorConfig, Regarding, RegionProblem, Scope, Severity,
    StoreId, StoreState, Subject, SubjectExt, common, conformance,
};
use operator_etcd::{EtcdSubject, REGION};
use tokio_util::sync::CancellationToken;

use self::cluster::Cluster;

const PATIENCE: Duration = Duration::from_secs(30);

async fn cluster(options: &[&str]) -> Option<(Cluster, EtcdSubject)> {
    let cluster = Cluster::start(options)?;
    let subject = EtcdSubject::new(cluster.urls()).unwrap();
    let began = Instant::now();
    while subject.region(REGION).await.map_or(true, |region| region.leader.is_none()) {
        assert!(began.elapsed() < PATIENCE, "etcd elects no leader");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Some((cluster, subject))
}

#[tokio::test]
async fn it_conforms() {
    let Some((_cluster, subject)) = cluster(&[]).await else { return };
    let report = conformance::check(&subject).await;
    report.assert_passed();
}

#[tokio::test]
async fn what_it_says_of_a_healthy_cluster() {
    let Some((cluster, subject)) = cluster(&[]).await else { return };
    subject.store_metrics().await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let seen = subject.observe(&Scope::all()).await.unwrap();
    assert!(seen.errors.is_empty(), "{:?}", seen.errors);
    let stores = seen.stores.unwrap();
    assert_eq!(stores.len(), 3);
    assert_eq!(stores.iter().map(|store| store.leader_count.unwrap()).sum::<u64>(), 1);
    for store in &stores {
        assert_eq!(store.state, StoreState::Up);
        assert!(cluster.urls().contains(&format!("http://{}", store.address)), "{}", store.address);
        assert_eq!(store.capacity_bytes, Some(2 << 30), "etcd's own quota");
        assert!(store.version.as_ref().is_some_and(|version| version.starts_with("3.")));
    }
    let metrics = seen.metrics.unwrap();
    assert_eq!(metrics.len(), 3);
    assert!(
        metrics
            .iter()
            .all(|metrics| metrics.qps.is_some_and(|qps| qps > 0.0) && metrics.memory_bytes.is_some())
    );
    let health = seen.cluster.unwrap().region_health.unwrap();
    assert_eq!((health.no_leader, health.quorum_lost, health.down_peer), (Some(0), Some(0), Some(0)));
    assert_eq!(health.miss_peer, None, "etcd has no replica count to miss");
}

/// What a monitor tells, with a tick a second.
struct Watched {
    events: operator_core::Events,
    stop: CancellationToken,
}

impl Watched {
    fn begin(subject: EtcdSubject) -> Self {
        let checker = InvariantChecker::new(common::invariants()).unwrap();
        let mut config = MonitorConfig::default();
        config.interval = Duration::from_secs(1);
        let mut monitor = Monitor::new(Arc::new(subject), checker, config).unwrap();
        let (events, stop) = (monitor.events("test", 1_000), CancellationToken::new());
        tokio::spawn(monitor.run(stop.clone()));
        Self { events, stop }
    }

    async fn wait_for_first_look(&mut self) {
        let seen = async {
            while self.events.recv().await.expect("the monitor runs").event.kind != EventKind::Observed {}
        };
        tokio::time::timeout(PATIENCE, seen).await.expect("it looks");
    }

    /// The first event of this kind about an invariant.
    async fn wait_for(&mut self, kind: EventKind, invariant: &str) -> Event {
        let wanted = async {
            loop {
                let event = self.events.recv().await.expect("the monitor runs").event;
                if event.kind == kind && event.invariant.as_deref() == Some(invariant) {
                    return (*event).clone();
                }
            }
        };
        tokio::time::timeout(PATIENCE, wanted).await.expect("it is told in time")
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn a_leader_that_is_killed_is_told_and_the_new_one_seen_within_two_ticks() {
    let Some((mut cluster, subject)) = cluster(&[]).await else { return };
    let leader = subject.region(REGION).await.unwrap().leader.unwrap().store_id;
    let address = subject.store(leader).await.unwrap().address;
    let mut watched = Watched::begin(EtcdSubject::new(cluster.urls()).unwrap());
    watched.wait_for_first_look().await;

    cluster.kill(&address);
    let killed = Instant::now();
    let told = watched.wait_for(EventKind::Firing, "store_down").await;
    assert!(
        killed.elapsed() < Duration::from_secs(3),
        "two ticks, and what a look takes: {:?}",
        killed.elapsed()
    );
    assert_eq!(told.regarding, Some(Regarding::Store(leader)));
    assert!(told.message.contains(&address), "{}", told.message);

    // An election takes a second.
    let new = loop {
        assert!(killed.elapsed() < PATIENCE, "no new leader");
        if let Some(new) = subject.region(REGION).await.unwrap().leader {
            break new.store_id;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_ne!(new, leader);
    assert!(killed.elapsed() < Duration::from_secs(4), "{:?}", killed.elapsed());
    let stores = subject.stores().await.unwrap();
    let state = |id: StoreId| stores.iter().find(|store| store.id == id).map(|store| store.state);
    assert_eq!(state(leader), Some(StoreState::Disconnected));
    let up: BTreeSet<_> =
        stores.iter().filter(|store| store.state == StoreState::Up).map(|store| store.id).collect();
    assert_eq!(up.len(), 2);
    let health = subject.region_health().await.unwrap();
    assert_eq!((health.down_peer, health.no_leader, health.quorum_lost), (Some(1), Some(0), Some(0)));

    // It comes back.
    cluster.restart(&address);
    while subject.store(leader).await.unwrap().state != StoreState::Up {
        assert!(killed.elapsed() < PATIENCE, "it does not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn two_of_three_dead_is_no_leader_and_no_quorum() {
    let Some((mut cluster, subject)) = cluster(&[]).await else { return };
    let addresses = cluster.addresses();
    cluster.kill(&addresses[0]);
    cluster.kill(&addresses[1]);
    let began = Instant::now();
    loop {
        let health = subject.region_health().await.unwrap();
        if (health.no_leader, health.quorum_lost) == (Some(1), Some(1)) {
            assert_eq!(health.sample[&RegionProblem::QuorumLost], [REGION]);
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{health:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    cluster.kill(&addresses[2]);
    let error = subject.stores().await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("/v3/cluster/member/list"), "{error}");
}

/// The quota of an etcd is its disk.
#[tokio::test]
async fn a_database_that_fills_its_quota_is_told() {
    let Some((cluster, subject)) = cluster(&["--quota-backend-bytes=8388608"]).await else { return };
    let mut watched = Watched::begin(subject);
    cluster.fill(7 << 20).await;
    let told = watched.wait_for(EventKind::Firing, "low_disk_space").await;
    assert_eq!(told.invariant.as_deref(), Some("low_disk_space"));
    assert!(matches!(told.severity, Some(Severity::Warning | Severity::Critical)));
    assert!(told.observed.is_some_and(|observed| observed > 0.7), "{told:?}");
}
