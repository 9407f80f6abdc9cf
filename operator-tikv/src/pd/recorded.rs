//! The recordings of a real cluster as a transport, for the tests of this crate.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::Deserialize;

use super::PdClient;
use crate::TikvConfig;
use crate::http::{HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};

/// Answers `http://pd:2379` as the PD of one recorded state did.
#[derive(Debug)]
pub(crate) struct Recorded {
    folder: PathBuf,
    answers: HashMap<String, (u16, String)>,
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
        let of_pd = index.answers.into_iter().filter(|entry| entry.group == "pd");
        let answers = of_pd.map(|entry| (entry.path, (entry.status, entry.file))).collect();
        Self { folder, answers }
    }

    /// The body recorded for `path`.
    pub(crate) fn body(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        let (status, file) = self.answers.get(path)?;
        let body = std::fs::read(self.folder.join(file)).unwrap();
        if !file.ends_with(".gz") {
            return Some((*status, body));
        }
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut unpacked).unwrap();
        Some((*status, unpacked))
    }
}

/// A client that asks the PD of a recorded state; one that has no leader is asked once.
pub(crate) fn client(state: &str) -> PdClient {
    let mut config: TikvConfig = "pd:2379".parse().unwrap();
    config.limits.failover_budget = std::time::Duration::ZERO;
    config.limits.unreachable_budget = std::time::Duration::ZERO;
    PdClient::with_transport(&config, Recorded::load(state)).unwrap()
}

#[async_trait]
impl Transport for Recorded {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let path = request.path_and_query();
        let Some((status, body)) = self.body(path) else {
            return Err(TransportError::new(TransportErrorKind::Other, format!("{path} was not recorded")));
        };
        Ok(HttpResponse::whole(status, body))
    }
}
