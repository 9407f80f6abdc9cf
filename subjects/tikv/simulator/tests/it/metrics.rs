//! What the stores' and PD's `/metrics` say of the simulated cluster, held against recorded pages.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use tikv_simulator::{Config, Event, NodeId, Reply, Request, Scenario, Simulator};

use crate::page::{Family, Page, body};
use crate::scenarios::seconds;

fn at(scenario: Scenario, after: u64) -> Simulator {
    let mut cluster = Simulator::new(Config::new(scenario));
    cluster.advance(seconds(after));
    cluster
}

/// Every family of the recorded pages whose names `wanted` accepts.
fn recorded(wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Family> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/recordings");
    let mut families = BTreeMap::<String, Family>::new();
    let mut folders = vec![root];
    let mut pages = 0;
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let parent = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let file = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // `<state>/tikv0-metrics.txt.gz` or `frames-load/tikv0/4.txt.gz`.
            let node = if file.contains("metrics") { file } else { parent };
            if !file.ends_with(".txt.gz") || !wanted(node) {
                continue;
            }
            pages += 1;
            for (name, family) in Page::read(&entry).families {
                let known = families.entry(name.clone()).or_insert_with(|| family.clone());
                assert_eq!(
                    (&known.kind, &known.help),
                    (&family.kind, &family.help),
                    "{name} changed its type"
                );
                known.labels.extend(family.labels);
                known.buckets.extend(family.buckets);
            }
        }
    }
    assert!(pages >= 5, "only {pages} pages");
    families
}

/// Families that no store had a reason to show while it was recorded: as TiKV's source declares them.
const FROM_SOURCE: [(&str, &str, &str); 2] = [
    ("tikv_grpc_msg_fail_total", "counter", "{type}"),
    ("tikv_scheduler_too_busy_total", "counter", "{type}"),
];

fn differences(page: &Page, recorded: &BTreeMap<String, Family>, from: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (name, family) in &page.families {
        let Some(known) = recorded.get(name) else {
            let declared = FROM_SOURCE.iter().any(|(declared, kind, labels)| {
                declared == name && family.kind == *kind && family.labels.iter().eq([labels])
            });
            if !declared {
                found.push(format!("{from}: {name} was never recorded"));
            }
            continue;
        };
        if (&family.kind, &family.help) != (&known.kind, &known.help) {
            found.push(format!("{from}: {name} is {} {:?}", known.kind, known.help));
        }
        for labels in family.labels.difference(&known.labels) {
            found.push(format!("{from}: {name}{labels} instead of {:?}", known.labels));
        }
        if family.buckets != known.buckets {
            found.push(format!(
                "{from}: {name} has the buckets {:?}, recorded {:?}",
                family.buckets, known.buckets
            ));
        }
    }
    found
}

