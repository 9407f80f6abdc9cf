//! What must hold of a region before something is done to it.

use operator_core::{PeerRole, Region, RegionId, StoreId, StoreState};
use serde_json::{Value, json};

use super::draft::{Draft, found};
use super::running::{former, identity};
use crate::Error;
use crate::pd::StoreInfo;

impl Draft<'_> {
    /// The region, which must exist, have a leader that carries the change out, and be left alone by PD meanwhile. What is
    /// done depends on its range and peers.
    pub(super) async fn region(&mut self, id: RegionId) -> Result<Option<Region>, Error> {
        let Some(region) = found(self.pd.region(id).await)? else {
            self.require("region_exists", false, format!("there is no region {id}; it may have been merged"));
            return Ok(None);
        };
        self.require("region_exists", true, format!("region {id} has {} peers", region.peers.len()));
        let epoch = region.epoch;
        self.depends_on(
            format!("region/{id} epoch"),
            json!({"conf_ver": epoch.conf_ver, "version": epoch.version}),
        );
        match region.leader {
            Some(leader) => {
                self.require("region_has_leader", true, format!("store {} leads it", leader.store_id))
            }
            None => self.require("region_has_leader", false, format!("region {id} has no leader")),
        }
        self.alive(&region).await;
        let status = match self.pd.operator_status(id).await {
            Ok(status) => status,
            Err(error) => {
                self.unknown("no_operator_runs", error);
                return Ok(Some(region));
            }
        };
        match status.as_ref().filter(|status| status.is_running()) {
            Some(status) => {
                let message = format!("PD runs {} on region {id}", status.what());
                self.require("no_operator_runs", false, message);
            }
            None => self.require("no_operator_runs", true, format!("PD runs nothing on region {id}")),
        }
        self.note(former(id), status.as_ref().map_or(Value::Null, identity));
        Ok(Some(region))
    }

    /// Whether what PD shows of the region can be so still: PD keeps showing the leader that it had when its stores died.
    async fn alive(&mut self, region: &Region) {
        const NAMES: [&str; 2] = ["leader_store_is_up", "region_has_quorum"];
        let stores = match self.stores().await {
            Ok(stores) => stores,
            Err(error) => return NAMES.into_iter().for_each(|name| self.unknown(name, &error)),
        };
        if let Some(leader) = region.leader {
            let id = leader.store_id;
            match stores.iter().find(|info| info.store.id == id).map(|info| info.store.state) {
                None | Some(StoreState::Unknown) => {
                    self.unknown(NAMES[0], format!("how store {id} is, which leads it, is not known"));
                }
                Some(state) => {
                    self.require(NAMES[0], is_up(state), format!("store {id}, which leads it, is {state}"))
                }
            }
        }
        let (mut all, mut live, mut unknown) = (0, 0, 0);
        for peer in region.peers.iter().filter(|peer| is_voter(peer.role)) {
            let state =
                stores.iter().find(|info| info.store.id == peer.store_id).map(|info| info.store.state);
            all += 1;
            live += usize::from(state.is_some_and(is_up));
            unknown += usize::from(matches!(state, None | Some(StoreState::Unknown)));
        }
        let message = format!("{live} of {all} voters are on stores that are up");
        if 2 * live <= all && 2 * (live + unknown) > all {
            self.unknown(NAMES[1], format!("{message}, and of {unknown} it is not known"));
        } else {
            self.require(NAMES[1], 2 * live > all, message);
        }
    }

    /// Whether more than half of the voters live once `removed` is gone and, where one comes, with it.
    pub(super) async fn quorum(&mut self, region: &Region, removed: StoreId, newcomer: bool) {
        const NAME: &str = "quorum_survives";
        let stores = match self.stores().await {
            Ok(stores) => stores,
            Err(error) => return self.unknown(NAME, error),
        };
        let voters = region.peers.iter().filter(|peer| is_voter(peer.role) && peer.store_id != removed);
        let (mut all, mut live) = (usize::from(newcomer), usize::from(newcomer));
        for peer in voters {
            all += 1;
            live += usize::from(lives(region, peer.store_id, &stores));
        }
        let message = format!("{live} of then {all} voters live and are up to date");
        self.require(NAME, 2 * live > all, message);
    }

    /// Warns if the region is then not what the rule says. PD puts that right by itself.
    pub(super) async fn replicas(&mut self, then: usize) {
        match self.pd.replication_config().await {
            Ok(config) => {
                let wanted = config.max_replicas;
                let then = then as u64;
                if then < wanted {
                    self.warn(format!("{then} replicas are left and {wanted} are wanted: PD adds one again"));
                } else if then > wanted {
                    self.warn(format!(
                        "there are {then} replicas then and {wanted} are wanted: PD takes one away"
                    ));
                }
            }
            Err(error) => self.warn(format!("how many replicas are wanted is not known: {error}")),
        }
    }
}

/// Whether the peer on `store` can be counted on: its store is up, and it neither lags nor is down.
fn lives(region: &Region, store: StoreId, stores: &[StoreInfo]) -> bool {
    let up = stores.iter().any(|info| info.store.id == store && is_up(info.store.state));
    up && is_current(region, store)
}

/// Whether it answers; one that is on its way out does until it is empty.
fn is_up(state: StoreState) -> bool {
    matches!(state, StoreState::Up | StoreState::Offline)
}

/// Whether no peer on `store` lags behind or is down.
pub(super) fn is_current(region: &Region, store: StoreId) -> bool {
    !region.pending_peers.iter().any(|peer| peer.store_id == store)
        && !region.down_peers.iter().any(|down| down.peer.store_id == store)
}

/// Whether it votes, or does as soon as the change of peers that runs is over.
pub(super) fn is_voter(role: PeerRole) -> bool {
    matches!(role, PeerRole::Voter | PeerRole::IncomingVoter)
}

/// Whether a voter of `region` is on `store`, and no change of it runs.
pub(super) fn has_voter(region: &Region, store: StoreId) -> bool {
    region.peers.iter().any(|peer| peer.store_id == store && peer.role == PeerRole::Voter)
}

pub(super) fn has_peer(region: &Region, store: StoreId) -> bool {
    region.peers.iter().any(|peer| peer.store_id == store)
}
