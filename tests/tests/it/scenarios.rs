//! What an observation of each simulated story says is what the story is about.

use operator_core::{
    ErrorKind, HotKind, HotRegionQuery, Observation, Regarding, RegionHealth, RegionProblem, Store, StoreId,
    StoreState, Subject, SubjectExt, TrustVerdict,
};
use operator_tikv::signals;
use tikv_simulator::Scenario;

use crate::support::Simulated;

/// The cluster at the moment at which the scenario shows its point, and everything that is seen of it.
async fn observe(scenario: Scenario) -> (Simulated, Observation) {
    let simulated = Simulated::showing(scenario).await;
    let observation = simulated.subject.observe(&simulated.scope()).await.unwrap();
    assert!(observation.errors.is_empty(), "{:?}", observation.errors);
    (simulated, observation)
}

fn store(observation: &Observation, id: u64) -> &Store {
    observation.stores.iter().flatten().find(|store| store.id == StoreId(id)).unwrap()
}

/// The stores that are not up.
fn not_up(observation: &Observation) -> Vec<(u64, StoreState)> {
    let stores = observation.stores.iter().flatten().filter(|store| store.state != StoreState::Up);
    stores.map(|store| (store.id.0, store.state)).collect()
}

fn health(observation: &Observation) -> &RegionHealth {
    observation.cluster.as_ref().unwrap().region_health.as_ref().unwrap()
}

/// The value of a store's signal.
fn signal<'a>(
    observation: &'a Observation,
    id: u64,
    name: &'a str,
) -> Option<&'a operator_core::SignalValue> {
    let regarding = Regarding::Store(StoreId(id));
    observation.signals_named(name).find(|signal| signal.regarding == regarding).map(|signal| &signal.value)
}

#[tokio::test(start_paused = true)]
async fn healthy() {
    let (_, seen) = observe(Scenario::Healthy).await;
    assert_eq!(seen.trust.verdict, TrustVerdict::Complete, "{:?}", seen.trust.reasons);
    assert_eq!(not_up(&seen), []);
    for problem in RegionProblem::ALL {
        assert_eq!(health(&seen).count(problem), Some(0), "{problem}");
    }
    assert_eq!(seen.cluster.as_ref().unwrap().region_count, Some(48));
    assert!(seen.members.unwrap().iter().all(|member| member.healthy == Some(true)));
}

