//! Every action is shown, sent as shown, and seen to have taken effect.

use std::time::Duration;

use operator_core::{
    Action, Actor, Approval, AuditStep, OutcomeKind, Progress, Sent, SplitPolicy, StoreId, StoreLimitKind,
    StoreState, Subject,
};

use super::{Acting, follower, leader};

#[tokio::test(start_paused = true)]
async fn leaders_and_replicas_move() {
    let acting = Acting::new();
    let region = acting.region().await;
    let (region_id, from, to) = (region.id, leader(&region), follower(&region));

    let transfer = Action::TransferLeader { region_id, to_store_id: to };
    let outcome = acting.done(&transfer).await;
    assert_eq!(leader(&acting.actor().region(region_id).await.unwrap()), to);
    assert_eq!(outcome.undo, Some(Action::TransferLeader { region_id, to_store_id: from }));
    // Once more is nothing to do.
    let outcome = acting.done(&transfer).await;
    assert!(outcome.request.is_none() && outcome.message.contains("as wanted"), "{outcome:?}");
    acting.done(&Action::TransferLeader { region_id, to_store_id: from }).await;

    let free = acting.store_without(&region).await;
    acting.done(&Action::TransferPeer { region_id, from_store_id: to, to_store_id: free }).await;
    let held: Vec<_> =
        acting.actor().region(region_id).await.unwrap().peers.iter().map(|peer| peer.store_id).collect();
    assert!(held.contains(&free) && !held.contains(&to), "{held:?}");

    // PD's rules find a fourth one too many: it may be gone again when it is looked for.
    acting.done(&Action::AddPeer { region_id, store_id: to }).await;
    let other = acting.regions().await.into_iter().find(|other| other.id != region_id).unwrap();
    acting.done(&Action::RemovePeer { region_id: other.id, store_id: follower(&other) }).await;
}

#[tokio::test(start_paused = true)]
async fn ranges_are_split_and_merged_and_replicas_scattered() {
    let acting = Acting::new();
    let region = acting.region().await;
    let before = acting.regions().await.len();
    acting
        .done(&Action::SplitRegion {
            region_id: region.id,
            policy: SplitPolicy::Approximate,
            keys: Vec::new(),
        })
        .await;
    let regions = acting.regions().await;
    assert_eq!(regions.len(), before + 1);

    let place = regions.iter().position(|one| one.id == region.id).unwrap();
    let other = [place - 1, place + 1]
        .into_iter()
        .map(|place| &regions[place])
        .find(|other| region.key_range().contains(&other.start_key))
        .unwrap();
    let merge = Action::MergeRegions { source_region_id: region.id, target_region_id: other.id };
    let outcome = acting.done(&merge).await;
    assert_eq!(acting.regions().await.len(), before);
    // What takes it back splits at the very key.
    let undo = outcome.undo.unwrap();
    assert!(matches!(&undo, Action::SplitRegion { policy: SplitPolicy::Keys, keys, .. } if keys.len() == 1));
    acting.done(&undo).await;
    assert_eq!(acting.regions().await.len(), before + 1);

    let outcome = acting.act(&Action::ScatterRegion { region_id: acting.regions().await[20].id }).await;
    assert_eq!(outcome.outcome, OutcomeKind::Verified, "{}", outcome.message);
}

