//! Every request that a recorded PD was asked to change something with, and the answer it gave: the same status, type and
//! text, but for ids and times.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use tikv_simulator::{Config, Event, Request, Scenario, Simulator};

use crate::scenarios::{json, seconds};

const PD: &str = "pd0:2379";

#[derive(Deserialize)]
struct Action {
    method: String,
    path: String,
    body: Value,
    status: u16,
    content_type: String,
    answer: String,
    note: String,
}

fn recorded(folder: &str) -> Vec<Action> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/recordings").join(folder);
    let text = std::fs::read(path.join("actions.json")).expect("the recording is there");
    serde_json::from_slice(&text).expect("a list of actions")
}

/// A cluster as the recorded one was: four stores, and a hot region that store 1 leads and the fourth does not hold.
struct Equivalent {
    cluster: Simulator,
    hot: u64,
    other: u64,
}

/// The fourth store was 216 there and is 6 here.
const FOURTH: &str = "6";

impl Equivalent {
    fn new() -> Self {
        let mut config = Config::new(Scenario::Healthy);
        config.stores = 4;
        let mut cluster = Simulator::new(config);
        let regions = json(&mut cluster, PD, "/pd/api/v1/regions/key?limit=0");
        let regions = regions["regions"].as_array().expect("a list").clone();
        let holds = |region: &&Value| {
            let peers = region["peers"].as_array().expect("a list");
            let stores: BTreeSet<_> = peers.iter().filter_map(|peer| peer["store_id"].as_u64()).collect();
            stores == BTreeSet::from([1, 4, 5]) && region["leader"]["store_id"] == 1
        };
        let mut ids = regions.iter().filter(holds).filter_map(|region| region["id"].as_u64());
        let (hot, other) = (ids.next().expect("there is one"), ids.next().expect("there are two"));
        cluster.apply(Event::Heat {
            region: hot,
            written_bytes_per_second: 200 << 10,
            read_bytes_per_second: 1 << 20,
        });
        cluster.advance(seconds(5 * 60));
        Self { cluster, hot, other }
    }

    /// The recorded ids as they are here.
    fn translate(&self, text: &str) -> String {
        let text = text.replace("192", &self.hot.to_string()).replace("216", FOURTH);
        text.replace("\"region_id\":10}", &format!("\"region_id\":{}}}", self.other))
    }

    fn check(&mut self, action: &Action) {
        let mut request = Request::new(&*action.method, self.translate(&action.path));
        if !action.body.is_null() {
            request.body = self.translate(&action.body.to_string()).into();
        }
        let asked = format!("{} {} {}", action.method, action.path, action.note);
        let reply = self.cluster.answer(PD, &request);
        let text = String::from_utf8_lossy(reply.body()).into_owned();
        assert_eq!(reply.status(), Some(action.status), "{asked}: {text}");
        assert_eq!(reply.header("content-type"), Some(action.content_type.as_str()), "{asked}");
        let expected = self.translate(&action.answer);
        if action.path == "/pd/api/v1/schedulers" {
            // Go's maps have no order.
            let set = |text: &str| -> BTreeSet<String> {
                serde_json::from_str::<Value>(text)
                    .ok()
                    .and_then(|value| serde_json::from_value(value).ok())
                    .unwrap_or_else(|| BTreeSet::from([text.to_owned()]))
            };
            assert_eq!(set(&text), set(&expected), "{asked}");
        } else {
            assert_eq!(without_times(&text), without_times(&expected), "{asked}");
        }
    }
}

/// PD's prose without what differs from run to run: times, sizes, and the region's epoch.
fn without_times(text: &str) -> String {
    let mut masked = text.to_owned();
    for (field, ends) in [
        ("createAt:", ", startAt"),
        ("startAt:", ", currentStep"),
        ("size:", ", steps"),
        ("(kind:admin,leader, region:", ", createAt"),
    ] {
        if let Some(from) = masked.find(field)
            && let Some(length) = masked[from..].find(ends)
        {
            masked.replace_range(from + field.len()..from + length, "…");
        }
    }
    masked
}

#[test]
fn masks_hide_no_more_than_times() {
    let prose = "admin-transfer-leader {x} (kind:admin,leader, region:192(15, 5), createAt:2026 m=+1, startAt:2026 m=+2, \
                 currentStep:1, size:3, steps:[0:{y}], timeout:[1m0s]) finished";
    let expected = "admin-transfer-leader {x} (kind:admin,leader, region:…, createAt:…, startAt:…, \
                    currentStep:1, size:…, steps:[0:{y}], timeout:[1m0s]) finished";
    assert_eq!(without_times(prose), expected);
}

#[test]
fn every_recorded_action_is_answered_as_the_recorded_pd_did() {
    let mut equivalent = Equivalent::new();
    let mut checked = 0;
    for folder in ["actions", "actions-2", "remove-store", "set-max-store-down-time"] {
        for action in recorded(folder) {
            if action.method == "GET" && action.path == "/pd/api/v1/leader" {
                // Which of the others leads after one resigned is chance.
                continue;
            }
            equivalent.check(&action);
            checked += 1;
            equivalent.cluster.advance(seconds(5));
        }
    }
    assert_eq!(checked, 50 + 2 + 3 + 1);
}

/// The form of one of PD's lines about an operator, with every number a `9`.
fn form(line: &str) -> String {
    let mut form = String::new();
    for c in without_times(line).chars() {
        let c = if c.is_ascii_digit() { '9' } else { c };
        if c != '9' || !form.ends_with('9') {
            form.push(c);
        }
    }
    form
}

#[test]
fn records_of_operators_have_the_recorded_form() {
    let lines = |text: &str| -> Vec<String> { serde_json::from_str(text).expect("a list of lines") };
    let actions = recorded("actions-3");
    let records = actions.iter().find(|action| action.path.ends_with("/operators/records"));
    let records = lines(&records.expect("they were asked for").answer);
    let balance = |line: &&String| {
        line.starts_with("balance-region-scheduler {mv peer:") && line.contains(" finished ")
    };
    let recorded = records.iter().find(balance).expect("a region was moved");

    let mut cluster = Simulator::new(Config::new(Scenario::ScaleOut));
    cluster.advance(seconds(120));
    let text = cluster.answer(PD, &Request::get("/pd/api/v1/operators/records"));
    let ours = lines(&String::from_utf8_lossy(text.body()));
    let same = ours.iter().filter(balance).filter(|line| !line.contains("transfer leader"));
    let of_duration = |form: String| form.split(", duration:").next().map(str::to_owned);
    assert_eq!(
        same.map(|line| of_duration(form(line))).next().expect("a region was moved"),
        of_duration(form(recorded))
    );
}
