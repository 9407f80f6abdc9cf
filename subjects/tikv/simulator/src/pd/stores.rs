//! `/stores`, `/store/{id}`, `/stores/limit`, `/stores/progress`.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Serialize;

use super::answer::{self, Query, number};
use super::memory::{Limits, StoreBeat, StoreMeta, StoreState};
use super::text::{Float, duration, moment, size};
use super::view::{Totals, View};
use crate::Reply;

#[derive(Serialize)]
struct Stores {
    count: usize,
    stores: Vec<StoreJson>,
}

#[derive(Serialize)]
struct StoreJson {
    store: Meta,
    status: Status,
}

#[derive(Serialize)]
struct Meta {
    id: u64,
    address: String,
    #[serde(skip_serializing_if = "is_zero")]
    state: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<Label>,
    version: &'static str,
    peer_address: String,
    status_address: String,
    git_hash: &'static str,
    start_timestamp: i64,
    deploy_path: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_heartbeat: Option<i64>,
    #[serde(skip_serializing_if = "is_false")]
    physically_destroyed: bool,
    node_state: u64,
    state_name: &'static str,
}

#[derive(Serialize)]
struct Label {
    key: String,
    value: String,
}

#[derive(Serialize)]
struct Status {
    capacity: String,
    available: String,
    used_size: String,
    leader_count: u64,
    leader_weight: Float,
    leader_score: Float,
    leader_size: u64,
    region_count: u64,
    region_weight: Float,
    region_score: Float,
    region_size: u64,
    #[serde(skip_serializing_if = "is_zero")]
    learner_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pending_peer_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    slow_score: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_trend: Option<SlowTrend>,
    start_ts: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_heartbeat_ts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime: Option<String>,
}

#[derive(Serialize)]
struct SlowTrend {
    cause_value: Float,
    cause_rate: Float,
    result_value: Float,
    result_rate: Float,
}

#[derive(Serialize)]
struct Limit {
    #[serde(rename = "add-peer")]
    add_peer: Float,
    #[serde(rename = "remove-peer")]
    remove_peer: Float,
}

#[derive(Serialize)]
struct Progress {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<u64>,
    progress: Float,
    current_speed: Float,
    left_seconds: Float,
}

pub(crate) const TIKV_VERSION: &str = "9.0.0-beta.2";

fn is_zero(value: &u64) -> bool {
    *value == 0
}

fn is_false(value: &bool) -> bool {
    !value
}

/// PD's score of how full a store is (formula v2): mostly the size of its regions, mostly the missing space once less
/// than 50 GiB are free.
pub(crate) fn region_score(beat: Option<&StoreBeat>, region_mib: u64) -> f64 {
    const GIB: f64 = 1_073_741_824.0;
    let size = region_mib as f64;
    let Some(beat) = beat else { return size };
    let (capacity, available) = (beat.capacity_bytes as f64 / GIB, beat.available_bytes as f64 / GIB);
    let (k, m, full) = (1.0, 256.0, 50.0);
    if capacity < 1.0 || available >= capacity {
        size
    } else if available > full {
        (k + m * (capacity.ln() - (available - full + 1.0).ln()) / (capacity - available + full - 1.0)) * size
    } else {
        (k + m * capacity.ln() / capacity) * size + 1e10 * (full - available) / full
    }
}

/// How far a store is that leaves.
pub(crate) struct Removal {
    /// Between 0 and 1.
    pub(crate) progress: f64,
    pub(crate) speed: f64,
    /// `f64::MAX` while nothing has moved.
    pub(crate) left_seconds: f64,
}

