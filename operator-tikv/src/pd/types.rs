//! What PD tells beyond the types of the core.

use std::time::Duration;

use chrono::{DateTime, Utc};
use operator_core::{Member, MemberId, RegionId, Store};

/// A store, and what PD knows of it beyond [`Store`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoreInfo {
    /// The store.
    pub store: Store,
    /// Whether PD's present leader has had a heartbeat from it. If not, its state and sizes are what an earlier leader
    /// knew, or nothing.
    pub heard_by_leader: bool,
    /// The size of all its regions as far as their leaders have reported: at least 1 MiB each.
    pub region_size_bytes: Option<u64>,
    /// Its share of leaders against other stores'; 1 is normal.
    pub leader_weight: Option<f64>,
    /// Its share of replicas against other stores'; 1 is normal.
    pub region_weight: Option<f64>,
    /// How much it leads, by PD's measure: the number of leaders by its weight.
    pub leader_score: Option<f64>,
    /// How full it is, by PD's measure: the size of its regions by its weight, and the more the less space is left.
    pub region_score: Option<f64>,
    /// How many of its peers lag behind.
    pub pending_peer_count: Option<u64>,
    /// How many snapshots it sends.
    pub sending_snapshot_count: Option<u64>,
    /// How many snapshots it receives.
    pub receiving_snapshot_count: Option<u64>,
    /// How slow it finds itself: 1 is best, 100 worst; PD takes 80 for slow.
    pub slow_score: Option<u64>,
    /// Whether it says that it has too much to do.
    pub busy: Option<bool>,
}

/// PD's members, and the cluster they serve.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Members {
    /// Unique among clusters.
    pub cluster_id: u64,
    /// The members.
    pub members: Vec<Member>,
    /// Who leads the etcd inside PD: normally the same as PD's leader.
    pub etcd_leader: Option<MemberId>,
}

impl Members {
    /// PD's leader, if there is one.
    pub fn leader(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.leader)
    }
}

/// A step of scheduling that PD runs: moves a leader, adds a peer, … PD calls it an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchedulingOperator {
    /// The region it changes.
    pub region_id: RegionId,
    /// Who made it: a scheduler's or checker's name, `admin-…` if a person.
    pub description: String,
    /// What it does: `transfer leader: store 1 to 4`.
    pub brief: Option<String>,
    /// Its kinds, as PD writes them: a bit mask, or names separated by commas.
    pub kind: Option<String>,
    /// How far it is, as PD writes it.
    pub status: Option<String>,
    /// After this time PD gives it up.
    pub timeout: Option<Duration>,
}

/// How data is replicated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicationConfig {
    /// Replicas a region, unless a placement rule says otherwise.
    pub max_replicas: u64,
    /// By which labels replicas are spread, the largest part first.
    pub location_labels: Vec<String>,
    /// Which of them must differ at least.
    pub isolation_level: Option<String>,
    /// Whether stores without these labels are refused.
    pub strictly_match_label: Option<bool>,
    /// Whether placement rules are in force.
    pub placement_rules: Option<bool>,
}

/// How many replicas a minute PD moves to and from a store.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StoreLimits {
    /// Replicas a minute that come.
    pub add_peer: f64,
    /// Replicas a minute that go.
    pub remove_peer: f64,
}

/// How much PD schedules at a time. A value with a time to live is not in it: PD shows those nowhere.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ScheduleConfig {
    /// Leaders moved for balance.
    pub leader_schedule_limit: u64,
    /// Replicas moved for balance.
    pub region_schedule_limit: u64,
    /// Replicas added or replaced.
    pub replica_schedule_limit: u64,
    /// From this used share of its disk on a store gets no more replicas.
    pub low_space_ratio: f64,
    /// Up to this used share of its disk a store counts as empty.
    pub high_space_ratio: Option<f64>,
}

/// The PD that leads, as a process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PdStatus {
    /// Its version.
    pub version: Option<String>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
}

/// Whether the cluster has been started for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BootstrapStatus {
    /// When its first store joined; `None` if none ever has.
    pub bootstrapped_at: Option<DateTime<Utc>>,
    /// Whether every region has had all its replicas since.
    pub replicated: bool,
}
