//! The subject that can act.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use operator_core::{
    Action, Actor, ClusterMetrics, HotRegion, HotRegionQuery, Member, Observation, Preview, Progress, Region,
    RegionHealth, RegionId, RegionPage, RegionQuery, Result, Scope, Sent, Signal, Store, StoreId,
    StoreMetrics, Subject, SubjectConfig, TrustReason,
};

use super::draft::Draft;
use super::{
    cancel, drain, labels, leader, limits, pd_leader, peers, range, removal, request, running, scatter,
    schedulers, settings, weight,
};
use crate::http::{Answer, Method, PdError, Written};
use crate::{Error, TikvSubject};

/// A TiKV cluster that can be changed, through its PD.
///
/// It gives primitives; an [`Executor`](operator_core::Executor) adds the guard, the audit log and the order of things, and is what
/// programs use.
///
/// ```no_run
/// use operator_core::{Action, Actor};
/// use operator_tikv::{TikvActor, TikvConfig, TikvSubject};
///
/// # async fn run() -> Result<(), operator_core::Error> {
/// let config: TikvConfig = "pd0:2379".parse()?;
/// let actor = TikvActor::new(TikvSubject::new(config)?);
/// let preview = actor.preview(&Action::DrainStore { store_id: 4.into() }).await?;
/// println!("{}", preview.summary);
/// for objection in preview.objections() {
///     println!("{}: {}", objection.name, objection.message);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TikvActor {
    subject: TikvSubject,
}

impl TikvActor {
    /// Lets `subject` be changed.
    pub fn new(subject: TikvSubject) -> Self {
        Self { subject }
    }

    /// What it observes with.
    pub fn subject(&self) -> &TikvSubject {
        &self.subject
    }

    async fn draft(&self, action: &Action) -> Result<Preview, Error> {
        let pd = self.subject.pd();
        let at = self.subject.now();
        let mut draft = Draft::new(pd, &self.config().name, at, action)?;
        let to = &mut draft;
        match action {
            Action::TransferLeader { region_id, to_store_id } => {
                leader::preview(to, *region_id, *to_store_id).await?;
            }
            Action::TransferPeer { region_id, from_store_id, to_store_id } => {
                peers::preview_transfer(to, *region_id, *from_store_id, *to_store_id).await?;
            }
            Action::AddPeer { region_id, store_id } => peers::preview_add(to, *region_id, *store_id).await?,
            Action::RemovePeer { region_id, store_id } => {
                peers::preview_remove(to, *region_id, *store_id).await?;
            }
            Action::SplitRegion { region_id, policy, keys } => {
                range::preview_split(to, *region_id, *policy, keys).await?;
            }
            Action::MergeRegions { source_region_id, target_region_id } => {
                range::preview_merge(to, *source_region_id, *target_region_id).await?;
            }
            Action::ScatterRegion { region_id } => scatter::preview(to, *region_id).await?,
            Action::DrainStore { store_id } => drain::preview_drain(to, *store_id).await?,
            Action::UndrainStore { store_id } => drain::preview_undrain(to, *store_id).await?,
            Action::RemoveStore { store_id } => removal::preview_remove(to, *store_id).await?,
            Action::CancelRemoveStore { store_id } => removal::preview_cancel(to, *store_id).await?,
            Action::SetStoreWeight { store_id, leader_weight, region_weight } => {
                weight::preview(to, *store_id, *leader_weight, *region_weight).await?;
            }
            Action::SetStoreLimit { store_id, kind, rate_per_minute } => {
                limits::preview(to, *store_id, *kind, *rate_per_minute).await?;
            }
            Action::SetStoreLabels { store_id, labels } => labels::preview(to, *store_id, labels).await?,
            Action::SetLeaderScheduleLimit { limit, ttl_seconds } => {
                settings::preview_limit(to, settings::LEADER, *limit, *ttl_seconds).await?;
            }
            Action::SetRegionScheduleLimit { limit, ttl_seconds } => {
                settings::preview_limit(to, settings::REGION, *limit, *ttl_seconds).await?;
            }
            Action::SetReplicaScheduleLimit { limit, ttl_seconds } => {
                settings::preview_limit(to, settings::REPLICA, *limit, *ttl_seconds).await?;
            }
            Action::SetLowSpaceThreshold { used_ratio } => {
                settings::preview_low_space(to, *used_ratio).await?
            }
            Action::PauseScheduler { scheduler, seconds } => {
                schedulers::preview_pause(to, scheduler, *seconds).await?;
            }
            Action::ResumeScheduler { scheduler } => schedulers::preview_resume(to, scheduler).await?,
            Action::CancelSchedulingOperator { region_id } => cancel::preview(to, *region_id).await?,
            Action::TransferPdLeader { member } => pd_leader::preview(to, member).await?,
            // `request` has refused it.
            _ => {}
        }
        Ok(draft.finish())
    }

