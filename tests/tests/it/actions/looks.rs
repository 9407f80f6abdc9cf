//! What is told is what was seen: nothing is called done that is not, and none is taken for another.

use std::time::Duration;

use chrono::TimeDelta;
use operator_core::{
    Action, Actor, Clock, PreconditionVerdict, Preview, Progress, Sent, SplitPolicy, StoreId, StoreState,
};
use operator_tikv::TikvActor;
use rstest::rstest;
use tikv_simulator::{Config, Event, OperatorEnd, Scenario, Simulator};

use super::{Acting, PDS, SimulatedTransport, follower, leader, subject_over};

fn failing(preview: &Preview) -> Vec<&str> {
    let fails = preview.preconditions.iter().filter(|one| one.verdict == PreconditionVerdict::Fails);
    fails.map(|one| one.name.as_str()).collect()
}

async fn send(actor: &TikvActor, preview: &Preview) {
    let sent = actor.send(preview).await;
    assert!(matches!(sent, Sent::Accepted(_)), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_exist_holds_nothing_as_wanted() {
    let acting = Acting::new();
    let region = acting.region().await;
    let (region_id, nowhere) = (region.id, StoreId(999));
    for action in [
        Action::RemovePeer { region_id, store_id: nowhere },
        Action::TransferPeer { region_id, from_store_id: nowhere, to_store_id: follower(&region) },
    ] {
        let preview = acting.actor().preview(&action).await.unwrap();
        assert_eq!(failing(&preview), ["store_exists"], "{preview:?}");
    }
    let free = acting.store_without(&region).await;
    let preview = acting.actor().preview(&Action::RemovePeer { region_id, store_id: free }).await.unwrap();
    assert!(preview.request.is_none() && preview.objections().next().is_none(), "{preview:?}");
}

#[rstest]
#[case::behind(-3_600)]
#[case::right(0)]
#[case::ahead(3_600)]
#[tokio::test(start_paused = true)]
async fn an_operator_of_before_is_told_from_ours_whatever_the_clock_says(#[case] ahead_seconds: i64) {
    let acting = Acting::new();
    let start = acting.simulated.with(|simulator| simulator.now()) + TimeDelta::seconds(ahead_seconds);
    let subject = subject_over(acting.simulated.clone(), PDS).with_clock(Clock::tokio(start));
    let actor = TikvActor::new(subject);
    let region = acting.region().await;
    let (region_id, from, to) = (region.id, leader(&region), follower(&region));
    let transfer = Action::TransferLeader { region_id, to_store_id: to };
    let back = Event::TransferLeader { region: region_id.0, to_store: from.0 };

    // The same was done a minute ago, and somebody has taken it back.
    let before = actor.preview(&transfer).await.unwrap();
    send(&actor, &before).await;
    acting.simulated.pass(Duration::from_secs(30)).await;
    let progress = actor.progress(&before).await.unwrap();
    assert!(matches!(progress, Progress::Done(_)), "{progress:?}");
    acting.simulated.with(|simulator| simulator.apply(back));
    acting.simulated.pass(Duration::from_secs(60)).await;
    // What PD calls a success is not to be seen.
    let progress = actor.progress(&before).await.unwrap();
    assert!(matches!(&progress, Progress::Unseeable(why) if why.contains("reports success")), "{progress:?}");

    let now = actor.preview(&transfer).await.unwrap();
    assert_eq!(now.objections().next(), None, "{now:?}");
    let progress = actor.progress(&now).await.unwrap();
    assert!(matches!(&progress, Progress::Running(how) if how.contains("no new operator")), "{progress:?}");
    let end = OperatorEnd::Canceled;
    acting.simulated.with(|simulator| simulator.apply(Event::Doom { region: region_id.0, end }));
    send(&actor, &now).await;
    acting.simulated.pass(Duration::from_secs(5)).await;
    let progress = actor.progress(&now).await.unwrap();
    assert!(matches!(&progress, Progress::Failed(why) if why.contains("CANCEL")), "{progress:?}");
}

#[tokio::test(start_paused = true)]
async fn what_ends_between_two_looks_is_looked_at_once_more() {
    let acting = Acting::new();
    let region_id = acting.region().await.id;
    let split = Action::SplitRegion { region_id, policy: SplitPolicy::Approximate, keys: Vec::new() };
    let preview = acting.actor().preview(&split).await.unwrap();
    send(acting.actor(), &preview).await;
    let mut first = true;
    acting.simulated.before_each(move |simulator, request| {
        if request.path_and_query.contains("/operators/") && std::mem::take(&mut first) {
            simulator.advance(Duration::from_secs(60));
        }
    });
    let progress = acting.actor().progress(&preview).await.unwrap();
    assert!(matches!(&progress, Progress::Done(seen) if seen.contains("is from")), "{progress:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_died_leads_nothing_though_pd_shows_it() {
    let simulated = SimulatedTransport::new(Simulator::new(Config::new(Scenario::TwoStoresLost)));
    let acting = Acting::over(simulated.clone(), simulated, Default::default());
    acting.simulated.pass(Duration::from_secs(120)).await;
    let truth = acting.simulated.with(|simulator| simulator.truth());
    assert!(truth.stores.len() == 3);
    let mut dead = 0;
    for region in acting.regions().await.into_iter().take(6) {
        let (region_id, shown) = (region.id, leader(&region));
        for action in [
            Action::TransferLeader { region_id, to_store_id: follower(&region) },
            Action::SplitRegion { region_id, policy: SplitPolicy::Approximate, keys: Vec::new() },
        ] {
            let preview = acting.actor().preview(&action).await.unwrap();
            let failing = failing(&preview);
            assert!(failing.contains(&"region_has_quorum"), "{preview:?}");
            let live = acting.actor().subject().pd().store(shown).await.unwrap().store.state;
            assert_eq!(failing.contains(&"leader_store_is_up"), live != StoreState::Up, "{preview:?}");
            dead += usize::from(live != StoreState::Up);
        }
    }
    assert!(dead > 0);
}
