//! What must hold of a region before something is done to it.

use operator_core::{PeerRole, Region, RegionId, StoreId, StoreState};
use serde_json::json;

use super::draft::{Draft, found};
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
        match self.pd.operator_status(id).await {
            Ok(Some(status)) if status.is_running() => {
                let message = format!("PD runs {} on region {id}", status.what());
                self.require("no_operator_runs", false, message);
            }
            Ok(_) => self.require("no_operator_runs", true, format!("PD runs nothing on region {id}")),
            Err(error) => self.unknown("no_operator_runs", error),
        }
        Ok(Some(region))
    }

    /// Whether more than half of the voters live once `removed` is gone and, where one comes, with it.
    pub(super) async fn quorum(&mut self, region: &Region, removed: StoreId, newcomer: bool) {
        const NAME: &str = "quorum_survives";
        let stores = match self.pd.stores().await {
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
    let up = stores.iter().any(|info| {
        info.store.id == store && matches!(info.store.state, StoreState::Up | StoreState::Offline)
    });
    up && is_current(region, store)
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
