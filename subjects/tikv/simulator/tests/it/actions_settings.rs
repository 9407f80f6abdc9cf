//! What comes of schedulers, configuration, stores and PD's leader when they are told something.

use std::time::Duration;

use tikv_simulator::{Config, Event, NodeId, Scenario, Simulator};

use crate::actions_effects::{cluster, refused, region, send, send_to};
use crate::scenarios::{get, json, seconds};

const PD: &str = "pd0:2379";
const FOLLOWER: &str = "pd1:2379";

fn leaders(cluster: &Simulator, store: u64) -> u64 {
    cluster.truth().stores[&store].leaders
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
