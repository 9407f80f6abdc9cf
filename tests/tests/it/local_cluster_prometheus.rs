//! The local cluster's Prometheus and dashboard, tried with a real Prometheus over a recorded and a simulated cluster.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use chrono::Utc;
use operator_core::Subject;
use operator_tests::{Frames, Prometheus, Setup};
use operator_tikv::TikvSubject;
use operator_tikv::prometheus::QueryResult;
use regex::Regex;
use tikv_simulator::{Config, Scenario, Server};

use crate::local_cluster::{folder, queries, text};
use crate::program::{PATIENCE, start};

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
async fn prometheus_reaches_every_target_with_this_configuration_and_shows_what_operator_sees() {
    let server = Server::start(Config::new(Scenario::Healthy).shown_at(Utc::now()), 1.0).await.unwrap();
    let pds = server.pd_urls().join(",");
    let stores = TikvSubject::new(pds.parse().unwrap()).unwrap().stores().await.unwrap();
    let mut real: Vec<_> = pds.split(',').map(|url| url.trim_start_matches("http://").to_owned()).collect();
    real.extend(stores.into_iter().filter_map(|store| store.status_address));
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let listening = format!("127.0.0.1:{port}");
    let _watching = start(["watch", "--pd", &pds, "--listen", &listening]);
    real.push(listening);

    // The configuration as it is, but for where everything is.
    let alerts = folder().join("config/alerts.yml");
    let mut config =
        text("config/prometheus.yml").replace("- alerts.yml", &format!("- {}", alerts.display()));
    let named =
        ["pd0:2379", "pd1:2379", "pd2:2379", "tikv0:20180", "tikv1:20180", "tikv2:20180", "operator:9464"];
    assert_eq!(real.len(), named.len());
    for (named, real) in named.iter().zip(&real) {
        assert!(config.contains(named), "{named} is not scraped");
        config = config.replace(named, real);
    }
    let setup = Setup { config: Some(config), ..Setup::default() };
    let Some(prometheus) = Prometheus::start(setup).await.unwrap() else { return };
    let client = prometheus.config().client().unwrap();

    let mut waiting = vec![(format!("{} targets", real.len()), format!("count(up == 1) == {}", real.len()))];
    let of_operator = queries().into_iter().filter(|(_, query)| is_operators(query));
    waiting.extend(of_operator.map(|(title, query)| (title, query.replace("$__rate_interval", "20s"))));
    assert!(waiting.len() > 8, "{waiting:?}");
    let started = Instant::now();
    while !waiting.is_empty() {
        assert!(started.elapsed() < PATIENCE, "nothing is shown of {waiting:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut still = Vec::new();
        for (title, query) in waiting {
            let answer = client.vector(&query).await.unwrap_or_else(|error| panic!("{title}: {error}"));
            if !answer.data.samples.iter().any(|one| one.sample.value.is_finite()) {
                still.push((title, query));
            }
        }
        waiting = still;
    }
    let targets = client.vector("up").await.unwrap().data.samples;
    let targets = targets.iter().filter_map(|one| one.labels.value("instance")).collect::<BTreeSet<_>>();
    assert_eq!(targets, real.iter().map(String::as_str).collect());
}
