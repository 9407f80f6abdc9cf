//! `/hotspot/…`: the regions and stores with the most flow. The load is raw puts and gets, as in the recordings: PD
//! counts no queries of raw puts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::{self, Query, number};
use super::memory::{Known, StoreState};
use super::text::{Float, moment};
use super::view::View;
use crate::Reply;
use crate::model::{RECORD_BYTES, Role};

/// A region is listed once it was hot for this many heartbeats (`hot-region-cache-hits-threshold`).
const HITS: u32 = 3;

#[derive(Serialize)]
struct Hot {
    as_peer: BTreeMap<String, HotStore>,
    as_leader: BTreeMap<String, HotStore>,
}

#[derive(Serialize)]
struct HotStore {
    store_bytes: Float,
    store_keys: Float,
    store_query: Float,
    total_flow_bytes: Float,
    total_flow_keys: Float,
    total_flow_query: Float,
    regions_count: usize,
    statistics: Vec<HotPeer>,
}

#[derive(Serialize)]
struct HotPeer {
    store_id: u64,
    stores: Vec<u64>,
    is_leader: bool,
    is_learner: bool,
    region_id: u64,
    hot_degree: u32,
    flow_bytes: Float,
    flow_keys: Float,
    flow_query: Float,
    anti_count: u32,
    last_update_time: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct HotStores {
    bytes_write_rate: BTreeMap<String, Float>,
    bytes_read_rate: BTreeMap<String, Float>,
    keys_write_rate: BTreeMap<String, Float>,
    keys_read_rate: BTreeMap<String, Float>,
    query_write_rate: BTreeMap<String, Float>,
    query_read_rate: BTreeMap<String, Float>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Write,
    Read,
}

impl View<'_> {
    pub(crate) fn hotspot(&self, path: &[&str], query: &Query) -> Option<Reply> {
        Some(match path {
            ["hotspot", "regions", "write"] => self.hot_regions(Kind::Write, query),
            ["hotspot", "regions", "read"] => self.hot_regions(Kind::Read, query),
            ["hotspot", "stores"] => self.hot_stores(),
            ["hotspot", "buckets"] => answer::ok(&BTreeMap::<String, u64>::new()),
            _ => return None,
        })
    }

    /// The stores of which PD keeps flow. Tombstones stay in it.
    fn flows(&self) -> impl Iterator<Item = (u64, f64, f64)> {
        self.pd.stores.keys().map(|id| {
            let load = self
                .pd
                .beat(*id)
                .filter(|_| self.pd.stores.get(id).is_some_and(|meta| meta.state != StoreState::Tombstone));
            let load = load.map(|beat| beat.load).unwrap_or_default();
            let tenth = |value: f64| (value * 10.0).round() / 10.0;
            (*id, tenth(load.written_bytes_per_second), tenth(load.read_bytes_per_second))
        })
    }

    fn hot_regions(&self, kind: Kind, query: &Query) -> Reply {
        let mut wanted = Vec::new();
        for id in query.all("store_id") {
            match number::<u64>(id, "ParseUint") {
                Ok(id) if self.pd.stores.contains_key(&id) => wanted.push(id),
                Ok(id) => {
                    return answer::error(500, format!("[PD:core:ErrStoreNotFound]store {id} not found"));
                }
                Err(message) => return answer::error(400, format!("invalid store id: {message}")),
            }
        }
        let stores: Vec<_> = (self.flows())
            .filter(|(id, ..)| wanted.is_empty() || wanted.contains(id))
            .filter(|(id, ..)| self.pd.stores.get(id).is_some_and(|meta| meta.state != StoreState::Tombstone))
            .collect();
        let by = |leaders_only: bool| {
            stores
                .iter()
                .map(|(id, written, read)| {
                    let bytes = if kind == Kind::Write { *written } else { *read };
                    (id.to_string(), self.hot_store(kind, *id, bytes, leaders_only))
                })
                .collect()
        };
        answer::ok(&Hot { as_peer: by(false), as_leader: by(true) })
    }

