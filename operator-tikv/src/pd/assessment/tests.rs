use operator_core::{Epoch, KeyRange, Store};
use rstest::rstest;

use super::*;
use crate::pd::recorded::client;

async fn assess(state: &str) -> Assessment {
    let pd = client(state);
    let stores = pd.stores().await.unwrap();
    // When the states were recorded; only `Offline` depends on it.
    let now = stores.iter().filter_map(|info| info.store.last_heartbeat).max().unwrap();
    Assessment::of(&pd, stores, now + TimeDelta::seconds(5)).await.unwrap()
}

#[rstest]
#[case("healthy-idle", &[], false)]
#[case("healthy-loaded", &[], false)]
#[case("healthy-busy", &[], false)]
#[case("store-slow", &[], false)]
#[case("store-back", &[], false)]
#[case("scaling-out", &[], false)]
#[case("store-offline", &[], false)]
#[case("store-tombstone", &[], false)]
#[case("store-disconnected", &[(5, Probe::Silent, true)], false)]
#[case("store-down", &[(4, Probe::Refused, true)], false)]
#[case("pd-member-lost", &[(1, Probe::Answers, false), (4, Probe::Answers, false)], true)]
#[case("pd-warming-up", &[(1, Probe::Answers, false), (4, Probe::Answers, false)], true)]
#[case("pd-warm-again", &[], false)]
#[case("two-stores-lost", &[(4, Probe::Refused, true), (5, Probe::Refused, true)], false)]
#[tokio::test(start_paused = true)]
async fn a_store_in_doubt_is_asked_and_a_pd_that_warms_up_is_recognised(
    #[case] state: &str,
    #[case] doubtful: &[(u64, Probe, bool)],
    #[case] warming_up: bool,
) {
    let found = assess(state).await;
    let expected: BTreeMap<_, _> = doubtful.iter().map(|(id, probe, _)| (StoreId(*id), *probe)).collect();
    assert_eq!(found.probes, expected);
    let lost: BTreeSet<_> = doubtful.iter().filter(|(.., lost)| *lost).map(|(id, ..)| StoreId(*id)).collect();
    assert_eq!((found.lost, found.unsure), (lost, BTreeSet::new()));
    assert_eq!(!found.warming_up.is_empty(), warming_up, "{:?}", found.warming_up);
}

fn info(state: StoreState, heard: bool) -> StoreInfo {
    StoreInfo {
        store: Store::new(1.into(), "a:1", state),
        heard_by_leader: heard,
        leader_weight: None,
        region_weight: None,
        leader_score: None,
        region_score: None,
        region_size_bytes: Some(0),
        pending_peer_count: None,
        sending_snapshot_count: None,
        receiving_snapshot_count: None,
        slow_score: None,
        busy: None,
    }
}

#[test]
fn lost_is_what_cannot_be_reached_and_not_what_pd_is_late_with() {
    use Probe::{Answers, Refused, Silent, Unknown};
    for (state, heard, probe, expected) in [
        (StoreState::Up, true, None, Some(false)),
        (StoreState::Tombstone, true, None, Some(true)),
        (StoreState::Disconnected, true, Some(Answers), Some(false)),
        (StoreState::Disconnected, true, Some(Refused), Some(true)),
        (StoreState::Disconnected, false, Some(Silent), Some(true)),
        (StoreState::Disconnected, true, Some(Unknown), None),
        (StoreState::Down, true, Some(Answers), Some(true)),
        (StoreState::Down, true, Some(Unknown), Some(true)),
        (StoreState::Down, false, Some(Answers), Some(false)),
        (StoreState::Offline, true, None, Some(false)),
        (StoreState::Offline, true, Some(Refused), Some(true)),
        (StoreState::Offline, true, Some(Answers), Some(false)),
        (StoreState::Unknown, true, Some(Silent), Some(true)),
    ] {
        assert_eq!(is_lost(&info(state, heard), probe), expected, "{state} {heard} {probe:?}");
    }
}

#[test]
fn a_store_that_is_removed_is_in_doubt_when_its_heartbeat_is_late() {
    let now = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
    let mut offline = info(StoreState::Offline, true);
    assert!(is_in_doubt(&offline, now));
    offline.store.last_heartbeat = Some(now - TimeDelta::seconds(20));
    assert!(!is_in_doubt(&offline, now));
    offline.store.last_heartbeat = Some(now - TimeDelta::seconds(21));
    assert!(is_in_doubt(&offline, now));
    assert!(!is_in_doubt(&info(StoreState::Up, false), now));
    assert!(!is_in_doubt(&info(StoreState::Tombstone, true), now));
}

