//! For every recorded state: what the TiKV subject must say of it, written by hand from what was true
//! (`tests/recordings/README.md`) and from what the cluster could be seen to be.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::TryStreamExt;
use operator_core::StoreState::{Disconnected, Down, Offline, Tombstone, Up};
use operator_core::{
    Clock, ErrorKind, Observation, Regarding, RegionProblem, RegionQuery, Scope, StoreState, Subject,
    SubjectExt, TrustVerdict,
};
use operator_tests::{ReplayServer, STATES};
use operator_tikv::http::{Endpoint, Limits};
use operator_tikv::{TikvConfig, TikvSubject, signals};
use rstest::rstest;

use crate::support::scope_of_pd;

/// What is to be said of a state in which PD answers.
#[derive(Debug, Clone, Copy)]
struct Truth {
    state: &'static str,
    /// Ids, and what PD calls them.
    stores: &'static [(u64, StoreState)],
    /// Stores that are dead or hang, of those that PD lists.
    lost: &'static [u64],
    /// A store that has been removed and is still known by its id.
    removed: Option<u64>,
    /// The member that leads.
    leader: &'static str,
    dead_member: Option<&'static str>,
    verdict: TrustVerdict,
    regions: usize,
    /// In the order of [`RegionProblem::ALL`]: `miss`, `extra`, `down`, `pending`, `offline`, `learner`, `no_leader`,
    /// `quorum_lost`.
    health: [Option<u64>; 8],
}

/// Three stores that are up; what follows differs from this.
const HEALTHY: Truth = Truth {
    state: "healthy-busy",
    stores: &[(1, Up), (4, Up), (5, Up)],
    lost: &[],
    removed: None,
    leader: "pd0",
    dead_member: None,
    verdict: TrustVerdict::Complete,
    regions: 48,
    health: [Some(0); 8],
};

const N: Option<u64> = None;
const O: Option<u64> = Some(0);

/// PD's counts are on its leader's page of metrics, which was not recorded: a follower's is all zeros and says nothing.
const NOT_COUNTED: [Option<u64>; 8] = [N, N, N, N, N, N, O, O];

/// No store is lost, and the rest PD cannot know yet.
const WARMING_UP: [Option<u64>; 8] = [N, N, N, N, N, N, N, O];

const TRUTHS: [Truth; 14] = [
    Truth { state: "healthy-idle", regions: 5, ..HEALTHY },
    Truth { state: "healthy-loaded", regions: 41, ..HEALTHY },
    HEALTHY,
    Truth {
        state: "store-disconnected",
        stores: &[(1, Up), (4, Up), (5, Disconnected)],
        lost: &[5],
        regions: 53,
        // 16 regions have not told PD of another leader than the one that hangs.
        health: [O, O, O, O, O, O, Some(16), O],
        ..HEALTHY
    },
    // Store 4 has been down for two minutes: no leader calls its peers down before ten.
    Truth {
        state: "store-down",
        stores: &[(1, Up), (4, Down), (5, Up)],
        lost: &[4],
        regions: 53,
        health: [O, O, O, Some(23), O, O, O, O],
        ..HEALTHY
    },
    Truth { state: "store-back", regions: 53, ..HEALTHY },
    Truth {
        state: "store-slow",
        removed: Some(216),
        leader: "pd1",
        regions: 54,
        health: NOT_COUNTED,
        verdict: TrustVerdict::Partial,
        ..HEALTHY
    },
    Truth {
        state: "scaling-out",
        stores: &[(1, Up), (4, Up), (5, Up), (216, Up)],
        regions: 53,
        health: [O, Some(1), O, O, O, O, O, O],
        ..HEALTHY
    },
    Truth {
        state: "store-offline",
        stores: &[(1, Up), (4, Up), (5, Up), (216, Offline)],
        regions: 54,
        health: [O, Some(5), O, Some(5), Some(9), Some(5), O, O],
        ..HEALTHY
    },
    Truth { state: "store-tombstone", removed: Some(216), regions: 54, ..HEALTHY },
    // Every store lives, and PD calls two of them gone.
    Truth {
        state: "pd-member-lost",
        stores: &[(1, Disconnected), (4, Disconnected), (5, Up)],
        removed: Some(216),
        leader: "pd1",
        dead_member: Some("pd0"),
        verdict: TrustVerdict::WarmingUp,
        regions: 54,
        health: WARMING_UP,
        ..HEALTHY
    },
    Truth {
        state: "pd-warming-up",
        stores: &[(1, Disconnected), (4, Disconnected), (5, Up)],
        removed: Some(216),
        leader: "pd2",
        verdict: TrustVerdict::WarmingUp,
        regions: 54,
        health: WARMING_UP,
        ..HEALTHY
    },
    Truth {
        state: "pd-warm-again",
        removed: Some(216),
        leader: "pd2",
        regions: 54,
        health: NOT_COUNTED,
        verdict: TrustVerdict::Partial,
        ..HEALTHY
    },
    // As `pd-member-lost` in PD, but for the member; both stores are dead, and with them every region.
    Truth {
        state: "two-stores-lost",
        stores: &[(1, Up), (4, Disconnected), (5, Disconnected)],
        lost: &[4, 5],
        removed: Some(216),
        leader: "pd1",
        regions: 54,
        health: [N, N, N, N, N, N, Some(54), Some(54)],
        verdict: TrustVerdict::Partial,
        ..HEALTHY
    },
];

