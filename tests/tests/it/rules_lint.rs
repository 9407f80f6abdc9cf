//! `operator rules lint` and `rules test` against a real Prometheus that has the recorded frames as its past.

use std::path::Path;

use operator_tests::{Frames, Prometheus, Setup};
use operator_tikv::rules::{LintConfig, LintReport, RuleFile, Verdict, lint};
use serde_json::Value;

use crate::program::operator;

/// A second after the last frame of the slow store.
const AT: &str = "1795316466";

/// The metrics of the rules, and some besides.
fn wanted(name: &str) -> bool {
    const HISTOGRAMS: [&str; 2] =
        ["tikv_grpc_msg_duration_seconds_bucket", "tikv_raftstore_append_log_duration_seconds_bucket"];
    HISTOGRAMS.contains(&name)
        || !["_bucket", "_sum"].iter().any(|end| name.ends_with(end))
            && [
                "etcd_server_",
                "pd_",
                "process_",
                "tikv_grpc",
                "tikv_raftstore_",
                "tikv_server_",
                "tikv_store_",
                "tikv_thread_cpu",
            ]
            .iter()
            .any(|start| name.starts_with(start))
        || name == "tikv_engine_write_stall"
}

async fn prometheus() -> Option<Prometheus> {
    let mut samples = String::new();
    for frames in ["frames-load", "frames-store-down", "frames-slow"] {
        let text = Frames::load(frames).unwrap().open_metrics(wanted, None);
        samples.push_str(text.trim_end_matches("# EOF\n"));
    }
    samples.push_str("# EOF\n");
    Prometheus::start(Setup { samples: Some(samples), ..Setup::default() }).await.unwrap()
}

fn path(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).to_str().unwrap().to_owned()
}

async fn linted(prometheus: &Prometheus, text: &str) -> LintReport {
    let file = RuleFile::parse("rules.yml", text.as_bytes()).unwrap();
    let at = chrono::DateTime::from_timestamp(AT.parse().unwrap(), 0).unwrap();
    lint(&file, &prometheus.config().client().unwrap(), LintConfig::default().at(at)).await.unwrap()
}

fn why(report: &LintReport, rule: &str) -> String {
    let rule = report.rules.iter().find(|known| known.rule == rule).unwrap_or_else(|| panic!("{rule}"));
    [rule.reasons.as_slice(), &rule.remarks].concat().join(" | ")
}

#[tokio::test]
async fn rules_are_held_against_recorded_frames() {
    let Some(prometheus) = prometheus().await else { return };
    of_each_kind_exactly_the_dead_are_named(&prometheus).await;
    the_mistakes_of_official_rules_are_found(&prometheus).await;
    our_own_alerts_are_alive(&prometheus).await;
    questions_do_not_grow_with_the_rules(&prometheus).await;
    rules_fire_in_the_recorded_faults(&prometheus).await;
    a_young_prometheus_says_nothing_of_what_is_missing(&prometheus).await;
}

async fn of_each_kind_exactly_the_dead_are_named(prometheus: &Prometheus) {
    let text = std::fs::read_to_string(path("rules/kinds.yml")).unwrap();
    let report = linted(prometheus, &text).await;
    for rule in &report.rules {
        let expected = match rule.rule.to_lowercase() {
            name if name.starts_with("dead") => Verdict::CannotFire,
            name if name.starts_with("unsure") => Verdict::CannotSay,
            _ => Verdict::CanFire,
        };
        assert_eq!(rule.verdict, expected, "{rule:?}");
    }
    for (rule, part) in [
        ("DeadMetric", "there is no metric `tikv_store_sizes_bytes`; nearest: `tikv_store_size_bytes`"),
        ("DeadValue", "nearest: `miss-peer-region-count`"),
        ("DeadEquals", "`=~` would match"),
        ("DeadRegex", "no value of `name`"),
        ("DeadLabel", "`tikv_store_size_bytes` has no label `kind`"),
        ("DeadTogether", "no series is `pd_checker_event_count{name="),
        ("DeadExcluded", "leaves out every series"),
        ("DeadJob", "there is no job `tikvs`; nearest: `tikv`"),
        ("DeadNoBuckets", "needs the label `le`"),
        ("DeadBeyondBuckets", "never above 104.8576"),
        ("LiveBeyondQuantiles", "always infinite"),
        ("DeadWindow", "never holds two samples: it is scraped every 5s"),
        ("LiveShortWindow", "less than 4 scrapes"),
        ("DeadLabelsApart", "only the"),
        ("DeadConstantsApart", "type is \"available\" on the left"),
        ("DeadValuesApart", "no value of `instance` is on both"),
        ("DeadNegativeRate", "never below 0"),
        ("DeadRecorded", "`dead:rate` is not recorded"),
        ("LiveAbsent", "it always fires"),
        ("LiveOr", "one side of `or` finds nothing"),
        ("LiveUnless", "takes nothing away"),
    ] {
        assert!(why(&report, rule).contains(part), "{rule}: {}", why(&report, rule));
    }

    let url = prometheus.url();
    let run = operator(["rules", "lint", &path("rules/kinds.yml"), "--at", AT, "--prometheus", url]).await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("cannot fire") && run.stdout.contains("DeadMetric"), "{run:?}");
    assert!(!run.stdout.contains("LiveMetric"), "{run:?}");
}

