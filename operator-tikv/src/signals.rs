//! What only TiKV knows of its things.
//!
//! | signal | regarding | value | meaning |
//! |---|---|---|---|
//! | [`PROBE`] | a store in doubt | `answers`, `refused`, `silent`, `unknown` | what came of asking its status port |
//! | [`LOST`] | a store in doubt | bool | whether what it holds is out of reach; missing if that cannot be told |
//! | [`SLOW_SCORE`] | a store | 1 to 100 | how slow it finds itself; PD takes 80 for slow |
//! | [`BUSY`] | a store | bool | whether it says that it has too much to do |
//! | [`LEADER_SCORE`], [`REGION_SCORE`] | a store | number | how much it carries, by PD's measure |
//! | [`REMOVAL_SPEED`] | a store that is being removed | MiB/s | how fast its regions move away |
//! | [`REMOVAL_SECONDS_LEFT`] | the same | s | how long it will take; missing if PD cannot say |
//! | [`EVICT_LEADER`] | a store; the cluster if it is not known which | true | PD was told to move its leaders away |
//! | [`PD_WARMING_UP`] | the cluster | bool | whether PD's leader has yet to hear from stores or regions |
//! | [`PD_WARMING_UP_SIGN`] | the cluster | text, one a sign | what shows that |
//! | [`PAUSED_SCHEDULER`], [`PAUSED_CHECKER`] | the cluster | text, one each | its name |
//! | [`SCHEDULERS_KNOWN`], [`CHECKERS_KNOWN`] | the cluster | bool | whether it is known which are paused |
//! | [`SCHEDULING_OPERATORS`] | the cluster | number | how many steps of scheduling PD runs |
//! | [`MAX_REPLICAS`] | the cluster | number | how many replicas a region has, unless a rule says otherwise |
//! | [`REMOVED_STORES`] | the cluster | number | removed stores that PD remembers; only told while there are fewer stores than replicas |
//! | [`CLOCK_OFFSET`] | the cluster for PD's, or a store | s | by how much its clock is ahead of ours *at least*, behind if negative |
//! | [`SERVER_IS_BUSY`], [`CHANNEL_FULL`] | a store | /s | `tikv_scheduler_too_busy_total`, `tikv_channel_full_total`; only with metrics |
//! | [`WRITE_STALL`] | a store | us | `tikv_engine_write_stall` at the 99th percentile of `kv`; only with metrics |
//! | [`LEADER_MISSING`] | a store | number | `tikv_raftstore_leader_missing`; only with metrics |
//! | [`METRICS_SOURCE`] | the cluster | text | who told the stores' metrics |
//! | [`METRICS_FALLBACK`] | the cluster | text | why that is not Prometheus, although there is one |
//! | [`METRICS_WARNING`] | the cluster | text, one each | what makes the metrics incomplete or doubtful |
//! | [`LOGS_FOLLOWED`], [`LOGS_READABLE`] | the cluster | number | how many logs are followed, and can be read; only with logs |
//! | [`LEADERS_ELECTED`] | the cluster | 1/min | how often these told in the last minute that a region got a leader |
//! | [`LEADERS_ELECTED_REGIONS`] | the cluster | number | in how many regions |
//!
//! A store is *in doubt* if PD calls it `Disconnected` or `Down`, or `Offline` without a heartbeat for 20 s.
//!
//! A setting with a time to live has no signal: PD shows it nowhere.

use chrono::{DateTime, Utc};
use operator_core::{Regarding, Signal, SignalValue, StoreId, StoreMetrics};

use crate::log::Churn;
use crate::metrics::MetricsReading;
use crate::pd::{Assessment, Evicting, Upkeep};