#[tokio::test(start_paused = true)]
async fn a_store_is_drained_and_leads_again() {
    let acting = Acting::new();
    let store = leader(&acting.region().await);
    let drain = Action::DrainStore { store_id: store };
    let preview = acting.actor().preview(&drain).await.unwrap();
    assert!(
        preview.warnings.iter().any(|warning| warning.contains("to each of 3 other stores")),
        "{preview:?}"
    );
    acting.done(&drain).await;
    let leaders =
        |acting: &Acting| acting.simulated.with(|simulator| simulator.truth().stores[&store.0].leaders);
    assert_eq!(leaders(&acting), 0);

    // Another store shares the scheduler, and stays drained when this one is not any more.
    let other =
        acting.actor().stores().await.unwrap().iter().map(|one| one.id).find(|id| *id != store).unwrap();
    acting.done(&Action::DrainStore { store_id: other }).await;
    acting.done(&Action::UndrainStore { store_id: store }).await;
    let again = acting.actor().preview(&Action::DrainStore { store_id: other }).await.unwrap();
    assert!(again.request.is_none() && again.summary.contains("drained already"), "{again:?}");
    acting.done(&Action::UndrainStore { store_id: other }).await;
    acting.simulated.pass(Duration::from_secs(300)).await;
    assert!(leaders(&acting) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_was_given_up_is_waited_for_the_next_time() {
    let acting = Acting::new();
    let store = leader(&acting.region().await);
    let drain = Action::DrainStore { store_id: store };
    let leaders = || acting.simulated.with(|simulator| simulator.truth().stores[&store.0].leaders);
    let first = tokio::time::timeout(Duration::from_secs(2), acting.act(&drain)).await;
    assert!(first.is_err() && leaders() > 0);
    let outcome = acting.act(&drain).await;
    assert_eq!((outcome.outcome, outcome.sent), (OutcomeKind::Verified, Some(false)), "{outcome:?}");
    assert!(outcome.message.contains("nothing was sent"), "{outcome:?}");
    assert_eq!((leaders(), acting.writes().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_store_leaves_and_is_kept() {
    let acting = Acting::new();
    let store_id = acting.actor().stores().await.unwrap().last().unwrap().id;
    let outcome = acting.done(&Action::RemoveStore { store_id }).await;
    assert!(
        outcome.message.contains("Offline") && outcome.message.contains("have yet to move"),
        "{outcome:?}"
    );
    assert_eq!(acting.actor().store(store_id).await.unwrap().state, StoreState::Offline);
    acting.done(&Action::CancelRemoveStore { store_id }).await;
    assert_eq!(acting.actor().store(store_id).await.unwrap().state, StoreState::Up);
    // A fourth store may go; then the three that are left may not.
    acting.done(&Action::RemoveStore { store_id }).await;
    let left = acting.actor().stores().await.unwrap().first().unwrap().id;
    let preview = acting.actor().preview(&Action::RemoveStore { store_id: left }).await.unwrap();
    let objections: Vec<_> = preview.objections().map(|one| one.name.as_str()).collect();
    assert!(objections.contains(&"replicas_still_fit"), "{preview:?}");
}

#[tokio::test(start_paused = true)]
async fn stores_and_the_cluster_are_set_and_set_back() {
    let acting = Acting::new();
    let store_id = StoreId(1);
    let labels = |zone: &str| [("zone".to_owned(), zone.to_owned())].into_iter().collect();
    acting.done(&Action::SetStoreLabels { store_id, labels: labels("z1") }).await;
    for action in [
        Action::SetStoreWeight { store_id, leader_weight: 2.0, region_weight: 0.5 },
        Action::SetStoreLimit { store_id, kind: StoreLimitKind::AddPeer, rate_per_minute: 20.0 },
        Action::SetStoreLimit { store_id, kind: StoreLimitKind::RemovePeer, rate_per_minute: 7.5 },
        Action::SetStoreLabels { store_id, labels: labels("z2") },
        Action::SetLeaderScheduleLimit { limit: 8, ttl_seconds: None },
        Action::SetRegionScheduleLimit { limit: 0, ttl_seconds: None },
        Action::SetReplicaScheduleLimit { limit: 32, ttl_seconds: None },
        Action::SetLowSpaceThreshold { used_ratio: 0.85 },
    ] {
        let outcome = acting.done(&action).await;
        let again = acting.actor().preview(&action).await.unwrap();
        assert!(again.request.is_none() && again.undo.is_none(), "{again:?}");
        acting.done(&outcome.undo.unwrap()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn schedulers_stop_and_go_on() {
    let acting = Acting::new();
    let scheduler = "balance-leader-scheduler".to_owned();
    let pause = Action::PauseScheduler { scheduler: scheduler.clone(), seconds: 300 };
    acting.done(&pause).await;
    // What is read back could be the earlier pause.
    let again = acting.actor().preview(&pause).await.unwrap();
    assert_eq!(again.objections().next().unwrap().name, "scheduler_runs");
    acting.done(&Action::ResumeScheduler { scheduler }).await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_of_pd_is_cancelled() {
    let acting = Acting::new();
    let region = acting.region().await;
    let cancel = Action::CancelSchedulingOperator { region_id: region.id };
    acting.done(&cancel).await;
    let free = acting.store_without(&region).await;
    let moves =
        Action::TransferPeer { region_id: region.id, from_store_id: follower(&region), to_store_id: free };
    let preview = acting.actor().preview(&moves).await.unwrap();
    let sent = acting.actor().send(&preview).await;
    assert!(matches!(&sent, Sent::Accepted(words) if words == "The operator is created."), "{sent:?}");
    // While it runs nothing else is done to the region.
    let other = Action::TransferLeader { region_id: region.id, to_store_id: follower(&region) };
    let other = acting.actor().preview(&other).await.unwrap();
    assert_eq!(other.objections().next().unwrap().name, "no_operator_runs");
    let outcome = acting.done(&cancel).await;
    assert!(outcome.message.contains("CANCEL of admin-move-peer"), "{outcome:?}");
    let progress = acting.actor().progress(&preview).await.unwrap();
    assert!(matches!(&progress, Progress::Failed(why) if why.contains("CANCEL")), "{progress:?}");
}

#[tokio::test(start_paused = true)]
async fn another_member_leads_pd() {
    let acting = Acting::new();
    let preview =
        acting.actor().preview(&Action::TransferPdLeader { member: "pd2".to_owned() }).await.unwrap();
    assert!(preview.warnings[0].contains("incomplete"), "{preview:?}");
    let outcome = acting.done(&Action::TransferPdLeader { member: "pd2".to_owned() }).await;
    assert_eq!(outcome.undo, Some(Action::TransferPdLeader { member: "pd0".to_owned() }));
    assert_eq!(acting.simulated.with(|simulator| simulator.truth().pd_leader), Some("pd2".to_owned()));
    // What the new leader does not know yet is no ground to act on.
    let drain = Action::DrainStore { store_id: 1.into() };
    let proposal = acting.executor.propose(drain).await.unwrap();
    assert!(!proposal.refusals.is_empty(), "{proposal:?}");
}

#[tokio::test(start_paused = true)]
async fn what_holds_for_a_time_is_taken_and_not_called_seen() {
    let acting = Acting::new();
    let action = Action::SetLeaderScheduleLimit { limit: 1, ttl_seconds: Some(60) };
    let outcome = acting.act(&action).await;
    assert_eq!(outcome.outcome, OutcomeKind::Accepted, "{outcome:?}");
    // Nobody waits for what is never to be seen.
    assert!(outcome.at - outcome.started_at < chrono::TimeDelta::seconds(5), "{outcome:?}");
    assert_eq!(acting.writes().last().unwrap().path, "/pd/api/v1/config?ttlSecond=60");
    acting.simulated.pass(Duration::from_secs(61)).await;
    // It went on by itself before PD would have refused to set it for good.
    acting.done(&Action::SetLeaderScheduleLimit { limit: 2, ttl_seconds: None }).await;

    acting.act(&Action::SetLeaderScheduleLimit { limit: 1, ttl_seconds: Some(600) }).await;
    let outcome = acting.act(&Action::SetLeaderScheduleLimit { limit: 3, ttl_seconds: None }).await;
    assert_eq!(outcome.outcome, OutcomeKind::Refused);
    assert!(outcome.message.contains("need to clean up TTL first"), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn the_audit_log_says_all_of_it_and_the_token_is_good_once() {
    let acting = Acting::new();
    let proposal = acting.executor.propose(Action::DrainStore { store_id: 1.into() }).await.unwrap();
    acting.executor.execute(&proposal.token, Approval::by("ann")).await.unwrap();
    acting.executor.execute(&proposal.token, Approval::by("ann")).await.unwrap_err();
    let steps: Vec<_> = acting
        .audit
        .records()
        .iter()
        .map(|record| match &record.step {
            AuditStep::Proposed { .. } => "proposed",
            AuditStep::Approved { .. } => "approved",
            AuditStep::Sending { .. } => "sending",
            AuditStep::Answered { .. } => "answered",
            AuditStep::Ended { .. } => "ended",
            _ => "other",
        })
        .collect();
    assert_eq!(steps, ["proposed", "approved", "sending", "answered", "ended"]);
    assert_eq!(acting.writes().len(), 1);
}
