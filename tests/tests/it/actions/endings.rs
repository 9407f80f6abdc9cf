//! Ways in which it goes wrong.

use std::time::Duration;

use operator_core::{Action, Actor, Approval, OutcomeKind, Progress, RefusalCode, Subject};
use rstest::rstest;
use tikv_simulator::{Event, Fault, NodeId, OperatorEnd, Reply};

use super::{Acting, follower, leader};

#[rstest]
#[case(OperatorEnd::TimesOut, "TIMEOUT")]
#[case(OperatorEnd::Replaced, "REPLACE")]
#[case(OperatorEnd::Canceled, "CANCEL")]
#[tokio::test(start_paused = true)]
async fn an_operator_that_pd_gives_up_failed(#[case] end: OperatorEnd, #[case] word: &str) {
    let acting = Acting::new().with_patience(Duration::from_secs(120));
    let region = acting.region().await;
    acting.simulated.with(|simulator| simulator.apply(Event::Doom { region: region.id.0, end }));
    let action = Action::TransferLeader { region_id: region.id, to_store_id: follower(&region) };
    let outcome = acting.act(&action).await;
    assert_eq!(outcome.outcome, OutcomeKind::Failed, "{outcome:?}");
    assert!(outcome.message.contains(word), "{outcome:?}");
    assert_eq!(acting.writes().len(), 1);
    assert_eq!(leader(&acting.actor().region(region.id).await.unwrap()), leader(&region));
}

