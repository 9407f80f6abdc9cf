//! What each scenario shows, in simulated time.

use std::time::Duration;

use serde_json::Value;
use tikv_simulator::{Config, Event, NodeId, Reply, Request, Scenario, Simulator};

const PD: &str = "pd0:2379";

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn get(cluster: &mut Simulator, authority: &str, path: &str) -> Reply {
    cluster.answer(authority, &Request::get(path))
}

pub(crate) fn json(cluster: &mut Simulator, authority: &str, path: &str) -> Value {
    let reply = get(cluster, authority, path);
    assert_eq!(reply.status(), Some(200), "{path}: {}", String::from_utf8_lossy(reply.body()));
    serde_json::from_slice(reply.body()).expect("JSON")
}

fn cluster(scenario: Scenario) -> Simulator {
    Simulator::new(Config::new(scenario))
}

/// Every store's name in PD's words.
fn states(cluster: &mut Simulator, authority: &str) -> Vec<(u64, String)> {
    let stores = json(cluster, authority, "/pd/api/v1/stores");
    let list = stores["stores"].as_array().expect("a list");
    let name = |store: &Value| store["store"]["state_name"].as_str().expect("a name").to_owned();
    list.iter().map(|store| (store["store"]["id"].as_u64().expect("an id"), name(store))).collect()
}

fn state(cluster: &mut Simulator, store: u64) -> String {
    states(cluster, PD).into_iter().find(|(id, _)| *id == store).map(|(_, state)| state).expect("listed")
}

fn checked(cluster: &mut Simulator, authority: &str, check: &str) -> u64 {
    json(cluster, authority, &format!("/pd/api/v1/regions/check/{check}"))["count"].as_u64().expect("a count")
}

#[test]
fn healthy_is_healthy_for_an_hour() {
    let mut cluster = cluster(Scenario::Healthy);
    for _ in 0..60 {
        assert!(states(&mut cluster, PD).iter().all(|(_, state)| state == "Up"));
        for check in ["miss-peer", "extra-peer", "down-peer", "pending-peer", "offline-peer", "learner-peer"]
        {
            assert_eq!(checked(&mut cluster, PD, check), 0, "{check} at {}", cluster.now());
        }
        let truth = cluster.truth();
        assert!(truth.leaderless.is_empty() && truth.without_quorum.is_empty() && truth.pd_is_warm);
        cluster.advance(seconds(60));
    }
}

#[test]
fn a_crashed_store_is_disconnected_after_20_s_and_down_after_30_min() {
    let mut cluster = cluster(Scenario::StoreCrash);
    cluster.advance(seconds(29));
    assert_eq!(state(&mut cluster, 4), "Up");
    let led = cluster.truth().stores[&4].leaders;
    assert!(led > 0);
    cluster.advance(seconds(2));
    assert_eq!(get(&mut cluster, "tikv1:20180", "/status"), Reply::Refused);
    assert_eq!(cluster.truth().leaderless.len() as u64, led, "nobody leads what it led");
    cluster.advance(seconds(20));
    assert!(cluster.truth().leaderless.is_empty(), "the survivors elected");
    assert_eq!(cluster.truth().stores[&4].leaders, 0);
    cluster.advance(seconds(9));
    assert_eq!(state(&mut cluster, 4), "Disconnected");
    cluster.advance(seconds(60));
    assert!(checked(&mut cluster, PD, "pending-peer") > 0);
    assert_eq!(checked(&mut cluster, PD, "down-peer"), 0, "that takes ten minutes");
    cluster.advance(seconds(10 * 60));
    assert_eq!(checked(&mut cluster, PD, "down-peer"), 48);
    cluster.advance(seconds(20 * 60));
    assert_eq!(state(&mut cluster, 4), "Down");
    cluster.apply(Event::Restart(NodeId::Store(4)));
    cluster.advance(seconds(120));
    assert_eq!(state(&mut cluster, 4), "Up");
    assert_eq!(checked(&mut cluster, PD, "down-peer"), 0);
    assert!(cluster.truth().stores[&4].leaders >= 10, "PD balanced leaders back to it");
}

