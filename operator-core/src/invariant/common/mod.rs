//! What must hold of the stores of any subject, and how to look at an observation without taking a gap for an answer.
//!
//! A subject's own crate gives these their descriptions, thresholds and the name of its control plane; where there is
//! nothing to add, [`invariants`] has them as they are.

mod sight;
mod stores;

use std::sync::Arc;
use std::time::Duration;

pub use self::sight::{Sight, Unseen};
pub use self::stores::{DiskLimits, low_disk_space, store_down, used_ratio};
use super::{Invariant, InvariantInfo, Severity};

/// The signal that says whether what a store holds is out of reach (a bool): by asking the store itself, when the
/// control plane's word does not do. There is none where that cannot be told.
pub const LOST: &str = "lost";

/// `store_down` and `low_disk_space`, as they are for a subject of which nothing else is known.
pub fn invariants() -> Vec<Arc<dyn Invariant>> {
    let minute = Duration::from_secs(60);
    let down = InvariantInfo::new("store_down", Severity::Warning, Duration::ZERO)
        .severity(Severity::Critical, minute)
        .keep_firing(minute)
        .description("A store is lost, or is no longer heard by those that should hear from it.")
        .look_first("Does its process run? The end of its log, its disk, and the way to it.")
        .source("stores, and the signal `lost`");
    let disk = InvariantInfo::new("low_disk_space", Severity::Warning, Duration::ZERO)
        .severity(Severity::Critical, Duration::ZERO)
        .keep_firing(minute)
        .description("More of a store's capacity is taken than should be.")
        .look_first("Whether all stores fill, or one alone.")
        .source("stores, or else metrics");
    let cluster = "the cluster";
    vec![Arc::new(store_down(down, cluster)), Arc::new(low_disk_space(disk, DiskLimits::default(), cluster))]
}
