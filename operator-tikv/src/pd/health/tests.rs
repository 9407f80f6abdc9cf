use std::collections::BTreeSet;
use std::sync::Arc;

use operator_core::StoreState;
use rstest::rstest;

use super::*;
use crate::pd::recorded::{Recorded, client, client_over};
use crate::pd::types::StoreInfo;

async fn health(state: &str) -> RegionHealth {
    client(state).region_health().await.unwrap()
}

#[rstest]
#[case("healthy-idle")]
#[case("healthy-busy")]
#[case("store-back")]
#[tokio::test(start_paused = true)]
async fn a_healthy_cluster_has_no_unhealthy_region(#[case] state: &str) {
    let health = health(state).await;
    for problem in RegionProblem::ALL {
        assert_eq!(health.count(problem), Some(0), "{problem}");
    }
    assert!(health.sample.is_empty());
}

#[tokio::test(start_paused = true)]
async fn pd_counts_and_shows_which() {
    let health = health("store-offline").await;
    assert_eq!((health.offline_peer, health.learner_peer, health.miss_peer), (Some(9), Some(5), Some(0)));
    assert!(!health.sample[&RegionProblem::OfflinePeer].is_empty());
    assert!(!health.sample.contains_key(&RegionProblem::MissPeer));
    assert_eq!((health.no_leader, health.quorum_lost), (Some(0), Some(0)));
}

#[tokio::test(start_paused = true)]
async fn a_dead_store_leaves_regions_without_leader_and_no_region_without_quorum() {
    // It hangs since so short a time that nobody else has been elected.
    let hangs = health("store-disconnected").await;
    assert_eq!((hangs.no_leader, hangs.quorum_lost), (Some(16), Some(0)));
    assert_eq!(hangs.sample[&RegionProblem::NoLeader].len(), 16);
    let down = health("store-down").await;
    assert_eq!((down.no_leader, down.quorum_lost, down.pending_peer), (Some(0), Some(0), Some(23)));
}

#[tokio::test(start_paused = true)]
async fn two_dead_stores_of_three_take_every_quorum_though_pd_shows_leaders() {
    let recorded = Arc::new(Recorded::load("two-stores-lost"));
    let health = client_over(Arc::clone(&recorded)).region_health().await.unwrap();
    assert_eq!((health.no_leader, health.quorum_lost), (Some(54), Some(54)));
    assert_eq!(health.sample[&RegionProblem::QuorumLost].len(), RegionHealth::SAMPLE);
    // Nobody reports, so that PD counts none is no news.
    assert_eq!((health.miss_peer, health.down_peer), (None, None));
    assert!(
        recorded.asked().iter().any(|asked| asked.starts_with("tikv0/region/")),
        "{:?}",
        recorded.asked()
    );
}

#[tokio::test(start_paused = true)]
async fn while_pd_warms_up_its_counts_are_unknown_and_what_is_not_lost_has_its_quorum() {
    for state in ["pd-warming-up", "pd-member-lost"] {
        let health = health(state).await;
        assert_eq!((health.no_leader, health.quorum_lost), (None, Some(0)), "{state}");
        assert!(COUNTED_BY_PD.iter().all(|problem| health.count(*problem).is_none()), "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn healthy_costs_the_same_whatever_the_number_of_stores() {
    let recorded = Arc::new(Recorded::load("healthy-busy"));
    client_over(Arc::clone(&recorded)).region_health().await.unwrap();
    assert_eq!(recorded.asked().len(), 6, "{:?}", recorded.asked());
}

fn assessment(stores: &[(u64, StoreState, Option<u64>)], lost: &[u64], unsure: &[u64]) -> Assessment {
    let stores = stores.iter().map(|(id, state, leaders)| {
        let mut store = operator_core::Store::new((*id).into(), "a:1", *state);
        store.leader_count = *leaders;
        StoreInfo {
            store,
            heard_by_leader: true,
            leader_weight: None,
            region_weight: None,
            leader_score: None,
            region_score: None,
            region_size_bytes: None,
            pending_peer_count: None,
            sending_snapshot_count: None,
            receiving_snapshot_count: None,
            slow_score: None,
            busy: None,
        }
    });
    let ids = |ids: &[u64]| ids.iter().copied().map(StoreId).collect::<BTreeSet<_>>();
    Assessment {
        stores: stores.collect(),
        probes: BTreeMap::new(),
        lost: ids(lost),
        unsure: ids(unsure),
        warming_up: Vec::new(),
    }
}

#[test]
fn all_regions_are_read_only_where_it_matters() {
    use Answer::{Known, Scan, Unknown};
    let up = StoreState::Up;
    let of = |leaders: [Option<u64>; 3], lost: &[u64], unsure: &[u64]| {
        assessment(&[(1, up, leaders[0]), (2, up, leaders[1]), (3, up, leaders[2])], lost, unsure)
    };
    let even = [Some(4), Some(3), Some(3)];
    let check = |assessment: &Assessment, miss_peer, max_replicas, no_leader, quorum_lost| {
        assert_eq!(plan(assessment, 10, miss_peer, max_replicas), Plan { no_leader, quorum_lost });
    };
    check(&of(even, &[], &[]), Some(0), 0, Known(0), Known(0));
    // Some region is led by nobody.
    check(&of([Some(4), Some(3), Some(2)], &[], &[]), Some(0), 0, Scan, Known(0));
    check(&of([Some(4), Some(3), None], &[], &[]), Some(0), 0, Scan, Known(0));
    // One of three is lost, and led nothing any more.
    check(&of([Some(5), Some(5), Some(0)], &[3], &[]), Some(0), 3, Known(0), Known(0));
    check(&of(even, &[3], &[]), Some(0), 3, Scan, Known(0));
    // With fewer replicas than there should be, one lost store is enough.
    check(&of([Some(5), Some(5), Some(0)], &[3], &[]), Some(1), 3, Scan, Scan);
    check(&of([Some(5), Some(5), Some(0)], &[3], &[]), None, 3, Scan, Scan);
    check(&of([Some(5), Some(5), Some(0)], &[3], &[]), Some(0), 2, Scan, Scan);
    check(&of(even, &[2, 3], &[]), Some(0), 3, Scan, Scan);
    check(&of(even, &[2], &[]), Some(0), 5, Scan, Known(0));
    // What may be lost makes unknown what would otherwise be known.
    check(&of(even, &[], &[3]), Some(0), 3, Unknown, Known(0));
    check(&of(even, &[2], &[3]), Some(0), 3, Unknown, Unknown);
    let mut warming = of([Some(5), Some(5), Some(0)], &[2, 3], &[]);
    warming.warming_up.push("so".to_owned());
    check(&warming, None, 3, Unknown, Scan);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_region_confirms_or_denies_that_its_quorum_is_lost() {
    let lost = assessment(&[(1, StoreState::Up, None), (4, StoreState::Disconnected, None)], &[4], &[]);
    for (state, region, expected) in [
        ("two-stores-lost", 2, false),
        ("healthy-busy", 2, true),
        // The store has no such replica.
        ("healthy-busy", 999_999, false),
    ] {
        let mut lost =
            Assessment { stores: lost.stores.clone(), lost: lost.lost.clone(), ..assessment(&[], &[], &[]) };
        lost.stores[0].store.address = "tikv0:20160".to_owned();
        lost.stores[0].store.status_address = Some("tikv0:20180".to_owned());
        let found = Found { survivors: vec![(region.into(), 1.into())], ..Found::default() };
        assert_eq!(contradicted(&client(state), &lost, &found).await, expected, "{state} {region}");
    }
}
