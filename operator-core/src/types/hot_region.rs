//! Regions with much traffic.

use serde::{Deserialize, Serialize};

use super::{RegionId, StoreId};

/// A region with much more traffic than its neighbours, on one of its stores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HotRegion {
    /// The region.
    pub region_id: RegionId,
    /// The store whose peer has the traffic: the leader's.
    pub store_id: StoreId,
    /// What the traffic is.
    pub kind: HotKind,
    /// Flow in bytes a second; not negative.
    pub bytes_per_second: f64,
    /// Flow in keys a second; not negative.
    pub keys_per_second: f64,
    /// Queries a second; `null` where the subject does not count them.
    pub queries_per_second: Option<f64>,
    /// For how many report intervals it has been hot; `null` where the subject does not say.
    pub hot_degree: Option<u64>,
}

impl HotRegion {
    /// A hot region whose flow is `bytes_per_second` and `keys_per_second`.
    pub fn new(
        region_id: RegionId,
        store_id: StoreId,
        kind: HotKind,
        bytes_per_second: f64,
        keys_per_second: f64,
    ) -> Self {
        Self {
            region_id,
            store_id,
            kind,
            bytes_per_second,
            keys_per_second,
            queries_per_second: None,
            hot_degree: None,
        }
    }
}

/// What a hot region's traffic consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HotKind {
    /// Reads.
    Read,
    /// Writes.
    Write,
}

impl HotKind {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl std::fmt::Display for HotKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which hot regions to ask for: [`Subject::hot_regions`](crate::Subject::hot_regions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HotRegionQuery {
    /// Reads or writes; both if `None`.
    pub kind: Option<HotKind>,
    /// At most this many, those with the largest flow in bytes.
    pub top: usize,
}

impl Default for HotRegionQuery {
    /// The ten hottest of both kinds.
    fn default() -> Self {
        Self { kind: None, top: 10 }
    }
}
