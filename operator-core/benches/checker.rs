//! What it costs to check one observation: twenty invariants, each of which finds every store violated.
//!
//! `cargo bench -p operator-core --bench checker`

#![expect(clippy::expect_used, reason = "a bench may panic")]

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use operator_core::{
    Finding, Invariant, InvariantChecker, InvariantInfo, Observation, Severity, Store, StoreState,
    invariant_fn,
};

const INVARIANTS: usize = 20;

fn invariant(index: usize) -> Arc<dyn Invariant> {
    let id: Cow<'static, str> = format!("invariant_{index}").into();
    let info = InvariantInfo::new(id, Severity::Warning, Duration::from_secs(60))
        .severity(Severity::Critical, Duration::from_secs(600))
        .keep_firing(Duration::from_secs(60));
    Arc::new(invariant_fn(info, |observation: &Observation| {
        let stores = observation.stores.iter().flatten();
        let finding = |store: &Store| {
            Finding::violated(store.id, Severity::Critical, format!("{} is not well", store.address))
                .measured(0.25, 0.1, "s")
        };
        stores.map(finding).collect()
    }))
}

fn check(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check");
    for count in [250_u64, 500, 1_000, 2_000, 4_000] {
        let mut observation = Observation::empty(DateTime::UNIX_EPOCH);
        let store = |id: u64| Store::new(id.into(), format!("10.0.0.1:{id}"), StoreState::Up);
        observation.stores = Some((1..=count).map(store).collect());
        let mut checker = InvariantChecker::new((0..INVARIANTS).map(invariant)).expect("infos make sense");
        // The first check begins the histories; those that are measured go on with them.
        let _ = checker.check_after(&observation, Duration::ZERO);

        group.throughput(Throughput::Elements(count * INVARIANTS as u64));
        group.bench_with_input(BenchmarkId::new("stores", count), &observation, |bencher, observation| {
            bencher.iter(|| black_box(checker.check_after(black_box(observation), Duration::from_secs(5))));
        });
    }
    group.finish();
}

criterion_group!(benches, check);
criterion_main!(benches);
