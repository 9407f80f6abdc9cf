//! What a simulated cluster starts with.

use chrono::{DateTime, Utc};

use crate::Scenario;

/// The cluster to build. [`Config::new`] gives what the scenario needs; change fields afterwards.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// What happens.
    pub scenario: Scenario,
    /// Decides everything that is not given: the same seed makes the same cluster.
    pub seed: u64,
    /// How many PD members, at least 1.
    pub pds: usize,
    /// How many stores at the start; `scale-out` adds one later.
    pub stores: usize,
    /// How many regions at the start.
    pub regions: u64,
    /// The time at the start; the cluster has been running for three hours then.
    pub start: DateTime<Utc>,
    /// The disk of each store.
    pub store_capacity_bytes: u64,
    /// Whether the processes write logs, for [`Simulator::drain_log`](crate::Simulator::drain_log); not at first, as lines
    /// take memory until they are drained.
    pub logs: bool,
}

impl Config {
    /// The scenario's cluster: three PDs, three stores (four to remove one), 48 regions, 500 GiB a store, starting at
    /// 2026-01-01 00:00 UTC.
    pub fn new(scenario: Scenario) -> Self {
        Self {
            scenario,
            seed: 1,
            pds: 3,
            stores: match scenario {
                Scenario::NotBootstrapped => 0,
                Scenario::StoreOffline => 4,
                Scenario::Big => 1_000,
                _ => 3,
            },
            regions: match scenario {
                Scenario::NotBootstrapped => 0,
                Scenario::Big => 1_000_000,
                _ => 48,
            },
            start: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(1_767_225_600),
            store_capacity_bytes: 500 << 30,
            logs: false,
        }
    }

    /// Starts so much earlier that the scenario shows its point at this moment: for a client that looks at its own
    /// clock, after [`Simulator::advance`](crate::Simulator::advance) by
    /// [`Scenario::shows_after`].
    #[must_use]
    pub fn shown_at(mut self, moment: DateTime<Utc>) -> Self {
        let before = chrono::TimeDelta::from_std(self.scenario.shows_after()).unwrap_or_default();
        self.start = moment - before;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new(Scenario::Healthy)
    }
}