#[tokio::test(start_paused = true)]
async fn what_runs_still_when_patience_ends_was_accepted() {
    let acting = Acting::new().with_patience(Duration::from_secs(20));
    let region = acting.region().await;
    let end = OperatorEnd::TimesOut;
    acting.simulated.with(|simulator| simulator.apply(Event::Doom { region: region.id.0, end }));
    let action = Action::TransferLeader { region_id: region.id, to_store_id: follower(&region) };
    let outcome = acting.act(&action).await;
    assert_eq!((outcome.outcome, outcome.sent), (OutcomeKind::Accepted, Some(true)), "{outcome:?}");
    assert!(outcome.message.contains("PD runs admin-transfer-leader"), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_was_split_meanwhile_is_looked_at_anew() {
    let acting = Acting::new();
    let region = acting.region().await;
    let action = Action::TransferLeader { region_id: region.id, to_store_id: follower(&region) };
    let proposal = acting.executor.propose(action).await.unwrap();
    acting.simulated.with(|simulator| simulator.apply(Event::Split(region.id.0)));
    let outcome = acting.executor.execute(&proposal.token, Approval::by("ann")).await.unwrap();
    assert_eq!(outcome.outcome, OutcomeKind::Refused, "{outcome:?}");
    assert_eq!(outcome.refusals[0].code, RefusalCode::Changed);
    assert!(outcome.message.contains("epoch"), "{outcome:?}");
    assert!(acting.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_goes_down_meanwhile_is_not_used() {
    let acting = Acting::new();
    let region = acting.region().await;
    let to = follower(&region);
    let proposal = acting
        .executor
        .propose(Action::TransferLeader { region_id: region.id, to_store_id: to })
        .await
        .unwrap();
    acting.simulated.with(|simulator| simulator.apply(Event::Crash(NodeId::Store(to.0))));
    acting.simulated.pass(Duration::from_secs(30)).await;
    let outcome = acting.executor.execute(&proposal.token, Approval::by("ann")).await.unwrap();
    assert_eq!(outcome.outcome, OutcomeKind::Refused, "{outcome:?}");
    assert!(outcome.refusals.iter().any(|one| one.code == RefusalCode::Precondition), "{outcome:?}");
    assert!(acting.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_quorum_does_not_hang_on_what_is_removed() {
    let acting = Acting::new();
    let region = acting.region().await;
    let (dead, other) = (follower(&region), leader(&region));
    acting.simulated.with(|simulator| simulator.apply(Event::Crash(NodeId::Store(dead.0))));
    acting.simulated.pass(Duration::from_secs(60)).await;
    let objections = |preview: operator_core::Preview| -> Vec<String> {
        preview.objections().map(|one| one.name.clone()).collect()
    };
    let remove = Action::RemovePeer { region_id: region.id, store_id: other };
    let found = objections(acting.actor().preview(&remove).await.unwrap());
    assert!(found.contains(&"quorum_survives".to_owned()), "{found:?}");
    let found = objections(acting.actor().preview(&Action::RemoveStore { store_id: other }).await.unwrap());
    assert!(found.contains(&"quorum_survives".to_owned()), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_of_pd_lost_between_sending_and_looking_costs_no_second_request() {
    let acting = Acting::new().with_patience(Duration::from_secs(300));
    let mut crashed = false;
    let mut written = false;
    acting.simulated.before_each(move |simulator, request| {
        if written && !crashed {
            crashed = true;
            simulator.apply(Event::Crash(NodeId::Pd(0)));
        }
        written |= request.method != "GET";
    });
    let outcome = acting.act(&Action::DrainStore { store_id: 1.into() }).await;
    assert_eq!(outcome.outcome, OutcomeKind::Verified, "{outcome:?}");
    assert_eq!(acting.writes().len(), 1);
    let truth = acting.simulated.with(|simulator| simulator.truth());
    assert_ne!(truth.pd_leader.as_deref(), Some("pd0"));
    assert_eq!(truth.stores[&1].leaders, 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_looked_for_and_not_asked_for_again() {
    let acting = Acting::new();
    let lost = || Fault::new("/pd/api/v1/schedulers", Reply::Silent).method("POST");
    acting.simulated.with(|simulator| simulator.inject(lost().after_it_was_done()));
    let outcome = acting.act(&Action::DrainStore { store_id: 1.into() }).await;
    assert_eq!((outcome.outcome, outcome.sent), (OutcomeKind::Verified, None), "{outcome:?}");
    assert!(outcome.message.contains("not known whether the request arrived"), "{outcome:?}");

    let acting = Acting::new().with_patience(Duration::from_secs(30));
    acting.simulated.with(|simulator| simulator.inject(lost()));
    let outcome = acting.act(&Action::DrainStore { store_id: 1.into() }).await;
    assert_eq!((outcome.outcome, outcome.sent), (OutcomeKind::Failed, None), "{outcome:?}");
    assert!(outcome.message.contains("not known whether it was sent"), "{outcome:?}");
    assert_eq!(acting.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_gone_is_told() {
    let acting = Acting::new();
    let region = acting.region().await;
    let action = Action::TransferLeader { region_id: region.id, to_store_id: follower(&region) };
    let mut preview = acting.actor().preview(&action).await.unwrap();
    preview.action = Action::TransferLeader { region_id: 99_999_999.into(), to_store_id: 1.into() };
    let progress = acting.actor().progress(&preview).await.unwrap();
    assert!(matches!(&progress, Progress::Failed(why) if why.contains("gone")), "{progress:?}");
    let preview = acting.actor().preview(&preview.action).await.unwrap();
    assert_eq!(preview.objections().next().unwrap().name, "region_exists");
}

#[tokio::test(start_paused = true)]
async fn pd_refuses_in_its_own_words() {
    let acting = Acting::new();
    let region = acting.region().await;
    let transfer = Action::TransferLeader { region_id: region.id, to_store_id: follower(&region) };
    // Two programs act at once: the other's operator comes between the look and the request.
    let mut first = true;
    let body = format!(
        r#"{{"name":"transfer-peer","region_id":{},"from_store_id":{},"to_store_id":{}}}"#,
        region.id,
        follower(&region),
        acting.store_without(&region).await
    );
    acting.simulated.before_each(move |simulator, request| {
        if request.method == "POST" && std::mem::take(&mut first) {
            let mut other = tikv_simulator::Request::new("POST", "/pd/api/v1/operators");
            other.body = body.clone().into();
            assert_eq!(simulator.answer("pd0:2379", &other).status(), Some(200));
        }
    });
    let outcome = acting.act(&transfer).await;
    assert_eq!((outcome.outcome, outcome.sent), (OutcomeKind::Refused, Some(true)), "{outcome:?}");
    assert!(outcome.message.contains("[PD:operator:ErrAddOperator]"), "{outcome:?}");
}
