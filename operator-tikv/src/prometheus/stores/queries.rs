//! Which queries tell the stores' metrics.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::prometheus::{Expr, Matcher, Selector};
use crate::signals;

/// One question on all stores together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreMetric {
    /// Whether Prometheus could scrape the store.
    Up,
    /// When it last did.
    SampledAt,
    /// Requests a second.
    Qps,
    /// The 99th percentile of their latency.
    LatencyP99,
    /// Disk used, available and capacity.
    Disk,
    /// Cores busy.
    Cpu,
    /// Memory resident.
    Memory,
    /// Requests refused as too busy, a second.
    ServerIsBusy,
    /// Messages dropped because a channel is full, a second.
    ChannelFull,
    /// For how long writes stall.
    WriteStall,
    /// Regions whose leader the store misses.
    LeaderMissing,
}

impl StoreMetric {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::Up,
        Self::SampledAt,
        Self::Qps,
        Self::LatencyP99,
        Self::Disk,
        Self::Cpu,
        Self::Memory,
        Self::ServerIsBusy,
        Self::ChannelFull,
        Self::WriteStall,
        Self::LeaderMissing,
    ];

    /// Those that become [signals](crate::signals). TiKV has the first two only once it happened: it is no fault if they
    /// are not there.
    pub(super) const SIGNALS: [(Self, &'static str); 4] = [
        (Self::ServerIsBusy, signals::SERVER_IS_BUSY),
        (Self::ChannelFull, signals::CHANNEL_FULL),
        (Self::WriteStall, signals::WRITE_STALL),
        (Self::LeaderMissing, signals::LEADER_MISSING),
    ];

    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::SampledAt => "sampled_at",
            Self::Qps => "qps",
            Self::LatencyP99 => "latency_p99",
            Self::Disk => "disk",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::ServerIsBusy => signals::SERVER_IS_BUSY,
            Self::ChannelFull => signals::CHANNEL_FULL,
            Self::WriteStall => signals::WRITE_STALL,
            Self::LeaderMissing => signals::LEADER_MISSING,
        }
    }

    /// Whether only TiKV has this metric, so that a series of an unknown instance is a store's.
    pub(super) fn is_tikvs_own(self) -> bool {
        matches!(self, Self::SampledAt | Self::Qps | Self::LatencyP99 | Self::Disk)
    }
}

impl fmt::Display for StoreMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The queries: one a metric, for all stores.
///
/// Series of other processes come along where a metric is not TiKV's own (`up`, CPU, memory); they are told apart by
/// `instance`. Where one Prometheus serves much more than this cluster, [`StoreQueries::with`] narrows.
#[derive(Debug, Clone)]
pub struct StoreQueries {
    window: Duration,
    matchers: Vec<Matcher>,
}

impl Default for StoreQueries {
    fn default() -> Self {
        Self { window: Duration::from_secs(60), matchers: Vec::new() }
    }
}

impl StoreQueries {
    /// Only series that also match this, such as `tidb_cluster="prod"`.
    #[must_use]
    pub fn with(mut self, matcher: Matcher) -> Self {
        self.matchers.push(matcher);
        self
    }

    /// Rates over this long instead of a minute. Prometheus needs two samples within it: take four scrape intervals.
    #[must_use]
    pub fn with_window(self, window: Duration) -> Self {
        Self { window, ..self }
    }

