//! Answers that are not 2xx, in each shape that PD, a router and a proxy give them.

use operator_core::ErrorKind::{self, *};
use operator_tikv::Error;
use operator_tikv::http::BodyShape::{self, *};
use rstest::rstest;

use crate::server::{Server, answer, client, patient};

const PATH: &str = "/pd/api/v1/store/99";
const STORE_NOT_FOUND: &str = "\"[PD:core:ErrStoreNotFound]store 99 not found\"\n";
const TWICE: &str = r#""\"[PD:core:ErrStoreNotFound]store 99 not found\"\n""#;
const OBJECT: &str =
    "{\n  \"code\": \"input\",\n  \"msg\": \"strconv.ParseUint: parsing \\\"abc\\\"\",\n  \"data\": {}\n}\n";
const NOT_BOOTSTRAPPED: &str =
    "\"[PD:cluster:ErrNotBootstrapped]TiKV cluster not bootstrapped, please start TiKV first\"\n";
const PANIC: &str = "PANIC: runtime error: invalid memory address or nil pointer dereference\n\
    goroutine 4359 [running]:\ngithub.com/urfave/negroni.(*Recovery).ServeHTTP.func1()\n\t/go/pkg/mod/\n";
const HTML: &str =
    "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>";

#[rstest]
#[case(400, OBJECT, InvalidInput, JsonObject, "parsing \"abc\"")]
#[case(400, "\"strconv.ParseUint: invalid syntax\"\n", InvalidInput, JsonString, "invalid syntax")]
#[case(401, "", Unauthorized, Empty, "check the user and password")]
#[case(403, "Forbidden", Unauthorized, Text, "client certificate")]
#[case(404, STORE_NOT_FOUND, NotFound, JsonString, "[PD:core:ErrStoreNotFound] store 99 not found")]
#[case(404, "404 page not found\n", Unsupported, Text, "is this PD's client address")]
#[case(404, "null\n", NotFound, Empty, "no explanation")]
#[case(404, HTML, Protocol, Html, "a web page titled \"502 Bad Gateway\"; PD sends no web pages")]
#[case(405, "", Unsupported, Empty, "405")]
#[case(406, NOT_BOOTSTRAPPED, Unavailable, JsonString, "no TiKV store has joined")]
#[case(410, "\"store 99 has been removed\"", NotFound, JsonString, "has been removed")]
#[case(412, "\"placement rules feature is disabled\"", Refused, JsonString, "placement rules")]
#[case(429, "Too Many Requests\n", Unavailable, Text, "ask less often")]
#[case(500, TWICE, NotFound, JsonString, "[PD:core:ErrStoreNotFound] store 99 not found")]
#[case(500, PANIC, Unavailable, Panic, "the server's handler panicked: runtime error: invalid memory")]
#[case(500, "null", Unavailable, Empty, "no explanation")]
#[case(500, "\"[PD:operator:ErrOperatorNotFound]operator not found\"\n", NotFound, JsonString, "not found")]
#[case(500, "\x1b[31mred\u{202e}", Unavailable, Text, r"\u{1b}[31mred\u{202e}")]
#[tokio::test]
async fn an_error_is_told_as_what_it_is(
    #[case] status: u16,
    #[case] body: &str,
    #[case] kind: ErrorKind,
    #[case] shape: BodyShape,
    #[case] said: &str,
) {
    let server = Server::canned(answer(status, "Content-Type: text/plain\r\n", body)).await;
    let error = client([server.endpoint()], patient()).get(PATH).await.unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(&format!("GET {}{PATH}: answered {status}: ", server.endpoint())),
        "{message}"
    );
    assert!(message.contains(said), "{message}");
    assert!(!message.contains(['\x1b', '\n', '\u{202e}']), "{message:?}");
    assert_eq!((error.kind(), error.status()), (kind, Some(status)));
    assert_eq!(error.pd().unwrap().shape, shape);
    assert_eq!(server.connections(), 1, "asked once");
}

#[rstest]
#[case(500, "[PD:apiutil:ErrRedirect]redirect failed\n")]
#[case(500, "[PD:apiutil:ErrRedirectToNotLeader]redirect to not leader\n")]
#[case(503, "[PD:apiutil:ErrRedirectNoLeader]redirect finds no leader\n")]
#[case(503, "no service\n")]
#[case(502, "bad gateway\n")]
#[tokio::test]
async fn every_spelling_of_no_leader_is_one(#[case] status: u16, #[case] body: &str) {
    let server = Server::canned(answer(status, "", body)).await;
    let error = client([server.endpoint()], patient()).get(PATH).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { no_leader: true, tries: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("PD has no leader") && error.is_retryable(), "{error}");
    assert_eq!(error.during("store").endpoint, Some(server.endpoint().to_string()));
}

#[tokio::test]
async fn a_proxys_own_error_page_is_not_an_election() {
    let server = Server::canned(answer(502, "", HTML)).await;
    let error = client([server.endpoint()], patient()).get(PATH).await.unwrap_err();
    assert!(matches!(error, Error::Status { status: 502, .. }), "{error:?}");
    assert!(error.to_string().contains("is this a proxy's address?") && error.is_retryable(), "{error}");
}

#[rstest]
#[case(301)]
#[case(302)]
#[case(307)]
#[case(308)]
#[tokio::test]
async fn a_redirect_is_an_error_and_never_followed(#[case] status: u16) {
    let target = Server::canned(answer(200, "", "[]")).await;
    let location = format!("Location: http://u:hunter2@{}/login?token=hunter2\r\n", target.address);
    let server = Server::canned(answer(status, &location, "moved")).await;
    let error = client([server.endpoint(), target.endpoint()], patient()).get(PATH).await.unwrap_err();
    let shown = format!("http://{}/login", target.address);
    assert!(matches!(&error, Error::Redirect { location, .. } if *location == shown), "{error:?}");
    assert!(error.to_string().contains("redirects are not followed"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn an_error_whose_body_breaks_off_still_has_its_status() {
    let server = Server::canned("HTTP/1.1 404 X\r\nContent-Length: 100\r\n\r\n\"store").await;
    let error = client([server.endpoint()], patient()).get(PATH).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::NotFound, Some(404)), "{error}");
}

#[tokio::test]
async fn an_error_says_that_the_body_was_no_json_of_nesting_without_end() {
    let body = format!("{}{}", "{\"msg\":".repeat(5_000), "[".repeat(5_000));
    let server = Server::canned(answer(500, "", body)).await;
    let error = client([server.endpoint()], patient()).get(PATH).await.unwrap_err();
    assert_eq!(error.pd().unwrap().shape, Text);
}
