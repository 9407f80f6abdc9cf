use operator_core::Store;
use rstest::rstest;

use super::*;
use crate::pd::recorded::client;

async fn upkeep(state: &str) -> (Upkeep, Vec<StoreInfo>) {
    let pd = client(state);
    let stores = pd.stores().await.unwrap();
    let newest = stores.iter().filter_map(|info| info.store.last_heartbeat).max().unwrap();
    let clock = Clock::manual(newest + TimeDelta::seconds(1));
    (Upkeep::of(&pd, &stores, clock.now(), &clock).await, stores)
}

#[tokio::test(start_paused = true)]
async fn nothing_was_forgotten_in_the_recorded_clusters() {
    for state in ["healthy-busy", "store-down", "pd-member-lost", "two-stores-lost"] {
        let (seen, _) = upkeep(state).await;
        assert_eq!(seen.evicting, Some(Evicting::None), "{state}");
        assert_eq!(seen.paused_schedulers, Some(Vec::new()));
        // Of the checkers only one was asked for when the clusters were recorded.
        assert_eq!(seen.paused_checkers, None);
        assert_eq!((seen.max_replicas, seen.removed_stores), (Some(3), None));
        assert_eq!(seen.clock_offset_seconds, Some(0.0));
        assert!(seen.removals.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_says_how_far_it_is() {
    let (seen, stores) = upkeep("store-offline").await;
    let leaving = stores.iter().find(|info| info.store.state == StoreState::Offline).unwrap().store.id;
    let removal = Removal { mib_per_second: 1.0, seconds_left: Some(32.0) };
    assert_eq!(seen.removals, BTreeMap::from([(leaving, removal)]));
    assert!(seen.scheduling_operators.is_some_and(|running| running > 0));
}

#[test]
fn a_time_without_end_is_no_time() {
    let progress: wire::Progress = serde_json::from_str(
        r#"{"action":"removing","progress":0,"current_speed":0,"left_seconds":1.7976931348623157e308}"#,
    )
    .unwrap();
    assert_eq!(Removal::from(progress), Removal { mib_per_second: 0.0, seconds_left: None });
}

#[test]
fn the_stores_of_an_evict_leader_scheduler_are_its_keys() {
    let list = r#"{"store-id-ranges":{"1":[{"start-key":"","end-key":""}],"216":null},"batch":3}"#;
    let list: wire::EvictLeader = serde_json::from_str(list).unwrap();
    assert_eq!(list.store_id_ranges.into_keys().collect::<Vec<_>>(), [1, 216]);
}

fn at(seconds: f64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::milliseconds((seconds * 1e3) as i64 + 1_000_000)
}

fn heard(state: StoreState, heartbeat: f64) -> StoreInfo {
    let mut store = Store::new(1.into(), "a:1", state);
    store.last_heartbeat = Some(at(heartbeat));
    store.capacity_bytes = Some(1);
    StoreInfo {
        store,
        heard_by_leader: true,
        region_size_bytes: None,
        leader_weight: None,
        region_weight: None,
        leader_score: None,
        region_score: None,
        pending_peer_count: None,
        sending_snapshot_count: None,
        receiving_snapshot_count: None,
        slow_score: None,
        busy: None,
    }
}

#[rstest]
// PD's clock at 100 of ours, by its heartbeats: what follows at least.
#[case(&[(StoreState::Up, 95.0)], 0.0)]
#[case(&[(StoreState::Up, 103.0), (StoreState::Up, 99.0)], 3.0)]
#[case(&[(StoreState::Up, 70.0)], -10.0)]
// One that is not up tells nothing of how late it is.
#[case(&[(StoreState::Disconnected, 10.0), (StoreState::Up, 99.0)], 0.0)]
fn heartbeats_bound_the_offset(#[case] stores: &[(StoreState, f64)], #[case] expected: f64) {
    let stores: Vec<_> = stores.iter().map(|(state, heartbeat)| heard(*state, *heartbeat)).collect();
    let bounds = bounds_by_heartbeats(&stores, at(100.0), at(100.0));
    assert!((least_offset(None, bounds).unwrap() - expected).abs() < 1e-6, "{bounds:?}");
}

#[test]
fn the_header_bounds_it_more_closely_and_wins() {
    let any = (f64::NEG_INFINITY, f64::INFINITY);
    assert_eq!(least_offset(None, any), None);
    assert_eq!(least_offset(Some((-0.9, 0.2)), any), Some(0.0));
    assert_eq!(least_offset(Some((1.2, 2.2)), (-3.0, 15.0)), Some(1.2));
    assert_eq!(least_offset(Some((-2.2, -1.2)), (-3.0, 15.0)), Some(-1.2));
    assert_eq!(
        least_offset(Some((-0.5, 0.5)), (4.0, 15.0)),
        Some(0.0),
        "another member stamped the heartbeats"
    );
    assert_eq!(least_offset(None, (4.0, -4.0)), None);
}