    fn hot_store(&self, kind: Kind, id: u64, bytes: f64, leaders_only: bool) -> HotStore {
        let statistics: Vec<_> =
            self.held().filter_map(|known| hot_peer(kind, id, known, leaders_only)).collect();
        let sum = |get: fn(&HotPeer) -> Float| Float(statistics.iter().map(|peer| get(peer).0).sum());
        // Of a store's writes as leader PD knows those of hot regions only.
        let tenth = |value: f64| Float((value * 10.0).round() / 10.0);
        let of_hot = kind == Kind::Write && leaders_only;
        HotStore {
            store_bytes: if of_hot { sum(|peer| peer.flow_bytes) } else { Float(bytes) },
            store_keys: if of_hot { sum(|peer| peer.flow_keys) } else { tenth(bytes / RECORD_BYTES) },
            store_query: if kind == Kind::Write { Float(0.0) } else { tenth(bytes / RECORD_BYTES) },
            total_flow_bytes: sum(|peer| peer.flow_bytes),
            total_flow_keys: sum(|peer| peer.flow_keys),
            total_flow_query: sum(|peer| peer.flow_query),
            regions_count: statistics.len(),
            statistics,
        }
    }

    /// For each store, what `pd_hotspot_status` says: the name of a type and its value.
    pub(crate) fn hot_flows(&self) -> Vec<(u64, Vec<(String, f64)>)> {
        let of = |id, written, read| {
            let mut flows = Vec::new();
            for (kind, name, bytes) in [(Kind::Read, "read", read), (Kind::Write, "write", written)] {
                for (leaders_only, role) in [(true, "leader"), (false, "peer")] {
                    let hot = self.hot_store(kind, id, bytes, leaders_only);
                    flows.push((format!("hot_{name}_region_as_{role}"), hot.regions_count as f64));
                    for (what, flow) in [
                        ("bytes", hot.total_flow_bytes),
                        ("keys", hot.total_flow_keys),
                        ("query", hot.total_flow_query),
                    ] {
                        flows.push((format!("total_{name}_{what}_as_{role}"), flow.0));
                    }
                }
            }
            flows.sort_by(|(one, _), (other, _)| one.cmp(other));
            flows
        };
        self.flows().map(|(id, written, read)| (id, of(id, written, read))).collect()
    }

    fn hot_stores(&self) -> Reply {
        let map = |get: fn(f64, f64) -> f64| {
            (self.flows())
                .map(|(id, written, read)| {
                    (id.to_string(), Float((get(written, read) * 10.0).round() / 10.0))
                })
                .collect::<BTreeMap<_, _>>()
        };
        answer::ok(&HotStores {
            bytes_write_rate: map(|written, _| written),
            bytes_read_rate: map(|_, read| read),
            keys_write_rate: map(|written, _| written / RECORD_BYTES),
            keys_read_rate: map(|_, read| read / RECORD_BYTES),
            query_write_rate: map(|_, _| 0.0),
            query_read_rate: map(|_, read| read / RECORD_BYTES),
        })
    }
}

fn hot_peer(kind: Kind, store: u64, known: &Known, leaders_only: bool) -> Option<HotPeer> {
    let region = &known.region;
    let peer = region.peer_on(store)?;
    let is_leader = region.leader == Some(peer);
    // Only leaders serve reads.
    if !known.reported || (!is_leader && (leaders_only || kind == Kind::Read)) {
        return None;
    }
    let (degree, bytes) = match kind {
        Kind::Write => (known.hot_writes, known.written_bytes),
        Kind::Read => (known.hot_reads, known.read_bytes),
    };
    if degree < HITS {
        return None;
    }
    let flow = (bytes as f64 / 60.0).round();
    let keys = (flow / RECORD_BYTES).round();
    Some(HotPeer {
        store_id: store,
        stores: region.peers.iter().map(|peer| peer.store).collect(),
        is_leader,
        is_learner: peer.role == Role::Learner,
        region_id: region.id,
        hot_degree: degree,
        flow_bytes: Float(flow),
        flow_keys: Float(keys),
        flow_query: Float(if kind == Kind::Read { keys } else { 0.0 }),
        anti_count: 2,
        last_update_time: moment(
            known.at - chrono::TimeDelta::nanoseconds(known.at.timestamp_subsec_nanos().into()),
        ),
    })
}
