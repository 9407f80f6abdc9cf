//! Everything that can be done.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Danger, Key, Regarding, RegionId, StoreId};

/// Something to be done to a subject, with its parameters.
///
/// In JSON `{"name": "drain_store", "parameters": {"store_id": 4}}`. [`Action::parse`] builds one from a name and JSON,
/// [`Action::parse_texts`] from `key=value` texts; both say which name was probably meant. Which of them a subject can do
/// is in its [`SubjectConfig::actions`](crate::SubjectConfig::actions).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", content = "parameters", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Action {
    /// Lets the replica of a region on another store lead it.
    TransferLeader {
        /// The region.
        region_id: RegionId,
        /// The store that shall lead; it must hold a voter of the region.
        to_store_id: StoreId,
    },
    /// Moves a replica of a region from one store to another.
    TransferPeer {
        /// The region.
        region_id: RegionId,
        /// The store that gives its replica up.
        from_store_id: StoreId,
        /// The store that gets one; it must not hold one yet.
        to_store_id: StoreId,
    },
    /// Adds a replica of a region. The scheduler may take away what its rules find too many.
    AddPeer {
        /// The region.
        region_id: RegionId,
        /// The store that gets one; it must not hold one yet.
        store_id: StoreId,
    },
    /// Takes a replica of a region away. The scheduler adds what its rules find missing.
    RemovePeer {
        /// The region.
        region_id: RegionId,
        /// The store that gives its replica up.
        store_id: StoreId,
    },
    /// Splits a region in two or more.
    SplitRegion {
        /// The region.
        region_id: RegionId,
        /// Where it is split.
        #[serde(default)]
        policy: SplitPolicy,
        /// With the policy `keys`: the keys to split at, in hex, inside the region.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schemars(with = "Vec<String>")]
        keys: Vec<Key>,
    },
    /// Merges a region into its neighbour.
    MergeRegions {
        /// The region that ends.
        source_region_id: RegionId,
        /// The neighbour that takes its keys.
        target_region_id: RegionId,
    },
    /// Spreads the replicas of a region and its leader anew.
    ScatterRegion {
        /// The region.
        region_id: RegionId,
    },
    /// Moves all leaders away from a store, and keeps them away until `undrain_store`.
    DrainStore {
        /// The store.
        store_id: StoreId,
    },
    /// Lets a store lead again.
    UndrainStore {
        /// The store.
        store_id: StoreId,
    },
    /// Takes a store out of the cluster for good: its replicas move away, then it is gone.
    RemoveStore {
        /// The store.
        store_id: StoreId,
    },
    /// Keeps a store whose removal is under way.
    CancelRemoveStore {
        /// The store.
        store_id: StoreId,
    },
    /// Sets how much of the cluster's work a store gets.
    SetStoreWeight {
        /// The store.
        store_id: StoreId,
        /// Its share of leaders against other stores'; 1 is normal, 0 keeps them away.
        leader_weight: f64,
        /// Its share of replicas against other stores'; 1 is normal, 0 keeps them away.
        region_weight: f64,
    },
    /// Sets how many replicas a minute are moved to or from a store.
    SetStoreLimit {
        /// The store.
        store_id: StoreId,
        /// Which of both.
        kind: StoreLimitKind,
        /// Replicas a minute, above 0.
        rate_per_minute: f64,
    },
    /// Sets labels of a store that tell where it stands. Others that it has stay.
    SetStoreLabels {
        /// The store.
        store_id: StoreId,
        /// The labels.
        labels: BTreeMap<String, String>,
    },
    /// Sets how many leaders are moved at a time in the whole cluster; 0 stops it.
    SetLeaderScheduleLimit {
        /// How many.
        limit: u64,
        /// After how many seconds the old value comes back by itself; without it, never.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_seconds: Option<u64>,
    },
    /// Sets how many replicas are moved for balance at a time in the whole cluster; 0 stops it.
    SetRegionScheduleLimit {
        /// How many.
        limit: u64,
        /// After how many seconds the old value comes back by itself; without it, never.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_seconds: Option<u64>,
    },
    /// Sets how many replicas are added or replaced at a time in the whole cluster; 0 stops repair.
    SetReplicaScheduleLimit {
        /// How many.
        limit: u64,
        /// After how many seconds the old value comes back by itself; without it, never.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_seconds: Option<u64>,
    },
    /// Sets from which used share of its disk on a store gets no more replicas.
    SetLowSpaceThreshold {
        /// The share, above 0 and below 1.
        used_ratio: f64,
    },
    /// Stops a scheduler for a while; it goes on by itself.
    PauseScheduler {
        /// The scheduler's name, such as `balance-leader-scheduler`.
        scheduler: String,
        /// For how long, in seconds.
        seconds: u64,
    },
    /// Lets a paused scheduler go on.
    ResumeScheduler {
        /// The scheduler's name.
        scheduler: String,
    },
    /// Cancels what the scheduler is doing to a region.
    CancelSchedulingOperator {
        /// The region.
        region_id: RegionId,
    },
    /// Lets another member of the control plane lead it. What the control plane knows of the cluster is incomplete for
    /// a while after.
    TransferPdLeader {
        /// The member's name.
        member: String,
    },
}

/// Where a region is split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SplitPolicy {
    /// About in the middle, by statistics: cheap.
    #[default]
    Approximate,
    /// In the middle, by reading the region.
    Scan,
    /// At given keys.
    Keys,
}

/// What a store's limit bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreLimitKind {
    /// Replicas that come.
    AddPeer,
    /// Replicas that go.
    RemovePeer,
}

