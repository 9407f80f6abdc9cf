//! Rates and quantiles agree with a real Prometheus, to the bit.
//!
//! `golden/prometheus-2.42.json` holds random series (resets, missed scrapes, jitter, NaN) and random histograms (not
//! monotonic, without `+Inf`, with bounds below 0, spelt twice, that are no numbers, NaN counts) as Debian's
//! Prometheus 2.42.0 held them, and what it answered to `rate(c[range])` and `histogram_quantile(q, h)`. They were put
//! into it with `promtool tsdb create-blocks-from openmetrics`; the points are those that `c[5m]` gave.

use std::time::Duration;

use serde::Deserialize;

use super::number::parse_number;
use super::{Bucket, Point, histogram_quantile, rate};

#[derive(Deserialize)]
struct Golden {
    series: Vec<Series>,
    histograms: Vec<Histogram>,
}

#[derive(Deserialize)]
struct Series {
    points: Vec<(i64, String)>,
    /// Range in seconds, end in milliseconds, the answer.
    rates: Vec<(u64, i64, Option<String>)>,
}

#[derive(Deserialize)]
struct Histogram {
    /// `le` and count.
    buckets: Vec<(String, String)>,
    /// `q` and the answer.
    quantiles: Vec<(f64, Option<String>)>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/prometheus-2.42.json")).unwrap()
}

/// Bits, but any NaN is NaN.
fn same(ours: f64, theirs: f64) -> bool {
    ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan()
}

#[test]
fn rates_are_those_of_prometheus() {
    let mut compared = 0;
    for (number, series) in golden().series.iter().enumerate() {
        let points: Vec<_> = series
            .points
            .iter()
            .map(|(at_millis, value)| Point { at_millis: *at_millis, value: parse_number(value).unwrap() })
            .collect();
        for (seconds, end, theirs) in &series.rates {
            let ours = rate(&points, *end, Duration::from_secs(*seconds));
            let theirs = theirs.as_deref().map(|value| parse_number(value).unwrap());
            let agree = match (ours, theirs) {
                (Some(ours), Some(theirs)) => same(ours, theirs),
                (ours, theirs) => ours == theirs,
            };
            assert!(agree, "series {number}, [{seconds}s] at {end}: {ours:?} here, {theirs:?} there");
            compared += usize::from(theirs.is_some());
        }
    }
    assert!(compared > 100, "only {compared} rates compared");
}

#[test]
fn quantiles_are_those_of_prometheus() {
    let mut compared = 0;
    for (number, histogram) in golden().histograms.iter().enumerate() {
        let buckets: Vec<_> = histogram
            .buckets
            .iter()
            .filter_map(|(le, count)| {
                Some(Bucket { upper_bound: Bucket::bound(le)?, count: parse_number(count).unwrap() })
            })
            .collect();
        for (q, theirs) in &histogram.quantiles {
            let ours = histogram_quantile(*q, buckets.clone());
            let theirs = parse_number(theirs.as_deref().unwrap()).unwrap();
            assert!(same(ours, theirs), "histogram {number}, {q}: {ours} here, {theirs} there");
            compared += usize::from(theirs.is_finite());
        }
    }
    assert!(compared > 200, "only {compared} quantiles compared");
}
