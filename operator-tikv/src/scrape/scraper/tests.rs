use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use operator_core::ErrorKind;

use super::*;
use crate::http::{HeaderMap, HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};

/// What a store's status port does.
#[derive(Debug, Clone)]
enum Port {
    Page(String),
    Hang,
    Refuse,
    /// Megabytes of a page without end, as they are read.
    Endless,
}

/// Stores in the process: paused time and sockets exclude each other.
#[derive(Debug, Default)]
struct Stores {
    ports: Mutex<HashMap<String, Port>>,
    asked: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    megabytes: Arc<AtomicUsize>,
}

impl Stores {
    fn set(&self, host: &str, port: Port) {
        self.ports.lock().unwrap().insert(host.to_owned(), port);
    }

    fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

struct Leave<'a>(&'a AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Transport for Stores {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        self.asked.lock().unwrap().push(request.url.to_string());
        let now = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(now, Ordering::Relaxed);
        let _leave = Leave(&self.at_once);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let port = self.ports.lock().unwrap().get(request.url.host_str().unwrap()).cloned();
        match port {
            None | Some(Port::Refuse) => Err(TransportError::new(TransportErrorKind::Connect, "refused")),
            Some(Port::Hang) => std::future::pending().await,
            Some(Port::Page(page)) => Ok(HttpResponse::whole(200, page)),
            Some(Port::Endless) => {
                let megabytes = Arc::clone(&self.megabytes);
                let body = stream::repeat_with(move || {
                    megabytes.fetch_add(1, Ordering::Relaxed);
                    Ok(Bytes::from_static(&[b'\n'; 1 << 20]))
                });
                Ok(HttpResponse::new(200, HeaderMap::new(), body.boxed()))
            }
        }
    }
}

