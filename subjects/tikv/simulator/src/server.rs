//! The shell: every node on a loopback port of its own.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

use crate::{Config, NodeId, Reachable, Reply, Request, Simulator};

/// How often the simulation is moved on when nobody asks.
const PACE: Duration = Duration::from_millis(20);
/// A request body beyond this is cut off.
const MAX_BODY: usize = 1 << 20;
/// Regions come in chunks of this size, as PD streams them.
const CHUNK: usize = 16 << 10;

/// A simulated cluster that listens. Simulated time runs with the wall clock, times a speed.
///
/// A dead node's port is closed, so that connections are refused, and opened again when it restarts; a hung node
/// accepts and never answers. Everything ends when the server is dropped.
#[derive(Debug)]
pub struct Server {
    inner: Arc<Inner>,
    pacer: JoinHandle<()>,
}

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// No port can be opened.
    #[error("cannot listen on 127.0.0.1 for {node}: {source}")]
    Listen {
        /// The node that was to listen.
        node: NodeId,
        /// Why not.
        source: io::Error,
    },
    /// The speed is not between 0 and [`Server::MAX_SPEED`].
    #[error("the speed of simulated time is between 0 and {max}, not {0}", max = Server::MAX_SPEED)]
    Speed(f64),
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    runtime: Handle,
}

#[derive(Debug)]
struct State {
    simulator: Simulator,
    speed: f64,
    advanced_at: Instant,
    ports: BTreeMap<NodeId, Port>,
    ended: bool,
}

/// A node's port and what listens there.
#[derive(Debug)]
struct Port {
    authority: String,
    task: Option<JoinHandle<()>>,
}

impl Server {
    /// Nodes beyond this have no port of their own and cannot be connected to: file descriptors are few.
    pub const MAX_PORTS: usize = 128;

    /// A day in less than a second.
    pub const MAX_SPEED: f64 = 100_000.0;

    /// Starts a cluster whose time runs `speed` times as fast as the wall clock; 0 stands still.
    ///
    /// Must be called inside a Tokio runtime. Clients that compare heartbeats with their own clock want a
    /// [`Config::start`] that makes it now: see [`Config::shown_at`].
    pub async fn start(config: Config, speed: f64) -> Result<Self, ServerError> {
        Self::serve(Simulator::new(config), speed).await
    }

    /// Serves a cluster that was already brought somewhere.
    pub async fn serve(simulator: Simulator, speed: f64) -> Result<Self, ServerError> {
        if !(0.0..=Self::MAX_SPEED).contains(&speed) {
            return Err(ServerError::Speed(speed));
        }
        let inner = Arc::new(Inner {
            state: Mutex::new(State {
                simulator,
                speed,
                advanced_at: Instant::now(),
                ports: BTreeMap::new(),
                ended: false,
            }),
            runtime: Handle::current(),
        });
        let opened = inner.open_ports(&mut inner.lock());
        if let Err(error) = opened {
            inner.end();
            return Err(error);
        }
        let pacer = tokio::spawn(pace(Arc::downgrade(&inner)));
        Ok(Self { inner, pacer })
    }

    /// The client URLs of all PD members, dead ones too.
    pub fn pd_urls(&self) -> Vec<String> {
        let state = self.inner.lock();
        let pds = state.ports.iter().filter(|(node, _)| matches!(node, NodeId::Pd(_)));
        pds.map(|(_, port)| format!("http://{}", port.authority)).collect()
    }

    /// Looks at the cluster or does something to it, at the simulated time of this moment; ports follow at once.
    pub fn with<R>(&self, f: impl FnOnce(&mut Simulator) -> R) -> R {
        self.inner.with(f)
    }

