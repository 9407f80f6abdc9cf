//! From PD's JSON to the core's types: the only place that knows a unit, and what PD means by leaving something out.

mod units;

pub(crate) use units::{from_seconds, go_duration};

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use operator_core::{
    DownPeer, Epoch, HotKind, HotRegion, KeyRange, Member, Peer, PeerRole, Region, RegionId, Store, StoreId,
    StoreState,
};
use units::{MIB, amount, from_nanoseconds, size_bytes};

use super::types::{Members, ReplicationConfig, SchedulingOperator, StoreInfo};
use super::wire;

impl From<wire::StoreAnswer> for StoreInfo {
    fn from(answer: wire::StoreAnswer) -> Self {
        let (store, status) = (answer.store, answer.status);
        // A leader that has not heard from a store since it leads shows its sizes as `0B`.
        let capacity = size_bytes(&status.capacity).filter(|bytes| *bytes > 0);
        let heard = capacity.is_some();
        let size = |text: &str| size_bytes(text).filter(|_| heard);
        let count = |count: u64| (heard || count > 0).then_some(count);
        let state = store_state(&store.state_name);
        let last_heartbeat = from_nanoseconds(store.last_heartbeat);
        let mut known = Store::new(store.id.into(), store.address, state);
        known.status_address = Some(store.status_address).filter(|address| !address.is_empty());
        known.version = Some(store.version).filter(|version| !version.is_empty());
        known.labels = store.labels.into_iter().map(|label| (label.key, label.value)).collect();
        known.available_bytes = size(&status.available);
        known.used_bytes = size(&status.used_size);
        known.capacity_bytes = capacity;
        known.leader_count = count(status.leader_count);
        known.region_count = count(status.region_count);
        known.started_at = from_seconds(store.start_timestamp);
        known.last_heartbeat = last_heartbeat;
        Self {
            store: known,
            heard_by_leader: heard,
            region_size_bytes: u64::try_from(status.region_size).ok().map(|mib| mib.saturating_mul(MIB)),
            leader_weight: status.leader_weight,
            region_weight: status.region_weight,
            leader_score: heard.then_some(status.leader_score),
            region_score: heard.then_some(status.region_score),
            pending_peer_count: heard.then_some(status.pending_peer_count),
            sending_snapshot_count: heard.then_some(status.sending_snap_count),
            receiving_snapshot_count: heard.then_some(status.receiving_snap_count),
            slow_score: status.slow_score,
            busy: heard.then_some(status.is_busy),
        }
    }
}

fn store_state(name: &str) -> StoreState {
    match name {
        "Up" => StoreState::Up,
        "Disconnected" => StoreState::Disconnected,
        "Down" => StoreState::Down,
        "Offline" => StoreState::Offline,
        "Tombstone" => StoreState::Tombstone,
        _ => StoreState::Unknown,
    }
}

impl From<wire::Region> for Region {
    fn from(region: wire::Region) -> Self {
        let epoch = Epoch { conf_ver: region.epoch.conf_ver, version: region.epoch.version };
        let mut known = Self::new(region.id.into(), KeyRange::new(region.start_key, region.end_key), epoch);
        known.leader = (region.leader.id != 0).then(|| peer(region.leader));
        known.peers = region.peers.into_iter().map(peer).collect();
        known.pending_peers = region.pending_peers.into_iter().map(peer).collect();
        known.down_peers = region.down_peers.into_iter().map(down_peer).collect();
        // 0 stands for: no leader has reported to this leader of PD yet. A region of which one has is at least 1 MiB.
        let reported = region.approximate_size.and_then(|mib| u64::try_from(mib).ok()).filter(|mib| *mib > 0);
        let flow = |amount: Option<u64>| amount.filter(|amount| reported.is_some() || *amount > 0);
        known.approximate_size_bytes = reported.map(|mib| mib.saturating_mul(MIB));
        known.approximate_keys = flow(region.approximate_keys.and_then(|keys| u64::try_from(keys).ok()));
        known.written_bytes = flow(region.written_bytes);
        known.written_keys = flow(region.written_keys);
        known.read_bytes = flow(region.read_bytes);
        known.read_keys = flow(region.read_keys);
        known
    }
}

fn peer(peer: wire::Peer) -> Peer {
    let role = match peer.role {
        0 => PeerRole::Voter,
        1 => PeerRole::Learner,
        2 => PeerRole::IncomingVoter,
        3 => PeerRole::DemotingVoter,
        _ => PeerRole::Unknown,
    };
    Peer { id: peer.id.into(), store_id: peer.store_id.into(), role }
}

