//! A simulated cluster in the process, without sockets: its time is tokio's, so that a story can be told in stopped
//! time, in which no real socket would ever be waited for.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use operator_tikv::http::{
    HeaderMap, HeaderName, HeaderValue, HttpRequest, HttpResponse, Transport, TransportError,
    TransportErrorKind,
};
use tikv_simulator::{Reply, Request, Simulator};
use tokio::time::Instant;

/// Answers as the simulated cluster does. Clones share it.
#[derive(Clone)]
pub(super) struct Stage(Arc<Mutex<Shared>>);

struct Shared {
    simulator: Simulator,
    /// Up to when the simulator has been advanced.
    until: Instant,
}

impl Stage {
    /// Lets `simulator` go on from now.
    pub(super) fn new(simulator: Simulator) -> Self {
        Self(Arc::new(Mutex::new(Shared { simulator, until: Instant::now() })))
    }

    /// The simulator, brought up to the present.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Simulator) -> T) -> T {
        let mut shared = self.lock();
        let now = Instant::now();
        let passed = now.saturating_duration_since(shared.until);
        shared.simulator.advance(passed);
        shared.until = now;
        act(&mut shared.simulator)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for Stage {
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
        match self.with(|simulator| simulator.answer(&authority, &asked)) {
            Reply::Refused => Err(TransportError::new(TransportErrorKind::Connect, "connection refused")),
            Reply::Silent => std::future::pending().await,
            Reply::Answer { status, headers, body, delay } => {
                tokio::time::sleep(delay).await;
                let mut response = HttpResponse::whole(status, body);
                response.headers = headers
                    .iter()
                    .filter_map(|(name, value)| {
                        Some((
                            HeaderName::from_bytes(name.as_bytes()).ok()?,
                            HeaderValue::from_str(value).ok()?,
                        ))
                    })
                    .collect::<HeaderMap>();
                Ok(response)
            }
        }
    }
}