#[test]
fn without_the_pd_leader_nothing_is_answered_for_13_s() {
    let mut cluster = cluster(Scenario::PdLeaderLoss);
    cluster.advance(seconds(30));
    assert_eq!(get(&mut cluster, PD, "/pd/api/v1/stores"), Reply::Refused);
    for _ in 0..12 {
        for follower in ["pd1:2379", "pd2:2379"] {
            let reply = get(&mut cluster, follower, "/pd/api/v1/ping");
            assert_eq!(reply.status(), Some(500));
            assert_eq!(reply.body(), b"[PD:apiutil:ErrRedirect]redirect failed\n");
            assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
        }
        cluster.advance(seconds(1));
    }
    cluster.advance(seconds(2));
    // The new leader has copied the regions with their leaders, but not the stores' statistics.
    let stores = json(&mut cluster, "pd1:2379", "/pd/api/v1/stores");
    let list = stores["stores"].as_array().expect("a list");
    assert!(
        list.iter().any(|s| s["store"]["state_name"] == "Disconnected" && s["status"]["capacity"] == "0B")
    );
    assert!(list.iter().all(|s| s["status"]["leader_count"].as_u64() > Some(0)));
    assert!(!cluster.truth().pd_is_warm);
    cluster.advance(seconds(60));
    assert!(states(&mut cluster, "pd2:2379").iter().all(|(_, state)| state == "Up"));
    assert!(cluster.truth().pd_is_warm);
}

#[test]
fn with_two_stores_lost_pd_shows_leaders_and_no_check_finds_anything() {
    let mut cluster = cluster(Scenario::TwoStoresLost);
    cluster.advance(seconds(150));
    let truth = cluster.truth();
    assert_eq!((truth.leaderless.len(), truth.without_quorum.len()), (48, 48));

    let regions = json(&mut cluster, PD, "/pd/api/v1/regions/key?limit=100");
    let list = regions["regions"].as_array().expect("a list");
    assert!(list.len() == 48 && list.iter().all(|region| region["leader"]["id"].as_u64() > Some(0)));
    let names: Vec<_> = states(&mut cluster, PD).into_iter().map(|(_, state)| state).collect();
    assert_eq!(names, ["Up", "Disconnected", "Disconnected"]);
    for check in ["miss-peer", "extra-peer", "down-peer", "pending-peer", "offline-peer", "learner-peer"] {
        assert_eq!(checked(&mut cluster, PD, check), 0, "{check}");
    }
    for check in ["empty-region", "oversized-region", "undersized-region"] {
        assert_eq!(checked(&mut cluster, PD, check), 0, "{check}");
    }
    let peer = json(&mut cluster, "tikv0:20180", "/region/2");
    assert_eq!(peer["group_state"], "Chaos");
    assert_eq!(peer["raft_status"]["soft_state"]["leader_id"], 0);
    assert_eq!(peer["raft_status"]["soft_state"]["raft_state"], "PreCandidate");

    cluster.apply(Event::Restart(NodeId::Store(5)));
    cluster.advance(seconds(15));
    let truth = cluster.truth();
    assert!(truth.leaderless.is_empty() && truth.without_quorum.is_empty(), "two of three are a quorum");
}

