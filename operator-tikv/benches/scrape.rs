//! What it costs to read a page, and to ask a thousand stores for theirs.
//!
//! `cargo bench -p operator-tikv --bench scrape`: criterion's times, then the ratios of one run. Ends with an error if
//! connections are not reused. A thousand connections take 2,100 open files: `ulimit -n 4096` first where it is less.

#![allow(clippy::print_stdout, reason = "a bench is for reading")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot run should say so")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::io::{BufRead, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group};
use flate2::read::GzDecoder;
use operator_tikv::http::{HttpClient, Limits, ReqwestTransport};
use operator_tikv::scrape::{Samples, ScrapeLimits, Scraped, Scraper, Target, Wanted};
use regex::bytes::Regex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

fn recorded_page() -> Vec<u8> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings/healthy-busy/tikv0-metrics.txt.gz");
    let mut page = Vec::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut page).unwrap();
    page
}

/// What a round of scraping wants of a page.
fn wanted() -> Wanted {
    Wanted::new([
        "tikv_grpc_msg_duration_seconds_count",
        "tikv_grpc_msg_duration_seconds_bucket",
        "tikv_thread_cpu_seconds_total",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "tikv_server_memory_usage",
        "tikv_store_size_bytes",
        "tikv_engine_size_bytes",
    ])
}

fn all_samples(page: &[u8]) -> f64 {
    Samples::new(page).map(|sample| sample.unwrap().value).sum()
}

fn wanted_samples(page: &[u8], wanted: &Wanted) -> f64 {
    Samples::new(page).only(wanted).map(|sample| sample.unwrap().value).sum()
}

/// One expression a line, its labels left as they are.
fn regex_line() -> Regex {
    Regex::new(r"(?-u)^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?[ \t]+(\S+)(?:[ \t]+(-?[0-9]+))?\s*$").unwrap()
}

fn with_regex(page: &[u8], line: &Regex) -> f64 {
    page.split(|byte| *byte == b'\n')
        .filter(|text| !text.starts_with(b"#"))
        .filter_map(|text| line.captures(text))
        .map(|captures| {
            black_box((captures.get(1), captures.get(2)));
            std::str::from_utf8(&captures[3]).unwrap().parse::<f64>().unwrap()
        })
        .sum()
}

fn with_prometheus_parse(page: &[u8]) -> usize {
    prometheus_parse::Scrape::parse(page.lines()).unwrap().samples.len()
}

fn reading(criterion: &mut Criterion) {
    let (page, wanted, line) = (recorded_page(), wanted(), regex_line());
    assert_eq!(all_samples(&page), with_regex(&page, &line));
    let mut group = criterion.benchmark_group("page");
    group.throughput(Throughput::Bytes(page.len() as u64)).sample_size(20);
    group.bench_function("what is wanted", |bencher| {
        bencher.iter(|| wanted_samples(black_box(&page), &wanted))
    });
    group.bench_function("all samples", |bencher| bencher.iter(|| all_samples(black_box(&page))));
    group.bench_function("regex", |bencher| bencher.iter(|| with_regex(black_box(&page), &line)));
    group.bench_function("prometheus-parse", |bencher| {
        bencher.iter(|| with_prometheus_parse(black_box(&page)))
    });
    group.finish();
}

