//! A transport with endpoints, deadlines and limits.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::body::{self, Broken, Read};
use super::endpoint::Endpoint;
use super::excerpt;
use super::limits::Limits;
use super::pd_error::PdError;
use super::text::printable;
use super::transport::{HttpRequest, Method, Redacted, Transport, TransportErrorKind};
use crate::{Call, Error, TimeoutPhase};

/// The body of an error is read as far as this: more says no more.
pub(super) const MAX_ERROR_BODY_BYTES: usize = 64 << 10;

/// Asks a group of servers that stand for each other, such as the members of PD. Cheap to clone; clones share which
/// member answered last.
#[derive(Clone)]
pub struct HttpClient {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    transport: Arc<dyn Transport>,
    pub(super) endpoints: Vec<Endpoint>,
    headers: HeaderMap,
    pub(super) limits: Limits,
    /// The place in `endpoints` of the member that answered last.
    pub(super) last_good: AtomicUsize,
}

/// A 2xx (from [`HttpClient::ask`]: whatever came) with its whole body.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer {
    /// Who answered.
    pub endpoint: Endpoint,
    /// What was asked.
    pub path: String,
    /// The status, 200 to 299 but from [`HttpClient::ask`].
    pub status: u16,
    /// The body, decoded. It may be empty.
    pub body: Bytes,
    /// The server's clock when it answered, cut to the second: its `Date` header.
    pub date: Option<DateTime<Utc>>,
}

/// A 2xx with the beginning of its body.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Prefix {
    /// Who answered.
    pub endpoint: Endpoint,
    /// What was asked.
    pub path: String,
    /// The status, 200 to 299.
    pub status: u16,
    /// The first bytes of the body, decoded.
    pub bytes: Bytes,
    /// Whether they are all of it.
    pub complete: bool,
}

/// What is sent along, and its media type.
pub(super) type Content = (HeaderValue, Bytes);

/// Whether a body that is too long is an error.
#[derive(Debug, Clone, Copy)]
pub(super) enum Want {
    Whole,
    Prefix(usize),
    /// Whole, and the body of an error as far as 64 KiB is an answer as well.
    WhateverStatus,
}

impl HttpClient {
    /// Asks `endpoints` over `transport`.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no endpoint, or a limit makes no sense.
    pub fn new(
        transport: impl Transport,
        endpoints: impl IntoIterator<Item = Endpoint>,
        limits: Limits,
    ) -> Result<Self, Error> {
        let endpoints: Vec<_> = endpoints.into_iter().collect();
        if endpoints.is_empty() {
            return Err(Error::Config { field: "endpoints", message: "name at least one".to_owned() });
        }
        limits.validate()?;
        Ok(Self {
            inner: Arc::new(Inner {
                transport: Arc::new(transport),
                endpoints,
                headers: HeaderMap::new(),
                limits,
                last_good: AtomicUsize::new(0),
            }),
        })
    }

    /// Sends `headers` with every request to one of the endpoints, and to nobody else: they may hold a token.
    #[must_use]
    pub fn with_headers(self, headers: HeaderMap) -> Self {
        let last_good = AtomicUsize::new(0);
        let Inner { transport, endpoints, limits, .. } = &*self.inner;
        let (transport, endpoints, limits) = (Arc::clone(transport), endpoints.clone(), limits.clone());
        Self { inner: Arc::new(Inner { transport, endpoints, headers, limits, last_good }) }
    }

