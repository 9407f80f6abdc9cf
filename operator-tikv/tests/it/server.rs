//! Servers that misbehave, by hand: a library's server would not.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use operator_tikv::http::{Endpoint, HttpClient, Limits, ReqwestTransport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Listens on a free port of this machine until dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    /// Gives each connection to `handler`.
    pub(crate) async fn start<F, Fut>(handler: F) -> Self
    where
        F: Fn(TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handler(stream));
            }
        });
        Self { address, connections, task }
    }

    /// Writes `raw` after the head of each request, and closes.
    pub(crate) async fn canned(raw: impl Into<Vec<u8>>) -> Self {
        let raw: Arc<[u8]> = raw.into().into();
        Self::start(move |mut stream| {
            let raw = Arc::clone(&raw);
            async move {
                read_head(&mut stream).await;
                let _ = stream.write_all(&raw).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        endpoint(self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer on the wire, after which the server closes the connection.
pub(crate) fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Reads up to the empty line that ends a request without a body.
pub(crate) async fn read_head(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.extend(byte),
            _ => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// A port on which nobody listens.
pub(crate) async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    format!("http://{address}").parse().unwrap()
}

/// A fifth of a second for everything, no second round.
pub(crate) fn short() -> Limits {
    let short = Duration::from_millis(200);
    Limits::default()
        .with_connect_timeout(short)
        .with_read_timeout(short)
        .with_total_timeout(2 * short)
        .with_failover_budget(Duration::ZERO)
        .with_unreachable_budget(Duration::ZERO)
        .with_max_body_bytes(1 << 20)
}

/// For what must not be cut short by a busy machine.
pub(crate) fn patient() -> Limits {
    Limits::default()
        .with_failover_budget(Duration::ZERO)
        .with_unreachable_budget(Duration::ZERO)
        .with_max_body_bytes(1 << 20)
}

pub(crate) fn client(endpoints: impl IntoIterator<Item = Endpoint>, limits: Limits) -> HttpClient {
    let transport = ReqwestTransport::new(None, limits.connect_timeout).unwrap();
    HttpClient::new(transport, endpoints, limits).unwrap()
}
