//! `/hotspot/regions/read` and `/write`.

use std::collections::HashMap;

use serde::Deserialize;

use super::or_default;

/// Hot peers by store, as PD's JSON has them; the store's id is a text there.
#[derive(Debug, Deserialize)]
pub(crate) struct HotRegions {
    #[serde(deserialize_with = "or_default")]
    pub(crate) as_peer: HashMap<String, HotPeers>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) as_leader: HashMap<String, HotPeers>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct HotPeers {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) statistics: Vec<HotPeer>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct HotPeer {
    pub(crate) store_id: u64,
    #[serde(default)]
    pub(crate) is_leader: bool,
    pub(crate) region_id: u64,
    #[serde(default)]
    pub(crate) hot_degree: i64,
    #[serde(default)]
    pub(crate) flow_bytes: f64,
    #[serde(default)]
    pub(crate) flow_keys: f64,
    #[serde(default)]
    pub(crate) flow_query: f64,
}
