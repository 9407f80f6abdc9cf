use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use operator_core::{ErrorKind, StoreState};
use serde_json::{Value, json};

use super::*;
use crate::http::HttpRequest;
use crate::prometheus::Matcher;
use crate::prometheus::script::Script;

const NOW: i64 = 1_795_315_673;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn clock() -> Clock {
    Clock::manual(at(NOW))
}

fn store(id: u64, host: &str) -> Store {
    let mut store = Store::new(id.into(), format!("{host}:20160"), StoreState::Up);
    store.status_address = Some(format!("{host}:20180"));
    store
}

fn query_of(request: &HttpRequest) -> String {
    request.url.query_pairs().find(|(name, _)| name == "query").unwrap().1.into_owned()
}

fn vector(rows: impl IntoIterator<Item = (Value, String)>) -> String {
    let rows = rows.into_iter().map(|(metric, value)| json!({"metric": metric, "value": [NOW, value]}));
    json!({"status": "success", "data": {"resultType": "vector", "result": rows.collect::<Vec<_>>()}})
        .to_string()
}

/// What a Prometheus has of a few stores, by the question; a row is labels and a value.
#[derive(Clone, Default)]
struct Fake(BTreeMap<String, Vec<(Value, String)>>);

impl Fake {
    /// Healthy stores `host:20180`, scraped 4 s ago, with values that tell them apart.
    fn healthy(hosts: &[String]) -> Self {
        let mut fake = Self::default();
        for (i, host) in hosts.iter().enumerate() {
            let instance = format!("{host}:20180");
            let tikv = json!({"instance": instance, "job": "tikv"});
            let sum = json!({"instance": instance});
            fake.add(StoreMetric::Up, tikv.clone(), 1);
            fake.add(StoreMetric::SampledAt, tikv.clone(), NOW - 4);
            fake.add(StoreMetric::Qps, sum.clone(), i);
            fake.add(StoreMetric::LatencyP99, sum.clone(), "0.25");
            for (kind, bytes) in [("used", 1), ("available", 2), ("capacity", 3), ("kv_size", 4)] {
                fake.add(StoreMetric::Disk, json!({"instance": instance, "type": kind}), bytes);
            }
            fake.add(StoreMetric::Cpu, sum, "1.5");
            fake.add(StoreMetric::Memory, tikv, 1_u64 << 40);
        }
        fake
    }

    fn of(hosts: &[&str]) -> Self {
        Self::healthy(&hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>())
    }

    fn rows(&mut self, metric: StoreMetric) -> &mut Vec<(Value, String)> {
        self.0.entry(StoreQueries::default().query(metric).to_string()).or_default()
    }

    fn add(&mut self, metric: StoreMetric, labels: Value, value: impl ToString) {
        self.rows(metric).push((labels, value.to_string()));
    }

    fn without(mut self, metric: StoreMetric) -> Self {
        self.rows(metric).clear();
        self
    }

    fn script(self) -> Script {
        Script::new(move |request| (200, vector(self.0.get(&query_of(request)).cloned().unwrap_or_default())))
    }

    async fn report(self, stores: &[Store]) -> StoreMetricsReport {
        let client = self.script().client();
        store_metrics(&client, &StoreQueries::default(), stores, &clock()).await.unwrap()
    }
}

#[tokio::test]
async fn a_healthy_store_is_told_with_the_age_of_its_samples() {
    let report = Fake::of(&["a", "b"]).report(&[store(1, "a"), store(4, "b")]).await;
    let b = &report.metrics[1];
    assert_eq!((b.store_id, b.at), (StoreId(4), at(NOW - 4)));
    assert_eq!((b.qps, b.latency_p99, b.cpu_cores), (Some(1.0), Some(Duration::from_millis(250)), Some(1.5)));
    assert_eq!(
        (b.disk_used_bytes, b.disk_available_bytes, b.disk_capacity_bytes),
        (Some(1), Some(2), Some(3))
    );
    assert_eq!(b.memory_bytes, Some(1 << 40));
    assert_eq!(report.metrics[0].qps, Some(0.0), "a zero is a value");
    assert_eq!(report.identities[1].instance.as_deref(), Some("b:20180"));
    assert_eq!(report.identities[1].target, TargetState::Up);
    assert!(report.missing.is_empty() && report.unmatched.is_empty() && report.failed.is_empty());
}

