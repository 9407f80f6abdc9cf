//! How members are asked: one request, a deadline, a limit on the answer.

use std::time::Duration;

use operator_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

use crate::wire::{Failure, MemberList, Status};

/// How long a member may take for one answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// A page of metrics is 100 KB.
const LARGEST_BODY_BYTES: usize = 16 << 20;

#[derive(Debug, Clone)]
pub(crate) struct Gateway(reqwest::Client);

impl Gateway {
    pub(crate) fn new() -> Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "etcd is not PD; timeouts and redirects are set here")]
        let builder = reqwest::Client::builder();
        let client = builder.timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        client.map(Self).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "connect", "no HTTP client can be made").because(error)
        })
    }

    /// Every member, as one of them knows them.
    pub(crate) async fn members(&self, url: &str) -> Result<MemberList> {
        self.post(url, "/v3/cluster/member/list").await
    }

    /// What a member says of itself.
    pub(crate) async fn status(&self, url: &str) -> Result<Status> {
        self.post(url, "/v3/maintenance/status").await
    }

    /// A member's page of metrics.
    pub(crate) async fn metrics(&self, url: &str) -> Result<Vec<u8>> {
        let url = format!("{}/metrics", url.trim_end_matches('/'));
        self.send(&url, self.0.get(&url)).await
    }

    async fn post<T: DeserializeOwned>(&self, url: &str, path: &str) -> Result<T> {
        let url = format!("{}{path}", url.trim_end_matches('/'));
        let body = self.send(&url, self.0.post(&url).body("{}")).await?;
        serde_json::from_slice(&body).map_err(|error| {
            let message = format!("not what etcd answers: {error}");
            Error::new(ErrorKind::Protocol, "ask", message).at(url).because(error)
        })
    }

    async fn send(&self, url: &str, request: reqwest::RequestBuilder) -> Result<Vec<u8>> {
        let failed = |error: reqwest::Error| {
            let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable };
            let message = match kind {
                ErrorKind::Timeout => format!("no answer within {PATIENCE:?}"),
                _ => innermost(&error),
            };
            Error::new(kind, "ask", message).at(url).because(error.without_url())
        };
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST_BODY_BYTES {
                let message = format!("the answer is larger than {LARGEST_BODY_BYTES} bytes");
                return Err(Error::new(ErrorKind::TooLarge, "ask", message).at(url));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(body);
        }
        let kind = match status.as_u16() {
            401 | 403 => ErrorKind::Unauthorized,
            404 => ErrorKind::Protocol,
            _ => ErrorKind::Unavailable,
        };
        let said = serde_json::from_slice::<Failure>(&body).map(|failure| failure.error).unwrap_or_default();
        Err(Error::new(kind, "ask", format!("{status}: {said}")).at(url))
    }
}

/// What really happened: `connection refused` rather than `error sending request`.
fn innermost(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}
