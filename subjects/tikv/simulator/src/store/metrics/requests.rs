//! What clients ask: gRPC messages, storage commands, the scheduler; and what the store asks PD.

use super::Facts;
use super::latency::{Events, Family, Latency, Timed};
use crate::exposition::{Bounds, Page};
use crate::model::{RECORD_BYTES, Totals};

const GRPC: Bounds = Bounds { first: 0.000_05, factor: 2.0, count: 22 };
const FINE: Bounds = Bounds { first: 0.000_01, factor: 2.0, count: 26 };
const LONG: Bounds = Bounds { first: 0.000_01, factor: 2.0, count: 32 };
const PD: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const NONE: Timed =
    Timed { labels: &[], events: |_| 0.0, fast: Latency::new(0.001, 2.0), slow: Latency::new(0.001, 2.0) };
/// A put waits until two of three disks have it.
const PUT: Timed = Timed {
    events: |done| done.puts,
    fast: Latency::new(0.001_5, 3.0),
    slow: Latency::new(0.06, 3.0),
    ..NONE
};
const GET: Timed = Timed {
    events: |done| done.gets,
    fast: Latency::new(0.000_3, 2.2),
    slow: Latency::new(0.018, 2.2),
    ..NONE
};

/// Other stores ask it, also where it leads nothing any more: a slow store still shows in its latency when PD has moved
/// all leaders away.
const CHECK_LEADER: Timed =
    Timed { events: |done| done.seconds / 5.0, slow: Latency::new(0.06, 3.0), ..NONE };

/// Kinds of messages, with some that nobody sends here: they are there, and zero.
const MESSAGES: [(&str, Timed); 16] = [
    ("batch_commands", NONE),
    ("check_leader", CHECK_LEADER),
    ("coprocessor", NONE),
    ("kv_batch_get", NONE),
    ("kv_commit", NONE),
    ("kv_gc", NONE),
    ("kv_get", NONE),
    ("kv_pessimistic_lock", NONE),
    ("kv_prewrite", NONE),
    ("kv_scan", NONE),
    ("raw_batch_get", NONE),
    ("raw_batch_put", NONE),
    ("raw_delete", NONE),
    ("raw_get", GET),
    ("raw_put", PUT),
    ("raw_scan", NONE),
];
/// Kinds of commands that nobody sends here.
const UNUSED_COMMANDS: [&str; 8] =
    ["batch_get", "commit", "get", "prewrite", "raw_batch_put", "raw_delete", "raw_scan", "scan"];

const FAMILIES: [Family; 2] = [
    Family {
        name: "tikv_scheduler_command_duration_seconds",
        help: "Bucketed histogram of command execution",
        bounds: FINE,
        series: &[
            Timed { labels: &[("type", "raw_get")], fast: Latency::new(0.000_1, 2.2), ..GET },
            Timed { labels: &[("type", "raw_put")], fast: Latency::new(0.001_3, 3.0), ..PUT },
        ],
    },
    Family {
        name: "tikv_storage_engine_async_request_duration_seconds",
        help: "Bucketed histogram of processing successful asynchronous requests.",
        bounds: LONG,
        series: &[
            Timed {
                labels: &[("type", "snapshot")],
                fast: Latency::new(0.000_03, 2.2),
                slow: Latency::new(0.000_06, 2.0),
                ..GET
            },
            Timed { labels: &[("type", "write")], fast: Latency::new(0.001_2, 3.0), ..PUT },
        ],
    },
];

/// Of the writes to a slow disk, a store refuses so many: it is busy.
const REFUSED: f64 = 0.01;