    /// Who is asked, in the order of the configuration.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.inner.endpoints
    }

    /// What bounds a request.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Asks the members until one answers: the one that answered last, then the others in turn.
    ///
    /// A member that cannot be reached, breaks off or is silent is passed over at once; one that says that PD has no
    /// leader is asked again after a moment, for as long as [`Limits::failover_budget`] allows.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if no member could answer (with one endpoint that cannot be reached: its own error);
    /// the answer of the first member that could, if that was an error.
    pub async fn get(&self, path_and_query: &str) -> Result<Answer, Error> {
        let (endpoint, status, read) = self.inner.over_members(path_and_query, Want::Whole).await?;
        Ok(Answer { endpoint, path: path_and_query.to_owned(), status, body: read.bytes, date: read.date })
    }

    /// Like [`HttpClient::get`], for an answer that may be long and of which the beginning is enough: reads at most
    /// `max_bytes` and drops the connection.
    ///
    /// # Errors
    /// As [`HttpClient::get`], but never [`Error::TooLarge`].
    pub async fn get_prefix(&self, path_and_query: &str, max_bytes: usize) -> Result<Prefix, Error> {
        let (endpoint, status, read) =
            self.inner.over_members(path_and_query, Want::Prefix(max_bytes)).await?;
        let Read { bytes, complete, .. } = read;
        Ok(Prefix { endpoint, path: path_and_query.to_owned(), status, bytes, complete })
    }

    /// Asks `endpoint`, which need not be one of [`HttpClient::endpoints`], and once: no failover, no second try.
    ///
    /// # Errors
    /// What came of that one try.
    pub async fn get_from(
        &self,
        endpoint: &Endpoint,
        path_and_query: &str,
        limits: &Limits,
    ) -> Result<Answer, Error> {
        let (status, read) =
            self.inner.send_once(Method::Get, endpoint, path_and_query, Want::Whole, limits).await?;
        Ok(Answer {
            endpoint: endpoint.clone(),
            path: path_and_query.to_owned(),
            status,
            body: read.bytes,
            date: read.date,
        })
    }

    /// Asks the first of [`HttpClient::endpoints`] once and returns what it says whatever the status, for an API that
    /// explains itself in the body of an error. With a `form` (`application/x-www-form-urlencoded`) it is a POST.
    ///
    /// # Errors
    /// What came of that one try, if no answer or a redirect did.
    pub async fn ask(&self, path_and_query: &str, form: Option<Bytes>) -> Result<Answer, Error> {
        let Some(endpoint) = self.inner.endpoints.first() else {
            return Err(Error::Config { field: "endpoints", message: "name at least one".to_owned() });
        };
        let method = if form.is_some() { Method::Post } else { Method::Get };
        let call = Call::new(method, endpoint.clone(), path_and_query);
        let form = form.map(|form| (HeaderValue::from_static("application/x-www-form-urlencoded"), form));
        let (status, read) = self.inner.send(&call, form, Want::WhateverStatus, &self.inner.limits).await?;
        Ok(Answer { endpoint: call.endpoint, path: call.path, status, body: read.bytes, date: read.date })
    }
}

impl Inner {
    /// One try: a request and its answer, within the limits.
    pub(super) async fn send_once(
        &self,
        method: Method,
        endpoint: &Endpoint,
        path: &str,
        want: Want,
        limits: &Limits,
    ) -> Result<(u16, Read), Error> {
        self.send(&Call::new(method, endpoint.clone(), path), None, want, limits).await
    }

    pub(super) async fn send(
        &self,
        call: &Call,
        content: Option<Content>,
        want: Want,
        limits: &Limits,
    ) -> Result<(u16, Read), Error> {
        let started = Instant::now();
        let result = self.exchange(call, content, want, limits, started).await;
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &result {
            Ok((status, read)) => {
                tracing::debug!(%call, status, bytes = read.bytes.len(), elapsed_ms, "answered");
            }
            Err(error) => tracing::debug!(%call, %error, elapsed_ms, "failed"),
        }
        result
    }

