//! What a real Prometheus does not do on demand: answer in part, die meanwhile, say what kind a metric is.

use chrono::DateTime;
use serde_json::{Value, json};

use super::*;
use crate::http::HttpRequest;
use crate::prometheus::script::Script;

const AT: i64 = 1_700_000_000;

fn parameter(request: &HttpRequest, name: &str) -> String {
    let body = request.body.clone().unwrap_or_default();
    let mut pairs = request.url.query_pairs().chain(url::form_urlencoded::parse(&body));
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// One that has watched a job `j` for an hour, every 15 s, and has the metrics `jobs_total` and `size` with a label
/// `kind`; `labels` answers what labels a selector has.
fn script(labels: impl Fn(&str) -> (u16, Value) + Send + Sync + 'static) -> Script {
    let series = |values: Vec<i64>| {
        let values: Vec<_> = values.into_iter().map(|ago| json!([AT - ago, "1"])).collect();
        json!({ "resultType": "matrix", "result": [{ "metric": { "job": "j" }, "values": values }] })
    };
    Script::new(move |request| {
        let whole = |data: Value| (200, json!({ "status": "success", "data": data }));
        let path = request.url.path().trim_start_matches("/prometheus/api/v1/").to_owned();
        let (status, answer) = match path.as_str() {
            "label/__name__/values" => whole(json!(["jobs_total", "size", "up"])),
            "label/instance/values" => whole(json!(["i"])),
            "label/job/values" => whole(json!(["j"])),
            "label/kind/values" => whole(json!(["a"])),
            "query_range" => whole(series(vec![3_600, 0])),
            "query" if parameter(request, "query").starts_with("topk") => whole(json!({
                "resultType": "vector", "result": [{ "metric": { "job": "j", "instance": "i" }, "value": [AT, "1"] }]
            })),
            "query" => whole(series(vec![120, 105, 60, 45, 30, 15, 0])),
            "metadata" => whole(json!({
                "jobs_total": [{ "type": "counter", "help": "", "unit": "" }],
                "size": [{ "type": "gauge", "help": "", "unit": "" }],
            })),
            "labels" => labels(&parameter(request, "match[]")),
            other => panic!("{other} is asked"),
        };
        (status, answer.to_string())
    })
}

fn known(_: &str) -> (u16, Value) {
    (200, json!({ "status": "success", "data": ["__name__", "instance", "job", "kind"] }))
}

async fn linted(script: &Script, exprs: &[&str]) -> Result<LintReport, Error> {
    let mut text = "groups:\n- name: g\n  rules:\n".to_owned();
    for (number, expr) in exprs.iter().enumerate() {
        text.push_str(&format!("  - {{alert: A{number}, expr: {}}}\n", Value::from(*expr)));
    }
    let file = RuleFile::parse("r.yml", text.as_bytes()).unwrap();
    let config = LintConfig::default().at(DateTime::from_timestamp(AT, 0).unwrap());
    lint(&file, &script.client(), config).await
}

#[tokio::test]
async fn a_partial_answer_says_nothing_of_what_is_missing() {
    let script = script(|_| {
        (200, json!({ "status": "success", "data": [], "warnings": ["a store of Thanos is away"] }))
    });
    let report = linted(&script, &["size > 1"]).await.unwrap();
    assert_eq!(report.rules[0].verdict, Verdict::CannotSay);
    assert!(report.rules[0].reasons[0].contains("a store of Thanos is away"), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_dies_is_an_error_and_is_not_asked_again() {
    let script =
        script(|_| (503, json!({ "status": "error", "errorType": "unavailable", "error": "stopping" })));
    let rules: Vec<_> = (0..50).map(|number| format!("size{{kind=\"{number}\"}} > 1")).collect();
    let rules: Vec<_> = rules.iter().map(String::as_str).collect();
    let error = linted(&script, &rules).await.unwrap_err().to_string();
    assert!(error.contains("gateway") && error.contains("stopping"), "{error}");
    assert!(script.asked().len() < 5 + 50, "{}", script.asked().len());
}

#[tokio::test]
async fn every_question_is_asked_once_and_counted() {
    let script = script(known);
    let report = linted(&script, &["size > 1"; 100]).await.unwrap();
    assert_eq!((report.count(Verdict::CanFire), report.requests, script.asked().len()), (100, 6, 6));
}

#[tokio::test]
async fn kinds_of_metrics_are_remarked_on() {
    let exprs = [
        "jobs_total > 100",
        "rate(size[1m]) > 1",
        "rate(jobs_total[1m]) > 1",
        "sum by (zone) (size) > 1",
        "jobs_total < 0",
        "size - size > 0",
        "vector(1) > 2",
        "time() - size > 60",
        "size > 1 > bool 2",
    ];
    let report = linted(&script(known), &exprs).await.unwrap();
    let parts = [
        "is a counter: once above 100",
        "which is a gauge",
        "",
        "no such label",
        "never below 0",
        "",
        "always 1",
        "",
        "",
    ];
    for ((rule, expr), part) in report.rules.iter().zip(exprs).zip(parts) {
        let said = [rule.reasons.as_slice(), &rule.remarks].concat().join(" | ");
        assert!(said.contains(part) && said.is_empty() == part.is_empty(), "{expr}: {said}");
        let dead = matches!(expr, "jobs_total < 0" | "vector(1) > 2");
        assert_eq!(rule.verdict == Verdict::CannotFire, dead, "{expr}: {rule:?}");
    }
}
