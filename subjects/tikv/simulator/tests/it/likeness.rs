//! The simulator against what a real cluster answered: status, content type, and JSON key by key and type by type.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use tikv_simulator::{Config, Event, NodeId, Reply, Request, Scenario, Simulator};

use crate::page::Page;
use crate::scenarios::seconds;
use crate::shape::Shape;

#[derive(Deserialize)]
struct Index {
    answers: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    file: Option<String>,
    method: String,
    path: String,
    group: String,
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// Not part of the model.
const LEFT_OUT: [&str; 1] = ["/pd/api/v1/trend"];

fn folder(state: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/recordings").join(state)
}

fn index(state: &str) -> Vec<Recorded> {
    let text = std::fs::read(folder(state).join("index.json")).expect("the index is there");
    serde_json::from_slice::<Index>(&text).expect("an index").answers
}

fn body(state: &str, recorded: &Recorded) -> Option<Vec<u8>> {
    let file = recorded.file.as_ref().filter(|file| !file.ends_with(".gz"))?;
    std::fs::read(folder(state).join(file)).ok()
}

/// A cluster in the state that was recorded, and the PD that is asked.
fn simulated(state: &str) -> (Simulator, &'static str) {
    let new = |scenario| Simulator::new(Config::new(scenario));
    let mut cluster = match state {
        "not-bootstrapped" => new(Scenario::NotBootstrapped),
        "two-stores-lost" => new(Scenario::TwoStoresLost),
        "store-offline" | "store-tombstone" => new(Scenario::StoreOffline),
        "scaling-out" => new(Scenario::ScaleOut),
        "pd-leader-just-lost" | "pd-member-lost" => new(Scenario::PdLeaderLoss),
        "pd-no-quorum" => new(Scenario::NoQuorum),
        "pd-warming-up" | "pd-warm-again" => new(Scenario::PdRestart),
        "store-slow" => new(Scenario::SlowStore),
        _ => new(Scenario::Healthy),
    };
    match state {
        "healthy-idle" | "healthy-loaded" | "healthy-busy" | "not-bootstrapped" => {
            cluster.advance(seconds(65))
        }
        "store-disconnected" => {
            cluster.apply(Event::Hang(NodeId::Store(5)));
            cluster.advance(seconds(90));
        }
        "store-down" | "store-back" => {
            cluster.apply(Event::SetMaxStoreDownTime(40));
            cluster.apply(Event::Crash(NodeId::Store(4)));
            cluster.advance(seconds(120));
            if state == "store-back" {
                cluster.apply(Event::Restart(NodeId::Store(4)));
                cluster.advance(seconds(15));
            }
        }
        "two-stores-lost" | "store-slow" => cluster.advance(seconds(150)),
        "scaling-out" | "store-offline" => cluster.advance(seconds(50)),
        "store-tombstone" => cluster.advance(seconds(15 * 60)),
        "pd-leader-just-lost" => cluster.advance(seconds(31)),
        "pd-member-lost" => cluster.advance(seconds(51)),
        "pd-no-quorum" => cluster.advance(seconds(60)),
        "pd-warming-up" => cluster.advance(seconds(37)),
        "pd-warm-again" => cluster.advance(seconds(95)),
        _ => panic!("no such state: {state}"),
    }
    let asked = if matches!(state, "pd-leader-just-lost" | "pd-member-lost" | "pd-no-quorum") {
        "pd2"
    } else {
        "pd0"
    };
    (cluster, if asked == "pd2" { "pd2:2379" } else { "pd0:2379" })
}

const STATES: [&str; 17] = [
    "not-bootstrapped",
    "healthy-idle",
    "healthy-loaded",
    "healthy-busy",
    "store-disconnected",
    "store-down",
    "store-back",
    "store-slow",
    "scaling-out",
    "store-offline",
    "store-tombstone",
    "pd-leader-just-lost",
    "pd-member-lost",
    "pd-no-quorum",
    "pd-warming-up",
    "pd-warm-again",
    "two-stores-lost",
];

/// Whether an endpoint is of a store, and which: every list of regions is of one shape.
fn endpoint(recorded: &Recorded) -> (String, bool) {
    let octets = recorded.headers.values().any(|value| value == "application/octet-stream");
    let regions = octets && recorded.path.starts_with("/pd/api/v1/regions");
    let path = if regions { "/pd/api/v1/regions" } else { &recorded.path };
    (path.to_owned(), recorded.group != "pd")
}

/// What was recorded hangs on what happened to this cluster before: which operators ran in the last ten minutes, which
/// store a region is on while regions move. Another status that was recorded in another state is as good.
const HISTORY: [&str; 3] = ["/pd/api/v1/operators/records", "/pd/api/v1/operators/2", "/region/2"];

/// One shape for each endpoint and status, from all states together.
fn recorded_shapes() -> BTreeMap<((String, bool), u16), Shape> {
    let mut shapes = BTreeMap::<_, Shape>::new();
    for state in STATES {
        for recorded in index(state).iter().filter(|recorded| recorded.group != "prometheus") {
            let json = body(state, recorded).and_then(|body| serde_json::from_slice::<Value>(&body).ok());
            if let (Some(json), Some(status)) = (json, recorded.status) {
                shapes.entry((endpoint(recorded), status)).or_default().add(&json);
            }
        }
    }
    shapes
}

#[test]
fn every_answer_is_like_the_recorded_one() {
    let shapes = recorded_shapes();
    let mut differences = Vec::new();
    let mut compared = 0;
    for state in STATES {
        let (mut cluster, pd) = simulated(state);
        for recorded in index(state) {
            if recorded.group == "prometheus" || LEFT_OUT.contains(&recorded.path.as_str()) {
                continue;
            }
            let authority =
                if recorded.group == "pd" { pd.to_owned() } else { format!("{}:20180", recorded.group) };
            let at = format!("{state} {} {}", recorded.group, recorded.path);
            let reply = cluster.answer(&authority, &Request::new(&recorded.method, &recorded.path));
            let Some(status) = recorded.status else {
                if let Reply::Answer { .. } = reply {
                    differences.push(format!("{at}: answered, and the recorded one did not"));
                }
                continue;
            };
            compared += 1;
            let key = |status: u16| (endpoint(&recorded), status);
            let other = reply.status().filter(|_| HISTORY.contains(&recorded.path.as_str()));
            if let Some(shape) =
                other.filter(|other| *other != status).and_then(|other| shapes.get(&key(other)))
            {
                let mut simulated = Shape::default();
                simulated.add(&serde_json::from_slice(reply.body()).unwrap_or(Value::Null));
                simulated.differs(shape, &at, &mut differences);
                continue;
            }
            let missing = other == Some(404) && reply.body() == b"region(2) not found";
            if missing {
                continue;
            }
            if reply.status() != Some(status) {
                differences.push(format!("{at}: {:?} instead of {status}", reply.status()));
                continue;
            }
            let wanted = recorded.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
            if reply.header("content-type") != wanted.map(|(_, value)| value.as_str()) {
                differences.push(format!("{at}: content type {:?}", reply.header("content-type")));
            }
            let Some(wanted) = body(state, &recorded) else { continue };
            match serde_json::from_slice::<Value>(&wanted) {
                Ok(_) => {
                    let mut shape = Shape::default();
                    shape.add(&serde_json::from_slice(reply.body()).unwrap_or(Value::Null));
                    shape.differs(&shapes[&key(status)], &at, &mut differences);
                    // Errors are told in PD's words.
                    if status >= 400 && wanted.len() < 200 && reply.body() != wanted {
                        differences.push(format!("{at}: {}", String::from_utf8_lossy(reply.body())));
                    }
                }
                // Texts are short and the same; of a stack trace the beginning is.
                Err(_) => {
                    let end = wanted.len().min(200);
                    if reply.body().get(..end) != wanted.get(..end) {
                        differences.push(format!("{at}: {}", String::from_utf8_lossy(reply.body())));
                    }
                }
            }
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    assert!(compared > 1_000, "only {compared} answers were compared");
}

/// The series of a family, without their values.
fn of_family<'a>(page: &'a Page, family: &str) -> Vec<&'a String> {
    page.series.keys().filter(|series| series.split('{').next() == Some(family)).collect()
}

#[test]
fn pd_shows_the_series_that_it_showed_in_the_same_state() {
    for (state, pd, is_warm_leader) in [
        ("healthy-busy", "pd0:2379", true),
        ("store-offline", "pd0:2379", true),
        ("two-stores-lost", "pd1:2379", false),
        ("pd-member-lost", "the leader", false),
    ] {
        let (mut cluster, _) = simulated(state);
        let leader = cluster.truth().pd_leader.expect("somebody leads");
        let pd = if pd == "the leader" { format!("{leader}:2379") } else { pd.to_owned() };
        let page = Page::of(&mut cluster, &pd);
        let recorded = Page::read(&folder(state).join("pd-metrics.txt.gz"));
        for family in
            ["pd_regions_status", "pd_cluster_status", "pd_cluster_health_status", "service_member_role"]
        {
            assert_eq!(of_family(&page, family), of_family(&recorded, family), "{state}");
        }
        for page in [&page, &recorded] {
            assert_eq!(page.families.contains_key("pd_scheduler_store_status"), is_warm_leader, "{state}");
        }
    }
}
