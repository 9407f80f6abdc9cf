//! What one page says of a store, and what two of them say of the time between.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use operator_core::{Signal, StoreMetrics};

use super::exposition::{LineError, Sample, Samples, Wanted};
use super::quantile::{Bucket, histogram_quantile};
use super::rate::increase;
use super::sources::{Quantity, SOURCES};
use crate::signals;

/// The series of one page that count, without their labels.
#[derive(Debug)]
pub(super) struct Reading {
    /// By `series`, each once.
    entries: Vec<Entry>,
    /// How many lines told a series again. The first one counts, as with Prometheus.
    pub(super) duplicates: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Name and labels, hashed with the scraper's own keys, so that no page can make two series look like one.
    series: u64,
    /// The place in [`SOURCES`].
    source: usize,
    /// The label `le` of a bucket.
    upper_bound: f64,
    value: f64,
}

/// The counters of a page, kept until the next one: 16 bytes a series.
#[derive(Debug)]
pub(super) struct Baseline(Vec<(u64, f64)>);

/// Why a page is of no use.
#[derive(Debug)]
pub(super) enum Unusable {
    /// A line that is wanted cannot be read, or the page is cut. What the other lines say is not taken: a sum over
    /// some of the series would be wrong and would not look it.
    Line(LineError),
    /// More wanted series than the limit.
    TooMany,
    /// Nothing that is wanted is there: some other server's page.
    Nothing,
}

impl Reading {
    pub(super) fn of(
        page: &[u8],
        wanted: &Wanted,
        hasher: &RandomState,
        max_series: usize,
    ) -> Result<Self, Unusable> {
        let mut entries = Vec::new();
        for sample in Samples::new(page).only(wanted) {
            let sample = sample.map_err(Unusable::Line)?;
            for (source, candidate) in SOURCES.iter().enumerate() {
                if !candidate.matches(&sample) {
                    continue;
                }
                let upper_bound = match candidate.quantity {
                    Quantity::LatencyBucket => {
                        match sample.labels.get("le").as_deref().and_then(Bucket::bound) {
                            Some(bound) => bound,
                            None => continue,
                        }
                    }
                    _ => f64::NAN,
                };
                if entries.len() == max_series {
                    return Err(Unusable::TooMany);
                }
                let series = series(&sample, hasher);
                entries.push(Entry { series, source, upper_bound, value: sample.value });
            }
        }
        if entries.is_empty() {
            return Err(Unusable::Nothing);
        }
        let lines = entries.len();
        // Stable, so that the first of two lines for one series stays the first.
        entries.sort_by_key(|entry| (entry.series, entry.source));
        entries.dedup_by_key(|entry| (entry.series, entry.source));
        let duplicates = lines - entries.len();
        Ok(Self { entries, duplicates })
    }

    /// Fills in what the page tells by itself.
    pub(super) fn gauges(&self, metrics: &mut StoreMetrics, told: &mut Vec<Signal>) {
        let bytes = |quantity| self.gauge(quantity).filter(|bytes| *bytes >= 0.0).map(|bytes| bytes as u64);
        metrics.memory_bytes = bytes(Quantity::Memory);
        metrics.disk_used_bytes = bytes(Quantity::DiskUsed);
        metrics.disk_available_bytes = bytes(Quantity::DiskAvailable);
        metrics.disk_capacity_bytes = bytes(Quantity::DiskCapacity);
        for source in SOURCES {
            if let Quantity::Signal(name) = source.quantity
                && let Some(value) = self.gauge(source.quantity)
            {
                told.extend(signals::measured(metrics, name, value));
            }
        }
    }

    fn gauge(&self, quantity: Quantity) -> Option<f64> {
        candidates(quantity).find_map(|source| {
            let mut values =
                self.entries.iter().filter(|entry| entry.source == source).map(|entry| entry.value);
            let first = values.next()?;
            Some(values.fold(first, |sum, value| sum + value))
        })
    }

    /// Fills in what takes an earlier page too, `elapsed` before this one. A series that is on one page only counts
    /// for nothing, as it has no rate in Prometheus either.
    pub(super) fn rates(
        &self,
        earlier: &Baseline,
        elapsed: Duration,
        metrics: &mut StoreMetrics,
        told: &mut Vec<Signal>,
    ) {
        let mut growth = vec![None; SOURCES.len()];
        let mut buckets: Vec<Bucket> = Vec::new();
        let mut before = earlier.0.iter().peekable();
        for entry in &self.entries {
            while before.next_if(|(series, _)| *series < entry.series).is_some() {}
            let Some((_, value_before)) = before.peek().filter(|(series, _)| *series == entry.series) else {
                continue;
            };
            let grown = increase(*value_before, entry.value);
            if let Some(growth) = growth.get_mut(entry.source) {
                *growth = Some(growth.unwrap_or(0.0) + grown);
            }
            if SOURCES.get(entry.source).is_some_and(|source| source.quantity == Quantity::LatencyBucket) {
                buckets.push(Bucket { upper_bound: entry.upper_bound, count: grown });
            }
        }
        let rate = |quantity| {
            let grown = candidates(quantity).find_map(|source| growth.get(source).copied().flatten())?;
            let rate: f64 = grown / elapsed.as_secs_f64();
            rate.is_finite().then_some(rate)
        };
        metrics.qps = rate(Quantity::Requests);
        metrics.cpu_cores = rate(Quantity::CpuSeconds);
        for source in SOURCES {
            if let Quantity::SignalRate(name) = source.quantity
                && let Some(value) = rate(source.quantity)
            {
                told.extend(signals::measured(metrics, name, value));
            }
        }
        // A bucket that is no number makes Prometheus answer anything.
        if buckets.iter().all(|bucket| !bucket.count.is_nan()) {
            // Buckets of all types add up by their bound. They are not divided by the time: no quantile moves by that.
            let p99 = histogram_quantile(0.99, buckets);
            metrics.latency_p99 = Duration::try_from_secs_f64(p99).ok();
        }
    }

    /// Keeps the counters for the next page.
    pub(super) fn into_baseline(self) -> Baseline {
        let counters = self
            .entries
            .into_iter()
            .filter(|entry| SOURCES.get(entry.source).is_some_and(|source| source.quantity.is_counter()));
        let mut kept: Vec<_> = counters.map(|entry| (entry.series, entry.value)).collect();
        kept.shrink_to_fit();
        Baseline(kept)
    }
}

/// The places in [`SOURCES`] of a quantity's sources, the best first.
fn candidates(quantity: Quantity) -> impl Iterator<Item = usize> {
    SOURCES.iter().enumerate().filter(move |(_, source)| source.quantity == quantity).map(|(place, _)| place)
}

/// The same for the same name and labels in whatever order. A label that is empty is one that is not there.
fn series(sample: &Sample<'_>, hasher: &RandomState) -> u64 {
    sample
        .labels
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .fold(hasher.hash_one(sample.name), |hash, label| hash.wrapping_add(hasher.hash_one(label)))
}
