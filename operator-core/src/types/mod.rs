//! What a subject consists of, in the field's own words. Plain data: no method here asks anything of anybody.
//!
//! JSON: names as in Rust with the unit in the name, times RFC 3339 in UTC, `null` for what is not known.

mod id;
mod key;
mod regarding;
mod store;
mod region;
mod region_health;
mod hot_region;
mod metrics;
mod member;
mod cluster;
mod signal;
mod log_event;

pub use cluster::ClusterMetrics;
pub use hot_region::{HotKind, HotRegion, HotRegionQuery};
pub use id::{MemberId, ParseIdError, PeerId, RegionId, StoreId};
pub use key::{Key, KeyRange, ParseKeyError};
pub use log_event::{LeadershipChange, LeadershipChangeKind};
pub use member::Member;
pub use metrics::StoreMetrics;
pub use regarding::{ParseRegardingError, Regarding};
pub use region::{DownPeer, Epoch, Peer, PeerRole, Region, RegionPage, RegionQuery};
pub use region_health::{RegionHealth, RegionProblem};
pub use signal::{Signal, SignalValue};
pub use store::{Store, StoreState};
