use operator_core::ErrorKind;
use rstest::rstest;

use super::*;
use crate::http::HttpRequest;
use crate::prometheus::script::Script;
use crate::prometheus::{Matcher, Secret};

fn parameter(request: &HttpRequest, name: &str) -> f64 {
    let pairs: HashMap<_, _> = request.url.query_pairs().into_owned().collect();
    pairs[name].parse().unwrap()
}

#[tokio::test]
async fn a_query_is_asked_under_the_base_path_and_keeps_its_warnings() {
    let script = Script::always(
        200,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"2"]}]},
            "warnings":["store sg-2 did not answer"],"infos":["PromQL info: metric might not be a counter"]}"#,
    );
    let client = script.client();
    let answer =
        client.vector(Selector::metric("up").with(Matcher::equal("a", "b")).to_string()).await.unwrap();
    assert_eq!(answer.data.samples[0].sample.value, 2.0);
    assert_eq!(answer.warnings, ["store sg-2 did not answer"]);
    assert_eq!(answer.infos.len(), 1);
    client.query_at("up", DateTime::from_timestamp_millis(1_500).unwrap()).await.unwrap();
    assert_eq!(
        script.paths(),
        [
            "GET /prometheus/api/v1/query?query=up%7Ba%3D%22b%22%7D",
            "GET /prometheus/api/v1/query?query=up&time=1.500"
        ]
    );
}

#[tokio::test]
async fn a_long_query_goes_as_a_form() {
    let script = Script::always(200, r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#);
    let stores: Vec<String> = (0..1000).map(|i| format!("10.0.0.{i}:20180")).collect();
    let selector = Selector::metric("up").with(Matcher::one_of("instance", &stores)).to_string();
    script.client().query(&selector).await.unwrap();
    let request = &script.asked()[0];
    assert_eq!((request.method, request.path_and_query()), (Method::Post, "/prometheus/api/v1/query"));
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    let body = request.body.clone().unwrap();
    let as_query = format!("http://h/?{}", std::str::from_utf8(&body).unwrap());
    let pairs: Vec<_> = crate::http::Url::parse(&as_query).unwrap().query_pairs().into_owned().collect();
    assert_eq!(pairs, [("query".to_owned(), selector)]);
}

/// Answers a range query with one sample a step, and with a series that begins late.
fn samples(request: &HttpRequest) -> (u16, String) {
    let (start, end, step) =
        (parameter(request, "start"), parameter(request, "end"), parameter(request, "step"));
    let points = ((end - start) / step).floor() as i64 + 1;
    if points > 11_000 {
        return (
            400,
            r#"{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution"}"#.into(),
        );
    }
    let sample = |i: i64| format!(r#"[{},"{i}"]"#, start + step * i as f64);
    let early: Vec<String> = (0..points).map(sample).collect();
    let early = format!(r#"{{"metric":{{"s":"early"}},"values":[{}]}}"#, early.join(","));
    let late = r#"{"metric":{"s":"late"},"values":[[7,"7"]],"histograms":[[7,{"count":"1","sum":"1"}]]}"#;
    let series = if start > 0.0 { format!("{late},{early}") } else { early };
    let warnings = if start > 0.0 { r#","warnings":["partial"]"# } else { "" };
    (200, format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}{warnings}}}"#))
}

#[tokio::test]
async fn a_long_range_is_split_and_joined() {
    let script = Script::new(samples);
    let at = |s| DateTime::from_timestamp(s, 0).unwrap();
    let range = TimeRange::new(at(0), at(25_000 * 15 + 7), std::time::Duration::from_secs(15));
    let answer = script.client().query_range("x", range).await.unwrap();
    assert_eq!(script.asked().len(), 3);
    let [early, late] = &answer.data[..] else { panic!("{:?}", answer.data) };
    let expected: Vec<i64> = (0..=25_000).map(|i| i * 15_000).collect();
    assert_eq!(early.timestamps, expected);
    assert_eq!(early.sample_bytes(), 25_001 * 16);
    assert_eq!(early.values[11_000], 0.0, "the first of the second piece");
    assert_eq!((late.values.len(), late.histograms.len()), (2, 2));
    assert_eq!(answer.warnings, ["partial"], "said twice, kept once");
}

#[tokio::test]
async fn a_range_that_fails_in_the_middle_fails() {
    let script = Script::new(|request| match parameter(request, "start") {
        0.0 => samples(request),
        _ => (503, r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#.into()),
    });
    let at = |s| DateTime::from_timestamp(s, 0).unwrap();
    let range = TimeRange::new(at(0), at(20_000), std::time::Duration::from_secs(1));
    let error = script.client().query_range("x", range).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[rstest]
#[case::bad_query(
    400,
    r#"{"status":"error","errorType":"bad_data","error":"1:4: parse error"}"#,
    ErrorKind::InvalidInput,
    "bad_data: 1:4: parse error"
)]
#[case::many_to_many(
    422,
    r#"{"status":"error","errorType":"execution","error":"many-to-many matching"}"#,
    ErrorKind::Refused,
    "execution: many-to-many"
)]
#[case::timeout(
    503,
    r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#,
    ErrorKind::Timeout,
    "timeout: query timed out"
)]
#[case::error_with_200(
    200,
    r#"{"status":"error","errorType":"internal","error":"boom"}"#,
    ErrorKind::Unavailable,
    "answered 200: internal: boom"
)]
#[case::starting(503, "Service Unavailable", ErrorKind::Unavailable, "just started")]
#[case::no_api(404, "404 page not found\n", ErrorKind::Unsupported, "base URL")]
#[case::html_404(
    404,
    "<html><head><title>nginx</title></head></html>",
    ErrorKind::Unsupported,
    "a web page titled \"nginx\""
)]
#[case::proxy(502, "<html>bad gateway</html>", ErrorKind::Unavailable, "a web page")]
#[case::gateway_json(429, r#"{"message":"slow down"}"#, ErrorKind::Unavailable, "slow down")]
#[case::login(200, "<!DOCTYPE html><title>Sign in</title>", ErrorKind::Protocol, "Sign in")]
#[case::unauthorized(401, "Unauthorized", ErrorKind::Unauthorized, "check the token")]
#[case::redirect(302, "", ErrorKind::Protocol, "redirects are not followed")]
#[case::empty(500, "", ErrorKind::Unavailable, "no explanation")]
#[case::success_with_500(
    500,
    r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
    ErrorKind::Unavailable,
    "answered 500"
)]
#[case::not_a_vector(
    200,
    r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#,
    ErrorKind::Protocol,
    "the result is a scalar, not a vector"
)]
#[case::control_characters(
    400,
    "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"a\\u001b[2Jb\"}",
    ErrorKind::InvalidInput,
    r"a\u{1b}[2Jb"
)]
#[tokio::test]
async fn every_failure_is_a_typed_error_that_says_what_came(
    #[case] status: u16,
    #[case] body: &'static str,
    #[case] kind: ErrorKind,
    #[case] says: &str,
) {
    let error = Script::always(status, body).client().vector("up").await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "{error}");
    assert!(
        error.to_string().starts_with("GET https://gateway/prometheus/api/v1/query?query=up: "),
        "{error}"
    );
    assert_eq!(error.status(), Some(status));
}

