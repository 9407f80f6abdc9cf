//! The network.

use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{StreamExt, TryStreamExt};

use super::tls::TlsConfig;
use super::transport::{HttpRequest, HttpResponse, Method, Transport, TransportError, TransportErrorKind};
use crate::Error;

/// Idle connections kept for each server: what a few parallel scans of regions need.
const IDLE_CONNECTIONS_PER_HOST: usize = 8;
/// Shorter than what load balancers usually allow, so that they do not close a connection under a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// HTTP/1.1 over TCP and TLS, by reqwest.
///
/// Redirects are not followed, nothing is retried, and proxies named in the environment (`HTTP_PROXY`, …) are not
/// used: PD is inside the data centre, and a proxy that cannot reach it would answer in its place.
#[derive(Debug, Clone)]
pub struct ReqwestTransport {
    client: reqwest::Client,
}

impl ReqwestTransport {
    /// A client of its own.
    ///
    /// # Errors
    /// [`Error::Config`] if certificates or keys cannot be used, naming which.
    pub fn new(tls: Option<&TlsConfig>, connect_timeout: Duration) -> Result<Self, Error> {
        let tls = tls.cloned().unwrap_or_default();
        let mut client = tls.apply(builder(connect_timeout))?.build();
        if client.is_err() && !tls.names_a_ca() {
            // A machine without CA certificates, such as a small container, cannot verify anybody. Plain http works
            // there all the same, and https fails when it is used, with advice.
            client = tls.apply(trusting_nobody(builder(connect_timeout)))?.build();
        }
        let client = client.map_err(|error| Error::Config {
            field: "tls",
            message: format!("cannot be used: {}", chain(&error.without_url())),
        })?;
        Ok(Self { client })
    }

    /// A caller's own client, with the caller's TLS, proxies and pool. It should not follow redirects, decode gzip,
    /// and have a connect timeout; deadlines and limits are added here in any case.
    pub fn with_client(client: reqwest::Client) -> Self {
        Self { client }
    }
}

fn builder(connect_timeout: Duration) -> reqwest::ClientBuilder {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where a client is made")]
    let builder = reqwest::Client::builder()
        .user_agent(concat!("operator/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(connect_timeout)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST)
        .pool_idle_timeout(IDLE_TIMEOUT);
    // Named because another crate of the program may have turned on reqwest's other backend.
    #[cfg(feature = "rustls")]
    let builder = builder.tls_backend_rustls();
    builder
}

fn trusting_nobody(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    let builder = builder.tls_certs_only([]);
    builder
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let https = request.url.scheme() == "https";
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut sent = reqwest::Request::new(method, request.url);
        *sent.headers_mut() = request.headers;
        *sent.body_mut() = request.body.map(reqwest::Body::from);
        let mut response = self.client.execute(sent).await.map_err(|error| before_the_head(error, https))?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let body = response.bytes_stream().map_err(move |error| within_the_body(error, https)).boxed();
        Ok(HttpResponse::new(status, headers, body))
    }
}

fn before_the_head(error: reqwest::Error, https: bool) -> TransportError {
    let kind = if error.is_dns() {
        TransportErrorKind::Dns
    } else if error.is_connect() && error.is_timeout() {
        TransportErrorKind::ConnectTimeout
    } else if is_tls(&error, https) {
        TransportErrorKind::Tls
    } else if error.is_connect() {
        TransportErrorKind::Connect
    } else if error.is_request() {
        TransportErrorKind::Reset
    } else {
        TransportErrorKind::Other
    };
    describe(kind, error)
}

fn within_the_body(error: reqwest::Error, https: bool) -> TransportError {
    let kind = if is_tls(&error, https) { TransportErrorKind::Tls } else { TransportErrorKind::Body };
    describe(kind, error)
}

fn describe(kind: TransportErrorKind, error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    TransportError { kind, message: chain(&error), source: Some(Box::new(error)) }
}

/// Whether TLS is why it failed. The backends' error types are not at hand (they depend on the build), so: a connection
/// over https that failed without the operating system saying why failed in the handshake; and with TLS 1.3 a server
/// refuses a client certificate only after the handshake, by an alert.
fn is_tls(error: &reqwest::Error, https: bool) -> bool {
    if !https {
        return false;
    }
    if error.is_connect() {
        return !causes(error).any(|cause| {
            cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.raw_os_error().is_some())
        });
    }
    causes(error).any(|cause| {
        let text = cause.to_string();
        text.contains("received fatal alert") || text.contains(" alert ")
    })
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// The causes from the outermost to the innermost, each said once, without the wrappers ("error sending request",
/// "client error (Connect)") that say nothing a reader does not know.
fn chain(error: &reqwest::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = super::text::printable(&cause.to_string()).into_owned();
        if !text.starts_with("client error (") && !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
    }
    if said.is_empty() { error.to_string() } else { said.join(": ") }
}