#[tokio::test]
async fn requests_do_not_grow_with_the_number_of_stores() {
    for count in [3, 1_000] {
        let hosts: Vec<String> = (0..count).map(|i| format!("tikv-{i}")).collect();
        let stores: Vec<Store> = hosts.iter().zip(1..).map(|(host, id)| store(id, host)).collect();
        let script = Fake::healthy(&hosts).script();
        let queries = StoreQueries::default();
        let report = store_metrics(&script.client(), &queries, &stores, &clock()).await.unwrap();
        assert_eq!((report.metrics.len(), script.asked().len()), (hosts.len(), 11));
        assert_eq!(report.metrics.last().unwrap().qps, Some(f64::from(count - 1)));

        // At the worst, with every metric that has another name gone.
        let script = Fake::healthy(&hosts)
            .without(StoreMetric::SampledAt)
            .without(StoreMetric::Disk)
            .without(StoreMetric::Cpu)
            .script();
        let report = store_metrics(&script.client(), &queries, &stores, &clock()).await.unwrap();
        assert_eq!((report.metrics.len(), script.asked().len()), (hosts.len(), 14));
    }
}

#[tokio::test]
async fn a_dead_target_is_told_from_a_dead_metric_and_from_a_store_unknown_to_prometheus() {
    let mut fake = Fake::of(&["a", "dead", "quiet"]);
    // A rate over a minute outlives the target by up to a minute; its other series end at once.
    fake.rows(StoreMetric::Up)[1].1 = "0".into();
    fake.rows(StoreMetric::SampledAt).remove(1);
    fake.rows(StoreMetric::Disk).retain(|(labels, _)| labels["instance"] != "dead:20180");
    fake.rows(StoreMetric::Qps).remove(2);
    fake.rows(StoreMetric::LatencyP99)[2].1 = "NaN".into();
    let report =
        fake.report(&[store(1, "a"), store(2, "dead"), store(3, "quiet"), store(4, "unknown")]).await;

    let targets: Vec<_> = report.identities.iter().map(|identity| identity.target).collect();
    use TargetState::{Absent, Down, Up};
    assert_eq!(targets, [Up, Down, Up, Absent]);
    assert_eq!(report.identities[3].matched, InstanceMatch::Unknown);
    let known: Vec<_> = report.metrics.iter().map(|metrics| metrics.store_id.0).collect();
    assert_eq!(known, [1, 3]);
    assert_eq!((report.metrics[1].qps, report.metrics[1].latency_p99), (None, None));
    // No request within the window is no missing metric.
    assert_eq!(report.missing, [(StoreId(3), StoreMetric::Qps)]);
}

#[tokio::test]
async fn what_belongs_to_no_store_is_reported_and_never_guessed() {
    let mut fake = Fake::of(&["a", "other-cluster"]);
    fake.add(StoreMetric::Qps, json!({}), 7);
    fake.add(StoreMetric::Up, json!({"instance": "a:9100", "job": "node"}), 1);
    fake.add(StoreMetric::Cpu, json!({"instance": "a:9100"}), 3);
    let report = fake.report(&[store(1, "a")]).await;
    assert_eq!(report.metrics.len(), 1);
    use StoreMetric::{Disk, LatencyP99, Qps, SampledAt};
    assert_eq!(
        report.unmatched,
        [
            UnmatchedSeries { instance: None, metrics: vec![Qps] },
            UnmatchedSeries {
                instance: Some("other-cluster:20180".into()),
                metrics: vec![SampledAt, Qps, LatencyP99, Disk]
            }
        ]
    );
}

