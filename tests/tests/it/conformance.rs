//! The TiKV subject keeps to what every subject keeps to, whatever state its cluster is in.

use operator_core::conformance;
use operator_tikv::TikvActor;
use rstest::rstest;
use tikv_simulator::Scenario;

use crate::support::{Simulated, recorded};

#[rstest]
#[case(Scenario::Healthy)]
#[case(Scenario::StoreCrash)]
#[case(Scenario::SlowStore)]
#[case(Scenario::HotRegion)]
#[case(Scenario::PdLeaderLoss)]
#[case(Scenario::TwoStoresLost)]
#[case(Scenario::PdRestart)]
#[case(Scenario::StoreOffline)]
#[case(Scenario::ScaleOut)]
#[tokio::test(start_paused = true)]
async fn over_the_simulator(#[case] scenario: Scenario) {
    let simulated = Simulated::showing(scenario).await;
    let actor = TikvActor::new(simulated.subject);
    conformance::check_actor(&actor, conformance::DEADLINE).await.assert_passed();
    let written = simulated.transport.with(|simulator| simulator.requests().writes().count());
    assert_eq!(written, 0, "a preview changes nothing");
}

#[rstest]
#[case("healthy-busy")]
#[case("store-disconnected")]
#[case("store-down")]
#[case("store-offline")]
#[case("store-tombstone")]
#[case("pd-warming-up")]
#[case("two-stores-lost")]
#[tokio::test(start_paused = true)]
async fn over_the_recordings(#[case] state: &str) {
    let (_, subject) = recorded(state);
    conformance::check(&subject).await.assert_passed();
}
