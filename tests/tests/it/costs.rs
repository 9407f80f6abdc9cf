//! What an observation costs the cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use operator_core::{InvariantChecker, Monitor, MonitorConfig, Subject, SubjectExt};
use operator_tests::SimulatedTransport;
use operator_tikv::http::{HttpRequest, HttpResponse, Transport, TransportError};
use operator_tikv::invariants::Thresholds;
use operator_tikv::prometheus::PrometheusConfig;
use operator_tikv::{TikvConfig, TikvSubject};
use serde_json::json;
use tikv_simulator::{Config, Scenario};
use tokio_util::sync::CancellationToken;

use crate::support::Simulated;

/// How often each path of PD is asked for by one observation of a cluster with so many stores.
async fn requests_to_pd(stores: usize) -> BTreeMap<String, usize> {
    let mut config = Config::new(Scenario::Healthy);
    config.stores = stores;
    let simulated = Simulated::new(config);
    let observation = simulated.subject.observe(&simulated.scope_of_pd()).await.unwrap();
    assert_eq!(observation.stores.unwrap().len(), stores);
    assert!(observation.errors.is_empty(), "{:?}", observation.errors);
    simulated.transport.with(|simulator| {
        let mut asked = BTreeMap::new();
        for request in simulator.requests().recent() {
            assert!(request.authority.starts_with("pd"), "no store is in doubt: {request:?}");
            *asked.entry(request.path.clone()).or_default() += 1;
        }
        asked
    })
}

#[tokio::test(start_paused = true)]
async fn a_thousand_stores_cost_pd_no_more_requests_than_three() {
    let few = requests_to_pd(3).await;
    let many = requests_to_pd(1_000).await;
    assert_eq!(few, many);
    // Six of them ask the checkers, which PD tells one by one.
    assert!(few.values().sum::<usize>() <= 24, "{few:?}");
    assert!(!few.contains_key("/pd/api/v1/regions"), "PD builds the whole list in memory");
}

/// A Prometheus that knows every store of a simulated cluster, before the cluster itself.
#[derive(Debug)]
struct WithPrometheus {
    simulated: SimulatedTransport,
    stores: Vec<String>,
    /// What Prometheus was asked.
    queries: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for WithPrometheus {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        if request.url.host_str() != Some("prometheus") {
            return self.simulated.send(request).await;
        }
        // As over a network, nobody is answered before the others have asked.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        if request.url.path() == "/api/v1/alerts" {
            self.queries.lock().unwrap().push("its alerts".to_owned());
            let body = json!({"status": "success", "data": {"alerts": []}}).to_string();
            return Ok(HttpResponse::whole(200, body));
        }
        let query = request.url.query_pairs().find(|(name, _)| name == "query").unwrap().1.into_owned();
        let now = self.simulated.with(|simulator| simulator.now().timestamp());
        let value = if query.starts_with("timestamp(") { now - 1 } else { 1 };
        let kinds: &[Option<&str>] = if query.starts_with("sum by (instance, type)") {
            &[Some("used"), Some("available"), Some("capacity")]
        } else {
            &[None]
        };
        let rows = self.stores.iter().flat_map(|instance| {
            kinds.iter().map(move |kind| {
                let metric = json!({"instance": instance, "job": "tikv", "type": kind.unwrap_or_default()});
                json!({"metric": metric, "value": [now, value.to_string()]})
            })
        });
        let data = json!({"resultType": "vector", "result": rows.collect::<Vec<_>>()});
        self.queries.lock().unwrap().push(query);
        Ok(HttpResponse::whole(200, json!({"status": "success", "data": data}).to_string()))
    }
}

/// What Prometheus is asked by one tick of a monitor of a cluster with so many stores, and how often anybody else is.
async fn requests_with_prometheus(stores: usize) -> (Vec<String>, usize) {
    let mut config = Config::new(Scenario::Healthy);
    config.stores = stores;
    let simulated = Simulated::new(config);
    let listed = simulated.subject.stores().await.unwrap();
    let before = simulated.transport.with(|simulator| simulator.requests().recent().count());
    let transport = Arc::new(WithPrometheus {
        simulated: simulated.transport.clone(),
        stores: listed.into_iter().filter_map(|store| store.status_address).collect(),
        queries: Mutex::default(),
    });
    let config: TikvConfig = "pd0:2379,pd1:2379,pd2:2379".parse().unwrap();
    let config = config.with_prometheus(PrometheusConfig::new("http://prometheus:9090".parse().unwrap()));
    let clock = simulated.scope().clock.clone();
    let subject = TikvSubject::with_transport(config, Arc::<WithPrometheus>::clone(&transport)).unwrap();
    let subject = subject.with_clock(clock);
    let checker = InvariantChecker::new(subject.invariants(&Thresholds::default()).unwrap()).unwrap();
    let config = MonitorConfig::default().scope(simulated.scope());
    let monitor = Monitor::new(Arc::new(subject), checker, config).unwrap();
    let mut snapshots = monitor.snapshots();
    let stop = CancellationToken::new();
    let running = tokio::spawn(monitor.run(stop.clone()));
    snapshots.changed().await.unwrap();
    stop.cancel();
    running.await.unwrap();
    let snapshot = snapshots.borrow().clone();
    assert_eq!(snapshot.counters.observations, 1);
    let observation = snapshot.observation.as_ref().unwrap();
    assert_eq!(observation.errors, []);
    assert_eq!(observation.metrics.as_ref().unwrap().len(), stores);
    let mut queries = std::mem::take(&mut *transport.queries.lock().unwrap());
    queries.sort();
    let after = simulated.transport.with(|simulator| {
        let asked: Vec<_> = simulator.requests().recent().collect();
        assert!(asked.iter().all(|request| request.authority.starts_with("pd")), "a store was asked");
        asked.len()
    });
    (queries, after - before)
}

#[tokio::test(start_paused = true)]
async fn a_thousand_stores_cost_prometheus_no_more_requests_than_three() {
    let (few, few_others) = requests_with_prometheus(3).await;
    let (many, many_others) = requests_with_prometheus(1_000).await;
    assert_eq!((&few, few_others), (&many, many_others));
    assert_eq!(few.len(), 12, "{few:?}");
}
