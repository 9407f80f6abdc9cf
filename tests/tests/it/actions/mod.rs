//! Acting on a simulated cluster through the executor.

mod asked;
mod effects;
mod endings;
mod looks;
mod seeded;
mod unreliable;

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use operator_core::{
    Action, Actor, Approval, AuditLog, Clock, Danger, Executor, Guard, InMemoryAuditLog, Outcome,
    OutcomeKind, PlannedRequest, Region, RegionQuery, StoreId, Subject, SubjectExt,
};
use operator_tests::SimulatedTransport;
use operator_tikv::TikvActor;
use operator_tikv::http::Transport;
use tikv_simulator::{Config, Received, Scenario, Simulator};

use crate::support::subject_over;

const PDS: &str = "pd0:2379,pd1:2379,pd2:2379";

/// A simulated cluster, and the executor that acts on it.
struct Acting {
    simulated: SimulatedTransport,
    executor: Executor<TikvActor>,
    audit: Arc<InMemoryAuditLog>,
}

impl Acting {
    /// Four stores, so that there is one more than a region has replicas.
    fn new() -> Self {
        let mut config = Config::new(Scenario::Healthy);
        config.stores = 4;
        let simulated = SimulatedTransport::new(Simulator::new(config));
        Self::over(simulated.clone(), simulated, Arc::default())
    }

    fn over(simulated: SimulatedTransport, transport: impl Transport, audit: Arc<InMemoryAuditLog>) -> Self {
        let clock = Clock::tokio(simulated.with(|simulator| simulator.now()));
        let actor = TikvActor::new(subject_over(transport, PDS).with_clock(clock.clone()));
        let log: Arc<dyn AuditLog> = audit.clone();
        let guard = Guard::up_to(Danger::Destructive).max_per_minute(1_000);
        Self { simulated, executor: Executor::new(Arc::new(actor), guard, log).with_clock(clock), audit }
    }

    fn with_patience(self, patience: Duration) -> Self {
        Self { executor: self.executor.with_verify_deadline(patience), ..self }
    }

    fn actor(&self) -> &TikvActor {
        self.executor.actor()
    }

    /// Proposes, which nothing may speak against, and executes.
    async fn act(&self, action: &Action) -> Outcome {
        let proposal = self.executor.propose(action.clone()).await.unwrap();
        assert!(proposal.refusals.is_empty(), "{action}: {:?}", proposal.refusals);
        self.executor.execute(&proposal.token, Approval::by("a test")).await.unwrap()
    }

    /// The same, where the effect must be seen and the one request sent is the one that was shown.
    async fn done(&self, action: &Action) -> Outcome {
        let preview = self.actor().preview(action).await.unwrap();
        let sent_before = self.writes().len();
        let outcome = self.act(action).await;
        assert_eq!(outcome.outcome, OutcomeKind::Verified, "{action}: {}", outcome.message);
        let sent = self.writes().split_off(sent_before);
        assert_eq!(sent, Vec::from_iter(preview.request), "{action}");
        assert_eq!(outcome.undo, preview.undo, "{action}");
        outcome
    }

    /// Everything that the simulated PDs were asked to change.
    fn writes(&self) -> Vec<PlannedRequest> {
        self.simulated.with(|simulator| simulator.requests().writes().map(planned).collect())
    }

    async fn regions(&self) -> Vec<Region> {
        self.actor().regions_flat(RegionQuery::all()).try_collect().await.unwrap()
    }

    /// A region that no operator runs on, and that has a size.
    async fn region(&self) -> Region {
        self.regions().await.into_iter().nth(5).unwrap()
    }

    /// A store that holds no replica of the region.
    async fn store_without(&self, region: &Region) -> StoreId {
        let stores = self.actor().stores().await.unwrap();
        let holds = |store: StoreId| region.peers.iter().any(|peer| peer.store_id == store);
        stores.iter().map(|store| store.id).find(|id| !holds(*id)).unwrap()
    }
}

fn planned(received: &Received) -> PlannedRequest {
    let query = if received.query.is_empty() { String::new() } else { format!("?{}", received.query) };
    let mut request = PlannedRequest::new(received.method.clone(), format!("{}{query}", received.path));
    if !received.body.is_empty() {
        request.body = Some(serde_json::from_slice(&received.body).unwrap());
    }
    request
}

/// A store that holds a voter of the region and does not lead it.
fn follower(region: &Region) -> StoreId {
    let leader = region.leader.unwrap().store_id;
    region.peers.iter().map(|peer| peer.store_id).find(|store| *store != leader).unwrap()
}

fn leader(region: &Region) -> StoreId {
    region.leader.unwrap().store_id
}
