//! One recorded state of a real cluster, read from `tests/recordings`.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::regions::Regions;

/// Every recorded state: a folder of `tests/recordings`, whose README tells what was true.
pub const STATES: [&str; 17] = [
    "not-bootstrapped",
    "healthy-idle",
    "healthy-loaded",
    "healthy-busy",
    "store-disconnected",
    "store-down",
    "store-back",
    "store-slow",
    "scaling-out",
    "store-offline",
    "store-tombstone",
    "pd-leader-just-lost",
    "pd-member-lost",
    "pd-no-quorum",
    "pd-warming-up",
    "pd-warm-again",
    "two-stores-lost",
];

/// An answer as it was recorded; the body is decompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The header of this name, where there was one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: Some(content_type.to_owned()), body: body.into() }
    }
}

/// What happens at a port of the recorded cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Requests are answered.
    Open,
    /// The connection is refused.
    Closed,
    /// The connection is accepted and nothing ever comes.
    Silent,
}

/// One recorded state: everybody's answers.
///
/// A PD answers only what was asked when the state was recorded, and what follows from that: pages of
/// `/regions/key`, `/region/id/{id}` and `/region/key/{key}` are cut out of the recorded `/regions`, `/store/{id}`
/// out of `/stores`, and a PD without a leader answers everything alike.
#[derive(Debug)]
pub struct Recording {
    name: String,
    recorded_at: DateTime<Utc>,
    /// By who answered (`pd`, `tikv0`, …) and what was asked.
    answers: HashMap<(String, Question), Answer>,
    regions: Option<Regions>,
    /// The member whose `/metrics` was recorded.
    metrics_of: Option<String>,
}

/// A path and its query, in whatever order the query was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) path: String,
    /// Sorted; decoded.
    pub(crate) query: Vec<(String, String)>,
}