fn region(peers: &[(u64, PeerRole)]) -> Region {
    let mut region = Region::new(1.into(), KeyRange::all(), Epoch::default());
    region.peers = peers
        .iter()
        .map(|(store, role)| Peer { id: (*store).into(), store_id: (*store).into(), role: *role })
        .collect();
    region
}

#[test]
fn both_majorities_count_while_the_voters_change() {
    use PeerRole::{DemotingVoter as Out, IncomingVoter as In, Learner, Voter};
    for (peers, lost, expected) in [
        (vec![(1, Voter), (2, Voter), (3, Voter)], vec![], false),
        (vec![(1, Voter), (2, Voter), (3, Voter)], vec![1], false),
        (vec![(1, Voter), (2, Voter), (3, Voter)], vec![1, 2], true),
        (vec![(1, Voter), (2, Voter)], vec![1], true),
        (vec![(1, Voter), (2, Voter), (3, Voter), (4, Voter)], vec![1, 2], true),
        (vec![(1, Voter), (2, Voter), (3, Voter), (4, Learner)], vec![3, 4], false),
        (vec![(1, Voter), (2, Learner), (3, Learner)], vec![2, 3], false),
        // Incoming 1, 2, 4 keep a majority without 3; outgoing 1, 2, 3 do too.
        (vec![(1, Voter), (2, Voter), (3, Out), (4, In)], vec![3, 4], false),
        // Incoming 1, 4, 5 have lost two of three, outgoing 1, 2, 3 none; and the other way round.
        (vec![(1, Voter), (2, Out), (3, Out), (4, In), (5, In)], vec![4, 5], true),
        (vec![(1, Voter), (2, Out), (3, Out), (4, In), (5, In)], vec![2, 3], true),
        (vec![(1, Voter), (2, Out), (3, Out), (4, In), (5, In)], vec![2, 4], false),
        (vec![], vec![1], false),
    ] {
        let lost = lost.into_iter().map(StoreId).collect();
        assert_eq!(has_lost_quorum(&region(&peers), &lost), expected, "{peers:?} {lost:?}");
    }
}

#[test]
fn regions_of_live_stores_that_have_not_reported_show_a_pd_that_warms_up() {
    let mut up = info(StoreState::Up, true);
    (up.store.region_count, up.region_size_bytes) = (Some(10), Some(10 << 20));
    let three = [(1, PeerRole::Voter), (2, PeerRole::Voter), (3, PeerRole::Voter)];
    let sample = |silent: usize| -> Vec<Region> {
        (0..10)
            .map(|place| {
                let mut region = region(&three);
                region.leader = region.peers.first().copied();
                region.approximate_size_bytes = (place >= silent).then_some(1 << 20);
                region
            })
            .collect()
    };
    let signs = |silent, lost: &[u64]| {
        let lost = lost.iter().copied().map(StoreId).collect();
        signs_of_warming_up(std::slice::from_ref(&up), &lost, &sample(silent))
    };
    assert_eq!(signs(2, &[]), Vec::<String>::new());
    assert_eq!(signs(3, &[]).len(), 1);
    let mut leaderless = sample(0);
    leaderless.iter_mut().take(2).for_each(|region| region.leader = None);
    assert_eq!(signs_of_warming_up(std::slice::from_ref(&up), &BTreeSet::new(), &leaderless).len(), 1);
    // Nobody can report of a region without a quorum.
    assert_eq!(signs(10, &[2, 3]), Vec::<String>::new());
    let few = StoreInfo { region_size_bytes: Some(7 << 20), ..up.clone() };
    assert_eq!(signs_of_warming_up(&[few], &BTreeSet::new(), &sample(0)).len(), 1);
}

#[test]
fn counts_that_no_cluster_has_do_not_overflow() {
    let absurd = || {
        let mut info = info(StoreState::Up, true);
        info.store.region_count = Some(u64::MAX);
        info.region_size_bytes = Some(u64::MAX);
        info
    };
    assert_eq!(signs_of_warming_up(&[absurd(), absurd()], &BTreeSet::new(), &[]), Vec::<String>::new());
}
