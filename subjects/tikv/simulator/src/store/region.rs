//! `/region/{id}`: what a peer knows of itself. This is the truth when PD is wrong.

use std::collections::BTreeMap;

use serde::Serialize;

use super::JSON;
use crate::Reply;
use crate::model::{Cluster, Peer, Region, Role};
use crate::random::hash;

#[derive(Serialize)]
struct Answer {
    group_state: &'static str,
    raft_status: RaftStatus,
    raft_apply: RaftApply,
    region_state: RegionState,
    bucket_keys: [u8; 0],
}

#[derive(Serialize)]
struct RaftStatus {
    id: u64,
    hard_state: HardState,
    soft_state: SoftState,
    applied: u64,
    voters: BTreeMap<String, Progress>,
    learners: BTreeMap<String, Progress>,
    last_index: u64,
    persisted_index: u64,
}

#[derive(Serialize)]
struct HardState {
    term: u64,
    vote: u64,
    commit: u64,
}

#[derive(Serialize)]
struct SoftState {
    leader_id: u64,
    raft_state: &'static str,
}

#[derive(Serialize)]
struct Progress {
    matched: u64,
    next_idx: u64,
    state: &'static str,
    paused: bool,
    pending_snapshot: u64,
    pending_request_snapshot: u64,
    recent_active: bool,
}

#[derive(Serialize)]
struct RaftApply {
    applied_index: u64,
    commit_index: u64,
    commit_term: u64,
    truncated_state: Truncated,
}

#[derive(Serialize)]
struct Truncated {
    index: u64,
    term: u64,
}

#[derive(Serialize)]
struct RegionState {
    id: u64,
    start_key: Vec<u8>,
    end_key: Vec<u8>,
    epoch: Epoch,
    peers: Vec<PeerJson>,
    merge_state: Option<()>,
    tablet_index: u64,
}

#[derive(Serialize)]
struct Epoch {
    conf_ver: u64,
    version: u64,
}

#[derive(Serialize)]
struct PeerJson {
    id: u64,
    store_id: u64,
    role: &'static str,
    is_witness: bool,
}

pub(crate) fn answer(cluster: &Cluster, store: u64, id: u64) -> Reply {
    let region = cluster.regions.get(id);
    let Some((region, peer)) = region.and_then(|region| region.peer_on(store).map(|peer| (region, peer)))
    else {
        return Reply::new(404, None, format!("region({id}) not found"));
    };
    match serde_json::to_vec(&describe(cluster, &region, peer)) {
        Ok(body) => Reply::new(200, Some(JSON), body),
        Err(error) => Reply::new(500, None, error.to_string()),
    }
}

fn describe(cluster: &Cluster, region: &Region, peer: Peer) -> Answer {
    let leads = region.leader == Some(peer);
    // The log is as long as much was written to the region.
    let index = 10 + (region.size_bytes / 65_536.0) as u64 + hash(cluster.seed, region.id, 41) % 64;
    let progress = |role: Role| {
        let peers = region.peers.iter().filter(|peer| leads && peer.role == role);
        peers
            .map(|peer| {
                let active = cluster.is_alive(peer.store);
                let progress = Progress {
                    matched: index,
                    next_idx: index + 1,
                    state: if active { "Replicate" } else { "Probe" },
                    paused: !active,
                    pending_snapshot: 0,
                    pending_request_snapshot: 0,
                    recent_active: active,
                };
                (peer.id.to_string(), progress)
            })
            .collect()
    };
    Answer {
        group_state: match region.leader {
            None => "Chaos",
            Some(_) if region.load.written_bytes_per_second >= 1_024.0 => "Ordered",
            Some(_) => "Idle",
        },
        raft_status: RaftStatus {
            id: peer.id,
            hard_state: HardState { term: region.term, vote: region.voted, commit: index },
            soft_state: SoftState {
                leader_id: region.leader.map_or(0, |leader| leader.id),
                raft_state: match region.leader {
                    None => "PreCandidate",
                    Some(_) if leads => "Leader",
                    Some(_) => "Follower",
                },
            },
            applied: index,
            voters: progress(Role::Voter),
            learners: progress(Role::Learner),
            last_index: index,
            persisted_index: index,
        },
        raft_apply: RaftApply {
            applied_index: index,
            commit_index: index,
            commit_term: region.term,
            truncated_state: Truncated { index: index.saturating_sub(2).max(5), term: region.term.min(6) },
        },
        region_state: RegionState {
            id: region.id,
            start_key: region.start.clone(),
            end_key: region.end.clone(),
            epoch: Epoch { conf_ver: region.conf_ver, version: region.version },
            peers: (region.peers.iter())
                .map(|peer| PeerJson {
                    id: peer.id,
                    store_id: peer.store,
                    role: if peer.role == Role::Learner { "Learner" } else { "Voter" },
                    is_witness: false,
                })
                .collect(),
            merge_state: None,
            tablet_index: 0,
        },
        bucket_keys: [],
    }
}
