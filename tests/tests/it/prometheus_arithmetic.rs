//! The scraper computes as a real Prometheus does, over random samples: resets, gaps, jitter, NaN, missing and broken
//! buckets. All of them go into one Prometheus, as its past; each series is a case.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use operator_tests::{Prometheus, Setup};
use operator_tikv::prometheus::{Client, QueryResult};
use operator_tikv::scrape::{Bucket, Point, histogram_quantile, increase, rate};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const CASES: usize = 150;
/// Some moment; milliseconds.
const BEGIN: i64 = 1_795_000_000_000;

/// How a counter goes on.
#[derive(Debug, Clone, Copy)]
enum Step {
    Grow(f64),
    Restart(f64),
    Nan,
}

/// Samples about five seconds apart, with some missing.
fn counter() -> impl Strategy<Value = Vec<Point>> {
    let later = prop_oneof![8 => 4_800..5_200_i64, 1 => 1..300_i64, 1 => 15_000..90_000_i64];
    let step = prop_oneof![
        8 => (0..10_000_u32).prop_map(|by| Step::Grow(by.into())),
        4 => (0.0..1e4).prop_map(Step::Grow),
        4 => Just(Step::Grow(0.0)),
        2 => (0.0..100.0).prop_map(Step::Restart),
        1 => Just(Step::Nan),
    ];
    vec((later, step), 1..40).prop_map(|steps| {
        let (mut at_millis, mut total) = (BEGIN, 0.0);
        let mut points = Vec::new();
        for (later, step) in steps {
            at_millis += later;
            let value = match step {
                Step::Nan => f64::NAN,
                Step::Grow(by) => {
                    total += by;
                    total
                }
                Step::Restart(at) => {
                    total = at;
                    total
                }
            };
            points.push(Point { at_millis, value });
        }
        points
    })
}

/// `le` and count: mostly as they should be.
fn histogram() -> impl Strategy<Value = Vec<(&'static str, f64)>> {
    const BOUNDS: [&str; 12] =
        ["-1", "0", "5e-05", "0.0001", "0.1", "0.10", "0.25", "1", "2.5", "100", "+Inf", "no number"];
    let count = prop_oneof![
        10 => (0..1_000_u32).prop_map(f64::from),
        4 => Just(0.0),
        3 => 0.0..100.0,
        1 => Just(f64::NAN),
    ];
    // A sixth is not there, one in ten does not add up.
    let bucket = (prop::bool::weighted(0.84), count, prop::bool::weighted(0.1));
    vec(bucket, BOUNDS.len()).prop_map(|drawn| {
        let mut total = 0.0;
        let mut buckets = Vec::new();
        for (le, (is_there, count, is_broken)) in BOUNDS.into_iter().zip(drawn) {
            if count.is_finite() && !is_broken {
                total += count;
            }
            if is_there {
                buckets.push((le, if is_broken || count.is_nan() { count } else { total }));
            }
        }
        buckets
    })
}

