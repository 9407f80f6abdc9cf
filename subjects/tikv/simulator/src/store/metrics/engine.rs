//! RocksDB and the background workers.

use super::Facts;
use super::latency::Events;
use crate::exposition::Page;
use crate::model::RECORD_BYTES;

const COLUMN_FAMILIES: [&str; 4] = ["default", "lock", "raft", "write"];
const STALL: [&str; 6] = ["average", "max", "median", "percentile95", "percentile99", "standard_deviation"];
const STALL_REASONS: [&str; 6] = [
    "level0_file_limit_slowdown",
    "level0_file_limit_stop",
    "memtable_count_limit_slowdown",
    "memtable_count_limit_stop",
    "pending_compaction_bytes_slowdown",
    "pending_compaction_bytes_stop",
];
/// Workers and how many tasks they have handled.
const WORKERS: [(&str, Events); 8] = [
    ("addr-resolver", |_| 2.0),
    ("gc-worker", |_| 0.0),
    ("pd-worker", |done| done.seconds + done.leader_seconds / 60.0),
    ("raft-gc-worker", |done| done.leader_seconds / 30.0),
    ("region-worker", |_| 0.0),
    ("resolved-ts", |done| done.applied),
    ("snap-handler", |_| 0.0),
    ("split-check", |done| done.leader_seconds / 600.0),
];

impl Facts<'_> {
    pub(super) fn engine(&self, page: &mut Page) {
        // What arrives within 5 s waits to be compacted; a slow disk lags further behind.
        let seconds = if self.store.slow { 60.0 } else { 5.0 };
        let pending = (self.rates.applied * RECORD_BYTES * seconds).floor();
        let keys = (self.kv_bytes() / RECORD_BYTES).floor();
        // Raw records are all in `default`.
        for (name, help, in_default) in [
            ("tikv_engine_estimate_num_keys", "Estimate num keys of each column families", keys),
            ("tikv_engine_pending_compaction_bytes", "Pending compaction bytes", pending),
        ] {
            page.family(name, "gauge", help);
            for cf in COLUMN_FAMILIES {
                page.sample(&[("cf", cf), ("db", "kv")], if cf == "default" { in_default } else { 0.0 });
            }
        }
        page.family("tikv_engine_write_stall", "gauge", "Histogram of write stall");
        for kind in STALL {
            let kind = format!("write_stall_{kind}");
            page.sample(&[("db", "kv"), ("type", &kind)], 0.0);
        }
        page.family(
            "tikv_engine_write_stall_reason",
            "gauge",
            "QPS of each reason which cause tikv write stall",
        );
        for kind in STALL_REASONS {
            page.sample(&[("db", "kv"), ("type", kind)], 0.0);
        }
        self.workers(page);
    }

    fn workers(&self, page: &mut Page) {
        let done = self.work.all();
        page.family("tikv_worker_handled_task_total", "counter", "Total number of worker handled tasks.");
        for (name, handled) in WORKERS {
            page.sample(&[("name", name)], handled(&done).floor());
        }
        page.family("tikv_worker_pending_task_total", "gauge", "Current worker pending + running tasks.");
        for (name, _) in WORKERS {
            page.sample(&[("name", name)], 0.0);
        }
        page.family(
            "tikv_futurepool_handled_task_total",
            "counter",
            "Total number of future_pool handled tasks.",
        );
        page.sample(&[("name", "sched-pool")], done.puts.floor());
        page.family(
            "tikv_futurepool_pending_task_total",
            "gauge",
            "Current future_pool pending + running tasks.",
        );
        page.sample(&[("name", "sched-pool"), ("priority", "medium")], 0.0);
        // It advances every 20 s.
        let gap = self.cluster.now.timestamp_millis().rem_euclid(20_000) + 500;
        page.gauge(
            "tikv_resolved_ts_min_resolved_ts_gap_millis",
            "The gap between now() and the minimal (non-zero) resolved ts",
            gap as f64,
        );
        page.family("tikv_gcworker_autogc_status", "gauge", "State of the auto gc manager");
        for state in ["idle", "initializing", "working"] {
            page.sample(&[("state", state)], f64::from(u8::from(state == "idle")));
        }
    }
}
