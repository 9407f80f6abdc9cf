//! What operators lead to, over time.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tikv_simulator::{Config, Event, NodeId, Request, Scenario, Simulator};

use crate::scenarios::{json, seconds};

const PD: &str = "pd0:2379";
const FOLLOWER: &str = "pd1:2379";

pub(crate) fn cluster(stores: usize) -> Simulator {
    let mut config = Config::new(Scenario::Healthy);
    config.stores = stores;
    Simulator::new(config)
}

/// The status and the text of the answer.
pub(crate) fn send(cluster: &mut Simulator, method: &str, path: &str, body: &str) -> (u16, String) {
    send_to(cluster, PD, method, path, body)
}

pub(crate) fn send_to(
    cluster: &mut Simulator,
    authority: &str,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String) {
    let mut request = Request::new(method, format!("/pd/api/v1{path}"));
    request.body = body.to_owned().into();
    let reply = cluster.answer(authority, &request);
    (reply.status().unwrap_or(0), String::from_utf8_lossy(reply.body()).trim_end().to_owned())
}

pub(crate) fn created(cluster: &mut Simulator, body: &str) {
    assert_eq!(
        send(cluster, "POST", "/operators", body),
        (200, "\"The operator is created.\"".to_owned()),
        "{body}"
    );
}

pub(crate) fn region(cluster: &mut Simulator, id: u64) -> Value {
    json(cluster, PD, &format!("/pd/api/v1/region/id/{id}"))
}

pub(crate) fn leader(cluster: &mut Simulator, id: u64) -> u64 {
    region(cluster, id)["leader"]["store_id"].as_u64().expect("a leader")
}

pub(crate) fn stores(cluster: &mut Simulator, id: u64) -> BTreeSet<u64> {
    let region = region(cluster, id);
    region["peers"].as_array().expect("a list").iter().filter_map(|peer| peer["store_id"].as_u64()).collect()
}

/// RUNNING, SUCCESS, … of the region's operator.
pub(crate) fn status(cluster: &mut Simulator, id: u64) -> String {
    let text = send(cluster, "GET", &format!("/operators/{id}"), "").1;
    let rest = text.strip_prefix("\"status: ").unwrap_or(&text);
    rest.split(',').next().unwrap_or(rest).to_owned()
}

/// The stores that hold a voter of the region and do not lead it.
pub(crate) fn followers(cluster: &mut Simulator, id: u64) -> Vec<u64> {
    let region = region(cluster, id);
    let peers = region["peers"].as_array().expect("a list").iter();
    let follows = |peer: &&Value| peer["role"].is_null() && peer["id"] != region["leader"]["id"];
    peers.filter(follows).filter_map(|peer| peer["store_id"].as_u64()).collect()
}

pub(crate) fn follower(cluster: &mut Simulator, id: u64) -> u64 {
    followers(cluster, id).first().copied().expect("a follower")
}

pub(crate) fn refused(cluster: &mut Simulator, body: &str, text: &str) {
    assert_eq!(send(cluster, "POST", "/operators", body), (500, format!("{text:?}")), "{body}");
}

#[test]
fn a_leader_moves_a_moment_after_the_operator_was_accepted() {
    let mut cluster = cluster(3);
    let (from, to) = (leader(&mut cluster, 2), follower(&mut cluster, 2));
    // Followers pass writes on.
    let body = format!("{{\"name\":\"transfer-leader\",\"region_id\":2,\"to_store_id\":{to}}}");
    assert_eq!(send_to(&mut cluster, FOLLOWER, "POST", "/operators", &body).0, 200);
    assert_eq!((leader(&mut cluster, 2), status(&mut cluster, 2)), (from, "RUNNING".to_owned()));
    let listed = send(&mut cluster, "GET", "/operators?kind=admin", "").1;
    assert!(listed.contains("admin-transfer-leader {transfer leader: store"), "{listed}");
    cluster.advance(Duration::from_millis(200));
    assert_eq!((leader(&mut cluster, 2), status(&mut cluster, 2)), (to, "SUCCESS".to_owned()));
    // That is forgotten after ten minutes.
    cluster.advance(seconds(11 * 60));
    assert_eq!(send(&mut cluster, "GET", "/operators/2", "").0, 500);
}