fn drawn<T: Strategy>(strategy: &T) -> Vec<T::Value> {
    let mut runner = TestRunner::default();
    (0..CASES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn seconds(at_millis: i64) -> String {
    format!("{}.{:03}", at_millis / 1_000, at_millis % 1_000)
}

/// What Prometheus says of each case.
async fn answers(client: &Client, query: &str, at_millis: i64) -> BTreeMap<usize, f64> {
    let at: DateTime<Utc> = DateTime::from_timestamp_millis(at_millis).unwrap();
    let QueryResult::Vector(vector) = client.query_at(query, at).await.unwrap().data else {
        panic!("{query} is no vector")
    };
    let case =
        |one: &operator_tikv::prometheus::InstantSample| one.labels.value("n").unwrap().parse().unwrap();
    vector.samples.iter().map(|one| (case(one), one.sample.value)).collect()
}

/// Equal, or both NaN; sums that are made in another order may differ in their last bits.
fn same(ours: Option<f64>, theirs: Option<f64>, tolerance: f64) -> bool {
    match (ours, theirs) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => {
            ours == theirs
                || ours.is_nan() && theirs.is_nan()
                || (ours - theirs).abs() <= tolerance * ours.abs().max(theirs.abs())
        }
        _ => false,
    }
}

#[tokio::test]
async fn rates_increases_and_quantiles_are_those_of_a_running_prometheus() {
    let (counters, histograms) = (drawn(&counter()), drawn(&histogram()));
    let pairs = drawn(&(0.0..1e6, prop_oneof![0.0..1e6, Just(0.0), Just(f64::NAN)]));
    let mut text = String::new();
    for (n, points) in counters.iter().enumerate() {
        for Point { at_millis, value } in points {
            let _ = writeln!(text, "c{{n=\"{n}\"}} {value} {}", seconds(*at_millis));
        }
    }
    for (n, buckets) in histograms.iter().enumerate() {
        for (le, count) in buckets {
            let _ = writeln!(text, "h{{n=\"{n}\",le=\"{le}\"}} {count} {}", seconds(BEGIN));
        }
    }
    for (n, (earlier, later)) in pairs.iter().enumerate() {
        let _ = writeln!(text, "two{{n=\"{n}\"}} {earlier} {}", seconds(BEGIN));
        let _ = writeln!(text, "two{{n=\"{n}\"}} {later} {}", seconds(BEGIN + 60_000));
    }
    text.push_str("# EOF\n");
    let setup = Setup { samples: Some(text), ..Setup::default() };
    let Some(prometheus) = Prometheus::start(setup).await.unwrap() else { return };
    let client = prometheus.config().client().unwrap();

    let mut compared = 0;
    for range in [10_u64, 30, 60, 300] {
        for later in [20_000, 60_000, 123_456, 200_000, 400_000] {
            let (end, range_is) = (BEGIN + later, Duration::from_secs(range));
            let rates = answers(&client, &format!("rate(c[{range}s])"), end).await;
            let increases = answers(&client, &format!("increase(c[{range}s])"), end).await;
            for (n, points) in counters.iter().enumerate() {
                let ours = rate(points, end, range_is);
                let theirs = rates.get(&n).copied();
                assert!(
                    same(ours, theirs, 0.0),
                    "rate over {range} s at {end}: {ours:?}, {theirs:?}: {points:?}"
                );
                let ours = ours.map(|rate| rate * range_is.as_secs_f64());
                let theirs = increases.get(&n).copied();
                assert!(
                    same(ours, theirs, 1e-12),
                    "increase over {range} s at {end}: {ours:?}, {theirs:?}: {points:?}"
                );
                compared += usize::from(theirs.is_some());
            }
        }
    }
    assert!(compared > 5 * CASES, "only {compared} rates");

    let theirs = answers(&client, "increase(two[1m])", BEGIN + 60_000).await;
    for (n, (earlier, later)) in pairs.iter().enumerate() {
        let (ours, theirs) = (increase(*earlier, *later), theirs.get(&n).copied());
        // Prometheus adds to the difference what was lost, in floats.
        let near =
            theirs.is_some_and(|theirs| (ours - theirs).abs() < 1e-9 || ours.is_nan() && theirs.is_nan());
        assert!(near, "from {earlier} to {later}: {ours}, {theirs:?}");
    }

    let mut compared = 0;
    for q in [-0.1, 0.0, 0.1, 0.5, 0.9, 0.99, 1.0, 1.1] {
        let theirs = answers(&client, &format!("histogram_quantile({q}, h)"), BEGIN).await;
        for (n, buckets) in histograms.iter().enumerate() {
            let valid = buckets
                .iter()
                .filter_map(|(le, count)| Some(Bucket { upper_bound: Bucket::bound(le)?, count: *count }));
            let valid: Vec<_> = valid.collect();
            let ours = (!valid.is_empty()).then(|| histogram_quantile(q, valid));
            let theirs = theirs.get(&n).copied();
            assert!(same(ours, theirs, 0.0), "quantile {q}: {ours:?}, {theirs:?}: {buckets:?}");
            compared += usize::from(theirs.is_some_and(f64::is_finite));
        }
    }
    assert!(compared > 2 * CASES, "only {compared} quantiles");
}