/// A page after `requests`, of which one in ten took more than 0.1 s and none more than 0.2 s, and as many of `kv_gc`.
fn page(requests: u32) -> String {
    let mut page = String::new();
    for (kind, slow) in [("raw_get", requests / 10), ("kv_gc", requests)] {
        let buckets = [("0.1", requests - slow), ("0.2", requests), ("+Inf", requests)];
        for (le, count) in buckets {
            let labels = format!(r#"type="{kind}",priority="medium",le="{le}""#);
            writeln!(page, "tikv_grpc_msg_duration_seconds_bucket{{{labels}}} {count}").unwrap();
        }
        let labels = format!(r#"type="{kind}",priority="medium""#);
        writeln!(page, "tikv_grpc_msg_duration_seconds_count{{{labels}}} {requests}").unwrap();
    }
    for (kind, bytes) in [("capacity", 1_000), ("available", 600), ("used", 400), ("kv_size", 300)] {
        writeln!(page, "tikv_store_size_bytes{{type=\"{kind}\"}} {bytes}").unwrap();
    }
    for thread in ["a", "b"] {
        let seconds = f64::from(requests) / 1_000.0;
        writeln!(page, "tikv_thread_cpu_seconds_total{{name=\"{thread}\",tid=\"1\"}} {seconds}").unwrap();
    }
    page + "process_cpu_seconds_total 7\nprocess_resident_memory_bytes 4096\n"
}

fn setup(limits: ScrapeLimits) -> (Arc<Stores>, Scraper) {
    let stores = Arc::new(Stores::default());
    let pd = "http://pd:2379".parse().unwrap();
    let http = HttpClient::new(Arc::clone(&stores), [pd], Limits::default()).unwrap();
    let clock = Clock::tokio(DateTime::UNIX_EPOCH);
    (stores, Scraper::new(http).with_limits(limits).with_clock(clock))
}

fn target(id: u64) -> Target {
    Target { store_id: id.into(), status_address: format!("tikv{id}:20180") }
}

async fn one(scraper: &Scraper) -> Scraped {
    scraper.scrape(&[target(1)]).await.pop().unwrap()
}

async fn pass(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn gauges_come_with_the_first_page_and_rates_with_the_second() {
    let (stores, scraper) = setup(ScrapeLimits::default());
    stores.set("tikv1", Port::Page(page(1_000)));
    let first = one(&scraper).await;
    assert_eq!(first.metrics.disk_used_bytes, Some(400));
    assert_eq!(first.metrics.disk_available_bytes, Some(600));
    assert_eq!(first.metrics.disk_capacity_bytes, Some(1_000));
    assert_eq!(first.metrics.memory_bytes, Some(4_096));
    assert_eq!((first.metrics.qps, first.metrics.cpu_cores, first.metrics.latency_p99), (None, None, None));
    assert_eq!((first.window, first.duplicate_series), (None, 0));
    // The page was made in the middle of 20 ms.
    assert_eq!(first.metrics.at, DateTime::UNIX_EPOCH + Duration::from_millis(10));
    assert_eq!(stores.take_asked(), ["http://tikv1:20180/metrics"]);

    pass(10.0 - 0.02).await;
    stores.set("tikv1", Port::Page(page(2_000)));
    let second = one(&scraper).await;
    assert_eq!(second.window, Some(Duration::from_secs(10)));
    assert_eq!(second.metrics.qps, Some(100.0));
    assert!((second.metrics.cpu_cores.unwrap() - 0.2).abs() < 1e-12);
    // 900 of 1,000 up to 0.1 s, the others up to 0.2 s: the 990th lies nine tenths on.
    let p99 = second.metrics.latency_p99.unwrap().as_secs_f64();
    assert!((p99 - 0.19).abs() < 1e-9, "{p99}");
    assert_eq!(second.metrics.at, DateTime::UNIX_EPOCH + Duration::from_millis(10_010));
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_no_negative_rate() {
    let (stores, scraper) = setup(ScrapeLimits::default());
    stores.set("tikv1", Port::Page(page(1_000_000)));
    one(&scraper).await;
    pass(9.98).await;
    stores.set("tikv1", Port::Page(page(500)));
    let metrics = one(&scraper).await.metrics;
    assert_eq!(metrics.qps, Some(50.0));
    assert!((metrics.cpu_cores.unwrap() - 0.1).abs() < 1e-12);
}

#[tokio::test(start_paused = true)]
async fn without_requests_there_is_no_latency_and_qps_is_zero() {
    let (stores, scraper) = setup(ScrapeLimits::default());
    stores.set("tikv1", Port::Page(page(10)));
    one(&scraper).await;
    pass(5.0).await;
    let metrics = one(&scraper).await.metrics;
    assert_eq!((metrics.qps, metrics.latency_p99), (Some(0.0), None));
}

#[tokio::test(start_paused = true)]
async fn a_late_target_is_unknown_and_keeps_nobody_waiting() {
    let (stores, scraper) = setup(ScrapeLimits::default());
    let targets = [target(1), target(2), target(3)];
    for host in ["tikv1", "tikv2", "tikv3"] {
        stores.set(host, Port::Page(page(1_000)));
    }
    scraper.scrape(&targets).await;
    pass(10.0 - 0.02).await;
    stores.set("tikv1", Port::Hang);
    stores.set("tikv2", Port::Refuse);
    stores.set("tikv3", Port::Page(page(2_000)));
    let started = Instant::now();
    let scraped = scraper.scrape(&targets).await;
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    let kinds: Vec<_> = scraped.iter().map(|scraped| scraped.error.as_ref().map(Error::kind)).collect();
    assert_eq!(kinds, [Some(ErrorKind::Timeout), Some(ErrorKind::Unavailable), None]);
    assert_eq!(scraped[0].metrics, StoreMetrics::new(1.into(), scraped[0].metrics.at));
    assert_eq!(scraped[2].metrics.qps, Some(100.0));
    // When it answers again, its rates are over all the time since the page that came.
    stores.set("tikv1", Port::Page(page(3_000)));
    stores.take_asked();
    let scraped = scraper.scrape(&targets).await;
    assert_eq!(scraped[0].window, Some(Duration::from_millis(15_000)));
    assert!((scraped[0].metrics.qps.unwrap() - 2_000.0 / 15.0).abs() < 1e-9);
    // Those that failed are asked last.
    assert_eq!(stores.take_asked()[0], "http://tikv3:20180/metrics");
}

#[tokio::test(start_paused = true)]
async fn a_round_ends_at_its_deadline_and_keeps_within_its_width() {
    let limits = ScrapeLimits { concurrency: 8, round_timeout: Duration::from_secs(7), ..Default::default() };
    let (stores, scraper) = setup(limits);
    let targets: Vec<_> = (0..100).map(target).collect();
    for id in 0..100 {
        stores.set(&format!("tikv{id}"), if id < 50 { Port::Page(page(1)) } else { Port::Hang });
    }
    let started = Instant::now();
    let scraped = scraper.scrape(&targets).await;
    assert_eq!(started.elapsed(), Duration::from_secs(7));
    assert_eq!(stores.most_at_once.load(Ordering::Relaxed), 8);
    assert_eq!(stores.at_once.load(Ordering::Relaxed), 0);
    for (target, scraped) in targets.iter().zip(&scraped) {
        assert_eq!(scraped.target, *target);
        let kind = scraped.error.as_ref().map(Error::kind);
        assert_eq!(kind, (target.store_id.0 >= 50).then_some(ErrorKind::Timeout), "{kind:?}");
    }
    assert!(scraped[99].error.as_ref().unwrap().to_string().contains("tikv99:20180/metrics"));
}

#[tokio::test(start_paused = true)]
async fn a_window_is_neither_too_short_nor_too_long() {
    let (stores, scraper) = setup(ScrapeLimits::default());
    stores.set("tikv1", Port::Page(page(1_000)));
    one(&scraper).await;
    pass(0.48).await;
    stores.set("tikv1", Port::Page(page(2_000)));
    let soon = one(&scraper).await;
    assert_eq!((soon.window, soon.metrics.qps, soon.metrics.memory_bytes), (None, None, Some(4_096)));
    pass(0.48).await;
    let later = one(&scraper).await;
    assert_eq!((later.window, later.metrics.qps), (Some(Duration::from_secs(1)), Some(1_000.0)));
    pass(301.0).await;
    assert_eq!(one(&scraper).await.window, None);
    pass(2.0).await;
    assert!(one(&scraper).await.window.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_left_or_moved_is_forgotten() {
    let (stores, scraper) = setup(ScrapeLimits::default());
    stores.set("tikv1", Port::Page(page(1_000)));
    stores.set("tikv2", Port::Page(page(5_000)));
    one(&scraper).await;
    scraper.scrape(&[]).await;
    assert_eq!(scraper.kept.lock().unwrap().len(), 0);
    pass(10.0).await;
    assert_eq!(one(&scraper).await.window, None);
    pass(10.0).await;
    let moved = Target { store_id: 1.into(), status_address: "tikv2:20180".to_owned() };
    let scraped = scraper.scrape(&[moved]).await;
    assert_eq!((scraped[0].window, scraped[0].metrics.disk_used_bytes), (None, Some(400)));
}

#[tokio::test(start_paused = true)]
async fn twice_gives_rates_at_once_and_does_not_ask_the_silent_again() {
    let (stores, scraper) = setup(ScrapeLimits::default());
    stores.set("tikv1", Port::Hang);
    stores.set("tikv2", Port::Page(page(1_000)));
    let started = Instant::now();
    let scraped = scraper.scrape_for_rates(&[target(1), target(2)], Duration::from_secs(1)).await;
    assert_eq!(started.elapsed(), Duration::from_millis(6_020));
    assert!(scraped[0].error.is_some() && scraped[1].error.is_none());
    assert_eq!((scraped[1].target.clone(), scraped[1].metrics.qps), (target(2), Some(0.0)));
    assert_eq!(stores.take_asked().len(), 3);
    stores.set("tikv2", Port::Refuse);
    let scraped = scraper.scrape_for_rates(&[target(2)], Duration::from_secs(1)).await;
    assert_eq!(scraped[0].error.as_ref().unwrap().kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_cannot_be_used_is_an_error_that_says_why() {
    let limits = ScrapeLimits { max_series: 40, ..Default::default() };
    let (stores, scraper) = setup(limits);
    let whole = page(1_000);
    let line = "tikv_store_size_bytes{type=\"used\"} 1x\n";
    let many = (0..41).map(|n| format!("tikv_thread_cpu_seconds_total{{tid=\"{n}\"}} 1\n")).collect();
    for (page, says) in [
        (whole[..whole.len() - 3].to_owned(), "the page is cut: line 16"),
        (format!("{whole}{line}"), "line 17, byte"),
        (many, "more than 40 series"),
        ("<html></html>\n".to_owned(), "none of TiKV's metrics"),
        (String::new(), "the body is empty"),
        ("pd_cluster_status{type=\"store_up_count\"} 3\n".to_owned(), "none of TiKV's metrics"),
    ] {
        stores.set("tikv1", Port::Page(page));
        let scraped = one(&scraper).await;
        let error = scraped.error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.to_string().contains(says) && error.to_string().len() < 600, "{error}");
        assert_eq!(scraped.metrics, StoreMetrics::new(1.into(), scraped.metrics.at));
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_without_end_is_read_to_the_limit() {
    let (stores, scraper) = setup(ScrapeLimits { max_page_bytes: 8 << 20, ..Default::default() });
    stores.set("tikv1", Port::Endless);
    let error = one(&scraper).await.error.unwrap();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(stores.megabytes.load(Ordering::Relaxed) <= 9);
}

#[tokio::test(start_paused = true)]
async fn of_a_series_that_is_there_twice_the_first_counts() {
    let (stores, scraper) = setup(ScrapeLimits::default());
    let twice = "tikv_store_size_bytes{type=\"used\"} 7\ntikv_store_size_bytes{type=\"used\",none=\"\"} 9\n";
    stores.set("tikv1", Port::Page(twice.to_owned()));
    let scraped = one(&scraper).await;
    assert_eq!((scraped.metrics.disk_used_bytes, scraped.duplicate_series), (Some(7), 1));
}

#[tokio::test(start_paused = true)]
async fn what_a_page_lacks_is_unknown_or_comes_from_another_name() {
    let (stores, scraper) = setup(ScrapeLimits::default());
    let bucket = |le: &str, count: &str| {
        format!("tikv_grpc_msg_duration_seconds_bucket{{type=\"kv_get\",le=\"{le}\"}} {count}\n")
    };
    let page = |buckets: [String; 2], cpu: u32| {
        let [first, second] = buckets;
        format!(
            "{first}{second}process_cpu_seconds_total {cpu}\ntikv_engine_size_bytes{{type=\"default\"}} 5\n"
        )
    };
    // No `+Inf`, then buckets that are NaN.
    stores.set("tikv1", Port::Page(page([bucket("1", "0"), bucket("2", "0")], 1)));
    one(&scraper).await;
    pass(9.98).await;
    stores.set("tikv1", Port::Page(page([bucket("1", "5"), bucket("2", "9")], 6)));
    let metrics = one(&scraper).await.metrics;
    assert_eq!((metrics.latency_p99, metrics.qps, metrics.memory_bytes), (None, None, None));
    assert_eq!((metrics.cpu_cores, metrics.disk_used_bytes), (Some(0.5), Some(5)));
    pass(9.98).await;
    stores.set("tikv1", Port::Page(page([bucket("1", "NaN"), bucket("+Inf", "NaN")], 6)));
    one(&scraper).await;
    pass(9.98).await;
    stores.set("tikv1", Port::Page(page([bucket("1", "NaN"), bucket("+Inf", "9")], 6)));
    assert_eq!(one(&scraper).await.metrics.latency_p99, None);
}

#[tokio::test(start_paused = true)]
async fn an_address_is_used_as_pd_lists_it() {
    let (stores, _) = setup(ScrapeLimits::default());
    let pd = "https://pd:2379".parse().unwrap();
    let http = HttpClient::new(Arc::clone(&stores), [pd], Limits::default()).unwrap();
    let scraper = Scraper::new(http);
    let addresses = ["tikv1:20180", "[::1]:20180", "not an address", ""];
    let targets: Vec<_> = addresses
        .iter()
        .zip(1..)
        .map(|(address, id)| Target { store_id: StoreId(id), status_address: (*address).to_owned() })
        .collect();
    let scraped = scraper.scrape(&targets).await;
    assert!(scraped[2].error.as_ref().unwrap().to_string().contains("store 3"), "{:?}", scraped[2].error);
    assert_eq!(scraped[3].error.as_ref().unwrap().kind(), ErrorKind::InvalidInput);
    let mut asked = stores.take_asked();
    asked.sort();
    assert_eq!(asked, ["https://[::1]:20180/metrics", "https://tikv1:20180/metrics"]);
    assert_eq!(Target::of(&Store::new(1.into(), "tikv1:20160", operator_core::StoreState::Up)), None);
}
