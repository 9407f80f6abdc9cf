//! The program as a newcomer runs it: a simulated cluster in one shell, questions in another.

use std::time::{Duration, Instant};

use chrono::Utc;
use operator_core::Region;
use operator_tests::ReplayServer;
use serde_json::{Value, json};
use tikv_simulator::{Config, Event, NodeId, Scenario, Server};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::program::{PATIENCE, operator, start};

/// `operator simulate` as it runs, and what it said.
struct Simulating {
    _child: Child,
    said: Value,
}

impl Simulating {
    async fn start(args: &[&str]) -> Self {
        let mut child = start([&["simulate", "-o", "json"], args].concat());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it says where PD is");
        let said = serde_json::from_str(&line.unwrap().expect("a line")).unwrap();
        Self { _child: child, said }
    }

    fn pd(&self) -> String {
        let urls = self.said["pd"].as_array().unwrap().iter();
        urls.map(|url| url.as_str().unwrap()).collect::<Vec<_>>().join(",")
    }
}

#[tokio::test]
async fn every_command_against_a_simulated_cluster_of_another_process() {
    let started = Instant::now();
    let simulating = Simulating::start(&["--stores", "5", "--regions", "40"]).await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    let pd = simulating.pd();
    let ask = async |args: &[&str]| operator([&["--pd", &pd, "-o", "json"], args].concat()).await;

    let stores = ask(&["stores"]).await.json();
    assert_eq!(stores.as_array().unwrap().len(), 5);
    assert!(stores.as_array().unwrap().iter().all(|store| store["state"] == "Up"), "{stores}");
    let id = stores[1]["id"].to_string();
    assert_eq!(ask(&["store", &id]).await.json()["id"], stores[1]["id"]);

    let regions = ask(&["regions"]).await.json_lines();
    assert_eq!(regions.len(), 40);
    assert_eq!((&regions[0]["start_key"], &regions[39]["end_key"]), (&json!(""), &json!("")));
    assert_eq!(ask(&["regions", "--limit", "7"]).await.json_lines().len(), 7);
    let of_store = ask(&["regions", "--store", &id]).await.json_lines();
    assert!(!of_store.is_empty() && of_store.len() < 40);
    let has_peer = |region: &Value| {
        region["peers"].as_array().unwrap().iter().any(|peer| peer["store_id"] == stores[1]["id"])
    };
    assert!(of_store.iter().all(has_peer));

    let region: Region = serde_json::from_value(regions[3].clone()).unwrap();
    assert_eq!(ask(&["region", &region.id.to_string()]).await.json()["start_key"], regions[3]["start_key"]);
    assert_eq!(
        ask(&["region", "--with-key", &region.start_key.to_string()]).await.json()["id"],
        regions[3]["id"]
    );

    let status = ask(&["status"]).await.json();
    assert_eq!(status["trust"]["verdict"], "complete", "{status}");
    assert_eq!(status["stores"].as_array().unwrap().len(), 5);
    assert_eq!(status["members"].as_array().unwrap().len(), 3);
    assert_eq!(status["cluster"]["region_count"], 40);
    assert_eq!(status["cluster"]["region_health"]["quorum_lost"], 0);
    assert_eq!(status["errors"], json!([]));

    assert!(ask(&["hot"]).await.json().is_array());
    assert_eq!(ask(&["config"]).await.json()["name"], "tikv");
    for command in [&["stores"][..], &["status"], &["regions"], &["hot"], &["config"], &["store", &id]] {
        let run = operator([&["--pd", &pd], command].concat()).await;
        assert_eq!(run.code, Some(0), "{command:?}: {run:?}");
        assert!(run.stdout.lines().count() > 1, "{command:?}: {run:?}");
        assert!(!run.stdout.contains('\u{1b}'), "no colour in a pipe: {run:?}");
    }
    ask(&["store", "999999"]).await.failed(1, &["999999"]);
    ask(&["region", "999999999"]).await.failed(1, &["999999999"]);
}

