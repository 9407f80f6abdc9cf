//! A transport in this process, which a paused clock does not disturb.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use operator_tikv::http::{
    Endpoint, HttpClient, HttpRequest, HttpResponse, Limits, Transport, TransportError, TransportErrorKind,
};
use tokio::time::Instant;

/// What a member does with a request.
pub(crate) enum Reply {
    Answer(u16, &'static str),
    Fail(TransportErrorKind),
    /// Never answers.
    Hang,
}

type Script = dyn Fn(&str, Duration) -> Reply + Send + Sync;

/// Answers by a function of the host and of the time since the start.
#[derive(Clone)]
pub(crate) struct Scripted {
    script: Arc<Script>,
    started: Instant,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(crate) fn new(script: impl Fn(&str, Duration) -> Reply + Send + Sync + 'static) -> Self {
        Self { script: Arc::new(script), started: Instant::now(), asked: Arc::default() }
    }

    /// The hosts asked, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn client(&self, endpoints: &str) -> HttpClient {
        HttpClient::new(self.clone(), Endpoint::list(endpoints).unwrap(), Limits::default()).unwrap()
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let host = request.url.host_str().unwrap().to_owned();
        self.asked.lock().unwrap().push(host.clone());
        match (self.script)(&host, self.started.elapsed()) {
            Reply::Answer(status, body) => Ok(HttpResponse::whole(status, body)),
            Reply::Fail(kind) => Err(TransportError::new(kind, "as the script says")),
            Reply::Hang => std::future::pending().await,
        }
    }
}
