//! A real Prometheus that scrapes the simulator.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use operator_core::{Part, Scope, StoreMetrics, Subject, SubjectExt};
use operator_tests::{Prometheus, Setup};
use operator_tikv::http::{
    HttpRequest, HttpResponse, ReqwestTransport, Transport, TransportError, TransportErrorKind,
};
use operator_tikv::metrics::MetricsOrigin;
use operator_tikv::prometheus::{Client, QueryResult, StoreMetric, StoreQueries};
use operator_tikv::{TikvConfig, TikvSubject, signals};
use serde_json::Value;
use tikv_simulator::{Config, Scenario, Server};

use crate::program::{PATIENCE, Run, operator};

/// Rates over so long, of samples a second apart.
const WINDOW: Duration = Duration::from_secs(10);

/// Waits until it has scraped every target for longer than the window.
async fn warm(client: &Client, targets: usize) {
    let enough = WINDOW.as_secs() + 1;
    let query = format!("count(count_over_time(up[1m]) > {enough}) == {targets}");
    let started = Instant::now();
    loop {
        if let Ok(answer) = client.vector(&query).await
            && !answer.data.samples.is_empty()
        {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "Prometheus does not scrape");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The network, and what Prometheus said over it.
#[derive(Debug)]
struct Spy {
    network: ReqwestTransport,
    /// When each query was evaluated.
    evaluated: Mutex<BTreeMap<String, DateTime<Utc>>>,
}

#[async_trait]
impl Transport for Spy {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let query = request.url.query_pairs().find(|(name, _)| name == "query");
        let Some(query) = query.map(|(_, query)| query.into_owned()) else {
            return self.network.send(request).await;
        };
        let response = self.network.send(request).await?;
        let (status, body) = (response.status, response.body);
        let chunks: Vec<_> = body.try_collect().await?;
        let body = chunks.concat();
        let answer: Value = serde_json::from_slice(&body)
            .map_err(|error| TransportError::new(TransportErrorKind::Body, error.to_string()))?;
        if let Some(seconds) = answer["data"]["result"][0]["value"][0].as_f64() {
            let at = DateTime::from_timestamp_millis((seconds * 1000.0).round() as i64).unwrap();
            self.evaluated.lock().unwrap().insert(query, at);
        }
        Ok(HttpResponse::whole(status, body))
    }
}

pub(crate) fn queries() -> StoreQueries {
    StoreQueries::default().with_window(WINDOW)
}

/// What Prometheus says, by field and instance, each query at a moment of its own; an answer without samples has none.
pub(crate) async fn evaluated(
    client: &Client,
    queries: &StoreQueries,
    at: impl Fn(&str) -> Option<DateTime<Utc>>,
) -> BTreeMap<(String, String), f64> {
    let mut values = BTreeMap::new();
    for metric in StoreMetric::ALL {
        let query = queries.query(metric).to_string();
        let Some(at) = at(&query) else { continue };
        let QueryResult::Vector(vector) = client.query_at(&query, at).await.unwrap().data else {
            panic!("{query} is no vector")
        };
        for one in vector.samples {
            let field = format!("{metric}{}", one.labels.value("type").unwrap_or_default());
            let instance = one.labels.value("instance").unwrap().to_owned();
            values.insert((field, instance), one.sample.value);
        }
    }
    values
}

/// The values of a store, by field.
pub(crate) fn fields(ours: &StoreMetrics) -> [(&'static str, Option<f64>); 7] {
    let whole = |value: Option<u64>| value.map(|value| value as f64);
    [
        ("qps", ours.qps),
        ("latency_p99", ours.latency_p99.map(|p99| p99.as_secs_f64())),
        ("diskused", whole(ours.disk_used_bytes)),
        ("diskavailable", whole(ours.disk_available_bytes)),
        ("diskcapacity", whole(ours.disk_capacity_bytes)),
        ("cpu", ours.cpu_cores),
        ("memory", whole(ours.memory_bytes)),
    ]
}

/// What differs between our metrics and Prometheus' own values, which are to be the same to the last bit.
fn differences(
    metrics: &[StoreMetrics],
    instances: &BTreeMap<u64, String>,
    theirs: &BTreeMap<(String, String), f64>,
) -> Vec<String> {
    let mut found = Vec::new();
    for ours in metrics {
        for (field, ours_is) in fields(ours) {
            let instance = instances[&ours.store_id.0].clone();
            let theirs = theirs.get(&(field.to_owned(), instance)).copied();
            // A `Duration` counts nanoseconds.
            let theirs = match field {
                "latency_p99" => theirs
                    .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                    .map(|latency| latency.as_secs_f64()),
                _ => theirs,
            };
            if ours_is.is_none() || ours_is != theirs {
                found.push(format!("{field} of store {}: {ours_is:?}, {theirs:?} there", ours.store_id));
            }
        }
    }
    found
}

/// Which store is which `instance`.
pub(crate) async fn instances(config: &TikvConfig) -> BTreeMap<u64, String> {
    let stores = TikvSubject::new(config.clone()).unwrap().stores().await.unwrap();
    stores.iter().map(|store| (store.id.0, store.status_address.clone().unwrap())).collect()
}

/// At the same moments, the same bits; the subject that was asked. A sample that is being written meanwhile may be seen
/// once only.
pub(crate) async fn agrees_exactly(
    config: TikvConfig,
    prometheus: &Prometheus,
    queries: &StoreQueries,
) -> TikvSubject {
    let instances = instances(&config).await;
    let spy = Arc::new(Spy {
        network: ReqwestTransport::new(None, Duration::from_secs(3)).unwrap(),
        evaluated: Mutex::default(),
    });
    let config = config.with_prometheus(prometheus.config()).with_store_queries(queries.clone());
    let subject = TikvSubject::with_transport(config, Arc::<Spy>::clone(&spy)).unwrap();
    let client = prometheus.config().client().unwrap();
    let mut differ = Vec::new();
    for _ in 0..5 {
        let reading = subject.measure().await.unwrap();
        assert!(matches!(reading.origin, MetricsOrigin::Prometheus(_)), "{reading:?}");
        let moments = spy.evaluated.lock().unwrap().clone();
        let moment = |query: &str| moments.get(query).copied();
        differ = differences(&reading.metrics, &instances, &evaluated(&client, queries, moment).await);
        differ.extend_from_slice(&reading.warnings);
        if differ.is_empty() && reading.metrics.len() == 3 {
            return subject;
        }
        // On a busy machine a scrape may have failed.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("{differ:?}")
}

pub(crate) async fn metrics_of(args: &[&str]) -> (Run, Vec<StoreMetrics>) {
    let run = operator([args, &["metrics", "-o", "json"]].concat()).await;
    let metrics = serde_json::from_value(run.json()).unwrap();
    (run, metrics)
}

#[tokio::test]
async fn metrics_agree_with_prometheus_exactly_and_with_the_stores_and_survive_its_death() {
    let server = Server::start(Config::new(Scenario::Healthy).shown_at(Utc::now()), 1.0).await.unwrap();
    let pd = server.pd_urls().join(",");
    let config: TikvConfig = pd.parse().unwrap();
    let targets: Vec<_> = instances(&config).await.into_values().collect();
    let setup = Setup { targets: targets.clone(), ..Setup::default() };
    let Some(mut prometheus) = Prometheus::start(setup).await.unwrap() else { return };
    let client = prometheus.config().client().unwrap();
    warm(&client, targets.len()).await;

    let subject = agrees_exactly(config, &prometheus, &queries()).await;

    // The program, through both.
    let url = prometheus.url().to_owned();
    let through = ["--pd", &pd, "--prometheus", &url, "--prometheus-window", "10s"];
    let (run, by_prometheus) = metrics_of(&through).await;
    assert_eq!(run.stderr, "");
    let (run, by_stores) = metrics_of(&["--pd", &pd]).await;
    assert_eq!(run.stderr, "");
    agree(&by_prometheus, &by_stores);
    for metrics in &by_prometheus {
        let age = Utc::now() - metrics.at;
        assert!(age.num_seconds() < 20, "{age:?}");
    }
    let table = operator([&through[..], &["metrics"]].concat()).await;
    assert!(table.stdout.contains(&format!("Told by the Prometheus at {}", prometheus.url())), "{table:?}");
    let answer =
        operator(["--prometheus", prometheus.url(), "query", "count(up == 1)", "-o", "json"]).await.json();
    assert_eq!(answer["result"][0]["value"][1], "3");
    let refused = operator(["--prometheus", prometheus.url(), "query", "up{"]).await;
    refused.failed(1, &["bad_data", "parse error"]);

    // Its death.
    prometheus.kill().await.unwrap();
    let (run, fallen_back) = metrics_of(&through).await;
    assert!(run.stderr.contains("told by the stores themselves instead of Prometheus"), "{run:?}");
    assert!(run.stderr.contains(prometheus.url()), "{run:?}");
    agree(&fallen_back, &by_stores);
    let table = operator([&through[..], &["metrics"]].concat()).await;
    assert!(table.stdout.contains("Told by the stores themselves."), "{table:?}");
    let observation = subject.observe(&Scope::of([Part::Metrics, Part::Signals])).await.unwrap();
    let told = |name| observation.signals_named(name).next().map(|signal| signal.value.to_string());
    assert_eq!(told(signals::METRICS_SOURCE).as_deref(), Some("the stores themselves"));
    assert!(told(signals::METRICS_FALLBACK).unwrap().contains(prometheus.url()), "{observation:?}");
    assert_eq!(observation.metrics.unwrap().len(), 3);
}

/// Within a tenth, where the load is steady.
fn agree(one: &[StoreMetrics], other: &[StoreMetrics]) {
    assert_eq!((one.len(), other.len()), (3, 3));
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one.store_id, other.store_id);
        let seconds = |metrics: &StoreMetrics| metrics.latency_p99.map(|p99| p99.as_secs_f64());
        let bytes = |value: Option<u64>| value.map(|value| value as f64);
        for (what, one, other) in [
            ("qps", one.qps, other.qps),
            ("p99", seconds(one), seconds(other)),
            ("cpu", one.cpu_cores, other.cpu_cores),
            ("disk", bytes(one.disk_used_bytes), bytes(other.disk_used_bytes)),
            ("memory", bytes(one.memory_bytes), bytes(other.memory_bytes)),
        ] {
            let (one, other) = (one.unwrap(), other.unwrap());
            // The process counts whole seconds of CPU: one more or less is no difference. On a busy machine it is seen
            // in half of the window, and extrapolated to all of it.
            let step = if what == "cpu" { 2.0 / WINDOW.as_secs_f64() } else { 0.0 };
            assert!((one - other).abs() <= 0.1 * one.max(other) + step, "{what}: {one} and {other}");
        }
    }
}