/// What came of asking a store in doubt at its status port.
pub const PROBE: &str = "probe";
/// Whether what a store in doubt holds is out of reach.
pub const LOST: &str = operator_core::common::LOST;
/// How slow a store finds itself, 1 to 100.
pub const SLOW_SCORE: &str = "slow_score";
/// Whether a store says that it has too much to do.
pub const BUSY: &str = "busy";
/// How much a store leads, by PD's measure.
pub const LEADER_SCORE: &str = "leader_score";
/// How full a store is, by PD's measure.
pub const REGION_SCORE: &str = "region_score";
/// How fast regions move away from a store that is being removed, in MiB a second.
pub const REMOVAL_SPEED: &str = "removal_speed";
/// How long that will still take, in seconds; missing if PD cannot say.
pub const REMOVAL_SECONDS_LEFT: &str = "removal_seconds_left";
/// PD was told to move a store's leaders away.
pub const EVICT_LEADER: &str = "evict_leader";
/// Whether PD's leader has yet to hear from stores or regions.
pub const PD_WARMING_UP: &str = "pd_warming_up";
/// What shows that it has.
pub const PD_WARMING_UP_SIGN: &str = "pd_warming_up_sign";
/// The name of a scheduler that somebody has paused.
pub const PAUSED_SCHEDULER: &str = "paused_scheduler";
/// The name of a checker that somebody has paused.
pub const PAUSED_CHECKER: &str = "paused_checker";
/// Whether it is known which schedulers there are and which are paused.
pub const SCHEDULERS_KNOWN: &str = "schedulers_known";
/// Whether it is known which checkers are paused.
pub const CHECKERS_KNOWN: &str = "checkers_known";
/// How many steps of scheduling PD runs.
pub const SCHEDULING_OPERATORS: &str = "scheduling_operators";
/// How many replicas a region has, unless a placement rule says otherwise.
pub const MAX_REPLICAS: &str = "max_replicas";
/// How many removed stores PD remembers.
pub const REMOVED_STORES: &str = "removed_stores";
/// By how many seconds a clock is ahead of ours at least; behind if negative.
pub const CLOCK_OFFSET: &str = "clock_offset";
/// How many requests a second a store refuses as too busy.
pub const SERVER_IS_BUSY: &str = "server_is_busy";
/// How many messages a second a store drops because a channel is full.
pub const CHANNEL_FULL: &str = "channel_full";
/// For how long a store's writes stall, in microseconds.
pub const WRITE_STALL: &str = "write_stall";
/// Of how many regions a store misses the leader; it counts them after ten minutes.
pub const LEADER_MISSING: &str = "leader_missing";
/// Who told the stores' metrics.
pub const METRICS_SOURCE: &str = "metrics_source";
/// Why they are not from the Prometheus that there is.
pub const METRICS_FALLBACK: &str = "metrics_fallback";
/// What makes them incomplete or doubtful.
pub const METRICS_WARNING: &str = "metrics_warning";

/// How many logs are followed.
pub const LOGS_FOLLOWED: &str = "logs_followed";
/// How many of them can be read.
pub const LOGS_READABLE: &str = "logs_readable";
/// How often they told in the last minute that a region got a leader.
pub const LEADERS_ELECTED: &str = "leaders_elected";
/// In how many regions that was.
pub const LEADERS_ELECTED_REGIONS: &str = "leaders_elected_regions";

const STORES: &str = "GET /pd/api/v1/stores";
const STATUS_PORT: &str = "GET /status of the store's status port";
const SAMPLE: &str = "GET /pd/api/v1/stores and /pd/api/v1/regions/key";
const SCHEDULERS: &str = "GET /pd/api/v1/schedulers";
const SCHEDULERS_PAUSED: &str = "GET /pd/api/v1/schedulers?status=paused";
const CHECKERS: &str = "GET /pd/api/v1/checker/{name}";
const OPERATORS: &str = "GET /pd/api/v1/operators";
const REPLICATE: &str = "GET /pd/api/v1/config/replicate";
const REMOVED: &str = "GET /pd/api/v1/stores?state=2";
const PROGRESS: &str = "GET /pd/api/v1/stores/progress";
const CLOCKS: &str =
    "the Date header of GET /pd/api/v1/schedulers, and last_heartbeat of GET /pd/api/v1/stores";

/// The signals of one moment.
pub(crate) fn of(assessment: &Assessment, upkeep: &Upkeep, at: DateTime<Utc>) -> Vec<Signal> {
    let mut signals = Signals { at, list: Vec::with_capacity(assessment.stores.len() * 4 + 16) };
    of_stores(&mut signals, assessment);
    of_cluster(&mut signals, assessment, upkeep);
    signals.list
}

/// What the logs tell that are followed.
pub(crate) fn of_logs(churn: &Churn, at: DateTime<Utc>) -> Vec<Signal> {
    const LOGS: &str = "became leader in the logs that are followed";
    let mut signals = Signals { at, list: Vec::new() };
    let counted = churn.last_minute();
    signals.add(LOGS_FOLLOWED, counted.logs as f64, LOGS);
    signals.add(LOGS_READABLE, counted.readable as f64, LOGS);
    signals.add(LEADERS_ELECTED, counted.elections as f64, LOGS);
    signals.unit("1/min");
    signals.add(LEADERS_ELECTED_REGIONS, counted.regions as f64, LOGS);
    signals.list
}

struct Signals {
    at: DateTime<Utc>,
    list: Vec<Signal>,
}

impl Signals {
    fn of_store(&mut self, id: StoreId, name: &str, value: impl Into<SignalValue>, source: &str) {
        self.list.push(Signal::new(id, name, value, self.at, source));
    }

    fn add(&mut self, name: &str, value: impl Into<SignalValue>, source: &str) {
        self.list.push(Signal::new(Regarding::Cluster, name, value, self.at, source));
    }

