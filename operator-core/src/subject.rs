//! The trait that a kind of database implements.

use std::fmt::Debug;
use std::future::Future;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::{
    ClusterMetrics, Error, ErrorKind, HotRegion, HotRegionQuery, Member, Observation, Operation, Region,
    RegionHealth, RegionId, RegionPage, RegionQuery, Result, Scope, Signal, Store, StoreId, StoreMetrics,
    SubjectConfig, TrustReason, observation,
};

/// A database that can be observed.
///
/// One method is one question to the system. Two are required; the rest answer [`ErrorKind::Unsupported`] until
/// implemented, and [`SubjectConfig::observations`] lists what is. A method returns what the system says and does not
/// judge, retry across questions, or keep state: [`SubjectExt::observe`] composes, invariants judge.
///
/// Implementations must be safe to cancel: every future may be dropped at any await.
///
/// Run `operator_core::conformance` (feature `conformance`) against an implementation before trusting it.
///
/// ```
/// use async_trait::async_trait;
/// use operator_core::{Result, Store, StoreState, Subject, SubjectConfig};
///
/// #[derive(Debug)]
/// struct OneNode(SubjectConfig);
///
/// #[async_trait]
/// impl Subject for OneNode {
///     fn config(&self) -> &SubjectConfig {
///         &self.0
///     }
///
///     async fn stores(&self) -> Result<Vec<Store>> {
///         Ok(vec![Store::new(1.into(), "127.0.0.1:6379", StoreState::Up)])
///     }
/// }
/// ```
#[async_trait]
pub trait Subject: Debug + Send + Sync + 'static {
    /// What this subject can observe and do.
    fn config(&self) -> &SubjectConfig;

    /// Every store that has not been removed.
    async fn stores(&self) -> Result<Vec<Store>>;

    /// One store, removed ones included where the subject still knows them.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none with this id.
    async fn store(&self, id: StoreId) -> Result<Store> {
        self.stores()
            .await?
            .into_iter()
            .find(|store| store.id == id)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "store", format!("there is no store {id}")))
    }

    /// The metrics of all stores at once; a store without any is left out.
    async fn store_metrics(&self) -> Result<Vec<StoreMetrics>> {
        Err(unsupported(Operation::StoreMetrics))
    }

    /// The subject as a whole. [`ClusterMetrics::region_health`] is left empty: it is a question of its own.
    async fn cluster_metrics(&self) -> Result<ClusterMetrics> {
        Err(unsupported(Operation::ClusterMetrics))
    }

    /// How many regions are not as they should be.
    async fn region_health(&self) -> Result<RegionHealth> {
        Err(unsupported(Operation::RegionHealth))
    }

    /// The members of the control plane.
    async fn members(&self) -> Result<Vec<Member>> {
        Err(unsupported(Operation::Members))
    }

    /// One region.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none with this id.
    async fn region(&self, id: RegionId) -> Result<Region> {
        let _ = id;
        Err(unsupported(Operation::Region))
    }

    /// Regions in the order of their keys, page by page: never more than a few pages in memory, whatever their number.
    ///
    /// A stream ends after its first error.
    fn regions(&self, query: RegionQuery) -> BoxStream<'_, Result<RegionPage>> {
        let _ = query;
        stream::once(async { Err(unsupported(Operation::Regions)) }).boxed()
    }

    /// The regions with the most traffic, the largest flow in bytes first.
    async fn hot_regions(&self, query: HotRegionQuery) -> Result<Vec<HotRegion>> {
        let _ = query;
        Err(unsupported(Operation::HotRegions))
    }

    /// What only this kind of subject knows.
    async fn signals(&self, scope: &Scope) -> Result<Vec<Signal>> {
        let _ = scope;
        Err(unsupported(Operation::Signals))
    }

    /// What the subject knows of how far `observation` can be believed, beyond what is missing or old, which the core
    /// finds by itself. A pure function of the observation.
    fn trust(&self, observation: &Observation) -> Vec<TrustReason> {
        let _ = observation;
        Vec::new()
    }
}

fn unsupported(operation: Operation) -> Error {
    Error::unsupported(operation.as_str())
}

/// What can be composed from the questions of any [`Subject`].
pub trait SubjectExt: Subject {
    /// One time-stamped view of the subject: the parts of `scope`, asked together, each under the scope's deadline.
    ///
    /// A part that fails leaves a gap and an entry in [`Observation::errors`]; one that the subject does not declare
    /// leaves a gap only.
    ///
    /// # Errors
    /// The first part's error if no part answered; [`ErrorKind::Unsupported`] if the subject supports none of them, and
    /// [`ErrorKind::InvalidInput`] if the scope has none.
    fn observe(&self, scope: &Scope) -> impl Future<Output = Result<Observation>> + Send {
        observation::observe(self, scope)
    }

    /// The metrics of one store.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there are none for it.
    fn store_metrics_of(&self, id: StoreId) -> impl Future<Output = Result<StoreMetrics>> + Send {
        async move {
            self.store_metrics().await?.into_iter().find(|metrics| metrics.store_id == id).ok_or_else(|| {
                Error::new(
                    ErrorKind::NotFound,
                    "store_metrics_of",
                    format!("there are no metrics of store {id}"),
                )
            })
        }
    }

    /// [`Subject::regions`] one by one, where gaps and overlaps do not matter.
    fn regions_flat(&self, query: RegionQuery) -> BoxStream<'_, Result<Region>> {
        self.regions(query)
            .map_ok(|page| stream::iter(page.regions.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }
}

impl<S: Subject + ?Sized> SubjectExt for S {}

#[cfg(test)]
mod tests;
