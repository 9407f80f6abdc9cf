//! The recordings of a real cluster as a transport, for the tests of this crate.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use super::PdClient;
use crate::TikvConfig;
use crate::http::{HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};

/// Answers under the names the recorded cluster had: every `pd…` as the PD that was asked, `tikv0:20180` as that
/// store's status port.
#[derive(Debug)]
pub(crate) struct Recorded {
    state: String,
    folder: PathBuf,
    /// By group and path.
    answers: HashMap<(String, String), (u16, String)>,
    asked: Mutex<Vec<String>>,
}

#[derive(Deserialize)]
struct Index {
    answers: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    group: String,
    path: String,
    status: u16,
    file: String,
}

/// Every recorded state.
pub(crate) const STATES: [&str; 17] = [
    "healthy-busy",
    "healthy-idle",
    "healthy-loaded",
    "not-bootstrapped",
    "pd-leader-just-lost",
    "pd-member-lost",
    "pd-no-quorum",
    "pd-warm-again",
    "pd-warming-up",
    "scaling-out",
    "store-back",
    "store-disconnected",
    "store-down",
    "store-offline",
    "store-slow",
    "store-tombstone",
    "two-stores-lost",
];

impl Recorded {
    pub(crate) fn load(state: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings").join(state);
        let index = std::fs::read(folder.join("index.json")).unwrap();
        let index: Index = serde_json::from_slice(&index).unwrap();
        let answers = index.answers.into_iter();
        Self {
            state: state.to_owned(),
            folder,
            answers: answers.map(|entry| ((entry.group, entry.path), (entry.status, entry.file))).collect(),
            asked: Mutex::default(),
        }
    }

    /// What PD's body was for `path`.
    pub(crate) fn body(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        self.body_of("pd", path)
    }

    /// Everything that was asked so far, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn body_of(&self, group: &str, path: &str) -> Option<(u16, Vec<u8>)> {
        let (status, file) = self.answers.get(&(group.to_owned(), path.to_owned()))?;
        let body = std::fs::read(self.folder.join(file)).unwrap();
        if !file.ends_with(".gz") {
            return Some((*status, body));
        }
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut unpacked).unwrap();
        Some((*status, unpacked))
    }

    /// All regions on one page: enough for a recorded cluster.
    fn regions(&self) -> Option<(u16, Vec<u8>)> {
        let (status, body) = self.body("/pd/api/v1/regions")?;
        let Ok(serde_json::Value::Object(mut page)) = serde_json::from_slice(&body) else {
            return Some((status, body));
        };
        page.get_mut("regions")?
            .as_array_mut()?
            .sort_by_key(|region| region["start_key"].as_str().unwrap_or_default().to_owned());
        Some((status, serde_json::to_vec(&page).unwrap()))
    }
}

/// A request that the recorded cluster was sent, and PD's answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Acted {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Option<serde_json::Value>,
    pub(crate) status: u16,
    pub(crate) answer: String,
    pub(crate) note: String,
}

/// What was recorded in `folder` (`actions`, `remove-store`, …), in the order sent.
pub(crate) fn actions(folder: &str) -> Vec<Acted> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings").join(folder);
    serde_json::from_slice(&std::fs::read(folder.join("actions.json")).unwrap()).unwrap()
}

/// A client that asks the PD of a recorded state; one that has no leader is asked once.
pub(crate) fn client(state: &str) -> PdClient {
    client_over(Arc::new(Recorded::load(state)))
}

pub(crate) fn client_over(recorded: Arc<Recorded>) -> PdClient {
    PdClient::with_transport(&config(), recorded).unwrap()
}

pub(crate) fn config() -> TikvConfig {
    let mut config: TikvConfig = "pd0:2379".parse().unwrap();
    config.limits.failover_budget = Duration::ZERO;
    config.limits.unreachable_budget = Duration::ZERO;
    config
}

#[async_trait]
impl Transport for Recorded {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let (host, path) = (request.url.host_str().unwrap_or_default(), request.path_and_query());
        self.asked.lock().unwrap().push(format!("{host}{path}"));
        // As over a network, nobody is answered before the others have asked.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let fails = |kind| Err(TransportError::new(kind, format!("{host}{path} was not recorded")));
        let group = if host.starts_with("pd") { "pd" } else { host };
        let answer = if path.starts_with("/pd/api/v1/regions/key?") {
            self.regions()
        } else {
            self.body_of(group, path)
        };
        match answer {
            Some((status, body)) => Ok(HttpResponse::whole(status, body)),
            None if group == "pd" => fails(TransportErrorKind::Other),
            // Stores that were not asked when the state was recorded, and live.
            None if self.state.starts_with("pd-warm") => Ok(HttpResponse::whole(200, "")),
            None if self.state == "store-disconnected" => std::future::pending().await,
            None => fails(TransportErrorKind::Connect),
        }
    }
}