    /// Closes every port and waits until the tasks have ended.
    pub async fn shutdown(mut self) {
        for task in self.inner.end() {
            let _ = task.await;
        }
        self.pacer.abort();
        let _ = (&mut self.pacer).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.pacer.abort();
        self.inner.end();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<R>(self: &Arc<Self>, f: impl FnOnce(&mut Simulator) -> R) -> R {
        let mut state = self.lock();
        let now = Instant::now();
        let passed = now.saturating_duration_since(state.advanced_at).mul_f64(state.speed);
        state.advanced_at = now;
        state.simulator.advance(passed);
        // What died in this span is gone before anybody looks, what `f` does is seen by who comes next. A port that
        // cannot be opened again yet is tried again at the next pace.
        let _ = self.open_ports(&mut state);
        let result = f(&mut state.simulator);
        let _ = self.open_ports(&mut state);
        result
    }

    /// Opens the ports of new and restarted nodes, closes those of dead ones.
    fn open_ports(self: &Arc<Self>, state: &mut State) -> Result<(), ServerError> {
        if state.ended {
            return Ok(());
        }
        for info in state.simulator.nodes().into_iter().take(Server::MAX_PORTS) {
            let node = info.id;
            let port = state.ports.get(&node);
            let listens = port.is_some_and(|port| port.task.is_some());
            if listens == (info.reachable != Reachable::Refused) {
                continue;
            }
            if listens {
                if let Some(task) = state.ports.get_mut(&node).and_then(|port| port.task.take()) {
                    // Takes its listener and its connections with it.
                    task.abort();
                }
                continue;
            }
            let wanted = port.map_or("127.0.0.1:0", |port| port.authority.as_str());
            let (listener, authority) =
                self.listen(wanted).map_err(|source| ServerError::Listen { node, source })?;
            state.simulator.set_authority(node, authority.clone());
            let task = self.runtime.spawn(accept(Arc::downgrade(self), listener, node, authority.clone()));
            state.ports.insert(node, Port { authority, task: Some(task) });
        }
        Ok(())
    }

    fn listen(&self, address: &str) -> io::Result<(TcpListener, String)> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let authority = listener.local_addr()?.to_string();
        let _runtime = self.runtime.enter();
        Ok((TcpListener::from_std(listener)?, authority))
    }

    fn end(&self) -> Vec<JoinHandle<()>> {
        let mut state = self.lock();
        state.ended = true;
        let tasks: Vec<_> = state.ports.values_mut().filter_map(|port| port.task.take()).collect();
        for task in &tasks {
            task.abort();
        }
        tasks
    }
}

async fn pace(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(PACE).await;
        let Some(inner) = inner.upgrade() else { return };
        inner.with(|_| ());
    }
}

async fn accept(inner: Weak<Inner>, listener: TcpListener, node: NodeId, authority: String) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of file descriptors, most likely: wait for some to come back.
                    tokio::time::sleep(PACE).await;
                    continue;
                };
                let (inner, authority) = (inner.clone(), authority.clone());
                connections.spawn(async move {
                    let service = service_fn(move |request| respond(inner.clone(), node, authority.clone(), request));
                    let mut http = http1::Builder::new();
                    // As Go writes them. Errors are the client's to see.
                    let _ = http.title_case_headers(true).serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the node does not answer")]
struct Cut;

async fn respond(
    inner: Weak<Inner>,
    node: NodeId,
    authority: String,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<UnsyncBoxBody<Bytes, io::Error>>, Cut> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| Cut)?.to_bytes();
    let request = Request {
        method: head.method.as_str().to_owned(),
        path_and_query: head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        headers: (head.headers.iter())
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect(),
        body,
    };
    loop {
        let (reply, reachable) = inner.upgrade().ok_or(Cut)?.with(|simulator| {
            let reachable = simulator.reachable(node);
            (simulator.answer(&authority, &request), reachable)
        });
        match reply {
            Reply::Answer { status, headers, body, delay } => {
                tokio::time::sleep(delay).await;
                return build(status, headers, body).map_err(|_| Cut);
            }
            Reply::Refused => return Err(Cut),
            // Only this request is never answered.
            Reply::Silent if reachable == Reachable::Answers => std::future::pending::<()>().await,
            // A process that goes on finds the request where it was left.
            Reply::Silent => loop {
                tokio::time::sleep(PACE).await;
                let inner = inner.upgrade().ok_or(Cut)?;
                if inner.with(|simulator| simulator.reachable(node)) != Reachable::Silent {
                    break;
                }
            },
        }
    }
}

fn build(
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
) -> Result<hyper::Response<UnsyncBoxBody<Bytes, io::Error>>, hyper::http::Error> {
    let streamed = headers.iter().any(|(_, value)| value == "application/octet-stream");
    let mut response = hyper::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let body = if streamed {
        let frames = stream::unfold(body, |mut rest| async move {
            let chunk = rest.split_to(rest.len().min(CHUNK));
            (!chunk.is_empty()).then(|| (Ok(Frame::data(chunk)), rest))
        });
        StreamBody::new(frames).boxed_unsync()
    } else {
        Full::new(body).map_err(|never| match never {}).boxed_unsync()
    };
    response.body(body)
}
