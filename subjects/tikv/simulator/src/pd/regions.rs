//! `/regions…` and `/region/…`.

use std::borrow::Cow;

use serde::Serialize;

use super::answer::{self, Query, number};
use super::memory::Known;
use super::view::View;
use crate::Reply;
use crate::model::{Peer, Role, hex, unhex};

/// How many regions `/regions/key` and the top lists give when they are not told.
const DEFAULT_LIMIT: usize = 16;
const MAX_LIMIT: usize = 10_240;

#[derive(Serialize)]
pub(crate) struct RegionsJson {
    count: usize,
    regions: Vec<RegionJson>,
}

#[derive(Serialize)]
pub(crate) struct RegionJson {
    id: u64,
    start_key: String,
    end_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<Epoch>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peers: Vec<PeerJson>,
    leader: PeerJson,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    down_peers: Vec<DownPeer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pending_peers: Vec<PeerJson>,
    cpu_usage: u64,
    written_bytes: u64,
    read_bytes: u64,
    written_keys: u64,
    read_keys: u64,
    approximate_size: u64,
    approximate_keys: u64,
}

#[derive(Serialize)]
struct Epoch {
    conf_ver: u64,
    version: u64,
}

#[derive(Serialize, Default)]
struct PeerJson {
    role_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_learner: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<u64>,
    /// Left out for voters.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<u64>,
}

#[derive(Serialize)]
struct DownPeer {
    peer: PeerJson,
    down_seconds: u64,
}

#[derive(Serialize)]
struct Count {
    count: u64,
    regions: Option<()>,
}

impl From<Peer> for PeerJson {
    fn from(peer: Peer) -> Self {
        let learner = peer.role == Role::Learner;
        Self {
            role_name: if learner { "Learner" } else { "Voter" },
            is_learner: learner.then_some(true),
            id: Some(peer.id),
            store_id: Some(peer.store),
            role: learner.then_some(1),
        }
    }
}

impl RegionJson {
    pub(crate) fn of(known: &Known) -> Self {
        let region = &known.region;
        Self {
            id: region.id,
            start_key: hex(&region.start),
            end_key: hex(&region.end),
            epoch: Some(Epoch { conf_ver: region.conf_ver, version: region.version }),
            peers: region.peers.iter().copied().map(PeerJson::from).collect(),
            leader: region.leader.map(PeerJson::from).unwrap_or_default(),
            down_peers: (known.down.iter())
                .map(|(peer, down_seconds)| DownPeer { peer: (*peer).into(), down_seconds: *down_seconds })
                .collect(),
            pending_peers: known.pending.iter().copied().map(PeerJson::from).collect(),
            cpu_usage: 0,
            written_bytes: known.written_bytes,
            read_bytes: known.read_bytes,
            written_keys: known.written_keys(),
            read_keys: known.read_keys(),
            approximate_size: known.size_mib(),
            approximate_keys: region.keys(),
        }
    }

    /// What PD says of a region that it does not know.
    pub(crate) fn missing() -> Self {
        Self {
            id: 0,
            start_key: String::new(),
            end_key: String::new(),
            epoch: None,
            peers: Vec::new(),
            leader: PeerJson::default(),
            down_peers: Vec::new(),
            pending_peers: Vec::new(),
            cpu_usage: 0,
            written_bytes: 0,
            read_bytes: 0,
            written_keys: 0,
            read_keys: 0,
            approximate_size: 0,
            approximate_keys: 0,
        }
    }
}

/// A list of regions, as every such endpoint answers.
pub(crate) fn list<'a>(regions: impl Iterator<Item = Cow<'a, Known>>) -> Reply {
    let regions: Vec<_> = regions.map(|known| RegionJson::of(&known)).collect();
    answer::octets(&RegionsJson { count: regions.len(), regions })
}

