use operator_core::{ErrorKind, SignalValue, StoreState, SubjectExt, TrustVerdict};
use rstest::rstest;

use super::*;
use crate::pd::recorded::{Recorded, config};

fn subject(state: &str) -> (TikvSubject, Arc<Recorded>) {
    let recorded = Arc::new(Recorded::load(state));
    (TikvSubject::with_transport(config(), Arc::<Recorded>::clone(&recorded)).unwrap(), recorded)
}

/// Everything but the stores' own pages, which were not recorded in every state.
fn scope_of_pd() -> Scope {
    Scope::of(Part::ALL.into_iter().filter(|part| *part != Part::Metrics))
}

/// As of five seconds after the newest heartbeat.
async fn observe(state: &str) -> (Observation, Arc<Recorded>) {
    let (subject, recorded) = subject(state);
    let stores = subject.stores().await.unwrap();
    let now = stores.iter().filter_map(|store| store.last_heartbeat).max().unwrap();
    let clock = Clock::manual(now + std::time::Duration::from_secs(5));
    let subject = subject.with_clock(clock.clone());
    (subject.observe(&scope_of_pd().clock(clock)).await.unwrap(), recorded)
}

#[rstest]
#[case("healthy-busy", TrustVerdict::Complete)]
#[case("store-down", TrustVerdict::Complete)]
#[case("store-offline", TrustVerdict::Complete)]
#[case("pd-member-lost", TrustVerdict::WarmingUp)]
#[case("pd-warming-up", TrustVerdict::WarmingUp)]
// The page of metrics that was recorded is not the leader's.
#[case("pd-warm-again", TrustVerdict::Partial)]
#[case("two-stores-lost", TrustVerdict::Partial)]
#[tokio::test(start_paused = true)]
async fn an_observation_says_how_far_it_can_be_believed(#[case] state: &str, #[case] verdict: TrustVerdict) {
    let (observation, _) = observe(state).await;
    assert_eq!(observation.trust.verdict, verdict, "{:?}", observation.trust.reasons);
    assert_eq!(observation.errors, []);
    let expected = SignalValue::Bool(verdict == TrustVerdict::WarmingUp);
    let signal = observation.signals_named(signals::PD_WARMING_UP).next().unwrap();
    assert_eq!(signal.value, expected);
}

#[tokio::test(start_paused = true)]
async fn what_looks_alike_in_pd_is_told_apart_by_the_probes() {
    for (state, probe, lost) in [("pd-member-lost", "answers", false), ("two-stores-lost", "refused", true)] {
        let (observation, _) = observe(state).await;
        let disconnected: Vec<_> = observation
            .stores
            .iter()
            .flatten()
            .filter(|store| store.state == StoreState::Disconnected)
            .map(|store| store.id.into())
            .collect();
        assert_eq!(disconnected.len(), 2, "{state}");
        for name in [signals::PROBE, signals::LOST] {
            let about: Vec<_> =
                observation.signals_named(name).map(|signal| signal.regarding.clone()).collect();
            assert_eq!(about.len(), disconnected.len());
            assert!(about.iter().all(|regarding| disconnected.contains(regarding)), "{state}");
        }
        assert!(observation.signals_named(signals::PROBE).all(|signal| signal.value == probe.into()));
        assert!(observation.signals_named(signals::LOST).all(|signal| signal.value == lost.into()));
    }
}

#[tokio::test(start_paused = true)]
async fn no_question_is_asked_twice_in_a_healthy_observation() {
    let (_, recorded) = observe("healthy-busy").await;
    // The first is that of the test itself.
    let mut asked = recorded.asked().split_off(1);
    let count = asked.len();
    asked.sort();
    let repeated: Vec<_> =
        asked.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
    assert!(count < 20, "{asked:?}");
    assert!(!repeated.iter().any(|path| path.contains("regions/key")), "{repeated:?}");
}

#[tokio::test(start_paused = true)]
async fn without_the_probes_a_store_that_was_not_heard_makes_the_stores_doubtful() {
    let (subject, _) = subject("pd-warming-up");
    let observation = subject.observe(&Scope::of([Part::Stores])).await.unwrap();
    assert!(subject.trust(&observation).iter().all(|reason| reason.code == TrustCode::WarmingUp));
    assert_eq!(subject.trust(&observation).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_error_names_the_question_and_who_was_asked() {
    let (subject, _) = subject("not-bootstrapped");
    for error in [
        subject.stores().await.unwrap_err(),
        subject.region_health().await.unwrap_err(),
        subject.signals(&Scope::all()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert!(
            error.to_string().contains("http://pd0:2379") && error.to_string().contains("ErrNotBootstrapped")
        );
        assert!(std::error::Error::source(&error).is_some());
    }
    let error = subject.store_metrics().await.unwrap_err();
    assert_eq!((error.kind, &*error.operation), (ErrorKind::Unavailable, "store_metrics"));
}
