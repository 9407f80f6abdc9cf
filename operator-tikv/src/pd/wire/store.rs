//! `/stores`, `/store/{id}`.

use serde::Deserialize;

use super::or_default;

/// `/stores`.
#[derive(Debug, Deserialize)]
pub(crate) struct Stores {
    #[serde(deserialize_with = "or_default")]
    pub(crate) stores: Vec<StoreAnswer>,
}

/// `/store/{id}`, and one of `/stores`.
#[derive(Debug, Deserialize)]
pub(crate) struct StoreAnswer {
    pub(crate) store: Store,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) status: StoreStatus,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Store {
    pub(crate) id: u64,
    #[serde(default)]
    pub(crate) address: String,
    #[serde(default)]
    pub(crate) status_address: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) labels: Vec<Label>,
    /// Seconds since 1970.
    #[serde(default)]
    pub(crate) start_timestamp: i64,
    /// Nanoseconds since 1970.
    #[serde(default)]
    pub(crate) last_heartbeat: i64,
    #[serde(default)]
    pub(crate) state_name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Label {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StoreStatus {
    /// Rounded to four digits, with a unit: `19.74GiB`; `0B` of a store that this leader has not heard from.
    pub(crate) capacity: String,
    pub(crate) available: String,
    pub(crate) used_size: String,
    pub(crate) leader_count: u64,
    pub(crate) leader_weight: Option<f64>,
    pub(crate) leader_score: f64,
    pub(crate) region_count: u64,
    pub(crate) region_weight: Option<f64>,
    pub(crate) region_score: f64,
    /// MiB of all its regions, as far as their leaders have reported.
    pub(crate) region_size: i64,
    pub(crate) pending_peer_count: u64,
    pub(crate) sending_snap_count: u64,
    pub(crate) receiving_snap_count: u64,
    /// 1 is best, 100 worst; omitted of a store that this leader has not heard from.
    pub(crate) slow_score: Option<u64>,
    pub(crate) is_busy: bool,
}
