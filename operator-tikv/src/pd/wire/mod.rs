//! PD's JSON, field for field, as far as it is used. Nothing here knows a unit or a meaning: that is
//! [`convert`](super::convert)'s part.
//!
//! PD is written in Go: numbers that are zero are omitted, an empty list may be `null`, and ids take all 64 bits.
//! A list that an
//! answer consists of is required all the same: an answer without it is another one. Fields that are not known are
//! skipped. What is nested too deep is an error of the JSON reader, never an overflow.

mod answers;
mod compact;
mod hot;
mod region;
mod store;

pub(crate) use answers::{
    Checker, Cluster, ClusterStatus, Config, EvictLeader, Health, LooseText, Members, Progress, RegionCount,
    ReplicateConfig, ScheduleConfig, SchedulingOperator, Status, StoreLimit, Version,
};
pub(crate) use hot::HotRegions;
pub(crate) use region::{DownPeer, Peer, Region, RegionIds, RegionPage};
pub(crate) use store::{StoreAnswer, Stores};

use region::LARGEST_PAGE;
use serde::{Deserialize, Deserializer};

/// Reads `null` as the default: Go writes an empty list or map either way.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A list that may be `null`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct List<T>(
    #[serde(deserialize_with = "or_default", bound(deserialize = "T: Deserialize<'de>"))] pub(crate) Vec<T>,
);

#[cfg(test)]
mod tests;