async fn the_mistakes_of_official_rules_are_found(prometheus: &Prometheus) {
    let url = prometheus.url();
    let args = ["rules", "lint", &path("rules/mistakes.yml"), "--at", AT, "--prometheus", url, "-o", "json"];
    let run = operator(args).await;
    assert_eq!(run.code, Some(1), "{run:?}");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let rules = report["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 6);
    for rule in rules {
        assert_eq!(rule["verdict"], "cannot_fire", "{rule}");
    }
    assert!(rules[4]["reasons"][0].as_str().unwrap().contains("`miss-peer-region-count`"), "{}", rules[4]);
    assert!(rules[5]["reasons"][0].as_str().unwrap().contains("`no-target-store`"), "{}", rules[5]);
}

async fn our_own_alerts_are_alive(prometheus: &Prometheus) {
    for file in ["../subjects/tikv/config/alerts.yml", "rules/faults.yml"] {
        let run =
            operator(["rules", "lint", &path(file), "--at", AT, "--prometheus", prometheus.url()]).await;
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stdout.contains(": 0 cannot fire, 0 cannot say, "), "{run:?}");
    }
}

/// Ten times the rules, and no more than the names that they add.
async fn questions_do_not_grow_with_the_rules(prometheus: &Prometheus) {
    let rules = |count: usize| {
        let mut text = "groups:\n- name: g\n  rules:\n".to_owned();
        for number in 0..count {
            let expr = format!("rate(tikv_grpc_msg_duration_seconds_count{{type=\"kv_x\"}}[20s]) > {number}");
            text.push_str(&format!("  - {{alert: A{number}, expr: '{expr}'}}\n"));
        }
        text
    };
    let (few, many) = (linted(prometheus, &rules(10)).await, linted(prometheus, &rules(100)).await);
    assert_eq!((few.count(Verdict::CannotFire), many.count(Verdict::CannotFire)), (10, 100));
    // Names, jobs, their targets and scrapes, kinds; the labels of the selector, the values of its label.
    assert_eq!((few.requests, many.requests), (7, 7));
}

async fn rules_fire_in_the_recorded_faults(prometheus: &Prometheus) {
    for (from, to, firing, quiet) in [
        ("1795315825", "1795315860", &["StoreIsDown", "StoreUnreachable", "ReplicasLag"][..], &[][..]),
        ("1795316430", "1795316465", &["AppendIsSlow"], &["StoreIsDown"]),
    ] {
        let (file, url) = (path("rules/faults.yml"), prometheus.url());
        let args = ["rules", "test", &file, "--from", from, "--to", to, "--prometheus", url, "-o", "json"];
        let report = operator(args).await.json();
        assert_eq!(report["without_data"], serde_json::json!([]));
        for rule in report["rules"].as_array().unwrap() {
            let (name, fired) = (rule["rule"].as_str().unwrap(), rule["fired"].as_u64().unwrap());
            if firing.contains(&name) {
                assert!(fired > 0 && rule["pending_seconds"].as_f64() > Some(0.0), "{rule}");
            }
            assert!(!quiet.contains(&name) || fired == 0, "{rule}");
        }
        let table = operator(["rules", "test", &file, "--from", from, "--to", to, "--prometheus", url]).await;
        assert!(table.stdout.contains(firing[0]), "{table:?}");
    }
    // Before the frames there is nothing.
    let (file, url) = (path("rules/faults.yml"), prometheus.url());
    let args = ["rules", "test", &file, "--from", "1795315000", "--to", "1795315610", "--prometheus", url];
    let run = operator(args).await;
    assert!(run.stdout.contains("No data from "), "{run:?}");
}

async fn a_young_prometheus_says_nothing_of_what_is_missing(prometheus: &Prometheus) {
    let file = path("rules/mistakes.yml");
    let args = ["rules", "lint", &file, "--at", "1795315610", "--prometheus", prometheus.url(), "-o", "json"];
    let run = operator(args).await;
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let verdicts: Vec<_> =
        report["rules"].as_array().unwrap().iter().map(|rule| rule["verdict"].clone()).collect();
    // What is there under another spelling is wrong however young Prometheus is.
    assert_eq!(
        verdicts,
        ["cannot_fire", "cannot_say", "cannot_say", "cannot_say", "cannot_fire", "cannot_fire"]
    );
}

#[tokio::test]
async fn what_cannot_be_asked_or_read_is_said() {
    let file = path("rules/mistakes.yml");
    let run = operator(["rules", "lint", &file, "--prometheus", "http://127.0.0.1:1"]).await;
    run.failed(1, &["http://127.0.0.1:1"]);
    let run =
        operator(["rules", "lint", &path("rules/none.yml"), "--prometheus", "http://127.0.0.1:1"]).await;
    run.failed(64, &["none.yml"]);
    let run = operator([
        "rules",
        "test",
        &file,
        "--since",
        "1h",
        "--step",
        "0s",
        "--prometheus",
        "http://127.0.0.1:1",
    ])
    .await;
    run.failed(64, &["--step"]);
    let run = operator([
        "rules",
        "test",
        &file,
        "--since",
        "30d",
        "--step",
        "1s",
        "--prometheus",
        "http://127.0.0.1:1",
    ])
    .await;
    run.failed(64, &["longer --step"]);
    let args = ["rules", "lint", &file, "--young", "2h", "--prometheus", "http://127.0.0.1:1"];
    operator(args).await.failed(64, &["--young", "--since"]);
}
