//! A subject that is sound but for one lie.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::{full, regions};
use crate::*;

/// One lie: where a subject that is otherwise sound says something else.
pub(super) enum Lie {
    Config(fn(&mut SubjectConfig)),
    Stores(fn(&mut Vec<Store>)),
    Store(fn(&mut Store)),
    Metrics(fn(&mut Vec<StoreMetrics>)),
    Cluster(fn(&mut ClusterMetrics)),
    Health(fn(&mut RegionHealth)),
    Members(fn(&mut Vec<Member>)),
    Region(fn(&mut Region)),
    Pages(fn(&mut Vec<RegionPage>)),
    Query(fn(&mut RegionQuery)),
    Hot(fn(&mut Vec<HotRegion>)),
    HotQuery(fn(&mut HotRegionQuery)),
    Signals(fn(&mut Vec<Signal>)),
    /// The regions themselves, in the stream and alone.
    Regions(fn(&mut Vec<Region>)),
    /// As before, and no gap or overlap is reported.
    Hides(fn(&mut Vec<Region>)),
    Fails(Operation, ErrorKind),
    Hangs(Operation),
    /// Not declared, but answered, or refused in these words.
    Hidden(Operation, Option<fn() -> Error>),
    /// A region or store that does not exist.
    Unknown(Operation, ErrorKind),
    InventsRegions,
    NeverEnds,
    /// Trusts differently each time.
    Fickle,
    /// Hangs after a call was dropped half-way.
    Sensitive(Operation),
}

#[derive(Debug)]
pub(super) struct Broken {
    inner: InMemorySubject,
    config: SubjectConfig,
    lie: &'static Lie,
    poisoned: AtomicBool,
    asked: AtomicU64,
}

impl fmt::Debug for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lie")
    }
}

impl Broken {
    pub(super) fn new(lie: &'static Lie) -> Self {
        let inner = full();
        let mut config = inner.config().clone();
        match lie {
            Lie::Config(change) => change(&mut config),
            Lie::Hidden(hidden, _) => config.observations.retain(|operation| operation != hidden),
            Lie::Fails(operation, kind) => inner.fail(*operation, *kind),
            Lie::Hangs(operation) => inner.delay(*operation, Duration::from_secs(86_400)),
            Lie::Regions(change) | Lie::Hides(change) => {
                let mut regions = regions();
                change(&mut regions);
                inner.set_regions(regions);
            }
            _ => {}
        }
        Self { inner, config, lie, poisoned: AtomicBool::new(false), asked: AtomicU64::new(0) }
    }

    /// What a call does before it answers.
    async fn begin(&self, operation: Operation) -> Result<()> {
        match self.lie {
            Lie::Hidden(hidden, Some(error)) if *hidden == operation => return Err(error()),
            Lie::Sensitive(sensitive) if *sensitive == operation => {
                if self.poisoned.swap(true, Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
                // Whoever drops the call here leaves it poisoned.
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.poisoned.store(false, Ordering::Relaxed);
            }
            _ => {}
        }
        Ok(())
    }

    fn unknown<T>(&self, operation: Operation, answer: Result<T>) -> Result<T> {
        match (self.lie, answer) {
            (Lie::Unknown(of, kind), Err(error)) if *of == operation => {
                Err(Error::new(*kind, error.operation, error.message))
            }
            (_, answer) => answer,
        }
    }
}

#[async_trait]
impl Subject for Broken {
    fn config(&self) -> &SubjectConfig {
        &self.config
    }

    async fn stores(&self) -> Result<Vec<Store>> {
        self.begin(Operation::Stores).await?;
        let mut stores = self.inner.stores().await?;
        if let Lie::Stores(change) = self.lie {
            change(&mut stores);
        }
        Ok(stores)
    }

    async fn store(&self, id: StoreId) -> Result<Store> {
        let mut store = self.unknown(Operation::Stores, self.inner.store(id).await)?;
        if let Lie::Store(change) = self.lie {
            change(&mut store);
        }
        Ok(store)
    }

    async fn store_metrics(&self) -> Result<Vec<StoreMetrics>> {
        self.begin(Operation::StoreMetrics).await?;
        let mut metrics = self.inner.store_metrics().await?;
        if let Lie::Metrics(change) = self.lie {
            change(&mut metrics);
        }
        Ok(metrics)
    }

    async fn cluster_metrics(&self) -> Result<ClusterMetrics> {
        self.begin(Operation::ClusterMetrics).await?;
        let mut cluster = self.inner.cluster_metrics().await?;
        if let Lie::Cluster(change) = self.lie {
            change(&mut cluster);
        }
        Ok(cluster)
    }

    async fn region_health(&self) -> Result<RegionHealth> {
        self.begin(Operation::RegionHealth).await?;
        let mut health = self.inner.region_health().await?;
        if let Lie::Health(change) = self.lie {
            change(&mut health);
        }
        Ok(health)
    }

    async fn members(&self) -> Result<Vec<Member>> {
        self.begin(Operation::Members).await?;
        let mut members = self.inner.members().await?;
        if let Lie::Members(change) = self.lie {
            change(&mut members);
        }
        Ok(members)
    }

    async fn region(&self, id: RegionId) -> Result<Region> {
        self.begin(Operation::Region).await?;
        let mut answer = self.unknown(Operation::Region, self.inner.region(id).await);
        if matches!(self.lie, Lie::InventsRegions) && answer.is_err() {
            answer = Ok(Region::new(id, KeyRange::all(), Epoch::default()));
        }
        let mut region = answer?;
        if let Lie::Region(change) = self.lie {
            change(&mut region);
        }
        Ok(region)
    }

    fn regions(&self, mut query: RegionQuery) -> BoxStream<'_, Result<RegionPage>> {
        match self.lie {
            Lie::Query(change) => change(&mut query),
            Lie::NeverEnds => return stream::repeat_with(|| Ok(RegionPage::default())).boxed(),
            _ => {}
        }
        let lie = self.lie;
        let answer = async move {
            self.begin(Operation::Regions).await?;
            let mut pages: Vec<_> = self.inner.regions(query).try_collect().await?;
            if let Lie::Pages(change) = lie {
                change(&mut pages);
            } else if let Lie::Hides(_) = lie {
                pages.iter_mut().for_each(|page| *page = RegionPage::new(std::mem::take(&mut page.regions)));
            }
            Ok(stream::iter(pages.into_iter().map(Ok)))
        };
        stream::once(answer).try_flatten().boxed()
    }

    async fn hot_regions(&self, mut query: HotRegionQuery) -> Result<Vec<HotRegion>> {
        self.begin(Operation::HotRegions).await?;
        if let Lie::HotQuery(change) = self.lie {
            change(&mut query);
        }
        let mut hot = self.inner.hot_regions(query).await?;
        if let Lie::Hot(change) = self.lie {
            change(&mut hot);
        }
        Ok(hot)
    }

    async fn signals(&self, scope: &Scope) -> Result<Vec<Signal>> {
        self.begin(Operation::Signals).await?;
        let mut signals = self.inner.signals(scope).await?;
        if let Lie::Signals(change) = self.lie {
            change(&mut signals);
        }
        Ok(signals)
    }

    fn trust(&self, _: &Observation) -> Vec<TrustReason> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let reason = TrustReason::new(TrustCode::WarmingUp, None, asked.to_string());
        Vec::from_iter(matches!(self.lie, Lie::Fickle).then_some(reason))
    }
}
