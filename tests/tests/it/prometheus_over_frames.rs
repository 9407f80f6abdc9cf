//! A real Prometheus that is shown what a real cluster showed: as pages to scrape, and as its past.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use operator_tests::{Frames, Prometheus, ReplayServer, Setup};
use operator_tikv::prometheus::{Client, QueryResult, StoreMetric, StoreQueries};
use operator_tikv::scrape::{Scraper, Target};
use operator_tikv::{TikvConfig, TikvSubject};

use crate::program::{PATIENCE, operator};
use crate::real_prometheus::{agrees_exactly, evaluated, fields, instances, metrics_of, queries};

/// Shows a page, and waits until Prometheus has it of all `targets`: on a busy machine it misses some.
async fn shown(server: &ReplayServer, number: usize, client: &Client, targets: usize) {
    server.show(number);
    let began = Instant::now();
    let since = Utc::now().timestamp_millis() as f64 / 1_000.0;
    let query = format!("count(timestamp(tikv_store_size_bytes{{type=\"used\"}}) > {since}) == {targets}");
    while client.vector(&query).await.map_or(true, |answer| answer.data.samples.is_empty()) {
        assert!(began.elapsed() < PATIENCE, "Prometheus does not scrape");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn metrics_of_recorded_frames_agree_with_prometheus_exactly_and_with_scraping_within_a_tenth() {
    let frames = Frames::load("frames-load").unwrap();
    let last = frames.count() - 1;
    let used: Vec<u64> = ["tikv0", "tikv1", "tikv2"]
        .map(|store| {
            let page = String::from_utf8_lossy(frames.page(store, last).unwrap()).into_owned();
            let mut lines = page.lines();
            let size = lines.find_map(|line| line.strip_prefix("tikv_store_size_bytes{type=\"used\"} "));
            size.unwrap().parse().unwrap()
        })
        .into();
    let server = ReplayServer::playing(frames).await.unwrap();
    let pd = server.pd_endpoints().join(",");
    let config: TikvConfig = pd.parse().unwrap();
    let instances = instances(&config).await;
    let targets: Vec<_> = instances.values().cloned().collect();
    let setup = Setup { targets: targets.clone(), ..Setup::default() };
    let Some(mut prometheus) = Prometheus::start(setup).await.unwrap() else { return };

    // Both see every page of every store; we look at the second and at the last one.
    let subject = TikvSubject::new(config.clone()).unwrap();
    let scraper = Scraper::new(subject.pd().http().clone());
    let stores: Vec<_> = instances
        .iter()
        .map(|(id, address)| Target { store_id: (*id).into(), status_address: address.clone() })
        .collect();
    let client = prometheus.config().client().unwrap();
    let mut began = Instant::now();
    for number in 0..=last {
        shown(&server, number, &client, targets.len()).await;
        if number == 1 {
            began = Instant::now();
            scraper.scrape(&stores).await;
        }
    }
    let (scraped_at, played) = (Utc::now(), began.elapsed());
    let scraped = scraper.scrape(&stores).await;
    let played = Duration::from_secs(played.as_secs());
    // Over a minute: the last page goes on being scraped.
    let _ = agrees_exactly(config, &prometheus, &StoreQueries::default()).await;
    let theirs = evaluated(&client, &queries().with_window(played), |_| Some(scraped_at)).await;
    for one in &scraped {
        assert_eq!(one.error.as_ref().map(ToString::to_string), None);
        for (field, ours) in fields(&one.metrics) {
            let theirs = theirs[&(field.to_owned(), instances[&one.target.store_id.0].clone())];
            let ours = ours.unwrap();
            // The process counts whole seconds of CPU, and five seconds of it pass in one.
            let step = if field == "cpu" { 1.0 / played.as_secs_f64() } else { 0.0 };
            let off = (ours - theirs).abs();
            let store = one.target.store_id;
            assert!(off <= 0.1 * ours.max(theirs) + step, "{field} of {store}: {ours}, {theirs} there");
        }
    }

    // The program says so too, and adds up what it was told to the byte.
    let through = ["--pd", &pd, "--prometheus", prometheus.url(), "--prometheus-window", "10s"];
    let (run, metrics) = metrics_of(&through).await;
    assert_eq!(run.stderr, "");
    let told: Vec<_> = metrics.iter().map(|metrics| metrics.disk_used_bytes.unwrap()).collect();
    assert_eq!(told, used);
    let status = operator([&through[..], &["status", "-o", "json"]].concat()).await.json();
    assert_eq!(status["cluster"]["disk_used_bytes"], used.iter().sum::<u64>());
    prometheus.kill().await.unwrap();
}

/// What the recorded Prometheus said when `healthy-busy` was recorded, between the frames 15 and 16. It scraped every
/// five seconds too, at other moments: from one frame to the next the rates over a minute change by up to 4%, and the
/// quantile comes from the hundredth part of the requests.
#[tokio::test]
async fn a_prometheus_that_is_given_the_frames_as_its_past_says_what_the_recorded_one_said() {
    let frames = Frames::load("frames-load").unwrap();
    let names = [
        "tikv_grpc_msg_duration_seconds_count",
        "tikv_grpc_msg_duration_seconds_bucket",
        "process_cpu_seconds_total",
        "tikv_store_size_bytes",
        "process_resident_memory_bytes",
    ];
    let samples = frames.open_metrics(|name| names.contains(&name), None);
    let setup = Setup { samples: Some(samples), ..Setup::default() };
    let Some(prometheus) = Prometheus::start(setup).await.unwrap() else { return };
    let client = prometheus.config().client().unwrap();
    let at = DateTime::from_timestamp(1_795_315_673, 0).unwrap();
    let queries = StoreQueries::default();
    let mut told = BTreeMap::new();
    for metric in [StoreMetric::Up, StoreMetric::Qps, StoreMetric::LatencyP99, StoreMetric::Cpu] {
        let answer = client.query_at(queries.query(metric), at).await.unwrap();
        let QueryResult::Vector(vector) = answer.data else { panic!("{metric} is no vector") };
        for one in vector.samples {
            told.insert((metric, one.labels.value("instance").unwrap().to_owned()), one.sample.value);
        }
    }
    assert_eq!(told.keys().filter(|(metric, _)| *metric == StoreMetric::Up).count(), 6);
    for (metric, store, recorded, tolerance) in [
        (StoreMetric::Qps, "tikv0", 208.342_424_903_629_36, 0.05),
        (StoreMetric::Qps, "tikv2", 266.790_298_534_598_8, 0.05),
        (StoreMetric::LatencyP99, "tikv0", 0.082_924_051_948_052_45, 0.1),
        (StoreMetric::LatencyP99, "tikv2", 0.076_474_420_512_820_72, 0.1),
    ] {
        let here = told[&(metric, format!("{store}:20180"))];
        assert!((here / recorded - 1.0).abs() < tolerance, "{metric} of {store}: {here}, {recorded} there");
    }
}