impl View<'_> {
    pub(crate) fn stores(&self, path: &[&str], query: &Query) -> Option<Reply> {
        Some(match path {
            ["stores"] => self.list(query),
            ["stores", "check"] => self.check(query),
            ["store", id] => self.one(id),
            ["stores", "limit"] => {
                let limits: BTreeMap<_, _> = (self.pd.stores.iter())
                    .filter(|(_, meta)| meta.state != StoreState::Tombstone)
                    .map(|(id, meta)| {
                        let Limits { add_peer, remove_peer } = meta.limits;
                        (id.to_string(), Limit { add_peer: Float(add_peer), remove_peer: Float(remove_peer) })
                    })
                    .collect();
                answer::ok(&limits)
            }
            ["stores", "progress"] => self.progress(query),
            _ => return None,
        })
    }

    fn list(&self, query: &Query) -> Reply {
        let mut wanted = Vec::new();
        for state in query.all("state") {
            match number::<u64>(state, "Atoi") {
                Ok(0) => wanted.push(StoreState::Up),
                Ok(1) => wanted.push(StoreState::Offline),
                Ok(2) => wanted.push(StoreState::Tombstone),
                Ok(other) => return answer::error(400, format!("unknown StoreState: {other}")),
                Err(message) => return answer::error(400, message),
            }
        }
        if wanted.is_empty() {
            wanted.extend([StoreState::Up, StoreState::Offline]);
        }
        self.answer_stores(|_, meta| wanted.contains(&meta.state))
    }

    fn check(&self, query: &Query) -> Reply {
        let states = ["Up", "Offline", "Tombstone", "Disconnected", "Down"];
        let mut wanted = Vec::new();
        for state in query.all("state").map(String::from_utf8_lossy) {
            match states.iter().find(|name| name.eq_ignore_ascii_case(&state)) {
                Some(name) => wanted.push(*name),
                None => return answer::error(400, format!("unknown StoreState: {state}")),
            }
        }
        self.answer_stores(|id, _| {
            wanted.is_empty() || wanted.contains(&self.pd.state_name(self.cluster, id))
        })
    }

    fn answer_stores(&self, wanted: impl Fn(u64, &StoreMeta) -> bool) -> Reply {
        let totals = self.totals();
        let stores: Vec<_> = (self.pd.stores.iter())
            .filter(|(id, meta)| wanted(**id, meta))
            .filter_map(|(id, meta)| self.describe(*id, meta, totals.get(id).copied().unwrap_or_default()))
            .collect();
        answer::ok(&Stores { count: stores.len(), stores })
    }

    fn one(&self, id: &str) -> Reply {
        let id = match number::<u64>(id.as_bytes(), "ParseUint") {
            Ok(id) => id,
            Err(message) => return answer::input_error(&message),
        };
        let totals = self.totals().get(&id).copied().unwrap_or_default();
        match self.pd.stores.get(&id).and_then(|meta| self.describe(id, meta, totals)) {
            Some(store) => answer::ok(&store),
            None => answer::error(404, format!("[PD:core:ErrStoreNotFound]store {id} not found")),
        }
    }

    fn describe(&self, id: u64, meta: &StoreMeta, totals: Totals) -> Option<StoreJson> {
        let store = self.cluster.stores.get(&id)?;
        let beat = self.pd.beat(id);
        let at = self.pd.last_beat(id);
        let bytes = |get: fn(&StoreBeat) -> u64| size(beat.map_or(0, get));
        let uptime = at.map(|at| (at - meta.started_at).max(TimeDelta::zero()));
        Some(StoreJson {
            store: Meta {
                id,
                address: store.address.clone(),
                state: meta.state as u64,
                labels: (meta.labels.iter())
                    .map(|(key, value)| Label { key: key.clone(), value: value.clone() })
                    .collect(),
                version: TIKV_VERSION,
                peer_address: store.address.clone(),
                status_address: store.status_address.clone(),
                git_hash: "Unknown git hash",
                start_timestamp: meta.started_at.timestamp(),
                deploy_path: "/usr/local/bin",
                last_heartbeat: at.and_then(|at| at.timestamp_nanos_opt()),
                physically_destroyed: meta.destroyed,
                node_state: match meta.state {
                    StoreState::Up => 1,
                    StoreState::Offline => 2,
                    StoreState::Tombstone => 3,
                },
                state_name: self.pd.state_name(self.cluster, id),
            },
            status: Status {
                capacity: bytes(|beat| beat.capacity_bytes),
                available: bytes(|beat| beat.available_bytes),
                used_size: bytes(|beat| beat.used_bytes),
                leader_count: totals.leaders,
                leader_weight: Float(meta.leader_weight),
                leader_score: Float(totals.leaders as f64 / meta.leader_weight.max(1e-6)),
                leader_size: totals.leader_mib,
                region_count: totals.peers,
                region_weight: Float(meta.region_weight),
                region_score: Float(region_score(beat, totals.peer_mib) / meta.region_weight.max(1e-6)),
                region_size: totals.peer_mib,
                learner_count: totals.learners,
                pending_peer_count: totals.pending,
                slow_score: beat.map_or(0, |beat| beat.slow_score),
                slow_trend: beat.map(|beat| SlowTrend {
                    // Microseconds of a disk write, and requests a second.
                    cause_value: Float(if beat.slow { 4_812_345.5 } else { 253_127.5 }),
                    cause_rate: Float(0.0),
                    result_value: Float((beat.load.read_bytes_per_second / 1_024.0).round() / 2.0),
                    result_rate: Float(0.0),
                }),
                start_ts: moment(meta.started_at),
                last_heartbeat_ts: at.map(moment),
                uptime: uptime.filter(|uptime| !uptime.is_zero()).map(duration),
            },
        })
    }

    /// How far a store is that leaves.
    pub(crate) fn removal(&self, id: u64, meta: &StoreMeta) -> Removal {
        let left = self.totals().get(&id).map_or(0, |totals| totals.peers);
        let done = meta.regions_to_remove.saturating_sub(left);
        let seconds = meta.offline_since.map_or(0.0, |at| (self.cluster.now - at).as_seconds_f64());
        let speed = done as f64 / seconds.max(1.0);
        Removal {
            progress: done as f64 / (meta.regions_to_remove.max(1)) as f64,
            // Nothing moved yet: PD says it takes for ever.
            left_seconds: if speed > 0.0 { (left as f64 / speed).ceil() } else { f64::MAX },
            speed: speed.ceil(),
        }
    }

    fn progress(&self, query: &Query) -> Reply {
        let removing = |id: &u64, meta: &StoreMeta| {
            let removal = self.removal(*id, meta);
            (Float(removal.progress), Float(removal.speed), Float(removal.left_seconds))
        };
        let leaving = |id: &u64| self.pd.stores.get(id).filter(|meta| meta.state == StoreState::Offline);
        if query.has("id") {
            let id = match number::<u64>(query.first("id"), "ParseUint") {
                Ok(id) => id,
                Err(message) => return answer::error(400, message),
            };
            return match leaving(&id) {
                Some(meta) => {
                    let (progress, current_speed, left_seconds) = removing(&id, meta);
                    let progress = Progress {
                        action: "removing",
                        store_id: Some(id),
                        progress,
                        current_speed,
                        left_seconds,
                    };
                    answer::ok(&progress)
                }
                None => answer::error(
                    404,
                    format!(
                        "[PD:progress:ErrProgressNotFound]no progress found for the given store ID: {id}"
                    ),
                ),
            };
        }
        let action = String::from_utf8_lossy(query.first("action")).into_owned();
        if action.is_empty() {
            return answer::error(400, "need query parameters");
        }
        let all: Vec<_> = (self.pd.stores.iter())
            .filter(|(_, meta)| action == "removing" && meta.state == StoreState::Offline)
            .map(|(id, meta)| removing(id, meta))
            .collect();
        let count = all.len() as f64;
        if all.is_empty() {
            let message =
                format!("[PD:progress:ErrProgressNotFound]no progress found for the action: {action}");
            return answer::error(404, message);
        }
        let average =
            |get: fn(&(Float, Float, Float)) -> f64| Float(all.iter().map(get).sum::<f64>() / count);
        answer::ok(&Progress {
            action: "removing",
            store_id: None,
            progress: average(|all| all.0.0),
            current_speed: average(|all| all.1.0),
            left_seconds: Float(all.iter().map(|all| all.2.0).fold(0.0, f64::max)),
        })
    }
}
