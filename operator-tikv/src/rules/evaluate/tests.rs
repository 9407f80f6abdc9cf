use std::sync::atomic::{AtomicUsize, Ordering};

use operator_core::{CheckReport, Observation, Severity, Violation};
use serde_json::json;

use super::*;
use crate::http::HttpRequest;
use crate::prometheus::script::Script;

const AT: i64 = 1_700_000_000;
const PATIENCE: Duration = Duration::from_secs(5);

fn rules(text: &str) -> Rules {
    Rules::new(&[RuleFile::parse("r.yml", text.as_bytes()).unwrap()])
}

/// The parameter of a question, which is a form.
fn asked(request: &HttpRequest, name: &str) -> String {
    let body = request.body.clone().unwrap_or_default();
    let mut pairs = request.url.query_pairs().chain(url::form_urlencoded::parse(&body));
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn vector(series: &[(serde_json::Value, &str)]) -> String {
    let result: Vec<_> =
        series.iter().map(|(labels, value)| json!({ "metric": labels, "value": [AT, value] })).collect();
    json!({ "status": "success", "data": { "resultType": "vector", "result": result } }).to_string()
}

fn script(answers: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Script {
    Script::new(move |request| match asked(request, "query").as_str() {
        "time()" => (
            200,
            format!(
                "{{\"status\":\"success\",\"data\":{{\"resultType\":\"scalar\",\"result\":[{AT},\"{AT}\"]}}}}"
            ),
        ),
        query => answers(query),
    })
}

async fn report(rules: &Rules, script: &Script) -> CheckReport {
    let at = DateTime::from_timestamp(AT, 0).unwrap();
    let mut observation = Observation::empty(at);
    observation.signals = Some(rules.evaluate(&script.client(), &Things::default(), PATIENCE).await);
    CheckReport::of("test", &observation, rules.invariants(), false).unwrap()
}

const FILE: &str = "
groups:
- name: g
  limit: 2
  rules:
  - alert: Plain
    expr: a > 5
    labels: {level: emergency, team: storage}
    annotations: {description: 'no', summary: '{{ $value | humanize }} on {{ $labels.instance }} ({{ $labels.team }})'}
  - alert: Patient
    expr: (b >= 0.5)
    for: 1m
  - {alert: Twice, expr: c, labels: {severity: info}}
  - {alert: Twice, expr: d, labels: {severity: '{{ if gt $value 1.0 }}critical{{ else }}warning{{ end }}'}}
- {name: h, rules: [{alert: Twice, expr: '7'}]}
";

#[tokio::test]
async fn what_rules_find_is_judged_at_one_moment() {
    let rules = rules(FILE);
    let script = script(|query| {
        (
            200,
            match query {
                "a > 5" => vector(&[(json!({"__name__": "a", "instance": "x", "team": "old"}), "1500")]),
                "(b >= 0.5)" => {
                    vector(&[(json!({"instance": "x"}), "0.75"), (json!({"instance": "y"}), "NaN")])
                }
                "d" => vector(&[(json!({"instance": "x"}), "2"), (json!({"instance": "y"}), "1")]),
                "7" => json!({"status": "success", "data": {"resultType": "scalar", "result": [AT, "7"]}})
                    .to_string(),
                _ => vector(&[]),
            },
        )
    });
    let report = report(&rules, &script).await;
    assert_eq!(report.unknown, []);
    let told = |violation: &Violation| {
        let Violation { severity, state, regarding, invariant, observed, threshold, message, .. } = violation;
        format!("{severity} {state} {regarding} {invariant} {observed:?} {threshold:?} {message}")
    };
    let told: Vec<_> = report.violations.iter().map(told).collect();
    assert_eq!(
        told,
        [
            r#"critical firing cluster{instance="x"} rule/Plain Some(1500.0) Some(5.0) 1.5k on x (old)"#,
            r#"critical firing cluster{instance="x",severity="critical"} rule/r.yml/g/Twice:14 Some(2.0) None d"#,
            r#"warning firing cluster{instance="y",severity="warning"} rule/r.yml/g/Twice:14 Some(1.0) None d"#,
            r#"warning firing cluster rule/h/Twice Some(7.0) None 7"#,
            r#"warning pending cluster{instance="x"} rule/Patient Some(0.75) Some(0.5) (b >= 0.5)"#,
            r#"warning pending cluster{instance="y"} rule/Patient None Some(0.5) (b >= 0.5)"#,
        ]
    );
    let times: BTreeSet<_> = script.asked().iter().skip(1).map(|request| asked(request, "time")).collect();
    assert_eq!((script.asked().len(), times), (6, BTreeSet::from([AT.to_string()])));
    let ids: Vec<_> = rules.invariants().iter().map(|invariant| invariant.info().id.to_string()).collect();
    assert_eq!(ids[2], "rule/r.yml/g/Twice:13");
    assert_eq!(rules.invariants()[2].info().severities[0].severity, Severity::Info);
}

#[tokio::test]
async fn what_is_not_answered_whole_is_unknown_and_not_resolved() {
    let rules = rules(
        "groups: [{name: g, limit: 2, rules: [{alert: Warned, expr: a}, {alert: Failed, expr: b}, {alert: Many, expr: c},
          {alert: Matrix, expr: 'd[1m]'}, {alert: Same, expr: e, labels: {x: y}}, {alert: Fine, expr: f}]}]",
    );
    let script = script(|query| match query {
        "a" => (200, vector(&[]).replace("\"status\"", "\"warnings\":[\"a store is gone\"],\"status\"")),
        "b" => (422, r#"{"status":"error","errorType":"execution","error":"many-to-many"}"#.to_owned()),
        "c" => (200, vector(&[(json!({"a": "1"}), "1"), (json!({"a": "2"}), "1"), (json!({"a": "3"}), "1")])),
        "d[1m]" => (200, r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#.to_owned()),
        "e" => (200, vector(&[(json!({"x": "1"}), "1"), (json!({"x": "2"}), "1")])),
        _ => (200, vector(&[(json!({}), "1")])),
    });
    let report = report(&rules, &script).await;
    let unknown: Vec<_> =
        report.unknown.iter().map(|unknown| (&*unknown.invariant, unknown.reason.as_str())).collect();
    let told = |rule: &str, why: &str| {
        assert!(unknown.iter().any(|(id, reason)| *id == rule && reason.contains(why)), "{why}: {unknown:?}");
    };
    told("rule/Warned", "partial: a store is gone");
    told("rule/Failed", "many-to-many");
    told("rule/Many", "limit of its group, 2");
    told("rule/Matrix", "makes a matrix");
    told("rule/Same", "labels of one alert");
    assert_eq!((unknown.len(), report.violations.len()), (5, 1));
}

#[tokio::test]
async fn too_many_series_are_unknown() {
    let rules = rules("groups: [{name: g, rules: [{alert: Many, expr: a}]}]");
    let series: Vec<_> = (0..100_000).map(|i| (json!({ "a": i.to_string() }), "1")).collect();
    let answer = vector(&series);
    let report = report(&rules, &script(move |_| (200, answer.clone()))).await;
    assert_eq!(report.violations, []);
    assert!(report.unknown[0].reason.contains("100000 series"), "{:?}", report.unknown);
}

#[tokio::test]
async fn a_prometheus_that_dies_between_two_rules_is_not_asked_for_the_others() {
    let mut text = "groups:\n- name: g\n  rules:\n".to_owned();
    (0..1_000).for_each(|i| text.push_str(&format!("  - {{alert: A{i}, expr: a}}\n")));
    let rules = rules(&text);
    let count = AtomicUsize::new(0);
    let script = script(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0..100 => (200, vector(&[])),
        _ => (503, "gone".to_owned()),
    });
    let report = report(&rules, &script).await;
    assert_eq!((report.violations.len(), report.unknown.len()), (0, 900));
    assert!(report.unknown[0].reason.contains("503"), "{:?}", report.unknown[0]);
    assert!(script.asked().len() < 120, "{}", script.asked().len());
    let unanswered = rules.unevaluated("nobody".to_owned());
    assert_eq!(unanswered.value.as_text(), Some("nobody"));
}