impl Facts<'_> {
    pub(super) fn requests(&self, page: &mut Page) {
        let done = self.work.all();
        page.family(
            "tikv_grpc_msg_duration_seconds",
            "histogram",
            "Bucketed histogram of grpc server messages",
        );
        let bounds = GRPC.list();
        for (kind, timed) in &MESSAGES {
            self.timed(page, &[("priority", "unknown"), ("type", kind)], &bounds, timed);
        }
        page.family("tikv_storage_command_total", "counter", "Total number of commands received.");
        for kind in UNUSED_COMMANDS {
            page.sample(&[("type", kind)], 0.0);
        }
        page.sample(&[("type", "raw_get")], done.gets.floor());
        page.sample(&[("type", "raw_put")], done.puts.floor());
        self.histograms(page, &FAMILIES);
        page.family(
            "tikv_storage_engine_async_request_total",
            "counter",
            "Total number of engine asynchronous requests",
        );
        for (status, kind, count) in [
            ("all", "snapshot", done.gets),
            ("all", "write", done.puts),
            ("err_not_leader", "write", 0.0),
            ("success", "snapshot", done.gets),
            ("success", "write", done.puts),
        ] {
            page.sample(&[("status", status), ("type", kind)], count.floor());
        }
        self.scheduler(page, &done);
        self.pd(page, &done);
    }

    fn scheduler(&self, page: &mut Page, done: &Totals) {
        page.family(
            "tikv_scheduler_commands_pri_total",
            "counter",
            "Total count of different priority commands",
        );
        for (priority, count) in [("high", 0.0), ("low", 0.0), ("normal", done.gets)] {
            page.sample(&[("priority", priority)], count.floor());
        }
        page.family("tikv_scheduler_stage_total", "counter", "Total number of commands on each stage.");
        for stage in ["new", "write_finish"] {
            page.sample(&[("stage", stage), ("type", "raw_put")], done.puts.floor());
        }
        let refused = (self.work.slow.puts * REFUSED).floor();
        if refused > 0.0 {
            page.family("tikv_scheduler_too_busy_total", "counter", "Total count of scheduler too busy");
            page.sample(&[("type", "raw_put")], refused);
            page.family("tikv_grpc_msg_fail_total", "counter", "Total number of handle grpc message failure");
            page.sample(&[("type", "raw_put")], refused);
        }
        page.gauge(
            "tikv_scheduler_write_flow",
            "The write flow passed through at scheduler level.",
            (self.rates.puts * RECORD_BYTES).floor(),
        );
        page.gauge("tikv_scheduler_discard_ratio", "The discard ratio for flow control.", 0.0);
        page.gauge("tikv_scheduler_throttle_flow", "The throttled write flow at scheduler level.", 0.0);
        page.family("tikv_scheduler_throttle_cf", "gauge", "The CF being throttled.");
        for cf in ["default", "lock", "raft", "write"] {
            page.sample(&[("cf", cf)], 0.0);
        }
        page.family(
            "tikv_coprocessor_memory_quota",
            "gauge",
            "Statistics of in_use and capacity of coprocessor memory quota",
        );
        page.sample(&[("type", "capacity")], 3_159_562_752.0);
        page.sample(&[("type", "in_use")], 0.0);
    }

    fn pd(&self, page: &mut Page, done: &Totals) {
        page.family("tikv_pd_heartbeat_message_total", "counter", "Total number of PD heartbeat messages.");
        let beats = done.leader_seconds / 60.0;
        for (kind, count) in [("noop", beats / 20.0), ("send", beats)] {
            page.sample(&[("type", kind)], count.floor());
        }
        page.gauge("tikv_pd_pending_heartbeat_total", "Total number of pending region heartbeat", 0.0);
        page.family(
            "tikv_pd_request_duration_seconds",
            "histogram",
            "Bucketed histogram of PD requests duration",
        );
        let asked: [(&str, Events); 4] = [
            ("get_gc_safe_point", |done| done.seconds / 10.0),
            ("min_resolved_ts", |done| done.seconds),
            ("store_heartbeat", |done| done.seconds / 10.0),
            ("tso", |done| done.seconds),
        ];
        for (kind, events) in asked {
            let quick = Latency::new(0.002, 2.5);
            let timed = Timed { events, fast: quick, slow: quick, ..NONE };
            self.timed(page, &[("type", kind)], &PD, &timed);
        }
    }
}
