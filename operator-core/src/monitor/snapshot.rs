//! Where a monitor stands: what a live view shows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::SinkStatus;
use crate::{CheckerState, Event, Observation, Unknown, Violation};

/// Where a monitor stands after a tick.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// When the last tick began; `None` before the first.
    pub at: Option<DateTime<Utc>>,
    /// What was seen last; older than `at` while the subject does not answer.
    pub observation: Option<Arc<Observation>>,
    /// Set while the subject does not answer at all.
    pub unreachable: Option<Unreachable>,
    /// What is pending and firing.
    pub violations: Vec<Violation>,
    /// What cannot be told.
    pub unknown: Vec<Unknown>,
    /// The last events, oldest first.
    pub recent: VecDeque<Arc<Event>>,
    /// What has been done so far.
    pub counters: Counters,
    /// How long the last observation took.
    pub took: Duration,
    /// How the takers of events fare.
    pub sinks: Vec<SinkStatus>,
    /// The checker's memory, for whoever wants to survive a crash.
    pub state: CheckerState,
}

/// Since when a subject does not answer, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreachable {
    /// When the first observation that failed was begun.
    pub since: DateTime<Utc>,
    /// Why the last one failed.
    pub error: String,
    /// Who was asked then, without credentials; several are separated by commas.
    pub endpoint: Option<String>,
    /// How many have failed.
    pub attempts: u64,
    /// `since` by the clock that nobody sets.
    pub(super) began: Instant,
}

impl Unreachable {
    pub(super) fn new(since: DateTime<Utc>, began: Instant) -> Self {
        Self { since, error: String::new(), endpoint: None, attempts: 0, began }
    }
}

/// What a monitor has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Observations that showed something.
    pub observations: u64,
    /// Those that did not.
    pub failures: u64,
    /// Ticks that were left out because the observation before took too long.
    pub ticks_skipped: u64,
    /// Events told.
    pub events: u64,
}
