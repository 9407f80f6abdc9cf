//! The same rules in a real Prometheus and in ours: the same alerts, tick for tick.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use operator_core::{InvariantChecker, Observation};
use operator_tests::{Frames, Prometheus, ReplayServer, Setup};
use operator_tikv::TikvConfig;
use operator_tikv::prometheus::{Client, QueryResult};
use operator_tikv::rules::{RuleFile, Rules, Things};
use serde_json::Value;
use tikv_simulator::{Config, Scenario, Server};

use crate::program::operator;
use crate::promtool::Folder;
use crate::real_prometheus::instances;

/// What the alerts read is recorded at the moment at which they are evaluated: what is scraped meanwhile comes later
/// for Prometheus and for us. They begin once every series is there: Prometheus may not see one yet in the evaluation that
/// makes it, while it creates thousands of others.
const RULES: &str = r#"
groups:
- name: short
  interval: 1s
  rules:
  - {record: 'seen:tick', expr: time()}
  - {record: 'seen:up', expr: up}
  - {record: 'seen:regions', expr: 'sum by (instance, type) (tikv_raftstore_region_count)'}
  - alert: Down
    expr: seen:up == 0 and on () (seen:tick > BEGIN)
    for: 3s
    keep_firing_for: 4s
    labels: {severity: critical}
    annotations: {summary: '{{ $labels.instance }} is down: {{ $value }}'}
  - alert: Flapping
    expr: seen:up == 1 and on () (seen:tick > BEGIN) and on () (vector(time()) % 12 < 6)
    for: 2s
    labels: {severity: '{{ if gt $value 0.0 }}info{{ else }}warning{{ end }}'}
    annotations: {summary: 'scraped: {{ $labels.instance | stripPort }} since {{ humanizeDuration 90 }}'}
  - {alert: Minute, expr: 'seen:up == 0 and on () (seen:tick > BEGIN)', for: 1m, labels: {severity: warning}}
  - {alert: Regions, expr: 'seen:regions > 0 and on () (seen:tick > BEGIN)', for: 5s, labels: {severity: info}}
  - {alert: AtOnce, expr: 'count(seen:up == 0) > 0 and on () (seen:tick > BEGIN)', annotations: {summary: '{{ $value }} targets'}}
"#;

fn rules_from_now() -> String {
    RULES.replace("BEGIN", &(Utc::now() + BEGIN).timestamp().to_string())
}

const BEGIN: Duration = Duration::from_secs(8);

/// An alert as Prometheus identifies it, and where it stands.
type States = BTreeMap<BTreeMap<String, String>, String>;

/// At which moments Prometheus evaluated the rules.
async fn ticks(client: &Client) -> Vec<DateTime<Utc>> {
    let answer = client.query("seen:tick[10m]").await.unwrap();
    let QueryResult::Matrix(series) = answer.data else { panic!("{answer:?}") };
    let mut ticks: Vec<_> = series[0].samples().map(|sample| sample.at().unwrap()).collect();
    // The last one may not be over.
    ticks.pop();
    ticks
}

/// Where its alerts stood at one of them.
async fn theirs(client: &Client, at: DateTime<Utc>) -> States {
    let QueryResult::Vector(alerts) = client.query_at("ALERTS", at).await.unwrap().data else { panic!() };
    let state = |labels: &operator_tikv::prometheus::Labels| {
        let mut labels: BTreeMap<_, _> =
            labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        labels.remove("__name__");
        let state = labels.remove("alertstate").unwrap();
        labels.remove("severity");
        (labels, state)
    };
    alerts.samples.iter().map(|alert| state(&alert.labels)).collect()
}

/// Where ours stand after each of them.
async fn ours(client: &Client, rules: &Rules, checker: &mut InvariantChecker, at: DateTime<Utc>) -> States {
    let signals = rules.evaluate_at(client, &Things::default(), at, Duration::from_secs(20)).await;
    let mut observation = Observation::empty(at);
    observation.signals = Some(signals);
    let _ = checker.check(&observation);
    assert_eq!(checker.unknown(), [], "{at}");
    let states = checker.violations().into_iter().map(|violation| {
        let operator_core::Regarding::Labelled(_, mut labels) = violation.regarding.clone() else {
            let name = violation.invariant.strip_prefix("rule/").unwrap().to_owned();
            return (BTreeMap::from([("alertname".to_owned(), name)]), violation.state.to_string());
        };
        labels.remove("severity");
        labels.insert("alertname".to_owned(), violation.invariant.strip_prefix("rule/").unwrap().to_owned());
        (labels, violation.state.to_string())
    });
    states.collect()
}

/// Compares every tick; how often each alert was in each state.
async fn same_tick_for_tick(prometheus: &Prometheus, rules: &str) -> BTreeMap<(String, String), usize> {
    let client = prometheus.config().client().unwrap();
    let rules = Rules::new(&[RuleFile::parse("short.yml", rules.as_bytes()).unwrap()]);
    let mut checker = InvariantChecker::new(rules.invariants()).unwrap();
    let ticks = ticks(&client).await;
    let mut told = BTreeMap::new();
    for at in &ticks {
        let (theirs, ours) = (theirs(&client, *at).await, ours(&client, &rules, &mut checker, *at).await);
        assert_eq!(ours, theirs, "at {at}, of {ticks:?}");
        for (labels, state) in theirs {
            *told.entry((labels["alertname"].clone(), state)).or_insert(0) += 1;
        }
    }
    assert!(ticks.len() > 15, "{ticks:?}");
    told
}