impl Question {
    /// Of a request's target: `/pd/api/v1/stores?state=2`.
    pub(crate) fn of(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut query: Vec<_> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect();
        query.sort();
        Self { path: path.to_owned(), query }
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Percent-decoding, as far as the recorded queries need it: text.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[derive(Deserialize)]
struct Index {
    recorded_at: DateTime<Utc>,
    answers: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    group: String,
    path: String,
    status: u16,
    file: PathBuf,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

const PREFIX: &str = "/pd/api/v1";

impl Recording {
    /// Reads the state of this name.
    ///
    /// # Errors
    /// The folder's files cannot be read.
    pub fn load(name: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings").join(name);
        let index: Index = serde_json::from_slice(&std::fs::read(folder.join("index.json"))?)?;
        let mut answers = HashMap::new();
        for entry in index.answers {
            let mut body = std::fs::read(folder.join(&entry.file))?;
            if entry.file.extension().is_some_and(|extension| extension == "gz") {
                let mut plain = Vec::new();
                flate2::read::MultiGzDecoder::new(body.as_slice()).read_to_end(&mut plain)?;
                body = plain;
            }
            let content_type = entry
                .headers
                .into_iter()
                .find_map(|(name, value)| name.eq_ignore_ascii_case("content-type").then_some(value));
            let answer = Answer { status: entry.status, content_type, body: body.into() };
            answers.insert((entry.group, Question::of(&entry.path)), answer);
        }
        let mut recording = Self {
            name: name.to_owned(),
            recorded_at: index.recorded_at,
            answers,
            regions: None,
            metrics_of: None,
        };
        if let Some(answer) =
            recording.recorded("pd", "/pd/api/v1/regions").filter(|answer| answer.status == 200)
        {
            recording.regions = Some(Regions::parse(&answer.body)?);
        }
        recording.metrics_of = recording.member_of_metrics();
        Ok(recording)
    }

    /// The folder's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was recorded: what reads it should believe that it is this time.
    pub fn recorded_at(&self) -> DateTime<Utc> {
        self.recorded_at
    }

    /// The `host:port` of every PD and every status port that may be asked for.
    pub fn hosts() -> impl Iterator<Item = String> {
        (0..3).map(|n| format!("pd{n}:2379")).chain((0..4).map(|n| format!("tikv{n}:20180")))
    }

    /// PD's endpoints, the one that was asked first.
    pub fn pd_endpoints(&self) -> Vec<String> {
        let mut hosts: Vec<_> = Self::hosts().filter(|host| host.starts_with("pd")).collect();
        hosts.sort_by_key(|host| self.port(host) != Port::Open);
        hosts.into_iter().map(|host| format!("http://{host}")).collect()
    }

    /// What happened at `host`, `name:port`.
    ///
    /// What the files cannot say is written here, from what was done to the cluster: who was killed and who was stopped.
    pub fn port(&self, host: &str) -> Port {
        let name = host.split(':').next().unwrap_or(host);
        match (self.name.as_str(), name) {
            ("store-disconnected", "tikv2") => Port::Silent,
            ("pd-leader-just-lost" | "pd-member-lost", "pd0") => Port::Closed,
            ("pd-no-quorum", "pd1" | "pd2") => Port::Closed,
            (_, "pd0" | "pd1" | "pd2") => Port::Open,
            // Nobody asked them, and they were alive.
            ("pd-warming-up" | "pd-warm-again", "tikv0" | "tikv1" | "tikv2") => Port::Open,
            _ if self.answers.keys().any(|(group, _)| group == name) => Port::Open,
            _ => Port::Closed,
        }
    }

    /// What `host` (`name:port`) answers to a GET of `target`, a path with its query.
    pub fn answer(&self, host: &str, target: &str) -> Answer {
        let name = host.split(':').next().unwrap_or(host);
        let question = Question::of(target);
        if name.starts_with("pd") { self.pd(name, &question) } else { self.store(name, &question) }
    }

    fn recorded(&self, group: &str, target: &str) -> Option<&Answer> {
        self.answers.get(&(group.to_owned(), Question::of(target)))
    }

    fn pd(&self, member: &str, question: &Question) -> Answer {
        let not_found = || Answer::new(404, "text/plain; charset=utf-8", "404 page not found\n");
        if question.path == "/metrics" {
            // Not proxied to the leader as everything else is: the other members' pages were not recorded.
            let page = self.recorded("pd", "/metrics").filter(|_| self.metrics_of.as_deref() == Some(member));
            return page.cloned().unwrap_or_else(not_found);
        }
        if let Some(answer) = self.answers.get(&("pd".to_owned(), question.clone())) {
            return answer.clone();
        }
        // Without a leader PD does not get as far as looking at the path.
        let stores = self.recorded("pd", "/pd/api/v1/stores");
        let leaderless = |answer: &&Answer| answer.body.starts_with(b"[PD:apiutil:ErrRedirect");
        if let Some(answer) = stores.filter(leaderless).filter(|_| question.path.starts_with("/pd/api/")) {
            return answer.clone();
        }
        let Some(path) = question.path.strip_prefix(PREFIX) else { return not_found() };
        let Some(regions) = &self.regions else {
            // Not bootstrapped: every question about regions has the same answer.
            let about_regions = path.starts_with("/region") && path != "/regions";
            let answer = self.recorded("pd", "/pd/api/v1/regions").filter(|_| about_regions);
            return answer.cloned().unwrap_or_else(not_found);
        };
        let octets = |body: String| Answer::new(200, "application/octet-stream", body);
        if path == "/regions/key" {
            return octets(regions.page(question));
        }
        if let Some(id) = path.strip_prefix("/region/id/").and_then(|id| id.parse().ok()) {
            return octets(regions.by_id(id));
        }
        if let Some(key) = path.strip_prefix("/region/key/") {
            let hex = question.parameter("format") == Some("hex");
            return octets(regions.by_key(&if hex {
                crate::regions::unhex(key)
            } else {
                decode(key).into_bytes()
            }));
        }
        if let Some(id) = path.strip_prefix("/store/").and_then(|id| id.parse().ok()) {
            return self.one_store(id);
        }
        not_found()
    }

    fn one_store(&self, id: u64) -> Answer {
        for listed in ["/pd/api/v1/stores", "/pd/api/v1/stores?state=2"] {
            let body = self.recorded("pd", listed).map(|answer| answer.body.clone()).unwrap_or_default();
            let list: Value = serde_json::from_slice(&body).unwrap_or_default();
            let mut stores = list["stores"].as_array().into_iter().flatten();
            if let Some(store) = stores.find(|store| store["store"]["id"].as_u64() == Some(id)) {
                return Answer::new(200, "application/json; charset=UTF-8", store.to_string());
            }
        }
        let missing = self.recorded("pd", "/pd/api/v1/store/999999");
        let body =
            missing.map(|answer| String::from_utf8_lossy(&answer.body).replace("999999", &id.to_string()));
        Answer::new(404, "application/json; charset=UTF-8", body.unwrap_or_default())
    }

    fn store(&self, name: &str, question: &Question) -> Answer {
        let plain = |status, body: &str| Answer {
            status,
            content_type: None,
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        if let Some(answer) = self.answers.get(&(name.to_owned(), question.clone())) {
            return answer.clone();
        }
        match question.path.as_str() {
            // What every store that was asked answered.
            "/status" => plain(200, ""),
            // Whether a store has a region that nobody asked it for cannot be told.
            path if path.starts_with("/region/") => plain(501, "this was not recorded"),
            _ => plain(404, "path not found"),
        }
    }

    /// The page of metrics names its etcd member, which is the id of a PD member in hex.
    fn member_of_metrics(&self) -> Option<String> {
        let page = String::from_utf8_lossy(&self.recorded("pd", "/metrics")?.body).into_owned();
        let id = page
            .lines()
            .find_map(|line| line.strip_prefix("etcd_server_id{server_id=\""))?
            .split('"')
            .next()?;
        // The members' ids never changed, and where there is no leader none are listed.
        match u64::from_str_radix(id, 16).ok()? {
            16_382_016_976_602_811_638 => Some("pd0".to_owned()),
            17_107_318_113_395_953_248 => Some("pd1".to_owned()),
            3_486_081_234_046_183_923 => Some("pd2".to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_and_every_file_belongs_to_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
        let mut folders: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().join("index.json").is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        folders.sort();
        let mut states = STATES.map(str::to_owned);
        states.sort();
        assert_eq!(folders, states);
        for state in STATES {
            let recording = Recording::load(state).unwrap();
            assert!(recording.answers.len() > 10, "{state}");
            let without_metrics = ["pd-no-quorum"].contains(&state);
            assert_eq!(recording.metrics_of.is_none(), without_metrics, "{state}");
        }
    }

    #[test]
    fn the_order_of_a_query_does_not_matter() {
        assert_eq!(Question::of("/a?limit=3&key="), Question::of("/a?key&limit=3"));
        assert_eq!(Question::of("/a?key=%2B+a%zz").parameter("key"), Some("+ a%zz"));
        assert_ne!(Question::of("/a?limit=3"), Question::of("/a?limit=4"));
    }

    #[test]
    fn one_region_and_one_store_are_cut_out_of_the_lists() {
        let recording = Recording::load("store-tombstone").unwrap();
        let ask = |target: &str| recording.answer("pd0:2379", target);
        let id = |answer: Answer, of: &str| {
            let json: Value = serde_json::from_slice(&answer.body).unwrap();
            (answer.status, json.pointer(of).and_then(Value::as_u64))
        };
        assert_eq!(id(ask("/pd/api/v1/store/216"), "/store/id"), (200, Some(216)));
        assert_eq!(id(ask("/pd/api/v1/region/id/40"), "/id"), (200, Some(40)));
        assert_eq!(id(ask("/pd/api/v1/region/id/41"), "/id"), (200, Some(0)));
        assert_eq!(id(ask("/pd/api/v1/region/key/FF?format=hex"), "/id"), (200, Some(2)));
        let missing = ask("/pd/api/v1/store/7");
        assert_eq!(missing.status, 404);
        assert!(String::from_utf8_lossy(&missing.body).contains("store 7 not found"), "{missing:?}");
        assert_eq!(ask("/pd/api/v1/nothing").status, 404);
    }

    #[test]
    fn only_the_member_that_was_asked_shows_its_metrics() {
        let recording = Recording::load("two-stores-lost").unwrap();
        assert_eq!(recording.answer("pd0:2379", "/metrics").status, 200);
        assert_eq!(recording.answer("pd1:2379", "/metrics").status, 404);
    }

    #[test]
    fn without_a_leader_every_path_has_the_same_answer() {
        let recording = Recording::load("pd-no-quorum").unwrap();
        let answer = recording.answer("pd0:2379", "/pd/api/v1/regions/key?key=&limit=1024");
        assert_eq!(
            (answer.status, &answer.body[..]),
            (500, &b"[PD:apiutil:ErrRedirect]redirect failed\n"[..])
        );
    }
}