#[test]
fn a_restarted_pd_knows_no_leader_until_the_regions_report() {
    let mut cluster = cluster(Scenario::PdRestart);
    cluster.advance(seconds(30));
    assert_eq!(get(&mut cluster, PD, "/pd/api/v1/ping"), Reply::Refused);
    cluster.advance(Scenario::PdRestart.shows_after() - seconds(30));
    let regions = json(&mut cluster, PD, "/pd/api/v1/regions/key?limit=100");
    let list = regions["regions"].as_array().expect("a list");
    let without =
        list.iter().filter(|region| region["leader"] == serde_json::json!({"role_name": ""})).count();
    assert!(without > list.len() / 2, "{without} of {}", list.len());
    assert!(states(&mut cluster, PD).iter().any(|(_, state)| state == "Disconnected"));
    assert_eq!(json(&mut cluster, PD, "/pd/api/v1/schedulers"), serde_json::json!([]));
    assert!(cluster.truth().leaderless.is_empty(), "only PD does not know");
    cluster.advance(seconds(60));
    assert!(cluster.truth().pd_is_warm);
    assert!(states(&mut cluster, PD).iter().all(|(_, state)| state == "Up"));
    let schedulers = json(&mut cluster, PD, "/pd/api/v1/schedulers");
    assert_eq!(schedulers.as_array().map(Vec::len), Some(4));
}

#[test]
fn without_a_quorum_of_pds_nothing_is_answered_until_one_is_back() {
    let mut cluster = cluster(Scenario::NoQuorum);
    cluster.advance(seconds(30));
    for _ in 0..20 {
        let reply = get(&mut cluster, "pd2:2379", "/pd/api/v1/members");
        assert_eq!(reply.body(), b"[PD:apiutil:ErrRedirect]redirect failed\n");
        cluster.advance(seconds(30));
    }
    assert_eq!(cluster.truth().pd_leader, None);
    let own = get(&mut cluster, "pd2:2379", "/metrics");
    assert!(String::from_utf8_lossy(own.body()).contains("\netcd_server_has_leader 0\n"));
    cluster.apply(Event::Restart(NodeId::Pd(1)));
    cluster.advance(seconds(4));
    let health = json(&mut cluster, "pd2:2379", "/pd/api/v1/health");
    let healthy: Vec<_> = health.as_array().expect("a list").iter().map(|member| &member["health"]).collect();
    assert_eq!(healthy, [false, true, true]);
}

#[test]
fn an_offline_store_is_emptied_and_buried() {
    let mut cluster = cluster(Scenario::StoreOffline);
    cluster.advance(seconds(29));
    let before = cluster.truth().stores[&6].peers;
    cluster.advance(Scenario::StoreOffline.shows_after() - seconds(29));
    let truth = cluster.truth();
    assert_eq!(truth.stores[&6].called, "Offline");
    assert!((1..before).contains(&truth.stores[&6].peers), "{truth:?}");
    assert!(checked(&mut cluster, PD, "offline-peer") > 0);
    assert!(checked(&mut cluster, PD, "learner-peer") > 0);
    let progress = json(&mut cluster, PD, "/pd/api/v1/stores/progress?action=removing");
    assert!(progress["progress"].as_f64().is_some_and(|share| share > 0.0 && share < 1.0), "{progress}");
    let running = json(&mut cluster, PD, "/pd/api/v1/operators?object=true");
    assert_eq!(running[0]["desc"], "replace-rule-offline-peer");
    cluster.advance(seconds(10 * 60));
    assert_eq!(states(&mut cluster, PD).len(), 3, "tombstones are not listed");
    let tombstones = json(&mut cluster, PD, "/pd/api/v1/stores?state=2");
    assert_eq!(tombstones["stores"][0]["store"]["state_name"], "Tombstone");
    assert_eq!(checked(&mut cluster, PD, "offline-peer"), 0);
    let regions = json(&mut cluster, PD, "/pd/api/v1/regions/key?limit=100");
    for region in regions["regions"].as_array().expect("a list") {
        assert_eq!(region["peers"].as_array().map(Vec::len), Some(3), "{region}");
    }
}

#[test]
fn a_new_store_is_filled() {
    let mut cluster = cluster(Scenario::ScaleOut);
    cluster.advance(seconds(29));
    assert_eq!(cluster.nodes().len(), 6);
    cluster.advance(seconds(10 * 60));
    let truth = cluster.truth();
    assert_eq!(truth.stores.len(), 4);
    for store in truth.stores.values() {
        assert!((32..=40).contains(&store.peers) && (9..=15).contains(&store.leaders), "{truth:?}");
    }
    assert!(truth.leaderless.is_empty());
}

