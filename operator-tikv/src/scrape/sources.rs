//! What is asked of a store's page.

use super::exposition::{Sample, Wanted};
use crate::signals;

/// What a store's metrics are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Requests answered. A counter.
    Requests,
    /// Requests answered within `le`. A counter.
    LatencyBucket,
    /// Seconds of CPU time used. A counter.
    CpuSeconds,
    /// Resident memory in bytes.
    Memory,
    /// Bytes that the data takes.
    DiskUsed,
    /// Bytes that are free.
    DiskAvailable,
    /// Bytes of the disk, or of the quota.
    DiskCapacity,
    /// What becomes the signal of this name as it stands.
    Signal(&'static str),
    /// What becomes the signal of this name by how fast it grows. A counter.
    SignalRate(&'static str),
}

impl Quantity {
    /// Whether it only grows, until the process restarts.
    pub(super) fn is_counter(self) -> bool {
        matches!(self, Self::Requests | Self::LatencyBucket | Self::CpuSeconds | Self::SignalRate(_))
    }
}

/// A quantity as the sum of the series of one metric.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) quantity: Quantity,
    pub(super) metric: &'static str,
    condition: Condition,
}

#[derive(Debug)]
enum Condition {
    Any,
    Are(&'static [(&'static str, &'static str)]),
    IsNot(&'static str, &'static str),
}

impl Source {
    /// Whether `sample` is one of the series. A label that is not there is empty.
    pub(super) fn matches(&self, sample: &Sample<'_>) -> bool {
        let has = |name: &str, value: &str| sample.labels.get(name).unwrap_or_default() == value;
        self.metric == sample.name
            && match self.condition {
                Condition::Any => true,
                Condition::Are(labels) => labels.iter().all(|(name, value)| has(name, value)),
                Condition::IsNot(name, value) => !has(name, value),
            }
    }
}

const fn source(quantity: Quantity, metric: &'static str, condition: Condition) -> Source {
    Source { quantity, metric, condition }
}

/// The sources of each quantity, the best first: what one version of TiKV or one platform lacks, another name may
/// have. A later one counts only where no series of the earlier ones is there.
///
/// CPU time is summed over TiKV's threads, because `process_cpu_seconds_total` is a whole number: over two scrapes a
/// second apart it tells 0, 1 or 2 cores. The sum leaves out what threads used that ended between two scrapes; TiKV's
/// threads live as long as it does. Where a platform has no times of threads (macOS), the process' own is used.
pub(super) const SOURCES: &[Source] = &[
    // `kv_gc` is what TiKV's own garbage collection asks: no client waits for it.
    source(Quantity::Requests, "tikv_grpc_msg_duration_seconds_count", Condition::IsNot("type", "kv_gc")),
    source(
        Quantity::LatencyBucket,
        "tikv_grpc_msg_duration_seconds_bucket",
        Condition::IsNot("type", "kv_gc"),
    ),
    source(Quantity::CpuSeconds, "tikv_thread_cpu_seconds_total", Condition::Any),
    source(Quantity::CpuSeconds, "process_cpu_seconds_total", Condition::Any),
    source(Quantity::Memory, "process_resident_memory_bytes", Condition::Any),
    source(Quantity::Memory, "tikv_server_memory_usage", Condition::Any),
    source(Quantity::DiskUsed, "tikv_store_size_bytes", Condition::Are(&[("type", "used")])),
    source(Quantity::DiskUsed, "tikv_engine_size_bytes", Condition::Any),
    source(Quantity::DiskAvailable, "tikv_store_size_bytes", Condition::Are(&[("type", "available")])),
    source(Quantity::DiskCapacity, "tikv_store_size_bytes", Condition::Are(&[("type", "capacity")])),
    source(Quantity::SignalRate(signals::SERVER_IS_BUSY), "tikv_scheduler_too_busy_total", Condition::Any),
    source(Quantity::SignalRate(signals::CHANNEL_FULL), "tikv_channel_full_total", Condition::Any),
    source(
        Quantity::Signal(signals::WRITE_STALL),
        "tikv_engine_write_stall",
        Condition::Are(&[("db", "kv"), ("type", "write_stall_percentile99")]),
    ),
    source(Quantity::Signal(signals::LEADER_MISSING), "tikv_raftstore_leader_missing", Condition::Any),
];

/// The names of all sources.
pub(super) fn wanted() -> Wanted {
    let mut names: Vec<_> = SOURCES.iter().map(|source| source.metric).collect();
    names.sort_unstable();
    names.dedup();
    Wanted::new(names)
}
