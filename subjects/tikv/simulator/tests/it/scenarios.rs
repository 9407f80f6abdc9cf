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
