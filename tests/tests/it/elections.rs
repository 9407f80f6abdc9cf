//! PD's leader dies.

use std::time::Duration;

use operator_core::{ErrorKind, Subject, SubjectExt, TrustVerdict};
use tikv_simulator::{Config, Event, NodeId, Scenario};
use tokio::time::Instant;

use crate::support::{Simulated, subject_over};

#[tokio::test(start_paused = true)]
async fn a_question_asked_in_an_election_is_answered_after_it() {
    let simulated = Simulated::new(Config::new(Scenario::Healthy));
    simulated.subject.stores().await.unwrap();
    simulated.transport.with(|simulator| simulator.apply(Event::Crash(NodeId::Pd(0))));
    let asked = Instant::now();
    assert_eq!(simulated.subject.stores().await.unwrap().len(), 3);
    let waited = asked.elapsed();
    assert!(waited > Duration::from_secs(10) && waited < Duration::from_secs(20), "{waited:?}");
    let members = simulated.subject.members().await.unwrap();
    let leader = members.iter().find(|member| member.leader).unwrap();
    assert_ne!(leader.name, "pd0");
    assert_eq!(members.iter().find(|member| member.name == "pd0").unwrap().healthy, Some(false));
}

#[tokio::test(start_paused = true)]
async fn every_observation_through_the_loss_of_the_leader_shows_the_stores() {
    let simulated = Simulated::new(Config::new(Scenario::PdLeaderLoss));
    let scope = simulated.scope();
    let mut verdicts = Vec::new();
    for _ in 0..30 {
        let observation = simulated.subject.observe(&scope).await.unwrap();
        assert_eq!(observation.stores.as_ref().map(Vec::len), Some(3), "{observation:?}");
        verdicts.push(observation.trust.verdict);
        simulated.transport.pass(Duration::from_secs(5)).await;
    }
    assert_eq!(verdicts[0], TrustVerdict::Complete);
    assert!(verdicts.contains(&TrustVerdict::WarmingUp), "{verdicts:?}");
    assert_eq!(verdicts.last(), Some(&TrustVerdict::Complete), "{verdicts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_regions_goes_on_after_an_election() {
    use futures::TryStreamExt;
    let simulated = Simulated::new(Config::new(Scenario::Healthy));
    let mut pages = 0;
    simulated.transport.before_each(move |simulator, request| {
        if request.path_and_query.contains("/regions/key") {
            pages += 1;
            if pages == 4 {
                simulator.apply(Event::Crash(NodeId::Pd(0)));
            }
        }
    });
    let mut query = operator_core::RegionQuery::all();
    query.page_size = std::num::NonZeroUsize::new(5).unwrap();
    let regions: Vec<_> = simulated.subject.regions_flat(query).try_collect().await.unwrap();
    assert_eq!(regions.len(), 48);
    assert!(simulated.transport.with(|simulator| simulator.truth().pd_leader) != Some("pd0".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn without_a_quorum_the_error_names_the_members_and_says_what_is_missing() {
    let simulated = Simulated::showing(Scenario::NoQuorum).await;
    let asked = Instant::now();
    let error = simulated.subject.stores().await.unwrap_err();
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.is_retryable());
    let text = error.to_string();
    for part in ["pd0:2379", "pd1:2379", "pd2:2379", "no leader"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_dead_member_of_three_costs_no_answer() {
    let simulated = Simulated::new(Config::new(Scenario::Healthy));
    simulated.transport.with(|simulator| simulator.apply(Event::Crash(NodeId::Pd(2))));
    // The dead one is asked first.
    let subject = subject_over(simulated.transport.clone(), "pd2:2379,pd1:2379");
    let asked = Instant::now();
    assert_eq!(subject.stores().await.unwrap().len(), 3);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn with_all_members_dead_the_error_comes_soon_and_names_each() {
    let simulated = Simulated::new(Config::new(Scenario::Healthy));
    for member in 0..3 {
        simulated.transport.with(|simulator| simulator.apply(Event::Crash(NodeId::Pd(member))));
    }
    let asked = Instant::now();
    let error = simulated.subject.stores().await.unwrap_err();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(error.kind, ErrorKind::Unavailable);
    for part in ["pd0:2379", "pd1:2379", "pd2:2379", "refused"] {
        assert!(error.to_string().contains(part), "{part:?} is not in {error}");
    }
    let observed = simulated.subject.observe(&simulated.scope()).await;
    assert!(observed.is_err(), "nothing was seen: {observed:?}");
}
