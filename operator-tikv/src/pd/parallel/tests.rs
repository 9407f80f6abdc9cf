use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use proptest::prelude::*;

use super::*;
use crate::TikvConfig;
use crate::http::{HttpRequest, HttpResponse, Transport, TransportError};

/// A PD with these regions: start key (upper-case hex) and id. Every answer takes a millisecond.
#[derive(Debug)]
struct Regions {
    by_start: Mutex<BTreeMap<String, u64>>,
    asked: AtomicUsize,
    /// After so many questions the first two regions merge; 0: never.
    merge_after: usize,
}

impl Regions {
    fn new(starts: impl IntoIterator<Item = String>) -> Self {
        let starts = std::iter::once(String::new()).chain(starts).collect::<std::collections::BTreeSet<_>>();
        Self {
            by_start: Mutex::new(starts.into_iter().zip(1..).collect()),
            asked: AtomicUsize::new(0),
            merge_after: 0,
        }
    }

    fn page(&self, key: &str, end: &str, limit: usize) -> Vec<String> {
        let regions = self.by_start.lock().unwrap();
        let first = regions.range(..=key.to_owned()).next_back().map_or("", |(start, _)| start.as_str());
        let starts: Vec<_> = regions.range(first.to_owned()..).collect();
        let ends = starts.iter().skip(1).map(|(start, _)| start.as_str()).chain([""]);
        let in_range =
            starts.iter().zip(ends).filter(|((start, _), _)| end.is_empty() || start.as_str() < end);
        in_range
            .take(limit)
            .map(|((start, id), end)| format!(r#"{{"id":{id},"start_key":"{start}","end_key":"{end}"}}"#))
            .collect()
    }
}

#[async_trait]
impl Transport for Regions {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.asked.fetch_add(1, Ordering::Relaxed) + 1 == self.merge_after {
            let mut regions = self.by_start.lock().unwrap();
            let merged: Vec<_> = regions.keys().skip(1).step_by(2).cloned().collect();
            regions.retain(|start, _| !merged.contains(start));
        }
        if let Some(key) = request.url.path().strip_prefix("/pd/api/v1/region/key/") {
            return Ok(HttpResponse::whole(200, self.page(key, "", 1).remove(0)));
        }
        let query: BTreeMap<_, _> = request.url.query_pairs().collect();
        let text = |name: &str| query.get(name).map_or("", |value| value.as_ref());
        let list = self.page(text("key"), text("end_key"), text("limit").parse().unwrap());
        Ok(HttpResponse::whole(200, format!(r#"{{"count":{},"regions":[{}]}}"#, list.len(), list.join(","))))
    }
}

struct Read {
    ids: Vec<u64>,
    gaps: usize,
    asked: usize,
    took: Duration,
}

async fn read(regions: Regions, query: RegionQuery, streams: usize) -> Read {
    let regions = Arc::new(regions);
    let config: TikvConfig = "pd:2379".parse().unwrap();
    let pd = PdClient::with_transport(&config, Arc::clone(&regions)).unwrap();
    let started = tokio::time::Instant::now();
    let pages = pd.regions_in_parallel(query, NonZeroUsize::new(streams).unwrap());
    let pages: Vec<_> = pages.try_collect().await.unwrap();
    let mut ids: Vec<_> = pages.iter().flat_map(|page| &page.regions).map(|region| region.id.0).collect();
    ids.sort_unstable();
    let gaps = pages.iter().map(|page| page.gaps.len()).sum();
    Read { ids, gaps, asked: regions.asked.load(Ordering::Relaxed), took: started.elapsed() }
}

fn pages_of(size: usize) -> RegionQuery {
    RegionQuery { page_size: NonZeroUsize::new(size).unwrap(), ..RegionQuery::all() }
}

/// Keys of which all but a few lie close together at the end.
fn skewed() -> impl Iterator<Item = String> {
    (0..2_000_u64)
        .map(|place| if place < 10 { format!("74{place:02X}") } else { format!("7480FFFF{place:08X}") })
}

#[tokio::test(start_paused = true)]
async fn every_region_comes_once_and_sooner_than_by_one_stream() {
    let all: Vec<_> = (1..=2_001).collect();
    for even in [true, false] {
        let starts = || -> Box<dyn Iterator<Item = String>> {
            if even {
                Box::new((1..=2_000_u64).map(|place| format!("{:08X}", place * 2_000_000)))
            } else {
                Box::new(skewed())
            }
        };
        let alone = read(Regions::new(starts()), pages_of(20), 1).await;
        let four = read(Regions::new(starts()), pages_of(20), 4).await;
        assert_eq!((&alone.ids, &four.ids), (&all, &all));
        assert_eq!((alone.gaps, four.gaps), (0, 0));
        assert!(
            four.took * 2 < alone.took,
            "even: {even}, {:?} of {:?}, {} of {}",
            four.took,
            alone.took,
            four.asked,
            alone.asked
        );
        assert!(four.asked < alone.asked * 2, "even: {even}, {} of {}", four.asked, alone.asked);
    }
}

#[tokio::test(start_paused = true)]
async fn a_merge_while_all_are_reading_makes_no_gap_and_no_double() {
    for merge_after in 3..60 {
        let regions =
            Regions { merge_after, ..Regions::new((1..400_u64).map(|place| format!("{:04X}", place * 160))) };
        let read = read(regions, pages_of(10), 4).await;
        let mut once = read.ids.clone();
        once.dedup();
        assert_eq!((once.len(), read.gaps), (read.ids.len(), 0), "merged after {merge_after}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_region_a_range_and_a_limit_are_read_too() {
    assert_eq!(read(Regions::new([]), RegionQuery::all(), 8).await.ids, [1]);
    assert_eq!(read(Regions::new(["80".to_owned()]), RegionQuery::all(), 8).await.ids, [1, 2]);
    let starts = || (1..=200_u64).map(|place| format!("{place:02X}"));
    let range = KeyRange::new("40".parse().unwrap(), "60".parse().unwrap());
    let query = RegionQuery { page_size: NonZeroUsize::new(4).unwrap(), ..RegionQuery::range(range) };
    assert_eq!(read(Regions::new(starts()), query, 3).await.ids, (65..=96).collect::<Vec<_>>());
    assert_eq!(read(Regions::new(starts()), pages_of(10).limit(15), 3).await.ids.len(), 15);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_keys_are_read_once(keys in prop::collection::btree_set("([0-9A-F]{2}){1,20}", 0..120), streams in 2_usize..9) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let count = keys.len() as u64 + 1;
        let read = runtime.block_on(read(Regions::new(keys), pages_of(3), streams));
        prop_assert_eq!(read.ids, (1..=count).collect::<Vec<_>>());
        prop_assert_eq!(read.gaps, 0);
    }
}