    /// Looks for the effect and, where it is not there, for what PD says of its operator.
    async fn look(&self, preview: &Preview) -> Result<Progress, Error> {
        let seen = self.effect(preview).await?;
        let (Progress::Running(waiting), Some(region)) = (&seen, running::region(preview)) else {
            return Ok(seen);
        };
        let said = running::progress(self.subject.pd(), preview, region, waiting).await?;
        if matches!(said, Progress::Running(_)) {
            return Ok(said);
        }
        // The two were not looked at in one moment: between them the operator may have come to its end.
        Ok(match self.effect(preview).await? {
            Progress::Running(_) => said,
            over => over,
        })
    }

    /// Whether what was wanted is to be seen.
    async fn effect(&self, preview: &Preview) -> Result<Progress, Error> {
        let pd = self.subject.pd();
        match &preview.action {
            Action::TransferLeader { region_id, to_store_id } => {
                leader::progress(pd, *region_id, *to_store_id).await
            }
            Action::TransferPeer { region_id, to_store_id: to, .. }
            | Action::AddPeer { region_id, store_id: to } => {
                peers::progress(pd, preview, *region_id, Some(*to)).await
            }
            Action::RemovePeer { region_id, .. } => peers::progress(pd, preview, *region_id, None).await,
            Action::SplitRegion { region_id, keys, .. } => {
                range::progress_split(pd, preview, *region_id, keys).await
            }
            Action::MergeRegions { source_region_id, target_region_id } => {
                range::progress_merge(pd, preview, *source_region_id, *target_region_id).await
            }
            Action::ScatterRegion { region_id } => scatter::progress(pd, *region_id).await,
            Action::DrainStore { store_id } => drain::progress_drain(pd, *store_id).await,
            Action::UndrainStore { store_id } => drain::progress_undrain(pd, *store_id).await,
            Action::RemoveStore { store_id } => removal::progress_remove(pd, *store_id).await,
            Action::CancelRemoveStore { store_id } => removal::progress_cancel(pd, *store_id).await,
            Action::SetStoreWeight { store_id, leader_weight, region_weight } => {
                weight::progress(pd, *store_id, *leader_weight, *region_weight).await
            }
            Action::SetStoreLimit { store_id, kind, rate_per_minute } => {
                limits::progress(pd, *store_id, *kind, *rate_per_minute).await
            }
            Action::SetStoreLabels { store_id, labels } => labels::progress(pd, *store_id, labels).await,
            Action::SetLeaderScheduleLimit { limit, ttl_seconds } => {
                settings::progress_limit(pd, settings::LEADER, *limit, *ttl_seconds).await
            }
            Action::SetRegionScheduleLimit { limit, ttl_seconds } => {
                settings::progress_limit(pd, settings::REGION, *limit, *ttl_seconds).await
            }
            Action::SetReplicaScheduleLimit { limit, ttl_seconds } => {
                settings::progress_limit(pd, settings::REPLICA, *limit, *ttl_seconds).await
            }
            Action::SetLowSpaceThreshold { used_ratio } => {
                settings::progress_low_space(pd, *used_ratio).await
            }
            Action::PauseScheduler { scheduler, .. } => schedulers::progress(pd, scheduler, true).await,
            Action::ResumeScheduler { scheduler } => schedulers::progress(pd, scheduler, false).await,
            Action::CancelSchedulingOperator { region_id } => cancel::progress(pd, preview, *region_id).await,
            Action::TransferPdLeader { member } => pd_leader::progress(pd, member).await,
            other => Ok(Progress::Failed(format!("{} is not one of PD's", other.name()))),
        }
    }

