//! A subject that holds what it was given: for the tests of whatever works on a subject.

mod pages;
mod acting;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};

use self::acting::Acting;
pub use self::acting::Reaction;
use self::pages::Pages;
use crate::{
    ActionInfo, ClusterMetrics, Error, ErrorKind, HotRegion, HotRegionQuery, Member, Observation, Operation,
    Region, RegionHealth, RegionId, RegionPage, RegionQuery, Result, Scope, Signal, Slo, Store, StoreId,
    StoreMetrics, StoreState, Subject, SubjectConfig, TrustReason,
};

/// A subject that answers with what it holds, can be changed while shared, and fails or hesitates when told to.
///
/// What it can observe is fixed when it is built: each `with_…` declares its part in the [`SubjectConfig`], and what
/// was not declared answers [`ErrorKind::Unsupported`], also after a `set_…`.
///
/// ```
/// use std::time::Duration;
/// use operator_core::{ErrorKind, InMemorySubject, Operation, Scope, Store, StoreState, SubjectExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), operator_core::Error> {
/// let subject = InMemorySubject::new("demo")
///     .with_stores([Store::new(1.into(), "127.0.0.1:20160", StoreState::Up)])
///     .with_members([]);
/// subject.fail(Operation::Members, ErrorKind::Unavailable);
/// let observation = subject.observe(&Scope::all()).await?;
/// assert!(observation.stores.is_some() && observation.members.is_none());
/// assert_eq!(observation.errors[0].kind, ErrorKind::Unavailable);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct InMemorySubject {
    config: SubjectConfig,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stores: Vec<Store>,
    metrics: Vec<StoreMetrics>,
    cluster: ClusterMetrics,
    health: RegionHealth,
    members: Vec<Member>,
    /// In the order of their keys; shared with the streams that are under way.
    regions: Arc<[Region]>,
    hot_regions: Vec<HotRegion>,
    signals: Vec<Signal>,
    trust: Vec<TrustReason>,
    failures: BTreeMap<Operation, ErrorKind>,
    delays: BTreeMap<Operation, Duration>,
    acting: Acting,
}

/// Building.
impl InMemorySubject {
    /// A subject without stores that supports nothing else.
    pub fn new(name: impl Into<String>) -> Self {
        Self { config: SubjectConfig::new(name), state: Mutex::default() }
    }

    /// Holds these stores. Tombstones are left out of [`Subject::stores`] and found by [`Subject::store`].
    pub fn with_stores(self, stores: impl IntoIterator<Item = Store>) -> Self {
        self.set_stores(stores);
        self
    }

    /// Supports `store_metrics`.
    pub fn with_metrics(self, metrics: impl IntoIterator<Item = StoreMetrics>) -> Self {
        self.set_metrics(metrics);
        self.declare([Operation::StoreMetrics])
    }

    /// Supports `cluster_metrics`.
    pub fn with_cluster_metrics(self, cluster: ClusterMetrics) -> Self {
        self.set_cluster_metrics(cluster);
        self.declare([Operation::ClusterMetrics])
    }

    /// Supports `region_health`.
    pub fn with_region_health(self, health: RegionHealth) -> Self {
        self.set_region_health(health);
        self.declare([Operation::RegionHealth])
    }

    /// Supports `members`.
    pub fn with_members(self, members: impl IntoIterator<Item = Member>) -> Self {
        self.set_members(members);
        self.declare([Operation::Members])
    }

    /// Supports `region` and `regions`.
    pub fn with_regions(self, regions: impl IntoIterator<Item = Region>) -> Self {
        self.set_regions(regions);
        self.declare([Operation::Region, Operation::Regions])
    }

    /// Supports `hot_regions`.
    pub fn with_hot_regions(self, hot_regions: impl IntoIterator<Item = HotRegion>) -> Self {
        self.set_hot_regions(hot_regions);
        self.declare([Operation::HotRegions])
    }

    /// Supports `signals`.
    pub fn with_signals(self, signals: impl IntoIterator<Item = Signal>) -> Self {
        self.set_signals(signals);
        self.declare([Operation::Signals])
    }

    /// Supports these actions: see [`react`](Self::react).
    pub fn with_actions(mut self, actions: impl IntoIterator<Item = ActionInfo>) -> Self {
        self.config.actions.extend(actions);
        self
    }

    /// Declares these objectives.
    pub fn with_slos(mut self, slos: impl IntoIterator<Item = Slo>) -> Self {
        self.config.slos.extend(slos);
        self
    }

    fn declare(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.config = self.config.with_observations(operations);
        self
    }
}

/// Changing while shared.
impl InMemorySubject {
    /// Holds these stores from now on.
    pub fn set_stores(&self, stores: impl IntoIterator<Item = Store>) {
        self.state().stores = stores.into_iter().collect();
    }

    /// Holds these metrics from now on.
    pub fn set_metrics(&self, metrics: impl IntoIterator<Item = StoreMetrics>) {
        self.state().metrics = metrics.into_iter().collect();
    }

    /// Holds these numbers from now on.
    pub fn set_cluster_metrics(&self, cluster: ClusterMetrics) {
        self.state().cluster = cluster;
    }

    /// Holds these counts from now on.
    pub fn set_region_health(&self, health: RegionHealth) {
        self.state().health = health;
    }

