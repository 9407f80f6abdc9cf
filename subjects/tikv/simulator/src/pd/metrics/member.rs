//! What every member shows: its process, Go's runtime, and etcd.

use chrono::{DateTime, Utc};

use super::super::about::{GIT_HASH, VERSION};
use super::super::{Pd, members::Member};
use crate::exposition::{Bounds, Counted, Page};

const MIB: f64 = 1_048_576.0;
const DISK: Bounds = Bounds { first: 0.001, factor: 2.0, count: 14 };
const NETWORK: Bounds = Bounds { first: 0.000_1, factor: 2.0, count: 16 };
/// Of all values, half are below the median and ever fewer above each bound: `1 / (1 + (median / bound)^3)`.
fn timed(events: f64, median: f64) -> Counted<impl Fn(f64) -> f64> {
    let up_to = move |bound: f64| events / (1.0 + (median / bound).powi(3));
    // The mean of this distribution.
    let mean = median * 2.0 * std::f64::consts::PI / (3.0 * 3_f64.sqrt());
    Counted { up_to, count: events, sum: events.floor() * mean }
}

impl Pd {
    pub(super) fn member_metrics(&self, page: &mut Page, now: DateTime<Utc>, index: usize) {
        let Some(member) = self.members.list.get(index) else { return };
        let uptime = (now - member.started_at).as_seconds_f64().max(0.0);
        let started = member.started_at.timestamp_millis() as f64 / 1_000.0;
        page.family(
            "pd_server_info",
            "gauge",
            "Indicate the pd server info, and the value is the start timestamp (s).",
        );
        page.sample(&[("hash", GIT_HASH), ("version", VERSION)], started.floor());
        page.gauge("pd_service_maxprocs", "The value of GOMAXPROCS.", 4.0);
        page.gauge("pd_service_memory_quota_bytes", "The value of memory quota bytes.", 0.0);
        process(page, uptime, started);
        self.etcd(page, member, index, uptime);
    }

    fn etcd(&self, page: &mut Page, member: &Member, index: usize, uptime: f64) {
        let leads = self.members.leader == Some(index);
        let flag = |is: bool| f64::from(u8::from(is));
        page.gauge(
            "etcd_server_has_leader",
            "Whether or not a leader exists. 1 is existence, 0 is not.",
            flag(self.members.leader.is_some()),
        );
        page.gauge(
            "etcd_server_is_leader",
            "Whether or not this member is a leader. 1 if is, 0 otherwise.",
            flag(leads),
        );
        page.gauge(
            "etcd_server_is_learner",
            "Whether or not this member is a learner. 1 if is, 0 otherwise.",
            0.0,
        );
        // PD writes a lease, timestamps and heartbeats of stores: about three in five seconds were recorded.
        let proposals = (uptime * 0.6).floor();
        for (name, help) in [
            ("etcd_server_proposals_applied_total", "The total number of consensus proposals applied."),
            ("etcd_server_proposals_committed_total", "The total number of consensus proposals committed."),
        ] {
            page.gauge(name, help, proposals);
        }
        page.gauge(
            "etcd_server_proposals_pending",
            "The current number of pending proposals to commit.",
            0.0,
        );
        page.counter("etcd_server_proposals_failed_total", "The total number of failed proposals seen.", 0.0);
        page.gauge(
            "etcd_server_quota_backend_bytes",
            "Current backend storage quota size in bytes.",
            8_192.0 * MIB,
        );
        page.gauge(
            "etcd_mvcc_db_total_size_in_bytes",
            "Total size of the underlying database physically allocated in bytes.",
            118_784.0,
        );
        page.gauge(
            "etcd_mvcc_db_total_size_in_use_in_bytes",
            "Total size of the underlying database logically in use in bytes.",
            106_496.0,
        );
        for (name, help, median) in [
            (
                "etcd_disk_backend_commit_duration_seconds",
                "The latency distributions of commit called by backend.",
                0.003,
            ),
            (
                "etcd_disk_wal_fsync_duration_seconds",
                "The latency distributions of fsync called by WAL.",
                0.001,
            ),
        ] {
            page.family(name, "histogram", help);
            page.histogram(&[], &DISK.list(), &timed(proposals, median));
        }
        page.family(
            "etcd_network_peer_round_trip_time_seconds",
            "histogram",
            "Round-Trip-Time histogram between peers",
        );
        let others = self.members.list.iter().filter(|other| other.id != member.id);
        for other in others {
            let to = format!("{:x}", other.id);
            page.histogram(&[("To", &to)], &NETWORK.list(), &timed((uptime / 30.0).floor(), 0.000_6));
        }
    }
}

fn process(page: &mut Page, uptime: f64, started: f64) {
    // The heap grows for ten seconds, then garbage is collected.
    let heap = 64.0 * MIB + (uptime % 10.0 * MIB).floor();
    page.counter(
        "process_cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
        (uptime * 0.08 * 100.0).floor() / 100.0,
    );
    page.gauge("process_max_fds", "Maximum number of open file descriptors.", 1_000_000.0);
    page.gauge("process_open_fds", "Number of open file descriptors.", 77.0);
    page.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", heap + 40.0 * MIB);
    page.gauge(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        started,
    );
    page.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", 11_216.0 * MIB);
    page.gauge("go_goroutines", "Number of goroutines that currently exist.", 357.0);
    page.gauge("go_threads", "Number of OS threads created.", 10.0);
    page.family("go_info", "gauge", "Information about the Go environment.");
    page.sample(&[("version", "go1.23.3")], 1.0);
    page.gauge("go_memstats_alloc_bytes", "Number of bytes allocated and still in use.", heap);
    page.gauge("go_memstats_heap_alloc_bytes", "Number of heap bytes allocated and still in use.", heap);
    page.gauge("go_memstats_heap_inuse_bytes", "Number of heap bytes that are in use.", heap + 5.0 * MIB);
    page.gauge("go_memstats_sys_bytes", "Number of bytes obtained from system.", heap + 24.0 * MIB);
}
