//! The questions that a cluster of etcd can answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::Utc;
use futures::stream::{self, BoxStream, StreamExt};
use operator_core::{
    ClusterMetrics, Epoch, Error, ErrorKind, KeyRange, Operation, Peer, PeerRole, Region, RegionHealth,
    RegionId, RegionPage, RegionProblem, RegionQuery, Result, Scope, Signal, Store, StoreId, StoreMetrics,
    StoreState, Subject, SubjectConfig, common,
};

use crate::gateway::Gateway;
use crate::look::{Look, Seen};
use crate::metrics::Page;

/// The one region: etcd has one raft group.
pub const REGION: RegionId = RegionId(1);

/// A cluster of etcd.
#[derive(Debug)]
pub struct EtcdSubject {
    config: SubjectConfig,
    gateway: Gateway,
    urls: Vec<String>,
    /// The page before, of each member: what grows is told by two.
    pages: Mutex<HashMap<u64, Page>>,
}

impl EtcdSubject {
    /// The cluster that has one of its members at each of `urls` (`http://127.0.0.1:2379`). One that answers is enough.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is none, or no HTTP client can be made.
    pub fn new(urls: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let urls: Vec<_> = urls.into_iter().map(Into::into).collect();
        if urls.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "new",
                "name at least one member, such as http://127.0.0.1:2379",
            ));
        }
        let config = SubjectConfig::new("etcd").with_observations([
            Operation::StoreMetrics,
            Operation::ClusterMetrics,
            Operation::RegionHealth,
            Operation::Region,
            Operation::Regions,
            Operation::Signals,
        ]);
        Ok(Self { config, gateway: Gateway::new()?, urls, pages: Mutex::default() })
    }

    async fn look(&self) -> Result<Look> {
        Look::at(&self.gateway, &self.urls).await
    }

    /// The one region, whichever question it is the answer to.
    async fn the_region(&self) -> Result<Region> {
        let look = self.look().await?;
        let peer = |seen: &Seen| Peer {
            id: seen.member.id.into(),
            store_id: seen.member.id.into(),
            role: if seen.member.is_learner { PeerRole::Learner } else { PeerRole::Voter },
        };
        // etcd does not say how often its members have changed.
        let mut region = Region::new(REGION, KeyRange::all(), Epoch::default());
        region.peers = look.0.iter().map(peer).collect();
        let leader = look.leader();
        region.leader = region.peers.iter().find(|peer| Some(peer.id.0) == leader).copied();
        region.approximate_size_bytes =
            look.0.iter().filter_map(|seen| seen.status.as_ref().ok()).map(|status| status.db_size).max();
        Ok(region)
    }
}

#[async_trait]
impl Subject for EtcdSubject {
    fn config(&self) -> &SubjectConfig {
        &self.config
    }

    async fn stores(&self) -> Result<Vec<Store>> {
        let look = self.look().await?;
        let leader = look.leader();
        Ok(look.0.iter().map(|seen| store(seen, look.state(seen), leader)).collect())
    }

    async fn store_metrics(&self) -> Result<Vec<StoreMetrics>> {
        let look = self.look().await?;
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = std::mem::take(&mut *pages);
        let seen = look.0.into_iter().filter_map(|seen| Some((seen.member.id, seen.page?)));
        Ok(seen
            .map(|(id, page)| {
                let metrics = page.metrics(id.into(), earlier.get(&id));
                pages.insert(id, page);
                metrics
            })
            .collect())
    }

    async fn cluster_metrics(&self) -> Result<ClusterMetrics> {
        let mut metrics = ClusterMetrics::from_stores(&self.stores().await?);
        metrics.region_count = Some(1);
        Ok(metrics)
    }

    async fn region_health(&self) -> Result<RegionHealth> {
        let look = self.look().await?;
        let is_down = look.0.iter().any(|seen| look.state(seen) == StoreState::Disconnected);
        let mut health = RegionHealth::default();
        for (problem, is_there) in [
            (RegionProblem::DownPeer, is_down),
            (RegionProblem::LearnerPeer, look.0.iter().any(|seen| seen.member.is_learner)),
            (RegionProblem::NoLeader, look.leader().is_none()),
            (RegionProblem::QuorumLost, look.quorum_is_lost()),
        ] {
            health.set_count(problem, Some(is_there.into()));
            if is_there {
                health.add_sample(problem, REGION);
            }
        }
        Ok(health)
    }

    async fn region(&self, id: RegionId) -> Result<Region> {
        if id != REGION {
            return Err(Error::new(
                ErrorKind::NotFound,
                "region",
                format!("there is no region {id}: etcd has one, {REGION}"),
            ));
        }
        self.the_region().await
    }

    fn regions(&self, query: RegionQuery) -> BoxStream<'_, Result<RegionPage>> {
        let wanted = move |region: &Region| {
            query.store.is_none_or(|store| region.peers.iter().any(|peer| peer.store_id == store))
                && !KeyRange::new(query.start_key.clone(), query.end_key.clone()).is_empty()
                && query.limit != Some(0)
        };
        stream::once(async move {
            let region = self.the_region().await?;
            Ok(RegionPage::new(Vec::from_iter(Some(region).filter(wanted))))
        })
        .boxed()
    }

    async fn signals(&self, _: &Scope) -> Result<Vec<Signal>> {
        let look = self.look().await?;
        let lost = |seen: &Seen| {
            let lost = match look.state(seen) {
                StoreState::Up => false,
                StoreState::Disconnected => true,
                _ => return None,
            };
            Some(Signal::new(
                StoreId(seen.member.id),
                common::LOST,
                lost,
                Utc::now(),
                "POST /v3/maintenance/status",
            ))
        };
        Ok(look.0.iter().filter_map(lost).collect())
    }
}

fn store(seen: &Seen, state: StoreState, leader: Option<u64>) -> Store {
    let Seen { member, status, page } = seen;
    let url = member.client_urls.first().map(String::as_str).unwrap_or_default();
    let address = url.split_once("://").map_or(url, |(_, address)| address).trim_end_matches('/');
    // One that has not started has no address yet.
    let address = if address.is_empty() { &member.name } else { address };
    let mut store = Store::new(member.id.into(), address, state);
    store.status_address = (!url.is_empty()).then(|| address.to_owned());
    store.labels.extend((!member.name.is_empty()).then(|| ("name".to_owned(), member.name.clone())));
    store.region_count = Some(1);
    store.leader_count = leader.map(|leader| (leader == member.id).into());
    if let Ok(status) = status {
        store.version = status.version.clone();
        store.used_bytes = Some(status.db_size);
        store.capacity_bytes = page.as_ref().and_then(Page::quota_bytes);
        store.available_bytes = store.capacity_bytes.map(|quota| quota.saturating_sub(status.db_size));
    }
    store
}