    /// The request as it goes out, if it is the one that the action stands for.
    fn outgoing(preview: &Preview) -> Result<(Method, String, Option<Bytes>), Error> {
        let changed = |message: &str| Error::Config { field: "preview", message: message.to_owned() };
        let Some(request) = &preview.request else { return Err(changed("there is nothing to send")) };
        if *request != request::of(&preview.action)? {
            return Err(changed("its request is not the one of its action: somebody has changed it"));
        }
        let method = if request.method == "DELETE" { Method::Delete } else { Method::Post };
        let body = request.body.as_ref().map(|body| Bytes::from(body.to_string()));
        Ok((method, request.path.clone(), body))
    }
}

#[async_trait]
impl Actor for TikvActor {
    async fn preview(&self, action: &Action) -> Result<Preview> {
        self.draft(action).await.map_err(|error| error.during("preview"))
    }

    async fn send(&self, preview: &Preview) -> Sent {
        let (method, path, body) = match Self::outgoing(preview) {
            Ok(outgoing) => outgoing,
            Err(error) => return Sent::NotSent(error.during("send")),
        };
        match self.subject.pd().http().write(method, &path, body).await {
            Written::Taken(answer) => Sent::Accepted(words(&answer)),
            Written::Refused(error) => Sent::Refused(match error.pd() {
                Some(pd) => pd.to_string(),
                None => error.to_string(),
            }),
            Written::NotSent(error) => Sent::NotSent(error.during("send")),
            Written::Unknown(error) => Sent::Unknown(error.during("send")),
        }
    }

    async fn progress(&self, preview: &Preview) -> Result<Progress> {
        self.look(preview).await.map_err(|error| error.during("progress"))
    }
}

/// What PD said, in a word if it said nothing: the answer to some requests is `null`.
fn words(answer: &Answer) -> String {
    let said = PdError::decode(&answer.body);
    if said.message.is_empty() { format!("PD answered {}", answer.status) } else { said.to_string() }
}

#[async_trait]
impl Subject for TikvActor {
    fn config(&self) -> &SubjectConfig {
        self.subject.config()
    }

    async fn stores(&self) -> Result<Vec<Store>> {
        self.subject.stores().await
    }

    async fn store(&self, id: StoreId) -> Result<Store> {
        self.subject.store(id).await
    }

    async fn store_metrics(&self) -> Result<Vec<StoreMetrics>> {
        self.subject.store_metrics().await
    }

    async fn cluster_metrics(&self) -> Result<ClusterMetrics> {
        self.subject.cluster_metrics().await
    }

    async fn region_health(&self) -> Result<RegionHealth> {
        self.subject.region_health().await
    }

    async fn members(&self) -> Result<Vec<Member>> {
        self.subject.members().await
    }

    async fn region(&self, id: RegionId) -> Result<Region> {
        self.subject.region(id).await
    }

    fn regions(&self, query: RegionQuery) -> BoxStream<'_, Result<RegionPage>> {
        self.subject.regions(query)
    }

    async fn hot_regions(&self, query: HotRegionQuery) -> Result<Vec<HotRegion>> {
        self.subject.hot_regions(query).await
    }

    async fn signals(&self, scope: &Scope) -> Result<Vec<Signal>> {
        self.subject.signals(scope).await
    }

    fn trust(&self, observation: &Observation) -> Vec<TrustReason> {
        self.subject.trust(observation)
    }
}