    fn unit(&mut self, unit: &str) {
        if let Some(last) = self.list.last_mut() {
            last.unit = Some(unit.to_owned());
        }
    }
}

fn of_stores(signals: &mut Signals, assessment: &Assessment) {
    for info in &assessment.stores {
        let id = info.store.id;
        if let Some(probe) = assessment.probes.get(&id) {
            signals.of_store(id, PROBE, probe.as_str(), STATUS_PORT);
            if !assessment.unsure.contains(&id) {
                signals.of_store(id, LOST, assessment.lost.contains(&id), STATUS_PORT);
            }
        }
        if let Some(score) = info.slow_score {
            signals.of_store(id, SLOW_SCORE, score as f64, STORES);
        }
        if let Some(busy) = info.busy {
            signals.of_store(id, BUSY, busy, STORES);
        }
        for (name, score) in [(LEADER_SCORE, info.leader_score), (REGION_SCORE, info.region_score)] {
            if let Some(score) = score.filter(|score| score.is_finite()) {
                signals.of_store(id, name, score, STORES);
            }
        }
    }
}

fn of_cluster(signals: &mut Signals, assessment: &Assessment, upkeep: &Upkeep) {
    signals.add(PD_WARMING_UP, !assessment.warming_up.is_empty(), SAMPLE);
    for sign in &assessment.warming_up {
        signals.add(PD_WARMING_UP_SIGN, sign.as_str(), SAMPLE);
    }
    for (id, removal) in &upkeep.removals {
        signals.of_store(*id, REMOVAL_SPEED, removal.mib_per_second, PROGRESS);
        signals.unit("MiB/s");
        if let Some(seconds) = removal.seconds_left {
            signals.of_store(*id, REMOVAL_SECONDS_LEFT, seconds, PROGRESS);
            signals.unit("s");
        }
    }
    match &upkeep.evicting {
        Some(Evicting::From(stores)) => {
            stores.iter().for_each(|id| signals.of_store(*id, EVICT_LEADER, true, SCHEDULERS));
        }
        Some(Evicting::FromSome) => signals.add(EVICT_LEADER, true, SCHEDULERS),
        Some(Evicting::None) | None => {}
    }
    for name in upkeep.paused_schedulers.iter().flatten() {
        signals.add(PAUSED_SCHEDULER, name.as_str(), SCHEDULERS_PAUSED);
    }
    for name in upkeep.paused_checkers.iter().flatten() {
        signals.add(PAUSED_CHECKER, *name, CHECKERS);
    }
    let schedulers_known = upkeep.paused_schedulers.is_some() && upkeep.evicting.is_some();
    signals.add(SCHEDULERS_KNOWN, schedulers_known, SCHEDULERS);
    signals.add(CHECKERS_KNOWN, upkeep.paused_checkers.is_some(), CHECKERS);
    for (name, count, source) in [
        (SCHEDULING_OPERATORS, upkeep.scheduling_operators, OPERATORS),
        (MAX_REPLICAS, upkeep.max_replicas, REPLICATE),
        (REMOVED_STORES, upkeep.removed_stores, REMOVED),
    ] {
        if let Some(count) = count {
            signals.add(name, count as f64, source);
        }
    }
    if let Some(offset) = upkeep.clock_offset_seconds {
        signals.add(CLOCK_OFFSET, offset, CLOCKS);
        signals.unit("s");
    }
}

/// What has to be known of the stores' metrics in the same observation.
pub(crate) fn of_metrics(reading: &MetricsReading, at: DateTime<Utc>) -> Vec<Signal> {
    let origin = reading.origin.to_string();
    let signal = |name: &str, value: &str| Signal::new(Regarding::Cluster, name, value, at, origin.as_str());
    let mut signals = vec![signal(METRICS_SOURCE, &origin)];
    signals.extend(reading.fallback.iter().map(|why| signal(METRICS_FALLBACK, why)));
    signals.extend(reading.warnings.iter().map(|warning| signal(METRICS_WARNING, warning)));
    signals.extend(reading.signals.iter().cloned());
    signals
}

/// What was measured of the store that `beside` is about, at the same time; `None` if it is no number.
pub(crate) fn measured(beside: &StoreMetrics, name: &str, value: f64) -> Option<Signal> {
    let (metric, unit) = match name {
        SERVER_IS_BUSY => ("tikv_scheduler_too_busy_total", Some("/s")),
        CHANNEL_FULL => ("tikv_channel_full_total", Some("/s")),
        WRITE_STALL => ("tikv_engine_write_stall", Some("us")),
        _ => ("tikv_raftstore_leader_missing", None),
    };
    let mut signal = Signal::new(beside.store_id, name, value, beside.at, metric);
    signal.unit = unit.map(str::to_owned);
    value.is_finite().then_some(signal)
}
