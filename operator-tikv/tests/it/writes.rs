//! What changes something is executed at most once.

use std::time::Duration;

use operator_tikv::Error;
use operator_tikv::http::{Limits, Method, TransportErrorKind, Written};
use tokio::time::Instant;

use crate::scripted::{Reply, Scripted};
use crate::server::{Server, answer, client, closed_port, endpoint};

const PATH: &str = "/pd/api/v1/operators";
const NO_LEADER: &str = "[PD:apiutil:ErrRedirectNoLeader]redirect finds no leader\n";
const CREATED: &str = "\"The operator is created.\"\n";

async fn write(scripted: &Scripted, endpoints: &str) -> Written {
    scripted.client(endpoints).write(Method::Post, PATH, Some("{}".into())).await
}

#[tokio::test(start_paused = true)]
async fn a_member_that_cannot_be_reached_is_passed_over() {
    for kind in [TransportErrorKind::Connect, TransportErrorKind::Dns, TransportErrorKind::ConnectTimeout] {
        let scripted = Scripted::new(move |host, _| match host {
            "pd0" => Reply::Fail(kind),
            _ => Reply::Answer(200, CREATED),
        });
        let written = write(&scripted, "pd0:2379,pd1:2379,pd2:2379").await;
        assert!(matches!(&written, Written::Taken(answer) if answer.status == 200), "{written:?}");
        assert_eq!(scripted.asked(), ["pd0", "pd1"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_is_not_sent_again() {
    let fates: [fn() -> Reply; 6] = [
        || Reply::Fail(TransportErrorKind::Reset),
        || Reply::Fail(TransportErrorKind::Tls),
        || Reply::Hang,
        || Reply::Answer(502, "bad gateway"),
        || Reply::Answer(504, ""),
        // The leader may have broken off after it had done it.
        || Reply::Answer(500, "[PD:apiutil:ErrRedirect]redirect failed\n"),
    ];
    for fate in fates {
        let scripted = Scripted::new(move |_, _| fate());
        let written = write(&scripted, "pd0:2379,pd1:2379,pd2:2379").await;
        assert!(matches!(written, Written::Unknown(_)), "{written:?}");
        assert_eq!(scripted.asked(), ["pd0"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_election_is_waited_for_where_pd_proves_that_nothing_was_done() {
    let elected = Duration::from_secs(13);
    let scripted = Scripted::new(move |_, elapsed| {
        if elapsed < elected { Reply::Answer(503, NO_LEADER) } else { Reply::Answer(200, CREATED) }
    });
    let started = Instant::now();
    let written = write(&scripted, "pd0:2379,pd1:2379,pd2:2379").await;
    assert!(matches!(written, Written::Taken(_)), "{written:?}");
    assert!(started.elapsed() >= elected && started.elapsed() < Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn without_a_leader_it_is_not_sent_in_the_end() {
    let scripted = Scripted::new(|_, _| Reply::Answer(503, NO_LEADER));
    let started = Instant::now();
    let written = write(&scripted, "pd0:2379,pd1:2379").await;
    assert!(matches!(&written, Written::NotSent(Error::Unavailable { no_leader: true, .. })), "{written:?}");
    assert!(started.elapsed() <= Duration::from_secs(21), "{:?}", started.elapsed());
}

#[tokio::test]
async fn on_sockets_a_closed_port_is_passed_over_and_json_arrives() {
    let dead = endpoint(closed_port().await);
    let leader = Server::canned(answer(200, "", CREATED)).await;
    let other = Server::canned(answer(200, "", CREATED)).await;
    let client = client([dead, leader.endpoint(), other.endpoint()], Limits::default());
    let written = client.write(Method::Delete, PATH, None).await;
    assert!(
        matches!(&written, Written::Taken(answer) if answer.endpoint == leader.endpoint()),
        "{written:?}"
    );
    assert_eq!((leader.connections(), other.connections()), (1, 0));
}

#[tokio::test]
async fn on_sockets_a_connection_that_breaks_leaves_it_unknown() {
    let broken = Server::canned("").await;
    let other = Server::canned(answer(200, "", CREATED)).await;
    let client = client([broken.endpoint(), other.endpoint()], Limits::default());
    let written = client.write(Method::Post, PATH, Some("{}".into())).await;
    assert!(matches!(written, Written::Unknown(Error::Unreachable { .. })), "{written:?}");
    assert_eq!((broken.connections(), other.connections()), (1, 0));
}
