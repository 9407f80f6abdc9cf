use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use operator_core::{Clock, ErrorKind, Store, StoreState};
use serde_json::json;
use tokio::time::sleep;

use super::*;
use crate::http::{HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};
use crate::prometheus::PrometheusConfig;
use crate::{TikvConfig, signals};

/// What the Prometheus does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Prometheus {
    Answers,
    KnowsNobody,
    Refuses,
    Hangs,
}

/// A PD, a Prometheus and three stores.
#[derive(Debug)]
struct Cluster {
    prometheus: Mutex<Prometheus>,
    /// What PD says of where it is.
    named: &'static str,
    /// Stores that do not answer.
    dead: Mutex<Vec<&'static str>>,
    requests: AtomicU32,
    asked: Mutex<Vec<String>>,
}

impl Cluster {
    fn new(prometheus: Prometheus, named: &'static str) -> Arc<Self> {
        Arc::new(Self {
            prometheus: Mutex::new(prometheus),
            named,
            dead: Mutex::default(),
            requests: AtomicU32::new(0),
            asked: Mutex::default(),
        })
    }

    fn source(self: &Arc<Self>, configured: bool) -> MetricsSource {
        let mut config: TikvConfig = "pd0:2379".parse().unwrap();
        if configured {
            config = config.with_prometheus(PrometheusConfig::new("http://prom:9090".parse().unwrap()));
        }
        let transport = Arc::<Self>::clone(self);
        MetricsSource::with_transport(&config, transport).unwrap().with_clock(clock())
    }

    /// How often each host was asked since the last time.
    fn asked(&self, host: &str) -> usize {
        let mut asked = self.asked.lock().unwrap();
        let before = asked.len();
        asked.retain(|one| one != host);
        before - asked.len()
    }

    fn set(&self, prometheus: Prometheus) {
        *self.prometheus.lock().unwrap() = prometheus;
    }
}

/// Tokio's time, from the moment that the Prometheus believes in.
fn clock() -> Clock {
    Clock::tokio(chrono::DateTime::from_timestamp(NOW, 0).unwrap())
}

const NOW: i64 = 1_795_315_673;

fn stores(count: u64) -> Vec<Store> {
    let store = |id: u64| {
        let mut store = Store::new(id.into(), format!("tikv{id}:20160"), StoreState::Up);
        store.status_address = Some(format!("tikv{id}:20180"));
        store
    };
    (1..=count).map(store).collect()
}

/// 1,000 QPS of 0.1 s at most, as a store that counts says it.
fn page(requests: u32) -> String {
    format!(
        "tikv_grpc_msg_duration_seconds_bucket{{type=\"raw_get\",le=\"0.1\"}} {requests}\n\
         tikv_grpc_msg_duration_seconds_bucket{{type=\"raw_get\",le=\"+Inf\"}} {requests}\n\
         tikv_grpc_msg_duration_seconds_count{{type=\"raw_get\"}} {requests}\n\
         tikv_store_size_bytes{{type=\"used\"}} 400\n\
         tikv_scheduler_too_busy_total{{type=\"raw_put\"}} {requests}\n\
         tikv_channel_full_total{{type=\"store\"}} {requests}\n\
         tikv_engine_write_stall{{db=\"kv\",type=\"write_stall_percentile99\"}} 50\n\
         tikv_engine_write_stall{{db=\"raft\",type=\"write_stall_percentile99\"}} 70\n\
         tikv_engine_write_stall{{db=\"kv\",type=\"write_stall_max\"}} 90\n\
         tikv_raftstore_leader_missing 3\n"
    )
}

