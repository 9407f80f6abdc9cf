//! The local cluster's Prometheus and dashboard, tried with a real Prometheus over a recorded and a simulated cluster.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::Utc;
use operator_core::Subject;
use operator_tests::{Frames, Prometheus, Setup};
use operator_tikv::prometheus::QueryResult;
use operator_tikv::{TikvConfig, TikvSubject};
use regex::Regex;
use tikv_simulator::{Config, Scenario, Server};

use crate::local_cluster::{folder, queries, text};
use crate::program::PATIENCE;

/// What `operator watch` shows of itself: no recorded page has it.
fn is_operators(query: &str) -> bool {
    query.contains("operator_")
}

#[tokio::test]
async fn every_panel_shows_something_of_the_recorded_cluster() {
    let queries = queries();
    let words = Regex::new("[a-z_]+").unwrap();
    let asked: BTreeSet<_> =
        queries.iter().flat_map(|(_, query)| words.find_iter(query)).map(|word| word.as_str()).collect();
    let recorded =
        ["frames-load", "frames-store-down", "frames-slow"].map(|name| Frames::load(name).unwrap());
    let samples = recorded.each_ref().map(|frames| frames.open_metrics(|name| asked.contains(name), None));
    let samples = samples.map(|samples| samples.trim_end_matches("# EOF\n").to_owned()).concat() + "# EOF\n";
    let setup = Setup { samples: Some(samples), ..Setup::default() };
    let Some(prometheus) = Prometheus::start(setup).await.unwrap() else { return };
    let client = prometheus.config().client().unwrap();

    let mut shown = 0;
    for frames in &recorded {
        let at = frames.at(frames.count() - 1);
        for (title, query) in queries.iter().filter(|(_, query)| !is_operators(query)) {
            // What Grafana makes of it at the pace of the recording.
            let query = query.replace("$__rate_interval", "20s");
            let answer = client.query_at(&query, at).await.unwrap_or_else(|error| panic!("{title}: {error}"));
            let QueryResult::Vector(vector) = answer.data else { panic!("{title}: {query} is no vector") };
            let some = vector.samples.iter().any(|one| one.sample.value.is_finite());
            assert!(some, "{title}: {query} shows nothing of {}", frames.state());
            shown += 1;
        }
    }
    assert!(shown > 60, "{shown}");
}

#[tokio::test]
async fn prometheus_reaches_every_target_with_this_configuration() {
    let server = Server::start(Config::new(Scenario::Healthy).shown_at(Utc::now()), 1.0).await.unwrap();
    let pds: TikvConfig = server.pd_urls().join(",").parse().unwrap();
    let stores = TikvSubject::new(pds).unwrap().stores().await.unwrap();
    let pds = server.pd_urls().into_iter().map(|url| url.trim_start_matches("http://").to_owned());
    let real: Vec<_> = pds.chain(stores.into_iter().filter_map(|store| store.status_address)).collect();

    // The configuration as it is, but for where the nodes are. Nothing of `operator` itself listens here.
    let config = text("config/prometheus.yml");
    let (config, _) = config.split_once("\n  - job_name: operator").unwrap();
    let mut config =
        config.replace("- alerts.yml", &format!("- {}", folder().join("config/alerts.yml").display()));
    let named = ["pd0:2379", "pd1:2379", "pd2:2379", "tikv0:20180", "tikv1:20180", "tikv2:20180"];
    assert_eq!(real.len(), named.len());
    for (named, real) in named.iter().zip(&real) {
        assert!(config.contains(named), "{named} is not scraped");
        config = config.replace(named, real);
    }
    let setup = Setup { config: Some(config), ..Setup::default() };
    let Some(prometheus) = Prometheus::start(setup).await.unwrap() else { return };
    let client = prometheus.config().client().unwrap();

    let started = Instant::now();
    loop {
        let up = client.vector("up").await.unwrap().data.samples;
        let answering = |job| {
            let of_job =
                up.iter().filter(|one| one.labels.value("job") == Some(job) && one.sample.value == 1.0);
            of_job.filter_map(|one| one.labels.value("instance")).collect::<BTreeSet<_>>()
        };
        let real: Vec<_> = real.iter().map(String::as_str).collect();
        let expected =
            [&real[..3], &real[3..]].map(|targets| targets.iter().copied().collect::<BTreeSet<_>>());
        if [answering("pd"), answering("tikv")] == expected {
            assert_eq!(up.len(), real.len(), "{up:?}");
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{up:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
