//! Whatever happens in whatever order: nothing panics, and what must always hold holds.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tikv_simulator::{Config, Event, NodeId, Request, Scenario, Simulator};

use crate::scenarios::get;

/// A linear congruential generator: the test must not share the one it tests with.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn event(dice: &mut Dice, cluster: &Simulator) -> Event {
    let truth = cluster.truth();
    let stores: Vec<_> = truth.stores.keys().copied().collect();
    let store = stores[usize::try_from(dice.below(stores.len() as u64)).expect("small")];
    let pd = NodeId::Pd(usize::try_from(dice.below(3)).expect("small"));
    // Ids of regions, of peers, and of nothing.
    let region = dice.below(260);
    match dice.below(16) {
        0 => Event::Crash(NodeId::Store(store)),
        1 => Event::Hang(NodeId::Store(store)),
        2..=4 => Event::Restart(NodeId::Store(store)),
        5 => Event::Crash(pd),
        6 => Event::Hang(pd),
        7..=9 => Event::Restart(pd),
        10 if dice.below(4) == 0 => Event::RestartAllPds,
        10 => Event::ResignPdLeader,
        11 if stores.len() < 6 => Event::AddStore,
        11 if dice.below(4) == 0 => Event::TakeOffline(store),
        11 => Event::Slow(store),
        12 => Event::Split(region),
        13 => Event::MergeWithNext(region),
        14 => Event::TransferLeader { region, to_store: store },
        _ => Event::Heat { region, written_bytes_per_second: 4 << 20, read_bytes_per_second: 1 << 20 },
    }
}

const PATHS: [&str; 10] = [
    "/pd/api/v1/stores?state=0&state=1&state=2",
    "/pd/api/v1/members",
    "/pd/api/v1/stats/region",
    "/pd/api/v1/hotspot/regions/write",
    "/pd/api/v1/hotspot/stores",
    "/pd/api/v1/operators?object=true",
    "/pd/api/v1/operators/records",
    "/pd/api/v1/stores/progress?action=removing",
    "/pd/api/v1/regions/check/pending-peer",
    "/metrics",
];

fn assert_regions(cluster: &mut Simulator, pd: &str) {
    let reply = get(cluster, pd, "/pd/api/v1/regions/key?limit=0");
    let page: Value = serde_json::from_slice(reply.body()).expect("JSON");
    let regions = page["regions"].as_array().expect("a list");
    assert_eq!(regions.len() as u64, cluster.truth().regions);
    let mut ids = BTreeSet::new();
    let mut end = "";
    for region in regions {
        assert_eq!(region["start_key"], end, "a gap or an overlap");
        end = region["end_key"].as_str().expect("text");
        assert!(ids.insert(region["id"].as_u64()), "an id twice: {region}");
        let peers = region["peers"].as_array().expect("a list");
        let stores: BTreeSet<_> = peers.iter().map(|peer| peer["store_id"].as_u64()).collect();
        assert!(stores.len() == peers.len() && peers.len() >= 3, "{region}");
        let leader = &region["leader"];
        assert!(leader["id"].is_null() || peers.contains(leader), "{region}");
    }
    assert_eq!(end, "");
}

#[test]
fn nothing_breaks_whatever_happens() {
    for seed in 0..6 {
        let mut config = Config::new(Scenario::StoreOffline);
        config.seed = seed;
        let mut cluster = Simulator::new(config);
        let mut dice = Dice(seed);
        for _ in 0..120 {
            let event = event(&mut dice, &cluster);
            cluster.apply(event);
            cluster.advance(Duration::from_millis(dice.below(30_000)));
            for node in cluster.nodes() {
                let _ = cluster.answer(&node.authority, &Request::get("/region/2"));
            }
            let leader = cluster.truth().pd_leader;
            for path in PATHS {
                let reply = get(&mut cluster, "pd1:2379", path);
                assert!(reply.status() != Some(404) || path.contains("progress"), "{path}");
            }
            if let Some(leader) = leader {
                assert_regions(&mut cluster, &format!("{leader}:2379"));
            }
            let truth = cluster.truth();
            let led: u64 = truth.stores.values().map(|store| store.leaders).sum();
            assert_eq!(led + truth.leaderless.len() as u64, truth.regions);
        }
        // Everything comes back, and in the end everything is well.
        for node in cluster.nodes() {
            cluster.apply(Event::Restart(node.id));
        }
        cluster.advance(Duration::from_secs(20 * 60));
        let truth = cluster.truth();
        assert!(truth.leaderless.is_empty() && truth.pd_is_warm, "seed {seed}: {truth:?}");
    }
}
