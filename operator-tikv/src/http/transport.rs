//! What carries a request: the seam between this crate and the network.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use reqwest::header::{HeaderMap, HeaderName};
use url::Url;

/// Sends one request and returns the head of its answer with the body as a stream.
///
/// It neither retries nor follows redirects, and an answer of any status is `Ok`. It should bound the time to connect;
/// [`HttpClient`](super::HttpClient) bounds everything, by tokio's clock. An implementation in the same process (a
/// simulator) works under a paused clock, where sockets do not.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends `request`; the future may be dropped at any await.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError>;
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for std::sync::Arc<T> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        (**self).send(request).await
    }
}

/// The methods that PD, TiKV and Prometheus know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Adds or acts.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// Whether a request may be sent again when nobody knows what became of the first.
    pub fn is_safe(self) -> bool {
        self == Self::Get
    }

    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A request. `Debug` shows the values of no headers but a few harmless ones, and the length of the body only.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The whole URL, without user and password: those are in the headers.
    pub url: Url,
    /// The headers.
    pub headers: HeaderMap,
    /// The body of a request that is not a GET.
    pub body: Option<Bytes>,
}

impl HttpRequest {
    /// A request without headers or body.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: None }
    }

    /// The path and the query, as sent.
    pub fn path_and_query(&self) -> &str {
        &self.url[url::Position::BeforePath..url::Position::AfterQuery]
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &self.url.as_str())
            .field("headers", &Redacted(&self.headers))
            .field("body_bytes", &self.body.as_ref().map(Bytes::len))
            .finish()
    }
}

/// Headers of a request, their values hidden: a gateway may take its key in any of them.
pub(super) struct Redacted<'a>(pub(super) &'a HeaderMap);

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.iter().map(|(name, value)| (name.as_str(), shown(name, value.to_str().ok()))))
            .finish()
    }
}

fn shown<'a>(name: &HeaderName, value: Option<&'a str>) -> &'a str {
    match name.as_str() {
        "accept" | "accept-encoding" | "content-type" | "user-agent" => value.unwrap_or("…"),
        _ => "***",
    }
}

/// The head of an answer, and its body as it comes.
#[non_exhaustive]
pub struct HttpResponse {
    /// The status, whatever it is.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decoded (not gzip any more). Dropping it ends the transfer.
    pub body: BoxStream<'static, Result<Bytes, TransportError>>,
}

impl HttpResponse {
    /// An answer with a body that comes in pieces.
    pub fn new(
        status: u16,
        headers: HeaderMap,
        body: BoxStream<'static, Result<Bytes, TransportError>>,
    ) -> Self {
        Self { status, headers, body }
    }

    /// An answer that is there as a whole, without headers.
    pub fn whole(status: u16, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self::new(status, HeaderMap::new(), stream::once(async move { Ok(body) }).boxed())
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A server may set a cookie.
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("headers", &Redacted(&self.headers))
            .finish_non_exhaustive()
    }
}

/// No answer, or not all of one.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct TransportError {
    /// Where it failed.
    pub kind: TransportErrorKind,
    /// What happened, without the URL and without secrets.
    pub message: String,
    /// The error beneath.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TransportError {
    /// An error without one beneath.
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }
}

/// Where a request failed, and so what can be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The name is not known.
    Dns,
    /// No connection: refused, or no route.
    Connect,
    /// No agreement on TLS, or a certificate that one of the two does not trust.
    Tls,
    /// No connection in time.
    ConnectTimeout,
    /// The connection broke before the head of the answer.
    Reset,
    /// The connection broke within the body, or the body is not what its headers say.
    Body,
    /// Anything else.
    Other,
}
