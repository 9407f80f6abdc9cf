//! The client.

use operator_core::{
    HotKind, HotRegion, HotRegionQuery, Key, Region, RegionHealth, RegionId, RegionProblem, Store, StoreId,
};
use serde::de::DeserializeOwned;

use super::types::{BootstrapStatus, Members, PdStatus, ReplicationConfig, SchedulingOperator, StoreInfo};
use super::{convert, request, wire};
use crate::http::{Answer, Endpoint, HttpClient, Transport};
use crate::{Error, TikvConfig};

/// Asks PD. Cheap to clone.
///
/// Every question goes to the members in turn until one answers, through an election if need be; see
/// [`HttpClient::get`]. PD's followers forward to the leader by themselves.
#[derive(Debug, Clone)]
pub struct PdClient {
    http: HttpClient,
    page_size: usize,
}

impl PdClient {
    /// A client over the network. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Config`] if the configuration cannot be used.
    pub fn new(config: &TikvConfig) -> Result<Self, Error> {
        Ok(Self::over(config.client()?, config))
    }

    /// A client over another transport, such as a simulator in the same process.
    ///
    /// # Errors
    /// [`Error::Config`] if the configuration cannot be used.
    pub fn with_transport(config: &TikvConfig, transport: impl Transport) -> Result<Self, Error> {
        Ok(Self::over(config.client_over(transport)?, config))
    }

    fn over(http: HttpClient, config: &TikvConfig) -> Self {
        Self { http, page_size: usize::try_from(config.page_size).unwrap_or(usize::MAX) }
    }

    /// What carries the questions.
    pub fn http(&self) -> &HttpClient {
        &self.http
    }

    /// How many regions are asked for at once unless a query says otherwise.
    pub fn page_size(&self) -> usize {
        self.page_size
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.http.get(path).await?.json()
    }

    /// Every store that has not been removed: `GET /pd/api/v1/stores`.
    ///
    /// # Errors
    /// [`Error::is_not_bootstrapped`] if no store has ever joined.
    pub async fn stores(&self) -> Result<Vec<StoreInfo>, Error> {
        let answer: wire::Stores = self.ask(request::STORES).await?;
        Ok(answer.stores.into_iter().map(StoreInfo::from).collect())
    }

    /// The stores that have been removed and that PD still remembers: `GET /pd/api/v1/stores?state=2`.
    ///
    /// # Errors
    /// As [`PdClient::stores`].
    pub async fn removed_stores(&self) -> Result<Vec<StoreInfo>, Error> {
        let answer: wire::Stores = self.ask(request::STORES_REMOVED).await?;
        Ok(answer.stores.into_iter().map(StoreInfo::from).collect())
    }

    /// One store, removed ones included: `GET /pd/api/v1/store/{id}`.
    ///
    /// # Errors
    /// Kind [`NotFound`](operator_core::ErrorKind::NotFound) if there is none with this id.
    pub async fn store(&self, id: StoreId) -> Result<StoreInfo, Error> {
        let answer: wire::StoreAnswer = self.ask(&request::store(id)).await?;
        Ok(answer.into())
    }

    /// One region: `GET /pd/api/v1/region/id/{id}`. PD says 200 and the id 0 for one that there is not.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none with this id.
    pub async fn region(&self, id: RegionId) -> Result<Region, Error> {
        let answer = self.http.get(&request::region(id)).await?;
        existing(&answer, || format!("there is no region {id}"))
    }

    /// The region that holds `key`: `GET /pd/api/v1/region/key/{key}?format=hex`.
    ///
    /// # Errors
    /// [`Error::NotFound`] if no region holds it.
    pub async fn region_by_key(&self, key: &Key) -> Result<Region, Error> {
        if key.is_empty() {
            // A path that ends in a slash is another one for PD.
            let answer = self.http.get(&request::regions(key, &Key::default(), 1)).await?;
            let page: wire::RegionPage<Region> = answer.json()?;
            let first = page.regions.into_iter().next().filter(|region| region.start_key.is_empty());
            return first.ok_or_else(|| answer.not_found("no region holds the empty key"));
        }
        let answer = self.http.get(&request::region_by_key(key)).await?;
        existing(&answer, || format!("no region holds the key {key}"))
    }

