//! The stories that a simulated cluster can tell.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::event::{Event, NodeId};

/// What happens to the cluster. Every story's first event happens 30 s after the start at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scenario {
    /// Nothing goes wrong.
    Healthy,
    /// The second store dies after 30 s.
    StoreCrash,
    /// The second store's disk becomes slow after 10 s.
    SlowStore,
    /// The second store's disk fills from 10 s on and is full a minute later.
    DiskFull,
    /// From 10 s on one region receives most of the load.
    HotRegion,
    /// The PD leader dies after 30 s; another is elected 13 s later and warms up.
    PdLeaderLoss,
    /// Two of three PDs die after 30 s: nobody can answer.
    NoQuorum,
    /// Two of three stores die after 30 s: no region can elect a leader, and PD does not say so.
    TwoStoresLost,
    /// All PDs restart after 30 s and know nothing until the stores and regions have reported.
    PdRestart,
    /// The last of four stores is taken offline after 30 s and is a tombstone some minutes later.
    StoreOffline,
    /// A fourth store joins after 30 s and fills with regions.
    ScaleOut,
    /// PD runs, no store has ever joined.
    NotBootstrapped,
    /// 1,000 stores and 1,000,000 regions, computed page by page.
    Big,
}

impl Scenario {
    /// Every scenario, in the order of the documentation.
    pub const ALL: [Self; 13] = [
        Self::Healthy,
        Self::StoreCrash,
        Self::SlowStore,
        Self::DiskFull,
        Self::HotRegion,
        Self::PdLeaderLoss,
        Self::NoQuorum,
        Self::TwoStoresLost,
        Self::PdRestart,
        Self::StoreOffline,
        Self::ScaleOut,
        Self::NotBootstrapped,
        Self::Big,
    ];

    /// The name as it is written on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::StoreCrash => "store-crash",
            Self::SlowStore => "slow-store",
            Self::DiskFull => "disk-full",
            Self::HotRegion => "hot-region",
            Self::PdLeaderLoss => "pd-leader-loss",
            Self::NoQuorum => "no-quorum",
            Self::TwoStoresLost => "two-stores-lost",
            Self::PdRestart => "pd-restart",
            Self::StoreOffline => "store-offline",
            Self::ScaleOut => "scale-out",
            Self::NotBootstrapped => "not-bootstrapped",
            Self::Big => "big",
        }
    }

    /// One line for a person who chooses.
    pub fn description(self) -> &'static str {
        match self {
            Self::Healthy => "three PDs, three stores, nothing goes wrong",
            Self::StoreCrash => "a store dies: PD calls it Disconnected after 20 s, Down after 30 min",
            Self::SlowStore => "a store's disk is slow: it lives, but its slow score climbs",
            Self::DiskFull => "a store's disk fills within a minute",
            Self::HotRegion => "one region receives most of the load",
            Self::PdLeaderLoss => "the PD leader dies: 13 s without an answer, then a PD that warms up",
            Self::NoQuorum => "two of three PDs are dead: every request fails",
            Self::TwoStoresLost => {
                "two of three stores are dead: no region has a leader, and PD shows nothing wrong"
            }
            Self::PdRestart => "all PDs restarted: live stores look Disconnected until they report",
            Self::StoreOffline => "a store is removed: its regions move away",
            Self::ScaleOut => "a store joins: regions move to it",
            Self::NotBootstrapped => "PD runs, no store has ever joined",
            Self::Big => "1,000 stores and 1,000,000 regions, computed page by page",
        }
    }

    /// How far to advance a fresh simulator so that the first look shows the point.
    pub fn shows_after(self) -> Duration {
        Duration::from_secs(match self {
            Self::Healthy | Self::NotBootstrapped | Self::Big => 0,
            Self::StoreCrash => 75,
            Self::SlowStore => 150,
            Self::DiskFull => 90,
            Self::HotRegion => 240,
            Self::PdLeaderLoss => 46,
            Self::NoQuorum => 40,
            Self::TwoStoresLost => 90,
            Self::PdRestart => 36,
            Self::StoreOffline | Self::ScaleOut => 50,
        })
    }

    /// What happens, and how long after the start. `stores` are the ids of the first stores in their order.
    pub(crate) fn script(self, stores: &[u64], pds: usize, first_region: u64) -> Vec<(Duration, Event)> {
        let at = |seconds, event| (Duration::from_secs(seconds), event);
        let store = |index: usize| stores.get(index).or(stores.last()).copied().unwrap_or(0);
        match self {
            Self::Healthy | Self::NotBootstrapped | Self::Big => Vec::new(),
            Self::StoreCrash => vec![at(30, Event::Crash(NodeId::Store(store(1))))],
            Self::SlowStore => vec![at(10, Event::Slow(store(1)))],
            Self::DiskFull => vec![at(10, Event::Fill { store: store(1), seconds: 60 })],
            Self::HotRegion => vec![at(
                10,
                Event::Heat {
                    region: first_region,
                    written_bytes_per_second: 8 << 20,
                    read_bytes_per_second: 32 << 20,
                },
            )],
            // The leader is pd0 until something happens to it.
            Self::PdLeaderLoss => vec![at(30, Event::Crash(NodeId::Pd(0)))],
            Self::NoQuorum => (0..pds / 2 + 1).map(|index| at(30, Event::Crash(NodeId::Pd(index)))).collect(),
            Self::TwoStoresLost => {
                (1..3).map(|index| at(30, Event::Crash(NodeId::Store(store(index))))).collect()
            }
            Self::PdRestart => vec![at(30, Event::RestartAllPds)],
            Self::StoreOffline => {
                stores.last().map(|id| at(30, Event::TakeOffline(*id))).into_iter().collect()
            }
            Self::ScaleOut => vec![at(30, Event::AddStore)],
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(text: &str) -> Result<Self, UnknownScenario> {
        Self::ALL
            .into_iter()
            .find(|scenario| scenario.name() == text)
            .ok_or_else(|| UnknownScenario(text.to_owned()))
    }
}

/// There is no scenario of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownScenario(String);

impl fmt::Display for UnknownScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no scenario is called {:?}; there are ", self.0)?;
        for (index, scenario) in Scenario::ALL.into_iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(scenario.name())?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownScenario {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_describes_itself() {
        for scenario in Scenario::ALL {
            assert_eq!(scenario.to_string().parse(), Ok(scenario));
            assert!(scenario.description().len() > 20);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "store_crash".parse::<Scenario>().expect_err("it has an underscore").to_string();
        assert!(error.contains("\"store_crash\""), "{error}");
        for scenario in Scenario::ALL {
            assert!(error.contains(scenario.name()), "{error}");
        }
    }
}
