//! PD's oddities, one by one.

use serde_json::Value;
use tikv_simulator::{Config, Event, Fault, NodeId, Reply, Request, Scenario, Simulator};

use crate::scenarios::{get, json, seconds};

const PD: &str = "pd0:2379";
const FOLLOWER: &str = "pd1:2379";

fn healthy() -> Simulator {
    Simulator::new(Config::new(Scenario::Healthy))
}

fn list(page: &Value) -> &Vec<Value> {
    page["regions"].as_array().expect("a list")
}

fn text<'a>(region: &'a Value, field: &str) -> &'a str {
    region[field].as_str().expect("text")
}

/// Walks the key space in pages and lets `between` happen after each.
fn walk(cluster: &mut Simulator, limit: u64, mut between: impl FnMut(&mut Simulator, u64)) -> Vec<Value> {
    let mut key = String::new();
    let mut regions = Vec::new();
    loop {
        let page = json(cluster, PD, &format!("/pd/api/v1/regions/key?format=hex&limit={limit}&key={key}"));
        assert_eq!(page["count"].as_u64(), Some(list(&page).len() as u64));
        let last = list(&page).last().expect("a page is not empty").clone();
        regions.extend(list(&page).iter().cloned());
        key = text(&last, "end_key").to_owned();
        if key.is_empty() {
            return regions;
        }
        between(cluster, last["id"].as_u64().expect("an id"));
    }
}

fn assert_continuous(regions: &[Value]) {
    assert_eq!(text(&regions[0], "start_key"), "");
    for pair in regions.windows(2) {
        assert_eq!(text(&pair[0], "end_key"), text(&pair[1], "start_key"));
    }
}

#[test]
fn a_follower_answers_what_the_leader_answers_but_not_twice_forwarded() {
    let mut cluster = healthy();
    for path in
        ["/pd/api/v1/stores", "/pd/api/v1/members", "/pd/api/v1/regions/key?limit=3", "/pd/api/v1/nothing"]
    {
        assert_eq!(get(&mut cluster, PD, path), get(&mut cluster, FOLLOWER, path));
    }
    let forwarded = Request::get("/pd/api/v1/stores").with_header("pd-redirector", "pd2");
    assert_eq!(cluster.answer(PD, &forwarded).status(), Some(200));
    let reply = cluster.answer(FOLLOWER, &forwarded);
    assert_eq!(reply.status(), Some(500));
    assert_eq!(reply.body(), b"[PD:apiutil:ErrRedirectToNotLeader]redirect to not leader\n");
}

#[test]
fn a_follower_that_must_answer_itself_says_that_no_store_ever_joined() {
    let mut cluster = healthy();
    let ask = |path: &str| Request::get(path).with_header("PD-Allow-follower-handle", "true");
    for path in ["/pd/api/v1/stores", "/pd/api/v1/store/1", "/pd/api/v1/regions/key", "/pd/api/v1/schedulers"]
    {
        let reply = cluster.answer(FOLLOWER, &ask(path));
        assert_eq!(reply.status(), Some(500), "{path}");
        assert!(reply.body().starts_with(b"\"[PD:cluster:ErrNotBootstrapped]"), "{path}");
        assert_eq!(cluster.answer(PD, &ask(path)).status(), Some(200), "{path}");
    }
    let panic = cluster.answer(FOLLOWER, &ask("/pd/api/v1/hotspot/stores"));
    assert!(panic.status() == Some(500) && panic.body().starts_with(b"PANIC: runtime error"));
    assert_eq!(cluster.answer(FOLLOWER, &ask("/pd/api/v1/leader")).status(), Some(200));

    cluster.apply(Event::Crash(NodeId::Pd(0)));
    cluster.apply(Event::Crash(NodeId::Pd(2)));
    assert_eq!(cluster.answer(FOLLOWER, &ask("/pd/api/v1/members")), Reply::Silent);
}

