//! What an observation costs the cluster.

use std::collections::BTreeMap;

use operator_core::SubjectExt;
use tikv_simulator::{Config, Scenario};

use crate::support::Simulated;

/// How often each path of PD is asked for by one observation of a cluster with so many stores.
async fn requests_to_pd(stores: usize) -> BTreeMap<String, usize> {
    let mut config = Config::new(Scenario::Healthy);
    config.stores = stores;
    let simulated = Simulated::new(config);
    let observation = simulated.subject.observe(&simulated.scope_of_pd()).await.unwrap();
    assert_eq!(observation.stores.unwrap().len(), stores);
    assert!(observation.errors.is_empty(), "{:?}", observation.errors);
    simulated.transport.with(|simulator| {
        let mut asked = BTreeMap::new();
        for request in simulator.requests().recent() {
            assert!(request.authority.starts_with("pd"), "no store is in doubt: {request:?}");
            *asked.entry(request.path.clone()).or_default() += 1;
        }
        asked
    })
}

#[tokio::test(start_paused = true)]
async fn a_thousand_stores_cost_pd_no_more_requests_than_three() {
    let few = requests_to_pd(3).await;
    let many = requests_to_pd(1_000).await;
    assert_eq!(few, many);
    assert!(few.values().sum::<usize>() < 20, "{few:?}");
    assert!(!few.contains_key("/pd/api/v1/regions"), "PD builds the whole list in memory");
}