    /// How many regions there are: `GET /pd/api/v1/regions/count`.
    ///
    /// # Errors
    /// As [`PdClient::stores`].
    pub async fn region_count(&self) -> Result<u64, Error> {
        Ok(self.ask::<wire::RegionCount>(request::REGION_COUNT).await?.count)
    }

    /// The regions with the most traffic, one entry a region, the largest flow in bytes first:
    /// `GET /pd/api/v1/hotspot/regions/read` and `/write`. Flows are a second's, as PD averages them.
    ///
    /// # Errors
    /// As [`PdClient::stores`].
    pub async fn hot_regions(&self, query: HotRegionQuery) -> Result<Vec<HotRegion>, Error> {
        let hot = |kind| async move {
            let answer: wire::HotRegions = self.ask(&request::hot_regions(kind)).await?;
            Ok::<_, Error>(convert::hot_regions(answer, kind))
        };
        let mut ranked = match query.kind {
            Some(kind) => hot(kind).await?,
            None => {
                let (mut reads, writes) = tokio::try_join!(hot(HotKind::Read), hot(HotKind::Write))?;
                reads.extend(writes);
                reads.sort_by(convert::hotter_first);
                reads
            }
        };
        ranked.truncate(query.top);
        Ok(ranked)
    }

    /// The members, their health and who leads: `GET /pd/api/v1/members` and `/health`. The leader asks every member
    /// for the latter; if that fails, nobody's health is known.
    ///
    /// # Errors
    /// If `/members` fails.
    pub async fn members(&self) -> Result<Members, Error> {
        let (members, health) = tokio::join!(
            self.ask::<wire::Members>(request::MEMBERS),
            self.ask::<wire::List<wire::Health>>(request::HEALTH),
        );
        if let Err(error) = &health {
            tracing::debug!(%error, "the health of PD's members is not known");
        }
        Ok(convert::members(members?, health.ok().map(|list| list.0)))
    }