#[test]
fn what_is_not_there_is_said_in_pds_ways() {
    let mut cluster = healthy();
    let mut status = |method: &str, path: &str| cluster.answer(PD, &Request::new(method, path)).status();
    assert_eq!(status("GET", "/pd/api/v1/region/id/99999999"), Some(200));
    assert_eq!(status("GET", "/pd/api/v1/store/99999999"), Some(404));
    assert_eq!(status("GET", "/pd/api/v1/store/-1"), Some(400));
    assert_eq!(status("GET", "/pd/api/v1/stores?state=7"), Some(400));
    assert_eq!(status("GET", "/pd/api/v1/regions/store/1?type=king"), Some(400));
    assert_eq!(status("GET", "/pd/api/v1/regions/key?limit=x"), Some(400));
    assert_eq!(status("GET", "/pd/api/v1/regions/key?format=hex&key=0"), Some(400));
    assert_eq!(status("GET", "/pd/api/v1/checker/nobody"), Some(500));
    assert_eq!(status("GET", "/pd/api/v1/stores/progress"), Some(400));
    assert_eq!(status("GET", "/pd/api/v1/ready"), Some(404));
    assert_eq!(status("POST", "/pd/api/v1/stores"), Some(405));
    assert_eq!(status("GET", "/"), Some(404));
    assert_eq!(get(&mut cluster, "nobody:1", "/"), Reply::Refused);
    let missing = json(&mut cluster, PD, "/pd/api/v1/region/id/99999999");
    assert_eq!(missing["id"], 0);
    let first = json(&mut cluster, PD, "/pd/api/v1/regions/key?limit=1")["regions"][0]["id"].clone();
    let pair = json(&mut cluster, PD, &format!("/pd/api/v1/regions/sibling/{first}"));
    assert_eq!(pair["regions"][0]["id"], 0, "nothing is left of the first");
    assert_ne!(pair["regions"][1]["id"], 0);
}

#[test]
fn ids_are_beyond_what_signed_integers_and_floats_hold() {
    let mut cluster = healthy();
    let members = json(&mut cluster, PD, "/pd/api/v1/members");
    let ids: Vec<_> =
        members["members"].as_array().expect("a list").iter().map(|m| m["member_id"].as_u64()).collect();
    assert!(ids.iter().any(|id| *id > Some(i64::MAX.unsigned_abs())), "{ids:?}");
    assert!(members["header"]["cluster_id"].as_u64() > Some(1 << 53));
}

#[test]
fn the_limit_is_16_at_most_10240_and_everything_when_it_is_not_positive() {
    let mut config = Config::new(Scenario::Healthy);
    config.regions = 10_300;
    let mut cluster = Simulator::new(config);
    for (query, count) in
        [("", 16), ("?limit=3", 3), ("?limit=20000", 10_240), ("?limit=0", 10_300), ("?limit=-1", 10_300)]
    {
        let page = json(&mut cluster, PD, &format!("/pd/api/v1/regions/key{query}"));
        assert_eq!(list(&page).len(), count, "{query}");
    }
    assert_eq!(
        list(&json(&mut cluster, PD, "/pd/api/v1/regions?limit=3")).len(),
        10_300,
        "the limit is ignored"
    );
    assert_eq!(json(&mut cluster, PD, "/pd/api/v1/regions/count")["count"], 10_300);
}

#[test]
fn pages_touch_whatever_happens_between_them() {
    let mut cluster = healthy();
    assert_continuous(&walk(&mut cluster, 5, |_, _| {}));
    let regions = walk(&mut cluster, 3, |cluster, last| {
        cluster.apply(Event::Split(last));
        cluster.advance(seconds(1));
    });
    assert_continuous(&regions);
    assert_eq!(cluster.truth().regions, 48 + 15);
    // A merge takes the next page's beginning away: PD then gives the region that holds the key.
    let mut merged = 0;
    walk(&mut cluster, 3, |cluster, last| {
        cluster.apply(Event::MergeWithNext(last));
        merged += 1;
    });
    assert_eq!(cluster.truth().regions, 48 + 15 - merged);
    assert_continuous(&walk(&mut cluster, 1_000, |_, _| {}));
}

#[test]
fn a_range_ends_before_its_end_key_and_a_key_finds_its_region() {
    let mut cluster = healthy();
    let all = walk(&mut cluster, 100, |_, _| {});
    let (from, to) = (text(&all[10], "start_key"), text(&all[20], "start_key"));
    let page = json(
        &mut cluster,
        PD,
        &format!("/pd/api/v1/regions/key?format=hex&key={from}&end_key={to}&limit=100"),
    );
    assert_eq!(list(&page).as_slice(), &all[10..20]);
    for (path, found) in [
        (format!("/pd/api/v1/region/key/{from}00?format=hex"), &all[10]),
        ("/pd/api/v1/region/key/a".to_owned(), &all[0]),
        ("/pd/api/v1/region/key/z%FF%00".to_owned(), &all[47]),
    ] {
        assert_eq!(&json(&mut cluster, PD, &path), found, "{path}");
    }
}

#[test]
fn a_transferred_leader_is_reported_at_once() {
    let mut cluster = healthy();
    let region = json(&mut cluster, PD, "/pd/api/v1/region/id/2");
    let from = region["leader"]["store_id"].as_u64().expect("it has one");
    let to = if from == 5 { 4 } else { 5 };
    cluster.apply(Event::TransferLeader { region: 2, to_store: to });
    let region = json(&mut cluster, PD, "/pd/api/v1/region/id/2");
    assert_eq!(region["leader"]["store_id"].as_u64(), Some(to));
    let peer = json(&mut cluster, "tikv2:20180", "/region/2");
    assert_eq!(peer["raft_status"]["soft_state"]["raft_state"] == "Leader", to == 5);
}