#[test]
fn a_region_has_one_operator_at_a_time_and_an_administrators_takes_precedence() {
    let mut cluster = cluster(4);
    let free =
        (1..7).find(|id| [1, 4, 5, 6].contains(id) && !stores(&mut cluster, 2).contains(id)).expect("one");
    let (from, to) = (follower(&mut cluster, 2), leader(&mut cluster, 2));
    let body = format!(
        "{{\"name\":\"transfer-peer\",\"region_id\":2,\"from_store_id\":{from},\"to_store_id\":{free}}}"
    );
    created(&mut cluster, &body);
    cluster.advance(seconds(1));
    let other = format!("{{\"name\":\"remove-peer\",\"region_id\":2,\"store_id\":{to}}}");
    refused(
        &mut cluster,
        &other,
        "[PD:operator:ErrAddOperator]failed to add operator, maybe already have one",
    );
    assert_eq!(status(&mut cluster, 2), "RUNNING");
    let pending = json(&mut cluster, PD, "/pd/api/v1/regions/check/pending-peer")["count"].clone();
    assert_eq!(pending, 1, "the snapshot travels");
    cluster.advance(seconds(12));
    assert_eq!(status(&mut cluster, 2), "SUCCESS");
    let held = stores(&mut cluster, 2);
    assert!(held.contains(&free) && !held.contains(&from) && held.len() == 3, "{held:?}");
    assert_eq!(region(&mut cluster, 2)["epoch"]["conf_ver"], 5 + 6);

    // PD's own give way.
    let (status_code, _) = send(&mut cluster, "DELETE", "/store/6", "");
    assert_eq!(status_code, 200);
    cluster.advance(seconds(3));
    let running = json(&mut cluster, PD, "/pd/api/v1/operators?object=true");
    let running = running.as_array().expect("a list");
    let busy =
        running.iter().find(|operator| operator["desc"] == "replace-rule-offline-peer").expect("one runs");
    let id = busy["region_id"].as_u64().expect("an id");
    let to = followers(&mut cluster, id).into_iter().find(|store| *store != 6).expect("one that stays");
    created(
        &mut cluster,
        &format!("{{\"name\":\"transfer-leader\",\"region_id\":{id},\"to_store_id\":{to}}}"),
    );
    let records = send(&mut cluster, "GET", "/operators/records", "").1;
    assert!(records.contains("replace-rule-offline-peer {mv peer: store [6]"), "it was replaced: {records}");
    cluster.advance(seconds(1));
    assert_eq!((leader(&mut cluster, id), status(&mut cluster, id).as_str()), (to, "SUCCESS"));
}

#[test]
fn an_operator_can_be_canceled_while_it_runs() {
    let mut cluster = cluster(3);
    let (from, to) = (leader(&mut cluster, 2), follower(&mut cluster, 2));
    created(&mut cluster, &format!("{{\"name\":\"transfer-leader\",\"region_id\":2,\"to_store_id\":{to}}}"));
    let canceled = (200, "\"The pending operator is canceled.\"".to_owned());
    assert_eq!(send(&mut cluster, "DELETE", "/operators/2", ""), canceled);
    cluster.advance(seconds(5));
    assert_eq!((leader(&mut cluster, 2), status(&mut cluster, 2)), (from, "CANCEL".to_owned()));
    assert_eq!(send(&mut cluster, "DELETE", "/operators/2", "").0, 500);
    assert_eq!(send(&mut cluster, "DELETE", "/operators", "").0, 200);
    assert_eq!(send(&mut cluster, "DELETE", "/operators/x", "").0, 400);
}

#[test]
fn leaders_are_not_put_where_they_must_not_be() {
    let mut cluster = cluster(3);
    let (from, to) = (leader(&mut cluster, 2), follower(&mut cluster, 2));
    let body = |to: u64| format!("{{\"name\":\"transfer-leader\",\"region_id\":2,\"to_store_id\":{to}}}");
    refused(&mut cluster, &body(from), "no operator step is built");
    cluster.apply(Event::Crash(NodeId::Store(to)));
    cluster.advance(seconds(45));
    refused(&mut cluster, &body(to), "cannot create operator: target leader is not allowed");
}

#[test]
fn a_split_and_a_merge_change_the_ranges() {
    let mut cluster = cluster(3);
    let count = cluster.truth().regions;
    created(&mut cluster, "{\"name\":\"split-region\",\"region_id\":2,\"policy\":\"scan\"}");
    cluster.advance(seconds(1));
    assert_eq!((cluster.truth().regions, status(&mut cluster, 2).as_str()), (count + 1, "SUCCESS"));
    let end = region(&mut cluster, 2)["start_key"].as_str().expect("a key").to_owned();
    let at = format!("{end}41");
    let body =
        format!("{{\"name\":\"split-region\",\"region_id\":2,\"policy\":\"USEKEY\",\"keys\":[\"{at}\"]}}");
    created(&mut cluster, &body);
    cluster.advance(seconds(1));
    assert_eq!(region(&mut cluster, 2)["start_key"], at);
    for (keys, text) in [("[1]", "bad format keys"), ("[\"0g\"]", "split key 0g is not in hex format")] {
        let body =
            format!("{{\"name\":\"split-region\",\"region_id\":2,\"policy\":\"USEKEY\",\"keys\":{keys}}}");
        assert_eq!(send(&mut cluster, "POST", "/operators", &body).1, format!("{text:?}"));
    }

    let siblings = json(&mut cluster, PD, "/pd/api/v1/regions/sibling/2");
    let left = siblings["regions"][0]["id"].as_u64().expect("an id");
    let merge = |from: u64, to: u64| {
        format!("{{\"name\":\"merge-region\",\"source_region_id\":{from},\"target_region_id\":{to}}}")
    };
    let far =
        json(&mut cluster, PD, "/pd/api/v1/regions/key?limit=1")["regions"][0]["id"].as_u64().expect("an id");
    refused(&mut cluster, &merge(far, 2), "[PD:region:ErrRegionNotAdjacent]two regions are not adjacent");
    created(&mut cluster, &merge(left, 2));
    assert_eq!(status(&mut cluster, left), "RUNNING");
    cluster.advance(seconds(3));
    assert_eq!((status(&mut cluster, 2), status(&mut cluster, left)), ("SUCCESS".into(), "SUCCESS".into()));
    assert_eq!(region(&mut cluster, left)["id"], 0, "it is no more");
    assert_eq!(region(&mut cluster, 2)["start_key"], end);
}