async fn until(seconds: u64, began: Instant) {
    tokio::time::sleep(Duration::from_secs(seconds).saturating_sub(began.elapsed())).await;
}

#[tokio::test]
async fn over_the_simulator_prometheus_and_we_have_the_same_alerts_and_check_shows_both() {
    // It is built first: nobody answers meanwhile.
    let _ = operator(["--version"]).await;
    let server = Server::start(Config::new(Scenario::Healthy).shown_at(Utc::now()), 1.0).await.unwrap();
    let pd = server.pd_urls().join(",");
    let config: TikvConfig = pd.parse().unwrap();
    let mut targets: Vec<_> = instances(&config).await.into_values().collect();
    // Nobody answers there.
    targets.push("127.0.0.1:1".to_owned());
    let (folder, text) = (Folder::new("rules-simulator"), rules_from_now());
    let file = folder.write("short.yml", &text);
    let setup = Setup { targets, rule_files: vec![file.clone().into()], ..Setup::default() };
    let Some(prometheus) = Prometheus::start(setup).await.unwrap() else { return };
    // So that what has to hold for a minute does.
    until(BEGIN.as_secs() + 75, Instant::now()).await;
    let told = same_tick_for_tick(&prometheus, &text).await;
    for (alert, state) in [
        ("Down", "pending"),
        ("Down", "firing"),
        ("Flapping", "pending"),
        ("Flapping", "firing"),
        ("Minute", "pending"),
        ("Minute", "firing"),
        ("Regions", "pending"),
        ("Regions", "firing"),
        ("AtOnce", "firing"),
    ] {
        assert!(told.contains_key(&(alert.to_owned(), state.to_owned())), "{alert} {state}: {told:?}");
    }

    // The program: ours at first sight, Prometheus' own as they stand.
    let through = ["--pd", &pd, "--prometheus", prometheus.url()];
    let run =
        operator([&through[..], &["check", "--rules", &file, "--no-grace", "-o", "json"]].concat()).await;
    assert_eq!(run.code, Some(2), "{run:?}");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let violations = report["violations"].as_array().unwrap();
    let of = |invariant: &str| -> Vec<&Value> {
        violations.iter().filter(|violation| violation["invariant"] == invariant).collect()
    };
    assert!(of("rule/Down").iter().any(|v| v["message"] == "127.0.0.1:1 is down: 0"), "{report}");
    let about: BTreeSet<_> = of("rule/Regions").iter().map(|v| v["regarding"].as_str().unwrap()).collect();
    assert!(about.contains(r#"store/1{type="leader"}"#), "{about:?}");
    let told = |alert: &str| {
        of("prometheus_alert")
            .iter()
            .any(|v| v["message"].as_str().is_some_and(|text| text.starts_with(alert)))
    };
    assert!(told("Down, for ") && told("Regions, for "), "{report}");
    let status = operator([&through[..], &["status"]].concat()).await;
    assert!(status.stdout.contains("Alerts of Prometheus:\n"), "{status:?}");

    // What is not there, or wrong.
    let run = operator([&through[..], &["check", "--rules", "/nonexistent.yml"]].concat()).await;
    run.failed(64, &["--rules: /nonexistent.yml", "cannot be read"]);
    let bad = folder.write("bad.yml", "groups: [{name: g, rules: [{alert: A, expr: 'up ='}]}]");
    let run = operator([&through[..], &["check", "--rules", &bad]].concat()).await;
    run.failed(64, &["bad.yml: line 1: group `g`: rule `A`: `expr` does not parse"]);
    let run = operator(["--pd", &pd, "check", "--rules", &file]).await;
    run.failed(64, &["rules need a Prometheus", "--prometheus"]);
    let run = operator(["--simulate", "watch", "--rules", &file]).await;
    run.failed(64, &["--rules needs a Prometheus"]);
}

#[tokio::test]
async fn over_a_recorded_fault_prometheus_and_we_have_the_same_alerts() {
    let frames = Frames::load("frames-store-down").unwrap();
    let count = frames.count();
    let server = ReplayServer::playing(frames).await.unwrap();
    let config: TikvConfig = server.pd_endpoints().join(",").parse().unwrap();
    let targets: Vec<_> = instances(&config).await.into_values().collect();
    let (folder, text) = (Folder::new("rules-frames"), rules_from_now());
    let file = folder.write("short.yml", &text);
    let setup = Setup { targets, rule_files: vec![file.into()], ..Setup::default() };
    let Some(prometheus) = Prometheus::start(setup).await.unwrap() else { return };
    until(BEGIN.as_secs(), Instant::now()).await;
    let began = Instant::now();
    for number in 0..count {
        server.show(number);
        until(2 * (number as u64 + 1), began).await;
    }
    let told = same_tick_for_tick(&prometheus, &text).await;
    assert!(told.contains_key(&("Down".to_owned(), "firing".to_owned())), "{told:?}");
}
