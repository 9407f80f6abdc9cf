//! What is true, for tests: a client is judged by it.

use std::collections::BTreeMap;

use crate::model::Region;
use crate::simulator::{Reachable, Simulator};

/// How things are, whatever PD says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Truth {
    /// The name of the PD that leads, if one does.
    pub pd_leader: Option<String>,
    /// Whether PD's leader has heard of enough regions to be believed.
    pub pd_is_warm: bool,
    /// The stores, by their id.
    pub stores: BTreeMap<u64, StoreTruth>,
    /// How many regions there are.
    pub regions: u64,
    /// Regions that no peer leads, in the order of their ids.
    pub leaderless: Vec<u64>,
    /// Regions of which too few voters are alive to elect one.
    pub without_quorum: Vec<u64>,
}

/// How a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreTruth {
    /// `tikv0`, …
    pub name: String,
    /// Whether its process runs.
    pub reachable: Reachable,
    /// What PD calls it.
    pub called: &'static str,
    /// How many regions its peers lead.
    pub leaders: u64,
    /// How many peers it has.
    pub peers: u64,
}

impl Simulator {
    /// What is true now.
    pub fn truth(&self) -> Truth {
        let held = || self.cluster.regions.held();
        let ids = |wanted: &dyn Fn(&Region) -> bool| {
            held().filter(|region| wanted(region)).map(|region| region.id).collect::<Vec<_>>()
        };
        let mut stores: BTreeMap<_, _> = (self.cluster.stores.values())
            .map(|store| {
                let calm = self.cluster.regions.calm_on(store.id);
                let truth = StoreTruth {
                    name: store.name.clone(),
                    reachable: store.process.into(),
                    called: self.pd.state_name(&self.cluster, store.id),
                    leaders: calm.leaders,
                    peers: calm.peers,
                };
                (store.id, truth)
            })
            .collect();
        for region in held() {
            for peer in &region.peers {
                if let Some(store) = stores.get_mut(&peer.store) {
                    store.peers += 1;
                    store.leaders += u64::from(region.leader == Some(*peer));
                }
            }
        }
        let leader = self.pd.members.leader.and_then(|index| self.pd.members.list.get(index));
        Truth {
            pd_leader: leader.map(|member| member.name.clone()),
            pd_is_warm: self.pd.memory.as_ref().is_some_and(|memory| memory.is_warm(&self.cluster)),
            stores,
            regions: self.cluster.regions.count(),
            leaderless: ids(&|region| region.leader.is_none()),
            without_quorum: ids(&|region| !region.has_quorum(|store| self.cluster.is_alive(store))),
        }
    }
}
