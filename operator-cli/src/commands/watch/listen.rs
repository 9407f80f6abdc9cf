//! A port of its own, where the monitor tells how it fares: `/metrics`, `/healthz`, `/readyz`.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use operator_core::{Error, ErrorKind, Monitor};
use operator_tikv::http::{Endpoint, HttpClient, Limits, ReqwestTransport};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::exposition::Page;
use super::meter::Meter;
use crate::connect::unusable;
use crate::error::Failure;
use crate::listening::{accept, http};

/// A connection serves one request, and is closed then: nobody asks more than once in a second.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(10);
/// How long [`probe`] waits.
const PROBE_DEADLINE: Duration = Duration::from_secs(3);

/// A port that is open and not yet answered.
pub(super) struct Listener {
    listener: TcpListener,
    /// Where that is: who asks for port 0 gets another.
    pub(super) url: String,
}

impl Listener {
    /// # Errors
    /// If `address` is no `host:port`, or cannot be listened on.
    pub(super) async fn bind(address: &str) -> Result<Self, Failure> {
        let opened = async {
            let listener = TcpListener::bind(address).await?;
            let url = format!("http://{}", listener.local_addr()?);
            Ok(Self { listener, url })
        };
        opened.await.map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::InvalidInput => Failure::Usage(format!(
                "--listen: {address:?} is not host:port, such as 127.0.0.1:9464 or 0.0.0.0:9464"
            )),
            _ => Failure::other(format!("--listen: cannot listen on {address}: {error}"), error),
        })
    }

    /// Tells on `runtime` how `monitor` fares, which asks `endpoints`; until the tasks are dropped.
    pub(super) fn tell_of(self, monitor: &Monitor, endpoints: Vec<String>, runtime: &Handle) -> JoinSet<()> {
        let meter = Arc::new(Meter::new(monitor, endpoints));
        let (following, snapshots) = (Arc::clone(&meter), monitor.snapshots());
        let mut tasks = JoinSet::new();
        tasks.spawn_on(async move { following.follow(snapshots).await }, runtime);
        let serve = move |stream| serve(stream, Arc::clone(&meter));
        tasks.spawn_on(accept(self.listener, CONNECTION_DEADLINE, serve), runtime);
        tasks
    }
}

async fn serve(stream: TcpStream, meter: Arc<Meter>) {
    let service = service_fn(|request| {
        let answer = answer(&meter, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    // What goes wrong on the way is the client's to see.
    let _ = http().serve_connection(TokioIo::new(stream), service).await;
}

fn answer<B>(meter: &Meter, request: &Request<B>) -> Response<String> {
    let verdict = |verdict: Result<(), String>| match verdict {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    };
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, meter.page()),
        (&Method::GET | &Method::HEAD, "/healthz") => verdict(meter.healthy()),
        (&Method::GET | &Method::HEAD, "/readyz") => verdict(meter.ready()),
        (_, "/metrics" | "/healthz" | "/readyz") => (StatusCode::METHOD_NOT_ALLOWED, "GET it\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "here are /metrics, /healthz and /readyz\n".to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(Page::CONTENT_TYPE));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// Asks `/healthz` of who listens at `address`, such as another process in the same container.
///
/// # Errors
/// If it is not well, or does not answer.
pub(super) async fn probe(address: &str) -> Result<(), Failure> {
    let endpoint: Endpoint = address.parse().map_err(|error| Failure::Usage(format!("--probe: {error}")))?;
    let limits = Limits::default().with_connect_timeout(PROBE_DEADLINE).with_total_timeout(PROBE_DEADLINE);
    let transport = ReqwestTransport::new(None, limits.connect_timeout).map_err(unusable)?;
    let http = HttpClient::new(transport, [endpoint.clone()], limits).map_err(unusable)?;
    let answer = http.ask("/healthz", None).await.map_err(|error| Failure::from(error.during("probe")))?;
    if answer.status == 200 {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&answer.body);
    let message = format!("{}: {}", answer.status, why.trim_end());
    Err(Error::new(ErrorKind::Unavailable, "probe", message).at(endpoint.to_string()).into())
}