    /// Holds these members from now on.
    pub fn set_members(&self, members: impl IntoIterator<Item = Member>) {
        self.state().members = members.into_iter().collect();
    }

    /// Holds these regions from now on, in any order, with gaps and overlaps if it must be; a stream that has begun
    /// goes on with those it began with.
    pub fn set_regions(&self, regions: impl IntoIterator<Item = Region>) {
        let mut regions: Vec<_> = regions.into_iter().collect();
        regions.sort_by(|a, b| (&a.start_key, a.id).cmp(&(&b.start_key, b.id)));
        self.state().regions = regions.into();
    }

    /// Holds these hot regions from now on, in any order.
    pub fn set_hot_regions(&self, hot_regions: impl IntoIterator<Item = HotRegion>) {
        self.state().hot_regions = hot_regions.into_iter().collect();
    }

    /// Holds these signals from now on.
    pub fn set_signals(&self, signals: impl IntoIterator<Item = Signal>) {
        self.state().signals = signals.into_iter().collect();
    }

    /// Gives these reasons for mistrust from now on, whatever is observed.
    pub fn set_trust(&self, reasons: impl IntoIterator<Item = TrustReason>) {
        self.state().trust = reasons.into_iter().collect();
    }

    /// Fails `operation` from now on; streams that are under way fail at their next page.
    pub fn fail(&self, operation: Operation, kind: ErrorKind) {
        self.state().failures.insert(operation, kind);
    }

    /// Answers `operation` this much later from now on; for `regions`, each page.
    pub fn delay(&self, operation: Operation, delay: Duration) {
        self.state().delays.insert(operation, delay);
    }

    /// Ends what [`fail`](Self::fail) and [`delay`](Self::delay) began.
    pub fn heal(&self, operation: Operation) {
        let mut state = self.state();
        state.failures.remove(&operation);
        state.delays.remove(&operation);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while holding the lock left whole values behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers `operation` from the state, unless it is not supported or made to fail.
    async fn answer<T>(&self, operation: Operation, answer: impl FnOnce(&State) -> T) -> Result<T> {
        if !self.config.supports(operation) {
            return Err(Error::unsupported(operation.as_str()));
        }
        let delay = self.state().delays.get(&operation).copied();
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        let state = self.state();
        match state.failures.get(&operation) {
            Some(kind) => Err(Error::new(*kind, operation.as_str(), "made to fail")),
            None => Ok(answer(&state)),
        }
    }
}

#[async_trait]
impl Subject for InMemorySubject {
    fn config(&self) -> &SubjectConfig {
        &self.config
    }

    async fn stores(&self) -> Result<Vec<Store>> {
        let there = |store: &&Store| store.state != StoreState::Tombstone;
        self.answer(Operation::Stores, |state| state.stores.iter().filter(there).cloned().collect()).await
    }

    async fn store(&self, id: StoreId) -> Result<Store> {
        self.answer(Operation::Stores, |state| state.stores.iter().find(|store| store.id == id).cloned())
            .await?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "store", format!("there is no store {id}")))
    }

    async fn store_metrics(&self) -> Result<Vec<StoreMetrics>> {
        self.answer(Operation::StoreMetrics, |state| state.metrics.clone()).await
    }

    async fn cluster_metrics(&self) -> Result<ClusterMetrics> {
        self.answer(Operation::ClusterMetrics, |state| state.cluster.clone()).await
    }

    async fn region_health(&self) -> Result<RegionHealth> {
        self.answer(Operation::RegionHealth, |state| state.health.clone()).await
    }

    async fn members(&self) -> Result<Vec<Member>> {
        self.answer(Operation::Members, |state| state.members.clone()).await
    }

    async fn region(&self, id: RegionId) -> Result<Region> {
        self.answer(Operation::Region, |state| state.regions.iter().find(|region| region.id == id).cloned())
            .await?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "region", format!("there is no region {id}")))
    }

    fn regions(&self, query: RegionQuery) -> BoxStream<'_, Result<RegionPage>> {
        stream::try_unfold(Pages::new(query), move |mut pages| async move {
            if pages.done() {
                return Ok(None);
            }
            let regions = self.answer(Operation::Regions, |state| Arc::clone(&state.regions)).await?;
            Ok(pages.next(regions).map(|page| (page, pages)))
        })
        .boxed()
    }

    async fn hot_regions(&self, query: HotRegionQuery) -> Result<Vec<HotRegion>> {
        let wanted = |hot: &&HotRegion| query.kind.is_none_or(|kind| kind == hot.kind);
        let mut hot_regions: Vec<_> = self
            .answer(Operation::HotRegions, |state| state.hot_regions.iter().filter(wanted).cloned().collect())
            .await?;
        hot_regions.sort_by(|a: &HotRegion, b| b.bytes_per_second.total_cmp(&a.bytes_per_second));
        hot_regions.truncate(query.top);
        Ok(hot_regions)
    }

    async fn signals(&self, _scope: &Scope) -> Result<Vec<Signal>> {
        self.answer(Operation::Signals, |state| state.signals.clone()).await
    }

    fn trust(&self, _observation: &Observation) -> Vec<TrustReason> {
        self.state().trust.clone()
    }
}

#[cfg(test)]
mod tests;