/// The shortest of some runs.
fn shortest(mut run: impl FnMut()) -> f64 {
    (0..15)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

fn ratios() {
    let (page, wanted, line) = (recorded_page(), wanted(), regex_line());
    let some = shortest(|| {
        black_box(wanted_samples(&page, &wanted));
    });
    let all = shortest(|| {
        black_box(all_samples(&page));
    });
    let regex = shortest(|| {
        black_box(with_regex(&page, &line));
    });
    let parse = shortest(|| {
        black_box(with_prometheus_parse(&page));
    });
    println!("a page of {} bytes, {} samples; shortest of 15 runs", page.len(), Samples::new(&page).count());
    for (name, took) in
        [("what is wanted", some), ("all samples", all), ("regex", regex), ("prometheus-parse", parse)]
    {
        println!(
            "{name:>18} {:8.3} ms {:7.0} MB/s; regex takes {:6.1} times as long, prometheus-parse {:6.1}",
            took * 1e3,
            page.len() as f64 / took / 1e6,
            regex / took,
            parse / took
        );
    }
}

const TARGETS: u64 = 1_000;
const ANSWERS_AFTER: Duration = Duration::from_millis(20);
const TIMEOUT: Duration = Duration::from_secs(2);

/// Answers with a small page 20 ms after each request, under a thousand loopback addresses at one port. Small,
/// because this measures the asking; what a real page costs stands above.
async fn serve(listener: TcpListener, connections: Arc<AtomicUsize>, hung: bool) {
    while let Ok((stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(answer(stream, hung));
    }
}

async fn answer(mut stream: TcpStream, hung: bool) -> std::io::Result<()> {
    const PAGE: &str =
        "tikv_grpc_msg_duration_seconds_count{type=\"kv_get\"} 1\nprocess_resident_memory_bytes 1\n";
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{PAGE}", PAGE.len());
    let silent = match stream.local_addr()?.ip() {
        IpAddr::V4(ip) => hung && hangs(ip.octets()[3]),
        IpAddr::V6(_) => false,
    };
    let mut head = Vec::new();
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            if silent {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(ANSWERS_AFTER).await;
            stream.write_all(response.as_bytes()).await?;
        }
    }
}

/// Three of a hundred.
fn hangs(last: u8) -> bool {
    matches!(last, 7 | 41 | 77)
}

fn targets(port: u16) -> Vec<Target> {
    (0..TARGETS)
        .map(|id| Target {
            store_id: id.into(),
            status_address: format!("127.0.{}.{}:{port}", id / 100 + 1, id % 100),
        })
        .collect()
}

fn scraper(limits: ScrapeLimits) -> Scraper {
    let transport = ReqwestTransport::new(None, Duration::from_secs(3)).unwrap();
    let pd = "http://127.0.0.1:2379".parse().unwrap();
    Scraper::new(HttpClient::new(transport, [pd], Limits::default()).unwrap()).with_limits(limits)
}

fn failed(scraped: &[Scraped]) -> usize {
    scraped.iter().filter(|scraped| scraped.error.is_some()).count()
}

async fn rounds(hung: bool) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
    let targets = targets(listener.local_addr().unwrap().port());
    let connections = Arc::new(AtomicUsize::new(0));
    tokio::spawn(serve(listener, Arc::clone(&connections), hung));
    let mut limits = ScrapeLimits::default();
    (limits.target_timeout, limits.round_timeout) = (TIMEOUT, TIMEOUT);
    let width = limits.concurrency as u64;
    let scraper = scraper(limits);
    let ideal = ANSWERS_AFTER.as_secs_f64() * TARGETS.div_ceil(width) as f64;
    for round in 0..5 {
        let before = connections.load(Ordering::Relaxed);
        let started = Instant::now();
        let scraped = scraper.scrape(&targets).await;
        let took = started.elapsed().as_secs_f64();
        let made = connections.load(Ordering::Relaxed) - before;
        let failed = failed(&scraped);
        if hung {
            let timeout = TIMEOUT.as_secs_f64();
            println!("round {round}: {took:.3} s, {:.3} of the timeout, {failed} late", took / timeout);
            assert_eq!(failed, 30);
        } else {
            println!("round {round}: {took:.3} s, {:.2} of the ideal, {made} new connections", took / ideal);
            assert_eq!(failed, 0);
            assert!(round == 0 || made == 0, "connections are not reused");
        }
    }
}

fn asking() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("\n{TARGETS} targets that answer after 20 ms, 64 at a time");
    runtime.block_on(rounds(false));
    println!("3% of them hang, the timeout is 2 s");
    runtime.block_on(rounds(true));
}

criterion_group!(benches, reading);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    // `cargo test --benches` runs each once, to see that it works.
    if std::env::args().any(|argument| argument == "--bench") {
        println!();
        ratios();
        asking();
    }
}