#[tokio::test]
async fn what_the_file_records_is_taken_from_prometheus_or_asked_for_in_its_place() {
    let rules = rules(
        "groups: [{name: g, rules: [{record: 'a:b', expr: sum(a)}, {record: 'c:d', expr: sum(c)},
          {alert: A, expr: 'a:b > 1'}, {alert: C, expr: 'c:d > 1'}, {alert: R, expr: 'rate(c:d[1m]) > 1'}]}]",
    );
    let script = script(|query| {
        (
            200,
            if query.starts_with("group") {
                vector(&[(json!({"__name__": "a:b"}), "1")])
            } else {
                vector(&[])
            },
        )
    });
    let report = report(&rules, &script).await;
    let queries: Vec<_> = script.asked().iter().skip(1).map(|request| asked(request, "query")).collect();
    assert_eq!(queries, ["group by (__name__) ({__name__=~\"a:b|c:d\"})", "a:b > 1", "(sum(c)\n) > 1"]);
    assert!(report.unknown[0].reason.contains("Prometheus has no `c:d`"), "{:?}", report.unknown);
}

#[test]
fn a_rule_that_stands_twice_is_two() {
    let text = "groups: [{name: g, rules: [&a {alert: A, expr: up}, *a, *a]}]";
    let file = RuleFile::parse("twice.yml", text.as_bytes()).unwrap();
    let rules = Rules::new(&[file.clone(), file]);
    assert_eq!(rules.len(), 6);
    operator_core::InvariantChecker::new(rules.invariants()).unwrap();
}
