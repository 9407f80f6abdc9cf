//! What goes wrong with requests that change something, as a test asks for it.

use tikv_simulator::{Event, Fault, NodeId, OperatorEnd, Reply, Request};

use crate::actions_effects::{cluster, created, follower, leader, send, status};
use crate::scenarios::{get, seconds};

const PD: &str = "pd0:2379";

fn transfer(region: u64, to: u64) -> String {
    format!("{{\"name\":\"transfer-leader\",\"region_id\":{region},\"to_store_id\":{to}}}")
}

#[test]
fn the_reply_is_lost_though_it_was_done() {
    for reply in [Reply::Silent, Reply::Refused, Fault::no_service()] {
        let mut cluster = cluster(3);
        let (from, to) = (leader(&mut cluster, 2), follower(&mut cluster, 2));
        let lost = Fault::new("/pd/api/v1/operators", reply.clone()).method("POST");
        let mut request = Request::new("POST", "/pd/api/v1/operators");
        request.body = transfer(2, to).into();
        // Not carried out.
        cluster.inject(lost.clone());
        assert_eq!(cluster.answer(PD, &request), reply);
        cluster.advance(seconds(1));
        assert_eq!(leader(&mut cluster, 2), from);
        // Carried out, though it looks the same; and a read is not struck.
        cluster.inject(lost.after_it_was_done());
        assert_eq!(get(&mut cluster, PD, "/pd/api/v1/operators").status(), Some(200));
        assert_eq!(cluster.answer(PD, &request), reply);
        cluster.advance(seconds(1));
        assert_eq!(leader(&mut cluster, 2), to);
        // Used up.
        request.body = transfer(2, from).into();
        assert_eq!(cluster.answer(PD, &request).status(), Some(200));
    }
}

#[test]
fn an_operator_ends_as_a_test_wants_it_to() {
    for (end, name, after) in [
        (OperatorEnd::TimesOut, "TIMEOUT", 61),
        (OperatorEnd::Replaced, "REPLACE", 1),
        (OperatorEnd::Canceled, "CANCEL", 1),
    ] {
        let mut cluster = cluster(3);
        cluster.advance(seconds(1));
        let (from, to) = (leader(&mut cluster, 2), follower(&mut cluster, 2));
        cluster.apply(Event::Doom { region: 2, end });
        created(&mut cluster, &transfer(2, to));
        assert_eq!(status(&mut cluster, 2), "RUNNING");
        cluster.advance(seconds(after));
        assert_eq!((leader(&mut cluster, 2), status(&mut cluster, 2).as_str()), (from, name));
        // Only the one.
        created(&mut cluster, &transfer(2, to));
        cluster.advance(seconds(1));
        assert_eq!((leader(&mut cluster, 2), status(&mut cluster, 2).as_str()), (to, "SUCCESS"));
        // Also one that runs already.
        created(&mut cluster, &transfer(2, from));
        cluster.apply(Event::Doom { region: 2, end });
        cluster.advance(seconds(after));
        assert_eq!((leader(&mut cluster, 2), status(&mut cluster, 2).as_str()), (to, name));
    }
}

#[test]
fn an_operator_waits_for_its_target_and_dies_with_pds_leader() {
    let mut cluster = cluster(3);
    send(&mut cluster, "POST", "/schedulers/balance-leader-scheduler", "{\"delay\":600}");
    let (from, to) = (leader(&mut cluster, 2), follower(&mut cluster, 2));
    created(&mut cluster, &transfer(2, to));
    cluster.apply(Event::Hang(NodeId::Store(to)));
    cluster.advance(seconds(30));
    assert_eq!((leader(&mut cluster, 2), status(&mut cluster, 2).as_str()), (from, "RUNNING"));
    cluster.advance(seconds(35));
    assert_eq!(status(&mut cluster, 2), "TIMEOUT");

    cluster.apply(Event::Restart(NodeId::Store(to)));
    cluster.advance(seconds(60));
    created(&mut cluster, &transfer(2, to));
    cluster.apply(Event::ResignPdLeader);
    cluster.advance(seconds(1));
    assert_eq!(send(&mut cluster, "GET", "/operators/2", "").0, 500, "the new leader has never heard of it");
    assert_eq!(leader(&mut cluster, 2), from);
}

#[test]
fn without_a_leader_nothing_is_changed() {
    let mut cluster = cluster(3);
    cluster.apply(Event::Crash(NodeId::Pd(0)));
    let mut request = Request::new("POST", "/pd/api/v1/config");
    request.body = "{\"leader-schedule-limit\":8}".into();
    assert_eq!(cluster.answer(PD, &request), Reply::Refused);
    let reply = cluster.answer("pd1:2379", &request);
    assert_eq!(reply.status(), Some(500));
    assert_eq!(reply.body(), b"[PD:apiutil:ErrRedirect]redirect failed\n");
    cluster.advance(seconds(20));
    let config = get(&mut cluster, "pd1:2379", "/pd/api/v1/config/schedule");
    assert!(String::from_utf8_lossy(config.body()).contains("\"leader-schedule-limit\": 4"));
    // A follower that was asked by a follower does not pass it on.
    let follower = if cluster.truth().pd_leader.as_deref() == Some("pd1") { "pd2:2379" } else { "pd1:2379" };
    let forwarded = request.clone().with_header("PD-Redirector", "pd0");
    assert!(cluster.answer(follower, &forwarded).body().starts_with(b"[PD:apiutil:ErrRedirectToNotLeader]"));
    assert_eq!(cluster.answer(follower, &request).status(), Some(200));
}

#[test]
fn writes_are_noted_with_their_bodies() {
    let mut cluster = cluster(3);
    let to = follower(&mut cluster, 2);
    created(&mut cluster, &transfer(2, to));
    send(&mut cluster, "DELETE", "/store/4?force", "");
    let kept: Vec<_> = cluster.requests().writes().collect();
    assert_eq!(kept.len(), 2);
    assert_eq!((kept[0].method.as_str(), kept[0].path.as_str()), ("POST", "/pd/api/v1/operators"));
    assert_eq!(kept[0].body, transfer(2, to));
    assert_eq!((kept[1].method.as_str(), kept[1].query.as_str()), ("DELETE", "force"));
}