#[test]
fn every_family_of_a_store_is_named_typed_labelled_and_divided_as_recorded() {
    let recorded = recorded(|node| node.starts_with("tikv"));
    let mut found = Vec::new();
    for scenario in [Scenario::Healthy, Scenario::SlowStore, Scenario::StoreCrash, Scenario::TwoStoresLost] {
        let page = Page::of(&mut at(scenario, 150), "tikv0:20180");
        found.extend(differences(&page, &recorded, &format!("{scenario} tikv0")));
        assert!(page.families.len() > 50, "{}", page.families.len());
    }
    let slow = Page::of(&mut at(Scenario::SlowStore, 150), "tikv1:20180");
    found.extend(differences(&slow, &recorded, "slow-store tikv1"));
    for (name, ..) in FROM_SOURCE {
        assert!(slow.families.contains_key(name), "{name} is claimed and never shown");
        assert!(!recorded.contains_key(name), "{name} was recorded after all");
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_family_of_a_pd_is_named_typed_labelled_and_divided_as_recorded() {
    let recorded = recorded(|node| node.starts_with("pd"));
    let mut found = Vec::new();
    for (scenario, pd) in [
        (Scenario::Healthy, "pd0:2379"),
        (Scenario::Healthy, "pd1:2379"),
        (Scenario::StoreOffline, "pd0:2379"),
        (Scenario::ScaleOut, "pd0:2379"),
        (Scenario::NotBootstrapped, "pd0:2379"),
        (Scenario::PdLeaderLoss, "pd2:2379"),
    ] {
        let page = Page::of(&mut at(scenario, 50), pd);
        found.extend(differences(&page, &recorded, &format!("{scenario} {pd}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What a client asks of a store for its rates, latency, disk, CPU and memory, and what the overview of the official
/// dashboards asks besides.
const ASKED: [&str; 22] = [
    "tikv_grpc_msg_duration_seconds_count{priority=\"unknown\",type=\"raw_put\"}",
    "tikv_grpc_msg_duration_seconds_count{priority=\"unknown\",type=\"kv_gc\"}",
    "tikv_grpc_msg_duration_seconds_bucket{priority=\"unknown\",type=\"raw_get\",le=\"+Inf\"}",
    "tikv_storage_command_total{type=\"raw_get\"}",
    "tikv_store_size_bytes{type=\"used\"}",
    "tikv_store_size_bytes{type=\"available\"}",
    "tikv_store_size_bytes{type=\"capacity\"}",
    "tikv_engine_size_bytes{db=\"kv\",type=\"default\"}",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "tikv_server_cpu_cores_quota",
    "tikv_server_memory_quota_bytes",
    "tikv_server_memory_usage",
    "tikv_raftstore_region_count{type=\"leader\"}",
    "tikv_raftstore_region_count{type=\"region\"}",
    "tikv_raftstore_leader_missing",
    "tikv_raftstore_slow_score{type=\"raft\"}",
    "tikv_raftstore_append_log_duration_seconds_bucket{le=\"0.00128\"}",
    "tikv_scheduler_stage_total{stage=\"new\",type=\"raw_put\"}",
    "tikv_engine_write_stall{db=\"kv\",type=\"write_stall_percentile99\"}",
    "tikv_engine_pending_compaction_bytes{cf=\"default\",db=\"kv\"}",
];

#[test]
fn everything_that_is_asked_of_a_store_is_there() {
    let page = Page::of(&mut at(Scenario::Healthy, 60), "tikv2:20180");
    for series in ASKED {
        let _ = page.value(series);
    }
    assert!(page.sum("tikv_thread_cpu_seconds_total", "name=\"unified_read_") > 0.0);
    assert!(page.sum("tikv_thread_cpu_seconds_total", "name=\"raftstore_1_") > 0.0);
}

const QPS: &str = "tikv_grpc_msg_duration_seconds_count";

/// Requests a second between two pages.
fn qps(before: &Page, after: &Page, over: f64) -> f64 {
    (after.sum(QPS, "raw_") - before.sum(QPS, "raw_")) / over
}

/// The upper bound of the bucket in which the 99th percentile of all messages between two pages is, in seconds.
fn p99(before: &Page, after: &Page) -> f64 {
    let mut buckets = BTreeMap::<u64, f64>::new();
    for (series, value) in &after.series {
        if let Some((_, bound)) = series.split_once("le=\"").filter(|_| series.starts_with("tikv_grpc_msg_d"))
        {
            let bound: f64 = bound.trim_end_matches("\"}").parse().expect("a bound");
            *buckets.entry(bound.to_bits()).or_default() += value - before.value(series);
        }
    }
    let all = buckets.get(&f64::INFINITY.to_bits()).expect("+Inf");
    let bound = buckets.iter().find(|(_, count)| **count >= all * 0.99).expect("+Inf is all");
    f64::from_bits(*bound.0)
}

#[test]
fn counters_only_grow_until_the_process_restarts() {
    let mut cluster = at(Scenario::Healthy, 0);
    let mut before = Page::of(&mut cluster, "tikv0:20180");
    let counters = |page: &Page| -> Vec<String> {
        let is_counter = |series: &str| {
            let name = series.split('{').next().unwrap_or_default();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let family = page.families.get(name).or_else(|| page.families.get(base?));
            family.is_some_and(|family| family.kind != "gauge") || name == "tikv_thread_cpu_seconds_total"
        };
        page.series.keys().filter(|series| is_counter(series)).cloned().collect()
    };
    for step in 0..60 {
        // Leaders leave the store, others die, its disk becomes slow.
        match step {
            10 => cluster.apply(Event::Crash(NodeId::Store(4))),
            20 => cluster.apply(Event::Slow(1)),
            30 => cluster.apply(Event::Restart(NodeId::Store(4))),
            40 => cluster.apply(Event::Fast(1)),
            _ => {}
        }
        cluster.advance(Duration::from_millis(3_700));
        let after = Page::of(&mut cluster, "tikv0:20180");
        for series in counters(&before) {
            assert!(after.value(&series) >= before.value(&series), "{series} fell in step {step}");
        }
        before = after;
    }
    assert!(
        before.value("tikv_server_report_failure_msg_total{store_id=\"4\",type=\"unreachable\"}") > 500.0
    );
    cluster.apply(Event::Crash(NodeId::Store(1)));
    cluster.advance(seconds(5));
    assert_eq!(cluster.answer("tikv0:20180", &Request::get("/metrics")), Reply::Refused);
    cluster.apply(Event::Restart(NodeId::Store(1)));
    cluster.advance(seconds(30));
    let again = Page::of(&mut cluster, "tikv0:20180");
    for name in [QPS, "tikv_storage_command_total", "process_cpu_seconds_total"] {
        assert!(again.sum(name, "") < before.sum(name, "") / 10.0, "{name} did not begin again");
    }
    assert!(again.value("process_start_time_seconds") > before.value("process_start_time_seconds"));
}

#[test]
fn a_store_that_hangs_is_silent_and_does_nothing_meanwhile() {
    let mut cluster = at(Scenario::Healthy, 60);
    let before = Page::of(&mut cluster, "tikv1:20180");
    cluster.apply(Event::Hang(NodeId::Store(4)));
    cluster.advance(seconds(600));
    assert_eq!(cluster.answer("tikv1:20180", &Request::get("/metrics")), Reply::Silent);
    cluster.apply(Event::Restart(NodeId::Store(4)));
    let after = Page::of(&mut cluster, "tikv1:20180");
    for name in [QPS, "process_cpu_seconds_total", "process_start_time_seconds"] {
        assert_eq!(after.sum(name, ""), before.sum(name, ""), "{name}");
    }
}

#[test]
fn requests_a_second_are_the_load_that_pd_is_told() {
    let mut cluster = at(Scenario::Healthy, 120);
    let pd = Page::of(&mut cluster, "pd0:2379");
    let mut served = 0.0;
    for store in ["tikv0", "tikv1", "tikv2"] {
        let authority = format!("{store}:20180");
        let before = Page::of(&mut cluster, &authority);
        cluster.advance(seconds(30));
        let after = Page::of(&mut cluster, &authority);
        let rate = qps(&before, &after, 30.0);
        assert!(rate > 100.0, "{store}: {rate}");
        served += rate;
        let p99 = p99(&before, &after);
        assert!((0.001..0.05).contains(&p99), "{store}: {p99}");
    }
    let reads = pd.sum("pd_scheduler_store_status", "store_read_rate_keys");
    // Every replica writes, only one of three answers.
    let writes = pd.sum("pd_scheduler_store_status", "store_write_rate_keys") / 3.0;
    assert!((served / (reads + writes) - 1.0).abs() < 0.2, "{served} and {}", reads + writes);
}

#[test]
fn a_slow_store_answers_late() {
    let mut cluster = at(Scenario::SlowStore, 20);
    let before = Page::of(&mut cluster, "tikv1:20180");
    cluster.advance(seconds(60));
    let after = Page::of(&mut cluster, "tikv1:20180");
    assert!(p99(&before, &after) > 0.1, "{}", p99(&before, &after));
    // PD moves the leaders away; what is left is as late.
    cluster.advance(seconds(60));
    let before = Page::of(&mut cluster, "tikv1:20180");
    assert!(before.value("tikv_raftstore_slow_score{type=\"raft\"}") >= 80.0);
    assert_eq!(before.value("tikv_raftstore_region_count{type=\"leader\"}"), 0.0);
    cluster.advance(seconds(60));
    let after = Page::of(&mut cluster, "tikv1:20180");
    assert!(qps(&before, &after, 60.0) == 0.0 && p99(&before, &after) > 0.1, "{}", p99(&before, &after));
}

#[test]
fn a_hot_region_shows_on_the_store_that_leads_it() {
    let rates = |scenario: Scenario| {
        let mut cluster = at(scenario, 60);
        ["tikv0", "tikv1", "tikv2"].map(|store| {
            let authority = format!("{store}:20180");
            let before = Page::of(&mut cluster, &authority);
            cluster.advance(seconds(20));
            let after = Page::of(&mut cluster, &authority);
            let cpu = after.value("process_cpu_seconds_total") - before.value("process_cpu_seconds_total");
            (qps(&before, &after, 20.0), cpu)
        })
    };
    let (calm, hot) = (rates(Scenario::Healthy), rates(Scenario::HotRegion));
    let hotter: Vec<_> = (calm.iter().zip(&hot)).filter(|(calm, hot)| hot.0 > calm.0 + 20_000.0).collect();
    assert_eq!(hotter.len(), 1, "{calm:?} {hot:?}");
    assert!(hotter.iter().all(|(calm, hot)| hot.1 > calm.1 + 5.0), "{calm:?} {hot:?}");
}

#[test]
fn the_disk_is_the_one_that_pd_is_told_of() {
    let mut cluster = at(Scenario::DiskFull, 90);
    // Stores report every ten seconds: ask right after one did, and nothing else has happened since.
    let pd = Page::of(&mut cluster, "pd0:2379");
    for (store, id) in [("tikv0", 1), ("tikv1", 4), ("tikv2", 5)] {
        let page = Page::of(&mut cluster, &format!("{store}:20180"));
        for kind in ["used", "available", "capacity"] {
            let own = page.value(&format!("tikv_store_size_bytes{{type=\"{kind}\"}}"));
            let told = format!(
                "pd_scheduler_store_status{{address=\"{store}:20160\",store=\"{id}\",type=\"store_{kind}\"}}"
            );
            assert!(
                (own / pd.value(&told) - 1.0).abs() < 0.01,
                "{store} {kind}: {own} and {}",
                pd.value(&told)
            );
        }
        let left = page.value("tikv_store_size_bytes{type=\"available\"}")
            / page.value("tikv_store_size_bytes{type=\"capacity\"}");
        assert_eq!(left < 0.011, store == "tikv1", "{store}: {left}");
    }
}

#[test]
fn asking_changes_nothing_and_the_same_seed_gives_the_same_page() {
    let (mut asked, mut left_alone) = (at(Scenario::StoreCrash, 0), at(Scenario::StoreCrash, 0));
    for _ in 0..50 {
        asked.advance(Duration::from_millis(2_300));
        let _ = asked.answer("tikv0:20180", &Request::get("/metrics"));
    }
    left_alone.advance(Duration::from_millis(2_300 * 50));
    for authority in ["tikv0:20180", "tikv2:20180", "pd0:2379"] {
        assert_eq!(Page::of(&mut asked, authority).text, Page::of(&mut left_alone, authority).text);
    }
}

#[test]
fn a_page_is_compressed_for_who_says_that_it_may_be() {
    let mut cluster = at(Scenario::Healthy, 10);
    for authority in ["tikv0:20180", "pd0:2379"] {
        let plain = cluster.answer(authority, &Request::get("/metrics"));
        for (accepted, compressed) in
            [("gzip", true), ("deflate, GZIP;q=0.5", true), ("gzip;q=0", false), ("identity", false)]
        {
            let request = Request::get("/metrics").with_header("Accept-Encoding", accepted);
            let reply = cluster.answer(authority, &request);
            assert_eq!(reply.header("content-encoding").is_some(), compressed, "{accepted}");
            if compressed {
                let mut text = String::new();
                flate2::read::GzDecoder::new(reply.body()).read_to_string(&mut text).expect("gzip");
                assert_eq!(text, body(&plain));
            } else {
                assert_eq!(reply.body(), plain.body());
            }
        }
    }
}

#[test]
fn each_of_a_thousand_stores_has_a_page_of_its_own() {
    let mut cluster = at(Scenario::Big, 30);
    let pages: Vec<_> = ["tikv0:20180", "tikv999:20180"].map(|store| Page::of(&mut cluster, store)).into();
    for page in &pages {
        assert!(page.sum(QPS, "raw_") > 1e6 && page.text.len() < 256 << 10, "{}", page.text.len());
    }
    assert_ne!(pages[0].text, pages[1].text);
}