#[tokio::test(start_paused = true)]
async fn store_crash() {
    let (_, seen) = observe(Scenario::StoreCrash).await;
    assert_eq!(not_up(&seen), [(4, StoreState::Disconnected)]);
    assert_eq!(signal(&seen, 4, signals::PROBE).unwrap().as_text(), Some("refused"));
    assert_eq!(signal(&seen, 4, signals::LOST).unwrap().as_bool(), Some(true));
    assert_eq!(health(&seen).quorum_lost, Some(0), "two of three replicas are left");
    // Nobody else is asked.
    assert_eq!(seen.signals_named(signals::PROBE).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn slow_store() {
    let (_, seen) = observe(Scenario::SlowStore).await;
    assert_eq!(not_up(&seen), [], "it lives");
    let score = |id| signal(&seen, id, signals::SLOW_SCORE).and_then(|value| value.as_number()).unwrap();
    assert!(score(4) >= 80.0 && score(1) < 10.0 && score(5) < 10.0, "{} {} {}", score(1), score(4), score(5));
}

#[tokio::test(start_paused = true)]
async fn disk_full() {
    let (_, seen) = observe(Scenario::DiskFull).await;
    let free = |id| {
        let store = store(&seen, id);
        store.available_bytes.unwrap() as f64 / store.capacity_bytes.unwrap() as f64
    };
    assert!(free(4) < 0.05 && free(1) > 0.5 && free(5) > 0.5, "{} {} {}", free(1), free(4), free(5));
}

#[tokio::test(start_paused = true)]
async fn hot_region() {
    let (simulated, seen) = observe(Scenario::HotRegion).await;
    assert_eq!(not_up(&seen), []);
    for kind in [HotKind::Read, HotKind::Write] {
        let query = HotRegionQuery { kind: Some(kind), top: 5 };
        let hot = simulated.subject.hot_regions(query).await.unwrap();
        assert!(hot.len() <= 5 && hot.iter().all(|region| region.kind == kind));
        let others = hot.get(1).map_or(0.0, |region| region.bytes_per_second);
        assert!(hot[0].bytes_per_second > 10.0 * others.max(1.0), "{hot:?}");
        let led_by = simulated.subject.region(hot[0].region_id).await.unwrap().leader.unwrap().store_id;
        assert_eq!(hot[0].store_id, led_by);
    }
}

#[tokio::test(start_paused = true)]
async fn pd_leader_loss() {
    let (_, seen) = observe(Scenario::PdLeaderLoss).await;
    let members = seen.members.as_ref().unwrap();
    let dead: Vec<_> = members.iter().filter(|member| member.healthy == Some(false)).collect();
    assert!(dead.len() == 1 && dead[0].name == "pd0" && !dead[0].leader, "{members:?}");
    assert_eq!(members.iter().filter(|member| member.leader).count(), 1);
    assert_eq!(seen.trust.verdict, TrustVerdict::WarmingUp, "{:?}", seen.trust.reasons);
    let lost = seen.signals_named(signals::LOST).filter(|signal| signal.value.as_bool() == Some(true));
    assert_eq!(lost.count(), 0, "every store lives, whatever the new leader calls it");
    assert_eq!(health(&seen).quorum_lost, Some(0));
}

#[tokio::test(start_paused = true)]
async fn no_quorum() {
    let simulated = Simulated::showing(Scenario::NoQuorum).await;
    let error = simulated.subject.observe(&simulated.scope()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("no leader"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn two_stores_lost() {
    let (simulated, seen) = observe(Scenario::TwoStoresLost).await;
    let truth = simulated.transport.with(|simulator| simulator.truth());
    assert_eq!(truth.without_quorum.len() as u64, truth.regions);
    assert_eq!(health(&seen).quorum_lost, Some(truth.regions));
    assert_eq!(health(&seen).no_leader, Some(truth.regions));
    assert_eq!(health(&seen).sample[&RegionProblem::QuorumLost].len(), RegionHealth::SAMPLE);
    for problem in [RegionProblem::DownPeer, RegionProblem::MissPeer, RegionProblem::PendingPeer] {
        assert_ne!(health(&seen).count(problem), Some(0), "PD cannot know: {problem}");
    }
}

#[tokio::test(start_paused = true)]
async fn pd_restart() {
    let (simulated, seen) = observe(Scenario::PdRestart).await;
    assert_eq!(seen.trust.verdict, TrustVerdict::WarmingUp, "{:?}", seen.trust.reasons);
    assert_eq!(health(&seen).quorum_lost, Some(0), "the stores themselves answer");
    assert_eq!(health(&seen).no_leader, None, "PD cannot know yet, and that is not zero");
    simulated.transport.pass(std::time::Duration::from_secs(180)).await;
    let later = simulated.subject.observe(&simulated.scope()).await.unwrap();
    assert_eq!(later.trust.verdict, TrustVerdict::Complete, "{:?}", later.trust.reasons);
    assert_eq!((not_up(&later), health(&later).no_leader), (vec![], Some(0)));
}

#[tokio::test(start_paused = true)]
async fn store_offline() {
    let (simulated, seen) = observe(Scenario::StoreOffline).await;
    let [(id, StoreState::Offline)] = not_up(&seen)[..] else { panic!("{:?}", not_up(&seen)) };
    assert_eq!(signal(&seen, id, signals::LOST), None, "it lives and nobody doubts it");
    assert_eq!(health(&seen).quorum_lost, Some(0));
    let before = store(&seen, id).region_count.unwrap();
    simulated.transport.pass(std::time::Duration::from_secs(1_200)).await;
    let later = simulated.subject.observe(&simulated.scope()).await.unwrap();
    let after = later.stores.iter().flatten().find(|store| store.id == StoreId(id));
    assert!(after.is_none_or(|store| store.region_count.unwrap() < before), "{after:?}, {before} before");
    assert!(simulated.subject.store(StoreId(id)).await.is_ok(), "a removed store is still known by its id");
}

#[tokio::test(start_paused = true)]
async fn scale_out() {
    let (_, seen) = observe(Scenario::ScaleOut).await;
    assert_eq!((seen.stores.as_ref().unwrap().len(), not_up(&seen)), (4, vec![]));
    assert_eq!(health(&seen).quorum_lost, Some(0));
    let newest = seen.stores.iter().flatten().max_by_key(|store| store.started_at).unwrap();
    let oldest = store(&seen, 1);
    assert!(newest.region_count < oldest.region_count, "{newest:?} {oldest:?}");
}

#[tokio::test(start_paused = true)]
async fn not_bootstrapped() {
    let simulated = Simulated::showing(Scenario::NotBootstrapped).await;
    let seen = simulated.subject.observe(&simulated.scope()).await.unwrap();
    assert!(seen.stores.is_none() && seen.members.as_ref().unwrap().len() == 3);
    assert_eq!(seen.trust.verdict, TrustVerdict::Partial);
    assert!(
        seen.errors.iter().all(|error| error.message.contains("no TiKV store has joined")),
        "{:?}",
        seen.errors
    );
}

#[tokio::test(start_paused = true)]
async fn big() {
    let simulated = Simulated::showing(Scenario::Big).await;
    let seen = simulated.subject.observe(&simulated.scope_of_pd()).await.unwrap();
    assert!(seen.errors.is_empty(), "{:?}", seen.errors);
    let cluster = seen.cluster.as_ref().unwrap();
    assert_eq!((cluster.store_count, cluster.region_count), (Some(1_000), Some(1_000_000)));
    assert_eq!(cluster.region_health.as_ref().unwrap().quorum_lost, Some(0));
    assert_eq!(seen.trust.verdict, TrustVerdict::Complete, "{:?}", seen.trust.reasons);
}
