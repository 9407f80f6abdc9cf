//! The process: CPU, memory, threads, disk, uptime.

use super::Facts;
use crate::exposition::Page;
use crate::model::{OWN_BYTES, RECORD_BYTES, Totals};
use crate::random::hash;

const GIB: f64 = 1_073_741_824.0;
/// The machine.
const CORES: f64 = 16.0;
const MEMORY_BYTES: f64 = 32.0 * GIB;
/// `storage.block-cache.capacity` is this by default.
const CACHE_BYTES: f64 = 0.45 * MEMORY_BYTES;
const PROGRAM_BYTES: f64 = 0.3 * GIB;
const PEER_BYTES: f64 = 64.0 * 1_024.0;
/// The Raft engine's files: part of [`OWN_BYTES`].
const RAFT_BYTES: f64 = 0.25 * GIB;

/// CPU time of a kind of thread: microseconds for a second of life, for each put, get and applied record.
struct Threads {
    name: &'static str,
    /// 0 for a thread that is not numbered.
    count: u32,
    idle: f64,
    put: f64,
    get: f64,
    applied: f64,
}

const fn threads(name: &'static str, count: u32, idle: f64, put: f64, get: f64, applied: f64) -> Threads {
    Threads { name, count, idle, put, get, applied }
}

const THREADS: [Threads; 20] = [
    threads("apply_", 2, 800.0, 0.0, 0.0, 4.0),
    threads("background_", 2, 5_000.0, 0.0, 0.0, 0.0),
    threads("cdc_", 1, 100.0, 0.0, 0.0, 0.0),
    threads("gc_worker_", 1, 10.0, 0.0, 0.0, 0.0),
    threads("grpc_server_", 5, 2_000.0, 11.0, 6.0, 2.0),
    threads("pd_worker_", 1, 2_000.0, 0.0, 0.0, 0.0),
    threads("raftstore_1_", 2, 4_000.0, 6.0, 0.0, 3.0),
    threads("region_worker_", 1, 100.0, 0.0, 0.0, 0.0),
    threads("resolved_ts_", 1, 3_000.0, 0.0, 0.0, 0.0),
    threads("rocksdb:high", 0, 50.0, 0.0, 0.0, 0.2),
    threads("rocksdb:low", 0, 200.0, 0.0, 0.0, 1.8),
    threads("sched_pool_", 4, 100.0, 7.0, 0.0, 0.0),
    threads("snap_generator_", 2, 20.0, 0.0, 0.0, 0.0),
    threads("stats_monitor", 0, 5_000.0, 0.0, 0.0, 0.0),
    threads("status_server", 0, 2_000.0, 0.0, 0.0, 0.0),
    threads("store_writer_", 1, 2_000.0, 1.0, 0.0, 4.0),
    threads("tikv_server", 0, 300.0, 0.0, 0.0, 0.0),
    threads("time_updater", 0, 20.0, 0.0, 0.0, 0.0),
    threads("timer", 0, 5_000.0, 0.0, 0.0, 0.0),
    threads("unified_read_", 4, 200.0, 0.0, 6.0, 0.0),
];

impl Threads {
    /// Seconds that all of them used.
    fn seconds(&self, done: &Totals) -> f64 {
        let micros = self.idle * done.seconds
            + self.put * done.puts
            + self.get * done.gets
            + self.applied * done.applied;
        micros / 1e6
    }
}

impl Facts<'_> {
    pub(super) fn process(&self, page: &mut Page) {
        let done = self.work.all();
        let cpu: f64 = THREADS.iter().map(|threads| threads.seconds(&done)).sum();
        // TiKV's collector cuts the fraction off, as recorded.
        page.counter(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            cpu.floor(),
        );
        let memory = self.memory_bytes();
        page.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", memory);
        let address_space = memory + 1.5 * GIB;
        page.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", address_space);
        let started = self.store.started_at.timestamp() as f64;
        page.gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            started,
        );
        page.gauge("tikv_server_cpu_cores_quota", "Total CPU cores quota for TiKV server", CORES);
        page.gauge(
            "tikv_server_memory_quota_bytes",
            "Total memory bytes quota for TiKV server",
            0.75 * MEMORY_BYTES,
        );
        page.gauge("tikv_server_memory_usage", "Memory usage for the instance", memory);
        page.family(
            "tikv_server_info",
            "gauge",
            "Indicate the tikv server info, and the value is the server startup timestamp(s).",
        );
        page.sample(&[("hash", "None"), ("version", "v9.0.0-beta.2")], started);
        self.threads(page, &done);
        self.disk(page);
    }

    /// The cache holds what was read and written, up to what there is and what it may hold.
    fn memory_bytes(&self) -> f64 {
        let done = self.work.all();
        let touched = (done.gets + done.applied) * RECORD_BYTES;
        let cache = touched.min(self.kv_bytes()).min(CACHE_BYTES);
        (PROGRAM_BYTES + cache + self.rates.peers * PEER_BYTES).floor()
    }

    fn threads(&self, page: &mut Page, done: &Totals) {
        page.family(
            "tikv_thread_cpu_seconds_total",
            "gauge",
            "Total user and system CPU time spent in seconds by threads.",
        );
        // A process that starts again has other ids.
        let start = self.store.started_at.timestamp().unsigned_abs();
        let first = 1_000 + hash(self.cluster.seed, self.store.id, start) % 30_000;
        let mut next = first;
        for threads in &THREADS {
            let each = threads.seconds(done) / f64::from(threads.count.max(1));
            for number in 0..threads.count.max(1) {
                let name = match threads.count {
                    0 => threads.name.to_owned(),
                    _ => format!("{}{number}", threads.name),
                };
                let labels = [("name", name.as_str()), ("tid", &next.to_string())];
                page.sample(&labels, (each * 100.0).floor() / 100.0);
                next += 1;
            }
        }
        page.family("tikv_threads_state", "gauge", "Number of threads in each state.");
        page.sample(&[("state", "R")], 1.0);
        page.sample(&[("state", "S")], (next - first - 1) as f64);
    }

    /// Bytes of the regions.
    pub(super) fn kv_bytes(&self) -> f64 {
        (self.cluster.used_bytes(self.store.id) as f64 - OWN_BYTES).max(0.0)
    }

    /// The same numbers that PD is told.
    fn disk(&self, page: &mut Page) {
        let used = self.cluster.used_bytes(self.store.id);
        let available = self.store.available_bytes(used, self.cluster.now);
        let kv = self.kv_bytes();
        page.family("tikv_store_size_bytes", "gauge", "Size of storage.");
        for (kind, bytes) in [
            ("available", available as f64),
            ("capacity", self.store.capacity_bytes as f64),
            ("import_size", 0.0),
            ("kv_size", kv),
            ("raft_size", RAFT_BYTES),
            ("snap_size", 0.0),
            ("used", used as f64),
        ] {
            page.sample(&[("type", kind)], bytes);
        }
        page.family("tikv_engine_size_bytes", "gauge", "Sizes of each column families");
        // A raw record goes to `default` whole; `raft` holds a little for each peer.
        for (cf, bytes) in
            [("default", kv), ("lock", 2_048.0), ("raft", self.rates.peers * 1_024.0), ("write", 2_048.0)]
        {
            page.sample(&[("db", "kv"), ("type", cf)], bytes);
        }
    }
}
