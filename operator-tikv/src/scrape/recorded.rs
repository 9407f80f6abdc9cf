//! The recorded pages of a real cluster.

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use std::time::Duration;

use chrono::DateTime;
use flate2::read::GzDecoder;
use operator_core::StoreMetrics;
use prometheus_parse::{Scrape, Value};

use super::number::parse_number;
use super::reading::Reading;
use super::{Samples, Wanted, sources};

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings")
}

fn page(path: impl AsRef<Path>) -> Vec<u8> {
    let path = recordings().join(path);
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut page = Vec::new();
    GzDecoder::new(file).read_to_end(&mut page).unwrap();
    page
}

/// The `/metrics` pages below `folder`; of frames, which are five seconds apart and alike, every sixth: unoptimised,
/// `prometheus-parse` takes half a second for one.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = path.to_string_lossy();
        if path.is_dir() {
            pages(&path, found);
        } else if text.ends_with("metrics.txt.gz") || text.contains("frames-") && is_sixth(&path) {
            found.push(path);
        }
    }
}

fn is_sixth(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".txt.gz"));
    name.and_then(|number| number.parse::<u32>().ok()).is_some_and(|number| number % 6 == 0)
}

/// Name, labels and how often; `le` and `quantile` as numbers.
type Series = BTreeMap<(String, BTreeMap<String, String>), f64>;

fn number(text: &str) -> String {
    parse_number(text).map_or_else(|| text.to_owned(), |number| number.to_string())
}

fn ours(page: &[u8]) -> Series {
    let mut series = Series::new();
    for sample in Samples::new(page) {
        let sample = sample.unwrap();
        let labels = sample.labels.iter().map(|(name, value)| match name {
            "le" | "quantile" => (name.to_owned(), number(&value)),
            _ => (name.to_owned(), value.into_owned()),
        });
        let before = series.insert((sample.name.to_owned(), labels.collect()), sample.value);
        assert_eq!(before, None, "{sample:?} is there twice");
    }
    series
}

/// `prometheus-parse` gathers buckets and quantiles; here they are lines again. It leaves escapes as they are: TiKV
/// has a label whose value begins with a line feed, and no other escape. It takes a label whose value holds a
/// comma or an equals sign apart, and a line with a brace in a value for none: no recorded page has any.
fn theirs(page: &[u8]) -> Series {
    let mut series = Series::new();
    for sample in Scrape::parse(page.lines()).unwrap().samples {
        let labels: BTreeMap<_, _> =
            sample.labels.iter().map(|(name, value)| (name.clone(), value.replace("\\n", "\n"))).collect();
        let with = |name: &str, value: f64| {
            let mut labels = labels.clone();
            labels.insert(name.to_owned(), value.to_string());
            labels
        };
        match sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => {
                series.insert((sample.metric, labels), value);
            }
            Value::Histogram(buckets) => {
                for bucket in buckets {
                    let name = format!("{}_bucket", sample.metric);
                    series.insert((name, with("le", bucket.less_than)), bucket.count);
                }
            }
            Value::Summary(quantiles) => {
                for quantile in quantiles {
                    let labels = with("quantile", quantile.quantile);
                    series.insert((sample.metric.clone(), labels), quantile.count);
                }
            }
        }
    }
    series
}

#[test]
fn every_recorded_page_is_read_as_prometheus_parse_reads_it() {
    let mut found = Vec::new();
    pages(&recordings(), &mut found);
    assert!(found.len() >= 50, "{found:?}");
    for path in found {
        let page = page(&path);
        let (ours, theirs) = (ours(&page), theirs(&page));
        assert!(ours.len() > 1_000, "{}: {} samples", path.display(), ours.len());
        for ((key, ours), (key_there, theirs)) in ours.iter().zip(&theirs) {
            assert_eq!(key, key_there, "{}", path.display());
            assert!(ours == theirs || ours.is_nan() && theirs.is_nan(), "{key:?}: {ours}, {theirs}");
        }
        assert_eq!(ours.len(), theirs.len(), "{}", path.display());
    }
}

