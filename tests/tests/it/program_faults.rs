//! What the program says when whoever it asks is not well.

use std::time::{Duration, Instant};

use operator_tests::{ClosedPort, Script, ScriptedServer};
use rstest::rstest;

use crate::program::operator;

#[tokio::test]
async fn nobody_listens() {
    let closed = ClosedPort::take().unwrap();
    let url = closed.url().unwrap();
    let started = Instant::now();
    operator(["--pd", &url, "stores"]).await.failed(1, &[&url, "refused", "check host and port"]);
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_name_is_not_known() {
    operator(["--pd", "http://pd.invalid:2379", "stores"])
        .await
        .failed(1, &["http://pd.invalid:2379", "check the host name"]);
}

const PAGE: &str =
    "<!doctype html><html><head><title>Sign in\u{1b}[2J</title></head><body>please</body></html>";

#[rstest]
#[case::a_web_page(Script::answer("200 OK", "text/html", PAGE), &["<!doctype html>"])]
#[case::a_web_page_that_is_an_error(Script::answer("502 Bad Gateway", "text/html", PAGE), &["502", "proxy"])]
#[case::a_redirect(
    Script::Send(b"HTTP/1.1 302 Found\r\nLocation: http://login.invalid/\r\nContent-Length: 0\r\n\r\n".to_vec()),
    &["302", "http://login.invalid/", "not followed"]
)]
#[case::json_that_stops(
    Script::answer("200 OK", "application/json", r#"{"count":3,"stores":[{"store":{"id":1,"#),
    &["/pd/api/v1/stores", r#"{"count":3,"stores":[{"#]
)]
#[case::an_empty_body(Script::answer("200 OK", "application/json", ""), &["/pd/api/v1/stores"])]
#[case::wrong_types(
    Script::answer("200 OK", "application/json", r#"{"count":"three","stores":{"1":true}}"#),
    &["/pd/api/v1/stores"]
)]
#[case::a_body_that_breaks_off(
    Script::cut_answer("200 OK", "application/json", r#"{"count":3,"stores":["#, 10_000),
    &["/pd/api/v1/stores"]
)]
#[case::a_connection_that_closes(Script::Close, &["/pd/api/v1/stores"])]
#[case::another_protocol(Script::Send(b"\x15\x03\x01\x00\x02\x02\x46".to_vec()), &["/pd/api/v1/stores"])]
#[case::a_rate_limit(
    Script::answer("429 Too Many Requests", "text/plain; charset=utf-8", "Too Many Requests\n"),
    &["429", "ask less often"]
)]
#[case::a_stack_trace(
    Script::answer("500 Internal Server Error", "text/plain", "runtime error: nil pointer\ngoroutine 1 [running]:\n"),
    &["500", "runtime error: nil pointer"]
)]
#[tokio::test]
async fn an_answer_that_is_none(#[case] script: Script, #[case] told: &[&str]) {
    let server = ScriptedServer::start(move |_| script.clone()).await.unwrap();
    let run = operator(["--pd", &server.url(), "stores"]).await;
    run.failed(1, &[&[server.url().as_str()], told].concat());
    assert_eq!(run.stdout, "", "{run:?}");
}

#[rstest]
#[case::as_the_whole("", "")]
#[case::where_the_stores_are(r#"{"count":1,"stores":"#, "}")]
#[case::in_a_field_that_nobody_knows(r#"{"new":"#, r#","count":"none","stores":7,"regions":7}"#)]
#[tokio::test]
async fn json_nested_a_hundred_thousand_deep(#[case] before: &str, #[case] after: &str) {
    let body = format!("{before}{}{}{after}", "[".repeat(100_000), "]".repeat(100_000));
    let server =
        ScriptedServer::start(move |_| Script::answer("200 OK", "application/json", &body)).await.unwrap();
    operator(["--pd", &server.url(), "stores"]).await.failed(1, &[&server.url(), "/pd/api/v1/stores"]);
    for command in [&["status"][..], &["regions"], &["region", "1"], &["hot"]] {
        // Some of it may be there; that it ends by itself is what counts.
        let run = operator([&["--pd", &server.url()], command].concat()).await;
        assert!(matches!(run.code, Some(0 | 1)), "{command:?}: {run:?}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_ends_with_the_timeout() {
    let server = ScriptedServer::start(|_| Script::Hang).await.unwrap();
    for command in [&["stores"][..], &["regions"], &["status"]] {
        let started = Instant::now();
        let run = operator([&["--pd", &server.url(), "--timeout", "1s"], command].concat()).await;
        run.failed(1, &[&server.url(), "no answer within"]);
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
}

/// Regions `from` to `to`, of which each begins where the one before ends.
fn page(from: usize, to: usize) -> String {
    let key = |n: usize| if n == 0 { String::new() } else { format!("{n:08X}") };
    let regions: Vec<_> = (from..to)
        .map(|n| {
            format!(
                r#"{{"id":{},"start_key":"{}","end_key":"{}","epoch":{{"conf_ver":1,"version":1}},"peers":[],"leader":{{}}}}"#,
                n + 1,
                key(n),
                key(n + 1),
            )
        })
        .collect();
    format!(r#"{{"count":{},"regions":[{}]}}"#, regions.len(), regions.join(","))
}

#[rstest]
#[case::between_two_pages(Script::Close)]
#[case::in_the_middle_of_a_page(Script::cut_answer("200 OK", "application/json", &page(1_024, 1_100), 1 << 20))]
#[tokio::test]
async fn a_server_that_dies_while_regions_are_listed(#[case] dies: Script) {
    let server = ScriptedServer::start(move |target| {
        let is_first = target.ends_with("&key=") || target.contains("&key=&");
        let first = || Script::answer("200 OK", "application/octet-stream", &page(0, 1_024));
        if is_first { first() } else { dies.clone() }
    })
    .await
    .unwrap();
    let run = operator(["--pd", &server.url(), "regions", "-o", "json"]).await;
    run.failed(1, &[&server.url(), "/pd/api/v1/regions/key"]);
    // What came before is there, and whole.
    assert_eq!(run.stdout.lines().count(), 1_024);
    assert!(run.stdout.lines().all(|line| serde_json::from_str::<operator_core::Region>(line).is_ok()));
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense() {
    operator(["stores"]).await.failed(64, &["--pd", "--simulate"]);
    operator(["--pd", "ftp://pd:2379", "stores"]).await.failed(64, &["ftp"]);
    operator(["--pd", "http://127.0.0.1:1", "--simulate", "stores"]).await.failed(64, &["--simulate"]);
    operator(["--pd", "http://127.0.0.1:1", "store", "first"]).await.failed(64, &["first"]);
    operator(["--pd", "http://127.0.0.1:1", "fly"]).await.failed(64, &["fly"]);
}

#[tokio::test]
async fn a_password_in_a_url_is_not_shown() {
    let closed = ClosedPort::take().unwrap();
    let url = closed.url().unwrap().replace("http://", "http://admin:planted-secret@");
    let run = operator(["--pd", &url, "-v", "stores"]).await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(!format!("{run:?}").contains("planted-secret"), "{run:?}");
}