fn down_peer(down: wire::DownPeer) -> DownPeer {
    DownPeer { peer: peer(down.peer), down_for: down.down_seconds.map(Duration::from_secs) }
}

/// The region, unless it is the one with the id 0 that stands for none.
pub(crate) fn existing(region: wire::Region) -> Option<Region> {
    (region.id != 0).then(|| region.into())
}

/// The hot regions of one kind, one entry a region with its leader's store, the largest flow in bytes first.
///
/// PD tells writes by peer and by leader, and fills not every number in both: the larger one is taken.
pub(crate) fn hot_regions(answer: wire::HotRegions, kind: HotKind) -> Vec<HotRegion> {
    let mut hottest: HashMap<u64, HotRegion> = HashMap::new();
    let leaders = answer.as_leader.into_values().flat_map(|store| store.statistics).map(|hot| (hot, true));
    let peers = answer.as_peer.into_values().flat_map(|store| store.statistics);
    for (hot, leads) in leaders.chain(peers.map(|hot| (hot, hot.is_leader))) {
        // Followers repeat what their leader writes.
        if !leads || hot.region_id == 0 {
            continue;
        }
        let (bytes, keys) = (amount(hot.flow_bytes).unwrap_or(0.0), amount(hot.flow_keys).unwrap_or(0.0));
        let entry = hottest.entry(hot.region_id).or_insert_with(|| {
            HotRegion::new(RegionId(hot.region_id), StoreId(hot.store_id), kind, bytes, keys)
        });
        entry.bytes_per_second = entry.bytes_per_second.max(bytes);
        entry.keys_per_second = entry.keys_per_second.max(keys);
        let queries = [entry.queries_per_second, amount(hot.flow_query)];
        entry.queries_per_second = queries.into_iter().flatten().reduce(f64::max);
        entry.hot_degree = entry.hot_degree.max(u64::try_from(hot.hot_degree).ok());
    }
    let mut ranked: Vec<_> = hottest.into_values().collect();
    ranked.sort_by(hotter_first);
    ranked
}

/// The order in which hot regions are ranked: by flow in bytes, then in keys, then by id.
pub(crate) fn hotter_first(a: &HotRegion, b: &HotRegion) -> std::cmp::Ordering {
    b.bytes_per_second
        .total_cmp(&a.bytes_per_second)
        .then(b.keys_per_second.total_cmp(&a.keys_per_second))
        .then(a.region_id.cmp(&b.region_id))
        .then(a.kind.cmp(&b.kind))
}

/// The members with their health; a member that `health` does not know has none.
pub(crate) fn members(answer: wire::Members, health: Option<Vec<wire::Health>>) -> Members {
    let health: BTreeMap<u64, bool> =
        health.into_iter().flatten().map(|member| (member.member_id, member.health)).collect();
    let leader = answer.leader.member_id;
    let members = answer
        .members
        .into_iter()
        .map(|member| {
            let mut known = Member::new(member.name, member.member_id.into());
            known.client_urls = member.client_urls;
            known.healthy = health.get(&member.member_id).copied();
            known.leader = leader != 0 && member.member_id == leader;
            known
        })
        .collect();
    Members {
        cluster_id: answer.header.cluster_id,
        members,
        etcd_leader: (answer.etcd_leader.member_id != 0).then(|| answer.etcd_leader.member_id.into()),
    }
}

impl From<wire::SchedulingOperator> for SchedulingOperator {
    fn from(operator: wire::SchedulingOperator) -> Self {
        let text = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            region_id: operator.region_id.into(),
            description: operator.desc,
            brief: text(operator.brief),
            kind: text(operator.kind.0),
            status: text(operator.status.0),
            timeout: go_duration(&operator.timeout.0),
        }
    }
}

impl From<wire::ReplicateConfig> for ReplicationConfig {
    fn from(config: wire::ReplicateConfig) -> Self {
        let flag = |text: wire::LooseText| match text.0.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        let labels = config.location_labels.split(',').map(str::trim);
        Self {
            max_replicas: config.max_replicas,
            location_labels: labels.filter(|label| !label.is_empty()).map(str::to_owned).collect(),
            isolation_level: Some(config.isolation_level).filter(|level| !level.is_empty()),
            strictly_match_label: flag(config.strictly_match_label),
            placement_rules: flag(config.enable_placement_rules),
        }
    }
}
