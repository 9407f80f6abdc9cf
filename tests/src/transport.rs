//! The recordings as an [`operator_tikv::http::Transport`], in the process: no sockets, so that tests can stop tokio's
//! clock.

use std::io::Read as _;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::future;
use operator_tikv::http::{
    HeaderMap, HeaderName, HeaderValue, HttpRequest, HttpResponse, Transport, TransportError,
    TransportErrorKind, Url,
};

use crate::{Port, Recording};

/// `host:port` of a URL.
fn authority(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

fn refused() -> TransportError {
    TransportError::new(TransportErrorKind::Connect, "connection refused")
}

fn response<'a>(
    status: u16,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: bytes::Bytes,
) -> HttpResponse {
    let mut response = HttpResponse::whole(status, body);
    let parsed = headers.into_iter().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
    });
    response.headers = HeaderMap::from_iter(parsed);
    response
}

/// Answers as the recorded cluster did, under the names it had: `http://pd0:2379`, `tikv0:20180`.
#[derive(Debug, Clone)]
pub struct ReplayTransport(Arc<Recording>);

impl ReplayTransport {
    /// Answers from `recording`.
    pub fn new(recording: Recording) -> Self {
        Self(Arc::new(recording))
    }

    /// The state that is replayed.
    pub fn recording(&self) -> &Recording {
        &self.0
    }
}

/// The page of a store in the idle cluster: stores have more pages than were recorded, and all look alike.
fn idle_page() -> Result<bytes::Bytes, TransportError> {
    static PAGE: OnceLock<Option<bytes::Bytes>> = OnceLock::new();
    let page = PAGE.get_or_init(|| {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/healthy-idle/tikv0-metrics.txt.gz");
        let mut page = Vec::new();
        flate2::read::MultiGzDecoder::new(std::fs::File::open(file).ok()?).read_to_end(&mut page).ok()?;
        Some(page.into())
    });
    let missing =
        || TransportError::new(TransportErrorKind::Other, "the recorded page of metrics is missing");
    page.clone().ok_or_else(missing)
}

#[async_trait]
impl Transport for ReplayTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let host = authority(&request.url);
        if !Recording::hosts().any(|known| known == host) {
            return Err(TransportError::new(TransportErrorKind::Dns, format!("no such host: {host}")));
        }
        match self.0.port(&host) {
            Port::Closed => Err(refused()),
            Port::Silent => future::pending().await,
            Port::Open => {
                let answer = self.0.answer(&host, request.path_and_query());
                if answer.status == 404 && host.starts_with("tikv") && request.path_and_query() == "/metrics"
                {
                    return Ok(response(200, [("content-type", "text/plain")], idle_page()?));
                }
                let content_type = answer.content_type.as_deref().map(|value| ("content-type", value));
                Ok(response(answer.status, content_type, answer.body))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use operator_tikv::http::{Endpoint, HttpClient, Limits};
    use tikv_simulator::{Config, Event, NodeId, Scenario, SimulatedTransport, Simulator};

    use super::*;

    fn client(transport: impl Transport, hosts: &[&str]) -> HttpClient {
        let endpoints = hosts.iter().map(|host| host.parse::<Endpoint>().unwrap());
        HttpClient::new(transport, endpoints, Limits::default()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_recorded_hosts_are_asked_by_their_names() {
        let transport = ReplayTransport::new(Recording::load("store-disconnected").unwrap());
        let pd = client(transport.clone(), &["pd1:2379"]);
        let answer = pd.get("/pd/api/v1/regions/key?limit=3&key=&format=hex").await.unwrap();
        assert!(answer.body.starts_with(br#"{"count":3,"regions":[{"id":"#), "{answer:?}");
        let store = client(transport.clone(), &["tikv1:20180"]);
        assert_eq!(store.get("/status").await.unwrap().body.len(), 0);
        let hangs = client(transport.clone(), &["tikv2:20180"]).get("/status").await.unwrap_err();
        assert_eq!(hangs.kind(), operator_core::ErrorKind::Timeout, "{hangs}");
        let unknown = client(transport, &["tikv9:20180"]).get("/status").await.unwrap_err();
        assert!(unknown.to_string().contains("no such host"), "{unknown}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_simulator_lives_in_tokios_time() {
        let transport = SimulatedTransport::new(Simulator::new(Config::new(Scenario::Healthy)));
        let pd = client(transport.clone(), &["pd0:2379"]);
        let before = transport.with(|simulator| simulator.now());
        transport.pass(Duration::from_secs(3600)).await;
        assert_eq!((transport.with(|simulator| simulator.now()) - before).num_seconds(), 3600);
        pd.get("/pd/api/v1/stores").await.unwrap();
        transport.before_each(|simulator, _| simulator.apply(Event::Hang(NodeId::Pd(0))));
        let error = pd.get("/pd/api/v1/stores").await.unwrap_err();
        assert_eq!(error.kind(), operator_core::ErrorKind::Timeout, "{error}");
        transport.before_each(|simulator, _| simulator.apply(Event::Crash(NodeId::Pd(0))));
        let error = pd.get("/pd/api/v1/stores").await.unwrap_err();
        assert!(error.to_string().contains("connection refused"), "{error}");
    }
}