    async fn exchange(
        &self,
        call: &Call,
        content: Option<Content>,
        want: Want,
        limits: &Limits,
        started: Instant,
    ) -> Result<(u16, Read), Error> {
        let deadline = started + limits.total_timeout;
        let mut request = self.request(call)?;
        if let Some((media_type, bytes)) = content {
            request.headers.insert(CONTENT_TYPE, media_type);
            request.body = Some(bytes);
        }
        let (until, after) = if limits.read_timeout < limits.total_timeout {
            (started + limits.read_timeout, limits.read_timeout)
        } else {
            (deadline, limits.total_timeout)
        };
        let response = match timeout_at(until, self.transport.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(source)) if source.kind == TransportErrorKind::ConnectTimeout => {
                let after = started.elapsed();
                return Err(Error::Timeout { call: call.clone(), phase: TimeoutPhase::Connect, after });
            }
            Ok(Err(source)) => return Err(Error::Unreachable { call: call.clone(), source }),
            Err(_) => return Err(Error::Timeout { call: call.clone(), phase: TimeoutPhase::Head, after }),
        };
        let (status, date) = (response.status, date(&response.headers));
        if (300..400).contains(&status) {
            let location = location(&response.headers);
            return Err(Error::Redirect { call: call.clone(), status, location });
        }
        let success = (200..300).contains(&status);
        let max_bytes = match want {
            _ if !success => MAX_ERROR_BODY_BYTES,
            Want::Whole | Want::WhateverStatus => limits.max_body_bytes,
            Want::Prefix(max_bytes) => max_bytes,
        };
        let read = body::read(response.body, max_bytes, limits, deadline).await;
        if !success {
            // The status says enough when the body breaks off.
            let body = read.map(|read| read.bytes).unwrap_or_default();
            if matches!(want, Want::WhateverStatus) {
                return Ok((status, Read { bytes: body, complete: false, date }));
            }
            let pd = Box::new(PdError::decode(&body));
            return Err(Error::Status { call: call.clone(), status, pd, body: excerpt(&body) });
        }
        match read {
            Ok(Read { complete: false, .. }) if !matches!(want, Want::Prefix(_)) => {
                Err(Error::TooLarge { call: call.clone(), limit_bytes: max_bytes })
            }
            Ok(read) => Ok((status, Read { date, ..read })),
            Err(Broken::Transport(source)) => Err(Error::Unreachable { call: call.clone(), source }),
            Err(Broken::Timeout(phase)) => {
                let after = match phase {
                    TimeoutPhase::Total => limits.total_timeout,
                    _ => limits.read_timeout,
                };
                Err(Error::Timeout { call: call.clone(), phase, after })
            }
        }
    }

    fn request(&self, call: &Call) -> Result<HttpRequest, Error> {
        let mut request = HttpRequest::new(call.method, call.endpoint.url(&call.path)?);
        // A member that PD named is the same server as the one configured, and may have its secrets; others may not.
        let known = self.endpoints.iter().find(|known| known.same_origin(&call.endpoint));
        if known.is_some() {
            request.headers = self.headers.clone();
        }
        let authorization = call.endpoint.authorization().or_else(|| known?.authorization());
        if let Some(authorization) = authorization {
            request.headers.insert(AUTHORIZATION, authorization.clone());
        }
        Ok(request)
    }
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

/// Where a redirect points to, without what may be secret in a URL.
fn location(headers: &HeaderMap) -> String {
    let Some(text) = headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes())) else {
        return "nowhere".to_owned();
    };
    let shown = match Url::parse(&text) {
        Ok(mut url) => {
            // They fail for URLs that have neither.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        }
        Err(_) => text.split(['?', '#']).next().unwrap_or_default().to_owned(),
    };
    printable(&excerpt(shown.as_bytes())).into_owned()
}

impl Answer {
    /// The body as JSON, whatever its Content-Type: PD sends regions as `application/octet-stream`.
    ///
    /// # Errors
    /// [`Error::Protocol`], saying where the JSON is not as expected.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|error| self.not_understood(format!("is not as expected: {error}")))
    }

    /// The error for a body that makes no sense; `message` goes on after "but".
    pub fn not_understood(&self, message: impl Into<String>) -> Error {
        let mut message = message.into();
        if self.body.is_empty() {
            message = "the body is empty".to_owned();
        }
        Error::Protocol { call: self.call(), status: self.status, message, body: excerpt(&self.body) }
    }

    /// The error for an answer that says that there is no such thing.
    pub fn not_found(&self, message: impl Into<String>) -> Error {
        Error::NotFound { call: self.call(), message: message.into() }
    }

    /// What was asked of whom.
    pub fn call(&self) -> Call {
        Call::new(Method::Get, self.endpoint.clone(), self.path.clone())
    }
}

impl Prefix {
    /// The error for a beginning that makes no sense; `message` goes on after "but".
    pub fn not_understood(&self, message: impl Into<String>) -> Error {
        let (endpoint, path) = (self.endpoint.clone(), self.path.clone());
        Answer { endpoint, path, status: self.status, body: self.bytes.clone(), date: None }
            .not_understood(message)
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("transport", &self.inner.transport)
            .field("endpoints", &self.inner.endpoints)
            .field("headers", &Redacted(&self.inner.headers))
            .field("limits", &self.inner.limits)
            .finish()
    }
}