#[test]
fn what_is_wanted_of_a_page_is_what_a_whole_reading_gives() {
    let page = page("healthy-busy/tikv0-metrics.txt.gz");
    let names =
        ["tikv_store_size_bytes", "tikv_grpc_msg_duration_seconds_count", "process_cpu_seconds_total"];
    let all: Vec<_> = Samples::new(&page).map(Result::unwrap).collect();
    let wanted: Vec<_> = all.iter().filter(|sample| names.contains(&sample.name)).copied().collect();
    assert_eq!(wanted.len(), 7 + 200 + 1);
    let read: Vec<_> = Samples::new(&page).only(&Wanted::new(names)).map(Result::unwrap).collect();
    assert_eq!(read, wanted);
}

/// What the pages of a minute of `frames-load` say of a store.
fn over_a_minute(store: &str) -> StoreMetrics {
    let (wanted, hasher) = (sources::wanted(), RandomState::new());
    let reading = |frame: u32| {
        let page = page(format!("frames-load/{store}/{frame}.txt.gz"));
        Reading::of(&page, &wanted, &hasher, usize::MAX).unwrap()
    };
    let (first, last) = (reading(4), reading(16));
    assert_eq!((first.duplicates, last.duplicates), (0, 0));
    let mut metrics = StoreMetrics::new(1.into(), DateTime::UNIX_EPOCH);
    let mut signals = Vec::new();
    last.gauges(&mut metrics, &mut signals);
    // The frames lie five seconds apart.
    last.rates(&first.into_baseline(), Duration::from_secs(60), &mut metrics, &mut signals);
    metrics
}

/// The recorded Prometheus was asked for `rate(…[1m])` between the frames 15 and 16 of `frames-load`
/// (`healthy-busy/prometheus-api_v1_query_…`, at 1795315673). It scraped at other moments, up to five seconds from
/// the frames', and a minute that is moved by five seconds has another load here: from frame to frame the queries a
/// second over a minute change by up to 4%. So 5% for them; for the quantile, which comes from the hundredth part of
/// the requests, 10%.
#[test]
fn two_pages_give_what_prometheus_gave_over_the_same_minute() {
    let near = |ours: f64, theirs: f64, tolerance: f64| {
        assert!((ours / theirs - 1.0).abs() < tolerance, "{ours} here, {theirs} there");
    };
    for (store, qps, p99, cpu) in [
        ("tikv0", 208.342_424_903_629_36, 0.082_924_051_948_052_45, 0.418_212_233_616_990_34),
        ("tikv2", 266.790_298_534_598_8, 0.076_474_420_512_820_72, 0.454_528_926_220_864_7),
    ] {
        let metrics = over_a_minute(store);
        near(metrics.qps.unwrap(), qps, 0.05);
        near(metrics.latency_p99.unwrap().as_secs_f64(), p99, 0.1);
        near(metrics.cpu_cores.unwrap(), cpu, 0.05);
        assert_eq!(metrics.disk_capacity_bytes, Some(21_474_836_480));
        assert!(metrics.disk_used_bytes.unwrap() > 300_000_000);
        assert!(metrics.memory_bytes.unwrap() > 200_000_000);
    }
}

#[test]
fn a_page_tells_its_sizes_exactly() {
    let page = page("healthy-busy/tikv0-metrics.txt.gz");
    let reading = Reading::of(&page, &sources::wanted(), &RandomState::new(), usize::MAX).unwrap();
    let mut metrics = StoreMetrics::new(1.into(), DateTime::UNIX_EPOCH);
    reading.gauges(&mut metrics, &mut Vec::new());
    assert_eq!(metrics.disk_used_bytes, Some(394_059_848));
    assert_eq!(metrics.disk_available_bytes, Some(21_080_776_632));
    assert_eq!(metrics.disk_capacity_bytes, Some(21_474_836_480));
    assert_eq!(metrics.memory_bytes, Some(318_709_760));
    assert_eq!((metrics.qps, metrics.latency_p99, metrics.cpu_cores), (None, None, None));
}
