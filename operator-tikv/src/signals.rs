//! What only TiKV knows of its things.
//!
//! | signal | regarding | value | meaning |
//! |---|---|---|---|
//! | [`PROBE`] | a store in doubt | `answers`, `refused`, `silent`, `unknown` | what came of asking its status port |
//! | [`LOST`] | a store in doubt | bool | whether what it holds is out of reach; missing if that cannot be told |
//! | [`SLOW_SCORE`] | a store | 1 to 100 | how slow it finds itself; PD takes 80 for slow |
//! | [`BUSY`] | a store | bool | whether it says that it has too much to do |
//! | [`PD_WARMING_UP`] | the cluster | bool | whether PD's leader has yet to hear from stores or regions |
//! | [`PD_WARMING_UP_SIGN`] | the cluster | text, one a sign | what shows that |
//! | [`PAUSED_SCHEDULER`] | the cluster | text, one a scheduler | its name |
//! | [`METRICS_SOURCE`] | the cluster | text | who told the stores' metrics |
//! | [`METRICS_FALLBACK`] | the cluster | text | why that is not Prometheus, although there is one |
//! | [`METRICS_WARNING`] | the cluster | text, one each | what makes the metrics incomplete or doubtful |
//!
//! A store is *in doubt* if PD calls it `Disconnected` or `Down`, or `Offline` without a heartbeat for 20 s.

use chrono::{DateTime, Utc};
use operator_core::{Regarding, Signal, SignalValue};

use crate::metrics::MetricsReading;
use crate::pd::Assessment;

/// What came of asking a store in doubt at its status port.
pub const PROBE: &str = "probe";
/// Whether what a store in doubt holds is out of reach.
pub const LOST: &str = "lost";
/// How slow a store finds itself, 1 to 100.
pub const SLOW_SCORE: &str = "slow_score";
/// Whether a store says that it has too much to do.
pub const BUSY: &str = "busy";
/// Whether PD's leader has yet to hear from stores or regions.
pub const PD_WARMING_UP: &str = "pd_warming_up";
/// What shows that it has.
pub const PD_WARMING_UP_SIGN: &str = "pd_warming_up_sign";
/// The name of a scheduler that somebody has paused.
pub const PAUSED_SCHEDULER: &str = "paused_scheduler";
/// Who told the stores' metrics.
pub const METRICS_SOURCE: &str = "metrics_source";
/// Why they are not from the Prometheus that there is.
pub const METRICS_FALLBACK: &str = "metrics_fallback";
/// What makes them incomplete or doubtful.
pub const METRICS_WARNING: &str = "metrics_warning";

const STORES: &str = "GET /pd/api/v1/stores";
const STATUS_PORT: &str = "GET /status of the store's status port";
const SAMPLE: &str = "GET /pd/api/v1/stores and /pd/api/v1/regions/key";
const SCHEDULERS: &str = "GET /pd/api/v1/schedulers?status=paused";

/// The signals of one moment. `paused` is `None` if the paused schedulers are not known.
pub(crate) fn of(assessment: &Assessment, paused: Option<Vec<String>>, at: DateTime<Utc>) -> Vec<Signal> {
    let mut signals = Vec::new();
    let mut add = |regarding: Regarding, name: &str, value: SignalValue, source: &str| {
        signals.push(Signal::new(regarding, name, value, at, source));
    };
    for info in &assessment.stores {
        let id = info.store.id;
        if let Some(probe) = assessment.probes.get(&id) {
            add(id.into(), PROBE, probe.as_str().into(), STATUS_PORT);
            if !assessment.unsure.contains(&id) {
                add(id.into(), LOST, assessment.lost.contains(&id).into(), STATUS_PORT);
            }
        }
        if let Some(score) = info.slow_score {
            add(id.into(), SLOW_SCORE, (score as f64).into(), STORES);
        }
        if let Some(busy) = info.busy {
            add(id.into(), BUSY, busy.into(), STORES);
        }
    }
    add(Regarding::Cluster, PD_WARMING_UP, (!assessment.warming_up.is_empty()).into(), SAMPLE);
    for sign in &assessment.warming_up {
        add(Regarding::Cluster, PD_WARMING_UP_SIGN, sign.as_str().into(), SAMPLE);
    }
    for name in paused.into_iter().flatten() {
        add(Regarding::Cluster, PAUSED_SCHEDULER, name.into(), SCHEDULERS);
    }
    signals
}

/// What has to be known of the stores' metrics in the same observation.
pub(crate) fn of_metrics(reading: &MetricsReading, at: DateTime<Utc>) -> Vec<Signal> {
    let origin = reading.origin.to_string();
    let signal = |name: &str, value: &str| Signal::new(Regarding::Cluster, name, value, at, origin.as_str());
    let mut signals = vec![signal(METRICS_SOURCE, &origin)];
    signals.extend(reading.fallback.iter().map(|why| signal(METRICS_FALLBACK, why)));
    signals.extend(reading.warnings.iter().map(|warning| signal(METRICS_WARNING, warning)));
    signals
}