    /// The query for `metric`.
    pub fn query(&self, metric: StoreMetric) -> Expr {
        match metric {
            StoreMetric::Up => self.select("up").into(),
            // A gauge that every store always has. `timestamp` keeps all labels, so a store that is scraped twice is
            // seen, which `sum by (instance)` would hide and count twice.
            StoreMetric::SampledAt => {
                self.select("tikv_store_size_bytes").with(Matcher::equal("type", "capacity")).timestamp()
            }
            StoreMetric::Qps => self
                .select("tikv_grpc_msg_duration_seconds_count")
                .with(Matcher::not_equal("type", "kv_gc"))
                .rate(self.window)
                .sum_by(["instance"]),
            StoreMetric::LatencyP99 => self
                .select("tikv_grpc_msg_duration_seconds_bucket")
                .with(Matcher::not_equal("type", "kv_gc"))
                .rate(self.window)
                .sum_by(["instance", "le"])
                .histogram_quantile(0.99),
            StoreMetric::Disk => {
                Expr::from(self.select("tikv_store_size_bytes")).sum_by(["instance", "type"])
            }
            StoreMetric::Cpu => {
                self.select("process_cpu_seconds_total").rate(self.window).sum_by(["instance"])
            }
            StoreMetric::Memory => self.select("process_resident_memory_bytes").into(),
            StoreMetric::ServerIsBusy => {
                self.select("tikv_scheduler_too_busy_total").rate(self.window).sum_by(["instance"])
            }
            StoreMetric::ChannelFull => {
                self.select("tikv_channel_full_total").rate(self.window).sum_by(["instance"])
            }
            StoreMetric::WriteStall => self
                .select("tikv_engine_write_stall")
                .with(Matcher::equal("db", "kv"))
                .with(Matcher::equal("type", "write_stall_percentile99"))
                .into(),
            StoreMetric::LeaderMissing => self.select("tikv_raftstore_leader_missing").into(),
        }
    }

    /// What to ask for the stores that [`StoreQueries::query`] does not tell, because their version, or the platform they
    /// run on, has the metric under another name.
    pub fn alternative(&self, metric: StoreMetric) -> Option<Expr> {
        match metric {
            // The time of the last scrape, if someone drops the gauge.
            StoreMetric::SampledAt => Some(self.select("up").timestamp()),
            // `type="used"` came with TiKV 5; before, dashboards added up the engines.
            StoreMetric::Disk => Some(Expr::from(self.select("tikv_engine_size_bytes")).sum_by(["instance"])),
            // What the process collector counts, TiKV counts by thread as well.
            StoreMetric::Cpu => {
                Some(self.select("tikv_thread_cpu_seconds_total").rate(self.window).sum_by(["instance"]))
            }
            _ => None,
        }
    }

    fn select(&self, metric: &str) -> Selector {
        Selector::metric(metric).with_all(self.matchers.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queries_are_those_that_were_recorded() {
        let queries = StoreQueries::default();
        let expected = [
            "up",
            r#"timestamp(tikv_store_size_bytes{type="capacity"})"#,
            r#"sum by (instance) (rate(tikv_grpc_msg_duration_seconds_count{type!="kv_gc"}[1m]))"#,
            r#"histogram_quantile(0.99, sum by (instance, le) (rate(tikv_grpc_msg_duration_seconds_bucket{type!="kv_gc"}[1m])))"#,
            "sum by (instance, type) (tikv_store_size_bytes)",
            "sum by (instance) (rate(process_cpu_seconds_total[1m]))",
            "process_resident_memory_bytes",
            "sum by (instance) (rate(tikv_scheduler_too_busy_total[1m]))",
            "sum by (instance) (rate(tikv_channel_full_total[1m]))",
            r#"tikv_engine_write_stall{db="kv",type="write_stall_percentile99"}"#,
            "tikv_raftstore_leader_missing",
        ];
        for (metric, expected) in StoreMetric::ALL.into_iter().zip(expected) {
            assert_eq!(queries.query(metric).as_str(), expected);
        }
    }

    #[test]
    fn matchers_and_the_window_go_into_every_query() {
        let queries =
            StoreQueries::default().with(Matcher::equal("k", "v\"")).with_window(Duration::from_secs(120));
        for metric in StoreMetric::ALL {
            for query in [Some(queries.query(metric)), queries.alternative(metric)].into_iter().flatten() {
                assert!(query.as_str().contains(r#"k="v\"""#), "{query}");
                assert!(!query.as_str().contains("[1m]"), "{query}");
            }
        }
    }
}