impl View<'_> {
    pub(crate) fn regions(&self, path: &[&str], query: &Query, raw: &[Vec<u8>]) -> Option<Reply> {
        // `/region/key/{key}`: a key need not be text, so the path may not be there.
        if let [_, b"pd", b"api", b"v1", b"region", b"key", key]
        | [b"pd", b"api", b"v1", b"region", b"key", key] =
            raw.iter().map(Vec::as_slice).collect::<Vec<_>>().as_slice()
        {
            return Some(self.region_by_key(key, query));
        }
        Some(match path {
            ["regions"] => list(self.regions_starting_at(b"")),
            ["regions", "count"] => answer::ok(&Count { count: self.cluster.regions.count(), regions: None }),
            ["regions", "key"] => self.regions_by_key(query),
            ["regions", "store", id] => self.regions_on_store(id, query),
            ["regions", "sibling", id] => self.siblings(id),
            ["regions", "range-holes"] => answer::empty(),
            ["regions", order] => return self.top(order, query),
            ["region", "id", id] => match number::<u64>(id.as_bytes(), "ParseUint") {
                Ok(id) => answer::octets(
                    &self.region(id).map_or_else(RegionJson::missing, |known| RegionJson::of(&known)),
                ),
                Err(message) => answer::error(400, message),
            },
            _ => return None,
        })
    }

    fn region_by_key(&self, key: &[u8], query: &Query) -> Reply {
        match read_key(key, query) {
            Ok(key) => {
                let region = self.pd.bootstrapped_at.and_then(|_| self.regions_first(&key));
                answer::octets(&region.unwrap_or_else(RegionJson::missing))
            }
            Err(message) => answer::error(400, message),
        }
    }

    fn regions_first(&self, key: &[u8]) -> Option<RegionJson> {
        let region = self.cluster.regions.starting_at(key).next()?;
        Some(RegionJson::of(&self.memory.known(self.cluster, region)))
    }

    fn regions_by_key(&self, query: &Query) -> Reply {
        let (start, end) =
            match (read_key(query.first("key"), query), read_key(query.first("end_key"), query)) {
                (Ok(start), Ok(end)) => (start, end),
                (Err(message), _) | (_, Err(message)) => return answer::error(400, message),
            };
        let limit = match limit(query) {
            Ok(limit) => limit,
            Err(message) => return answer::error(400, message),
        };
        let regions: Vec<_> = (self.cluster.regions.starting_at(&start))
            .take_while(|region| end.is_empty() || region.start < end)
            .take(limit)
            .map(|region| RegionJson::of(&self.memory.known(self.cluster, region)))
            .collect();
        answer::octets(&RegionsJson { count: regions.len(), regions })
    }

    fn regions_on_store(&self, id: &str, query: &Query) -> Reply {
        let id = match number::<u64>(id.as_bytes(), "Atoi") {
            Ok(id) => id,
            Err(message) => return answer::error(400, message),
        };
        let leads = |known: &Known| known.region.leader.is_some_and(|leader| leader.store == id);
        let role = |known: &Known| known.region.peer_on(id).map(|peer| peer.role);
        let pending = |known: &Known| known.pending.iter().any(|peer| peer.store == id);
        let wanted: &dyn Fn(&Known) -> bool = match query.first("type") {
            b"" | b"all" => &|known| role(known).is_some(),
            b"leader" => &leads,
            b"follower" => &|known| role(known) == Some(Role::Voter) && !leads(known),
            b"learner" => &|known| role(known) == Some(Role::Learner),
            b"witness" => &|_| false,
            b"pending" => &pending,
            other => {
                let kind = String::from_utf8_lossy(other);
                return answer::error(400, format!("unknown region type: {kind}"));
            }
        };
        list(self.regions_starting_at(b"").filter(|known| wanted(known)))
    }

    fn siblings(&self, id: &str) -> Reply {
        let id = match number::<u64>(id.as_bytes(), "Atoi") {
            Ok(id) => id,
            Err(message) => return answer::error(400, message),
        };
        let Some(region) = self.cluster.regions.get(id) else {
            return answer::error(404, format!("[PD:server:ErrRegionNotFound]region {id} not found"));
        };
        // What is not there is written as the placeholder.
        let left = self.cluster.regions.left_of(&region.start);
        let right = (!region.end.is_empty()).then(|| self.regions_first(&region.end)).flatten();
        let left = left.map(|left| RegionJson::of(&self.memory.known(self.cluster, left)));
        let pair = vec![left.unwrap_or_else(RegionJson::missing), right.unwrap_or_else(RegionJson::missing)];
        answer::octets(&RegionsJson { count: pair.len(), regions: pair })
    }

    /// The largest of all by one figure. Of a computed cluster only the regions that are held take part.
    fn top(&self, order: &str, query: &Query) -> Option<Reply> {
        let figure: fn(&Known) -> u64 = match order {
            "writeflow" => |known| known.written_bytes,
            "readflow" => |known| known.read_bytes,
            "writequery" => Known::written_keys,
            "readquery" => Known::read_keys,
            "size" => Known::size_mib,
            "keys" => |known| known.region.keys(),
            "confver" => |known| known.region.conf_ver,
            "version" => |known| known.region.version,
            "cpu" => |_| 0,
            _ => return None,
        };
        let limit = match limit(query) {
            Ok(limit) => limit,
            Err(message) => return Some(answer::error(400, message)),
        };
        let mut regions: Vec<_> = self.held().collect();
        regions.sort_by_key(|known| (std::cmp::Reverse(figure(known)), known.region.id));
        Some(list(regions.into_iter().take(limit).map(Cow::Borrowed)))
    }
}

/// No limit is 16, more than 10,240 is 10,240, and nothing or less is everything.
fn limit(query: &Query) -> Result<usize, String> {
    if !query.has("limit") {
        return Ok(DEFAULT_LIMIT);
    }
    let limit = number::<i64>(query.first("limit"), "Atoi")?;
    Ok(match usize::try_from(limit) {
        Err(_) | Ok(0) => usize::MAX,
        Ok(limit) => limit.min(MAX_LIMIT),
    })
}

fn read_key(key: &[u8], query: &Query) -> Result<Vec<u8>, String> {
    if query.first("format") == b"hex" { unhex(key) } else { Ok(key.to_vec()) }
}
