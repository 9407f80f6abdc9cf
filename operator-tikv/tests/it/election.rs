//! What takes long, under a paused clock.

use std::time::Duration;

use operator_core::ErrorKind;
use operator_tikv::Error;
use operator_tikv::http::TransportErrorKind;
use tokio::time::Instant;

use crate::scripted::{Reply, Scripted};

const PATH: &str = "/pd/api/v1/stores";
const MEMBERS: &str = "pd0,pd1,pd2";
const REDIRECT: Reply = Reply::Answer(500, "[PD:apiutil:ErrRedirect]redirect failed\n");
const NOT_BOOTSTRAPPED: Reply = Reply::Answer(
    500,
    "\"[PD:cluster:ErrNotBootstrapped]TiKV cluster not bootstrapped, please start TiKV first\"",
);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// As measured: the leader is dead, and for 13 s the followers answer at once that they cannot forward.
#[tokio::test(start_paused = true)]
async fn an_election_is_survived() {
    let pd = Scripted::new(|host, since| match host {
        "pd0" => Reply::Fail(TransportErrorKind::Connect),
        _ if since < seconds(13) => REDIRECT,
        _ => Reply::Answer(200, "[]"),
    });
    let started = Instant::now();
    let answer = pd.client(MEMBERS).get(PATH).await.unwrap();
    assert_eq!(&answer.body[..], b"[]");
    // The longest pause is 2 s.
    assert!((seconds(13)..seconds(16)).contains(&started.elapsed()), "{:?}", started.elapsed());
    // Not a storm of requests either: at least 6 rounds (pauses of at most 2 s), at most 17 (of at least 0.1 to 1 s).
    assert!((18..=51).contains(&pd.asked().len()), "{}", pd.asked().len());
}

#[tokio::test(start_paused = true)]
async fn without_quorum_it_gives_up_when_the_budget_is_spent() {
    let pd = Scripted::new(|host, _| match host {
        "pd0" => REDIRECT,
        _ => Reply::Fail(TransportErrorKind::Connect),
    });
    let started = Instant::now();
    let error = pd.client(MEMBERS).get(PATH).await.unwrap_err();
    assert!((seconds(17)..=seconds(20)).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert!(matches!(&error, Error::Unavailable { no_leader: true, failures, .. } if failures.len() == 3));
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn when_nobody_is_there_it_gives_up_soon() {
    let pd = Scripted::new(|_, _| Reply::Fail(TransportErrorKind::Connect));
    let started = Instant::now();
    let error = pd.client(MEMBERS).get(PATH).await.unwrap_err();
    assert!(started.elapsed() <= seconds(2), "{:?}", started.elapsed());
    assert!(pd.asked().len() >= 6, "asked again: {:?}", pd.asked());
    assert!(error.to_string().starts_with("no member could answer (asked 3 members"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_a_second_is_survived_with_one_endpoint() {
    // Whatever chance says of the delays.
    for _ in 0..100 {
        let pd = Scripted::new(|_, since| match since {
            _ if since < seconds(1) => Reply::Fail(TransportErrorKind::Connect),
            _ => Reply::Answer(200, "[]"),
        });
        pd.client("pd0").get(PATH).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn each_member_is_tried_once_even_if_the_others_hang() {
    let pd = Scripted::new(|host, _| match host {
        "pd2" => Reply::Answer(200, "[]"),
        _ => Reply::Hang,
    });
    let client = pd.client(MEMBERS);
    let started = Instant::now();
    client.get(PATH).await.unwrap();
    assert_eq!(started.elapsed(), 2 * client.limits().read_timeout);
    client.get(PATH).await.unwrap();
    assert_eq!(pd.asked(), ["pd0", "pd1", "pd2", "pd2"], "and the one that answered is remembered");
}

#[tokio::test(start_paused = true)]
async fn all_hanging_is_a_timeout() {
    let pd = Scripted::new(|_, _| Reply::Hang);
    let started = Instant::now();
    let error = pd.client(MEMBERS).get(PATH).await.unwrap_err();
    assert_eq!((error.kind(), started.elapsed()), (ErrorKind::Timeout, seconds(24)));
}

#[tokio::test(start_paused = true)]
async fn a_refused_certificate_is_not_tried_again() {
    let pd = Scripted::new(|_, _| Reply::Fail(TransportErrorKind::Tls));
    let error = pd.client(MEMBERS).get(PATH).await.unwrap_err();
    assert_eq!(pd.asked(), ["pd0", "pd1", "pd2"]);
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
}

#[tokio::test(start_paused = true)]
async fn not_bootstrapped_is_believed_when_all_say_it_for_a_while() {
    let pd = Scripted::new(|_, _| NOT_BOOTSTRAPPED);
    let started = Instant::now();
    let error = pd.client(MEMBERS).get(PATH).await.unwrap_err();
    assert!(error.is_not_bootstrapped(), "{error:?}");
    assert!(started.elapsed() <= seconds(2));
    assert!(error.to_string().contains("no TiKV store has joined"), "{error}");
    let error = pd.client("pd0").get(PATH).await.unwrap_err();
    assert!(error.is_not_bootstrapped() && error.status() == Some(500), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn not_bootstrapped_from_one_member_is_not_believed() {
    let pd = Scripted::new(|host, _| match host {
        "pd0" => NOT_BOOTSTRAPPED,
        _ => Reply::Answer(200, "[]"),
    });
    assert_eq!(pd.client(MEMBERS).get(PATH).await.unwrap().endpoint.to_string(), "http://pd1");
}

/// A new leader is elected before it has loaded the cluster.
#[tokio::test(start_paused = true)]
async fn not_bootstrapped_after_an_election_is_waited_out() {
    let pd = Scripted::new(|_, since| match since {
        _ if since < seconds(6) => REDIRECT,
        _ if since < seconds(12) => NOT_BOOTSTRAPPED,
        _ => Reply::Answer(200, "[]"),
    });
    pd.client(MEMBERS).get(PATH).await.unwrap();
}