#[tokio::test]
async fn a_store_that_is_scraped_twice_has_no_metrics_rather_than_double_ones() {
    let mut fake = Fake::of(&["a", "b"]);
    fake.add(StoreMetric::SampledAt, json!({"instance": "a:20180", "job": "tikv-too"}), NOW);
    let report = fake.report(&[store(1, "a"), store(2, "b")]).await;
    assert_eq!(report.identities[0].matched, InstanceMatch::ScrapedTwice);
    assert_eq!(report.metrics.iter().map(|metrics| metrics.store_id.0).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_value_that_comes_twice_is_not_taken() {
    let mut fake = Fake::of(&["a"]);
    fake.add(StoreMetric::Memory, json!({"instance": "a:20180", "job": "sidecar"}), 5);
    let report = fake.report(&[store(1, "a")]).await;
    assert_eq!(report.metrics[0].memory_bytes, None);
    assert_eq!(report.ambiguous, [(StoreId(1), StoreMetric::Memory)]);
}

#[tokio::test]
async fn a_probe_of_the_status_port_does_not_hide_that_the_store_is_down() {
    let mut fake = Fake::of(&["a", "b"]);
    fake.rows(StoreMetric::Up)[0].1 = "0".into();
    fake.rows(StoreMetric::SampledAt).remove(0);
    fake.add(StoreMetric::Up, json!({"instance": "a:20180", "job": "blackbox"}), 1);
    let report = fake.report(&[store(1, "a"), store(2, "b")]).await;
    assert_eq!(report.identities[0].target, TargetState::Down);
}

#[tokio::test]
async fn a_dead_store_is_still_found_by_its_host() {
    let mut fake = Fake::of(&["a", "b"]);
    for rows in fake.0.values_mut() {
        for (labels, _) in rows {
            labels["instance"] = labels["instance"].as_str().unwrap().replace("20180", "9999").into();
        }
    }
    fake.rows(StoreMetric::Up)[0].1 = "0".into();
    for metric in [StoreMetric::SampledAt, StoreMetric::Qps, StoreMetric::LatencyP99, StoreMetric::Disk] {
        fake.rows(metric).retain(|(labels, _)| labels["instance"] != "a:9999");
    }
    let report = fake.report(&[store(1, "a"), store(2, "b")]).await;
    assert_eq!(report.identities[0].matched, InstanceMatch::Host);
    assert_eq!(report.identities[0].target, TargetState::Down);
    assert_eq!(report.metrics.len(), 1);
}

#[tokio::test]
async fn other_names_are_tried_for_the_stores_that_lack_a_metric() {
    let mut fake = Fake::of(&["old", "new"]).without(StoreMetric::SampledAt);
    let old = |(labels, _): &(Value, String)| labels["instance"] == "old:20180";
    fake.rows(StoreMetric::Disk).retain(|row| !old(row) || row.0["type"] != "used");
    fake.rows(StoreMetric::Cpu).retain(|row| !old(row));
    let queries = StoreQueries::default();
    for (metric, value) in
        [(StoreMetric::Disk, "77"), (StoreMetric::Cpu, "0.5"), (StoreMetric::SampledAt, "1795315670.5")]
    {
        let rows =
            ["old", "new"].map(|host| (json!({"instance": format!("{host}:20180")}), value.to_owned()));
        fake.0.insert(queries.alternative(metric).unwrap().to_string(), rows.to_vec());
    }
    let report = fake.report(&[store(1, "old"), store(2, "new")]).await;
    let [old, new] = &report.metrics[..] else { panic!("{report:?}") };
    assert_eq!((old.disk_used_bytes, old.cpu_cores), (Some(77), Some(0.5)));
    assert_eq!((new.disk_used_bytes, new.cpu_cores), (Some(1), Some(1.5)), "the first name goes first");
    assert_eq!(old.at.timestamp_millis(), 1_795_315_670_500);
    assert!(report.missing.is_empty(), "{:?}", report.missing);
}

#[tokio::test]
async fn one_failed_query_leaves_a_gap_and_all_failed_are_an_error() {
    let fake = Fake::of(&["a"]);
    let script = Script::new(move |request| match query_of(request) {
        query if query.starts_with("histogram_quantile") => {
            (503, r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#.to_owned())
        }
        query => (
            200,
            vector(fake.0.get(&query).cloned().unwrap_or_default())
                .replace("{\"data\"", r#"{"warnings":["partial"],"data""#),
        ),
    });
    let stores = [store(1, "a")];
    let report = store_metrics(&script.client(), &StoreQueries::default(), &stores, &clock()).await.unwrap();
    assert_eq!((report.metrics[0].latency_p99, report.metrics[0].qps), (None, Some(0.0)));
    let [(StoreMetric::LatencyP99, error)] = &report.failed[..] else { panic!("{report:?}") };
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(report.missing.is_empty(), "nobody knows whether it is there");
    assert_eq!(report.warnings, ["partial"]);

    let script = Script::always(503, "Service Unavailable");
    let error =
        store_metrics(&script.client(), &StoreQueries::default(), &stores, &clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn times_are_told_by_our_clock_where_the_clocks_differ() {
    for (ours, ahead) in [(NOW - 3_600, 3_600), (NOW + 600, -600)] {
        let client = Fake::of(&["a"]).script().client();
        let clock = Clock::manual(at(ours));
        let report =
            store_metrics(&client, &StoreQueries::default(), &[store(1, "a")], &clock).await.unwrap();
        assert_eq!(report.clock_ahead, Some(TimeDelta::seconds(ahead)));
        assert_eq!(report.metrics[0].at, at(ours - 4), "it is four seconds old by any clock");
        assert_eq!(report.identities[0].sampled_at, Some(at(NOW - 4)));
    }
    let client = Fake::of(&["a"]).script().client();
    let clock = Clock::manual(at(NOW + 1));
    let report = store_metrics(&client, &StoreQueries::default(), &[store(1, "a")], &clock).await.unwrap();
    assert_eq!((report.clock_ahead, report.metrics[0].at), (None, at(NOW - 4)));
}

#[tokio::test]
async fn without_any_store_nothing_is_wrong() {
    let report = Fake::default().report(&[]).await;
    assert!(report.metrics.is_empty() && report.unmatched.is_empty());
    let report = Fake::default().report(&[store(1, "a")]).await;
    assert_eq!(report.identities[0].target, TargetState::Absent);
}

/// A recorded state: PD's stores, and a Prometheus that answers as it did.
fn recorded(folder: &str) -> (Vec<Store>, Script) {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/recordings")).join(folder);
    let read =
        |file: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap() };
    let mut stores = Vec::new();
    for entry in read("pd-pd_api_v1_stores.json")["stores"].as_array().unwrap() {
        let entry = &entry["store"];
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        let mut store =
            Store::new(entry["id"].as_u64().unwrap().into(), text("address"), StoreState::Unknown);
        store.status_address = Some(text("status_address"));
        stores.push(store);
    }
    let mut answers = BTreeMap::new();
    for answer in read("index.json")["answers"].as_array().unwrap() {
        let url = crate::http::Url::parse(&format!("http://p{}", answer["path"].as_str().unwrap())).unwrap();
        if answer["group"] == "prometheus"
            && url.path() == "/api/v1/query"
            && let Some((_, query)) = url.query_pairs().find(|(name, _)| name == "query")
        {
            // The CPU was asked of one job only.
            let query = query.replace(r#"{job="tikv"}"#, "");
            let body = std::fs::read_to_string(folder.join(answer["file"].as_str().unwrap())).unwrap();
            answers.insert(query, body);
        }
    }
    // Not recorded: the samples' own time. Here all are 2.5 s old.
    let sampled_at = StoreQueries::default().query(StoreMetric::SampledAt).to_string();
    let mut sizes: Value = serde_json::from_str(&answers["tikv_store_size_bytes"]).unwrap();
    let rows = sizes["data"]["result"].as_array_mut().unwrap();
    rows.retain(|row| row["metric"]["type"] == "capacity");
    for row in rows {
        row["value"][1] = (row["value"][0].as_f64().unwrap() - 2.5).to_string().into();
    }
    answers.insert(sampled_at, sizes.to_string());
    let script = Script::new(move |request| match answers.get(&query_of(request)) {
        Some(body) => (200, body.clone()),
        None => (200, vector([])),
    });
    (stores, script)
}

async fn report_of(folder: &str) -> StoreMetricsReport {
    let (stores, script) = recorded(folder);
    store_metrics(&script.client(), &StoreQueries::default(), &stores, &clock()).await.unwrap()
}

#[tokio::test]
async fn the_recorded_busy_cluster_has_every_metric_of_every_store() {
    let report = report_of("healthy-busy").await;
    let [first, second, third] = &report.metrics[..] else { panic!("{report:?}") };
    assert_eq!([first.store_id.0, second.store_id.0, third.store_id.0], [1, 4, 5]);
    assert_eq!(first.qps, Some(208.342_424_903_629_36));
    assert_eq!(first.latency_p99, Some(Duration::from_secs_f64(0.082_924_051_948_052_45)));
    assert_eq!(first.disk_used_bytes, Some(394_059_848));
    assert_eq!(first.disk_available_bytes, Some(21_080_776_632));
    assert_eq!(first.disk_capacity_bytes, Some(21_474_836_480));
    assert_eq!(first.cpu_cores, Some(0.418_212_233_616_990_34));
    assert_eq!(first.memory_bytes, Some(312_549_376));
    assert_eq!(first.at.timestamp_millis(), NOW * 1000 - 2_500);
    assert_eq!(third.qps, Some(266.790_298_534_598_8));
    assert!(report.missing.is_empty() && report.unmatched.is_empty() && report.ambiguous.is_empty());
}

#[tokio::test]
async fn the_recorded_dead_stores_are_dead_targets() {
    let down = |report: &StoreMetricsReport| -> Vec<u64> {
        let dead = report.identities.iter().filter(|identity| identity.target == TargetState::Down);
        dead.map(|identity| identity.store_id.0).collect()
    };
    let report = report_of("store-down").await;
    assert_eq!((down(&report), report.metrics.len()), (vec![4], 2));
    let report = report_of("store-disconnected").await;
    assert_eq!((down(&report), report.metrics.len()), (vec![5], 2));
    // Prometheus still has rates of the dead ones here.
    let report = report_of("two-stores-lost").await;
    assert_eq!(down(&report), [4, 5]);
    assert_eq!(report.metrics.iter().map(|metrics| metrics.store_id.0).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn in_the_recorded_idle_cluster_nobody_has_asked_anything_yet() {
    let report = report_of("healthy-idle").await;
    assert_eq!(report.metrics.len(), 3);
    assert!(report.metrics.iter().all(|metrics| metrics.qps.is_none() && metrics.memory_bytes.is_some()));
    let missing: Vec<_> = report.missing.iter().map(|(_, metric)| *metric).collect();
    use StoreMetric::{LatencyP99, Qps};
    assert_eq!(missing, [Qps, LatencyP99, Qps, LatencyP99, Qps, LatencyP99]);
}

#[tokio::test]
async fn every_recorded_state_accounts_for_every_store() {
    for folder in [
        "healthy-loaded",
        "pd-member-lost",
        "scaling-out",
        "store-back",
        "store-offline",
        "store-slow",
        "store-tombstone",
    ] {
        let report = report_of(folder).await;
        assert!(
            report.unmatched.is_empty() && report.failed.is_empty() && report.ambiguous.is_empty(),
            "{folder}"
        );
        for identity in &report.identities {
            let has_metrics = report.metrics.iter().any(|metrics| metrics.store_id == identity.store_id);
            assert_eq!(has_metrics, identity.target == TargetState::Up, "{folder}: {identity:?}");
        }
    }
}

#[test]
fn a_report_tells_its_parts_as_json() {
    let identity = StoreIdentity {
        store_id: 1.into(),
        address: "a:20160".into(),
        status_address: None,
        instance: None,
        matched: InstanceMatch::Ambiguous { instances: vec!["a:1".into()] },
        target: TargetState::Absent,
        sampled_at: None,
    };
    assert_eq!(
        serde_json::to_value(&identity).unwrap(),
        json!({"store_id": 1, "address": "a:20160", "status_address": null, "instance": null,
            "matched": {"by": "ambiguous", "instances": ["a:1"]}, "target": "absent", "sampled_at": null})
    );
    let queries = StoreQueries::default().with(Matcher::equal("tidb_cluster", "x"));
    assert_eq!(queries.query(StoreMetric::Up).as_str(), r#"up{tidb_cluster="x"}"#);
}
