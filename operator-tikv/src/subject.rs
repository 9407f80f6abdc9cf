//! TiKV as a subject.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use operator_core::{
    Action, Clock, ClusterMetrics, Comparison, HotRegion, HotRegionQuery, Invariant, Member, Observation,
    Operation, Part, Region, RegionHealth, RegionId, RegionPage, RegionQuery, Result, Scope, Signal, Slo,
    Store, StoreId, StoreMetrics, StoreState, Subject, SubjectConfig, TrustCode, TrustReason,
};
use tokio::time::Instant;

use crate::http::Transport;
use crate::invariants::{Thresholds, tikv_invariants_of};
use crate::log::Churn;
use crate::metrics::{MetricsReading, MetricsSource};
use crate::pd::{self, Assessment, PdClient, StoreInfo, Upkeep};
use crate::rules::{self, Rules, Things};
use crate::signals;
use crate::single_flight::{Shared, SingleFlight};
use crate::{Error, TikvConfig};

/// A TiKV cluster, seen through its PD and, for metrics, a Prometheus or its stores.
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
    clock: Clock,
    stores: SingleFlight<Vec<StoreInfo>>,
    assessment: SingleFlight<Assessment>,
    metrics: MetricsSource,
    measured: SingleFlight<MetricsReading>,
    rules: Option<Rules>,
    churn: OnceLock<Arc<Churn>>,
}

impl TikvSubject {
    /// The cluster whose PD `config` names. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Config`] if the configuration cannot be used.
    pub fn new(config: TikvConfig) -> Result<Self, Error> {
        let pd = PdClient::new(&config)?;
        Ok(Self::over(MetricsSource::over(pd.clone(), &config, None)?, pd))
    }

    /// The same over another transport, such as a simulator in the same process.
    ///
    /// # Errors
    /// [`Error::Config`] if the configuration cannot be used.
    pub fn with_transport(config: TikvConfig, transport: Arc<dyn Transport>) -> Result<Self, Error> {
        let pd = PdClient::with_transport(&config, Arc::clone(&transport))?;
        Ok(Self::over(MetricsSource::over(pd.clone(), &config, Some(transport))?, pd))
    }

    fn over(metrics: MetricsSource, pd: PdClient) -> Self {
        Self {
            config: subject_config(),
            pd,
            clock: Clock::system(),
            stores: SingleFlight::default(),
            assessment: SingleFlight::default(),
            metrics,
            measured: SingleFlight::default(),
            rules: None,
            churn: OnceLock::new(),
        }
    }

