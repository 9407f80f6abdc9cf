//! Stores: the processes that hold the data.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::StoreId;

/// One process that holds data, as the control plane knows it.
///
/// `state` is the control plane's word, which can be wrong: for minutes after it has restarted it may call a live
/// store [`Disconnected`](StoreState::Disconnected). See [`Observation::trust`](crate::Observation::trust).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Store {
    /// Unique among the subject's stores.
    pub id: StoreId,
    /// Where clients reach it, `host:port`.
    pub address: String,
    /// Where it answers about itself over HTTP, `host:port`; TiKV's status port.
    pub status_address: Option<String>,
    /// The control plane's view of it.
    pub state: StoreState,
    /// The version of the program, as it writes it.
    pub version: Option<String>,
    /// Where it stands (`zone`, `host`, …), by which replicas are spread.
    pub labels: BTreeMap<String, String>,
    /// Size of its disk, or the quota it was given, in bytes.
    pub capacity_bytes: Option<u64>,
    /// What is free of that, in bytes.
    pub available_bytes: Option<u64>,
    /// What its data takes, in bytes.
    pub used_bytes: Option<u64>,
    /// How many regions it leads.
    pub leader_count: Option<u64>,
    /// How many regions have a replica on it.
    pub region_count: Option<u64>,
    /// When its process started.
    pub started_at: Option<DateTime<Utc>>,
    /// When the control plane last heard from it.
    pub last_heartbeat: Option<DateTime<Utc>>,
}

impl Store {
    /// A store of which nothing else is known.
    pub fn new(id: StoreId, address: impl Into<String>, state: StoreState) -> Self {
        Self {
            id,
            address: address.into(),
            status_address: None,
            state,
            version: None,
            labels: BTreeMap::new(),
            capacity_bytes: None,
            available_bytes: None,
            used_bytes: None,
            leader_count: None,
            region_count: None,
            started_at: None,
            last_heartbeat: None,
        }
    }
}

/// The state of a store, as PD spells it (`state_name` in its `/stores`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StoreState {
    /// It is a member and was heard from lately.
    Up,
    /// Not heard from for a while (PD: 20 s).
    Disconnected,
    /// Not heard from for so long that its replicas are made anew elsewhere (PD: 30 min by default).
    Down,
    /// Being removed: its replicas move away.
    Offline,
    /// Removed.
    Tombstone,
    /// A state this version does not know.
    #[serde(other)]
    Unknown,
}

impl StoreState {
    /// The name, as PD spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "Up",
            Self::Disconnected => "Disconnected",
            Self::Down => "Down",
            Self::Offline => "Offline",
            Self::Tombstone => "Tombstone",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for StoreState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_null_in_json() {
        let json = serde_json::to_value(Store::new(4.into(), "tikv1:20160", StoreState::Up)).unwrap();
        assert_eq!(json["id"], 4);
        assert_eq!(json["state"], "Up");
        assert!(json["used_bytes"].is_null() && json["last_heartbeat"].is_null());
    }

    #[test]
    fn a_state_of_a_later_version_is_unknown_and_not_an_error() {
        assert_eq!(serde_json::from_str::<StoreState>("\"Hibernating\"").unwrap(), StoreState::Unknown);
    }
}
