//! A Prometheus for tests: a function from request to answer, in the process.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::{Client, PrometheusConfig};
use crate::http::{HttpRequest, HttpResponse, Transport, TransportError};

type Answers = Box<dyn Fn(&HttpRequest) -> (u16, String) + Send + Sync>;

/// Answers by a function, and keeps what was asked.
#[derive(Clone)]
pub(crate) struct Script(Arc<(Answers, Mutex<Vec<HttpRequest>>)>);

impl Script {
    pub(crate) fn new(answers: impl Fn(&HttpRequest) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self(Arc::new((Box::new(answers), Mutex::default())))
    }

    pub(crate) fn always(status: u16, body: &'static str) -> Self {
        Self::new(move |_| (status, body.to_owned()))
    }

    pub(crate) fn client(&self) -> Client {
        self.config().client_over(self.clone()).unwrap()
    }

    pub(crate) fn config(&self) -> PrometheusConfig {
        PrometheusConfig::new("https://gateway/prometheus/".parse().unwrap())
    }

    pub(crate) fn asked(&self) -> Vec<HttpRequest> {
        self.0.1.lock().unwrap().clone()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.asked()
            .iter()
            .map(|request| format!("{} {}", request.method, request.path_and_query()))
            .collect()
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let (status, body) = (self.0.0)(&request);
        self.0.1.lock().unwrap().push(request);
        Ok(HttpResponse::whole(status, body))
    }
}
