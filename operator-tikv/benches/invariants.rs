//! What it costs to judge a cluster by all of TiKV's invariants: it is linear in the stores.
//!
//! `cargo bench -p operator-tikv --bench invariants`

#![expect(clippy::expect_used, reason = "a bench may panic")]

use std::hint::black_box;
use std::time::Duration;

use chrono::DateTime;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use operator_core::{
    ClusterMetrics, InvariantChecker, Member, Observation, Regarding, RegionHealth, RegionProblem, Signal,
    Store, StoreMetrics, StoreState,
};
use operator_tikv::invariants::{Thresholds, tikv_invariants};
use operator_tikv::signals;

/// Everything is seen of a cluster of so many stores, of which every tenth is lost and every tenth slow and full.
fn cluster(stores: u64) -> Observation {
    let now = DateTime::UNIX_EPOCH;
    let mut seen = Observation::empty(now);
    let (mut listed, mut metrics, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let mut tell = |regarding: Regarding, name: &str, value: operator_core::SignalValue| {
        told.push(Signal::new(regarding, name, value, now, "PD"));
    };
    for id in 1..=stores {
        let (lost, suffers) = (id % 10 == 3, id % 10 == 7);
        let state = if lost { StoreState::Disconnected } else { StoreState::Up };
        let mut store = Store::new(id.into(), format!("10.0.0.1:{id}"), state);
        (store.capacity_bytes, store.available_bytes) = (Some(1_000), Some(if suffers { 50 } else { 500 }));
        (store.leader_count, store.region_count) = (Some(1_000), Some(3_000));
        store.version = Some("8.5.0".to_owned());
        listed.push(store);
        if lost {
            tell(Regarding::Store(id.into()), signals::LOST, true.into());
        }
        for (name, value) in [
            (signals::SLOW_SCORE, if suffers { 90.0 } else { 1.0 }),
            (signals::LEADER_SCORE, 1_000.0),
            (signals::REGION_SCORE, 3_000.0),
            (signals::SERVER_IS_BUSY, 0.0),
            (signals::WRITE_STALL, 0.0),
            (signals::LEADER_MISSING, 0.0),
        ] {
            tell(Regarding::Store(id.into()), name, value.into());
        }
        tell(Regarding::Store(id.into()), signals::BUSY, false.into());
        let mut measured = StoreMetrics::new(id.into(), now);
        measured.latency_p99 = Some(Duration::from_millis(if suffers { 500 } else { 5 }));
        measured.qps = Some(1_000.0);
        metrics.push(measured);
    }
    for (name, value) in [(signals::SCHEDULING_OPERATORS, 0.0), (signals::MAX_REPLICAS, 3.0)] {
        tell(Regarding::Cluster, name, value.into());
    }
    for name in [signals::SCHEDULERS_KNOWN, signals::CHECKERS_KNOWN] {
        tell(Regarding::Cluster, name, true.into());
    }
    let mut of_cluster = ClusterMetrics::from_stores(&listed);
    let mut health = RegionHealth::default();
    RegionProblem::ALL.into_iter().for_each(|problem| health.set_count(problem, Some(7)));
    of_cluster.region_health = Some(health);
    seen.cluster = Some(of_cluster);
    seen.members = Some((0..3_u64).map(|id| Member::new(format!("pd{id}"), id.into())).collect());
    (seen.stores, seen.metrics, seen.signals) = (Some(listed), Some(metrics), Some(told));
    seen
}

fn judge(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("judge");
    for count in [250_u64, 500, 1_000, 2_000, 4_000] {
        let observation = cluster(count);
        let invariants = tikv_invariants(&Thresholds::default()).expect("the defaults make sense");
        let mut checker = InvariantChecker::new(invariants).expect("infos make sense");
        // The first check begins the histories; those that are measured go on with them.
        let _ = checker.check_after(&observation, Duration::ZERO);

        group.throughput(Throughput::Elements(count));
        group.bench_with_input(BenchmarkId::new("stores", count), &observation, |bencher, observation| {
            bencher.iter(|| black_box(checker.check_after(black_box(observation), Duration::from_secs(5))));
        });
    }
    group.finish();
}

criterion_group!(benches, judge);
criterion_main!(benches);