    /// Whether the cluster has ever had a store: `GET /pd/api/v1/cluster/status`. Answered before it has, too.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn bootstrap_status(&self) -> Result<BootstrapStatus, Error> {
        let answer: wire::ClusterStatus = self.ask(request::CLUSTER_STATUS).await?;
        let at = chrono::DateTime::parse_from_rfc3339(&answer.raft_bootstrap_time).ok();
        Ok(BootstrapStatus {
            // Go's zero time stands for never.
            bootstrapped_at: at.map(|at| at.to_utc()).filter(|at| *at > chrono::DateTime::UNIX_EPOCH),
            replicated: answer.is_initialized,
        })
    }

    /// Where `store` answers about itself, as PD lists it; `None` if that means no machine that can be asked from here:
    /// a store that was not told what to announce announces `0.0.0.0`, or a loopback address.
    pub fn status_endpoint(&self, store: &Store) -> Option<Endpoint> {
        crate::probe::status_endpoint(&self.http, store)
    }

    /// The cluster's id, unique among clusters: `GET /pd/api/v1/cluster`.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn cluster_id(&self) -> Result<u64, Error> {
        Ok(self.ask::<wire::Cluster>(request::CLUSTER).await?.id)
    }

    /// PD's version: `GET /pd/api/v1/version`.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn version(&self) -> Result<String, Error> {
        Ok(self.ask::<wire::Version>(request::VERSION).await?.version)
    }

    /// The leading PD's process: `GET /pd/api/v1/status`.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn status(&self) -> Result<PdStatus, Error> {
        let answer: wire::Status = self.ask(request::STATUS).await?;
        Ok(PdStatus {
            version: Some(answer.version).filter(|version| !version.is_empty()),
            started_at: convert::from_seconds(answer.start_timestamp),
        })
    }

    /// How data is replicated: `GET /pd/api/v1/config/replicate`.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn replication_config(&self) -> Result<ReplicationConfig, Error> {
        Ok(self.ask::<wire::ReplicateConfig>(request::REPLICATE_CONFIG).await?.into())
    }

    /// The address of a Prometheus that somebody has told PD (`pd-server.metric-storage`), empty if nobody has:
    /// `GET /pd/api/v1/config`.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn metric_storage(&self) -> Result<String, Error> {
        Ok(self.ask::<wire::Config>(request::CONFIG).await?.pd_server.metric_storage)
    }

    /// The names of the schedulers that run: `GET /pd/api/v1/schedulers`. None for some seconds after PD has started.
    ///
    /// # Errors
    /// As [`PdClient::stores`].
    pub async fn schedulers(&self) -> Result<Vec<String>, Error> {
        Ok(self.ask::<wire::List<String>>(request::SCHEDULERS).await?.0)
    }

    /// The names of the schedulers that somebody has paused: `GET /pd/api/v1/schedulers?status=paused`.
    ///
    /// # Errors
    /// As [`PdClient::stores`].
    pub async fn paused_schedulers(&self) -> Result<Vec<String>, Error> {
        Ok(self.ask::<wire::List<String>>(request::SCHEDULERS_PAUSED).await?.0)
    }

    /// The steps of scheduling that PD runs now: `GET /pd/api/v1/operators?object=true`.
    ///
    /// # Errors
    /// As [`PdClient::stores`].
    pub async fn scheduling_operators(&self) -> Result<Vec<SchedulingOperator>, Error> {
        let answer: wire::List<wire::SchedulingOperator> = self.ask(request::OPERATORS).await?;
        Ok(answer.0.into_iter().map(SchedulingOperator::from).collect())
    }

    /// How many regions are not as they should be, as far as that can be known.
    ///
    /// PD's own counts come from `pd_regions_status` on its leader's `/metrics`, some ids from `/regions/check/…`; none
    /// of them while PD warms up. PD has no word for a region without a leader or a quorum: those follow from the
    /// stores that are lost, of which those in doubt are asked at their status ports, and from the regions' voters.
    /// All regions are read only while enough stores are lost, or regions without a leader, for that to matter.
    ///
    /// # Errors
    /// As [`PdClient::stores`].
    pub async fn region_health(&self) -> Result<RegionHealth, Error> {
        let stores = self.stores().await?;
        let assessment = super::Assessment::of(self, stores, chrono::Utc::now()).await?;
        super::region_health(self, &assessment).await
    }

    /// The ids of at most `limit` regions with `problem`: `GET /pd/api/v1/regions/check/…`. PD lists every such region
    /// as a whole and knows no limit, so no more than the first MiB is read.
    ///
    /// # Errors
    /// [`Error::Config`] if PD has no check for `problem`.
    pub async fn regions_with(&self, problem: RegionProblem, limit: usize) -> Result<Vec<RegionId>, Error> {
        const MOST_BYTES: usize = 1 << 20;
        let path = request::check(problem).ok_or_else(|| Error::Config {
            field: "problem",
            message: format!("PD has no check for {problem}"),
        })?;
        let prefix = self.http.get_prefix(path, MOST_BYTES).await?;
        let mut ids = Vec::new();
        let mut json = serde_json::Deserializer::from_slice(&prefix.bytes);
        let seed = wire::RegionIds { ids: &mut ids, limit };
        match serde::de::DeserializeSeed::deserialize(seed, &mut json) {
            Err(error) if prefix.complete || !error.is_eof() => {
                Err(prefix.not_understood(format!("is not as expected: {error}")))
            }
            _ => Ok(ids),
        }
    }
}

fn existing(answer: &Answer, missing: impl FnOnce() -> String) -> Result<Region, Error> {
    let region: wire::Region = answer.json()?;
    convert::existing(region).ok_or_else(|| answer.not_found(missing()))
}

#[cfg(test)]
mod tests;
