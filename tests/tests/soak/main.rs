//! A simulated day with a random fault each minute, under a monitor that looks every 30 s, judged by what was really
//! done to the cluster.
//!
//! A seed makes a day, always the same one. `OPERATOR_SOAK_SEEDS` names others than those that always run: `7` one,
//! `0..10000` many:
//!
//! ```sh
//! OPERATOR_SOAK_SEEDS=0..10000 cargo test --release -p operator-tests --test soak -- --nocapture
//! ```
//!
//! It is a program of its own, for it needs every processor: what the other tests time would be late.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy knows helpers of tests in `cfg(test)` only"
)]

#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../it/support.rs"]
mod support;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../it/watched.rs"]
mod watched;
mod faults;
mod oracle;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tikv_simulator::{Config, Scenario};
use tokio::time::{Instant, sleep_until};

use self::faults::Faults;
use self::oracle::{Oracle, Tally};
use crate::watched::Watched;

/// Days that always run.
const SEEDS: Range<u64> = 0..20;
const DAY: Duration = Duration::from_secs(24 * 3_600);
const INTERVAL: Duration = Duration::from_secs(30);

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("OPERATOR_SOAK_SEEDS") else { return SEEDS };
    let number =
        |text: &str| text.trim().parse::<u64>().expect("OPERATOR_SOAK_SEEDS: a seed, or two as in 0..100");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    }
}

#[test]
fn every_fault_is_told_once_and_resolved_once_and_nothing_else() {
    let seeds = seeds();
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new(Tally::default());
    let failed = Mutex::new(Vec::new());
    let worker = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            match catch_unwind(AssertUnwindSafe(|| runtime.unwrap().block_on(day(seed)))) {
                Ok(tally) => total.lock().unwrap().add(tally),
                Err(_) => failed.lock().unwrap().push(seed),
            }
        }
    };
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        (0..workers).for_each(|_| drop(scope.spawn(worker)));
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "failed; each again with OPERATOR_SOAK_SEEDS=<seed>: {failed:?}");
    let total = total.into_inner().unwrap();
    println!("{total:?}");
    total.assert_that_something_was_tested(seeds.end - seeds.start);
}

/// One day.
async fn day(seed: u64) -> Tally {
    let mut config = Config::new(Scenario::Healthy);
    // What is judged here is time; few regions make a tick cheap.
    (config.seed, config.regions) = (seed, 12);
    let began = Instant::now();
    let mut watched = Watched::begin(config, Duration::ZERO, INTERVAL).await;
    let mut faults = Faults::new(seed);
    let mut oracle = Oracle::new(seed);
    while let Some(due) = faults.next_due().filter(|due| *due < DAY) {
        loop {
            tokio::select! {
                biased;
                changed = watched.snapshots.changed() => {
                    changed.unwrap();
                    let snapshot = watched.snapshots.borrow_and_update().clone();
                    let told = watched.told();
                    oracle.tick(&snapshot, &told, &faults, watched.began(), began.elapsed());
                }
                () = sleep_until(began + due) => break,
            }
        }
        watched.act(|simulator| faults.act(due, simulator));
    }
    let (told, checker) = watched.end().await;
    oracle.end(&told, &checker)
}
