//! Several members, on real sockets.

use std::time::{Duration, Instant};

use operator_core::ErrorKind;
use operator_tikv::Error;
use operator_tikv::http::Limits;

use crate::server::{Server, answer, client, closed_port, endpoint, patient};

const PATH: &str = "/pd/api/v1/stores";

#[tokio::test]
async fn one_of_three_dead_costs_nothing() {
    let dead = endpoint(closed_port().await);
    let [first, second] =
        [Server::canned(answer(200, "", "1")).await, Server::canned(answer(200, "", "2")).await];
    let client = client([dead, first.endpoint(), second.endpoint()], Limits::default());
    let started = Instant::now();
    for _ in 0..3 {
        let answer = client.get(PATH).await.unwrap();
        assert_eq!((&answer.body[..], &answer.endpoint), (&b"1"[..], &first.endpoint()));
    }
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(second.connections(), 0, "the member that answered last is asked first");
}

#[tokio::test]
async fn all_dead_is_told_with_each_member() {
    let dead = [endpoint(closed_port().await), endpoint(closed_port().await), endpoint(closed_port().await)];
    let error = client(dead.clone(), patient()).get(PATH).await.unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, Error::Unavailable { no_leader: false, tries: 3, .. }), "{error:?}");
    assert!(dead.iter().all(|endpoint| message.contains(&endpoint.to_string())), "{message}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_follower_that_cannot_forward_is_passed_over() {
    let follower = Server::canned(answer(500, "", "[PD:apiutil:ErrRedirect]redirect failed\n")).await;
    let leader = Server::canned(answer(200, "", "[]")).await;
    let client = client([follower.endpoint(), leader.endpoint()], patient());
    assert_eq!(client.get(PATH).await.unwrap().endpoint, leader.endpoint());
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again_elsewhere() {
    let broken = Server::canned("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[").await;
    let sound = Server::canned(answer(200, "", "[]")).await;
    let client = client([broken.endpoint(), sound.endpoint()], patient());
    assert_eq!(&client.get(PATH).await.unwrap().body[..], b"[]");
}

#[tokio::test]
async fn what_one_member_refuses_is_not_asked_of_another() {
    let first = Server::canned(answer(404, "", "\"[PD:core:ErrStoreNotFound]store 99 not found\"")).await;
    let second = Server::canned(answer(200, "", "{}")).await;
    let client = client([first.endpoint(), second.endpoint()], patient());
    assert_eq!(client.get(PATH).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!((first.connections(), second.connections()), (1, 0));
}

#[tokio::test]
async fn one_endpoint_is_asked_once_and_no_other() {
    let other = Server::canned(answer(200, "", "{}")).await;
    let store = Server::canned(answer(503, "", "busy")).await;
    let client = client([other.endpoint()], patient());
    let error = client.get_from(&store.endpoint(), "/status", client.limits()).await.unwrap_err();
    assert!(matches!(error, Error::Status { status: 503, .. }), "{error:?}");
    assert_eq!((store.connections(), other.connections()), (1, 0));
}