impl Action {
    /// The name, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TransferLeader { .. } => "transfer_leader",
            Self::TransferPeer { .. } => "transfer_peer",
            Self::AddPeer { .. } => "add_peer",
            Self::RemovePeer { .. } => "remove_peer",
            Self::SplitRegion { .. } => "split_region",
            Self::MergeRegions { .. } => "merge_regions",
            Self::ScatterRegion { .. } => "scatter_region",
            Self::DrainStore { .. } => "drain_store",
            Self::UndrainStore { .. } => "undrain_store",
            Self::RemoveStore { .. } => "remove_store",
            Self::CancelRemoveStore { .. } => "cancel_remove_store",
            Self::SetStoreWeight { .. } => "set_store_weight",
            Self::SetStoreLimit { .. } => "set_store_limit",
            Self::SetStoreLabels { .. } => "set_store_labels",
            Self::SetLeaderScheduleLimit { .. } => "set_leader_schedule_limit",
            Self::SetRegionScheduleLimit { .. } => "set_region_schedule_limit",
            Self::SetReplicaScheduleLimit { .. } => "set_replica_schedule_limit",
            Self::SetLowSpaceThreshold { .. } => "set_low_space_threshold",
            Self::PauseScheduler { .. } => "pause_scheduler",
            Self::ResumeScheduler { .. } => "resume_scheduler",
            Self::CancelSchedulingOperator { .. } => "cancel_scheduling_operator",
            Self::TransferPdLeader { .. } => "transfer_pd_leader",
        }
    }

    /// What it is done to; a violation of one of these may forbid it.
    pub fn targets(&self) -> Vec<Regarding> {
        match self {
            Self::TransferLeader { region_id, to_store_id } => {
                vec![(*region_id).into(), (*to_store_id).into()]
            }
            Self::TransferPeer { region_id, from_store_id, to_store_id } => {
                vec![(*region_id).into(), (*from_store_id).into(), (*to_store_id).into()]
            }
            Self::AddPeer { region_id, store_id } | Self::RemovePeer { region_id, store_id } => {
                vec![(*region_id).into(), (*store_id).into()]
            }
            Self::SplitRegion { region_id, .. }
            | Self::ScatterRegion { region_id }
            | Self::CancelSchedulingOperator { region_id } => vec![(*region_id).into()],
            Self::MergeRegions { source_region_id, target_region_id } => {
                vec![(*source_region_id).into(), (*target_region_id).into()]
            }
            Self::DrainStore { store_id }
            | Self::UndrainStore { store_id }
            | Self::RemoveStore { store_id }
            | Self::CancelRemoveStore { store_id }
            | Self::SetStoreWeight { store_id, .. }
            | Self::SetStoreLimit { store_id, .. }
            | Self::SetStoreLabels { store_id, .. } => vec![(*store_id).into()],
            Self::SetLeaderScheduleLimit { .. }
            | Self::SetRegionScheduleLimit { .. }
            | Self::SetReplicaScheduleLimit { .. }
            | Self::SetLowSpaceThreshold { .. }
            | Self::PauseScheduler { .. }
            | Self::ResumeScheduler { .. } => vec![Regarding::Cluster],
            Self::TransferPdLeader { member } => vec![Regarding::Member(member.clone())],
        }
    }

    /// What it can do at worst.
    pub fn danger(&self) -> Danger {
        danger(self.name())
    }
}

/// What an action of this name can do at worst; of an unknown one the worst.
pub(super) fn danger(name: &str) -> Danger {
    match name {
        "transfer_leader"
        | "split_region"
        | "scatter_region"
        | "undrain_store"
        | "cancel_remove_store"
        | "set_store_weight"
        | "set_store_limit"
        | "set_leader_schedule_limit"
        | "set_region_schedule_limit"
        | "set_replica_schedule_limit"
        | "resume_scheduler"
        | "cancel_scheduling_operator" => Danger::Safe,
        "transfer_peer"
        | "add_peer"
        | "remove_peer"
        | "merge_regions"
        | "drain_store"
        | "set_store_labels"
        | "set_low_space_threshold"
        | "pause_scheduler"
        | "transfer_pd_leader" => Danger::Disruptive,
        _ => Danger::Destructive,
    }
}

/// The action that takes one of this name back, if one does: not of `split_region`, because the number of the new region is
/// not known before, nor of `resume_scheduler`, because how long the pause would have lasted is not known.
pub(crate) fn reversed_by(name: &str) -> Option<&'static str> {
    Some(match name {
        "transfer_leader" => "transfer_leader",
        "transfer_peer" => "transfer_peer",
        "add_peer" => "remove_peer",
        "remove_peer" => "add_peer",
        "merge_regions" => "split_region",
        "drain_store" => "undrain_store",
        "undrain_store" => "drain_store",
        "remove_store" => "cancel_remove_store",
        "cancel_remove_store" => "remove_store",
        "set_store_weight" => "set_store_weight",
        "set_store_limit" => "set_store_limit",
        "set_store_labels" => "set_store_labels",
        "set_leader_schedule_limit" => "set_leader_schedule_limit",
        "set_region_schedule_limit" => "set_region_schedule_limit",
        "set_replica_schedule_limit" => "set_replica_schedule_limit",
        "set_low_space_threshold" => "set_low_space_threshold",
        "pause_scheduler" => "resume_scheduler",
        "transfer_pd_leader" => "transfer_pd_leader",
        _ => return None,
    })
}

/// `drain_store store_id=4`, as `operator act` takes it.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let json = serde_json::to_value(self).unwrap_or_default();
        for (name, value) in json.get("parameters").and_then(|value| value.as_object()).into_iter().flatten()
        {
            let value = value.as_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed);
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}
