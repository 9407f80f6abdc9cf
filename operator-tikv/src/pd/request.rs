//! The paths PD is asked by, all of version 1 of its API.

use std::fmt::Write;

use operator_core::{HotKind, Key, RegionId, RegionProblem, StoreId};

pub(crate) const STORES: &str = "/pd/api/v1/stores";
/// Tombstones: 2 is `metapb.StoreState`'s number for them.
pub(crate) const STORES_REMOVED: &str = "/pd/api/v1/stores?state=2";
pub(crate) const MEMBERS: &str = "/pd/api/v1/members";
pub(crate) const HEALTH: &str = "/pd/api/v1/health";
pub(crate) const STATUS: &str = "/pd/api/v1/status";
pub(crate) const VERSION: &str = "/pd/api/v1/version";
pub(crate) const CLUSTER: &str = "/pd/api/v1/cluster";
pub(crate) const CLUSTER_STATUS: &str = "/pd/api/v1/cluster/status";
pub(crate) const REGION_COUNT: &str = "/pd/api/v1/regions/count";
pub(crate) const REPLICATE_CONFIG: &str = "/pd/api/v1/config/replicate";
pub(crate) const SCHEDULE_CONFIG: &str = "/pd/api/v1/config/schedule";
pub(crate) const STORE_LIMITS: &str = "/pd/api/v1/stores/limit";
pub(crate) const CONFIG: &str = "/pd/api/v1/config";
pub(crate) const SCHEDULERS: &str = "/pd/api/v1/schedulers";
pub(crate) const SCHEDULERS_PAUSED: &str = "/pd/api/v1/schedulers?status=paused";
/// As prose: of a count nothing else is needed, and every version has it.
pub(crate) const OPERATORS_PROSE: &str = "/pd/api/v1/operators";
pub(crate) const EVICT_LEADER: &str = "/pd/api/v1/scheduler-config/evict-leader-scheduler/list";
/// The average of all stores that are being removed.
pub(crate) const REMOVALS: &str = "/pd/api/v1/stores/progress?action=removing";
pub(crate) const OPERATORS: &str = "/pd/api/v1/operators?object=true";

pub(crate) fn store(id: StoreId) -> String {
    format!("/pd/api/v1/store/{id}")
}

/// What PD does to a region, or did last.
pub(crate) fn operator(region: RegionId) -> String {
    format!("/pd/api/v1/operators/{region}")
}

pub(crate) fn checker(name: &str) -> String {
    format!("/pd/api/v1/checker/{name}")
}

pub(crate) fn removal(id: StoreId) -> String {
    format!("/pd/api/v1/stores/progress?id={id}")
}

pub(crate) fn region(id: RegionId) -> String {
    format!("/pd/api/v1/region/id/{id}")
}

pub(crate) fn region_by_key(key: &Key) -> String {
    format!("/pd/api/v1/region/key/{key}?format=hex")
}

/// Regions in key order from the one that holds `start`, at most `limit`, which must not be 0: that is *all* for PD.
pub(crate) fn regions(start: &Key, end: &Key, limit: usize) -> String {
    let mut path = format!("/pd/api/v1/regions/key?format=hex&limit={limit}&key={start}");
    if !end.is_empty() {
        // Writing to a String does not fail.
        let _ = write!(path, "&end_key={end}");
    }
    path
}

pub(crate) fn hot_regions(kind: HotKind) -> String {
    format!("/pd/api/v1/hotspot/regions/{kind}")
}

/// The check that lists the regions with `problem`, if PD has one.
pub(crate) fn check(problem: RegionProblem) -> Option<&'static str> {
    Some(match problem {
        RegionProblem::MissPeer => "/pd/api/v1/regions/check/miss-peer",
        RegionProblem::ExtraPeer => "/pd/api/v1/regions/check/extra-peer",
        RegionProblem::DownPeer => "/pd/api/v1/regions/check/down-peer",
        RegionProblem::PendingPeer => "/pd/api/v1/regions/check/pending-peer",
        RegionProblem::OfflinePeer => "/pd/api/v1/regions/check/offline-peer",
        RegionProblem::LearnerPeer => "/pd/api/v1/regions/check/learner-peer",
        _ => return None,
    })
}

/// On a store's status port: what the store itself knows of one of its replicas.
pub(crate) fn store_region(id: RegionId) -> String {
    format!("/region/{id}")
}
