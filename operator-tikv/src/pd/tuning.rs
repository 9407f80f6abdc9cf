//! What PD was told, as it can be read back.

use std::collections::{BTreeMap, BTreeSet};

use operator_core::{RegionId, StoreId};

use super::operator_status::OperatorStatus;
use super::types::{ScheduleConfig, StoreLimits};
use super::upkeep::EVICT_LEADER_SCHEDULER;
use super::{PdClient, request, wire};
use crate::Error;

impl PdClient {
    /// How much PD schedules at a time: `GET /pd/api/v1/config/schedule`.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn schedule_config(&self) -> Result<ScheduleConfig, Error> {
        let wire: wire::ScheduleConfig = self.http().get(request::SCHEDULE_CONFIG).await?.json()?;
        Ok(ScheduleConfig {
            leader_schedule_limit: wire.leader_schedule_limit,
            region_schedule_limit: wire.region_schedule_limit,
            replica_schedule_limit: wire.replica_schedule_limit,
            low_space_ratio: wire.low_space_ratio,
            high_space_ratio: wire.high_space_ratio,
        })
    }

    /// How many replicas a minute are moved to and from each store: `GET /pd/api/v1/stores/limit`.
    ///
    /// # Errors
    /// Kind [`InvalidInput`](operator_core::ErrorKind::InvalidInput) if PD limits stores in another way
    /// (`store-limit-version` v2).
    pub async fn store_limits(&self) -> Result<BTreeMap<StoreId, StoreLimits>, Error> {
        let wire: BTreeMap<u64, wire::StoreLimit> = self.http().get(request::STORE_LIMITS).await?.json()?;
        let limits = wire.into_iter().map(|(id, limit)| {
            (id.into(), StoreLimits { add_peer: limit.add_peer, remove_peer: limit.remove_peer })
        });
        Ok(limits.collect())
    }

    /// The stores whose leaders PD was told to move away: `GET /pd/api/v1/schedulers` and, if the scheduler that does
    /// it is there, `/scheduler-config/evict-leader-scheduler/list`. All stores share that one scheduler.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn evicted_stores(&self) -> Result<BTreeSet<StoreId>, Error> {
        if !self.schedulers().await?.iter().any(|name| name == EVICT_LEADER_SCHEDULER) {
            return Ok(BTreeSet::new());
        }
        let list: wire::EvictLeader = self.http().get(request::EVICT_LEADER).await?.json()?;
        Ok(list.store_id_ranges.into_keys().map(StoreId).collect())
    }

    /// What PD does to a region or did to it last, for ten minutes after: `GET /pd/api/v1/operators/{region}`; `None`
    /// if nothing.
    ///
    /// # Errors
    /// If nobody answers, or not as PD does.
    pub async fn operator_status(&self, region: RegionId) -> Result<Option<OperatorStatus>, Error> {
        let answer = match self.http().get(&request::operator(region)).await {
            Ok(answer) => answer,
            Err(error) if error.pd().is_some_and(|pd| pd.is("ErrOperatorNotFound")) => return Ok(None),
            Err(error) => return Err(error),
        };
        let prose: String = answer.json()?;
        prose.parse().map(Some).map_err(|()| answer.not_understood("is not the status of an operator"))
    }
}