#[test]
fn regions_are_brought_together_before_they_merge() {
    let mut cluster = cluster(5);
    let all = json(&mut cluster, PD, "/pd/api/v1/regions/key?limit=0");
    let all = all["regions"].as_array().expect("a list").clone();
    let held = |region: &Value| -> BTreeSet<u64> {
        region["peers"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|peer| peer["store_id"].as_u64())
            .collect()
    };
    let apart = all.windows(2).find(|pair| held(&pair[0]) != held(&pair[1])).expect("they lie differently");
    let (from, to) = (apart[0]["id"].as_u64().expect("an id"), apart[1]["id"].as_u64().expect("an id"));
    created(
        &mut cluster,
        &format!("{{\"name\":\"merge-region\",\"source_region_id\":{from},\"target_region_id\":{to}}}"),
    );
    cluster.advance(seconds(45));
    assert_eq!(status(&mut cluster, to), "SUCCESS");
    assert_eq!(region(&mut cluster, to)["start_key"], apart[0]["start_key"]);
}

#[test]
fn a_split_meanwhile_ends_a_merge_and_passes_for_a_split() {
    let mut cluster = cluster(3);
    let siblings = json(&mut cluster, PD, "/pd/api/v1/regions/sibling/2");
    let left = siblings["regions"][0]["id"].as_u64().expect("an id");
    let body = format!("{{\"name\":\"merge-region\",\"source_region_id\":{left},\"target_region_id\":2}}");
    created(&mut cluster, &body);
    cluster.apply(Event::Split(2));
    cluster.advance(seconds(5));
    assert_eq!((status(&mut cluster, 2), status(&mut cluster, left)), ("CANCEL".into(), "CANCEL".into()));
    assert_ne!(region(&mut cluster, left)["id"], 0);

    let before = cluster.truth().regions;
    let start = region(&mut cluster, 2)["start_key"].as_str().expect("a key").to_owned();
    let body = format!(
        "{{\"name\":\"split-region\",\"region_id\":2,\"policy\":\"USEKEY\",\"keys\":[\"{start}FF\"]}}"
    );
    created(&mut cluster, &body);
    cluster.apply(Event::Split(2));
    cluster.advance(seconds(5));
    assert_eq!((status(&mut cluster, 2).as_str(), cluster.truth().regions), ("SUCCESS", before + 1));
}

#[test]
fn peers_that_the_rules_do_not_want_do_not_last() {
    let mut cluster = cluster(4);
    let held = stores(&mut cluster, 2);
    let free = [1, 4, 5, 6].into_iter().find(|store| !held.contains(store)).expect("one");
    // Checkers can be told to leave it.
    let paused = send(&mut cluster, "POST", "/checker/rule", "{\"delay\":60}");
    assert_eq!(paused, (200, "\"Pause the checker successfully.\"".to_owned()));
    assert_eq!(json(&mut cluster, PD, "/pd/api/v1/checker/rule")["paused"], true);
    created(&mut cluster, &format!("{{\"name\":\"add-peer\",\"region_id\":2,\"store_id\":{free}}}"));
    cluster.advance(seconds(30));
    assert_eq!(stores(&mut cluster, 2).len(), 4);
    cluster.advance(seconds(40));
    assert_eq!(json(&mut cluster, PD, "/pd/api/v1/checker/rule")["paused"], false);
    assert_eq!(stores(&mut cluster, 2).len(), 3);
    // Where one is missing, one is made.
    let gone = follower(&mut cluster, 2);
    created(&mut cluster, &format!("{{\"name\":\"remove-peer\",\"region_id\":2,\"store_id\":{gone}}}"));
    cluster.advance(seconds(1));
    assert_eq!(stores(&mut cluster, 2).len(), 2);
    cluster.advance(seconds(15));
    assert_eq!(stores(&mut cluster, 2).len(), 3);
    for name in ["nobody", "schedule"] {
        assert_eq!(send(&mut cluster, "POST", &format!("/checker/{name}"), "{\"delay\":1}").0, 500);
    }
}

#[test]
fn a_region_is_scattered() {
    let mut cluster = cluster(6);
    cluster.advance(seconds(60));
    let before = stores(&mut cluster, 2);
    created(&mut cluster, "{\"name\":\"scatter-region\",\"region_id\":2}");
    cluster.advance(seconds(15));
    assert_eq!(status(&mut cluster, 2), "SUCCESS");
    assert_ne!(stores(&mut cluster, 2), before);
}
