//! A recorded state over real HTTP.

use std::collections::{BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::Response;
use chrono::{DateTime, Utc};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;

use crate::{Answer, Frames, Port, Recording};

/// Serves one recorded state on loopback ports of its own, until it is dropped: one for each PD, one for each store's
/// status port. Ports that were closed are closed; one that was silent accepts and never answers.
///
/// Answers are as recorded, but for one thing: so that they can be dialled, members' client URLs and stores' status
/// addresses are those of the loopback ports, and stores' addresses name the same host: nobody should dial the loopback
/// address that a store on another machine announces.
#[derive(Debug)]
pub struct ReplayServer {
    addresses: HashMap<String, SocketAddr>,
    recording: Arc<Recording>,
    playing: Option<Arc<Playing>>,
    /// Bound and never listening: refuses, and nobody else is given the port meanwhile.
    _closed: Vec<TcpSocket>,
    _tasks: JoinSet<()>,
}

impl ReplayServer {
    /// Serves the state of this name.
    ///
    /// # Errors
    /// The recording cannot be read or no port can be opened.
    pub async fn start(state: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Self::serve(state, None)
    }

    /// Serves the state that belongs to `frames`, and the first of them as the `/metrics` of every node.
    ///
    /// # Errors
    /// The recording cannot be read or no port can be opened.
    pub async fn playing(frames: Frames) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let state = frames.state();
        Self::serve(state, Some(Arc::new(Playing { frames, shown: Mutex::default() })))
    }

    fn serve(
        state: &str,
        playing: Option<Arc<Playing>>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let recording = Arc::new(Recording::load(state)?);
        let mut sockets = Vec::new();
        let mut addresses = HashMap::new();
        for host in Recording::hosts() {
            let socket = TcpSocket::new_v4()?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            addresses.insert(host.clone(), socket.local_addr()?);
            sockets.push((host, socket));
        }
        let names = Arc::new(Names::new(&addresses));
        let mut closed = Vec::new();
        let mut tasks = JoinSet::new();
        for (host, socket) in sockets {
            match recording.port(&host) {
                Port::Closed => closed.push(socket),
                Port::Silent => drop(tasks.spawn(accept_in_silence(socket.listen(64)?))),
                Port::Open => {
                    let listener = socket.listen(64)?;
                    let router = router(host, Arc::clone(&recording), Arc::clone(&names), playing.clone());
                    tasks.spawn(async move {
                        // Ends with the set of tasks that it belongs to.
                        let _ = axum::serve(listener, router).await;
                    });
                }
            }
        }
        Ok(Self { addresses, recording, playing, _closed: closed, _tasks: tasks })
    }

    /// Shows the pages of this number from now on, or the last ones; nothing, if no frames are played.
    pub fn show(&self, number: usize) {
        if let Some(playing) = &self.playing {
            *playing.shown() = Shown { number, asked: BTreeSet::new() };
        }
    }

    /// Who, `name:port`, was asked for the page that is shown.
    pub fn asked(&self) -> BTreeSet<String> {
        self.playing.as_ref().map_or_else(BTreeSet::new, |playing| playing.shown().asked.clone())
    }

    /// The state that is served.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// PD's endpoints, the one that was asked first, dead ones last.
    pub fn pd_endpoints(&self) -> Vec<String> {
        let endpoints = self.recording.pd_endpoints();
        endpoints.into_iter().map(|url| Names::new(&self.addresses).rename(&url)).collect()
    }

    /// The loopback address that stands for `host`, `name:port` of the recorded cluster.
    pub fn address(&self, host: &str) -> Option<SocketAddr> {
        self.addresses.get(host).copied()
    }
}

/// Pages of `/metrics`, and which of them are shown.
#[derive(Debug)]
struct Playing {
    frames: Frames,
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    number: usize,
    asked: BTreeSet<String>,
}

impl Playing {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page of `host`, if it has any.
    fn page(&self, host: &str) -> Option<Answer> {
        let mut shown = self.shown();
        let number = shown.number.min(self.frames.count().checked_sub(1)?);
        let body = self.frames.page(host.split(':').next()?, number)?.clone();
        shown.asked.insert(host.to_owned());
        let content_type = Some("text/plain; version=0.0.4; charset=utf-8".to_owned());
        Some(Answer { status: 200, content_type, body })
    }
}

/// Which loopback port stands for which host of the recorded cluster.
#[derive(Debug)]
struct Names(Vec<(String, String)>);

