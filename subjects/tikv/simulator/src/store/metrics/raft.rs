//! Raft: the path of a write, the peers, and what the store cannot reach.

use super::Facts;
use super::latency::{Family, Latency, Timed};
use crate::exposition::{Bounds, Page};

const FINE: Bounds = Bounds { first: 0.000_01, factor: 2.0, count: 26 };
const LONG: Bounds = Bounds { first: 0.000_01, factor: 2.0, count: 32 };
const ENGINE: Bounds = Bounds { first: 0.000_05, factor: 1.8, count: 26 };
const LAG: [f64; 12] = [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 5_120.0, 10_240.0];

/// An entry is written to the disk.
const APPENDED: Timed = Timed {
    labels: &[],
    events: |done| done.applied,
    fast: Latency::new(0.000_6, 3.0),
    slow: Latency::new(0.04, 3.0),
};
const PROPOSED: Timed = Timed { events: |done| done.puts, ..APPENDED };

const FAMILIES: [Family; 10] = [
    Family {
        name: "raft_engine_sync_log_duration_seconds",
        help: "Bucketed histogram of Raft Engine sync log duration",
        bounds: ENGINE,
        // Some entries are written together.
        series: &[Timed { events: |done| done.applied / 4.0, ..APPENDED }],
    },
    Family {
        name: "raft_engine_write_duration_seconds",
        help: "Bucketed histogram of Raft Engine write duration",
        bounds: ENGINE,
        series: &[Timed { events: |done| done.applied / 4.0, fast: Latency::new(0.000_7, 3.0), ..APPENDED }],
    },
    Family {
        name: "tikv_raftstore_append_log_duration_seconds",
        help: "Bucketed histogram of peer appending log duration.",
        bounds: FINE,
        series: &[APPENDED],
    },
    Family {
        name: "tikv_raftstore_apply_duration_secs",
        help: "Bucketed histogram of apply time duration.",
        bounds: FINE,
        series: &[Timed { fast: Latency::new(0.000_3, 2.5), slow: Latency::new(0.000_9, 2.2), ..PROPOSED }],
    },
    Family {
        name: "tikv_raftstore_apply_log_duration_seconds",
        help: "Bucketed histogram of peer applying log duration.",
        bounds: FINE,
        series: &[Timed { fast: Latency::new(0.000_2, 2.5), slow: Latency::new(0.000_6, 2.2), ..APPENDED }],
    },
    Family {
        name: "tikv_raftstore_apply_wait_time_duration_secs",
        help: "Bucketed histogram of apply task wait time duration.",
        bounds: FINE,
        series: &[Timed { fast: Latency::new(0.000_1, 2.2), slow: Latency::new(0.000_5, 2.0), ..APPENDED }],
    },
    Family {
        name: "tikv_raftstore_commit_log_duration_seconds",
        help: "Bucketed histogram of peer commits logs duration.",
        bounds: LONG,
        series: &[Timed { fast: Latency::new(0.001, 3.0), ..PROPOSED }],
    },
    Family {
        name: "tikv_raftstore_raft_process_duration_secs",
        help: "Bucketed histogram of peer processing raft duration.",
        bounds: FINE,
        series: &[Timed {
            labels: &[("type", "ready")],
            events: |done| done.applied + done.peer_seconds / 10.0,
            fast: Latency::new(0.000_05, 2.2),
            slow: Latency::new(0.000_2, 2.0),
        }],
    },
    Family {
        name: "tikv_raftstore_request_wait_time_duration_secs",
        help: "Bucketed histogram of request wait time duration.",
        bounds: FINE,
        series: &[Timed { fast: Latency::new(0.000_15, 2.2), slow: Latency::new(0.002, 2.0), ..PROPOSED }],
    },
    Family {
        name: "tikv_raftstore_store_duration_secs",
        help: "Bucketed histogram of store time duration.",
        bounds: FINE,
        series: &[Timed { fast: Latency::new(0.000_9, 3.0), slow: Latency::new(0.05, 3.0), ..PROPOSED }],
    },
];

impl Facts<'_> {
    pub(super) fn raft(&self, page: &mut Page) {
        self.histograms(page, &FAMILIES);
        page.family(
            "tikv_raftstore_store_write_msg_block_wait_duration_seconds",
            "histogram",
            "Bucketed histogram of write msg block wait duration.",
        );
        // Nobody waits for the writers of a fast disk.
        let blocked = Timed { events: |done| done.applied / 50.0, ..APPENDED };
        self.timed_slow(page, &FINE.list(), &blocked);
        page.family("tikv_raftstore_log_lag", "histogram", "Bucketed histogram of log lag in a region.");
        let lag = Timed {
            labels: &[],
            events: |done| done.leader_seconds / 3.0,
            fast: Latency::new(0.5, 2.0),
            slow: Latency::new(3.0, 1.6),
        };
        self.timed(page, &[], &LAG, &lag);
        let done = self.work.all();
        page.counter(
            "tikv_server_raft_message_recv_total",
            "Total number of raft messages received",
            (done.applied + done.peer_seconds / 10.0).floor(),
        );
        self.peers(page);
        self.health(page);
    }

    fn peers(&self, page: &mut Page) {
        let (leaders, peers) = (self.rates.leaders, self.rates.peers);
        page.family(
            "tikv_raftstore_region_count",
            "gauge",
            "Number of regions collected in region_collector",
        );
        for (kind, count) in [("buckets", peers), ("leader", leaders), ("region", peers)] {
            page.sample(&[("type", kind)], count);
        }
        page.gauge(
            "tikv_raftstore_leader_missing",
            "Total number of leader missed region.",
            self.cluster.orphans_on(self.store.id) as f64,
        );
        page.family("tikv_raftstore_hibernated_peer_state", "gauge", "Number of peers in hibernated state.");
        page.sample(&[("state", "awaken")], peers);
        page.sample(&[("state", "hibernated")], 0.0);
    }

    fn health(&self, page: &mut Page) {
        page.family("tikv_raftstore_process_busy", "gauge", "Is raft process busy or not");
        page.sample(&[("type", "applystore_busy")], 0.0);
        page.sample(&[("type", "raftstore_busy")], 0.0);
        page.family("tikv_raftstore_slow_score", "gauge", "Slow score of the store.");
        page.sample(&[("type", "network")], 1.0);
        page.sample(&[("type", "raft")], self.store.slow_score.floor());
        if self.work.unreachable.is_empty() {
            return;
        }
        page.family(
            "tikv_server_report_failure_msg_total",
            "counter",
            "Total number of reporting failure messages",
        );
        for (store, failures) in &self.work.unreachable {
            let labels = [("store_id", &*store.to_string()), ("type", "unreachable")];
            page.sample(&labels, failures.floor());
        }
    }
}
