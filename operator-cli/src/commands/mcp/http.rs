//! Over HTTP, on this machine only, for clients that show the token.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::server::Server;
use super::token::Token;
use crate::error::Failure;
use crate::listening::{accept, http};

/// Where the protocol is.
const PATH: &str = "/mcp";
/// How long the body of a request may be.
const MOST_BODY_BYTES: usize = 1 << 20;
/// How much longer a connection may last than the call that it is for.
const SLACK: Duration = Duration::from_secs(10);

type Answer = Response<BoxBody<Bytes, Infallible>>;
type Service = StreamableHttpService<Server, NeverSessionManager>;

/// A port that is open and not yet answered.
#[derive(Debug)]
pub(super) struct Listener {
    listener: TcpListener,
    /// What `Host` may say.
    hosts: [String; 3],
    /// Where that is: who asks for port 0 gets another.
    pub(super) url: String,
}

impl Listener {
    /// # Errors
    /// If `address` is no `host:port` of this machine alone, or cannot be listened on.
    pub(super) async fn bind(address: &str) -> Result<Self, Failure> {
        let cannot = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidInput => {
                Failure::Usage(format!("--listen: {address:?} is not host:port, such as 127.0.0.1:9465"))
            }
            _ => Failure::other(format!("--listen: cannot listen on {address}: {error}"), error),
        };
        // Looked up first: a port that everybody reaches is not to be open even for a moment.
        let addresses: Vec<_> = tokio::net::lookup_host(address).await.map_err(cannot)?.collect();
        if !addresses.iter().all(|address| address.ip().is_loopback()) {
            return Err(Failure::Usage(format!(
                "--listen: {address} can be reached from other machines: listen on 127.0.0.1 or localhost, and let \
                 others in through ssh or a proxy that has TLS"
            )));
        }
        let listener = TcpListener::bind(&*addresses).await.map_err(cannot)?;
        let local = listener.local_addr().map_err(cannot)?;
        let port = local.port();
        let hosts = ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}"));
        Ok(Self { listener, hosts, url: format!("http://{local}{PATH}") })
    }

    /// Returns once `stop` is cancelled.
    pub(super) async fn serve(self, server: Server, token: Token, stop: CancellationToken) {
        let config = StreamableHttpServerConfig::default()
            // A call is one request and its answer: nothing is kept between them, so nothing can pile up.
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(MOST_BODY_BYTES)
            // A page in a browser that has this name point here (DNS rebinding) comes with another host and an origin.
            .with_allowed_hosts(self.hosts)
            .enforce_origin_validation()
            .with_cancellation_token(stop.clone());
        let deadline = server.deadline() + SLACK;
        let service = StreamableHttpService::new(
            move || Ok(server.clone()),
            Arc::new(NeverSessionManager::default()),
            config,
        );
        let token = Arc::new(token);
        let serve = move |stream| serve(stream, service.clone(), Arc::clone(&token));
        tokio::select! {
            () = accept(self.listener, deadline, serve) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn serve(stream: TcpStream, service: Service, token: Arc<Token>) {
    let answer = service_fn(|request| {
        let (service, token) = (service.clone(), Arc::clone(&token));
        async move { Ok::<_, Infallible>(answer(&service, &token, request).await) }
    });
    // What goes wrong on the way is the client's to see.
    let _ = http().serve_connection(TokioIo::new(stream), answer).await;
}

/// The token comes first: who has none learns nothing.
async fn answer(service: &Service, token: &Token, mut request: Request<Incoming>) -> Answer {
    let shown = request.headers_mut().remove(AUTHORIZATION);
    if !token.is_shown_by(shown.as_ref().map(HeaderValue::as_bytes)) {
        let mut answer =
            plain(StatusCode::UNAUTHORIZED, "show the server's token: Authorization: Bearer TOKEN\n");
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return answer;
    }
    if request.uri().path() != PATH {
        return plain(StatusCode::NOT_FOUND, "the Model Context Protocol is at /mcp\n");
    }
    service.handle(request).await
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())).boxed());
    *answer.status_mut() = status;
    answer
}