#[tokio::test]
async fn the_first_command_of_the_readme_needs_nobody() {
    let run = operator(["--simulate", "stores", "-o", "json"]).await;
    assert_eq!(run.json().as_array().unwrap().len(), 3);
    let run = operator(["--simulate=store-crash", "stores", "-o", "json"]).await;
    let states: Vec<_> = run.json().as_array().unwrap().iter().map(|store| store["state"].clone()).collect();
    assert!(states.contains(&json!("Disconnected")), "{states:?}");
}

#[tokio::test]
async fn the_table_says_where_pd_is() {
    let mut child = start(["simulate"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = loop {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("a URL");
        if let Some(at) = line.find("http://127.0.0.1:") {
            break line[at..].split_whitespace().next().unwrap().to_owned();
        }
    };
    assert_eq!(operator(["--pd", &url, "stores", "-o", "json"]).await.json().as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_program_keeps_answering_when_the_leader_of_pd_is_killed() {
    // Five times as fast as the wall clock: an election of 13 s takes less than three.
    let server = Server::start(Config::new(Scenario::Healthy), 5.0).await.unwrap();
    let pd = server.pd_urls().join(",");
    let stores =
        async || operator(["--pd", &pd, "stores", "-o", "json"]).await.json().as_array().unwrap().len();
    assert_eq!(stores().await, 3);
    assert_eq!(server.with(|simulator| simulator.truth().pd_leader), Some("pd0".to_owned()));
    server.with(|simulator| simulator.apply(Event::Crash(NodeId::Pd(0))));
    assert_eq!(server.with(|simulator| simulator.truth().pd_leader), None, "the election is not over");
    assert_eq!(stores().await, 3);
    let leader = server.with(|simulator| simulator.truth().pd_leader);
    assert!(leader.is_some() && leader != Some("pd0".to_owned()), "{leader:?}");
}

#[tokio::test]
async fn a_cluster_with_two_dead_stores_of_three_is_shown_as_such() {
    let scenario = Scenario::TwoStoresLost;
    let server = Server::start(Config::new(scenario).shown_at(Utc::now()), 1.0).await.unwrap();
    server.with(|simulator| simulator.advance(scenario.shows_after()));
    let status = operator(["--pd", &server.pd_urls().join(","), "status", "-o", "json"]).await.json();
    let health = &status["cluster"]["region_health"];
    assert_eq!(health["quorum_lost"], status["cluster"]["region_count"], "{status}");
}

#[tokio::test]
async fn recorded_states_are_shown_as_they_were() {
    let ask = async |state: &str, args: &[&str]| {
        let server = ReplayServer::start(state).await.unwrap();
        operator([&["--pd", &server.pd_endpoints().join(","), "-o", "json"], args].concat()).await
    };
    let stores = ask("store-down", &["stores"]).await.json();
    let down: Vec<_> = stores.as_array().unwrap().iter().filter(|store| store["state"] == "Down").collect();
    assert_eq!(down.len(), 1);
    assert_eq!(down[0]["id"], 4);
    assert_eq!(ask("healthy-busy", &["regions"]).await.json_lines().len(), 48);
    let lost = ask("two-stores-lost", &["status"]).await.json();
    assert_eq!(lost["cluster"]["region_health"]["quorum_lost"], 54, "{lost}");
    let alive = ask("pd-member-lost", &["status"]).await.json();
    assert_eq!(alive["cluster"]["region_health"]["quorum_lost"], 0, "{alive}");
    // Recorded long ago: the program reads the machine's clock and says so.
    assert_eq!(lost["trust"]["verdict"], "stale");
    ask("not-bootstrapped", &["stores"]).await.failed(1, &["no TiKV store has joined"]);
    ask("pd-no-quorum", &["stores"]).await.failed(1, &["no leader"]);
}