/// The subject over a replayed state, by real HTTP, and everything at the time of the recording.
pub(crate) async fn replayed(state: &str) -> (ReplayServer, TikvSubject, Scope) {
    let server = ReplayServer::start(state).await.unwrap();
    let endpoints = server.pd_endpoints().join(",");
    let limits = Limits::default().with_failover_budget(Duration::from_secs(1));
    let config = TikvConfig::new(Endpoint::list(&endpoints).unwrap()).with_limits(limits);
    let clock = Clock::manual(server.recording().recorded_at());
    let subject = TikvSubject::new(config).unwrap().with_clock(clock.clone());
    (server, subject, scope_of_pd().clock(clock))
}

/// The stores that are said to be lost.
fn lost(observation: &Observation) -> Vec<u64> {
    let lost = observation.signals_named(signals::LOST).filter(|signal| signal.value.as_bool() == Some(true));
    let ids: BTreeSet<_> = lost
        .map(|signal| match signal.regarding {
            Regarding::Store(id) => id.0,
            ref other => panic!("{other} cannot be lost"),
        })
        .collect();
    ids.into_iter().collect()
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
#[tokio::test]
async fn a_recorded_state_is_told_as_it_was(#[case] state: &str) {
    let truth = TRUTHS.iter().find(|truth| truth.state == state).unwrap();
    let (_server, subject, scope) = replayed(state).await;
    let observation = subject.observe(&scope).await.unwrap();

    let mut stores: Vec<_> =
        observation.stores.iter().flatten().map(|store| (store.id.0, store.state)).collect();
    stores.sort();
    assert_eq!(stores, truth.stores);
    assert_eq!(lost(&observation), truth.lost);
    if let Some(id) = truth.removed {
        assert_eq!(subject.store(id.into()).await.unwrap().state, Tombstone);
    }

    let members = observation.members.as_ref().unwrap();
    let healthy: BTreeSet<_> = members.iter().map(|member| (member.name.as_str(), member.healthy)).collect();
    let expected = ["pd0", "pd1", "pd2"].map(|name| (name, Some(truth.dead_member != Some(name))));
    assert_eq!(healthy, BTreeSet::from(expected));
    let leaders: Vec<_> = members.iter().filter(|member| member.leader).map(|member| &*member.name).collect();
    assert_eq!(leaders, [truth.leader]);

    let cluster = observation.cluster.as_ref().unwrap();
    assert_eq!(cluster.region_count, Some(truth.regions as u64));
    let health = cluster.region_health.as_ref().unwrap();
    assert_eq!(
        RegionProblem::ALL.map(|problem| health.count(problem)),
        truth.health,
        "{:?}",
        observation.errors
    );
    assert_eq!(observation.trust.verdict, truth.verdict, "{:?}", observation.trust.reasons);

    let mut query = RegionQuery::all();
    query.page_size = 7.try_into().unwrap();
    let pages: Vec<_> = subject.regions(query).try_collect().await.unwrap();
    assert!(pages.iter().all(|page| page.gaps.is_empty() && page.overlaps.is_empty()));
    let ids: BTreeSet<_> = pages.iter().flat_map(|page| &page.regions).map(|region| region.id).collect();
    assert_eq!(ids.len(), truth.regions);
    assert_eq!(pages.iter().map(|page| page.regions.len()).sum::<usize>(), truth.regions);
}

#[test]
fn every_recorded_state_has_its_test() {
    let without_an_answer = ["not-bootstrapped", "pd-leader-just-lost", "pd-no-quorum"];
    let tested: BTreeSet<_> = TRUTHS.iter().map(|truth| truth.state).chain(without_an_answer).collect();
    assert_eq!(tested, BTreeSet::from(STATES));
}

/// In PD the two look alike: two stores are `Disconnected`, every region has a leader, no check finds anything.
#[tokio::test]
async fn dead_stores_and_stores_that_pd_has_not_heard_of_are_told_apart() {
    let (_alive, alive, scope) = replayed("pd-member-lost").await;
    let alive = alive.observe(&scope).await.unwrap();
    let (_dead, dead, scope) = replayed("two-stores-lost").await;
    let dead = dead.observe(&scope).await.unwrap();
    for observation in [&alive, &dead] {
        let gone = observation.stores.iter().flatten().filter(|store| store.state == Disconnected);
        assert_eq!(gone.count(), 2);
    }
    let quorum_lost = |observation: &Observation| {
        let health = observation.cluster.as_ref()?.region_health.as_ref()?;
        Some((health.quorum_lost?, health.sample.get(&RegionProblem::QuorumLost).map(Vec::len)))
    };
    assert_eq!(quorum_lost(&alive), Some((0, None)));
    assert_eq!(quorum_lost(&dead), Some((54, Some(20))));
}

#[tokio::test]
async fn a_cluster_without_stores_is_told_as_such() {
    let (server, subject, scope) = replayed("not-bootstrapped").await;
    let error = subject.stores().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let text = error.to_string();
    assert!(text.contains("no TiKV store has joined") && text.contains("ErrNotBootstrapped"), "{text}");
    assert!(server.pd_endpoints().iter().any(|endpoint| text.contains(endpoint)), "{text}");
    // PD itself is there.
    let observation = subject.observe(&scope).await.unwrap();
    assert_eq!(observation.members.as_ref().map(Vec::len), Some(3));
    assert!(observation.stores.is_none() && !observation.errors.is_empty());
    assert_eq!(observation.trust.verdict, TrustVerdict::Partial);
}

#[rstest]
#[case("pd-leader-just-lost")]
#[case("pd-no-quorum")]
#[tokio::test]
async fn without_a_leader_the_error_says_so_and_names_who_was_asked(#[case] state: &str) {
    let (server, subject, scope) = replayed(state).await;
    for error in [
        subject.stores().await.unwrap_err(),
        subject.members().await.unwrap_err(),
        subject.regions(RegionQuery::all()).try_collect::<Vec<_>>().await.unwrap_err(),
        subject.observe(&scope).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        let text = error.to_string();
        assert!(text.contains("no leader") && text.contains("ErrRedirect"), "{text}");
        for endpoint in server.pd_endpoints() {
            assert!(text.contains(&endpoint), "{endpoint} is not in {text}");
        }
    }
}
