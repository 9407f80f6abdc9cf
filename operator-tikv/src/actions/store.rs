//! What must hold of a store before something is done to it or put on it.

use operator_core::{StoreId, StoreState};

use super::draft::{Draft, found};
use crate::Error;
use crate::pd::StoreInfo;

impl Draft<'_> {
    /// The store, which must exist and not have been removed.
    pub(super) async fn store(&mut self, id: StoreId) -> Result<Option<StoreInfo>, Error> {
        let info = match self.seen_store(id) {
            Some(info) => Some(info),
            None => found(self.pd.store(id).await)?,
        };
        let Some(info) = info else {
            self.require("store_exists", false, format!("there is no store {id}"));
            return Ok(None);
        };
        if info.store.state == StoreState::Tombstone {
            self.require("store_exists", false, format!("store {id} has been removed"));
            return Ok(None);
        }
        self.require("store_exists", true, format!("store {id} is {}", info.store.address));
        Ok(Some(info))
    }

    /// The store that something is put on, which must be up.
    pub(super) async fn target(&mut self, id: StoreId) -> Result<Option<StoreInfo>, Error> {
        let info = self.store(id).await?;
        if let Some(info) = &info {
            let state = info.store.state;
            self.require("store_is_up", state == StoreState::Up, format!("store {id} is {state}"));
            self.depends_on(format!("store/{id} state"), state.as_str());
        }
        Ok(info)
    }

    /// Warns if the store would not keep a leader.
    pub(super) async fn warn_if_drained(&mut self, id: StoreId) {
        match self.pd.evicted_stores().await {
            Ok(stores) if stores.contains(&id) => {
                self.warn(format!("store {id} is drained: PD moves the leader away again"));
            }
            Ok(_) => {}
            Err(error) => self.warn(format!("whether store {id} is drained is not known: {error}")),
        }
    }

    /// Warns if there is little room on the store.
    pub(super) async fn warn_if_full(&mut self, info: &StoreInfo) {
        let (Some(available), Some(capacity)) = (info.store.available_bytes, info.store.capacity_bytes)
        else {
            return;
        };
        let Ok(config) = self.pd.schedule_config().await else { return };
        let used = 1.0 - available as f64 / capacity.max(1) as f64;
        if used >= config.low_space_ratio {
            let message = format!(
                "the disk of store {} is used by {:.0} %, and from {:.0} % on PD puts nothing more on it",
                info.store.id,
                used * 100.0,
                config.low_space_ratio * 100.0
            );
            self.warn(message);
        }
    }
}