impl Names {
    fn new(addresses: &HashMap<String, SocketAddr>) -> Self {
        let mut names: Vec<_> =
            addresses.iter().map(|(host, address)| (host.clone(), address.to_string())).collect();
        // Nothing of ours listens there: the recordings hold no gRPC.
        names.extend(
            (0..4).map(|n| (format!("tikv{n}:20160"), format!("{}:{}", Ipv4Addr::LOCALHOST, 20_160 + n))),
        );
        Self(names)
    }

    fn rename(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (host, address)| text.replace(host, address))
    }
}

fn router(
    host: String,
    recording: Arc<Recording>,
    names: Arc<Names>,
    playing: Option<Arc<Playing>>,
) -> Router {
    Router::new().fallback(move |method: Method, uri: Uri| async move {
        let target = uri.path_and_query().map_or(uri.path(), |target| target.as_str());
        if method == Method::GET {
            let page = playing.filter(|_| target == "/metrics").and_then(|playing| playing.page(&host));
            let answer = page.unwrap_or_else(|| recording.answer(&host, target));
            respond(answer, &names, recording.recorded_at())
        } else {
            let mut refused = Response::new(Body::empty());
            *refused.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            refused
        }
    })
}

fn respond(answer: Answer, names: &Names, at: DateTime<Utc>) -> Response {
    // Only JSON names addresses that anybody dials: a page of metrics stays as it is.
    let is_json = matches!(answer.body.first(), Some(b'{' | b'['));
    let body = match std::str::from_utf8(&answer.body) {
        Ok(text) if is_json => Body::from(names.rename(text)),
        _ => Body::from(answer.body.clone()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(value) = answer.content_type.and_then(|value| value.parse().ok()) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    // What asks is to believe that it is the time of the recording.
    if let Ok(date) = at.format("%a, %d %b %Y %H:%M:%S GMT").to_string().parse() {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

async fn accept_in_silence(listener: TcpListener) {
    let mut held = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        held.push(stream);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn get(server: &ReplayServer, host: &str, target: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(server.address(host).unwrap()).await?;
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_recorded_answer_comes_back_with_addresses_that_can_be_dialled() {
        let server = ReplayServer::start("two-stores-lost").await.unwrap();
        let answer = get(&server, "pd1:2379", "/pd/api/v1/stores").await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("content-type: application/json; charset=UTF-8"), "{answer}");
        for store in ["tikv0:20180", "tikv1:20180", "tikv2:20180"] {
            assert!(
                answer.contains(&format!("\"{}\"", server.address(store).unwrap()))
                    && !answer.contains(store)
            );
        }
        let status = get(&server, "tikv0:20180", "/status").await.unwrap();
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        let region = get(&server, "tikv0:20180", "/region/2").await.unwrap();
        assert!(region.contains(r#""leader_id":0"#), "{region}");
        let refused = get(&server, "tikv1:20180", "/status").await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn frames_are_the_pages_of_every_node_that_lived() {
        let server = ReplayServer::playing(Frames::load("frames-store-down").unwrap()).await.unwrap();
        let mut uptimes = Vec::new();
        for number in [0, 7, 1_000] {
            server.show(number);
            assert_eq!(server.asked(), BTreeSet::new());
            let page = get(&server, "tikv2:20180", "/metrics").await.unwrap();
            assert_eq!(server.asked(), BTreeSet::from(["tikv2:20180".to_owned()]));
            let cpu = page.lines().find_map(|line| line.strip_prefix("process_cpu_seconds_total "));
            uptimes.push(cpu.unwrap().parse::<u32>().unwrap());
        }
        assert!(uptimes[0] < uptimes[1] && uptimes[1] == uptimes[2], "{uptimes:?}");
        assert!(get(&server, "tikv1:20180", "/metrics").await.is_err());
        assert!(get(&server, "pd0:2379", "/pd/api/v1/stores").await.unwrap().contains("\"Down\""));
    }

    #[tokio::test]
    async fn a_stopped_store_accepts_and_is_silent() {
        let server = ReplayServer::start("store-disconnected").await.unwrap();
        let asked = get(&server, "tikv2:20180", "/status");
        assert!(tokio::time::timeout(Duration::from_millis(300), asked).await.is_err());
    }

    #[tokio::test]
    async fn an_error_of_pd_comes_back_as_it_was() {
        let server = ReplayServer::start("pd-no-quorum").await.unwrap();
        let endpoints = server.pd_endpoints();
        assert_eq!(endpoints[0], format!("http://{}", server.address("pd0:2379").unwrap()));
        let answer = get(&server, "pd0:2379", "/pd/api/v1/regions/key?limit=1024&key=").await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 500")
                && answer.ends_with("[PD:apiutil:ErrRedirect]redirect failed\n")
        );
        assert!(get(&server, "pd1:2379", "/pd/api/v1/stores").await.is_err());
    }
}
