//! Servers that misbehave.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// What a [`ScriptedServer`] does to a request.
#[derive(Debug, Clone)]
pub enum Script {
    /// Sends these bytes, a whole answer or part of one, and closes the connection.
    Send(Vec<u8>),
    /// Sends nothing, for ever.
    Hang,
    /// Closes the connection.
    Close,
}

impl Script {
    /// A whole answer.
    pub fn answer(status: &str, content_type: &str, body: &str) -> Self {
        Self::cut_answer(status, content_type, body, body.len())
    }

    /// An answer of `length` bytes by its header, of which only `body` comes.
    pub fn cut_answer(status: &str, content_type: &str, body: &str, length: usize) -> Self {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        Self::Send([head.as_bytes(), body.as_bytes()].concat())
    }
}

type Respond = dyn Fn(&str) -> Script + Send + Sync;

/// A server on a loopback port of its own that does what a script says, below HTTP where need be, until it is dropped.
#[derive(Debug)]
pub struct ScriptedServer {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl ScriptedServer {
    /// Asks `respond` what to do to each request, by its target (`/pd/api/v1/stores`).
    ///
    /// # Errors
    /// No port can be opened.
    pub async fn start(respond: impl Fn(&str) -> Script + Send + Sync + 'static) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::new(respond)));
        Ok(Self { address, _tasks: tasks })
    }

    /// The server's URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn serve(listener: TcpListener, respond: Arc<Respond>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let respond = Arc::clone(&respond);
        connections.spawn(async move {
            // What becomes of the connection is the client's affair.
            let _ = one_request(stream, &*respond).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn one_request(mut stream: TcpStream, respond: &Respond) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 16_384 {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    match respond(head.split_whitespace().nth(1).unwrap_or_default()) {
        Script::Send(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Script::Hang => std::future::pending().await,
        Script::Close => Ok(()),
    }
}

/// A loopback port that refuses connections and is given to nobody else until this is dropped.
#[derive(Debug)]
pub struct ClosedPort(TcpSocket);

impl ClosedPort {
    /// Takes a port.
    ///
    /// # Errors
    /// There is none.
    pub fn take() -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // Bound, and never listening.
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self(socket))
    }

    /// The URL of a server that is not there.
    ///
    /// # Errors
    /// The system does not tell the port.
    pub fn url(&self) -> std::io::Result<String> {
        Ok(format!("http://{}", self.0.local_addr()?))
    }
}
