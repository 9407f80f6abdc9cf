//! What requests that change something lead to, over time.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tikv_simulator::{Config, Event, NodeId, Request, Scenario, Simulator};

use crate::scenarios::{get, json, seconds};

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

fn send_to(cluster: &mut Simulator, authority: &str, method: &str, path: &str, body: &str) -> (u16, String) {
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

fn leaders(cluster: &Simulator, store: u64) -> u64 {
    cluster.truth().stores[&store].leaders
}

fn refused(cluster: &mut Simulator, body: &str, text: &str) {
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

#[test]
fn leaders_leave_a_store_that_is_drained_and_come_back_afterwards() {
    let mut cluster = cluster(3);
    assert!(leaders(&cluster, 4) > 10);
    let evict = "{\"name\":\"evict-leader-scheduler\",\"store_id\":4}";
    assert_eq!(send(&mut cluster, "POST", "/schedulers", evict).1, "\"The scheduler is created.\"");
    cluster.advance(seconds(3));
    let left = leaders(&cluster, 4);
    assert!(left > 0, "it takes a while");
    cluster.advance(seconds(60));
    assert_eq!(leaders(&cluster, 4), 0);
    // Not by an administrator, not by an election, not by balance, and not by a change of PD's leader.
    let body = "{\"name\":\"transfer-leader\",\"region_id\":2,\"to_store_id\":4}";
    refused(&mut cluster, body, "cannot create operator: target leader is not allowed");
    cluster.apply(Event::ResignPdLeader);
    cluster.apply(Event::Crash(NodeId::Store(5)));
    cluster.advance(seconds(5 * 60));
    assert_eq!(leaders(&cluster, 4), 0);
    cluster.apply(Event::Restart(NodeId::Store(5)));
    cluster.advance(seconds(5 * 60));
    assert_eq!(leaders(&cluster, 4), 0);
    assert_eq!(send(&mut cluster, "DELETE", "/schedulers/evict-leader-scheduler-4", "").0, 200);
    let list = send(&mut cluster, "GET", "/schedulers", "").1;
    assert!(!list.contains("evict-leader"), "{list}");
    assert_eq!(send(&mut cluster, "GET", "/scheduler-config/evict-leader-scheduler/list", "").0, 404);
    cluster.advance(seconds(5 * 60));
    assert!(leaders(&cluster, 4) > 10);
}

#[test]
fn schedulers_that_pause_do_nothing_until_their_time_is_over() {
    let mut cluster = cluster(3);
    let paused = |cluster: &mut Simulator| send(cluster, "GET", "/schedulers?status=paused", "").1;
    let unknown = (500, "\"[PD:scheduler:ErrSchedulerNotFound]scheduler not found\"".to_owned());
    assert_eq!(send(&mut cluster, "POST", "/schedulers/nobody", "{\"delay\":1}"), unknown);
    assert_eq!(send(&mut cluster, "POST", "/schedulers/balance-leader-scheduler", "{}").0, 400);
    // The store comes back without leaders, and none is moved to it.
    cluster.apply(Event::Crash(NodeId::Store(4)));
    cluster.advance(seconds(60));
    assert_eq!(send(&mut cluster, "POST", "/schedulers/balance-leader-scheduler", "{\"delay\":120}").0, 200);
    cluster.apply(Event::Restart(NodeId::Store(4)));
    cluster.advance(seconds(110));
    assert_eq!(leaders(&cluster, 4), 0);
    assert!(paused(&mut cluster).contains("balance-leader-scheduler"));
    let with_times = json(&mut cluster, PD, "/pd/api/v1/schedulers?status=paused&timestamp=true");
    assert_eq!(with_times[0]["name"], "balance-leader-scheduler");
    assert!(with_times[0]["resume_at"].as_str() > with_times[0]["paused_at"].as_str());
    cluster.advance(seconds(100));
    assert_eq!(paused(&mut cluster), "[]");
    assert!(leaders(&cluster, 4) > 5);
    // A new leader of PD knows of no pause.
    assert_eq!(send(&mut cluster, "POST", "/schedulers/all", "{\"delay\":600}").0, 200);
    cluster.apply(Event::ResignPdLeader);
    assert_eq!(paused(&mut cluster), "[]");
}

#[test]
fn a_limit_of_zero_stops_a_kind_of_work_for_as_long_as_it_holds() {
    let mut cluster = cluster(3);
    let evict = "{\"name\":\"evict-leader-scheduler\",\"store_id\":4}";
    let (code, text) =
        send(&mut cluster, "POST", "/config?ttlSecond=60", "{\"schedule.leader-schedule-limit\":0}");
    assert_eq!((code, text.as_str()), (200, "\"The ttl config is updated.\""));
    assert_eq!(send(&mut cluster, "POST", "/schedulers", evict).0, 200);
    cluster.advance(seconds(50));
    assert!(leaders(&cluster, 4) > 10);
    let conflict = "\"need to clean up TTL first for schedule.leader-schedule-limit\"";
    let (code, text) = send(&mut cluster, "POST", "/config", "{\"leader-schedule-limit\":8}");
    assert_eq!((code, text.as_str()), (400, conflict));
    cluster.advance(seconds(60));
    assert!(leaders(&cluster, 4) < 5, "the old limit is back");
    assert_eq!(send(&mut cluster, "POST", "/config", "{\"leader-schedule-limit\":8}").0, 200);
    assert_eq!(json(&mut cluster, PD, "/pd/api/v1/config/schedule")["leader-schedule-limit"], 8);
    // It outlives PD's leader.
    cluster.apply(Event::ResignPdLeader);
    assert_eq!(json(&mut cluster, PD, "/pd/api/v1/config")["schedule"]["leader-schedule-limit"], 8);
    for (body, code) in [("", 400), ("[]", 400), ("{\"x", 400), ("{\"a.b\":1}", 400), ("{}", 200)] {
        assert_eq!(send(&mut cluster, "POST", "/config", body).0, code, "{body}");
    }
}

#[test]
fn a_store_leaves_and_is_gone_or_is_kept() {
    let mut cluster = cluster(3);
    let few = "\"[PD:core:ErrStoresNotEnough]can not remove store 4 since the number of up stores would be 2 while need 3\"";
    assert_eq!(send(&mut cluster, "DELETE", "/store/4", ""), (400, few.to_owned()));
    let mut cluster = self::cluster(4);
    let offline = (200, "\"The store is set as Offline.\"".to_owned());
    assert_eq!(send(&mut cluster, "DELETE", "/store/6", ""), offline);
    assert_eq!(send(&mut cluster, "DELETE", "/store/6", ""), offline);
    assert_eq!(json(&mut cluster, PD, "/pd/api/v1/stores/limit")["6"]["remove-peer"], 100_000_000);
    cluster.advance(seconds(20));
    assert_eq!(cluster.truth().stores[&6].called, "Offline");
    let peers = cluster.truth().stores[&6].peers;
    assert_eq!(send(&mut cluster, "POST", "/store/6/state?state=Up", "").0, 200);
    assert_eq!(json(&mut cluster, PD, "/pd/api/v1/stores/limit")["6"]["remove-peer"], 15);
    cluster.advance(seconds(60));
    assert_eq!(cluster.truth().stores[&6].called, "Up");
    assert!(cluster.truth().stores[&6].peers + 4 >= peers);
    assert_eq!(send(&mut cluster, "DELETE", "/store/6", ""), offline);
    cluster.advance(seconds(20 * 60));
    assert_eq!(cluster.truth().stores[&6].called, "Tombstone");
    let removed = "\"[PD:core:ErrStoreRemoved]store 6 has been removed\"".to_owned();
    assert_eq!(send(&mut cluster, "DELETE", "/store/6", ""), (410, removed.clone()));
    assert_eq!(send(&mut cluster, "POST", "/store/6/state?state=Up", ""), (410, removed));
    let body = "{\"name\":\"add-peer\",\"region_id\":2,\"store_id\":6}";
    refused(&mut cluster, body, "[PD:core:ErrStoreRemoved]store 6 has been removed");
    assert_eq!(send(&mut cluster, "DELETE", "/store/x", "").0, 400);
    assert_eq!(send(&mut cluster, "POST", "/store/4/state?state=Tombstone", "").0, 400);
    assert_eq!(send(&mut cluster, "DELETE", "/stores/remove-tombstone", "").0, 200);
    assert_eq!(send(&mut cluster, "GET", "/store/6", "").0, 404);
}

#[test]
fn weights_limits_and_labels_are_shown_where_they_are_read() {
    let mut cluster = cluster(3);
    let store = |cluster: &mut Simulator| json(cluster, PD, "/pd/api/v1/store/4");
    assert_eq!(send(&mut cluster, "POST", "/store/4/weight", "{\"leader\":2,\"region\":1.5}").0, 200);
    let status = store(&mut cluster)["status"].clone();
    assert_eq!((&status["leader_weight"], &status["region_weight"]), (&2.into(), &1.5.into()));
    let count = status["leader_count"].as_f64().expect("a count");
    assert_eq!(status["leader_score"].as_f64(), Some(count / 2.0));
    // Leaders are balanced by it.
    cluster.advance(seconds(120));
    assert!(leaders(&cluster, 4) >= 20, "{}", leaders(&cluster, 4));

    assert_eq!(send(&mut cluster, "POST", "/store/4/limit", "{\"type\":\"add-peer\",\"rate\":30}").0, 200);
    assert_eq!(send(&mut cluster, "POST", "/store/4/limit", "{\"rate\":0}").0, 400);
    assert_eq!(send(&mut cluster, "POST", "/store/4/limit", "{}").1, "\"rate unset\"");
    let limits = json(&mut cluster, PD, "/pd/api/v1/stores/limit");
    assert_eq!((&limits["4"]["add-peer"], &limits["4"]["remove-peer"]), (&30.into(), &15.into()));
    let config = json(&mut cluster, PD, "/pd/api/v1/config/schedule");
    assert_eq!(config["store-limit"]["4"]["add-peer"], 30);

    for (body, labels) in [
        ("{\"zone\":\"z1\"}", "[{\"key\":\"zone\",\"value\":\"z1\"}]"),
        ("{\"host\":\"h1\"}", "[{\"key\":\"zone\",\"value\":\"z1\"},{\"key\":\"host\",\"value\":\"h1\"}]"),
        ("{\"Zone\":\"z2\",\"host\":\"\"}", "[{\"key\":\"zone\",\"value\":\"z2\"}]"),
    ] {
        assert_eq!(send(&mut cluster, "POST", "/store/4/label", body).0, 200, "{body}");
        assert_eq!(store(&mut cluster)["store"]["labels"].to_string(), labels);
    }
    assert_eq!(send(&mut cluster, "POST", "/store/4/label", "{\"-\":\"z\"}").0, 400);
    assert_eq!(send(&mut cluster, "POST", "/store/4/label", "{\"zone\":1}").0, 400);
    let missing = "\"[PD:cluster:ErrInvalidStoreID]invalid store id 99, not found\"".to_owned();
    assert_eq!(send(&mut cluster, "POST", "/store/99/label", "{\"zone\":\"z\"}"), (500, missing));
    assert_eq!(send(&mut cluster, "DELETE", "/store/4/label", "\"zone\"").0, 200);
    assert!(store(&mut cluster)["store"]["labels"].is_null());
}

#[test]
fn a_pd_that_resigned_is_followed_by_one_that_warms_up() {
    let mut cluster = cluster(3);
    assert_eq!(send(&mut cluster, "POST", "/leader/transfer/pd2", "").0, 200);
    // For a moment nobody leads.
    assert_eq!(get(&mut cluster, FOLLOWER, "/pd/api/v1/leader").status(), Some(500));
    assert_eq!(send(&mut cluster, "POST", "/leader/resign", "").0, 500);
    cluster.advance(Duration::from_millis(200));
    assert_eq!(json(&mut cluster, PD, "/pd/api/v1/leader")["name"], "pd2");
    assert!(!cluster.truth().pd_is_warm);
    cluster.advance(seconds(70));
    assert!(cluster.truth().pd_is_warm);
    cluster.apply(Event::Crash(NodeId::Pd(0)));
    let dead = send_to(&mut cluster, FOLLOWER, "POST", "/leader/transfer/pd0", "");
    assert!(dead.0 == 500 && dead.1.contains("ErrEtcdMoveLeader"), "{dead:?}");
    assert_eq!(send_to(&mut cluster, FOLLOWER, "POST", "/leader/transfer/pd2", "").0, 200);
    assert_eq!(cluster.truth().pd_leader.as_deref(), Some("pd2"), "it leads already");
}

#[test]
fn a_pd_that_knows_no_leaders_makes_no_operators() {
    let mut cluster = cluster(3);
    cluster.apply(Event::RestartAllPds);
    cluster.advance(seconds(5));
    assert!(cluster.truth().pd_leader.is_some() && !cluster.truth().pd_is_warm);
    let held: Vec<_> = (2..100).filter(|id| region(&mut cluster, *id)["leader"]["id"].is_null()).collect();
    let unheard =
        held.into_iter().find(|id| region(&mut cluster, *id)["id"] != 0).expect("most are unheard of");
    let body = format!("{{\"name\":\"transfer-leader\",\"region_id\":{unheard},\"to_store_id\":4}}");
    refused(&mut cluster, &body, "cannot build operator for region with no leader");
    let body = format!("{{\"name\":\"remove-peer\",\"region_id\":{unheard},\"store_id\":4}}");
    refused(&mut cluster, &body, "cannot build operator for region with no leader");
}

#[test]
fn before_a_store_has_joined_nothing_can_be_changed() {
    let mut cluster = Simulator::new(Config::new(Scenario::NotBootstrapped));
    for (method, path) in [
        ("POST", "/operators"),
        ("POST", "/schedulers"),
        ("DELETE", "/store/1"),
        ("POST", "/store/1/weight"),
        ("POST", "/checker/rule"),
    ] {
        let (code, text) = send(&mut cluster, method, path, "{}");
        assert!(code == 500 && text.contains("ErrNotBootstrapped"), "{path}: {code} {text}");
    }
    assert_eq!(send(&mut cluster, "POST", "/config", "{\"leader-schedule-limit\":8}").0, 200);
}

#[test]
fn paths_are_told_from_methods() {
    let mut cluster = cluster(3);
    for (method, path, code) in [
        ("GET", "/store/4/weight", 405),
        ("GET", "/leader/resign", 405),
        ("PUT", "/config", 405),
        ("POST", "/stores", 405),
        ("POST", "/nothing", 404),
        ("DELETE", "/regions/key", 405),
    ] {
        assert_eq!(send(&mut cluster, method, path, "{}").0, code, "{method} {path}");
    }
}
