//! From the answers of the queries to the stores' metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use operator_core::{Signal, Store, StoreId, StoreMetrics};

use super::identity::{self, InstanceMatch, StoreIdentity, TargetState};
use super::{StoreMetric, StoreMetricsReport, UnmatchedSeries};
use crate::prometheus::{Answer, InstantSample, InstantVector};
use crate::{Error, signals};

/// Clocks may differ by this much and the time that the requests took.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(1);

/// What came, by metric.
#[derive(Debug, Default)]
pub(super) struct Answers {
    first: BTreeMap<StoreMetric, InstantVector>,
    alternative: BTreeMap<StoreMetric, InstantVector>,
    failed: Vec<(StoreMetric, Error)>,
    warnings: Vec<String>,
    /// When the first were asked and had come, by our clock.
    pub(super) ours: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Answers {
    pub(super) fn add(&mut self, metric: StoreMetric, answer: Result<Answer<InstantVector>, Error>) {
        if let Some(vector) = self.keep(metric, answer) {
            self.first.insert(metric, vector);
        }
    }

    pub(super) fn add_alternative(
        &mut self,
        metric: StoreMetric,
        answer: Result<Answer<InstantVector>, Error>,
    ) {
        if let Some(vector) = self.keep(metric, answer) {
            self.alternative.insert(metric, vector);
        }
    }

    fn keep(
        &mut self,
        metric: StoreMetric,
        answer: Result<Answer<InstantVector>, Error>,
    ) -> Option<InstantVector> {
        match answer {
            Ok(answer) => {
                for warning in answer.warnings {
                    if !self.warnings.contains(&warning) {
                        self.warnings.push(warning);
                    }
                }
                Some(answer.data)
            }
            Err(error) => {
                self.failed.push((metric, error));
                None
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    pub(super) fn take_first_error(&mut self) -> Option<Error> {
        (!self.failed.is_empty()).then(|| self.failed.swap_remove(0).1)
    }

    /// The metrics that Prometheus answered and does not have of every store that it scrapes.
    pub(super) fn lacking(&self, stores: &[Store]) -> BTreeSet<StoreMetric> {
        self.assemble(stores).missing.into_iter().map(|(_, metric)| metric).collect()
    }

    pub(super) fn into_report(self, stores: &[Store]) -> StoreMetricsReport {
        let report = self.assemble(stores);
        StoreMetricsReport { failed: self.failed, warnings: self.warnings, ..report }
    }

    fn assemble(&self, stores: &[Store]) -> StoreMetricsReport {
        let tables = Tables::new(self);
        let evaluated_at = self.evaluated_at();
        let clock_ahead = self.clock_ahead(evaluated_at);
        let mut report = StoreMetricsReport {
            metrics: Vec::new(),
            signals: Vec::new(),
            identities: Vec::with_capacity(stores.len()),
            missing: Vec::new(),
            ambiguous: Vec::new(),
            unmatched: Vec::new(),
            failed: Vec::new(),
            warnings: Vec::new(),
            clock_ahead,
        };
        for (store, (instance, matched)) in stores.iter().zip(tables.matches(stores)) {
            let mut identity = StoreIdentity {
                store_id: store.id,
                address: store.address.clone(),
                status_address: store.status_address.clone(),
                instance,
                matched,
                target: TargetState::Absent,
                sampled_at: None,
            };
            if let Some(instance) = identity.instance.clone() {
                identity.target = tables.target(&instance);
                let mut reader =
                    Reader { tables: &tables, instance: &instance, store_id: store.id, report: &mut report };
                if tables.own_series(&instance) > 1 {
                    identity.matched = InstanceMatch::ScrapedTwice;
                } else if identity.target != TargetState::Down {
                    identity.sampled_at = reader.sampled_at();
                    // Without the sample's own time, that of the evaluation is an upper bound.
                    let at = identity.sampled_at.or(evaluated_at).unwrap_or_default();
                    let at = clock_ahead.and_then(|ahead| at.checked_sub_signed(ahead)).unwrap_or(at);
                    let nothing = StoreMetrics::new(store.id, at);
                    let metrics = reader.metrics(nothing.clone());
                    report.signals.extend(tables.signals(&instance, &metrics));
                    if metrics != nothing {
                        report.metrics.push(metrics);
                    }
                }
            }
            report.identities.push(identity);
        }
        report.unmatched = tables.unmatched(&report.identities);
        report
    }

    /// When Prometheus evaluated the queries, by its clock.
    fn evaluated_at(&self) -> Option<DateTime<Utc>> {
        self.first.values().find_map(|vector| vector.samples.first()?.sample.at())
    }

    fn clock_ahead(&self, theirs: Option<DateTime<Utc>>) -> Option<TimeDelta> {
        let (theirs, (started, finished)) = (theirs?, self.ours?);
        let ahead =
            if theirs > finished { theirs - finished } else { (theirs - started).min(TimeDelta::zero()) };
        (ahead.abs() > CLOCK_TOLERANCE).then_some(ahead)
    }
}

type Table<'a> = BTreeMap<&'a str, Vec<&'a InstantSample>>;

/// The answers by instance.
struct Tables<'a> {
    first: BTreeMap<StoreMetric, Table<'a>>,
    alternative: BTreeMap<StoreMetric, Table<'a>>,
    /// The jobs by which TiKV is scraped.
    jobs: BTreeSet<&'a str>,
}

impl<'a> Tables<'a> {
    fn new(answers: &'a Answers) -> Self {
        let tables = |answers: &'a BTreeMap<StoreMetric, InstantVector>| -> BTreeMap<StoreMetric, Table<'a>> {
            answers.iter().map(|(&metric, vector)| (metric, by_instance(&vector.samples))).collect()
        };
        let jobs = answers.first.get(&StoreMetric::SampledAt).into_iter().flat_map(|vector| &vector.samples);
        Self {
            first: tables(&answers.first),
            alternative: tables(&answers.alternative),
            jobs: jobs.filter_map(|sample| sample.labels.value("job")).collect(),
        }
    }

    fn rows(&self, metric: StoreMetric, instance: &str) -> &[&'a InstantSample] {
        self.first.get(&metric).and_then(|table| table.get(instance)).map_or(&[], Vec::as_slice)
    }

    fn alternative_rows(&self, metric: StoreMetric, instance: &str) -> &[&'a InstantSample] {
        self.alternative.get(&metric).and_then(|table| table.get(instance)).map_or(&[], Vec::as_slice)
    }

    /// How many series of a gauge that a store has once there are for `instance`.
    fn own_series(&self, instance: &str) -> usize {
        self.rows(StoreMetric::SampledAt, instance).len()
    }

    fn matches(&self, stores: &[Store]) -> Vec<(Option<String>, InstanceMatch)> {
        let tikvs = self.first.iter().filter(|(metric, _)| metric.is_tikvs_own());
        let mut own: BTreeSet<&str> = tikvs.flat_map(|(_, table)| table.keys().copied()).collect();
        own.remove("");
        let mut others = BTreeSet::new();
        for (&instance, rows) in self.first.get(&StoreMetric::Up).into_iter().flatten() {
            others.insert(instance);
            // A dead store has no metrics of its own any more, but still its job.
            if rows.iter().any(|row| self.is_tikvs_job(row) && row.sample.value == 0.0) {
                own.insert(instance);
            }
        }
        identity::matches(stores, &own, &others)
    }

    fn is_tikvs_job(&self, row: &InstantSample) -> bool {
        row.labels.value("job").is_some_and(|job| self.jobs.contains(job))
    }

    fn target(&self, instance: &str) -> TargetState {
        let rows = self.rows(StoreMetric::Up, instance);
        if rows.is_empty() {
            return TargetState::Unknown;
        }
        // A probe from outside can have the same instance, and is up while the store is not.
        let of_tikv: Vec<_> = rows.iter().filter(|row| self.is_tikvs_job(row)).collect();
        let ups: BTreeSet<bool> = if of_tikv.is_empty() {
            rows.iter().map(|row| row.sample.value == 1.0).collect()
        } else {
            of_tikv.iter().map(|row| row.sample.value == 1.0).collect()
        };
        match (ups.contains(&true), ups.contains(&false)) {
            (true, false) => TargetState::Up,
            (false, true) => TargetState::Down,
            _ => TargetState::Unknown,
        }
    }

    /// What the store's series tell beside its `metrics`, each that is there once.
    fn signals(&self, instance: &str, metrics: &StoreMetrics) -> impl Iterator<Item = Signal> {
        StoreMetric::SIGNALS.into_iter().filter_map(move |(metric, name)| {
            let [row] = self.rows(metric, instance) else { return None };
            signals::measured(metrics, name, row.sample.value)
        })
    }

    /// TiKV's series whose instance none of `identities` has, and is not one of those that several could have.
    fn unmatched(&self, identities: &[StoreIdentity]) -> Vec<UnmatchedSeries> {
        let mut known: BTreeSet<&str> =
            identities.iter().filter_map(|identity| identity.instance.as_deref()).collect();
        for identity in identities {
            if let InstanceMatch::Ambiguous { instances } = &identity.matched {
                known.extend(instances.iter().map(String::as_str));
            }
        }
        let mut unmatched: BTreeMap<&str, Vec<StoreMetric>> = BTreeMap::new();
        for (&metric, table) in self.first.iter().filter(|(metric, _)| metric.is_tikvs_own()) {
            for &instance in table.keys().filter(|instance| !known.contains(*instance)) {
                unmatched.entry(instance).or_default().push(metric);
            }
        }
        let instance = |instance: &str| Some(instance.to_owned()).filter(|instance| !instance.is_empty());
        unmatched
            .into_iter()
            .map(|(name, metrics)| UnmatchedSeries { instance: instance(name), metrics })
            .collect()
    }
}

/// Series without an instance are under the empty one.
fn by_instance(samples: &[InstantSample]) -> Table<'_> {
    let mut table = Table::new();
    for sample in samples {
        table.entry(sample.labels.value("instance").unwrap_or_default()).or_default().push(sample);
    }
    table
}

/// Reads one store's values, and reports those that are not there or come twice.
struct Reader<'a> {
    tables: &'a Tables<'a>,
    instance: &'a str,
    store_id: StoreId,
    report: &'a mut StoreMetricsReport,
}

impl Reader<'_> {
    fn metrics(&mut self, mut metrics: StoreMetrics) -> StoreMetrics {
        let qps = self.value(StoreMetric::Qps, None, None);
        metrics.qps = qps.filter(|qps| qps.is_finite());
        // NaN: there was no request within the window.
        let p99 = self.value(StoreMetric::LatencyP99, None, None);
        metrics.latency_p99 = p99.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        // Before TiKV 5 only the engines' own sizes say what is used.
        let used = self.value(StoreMetric::Disk, Some("used"), Some(StoreMetric::Disk));
        metrics.disk_used_bytes = used.and_then(whole);
        metrics.disk_available_bytes = self.value(StoreMetric::Disk, Some("available"), None).and_then(whole);
        metrics.disk_capacity_bytes = self.value(StoreMetric::Disk, Some("capacity"), None).and_then(whole);
        let cpu = self.value(StoreMetric::Cpu, None, Some(StoreMetric::Cpu));
        metrics.cpu_cores = cpu.filter(|cores| cores.is_finite());
        metrics.memory_bytes = self.value(StoreMetric::Memory, None, None).and_then(whole);
        metrics
    }