/// What a Prometheus answers of three stores that do 7 QPS.
fn answer(query: &str) -> String {
    let rows = (1..=3).filter_map(|id| {
        let instance = format!("tikv{id}:20180");
        let labels = json!({"instance": instance, "job": "tikv"});
        let (labels, value) = match query {
            "up" => (labels, "1".to_owned()),
            query if query.starts_with("timestamp(") => (labels, (NOW - 4).to_string()),
            query if query.starts_with("sum by (instance) (rate(tikv_grpc") => (labels, "7".to_owned()),
            query if query.starts_with("sum by (instance, type)") => {
                (json!({"instance": instance, "type": "used"}), "300".to_owned())
            }
            query if query.contains("too_busy") || query.contains("channel_full") => {
                (json!({"instance": instance}), "1000".to_owned())
            }
            query if query.starts_with("tikv_engine_write_stall{db=\"kv\"") => (labels, "50".to_owned()),
            "tikv_raftstore_leader_missing" => (labels, "3".to_owned()),
            _ => return None,
        };
        Some(json!({"metric": labels, "value": [NOW, value]}))
    });
    let rows: Vec<_> = rows.collect();
    json!({"status": "success", "data": {"resultType": "vector", "result": rows}}).to_string()
}

#[async_trait::async_trait]
impl Transport for Cluster {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        self.asked.lock().unwrap().push(host.clone());
        sleep(Duration::from_millis(1)).await;
        let refused = || Err(TransportError::new(TransportErrorKind::Connect, "connection refused"));
        let prometheus = *self.prometheus.lock().unwrap();
        match (host.as_str(), prometheus) {
            ("pd0", _) => {
                let config = json!({"pd-server": {"metric-storage": self.named}, "schedule": {}});
                Ok(HttpResponse::whole(200, config.to_string()))
            }
            ("prom", Prometheus::Answers | Prometheus::KnowsNobody) => {
                let query =
                    request.url.query_pairs().find(|(name, _)| name == "query").unwrap().1.into_owned();
                let query = if prometheus == Prometheus::Answers { query } else { "nothing".to_owned() };
                Ok(HttpResponse::whole(200, answer(&query)))
            }
            ("prom", Prometheus::Hangs) => std::future::pending().await,
            ("prom", Prometheus::Refuses) => refused(),
            (store, _) if self.dead.lock().unwrap().contains(&store) => refused(),
            _ => Ok(HttpResponse::whole(200, page(1_000 * self.requests.fetch_add(1, Ordering::Relaxed)))),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn prometheus_is_used_where_it_is_configured_or_pd_names_it() {
    for (configured, named) in [(true, ""), (false, "http://prom:9090")] {
        let cluster = Cluster::new(Prometheus::Answers, named);
        let source = cluster.source(configured);
        for _ in 0..2 {
            let reading = source.read(&stores(3)).await.unwrap();
            assert_eq!(reading.origin, MetricsOrigin::Prometheus("http://prom:9090".parse().unwrap()));
            assert_eq!(reading.fallback, None);
            assert_eq!(reading.metrics.len(), 3);
            assert_eq!((reading.metrics[0].qps, reading.metrics[0].disk_used_bytes), (Some(7.0), Some(300)));
            assert_eq!(reading.metrics[0].at.timestamp(), NOW - 4, "the age of the scrape, not of the query");
            assert_eq!(reading.identities[2].instance.as_deref(), Some("tikv3:20180"));
        }
        assert_eq!(cluster.asked("tikv1"), 0, "no store is dialled");
        assert_eq!(cluster.asked("pd0"), usize::from(!configured), "PD's word holds for a while");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_prometheus_the_stores_are_asked_twice_at_first_and_then_once() {
    let cluster = Cluster::new(Prometheus::Refuses, "");
    let source = cluster.source(false);
    let reading = source.read(&stores(1)).await.unwrap();
    assert_eq!((&reading.origin, &reading.fallback), (&MetricsOrigin::Stores, &None));
    assert!((reading.metrics[0].qps.unwrap() - 1_000.0).abs() < 10.0, "{reading:?}");
    assert!(reading.metrics[0].latency_p99.is_some());
    assert_eq!(cluster.asked("tikv1"), 2);
    sleep(Duration::from_secs(10)).await;
    let reading = source.read(&stores(1)).await.unwrap();
    assert_eq!(cluster.asked("tikv1"), 1);
    assert!((reading.metrics[0].qps.unwrap() - 100.0).abs() < 1.0, "{reading:?}");
    assert_eq!(cluster.asked("prom"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_fails_or_knows_nobody_is_passed_over_and_that_is_told() {
    for (prometheus, told) in [
        (Prometheus::Refuses, "connection refused"),
        (Prometheus::KnowsNobody, "no metrics of any of the 3 stores"),
        (Prometheus::Hangs, "http://prom:9090"),
    ] {
        let cluster = Cluster::new(prometheus, "");
        let source = cluster.source(true);
        let reading = source.read(&stores(3)).await.unwrap();
        assert_eq!(reading.origin, MetricsOrigin::Stores);
        assert!(reading.fallback.as_ref().unwrap().contains(told), "{reading:?}");
        assert!(reading.metrics.iter().all(|metrics| metrics.qps.is_some()));
        assert!(cluster.asked("prom") > 0);
        // One that hangs is not waited for at every tick; one that refuses costs nothing.
        let started = tokio::time::Instant::now();
        assert!(source.read(&stores(3)).await.unwrap().fallback.unwrap().contains(told));
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        assert_eq!(cluster.asked("prom") == 0, prometheus == Prometheus::Hangs);
        // Back again.
        cluster.set(Prometheus::Answers);
        sleep(Duration::from_secs(31)).await;
        assert_eq!(source.read(&stores(3)).await.unwrap().fallback, None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_knows_is_left_out_and_told() {
    let cluster = Cluster::new(Prometheus::Answers, "");
    // Prometheus has three stores of four.
    let reading = cluster.source(true).read(&stores(4)).await.unwrap();
    assert_eq!(reading.metrics.len(), 3);
    assert!(
        reading.warnings.iter().any(|warning| warning == "Prometheus knows nothing of store 4"),
        "{reading:?}"
    );

    cluster.set(Prometheus::Refuses);
    cluster.dead.lock().unwrap().push("tikv2");
    let mut list = stores(4);
    list[3].status_address = Some("0.0.0.0:20180".to_owned());
    let reading = cluster.source(true).read(&list).await.unwrap();
    let known: Vec<_> = reading.metrics.iter().map(|metrics| metrics.store_id.0).collect();
    assert_eq!(known, [1, 3]);
    let warnings = reading.warnings.join("\n");
    assert!(warnings.contains("store 2: ") && warnings.contains("can be asked of store 4"), "{warnings}");

    cluster.dead.lock().unwrap().extend(["tikv1", "tikv3"]);
    let error = cluster.source(true).read(&list).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let text = error.to_string();
    assert!(text.contains("http://prom:9090") && text.contains("tikv1:20180"), "{text}");
    let error = cluster.source(true).read(&list[3..]).await.unwrap_err();
    assert!(error.to_string().contains("no status address"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_pd_names_wrongly_is_told() {
    let cluster = Cluster::new(Prometheus::Refuses, "mysql://x");
    let reading = cluster.source(false).read(&stores(1)).await.unwrap();
    assert!(reading.fallback.unwrap().contains("pd-server.metric-storage"));
}

#[tokio::test(start_paused = true)]
async fn what_a_store_suffers_from_becomes_signals_whoever_tells_it() {
    for prometheus in [Prometheus::Answers, Prometheus::Refuses] {
        let cluster = Cluster::new(prometheus, "");
        let source = cluster.source(prometheus == Prometheus::Answers);
        let reading = source.read(&stores(1)).await.unwrap();
        let told = |name: &str| {
            let mut named = reading.signals.iter().filter(|signal| signal.name == name);
            let signal = named.next().unwrap_or_else(|| panic!("{prometheus:?}: no {name}"));
            assert!(named.next().is_none() && signal.regarding == operator_core::StoreId(1).into());
            (signal.value.as_number().unwrap(), signal.unit.clone())
        };
        for name in [signals::SERVER_IS_BUSY, signals::CHANNEL_FULL] {
            let (rate, unit) = told(name);
            assert!((rate - 1_000.0).abs() < 10.0 && unit.as_deref() == Some("/s"), "{prometheus:?}: {rate}");
        }
        assert_eq!(told(signals::WRITE_STALL), (50.0, Some("us".to_owned())));
        assert_eq!(told(signals::LEADER_MISSING), (3.0, None));
    }
}