    /// Reads the time from `clock`: by it a store that is being removed is in doubt when its heartbeat is late.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { metrics: self.metrics.with_clock(clock.clone()), clock, ..self }
    }

    /// Evaluates `rules`, through the Prometheus that metrics come from, with each observation that has signals.
    #[must_use]
    pub fn with_rules(self, rules: Rules) -> Self {
        Self { rules: Some(rules), ..self }
    }

    /// The rules that are evaluated.
    pub fn rules(&self) -> Option<&Rules> {
        self.rules.as_ref()
    }

    /// Tells from now on as signals what `churn` counts; who reads logs fills it. What was handed over first stays.
    pub fn count_elections(&self, churn: Arc<Churn>) {
        let _ = self.churn.set(churn);
    }

    /// Its PD.
    pub fn pd(&self) -> &PdClient {
        &self.pd
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Where its stores' metrics come from.
    pub fn metrics_source(&self) -> &MetricsSource {
        &self.metrics
    }

    /// The metrics of all stores, as [`Subject::store_metrics`] has them, with who told them and what is missing.
    ///
    /// # Errors
    /// If PD does not list the stores, or nobody tells anything about any of them.
    pub async fn measure(&self) -> Result<Arc<MetricsReading>> {
        self.shared_measure().await.map_err(|error| error.shared_during("store_metrics"))
    }

    async fn shared_measure(&self) -> Shared<MetricsReading> {
        let stores = self.shared_stores().await?;
        self.measured.get(self.metrics.read(&plain(&stores))).await
    }

    /// The reading that is another part of the same observation, if it is one and comes in time.
    async fn measured_beside(&self, scope: &Scope) -> Option<Arc<MetricsReading>> {
        if !scope.parts.contains(&Part::Metrics) {
            return None;
        }
        // The signals are not to be lost with the metrics.
        let patience = scope.part_deadline.mul_f64(0.8);
        tokio::time::timeout(patience, self.shared_measure()).await.ok()?.ok()
    }

    /// What Prometheus says of its own alerts and of the rules; nothing without a Prometheus and without rules.
    async fn told_by_prometheus(
        &self,
        scope: &Scope,
        measured: Option<&MetricsReading>,
        now: DateTime<Utc>,
        patience: Duration,
    ) -> Vec<Signal> {
        if self.rules.is_none() && !scope.parts.contains(&Part::Metrics) {
            // Nobody wants to know what Prometheus has.
            return Vec::new();
        }
        let unevaluated =
            |why: String| self.rules.iter().map(|rules| rules.unevaluated(why.clone())).collect();
        let prometheus = match self.metrics.prometheus().await {
            Ok(Some(prometheus)) => prometheus,
            Ok(None) => return unevaluated("there is no Prometheus to evaluate the rules".to_owned()),
            Err(error) => return unevaluated(format!("where Prometheus is, is not known: {error}")),
        };
        let stores = self.shared_stores().await.map(|stores| plain(&stores)).unwrap_or_default();
        let identities = measured.map(|reading| reading.identities.as_slice()).unwrap_or_default();
        let things = Things::new(&stores, identities);
        let evaluated = async {
            match &self.rules {
                Some(rules) => rules.evaluate(&prometheus, &things, patience).await,
                None => Vec::new(),
            }
        };
        let (mut signals, alerts) =
            tokio::join!(evaluated, rules::alert_signals(&prometheus, &things, now, patience));
        signals.extend(alerts);
        signals
    }

    /// What must hold of it, as far as it can observe that, and what its rules say.
    ///
    /// # Errors
    /// Kind `InvalidInput`, naming the field, if a threshold makes no sense.
    pub fn invariants(&self, thresholds: &Thresholds) -> Result<Vec<Arc<dyn Invariant>>> {
        let mut invariants = tikv_invariants_of(thresholds, |part| self.config.supports(part.operation()))?;
        invariants.extend(self.rule_invariants());
        Ok(invariants)
    }

    /// What its rules and the alerts of its Prometheus say.
    pub fn rule_invariants(&self) -> Vec<Arc<dyn Invariant>> {
        let rules = self.rules.iter().flat_map(Rules::invariants);
        rules.chain([rules::prometheus_alert()]).collect()
    }

    /// The parts of an observation run together: those that need the stores see the same ones.
    async fn shared_stores(&self) -> Shared<Vec<StoreInfo>> {
        self.stores.get(self.pd.stores()).await
    }

    async fn assess(&self) -> Shared<Assessment> {
        let stores = self.shared_stores().await?;
        self.assessment.get(Assessment::of(&self.pd, stores.to_vec(), self.clock.now())).await
    }
}