#[tokio::test]
async fn a_token_that_is_not_accepted_any_more_is_read_again_once() {
    let path = std::env::temp_dir().join(format!("operator-token-{}", std::process::id()));
    std::fs::write(&path, "old\n").unwrap();
    let script = Script::new(|request| match request.headers["authorization"].to_str() {
        Ok("Bearer new") => (200, r#"{"status":"success","data":[]}"#.to_owned()),
        _ => (401, "Unauthorized".to_owned()),
    });
    let config = script.config().with_bearer(Secret::file(&path)).with_header("X-Scope-OrgID", "t").unwrap();
    let client = config.client_over(script.clone()).unwrap();
    std::fs::write(&path, "new\n").unwrap();
    client.label_names(&[]).await.unwrap();
    client.label_names(&[]).await.unwrap();
    // Old, new, and from then on new.
    assert_eq!(script.asked().len(), 3);
    assert!(script.asked().iter().all(|request| request.headers["x-scope-orgid"] == "t"));
    assert!(!format!("{client:?} {:?}", script.asked()).contains("new"));
    std::fs::write(&path, "bad\n").unwrap();
    let refusing = Script::always(403, "no");
    let client = config.client_over(refusing.clone()).unwrap();
    let error = client.label_names(&[]).await.unwrap_err();
    assert_eq!((error.kind(), refusing.asked().len()), (ErrorKind::Unauthorized, 2));
    assert!(!format!("{error} {error:?}").contains("bad"));
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn the_other_questions_have_their_paths() {
    let script = Script::new(|request| {
        let data = match request.url.path() {
            path if path.ends_with("targets") => r#"{"activeTargets":[],"droppedTargets":[]}"#,
            path if path.ends_with("rules") => r#"{"groups":[]}"#,
            path if path.ends_with("alerts") => r#"{"alerts":[]}"#,
            path if path.ends_with("metadata") => "{}",
            path if path.ends_with("buildinfo") => r#"{"version":"3.0.0"}"#,
            _ => "[]",
        };
        (200, format!(r#"{{"status":"success","data":{data}}}"#))
    });
    let client = script.client();
    let up = [Selector::metric("up")];
    client.series(&up).await.unwrap();
    client.label_names(&up).await.unwrap();
    client.label_values("a/b", &up).await.unwrap();
    client.targets().await.unwrap();
    client.rules().await.unwrap();
    client.alerts().await.unwrap();
    client.metadata(Some("up"), 5).await.unwrap();
    assert_eq!(client.build_info().await.unwrap().data.version, "3.0.0");
    client.ready().await.unwrap();
    assert_eq!(
        script.paths(),
        [
            "GET /prometheus/api/v1/series?match%5B%5D=up",
            "GET /prometheus/api/v1/labels?match%5B%5D=up",
            "GET /prometheus/api/v1/label/a%2Fb/values?match%5B%5D=up",
            "GET /prometheus/api/v1/targets?state=active",
            "GET /prometheus/api/v1/rules",
            "GET /prometheus/api/v1/alerts",
            "GET /prometheus/api/v1/metadata?limit=5&metric=up",
            "GET /prometheus/api/v1/status/buildinfo",
            "GET /prometheus/-/ready",
        ]
    );
    let error = Script::always(503, "Service Unavailable").client().ready().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn an_error_that_lists_every_series_is_cut() {
    let script = Script::new(|_| {
        let error = "é".repeat(100_000);
        (200, format!(r#"{{"status":"error","errorType":"execution","error":"{error}"}}"#))
    });
    let Err(Error::Prometheus { message, .. }) = script.client().query("x").await else { panic!() };
    assert_eq!(message.chars().count(), 2_001);
}
