//! The simulator as an [`operator_tikv::http::Transport`], in the process: no sockets, so that tokio's clock can be
//! stopped, in which no real socket would ever be waited for.

use std::fmt;
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use operator_tikv::http::{
    HeaderMap, HeaderName, HeaderValue, HttpRequest, HttpResponse, Transport, TransportError,
    TransportErrorKind,
};
use tokio::time::Instant;

use crate::{Reply, Request, Simulator};

type BeforeRequest = dyn FnMut(&mut Simulator, &Request) + Send;

/// Answers as the simulated cluster does, whose time goes with tokio's.
///
/// Clones share the simulator.
#[derive(Clone)]
pub struct SimulatedTransport(Arc<Mutex<Shared>>);

struct Shared {
    simulator: Simulator,
    /// Up to when the simulator has been advanced.
    until: Instant,
    before: Option<Box<BeforeRequest>>,
}

impl SimulatedTransport {
    /// Lets `simulator` go on from now.
    pub fn new(simulator: Simulator) -> Self {
        Self(Arc::new(Mutex::new(Shared { simulator, until: Instant::now(), before: None })))
    }

    /// Calls `before` with every request before it is answered: what happens between two requests.
    pub fn before_each(&self, before: impl FnMut(&mut Simulator, &Request) + Send + 'static) {
        self.lock().before = Some(Box::new(before));
    }

    /// The simulator, brought up to the present.
    pub fn with<T>(&self, act: impl FnOnce(&mut Simulator) -> T) -> T {
        let mut shared = self.lock();
        shared.catch_up();
        act(&mut shared.simulator)
    }

    /// Lets time pass, for tokio and for the simulator; tokio's clock must be paused.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.lock().catch_up();
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn catch_up(&mut self) {
        let now = Instant::now();
        self.simulator.advance(now.saturating_duration_since(self.until));
        self.until = now;
    }
}

impl fmt::Debug for SimulatedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedTransport").finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for SimulatedTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let host = request.url.host_str().unwrap_or_default();
        let authority = format!("{host}:{}", request.url.port_or_known_default().unwrap_or_default());
        let headers = request.headers.iter();
        let asked = Request {
            method: request.method.to_string(),
            path_and_query: request.path_and_query().to_owned(),
            headers: headers
                .map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect(),
            body: request.body.unwrap_or_default(),
        };
        let reply = {
            let mut shared = self.lock();
            shared.catch_up();
            let Shared { simulator, before, .. } = &mut *shared;
            if let Some(before) = before {
                before(simulator, &asked);
            }
            simulator.answer(&authority, &asked)
        };
        match reply {
            Reply::Refused => Err(TransportError::new(TransportErrorKind::Connect, "connection refused")),
            Reply::Silent => future::pending().await,
            Reply::Answer { status, headers, body, delay } => {
                tokio::time::sleep(delay).await;
                let mut response = HttpResponse::whole(status, body);
                let headers = headers.iter().filter_map(|(name, value)| {
                    Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
                });
                response.headers = HeaderMap::from_iter(headers);
                Ok(response)
            }
        }
    }
}