fn subject_config() -> SubjectConfig {
    let mut config = SubjectConfig::new("tikv").with_observations([
        Operation::Stores,
        Operation::StoreMetrics,
        Operation::ClusterMetrics,
        Operation::RegionHealth,
        Operation::Members,
        Operation::Region,
        Operation::Regions,
        Operation::HotRegions,
        Operation::Signals,
    ]);
    let at_most = |name: &str, description: &str, indicator: &str, threshold: f64, unit: &str| {
        Slo::new(name, description, indicator, Comparison::AtMost, threshold, unit)
    };
    config.actions = Action::infos().to_vec();
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
        let stores = self.shared_stores().await.map_err(|error| error.shared_during("stores"))?;
        Ok(plain(&stores))
    }

    async fn store(&self, id: StoreId) -> Result<Store> {
        Ok(self.pd.store(id).await.map_err(|error| error.during("store"))?.store)
    }

    async fn store_metrics(&self) -> Result<Vec<StoreMetrics>> {
        Ok(self.measure().await?.metrics.clone())
    }

    async fn cluster_metrics(&self) -> Result<ClusterMetrics> {
        let (stores, count) = tokio::join!(self.shared_stores(), self.pd.region_count());
        let stores = stores.map_err(|error| error.shared_during("cluster_metrics"))?;
        let mut metrics = ClusterMetrics::from_stores(&plain(&stores));
        metrics.region_count = Some(count.map_err(|error| error.during("cluster_metrics"))?);
        Ok(metrics)
    }

    async fn region_health(&self) -> Result<RegionHealth> {
        let assessment = self.assess().await.map_err(|error| error.shared_during("region_health"))?;
        pd::region_health(&self.pd, &assessment).await.map_err(|error| error.during("region_health"))
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

    async fn signals(&self, scope: &Scope) -> Result<Vec<Signal>> {
        let began = scope.clock.now();
        let upkeep = async {
            // Who asks for the stores at the same time shares the answer.
            let stores = self.shared_stores().await?;
            Ok(Upkeep::of(&self.pd, &stores, began, &scope.clock).await)
        };
        let beside = async {
            let started = Instant::now();
            let measured = self.measured_beside(scope).await;
            // Which series are whose is known then.
            let patience = scope.part_deadline.mul_f64(0.9).saturating_sub(started.elapsed());
            let told = self.told_by_prometheus(scope, measured.as_deref(), began, patience).await;
            (measured, told)
        };
        let (assessment, upkeep, (measured, told)) = tokio::join!(self.assess(), upkeep, beside);
        let failed = |error: Arc<Error>| error.shared_during("signals");
        let mut signals = signals::of(&*assessment.map_err(failed)?, &upkeep.map_err(failed)?, began);
        if let Some(reading) = measured {
            signals.extend(signals::of_metrics(&reading, began));
        }
        signals.extend(told);
        if let Some(churn) = self.churn.get() {
            signals.extend(signals::of_logs(churn, began));
        }
        Ok(signals)
    }

    fn trust(&self, observation: &Observation) -> Vec<TrustReason> {
        let mut reasons: Vec<_> = warming_up(observation)
            .into_iter()
            .map(|sign| TrustReason::new(TrustCode::WarmingUp, None, sign))
            .collect();
        let health = observation.cluster.as_ref().and_then(|cluster| cluster.region_health.as_ref());
        let unknown: Vec<_> =
            health.iter().flat_map(|health| pd::uncounted(health)).map(|problem| problem.as_str()).collect();
        if !unknown.is_empty() && reasons.is_empty() {
            let message = format!("how many regions there are is not known for: {}", unknown.join(", "));
            reasons.push(TrustReason::new(TrustCode::PartIncomplete, Some(Part::RegionHealth), message));
        }
        reasons.extend(unmeasured(observation));
        reasons
    }
}

/// Stores that live and of which no metrics came: what is there looks whole without them.
fn unmeasured(observation: &Observation) -> Option<TrustReason> {
    let metrics = observation.metrics.as_ref()?;
    let measured: BTreeSet<_> = metrics.iter().map(|metrics| metrics.store_id).collect();
    let stores = observation.stores.iter().flatten();
    let missing: Vec<_> = stores
        .filter(|store| store.state == StoreState::Up && !measured.contains(&store.id))
        .map(|store| store.id.to_string())
        .collect();
    let message = match missing.as_slice() {
        [] => return None,
        [first] => format!("there are no metrics of store {first}"),
        [first, ..] => format!("there are no metrics of {} stores, such as {first}", missing.len()),
    };
    Some(TrustReason::new(TrustCode::PartIncomplete, Some(Part::Metrics), message))
}

fn plain(stores: &[StoreInfo]) -> Vec<Store> {
    stores.iter().map(|info| info.store.clone()).collect()
}

/// What shows in an observation that PD warms up.
fn warming_up(observation: &Observation) -> Vec<String> {
    if observation.signals.is_some() {
        return observation
            .signals_named(signals::PD_WARMING_UP_SIGN)
            .filter_map(|signal| signal.value.as_text().map(str::to_owned))
            .collect();
    }
    // Nobody asked the stores themselves: one that PD's leader has not heard from may be lost, or PD behind.
    let stores = observation.stores.iter().flatten();
    stores
        .filter(|store| store.capacity_bytes.is_none() && store.state != StoreState::Tombstone)
        .map(|store| format!("PD's leader has had no heartbeat from store {} yet", store.id))
        .collect()
}

#[cfg(test)]
mod tests;