    fn sampled_at(&mut self) -> Option<DateTime<Utc>> {
        let seconds = self.value(StoreMetric::SampledAt, None, Some(StoreMetric::SampledAt))?;
        let ms = (seconds * 1000.0).round();
        (ms.abs() < 9.0e15).then_some(ms as i64).and_then(DateTime::from_timestamp_millis)
    }

    /// The one value of this instance, of the series with this label `type` if one is given.
    fn value(
        &mut self,
        metric: StoreMetric,
        of_type: Option<&str>,
        alternative: Option<StoreMetric>,
    ) -> Option<f64> {
        let rows = self.tables.rows(metric, self.instance).iter();
        let mut rows = rows.filter(|row| of_type.is_none() || row.labels.value("type") == of_type);
        let (row, another) = match (rows.next(), alternative) {
            (None, Some(metric)) => {
                let mut rows = self.tables.alternative_rows(metric, self.instance).iter();
                (rows.next(), rows.next().is_some())
            }
            (row, _) => (row, rows.next().is_some()),
        };
        let remark = (self.store_id, metric);
        match row {
            Some(row) if !another => return Some(row.sample.value),
            Some(_) if !self.report.ambiguous.contains(&remark) => self.report.ambiguous.push(remark),
            // If the question failed, nobody knows whether it is there.
            None if self.tables.first.contains_key(&metric) && !self.report.missing.contains(&remark) => {
                self.report.missing.push(remark);
            }
            _ => {}
        }
        None
    }
}

/// A count of bytes; `None` for what is none.
fn whole(value: f64) -> Option<u64> {
    const TOO_MANY: f64 = 18_446_744_073_709_551_616.0;
    (0.0..TOO_MANY).contains(&value).then_some(value as u64)
}