#[test]
fn a_resigned_leader_hands_over_without_a_pause_and_the_next_one_warms_up() {
    let mut cluster = healthy();
    cluster.apply(Event::ResignPdLeader);
    assert_eq!(cluster.truth().pd_leader.as_deref(), Some("pd1"));
    assert!(!cluster.truth().pd_is_warm);
    let stores = json(&mut cluster, PD, "/pd/api/v1/stores");
    assert_eq!(stores["stores"][0]["status"]["capacity"], "0B");
}

#[test]
fn a_hung_store_is_silent_and_looks_to_pd_like_a_dead_one() {
    let mut cluster = healthy();
    cluster.apply(Event::Hang(NodeId::Store(5)));
    assert_eq!(get(&mut cluster, "tikv2:20180", "/status"), Reply::Silent);
    cluster.advance(seconds(45));
    assert_eq!(cluster.truth().stores[&5].called, "Disconnected");
    assert_eq!(cluster.truth().stores[&5].leaders, 0);
    cluster.apply(Event::Restart(NodeId::Store(5)));
    assert_eq!(get(&mut cluster, "tikv2:20180", "/status").status(), Some(200));
    assert_eq!(cluster.truth().stores[&5].called, "Up");
}

#[test]
fn a_fault_strikes_as_often_as_it_was_told_to() {
    let mut cluster = healthy();
    for (reply, status) in [
        (Fault::too_many_requests(), 429),
        (Fault::no_service(), 503),
        (Fault::placement_rules_disabled(), 412),
    ] {
        cluster.inject(Fault::new("/pd/api/v1/stores", reply).at(NodeId::Pd(0)).times(2));
        assert_eq!(get(&mut cluster, PD, "/pd/api/v1/health").status(), Some(200));
        assert_eq!(get(&mut cluster, FOLLOWER, "/pd/api/v1/stores").status(), Some(200));
        for expected in [status, status, 200] {
            assert_eq!(get(&mut cluster, PD, "/pd/api/v1/stores").status(), Some(expected));
        }
    }
}

#[test]
fn requests_are_counted() {
    let mut cluster = healthy();
    for limit in 0..3 {
        get(&mut cluster, PD, &format!("/pd/api/v1/regions/key?limit={limit}"));
    }
    get(&mut cluster, "tikv0:20180", "/status");
    assert_eq!(cluster.requests().count("/pd/api/v1/regions/key"), 3);
    assert_eq!(cluster.requests().total(), 4);
    assert_eq!(cluster.requests().recent().last().map(|r| r.authority.as_str()), Some("tikv0:20180"));
    cluster.requests_mut().clear();
    assert_eq!(cluster.requests().total(), 0);
}

#[test]
fn a_million_regions_are_computed_page_by_page() {
    let mut cluster = Simulator::new(Config::new(Scenario::Big));
    cluster.advance(seconds(65));
    assert_eq!(json(&mut cluster, PD, "/pd/api/v1/regions/count")["count"], 1_000_000);
    let stores = json(&mut cluster, PD, "/pd/api/v1/stores");
    let sum = |field: &str| -> u64 {
        let stores = stores["stores"].as_array().expect("a list");
        stores.iter().filter_map(|store| store["status"][field].as_u64()).sum()
    };
    assert_eq!((sum("leader_count"), sum("region_count")), (1_000_000, 3_000_000));
    // Somewhere in the middle.
    let page = json(&mut cluster, PD, "/pd/api/v1/regions/key?limit=1024&key=usertable:user55");
    let regions = list(&page);
    assert_eq!(regions.len(), 1_024);
    for pair in regions.windows(2) {
        assert_eq!(text(&pair[0], "end_key"), text(&pair[1], "start_key"));
    }
    let id = regions[500]["id"].as_u64().expect("an id");
    assert_eq!(json(&mut cluster, PD, &format!("/pd/api/v1/region/id/{id}")), regions[500]);

    // A store dies: its regions are held from now on, and elect.
    cluster.apply(Event::Crash(NodeId::Store(100)));
    let led = cluster.truth().leaderless.len();
    assert!((900..1_100).contains(&led), "{led}");
    cluster.advance(seconds(30));
    let truth = cluster.truth();
    assert!(truth.leaderless.is_empty() && truth.stores[&100].called == "Disconnected");
    assert_eq!(truth.stores.values().map(|store| store.leaders).sum::<u64>(), 1_000_000);
}
