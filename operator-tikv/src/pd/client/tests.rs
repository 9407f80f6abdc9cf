use operator_core::{ErrorKind, MemberId, PeerRole, RegionProblem, StoreState};
use rstest::rstest;

use super::*;
use crate::pd::recorded::{Recorded, STATES, client};

/// The states in which PD answers about stores and regions.
fn serving() -> impl Iterator<Item = &'static str> {
    let silent = ["not-bootstrapped", "pd-leader-just-lost", "pd-no-quorum"];
    STATES.into_iter().filter(move |state| !silent.contains(state))
}

#[rstest]
#[case("healthy-busy", &[(1, StoreState::Up), (4, StoreState::Up), (5, StoreState::Up)])]
#[case("store-disconnected", &[(1, StoreState::Up), (4, StoreState::Up), (5, StoreState::Disconnected)])]
#[case("store-down", &[(1, StoreState::Up), (4, StoreState::Down), (5, StoreState::Up)])]
#[case("store-offline", &[(1, StoreState::Up), (4, StoreState::Up), (5, StoreState::Up), (216, StoreState::Offline)])]
#[case("store-tombstone", &[(1, StoreState::Up), (4, StoreState::Up), (5, StoreState::Up)])]
#[case("two-stores-lost", &[(1, StoreState::Up), (4, StoreState::Disconnected), (5, StoreState::Disconnected)])]
#[tokio::test]
async fn stores_are_as_recorded(#[case] state: &str, #[case] expected: &[(u64, StoreState)]) {
    let mut seen: Vec<_> = client(state)
        .stores()
        .await
        .unwrap()
        .iter()
        .map(|info| (info.store.id.0, info.store.state))
        .collect();
    seen.sort();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn every_answer_of_every_serving_state_is_decoded() {
    for state in serving() {
        let pd = client(state);
        let stores = pd.stores().await.unwrap();
        assert!(stores.len() >= 3, "{state}");
        for info in &stores {
            let store = &info.store;
            assert!(store.address.starts_with("tikv") && store.address.ends_with(":20160"), "{state}");
            assert!(store.status_address.as_deref().unwrap().ends_with(":20180"), "{state}");
            assert!(store.started_at.is_some() && store.last_heartbeat.is_some(), "{state}");
            assert_eq!(store.capacity_bytes, info.heard_by_leader.then_some(20 << 30), "{state}");
        }
        let count = pd.region_count().await.unwrap();
        let page: wire::RegionPage<Region> = pd.ask("/pd/api/v1/regions").await.unwrap();
        assert_eq!(u64::try_from(page.regions.len()).unwrap(), count, "{state}");
        for region in &page.regions {
            assert!(region.peers.len() >= 3 && region.epoch.version > 0, "{state}");
            assert!(region.leader.is_none_or(|leader| region.peers.contains(&leader)), "{state}");
        }
        assert_eq!(pd.members().await.unwrap().members.len(), 3, "{state}");
        assert_eq!(pd.replication_config().await.unwrap().max_replicas, 3, "{state}");
        assert!(pd.bootstrap_status().await.unwrap().bootstrapped_at.is_some(), "{state}");
        assert_eq!(pd.status().await.unwrap().version.as_deref(), Some("v8.5.1"), "{state}");
        assert_eq!(pd.version().await.unwrap(), "v8.5.1", "{state}");
        assert!(pd.cluster_id().await.unwrap() > 1 << 53, "{state}");
        assert_eq!(pd.schedulers().await.unwrap().is_empty(), state == "pd-warming-up", "{state}");
        assert!(pd.paused_schedulers().await.unwrap().is_empty(), "{state}");
        let hot = pd.hot_regions(HotRegionQuery { kind: None, top: usize::MAX }).await.unwrap();
        assert!(hot.is_sorted_by(|a, b| a.bytes_per_second >= b.bytes_per_second), "{state}");
        for problem in RegionProblem::ALL {
            let path = request::check(problem);
            let recorded = path.is_some_and(|path| Recorded::load(state).body(path).is_some());
            assert_eq!(pd.regions_with(problem, 20).await.is_ok(), recorded, "{state} {problem}");
        }
    }
}

#[tokio::test]
async fn what_a_new_leader_has_not_heard_is_unknown_and_not_zero() {
    let warming = client("pd-warming-up").stores().await.unwrap();
    let (heard, ghosts): (Vec<_>, Vec<_>) = warming.iter().partition(|info| info.heard_by_leader);
    assert_eq!((heard.len(), ghosts.len()), (1, 2));
    for ghost in ghosts {
        let store = &ghost.store;
        assert_eq!(
            (store.capacity_bytes, store.used_bytes, store.available_bytes, store.leader_count),
            (None, None, None, None)
        );
        assert_eq!((ghost.slow_score, ghost.busy, store.region_count), (None, None, Some(54)));
    }
    let page: wire::RegionPage<Region> = client("pd-warming-up").ask("/pd/api/v1/regions").await.unwrap();
    assert!(page.regions.iter().all(|region| region.leader.is_none()
        && region.approximate_size_bytes.is_none()
        && region.written_bytes.is_none()));
}

#[tokio::test]
async fn a_learner_is_no_voter_and_numbers_have_their_units() {
    let page: wire::RegionPage<Region> = client("store-offline").ask("/pd/api/v1/regions").await.unwrap();
    let learners =
        page.regions.iter().flat_map(|region| &region.peers).filter(|p| p.role == PeerRole::Learner);
    assert!(learners.count() > 0);
    assert!(page.regions.iter().any(|region| !region.pending_peers.is_empty()));
    let busy: wire::RegionPage<Region> = client("healthy-busy").ask("/pd/api/v1/regions").await.unwrap();
    let region = busy.regions.iter().find(|region| region.id.0 == 10).unwrap();
    assert_eq!(region.approximate_size_bytes, Some(2 << 20));
    assert_eq!((region.written_bytes, region.read_keys), (Some(235_577), Some(437)));
    assert_eq!(region.end_key.to_string(), "7800000000000000FB");
}

#[tokio::test]
async fn hot_regions_come_once_each_with_their_leaders_store() {
    let pd = client("healthy-busy");
    let hot = pd.hot_regions(HotRegionQuery { kind: Some(HotKind::Write), top: 3 }).await.unwrap();
    assert_eq!(hot.len(), 3);
    assert!(hot[0].bytes_per_second >= hot[1].bytes_per_second && hot[0].bytes_per_second > 0.0);
    let page: wire::RegionPage<Region> = pd.ask("/pd/api/v1/regions").await.unwrap();
    for hot in pd.hot_regions(HotRegionQuery { kind: None, top: 100 }).await.unwrap() {
        let region = page.regions.iter().find(|region| region.id == hot.region_id).unwrap();
        assert_eq!(region.leader.map(|leader| leader.store_id), Some(hot.store_id), "{}", hot.region_id);
    }
}

#[tokio::test]
async fn a_region_or_store_that_there_is_not_is_not_found() {
    let pd = client("healthy-idle");
    assert_eq!(pd.region(2.into()).await.unwrap().id, 2.into());
    let missing = pd.region(99_999_999.into()).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
    assert_eq!(pd.store(1.into()).await.unwrap().store.address, "tikv0:20160");
    assert_eq!(pd.store(999_999.into()).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_dead_member_is_told_and_so_is_the_leader() {
    let members = client("pd-member-lost").members().await.unwrap();
    assert_eq!(members.leader().unwrap().name, "pd1");
    assert_eq!(members.etcd_leader, Some(MemberId(17_107_318_113_395_953_248)));
    let health: Vec<_> =
        members.members.iter().map(|member| (member.name.as_str(), member.healthy)).collect();
    assert_eq!(health, [("pd2", Some(true)), ("pd0", Some(false)), ("pd1", Some(true))]);
}

#[tokio::test]
async fn a_removed_store_is_remembered() {
    let pd = client("store-tombstone");
    let removed: Vec<_> =
        pd.removed_stores().await.unwrap().iter().map(|info| (info.store.id.0, info.store.state)).collect();
    assert_eq!(removed, [(216, StoreState::Tombstone)]);
}

#[tokio::test]
async fn a_pd_without_stores_says_so_and_answers_the_rest() {
    let pd = client("not-bootstrapped");
    assert!(pd.stores().await.unwrap_err().is_not_bootstrapped());
    assert!(pd.region_count().await.unwrap_err().is_not_bootstrapped());
    assert_eq!(pd.bootstrap_status().await.unwrap().bootstrapped_at, None);
    assert_eq!(pd.members().await.unwrap().members.len(), 3);
}

#[tokio::test]
async fn a_pd_without_leader_is_unavailable() {
    for state in ["pd-leader-just-lost", "pd-no-quorum"] {
        let error = client(state).stores().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(client(state).members().await.is_err());
    }
}