#[test]
fn a_hot_region_is_ranked_first() {
    let mut cluster = cluster(Scenario::HotRegion);
    cluster.advance(Scenario::HotRegion.shows_after());
    for kind in ["read", "write"] {
        let hot = json(&mut cluster, PD, &format!("/pd/api/v1/hotspot/regions/{kind}"));
        let leaders = hot["as_leader"].as_object().expect("by store");
        let mut flows: Vec<_> = (leaders.values())
            .flat_map(|store| store["statistics"].as_array().expect("a list"))
            .map(|peer| (peer["flow_bytes"].as_u64().expect("a number"), peer["hot_degree"].as_u64()))
            .collect();
        flows.sort_unstable();
        let [.., second, first] = flows.as_slice() else { panic!("{flows:?}") };
        assert!(first.0 > 10 * second.0 && first.1 >= Some(3), "{flows:?}");
    }
}

#[test]
fn a_slow_store_gets_a_high_score_answers_late_and_loses_its_leaders() {
    let mut cluster = cluster(Scenario::SlowStore);
    let status = |cluster: &mut Simulator| json(cluster, PD, "/pd/api/v1/store/4")["status"].clone();
    assert_eq!(status(&mut cluster)["slow_score"], 1);
    cluster.advance(Scenario::SlowStore.shows_after());
    assert!(status(&mut cluster)["slow_score"].as_u64() >= Some(80));
    let Reply::Answer { delay, .. } = get(&mut cluster, "tikv1:20180", "/status") else { panic!("it lives") };
    assert!(delay > Duration::from_millis(500));
    cluster.advance(seconds(60));
    assert_eq!(cluster.truth().stores[&4].leaders, 0);
    assert_eq!(state(&mut cluster, 4), "Up");
}

#[test]
fn a_full_disk_is_seen() {
    let mut cluster = cluster(Scenario::DiskFull);
    cluster.advance(Scenario::DiskFull.shows_after());
    let metrics = get(&mut cluster, PD, "/metrics");
    let page = String::from_utf8_lossy(metrics.body()).into_owned();
    let value = |series: &str| -> f64 {
        let line = page.lines().find(|line| line.starts_with(series)).expect("the series is there");
        line.rsplit_once(' ').and_then(|(_, value)| value.parse().ok()).expect("a value")
    };
    let of = |kind: &str| {
        value(&format!(r#"pd_scheduler_store_status{{address="tikv1:20160",store="4",type="{kind}"}}"#))
    };
    let free = of("store_available") / of("store_capacity");
    assert!(free < 0.011, "{free}");
    assert!((value(r#"pd_cluster_status{type="store_low_space_count"}"#) - 1.0).abs() < 0.1);
}

#[test]
fn the_same_seed_gives_the_same_cluster_to_the_byte() {
    let told = |seed| {
        let mut config = Config::new(Scenario::StoreCrash);
        config.seed = seed;
        let mut cluster = Simulator::new(config);
        let mut told = Vec::new();
        for step in [7, 24, 13, 60, 200] {
            cluster.advance(seconds(step));
            for path in
                ["/pd/api/v1/stores", "/pd/api/v1/regions/key?limit=100", "/pd/api/v1/members", "/metrics"]
            {
                told.push(get(&mut cluster, PD, path));
            }
            told.push(get(&mut cluster, "tikv0:20180", "/region/2"));
        }
        told
    };
    assert_eq!(told(3), told(3));
    assert_ne!(told(3), told(4));
}

#[test]
fn small_steps_and_one_large_step_lead_to_the_same() {
    let told = |steps: u64| {
        let mut cluster = cluster(Scenario::ScaleOut);
        for _ in 0..steps {
            cluster.advance(Duration::from_millis(300_000 / steps));
        }
        get(&mut cluster, PD, "/pd/api/v1/regions/key?limit=100")
    };
    assert_eq!(told(1), told(1_000));
}
