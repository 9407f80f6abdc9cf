//! TiKV as a subject.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use operator_core::{
    ClusterMetrics, Comparison, HotRegion, HotRegionQuery, Member, Operation, Region, RegionId, RegionPage,
    RegionQuery, Result, Slo, Store, StoreId, Subject, SubjectConfig,
};

use crate::http::Transport;
use crate::pd::PdClient;
use crate::{Error, TikvConfig};

/// A TiKV cluster, seen through its PD.
///
/// ```no_run
/// use operator_core::{Scope, SubjectExt};
/// use operator_tikv::{TikvConfig, TikvSubject};
///
/// # async fn run() -> Result<(), operator_core::Error> {
/// let config: TikvConfig = "pd0:2379".parse()?;
/// let subject = TikvSubject::new(config)?;
/// let observation = subject.observe(&Scope::all()).await?;
/// println!("{}: {:?} stores", observation.trust.verdict, observation.stores.map(|stores| stores.len()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TikvSubject {
    config: SubjectConfig,
    pd: PdClient,
}

impl TikvSubject {
    /// The cluster whose PD `config` names. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Config`] if the configuration cannot be used.
    pub fn new(config: TikvConfig) -> Result<Self, Error> {
        Ok(Self::over(PdClient::new(&config)?))
    }

    /// The same over another transport, such as a simulator in the same process.
    ///
    /// # Errors
    /// [`Error::Config`] if the configuration cannot be used.
    pub fn with_transport(config: TikvConfig, transport: Arc<dyn Transport>) -> Result<Self, Error> {
        Ok(Self::over(PdClient::with_transport(&config, transport)?))
    }

    fn over(pd: PdClient) -> Self {
        Self { config: subject_config(), pd }
    }

    /// Its PD.
    pub fn pd(&self) -> &PdClient {
        &self.pd
    }
}

fn subject_config() -> SubjectConfig {
    let mut config = SubjectConfig::new("tikv").with_observations([
        Operation::Stores,
        Operation::ClusterMetrics,
        Operation::Members,
        Operation::Region,
        Operation::Regions,
        Operation::HotRegions,
    ]);
    let at_most = |name: &str, description: &str, indicator: &str, threshold: f64, unit: &str| {
        Slo::new(name, description, indicator, Comparison::AtMost, threshold, unit)
    };
    config.slos = vec![
        at_most(
            "latency",
            "99 of 100 requests to a store are answered within 100 ms",
            "latency_p99_seconds",
            0.1,
            "s",
        ),
        at_most(
            "disk_used",
            "no store's disk is used by more than 70 %",
            "disk_used_bytes / disk_capacity_bytes",
            0.7,
            "ratio",
        ),
        at_most("regions_led", "every region has a leader", "region_health.no_leader", 0.0, "regions"),
        at_most("quorum", "every region has a quorum", "region_health.quorum_lost", 0.0, "regions"),
    ];
    config
}

#[async_trait]
impl Subject for TikvSubject {
    fn config(&self) -> &SubjectConfig {
        &self.config
    }

    async fn stores(&self) -> Result<Vec<Store>> {
        let stores = self.pd.stores().await.map_err(|error| error.during("stores"))?;
        Ok(stores.into_iter().map(|info| info.store).collect())
    }

    async fn store(&self, id: StoreId) -> Result<Store> {
        Ok(self.pd.store(id).await.map_err(|error| error.during("store"))?.store)
    }

    async fn cluster_metrics(&self) -> Result<ClusterMetrics> {
        let (stores, count) = tokio::try_join!(self.pd.stores(), self.pd.region_count())
            .map_err(|error| error.during("cluster_metrics"))?;
        let stores: Vec<_> = stores.into_iter().map(|info| info.store).collect();
        let mut metrics = ClusterMetrics::from_stores(&stores);
        metrics.region_count = Some(count);
        Ok(metrics)
    }

    async fn members(&self) -> Result<Vec<Member>> {
        Ok(self.pd.members().await.map_err(|error| error.during("members"))?.members)
    }

    async fn region(&self, id: RegionId) -> Result<Region> {
        self.pd.region(id).await.map_err(|error| error.during("region"))
    }

    fn regions(&self, query: RegionQuery) -> BoxStream<'_, Result<RegionPage>> {
        self.pd.regions(query).map_err(|error| error.during("regions")).boxed()
    }

    async fn hot_regions(&self, query: HotRegionQuery) -> Result<Vec<HotRegion>> {
        self.pd.hot_regions(query).await.map_err(|error| error.during("hot_regions"))
    }
}
