use futures::TryStreamExt;

use super::*;
use crate::{Epoch, HotKind, Key, KeyRange, Peer, PeerRole, SubjectExt};

fn range(start: &str, end: &str) -> KeyRange {
    KeyRange::new(start.parse().unwrap(), end.parse().unwrap())
}

fn region(id: u64, start: &str, end: &str, store: u64) -> Region {
    let mut region = Region::new(id.into(), range(start, end), Epoch::default());
    region.peers.push(Peer { id: (100 + id).into(), store_id: store.into(), role: PeerRole::Voter });
    region
}

/// Five regions over the whole key space, on stores 1 and 2 in turn.
fn five() -> InMemorySubject {
    InMemorySubject::new("five").with_regions([
        region(5, "40", "", 1),
        region(1, "", "10", 1),
        region(2, "10", "20", 2),
        region(3, "20", "30", 1),
        region(4, "30", "40", 2),
    ])
}

fn paged(mut query: RegionQuery, page_size: usize) -> RegionQuery {
    query.page_size = page_size.try_into().unwrap();
    query
}

async fn ids(subject: &InMemorySubject, query: RegionQuery) -> Vec<Vec<u64>> {
    let pages: Vec<_> = subject.regions(query).try_collect().await.unwrap();
    pages.iter().map(|page| page.regions.iter().map(|region| region.id.0).collect()).collect()
}

#[tokio::test]
async fn regions_come_in_key_order_by_page_limit_range_and_store() {
    let subject = five();
    assert_eq!(ids(&subject, RegionQuery::all()).await, [[1, 2, 3, 4, 5]]);
    assert_eq!(ids(&subject, paged(RegionQuery::all(), 2)).await, [vec![1, 2], vec![3, 4], vec![5]]);
    assert_eq!(ids(&subject, paged(RegionQuery::all(), 5)).await, [[1, 2, 3, 4, 5]]);
    assert_eq!(ids(&subject, paged(RegionQuery::all().limit(3), 2)).await, [vec![1, 2], vec![3]]);
    assert_eq!(ids(&subject, RegionQuery::all().limit(0)).await, [[0; 0]; 0]);
    assert_eq!(ids(&subject, RegionQuery::range(range("15", "30"))).await, [[2, 3]]);
    assert_eq!(ids(&subject, RegionQuery::range(range("30", "15"))).await, [[0; 0]; 0]);
    assert_eq!(ids(&subject, paged(RegionQuery::all().of_store(2.into()), 1)).await, [[2], [4]]);
    assert_eq!(ids(&subject, RegionQuery::all().of_store(9.into())).await, [[0; 0]; 0]);
}

#[tokio::test]
async fn gaps_and_overlaps_are_reported_with_the_page_they_stand_before() {
    let subject = InMemorySubject::new("torn").with_regions([
        region(1, "10", "20", 1),
        region(2, "18", "30", 1),
        region(3, "40", "50", 1),
    ]);
    let pages: Vec<_> = subject.regions(paged(RegionQuery::all(), 2)).try_collect().await.unwrap();
    assert_eq!(pages.len(), 2);
    assert_eq!(pages[0].gaps, [range("", "10")]);
    assert_eq!(pages[0].overlaps, [range("18", "20")]);
    assert_eq!(pages[1].gaps, [range("30", "40"), range("50", "")]);

    // Nothing is said of keys that were not asked for, or lie behind the limit.
    let pages: Vec<_> = subject.regions(RegionQuery::range(range("12", "30"))).try_collect().await.unwrap();
    assert_eq!((pages[0].gaps.len(), &*pages[0].overlaps), (0, &[range("18", "20")][..]));
    let pages: Vec<_> = subject.regions(RegionQuery::all().limit(1)).try_collect().await.unwrap();
    assert_eq!(pages[0].gaps, [range("", "10")]);
    // A store that does not hold a region leaves no gap.
    let pages: Vec<_> = subject.regions(RegionQuery::all().of_store(7.into())).try_collect().await.unwrap();
    assert_eq!(pages[0].gaps, [range("", "10"), range("30", "40"), range("50", "")]);

    subject.set_regions([]);
    let pages: Vec<_> = subject.regions(RegionQuery::all()).try_collect().await.unwrap();
    assert_eq!(pages, [RegionPage { gaps: vec![KeyRange::all()], ..RegionPage::default() }]);
}

#[tokio::test]
async fn a_stream_keeps_what_it_began_with_and_fails_at_the_next_page() {
    let subject = five();
    let mut pages = subject.regions(paged(RegionQuery::all(), 2));
    assert_eq!(pages.try_next().await.unwrap().unwrap().regions.len(), 2);
    subject.set_regions([]);
    assert_eq!(pages.try_next().await.unwrap().unwrap().regions[0].id, 3.into());
    subject.fail(Operation::Regions, ErrorKind::Timeout);
    assert_eq!(pages.try_next().await.unwrap_err().kind, ErrorKind::Timeout);
    assert!(pages.try_next().await.unwrap().is_none());
}

#[tokio::test]
async fn what_was_not_given_is_unsupported_even_when_set() {
    let subject = InMemorySubject::new("bare");
    assert_eq!(subject.config().observations, [Operation::Stores]);
    assert!(subject.stores().await.unwrap().is_empty());
    subject.set_members([Member::new("pd0", 1.into())]);
    let error = subject.members().await.unwrap_err();
    assert_eq!((error.kind, &*error.operation), (ErrorKind::Unsupported, "members"));
    let error = subject.regions(RegionQuery::all()).try_next().await.unwrap_err();
    assert_eq!((error.kind, &*error.operation), (ErrorKind::Unsupported, "regions"));
}

#[tokio::test(start_paused = true)]
async fn faults_last_until_healed() {
    let subject = InMemorySubject::new("ill").with_stores([Store::new(1.into(), "a:1", StoreState::Up)]);
    subject.fail(Operation::Stores, ErrorKind::Unavailable);
    subject.delay(Operation::Stores, Duration::from_secs(3));
    let start = tokio::time::Instant::now();
    assert_eq!(subject.store(1.into()).await.unwrap_err().kind, ErrorKind::Unavailable);
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    subject.heal(Operation::Stores);
    assert_eq!(subject.stores().await.unwrap().len(), 1);
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}

#[tokio::test]
async fn removed_stores_are_found_by_id_only() {
    let subject =
        InMemorySubject::new("demo").with_stores([Store::new(1.into(), "a:1", StoreState::Tombstone)]);
    assert!(subject.stores().await.unwrap().is_empty());
    assert_eq!(subject.store(1.into()).await.unwrap().state, StoreState::Tombstone);
    assert_eq!(subject.store(2.into()).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn hot_regions_are_ranked_by_flow_filtered_and_cut() {
    let hot = |id: u64, kind, flow| HotRegion::new(id.into(), 1.into(), kind, flow, 0.0);
    let subject = InMemorySubject::new("hot").with_hot_regions([
        hot(1, HotKind::Read, 10.0),
        hot(2, HotKind::Write, 30.0),
        hot(3, HotKind::Read, 20.0),
    ]);
    let ids = async |kind, top| {
        let hot = subject.hot_regions(HotRegionQuery { kind, top }).await.unwrap();
        hot.iter().map(|hot| hot.region_id.0).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 10).await, [2, 3, 1]);
    assert_eq!(ids(None, 2).await, [2, 3]);
    assert_eq!(ids(Some(HotKind::Read), 10).await, [3, 1]);
}

#[tokio::test]
async fn one_region_by_its_id() {
    let subject = five();
    assert_eq!(subject.region(4.into()).await.unwrap().start_key, Key::from(vec![0x30]));
    assert_eq!(subject.region(9.into()).await.unwrap_err().kind, ErrorKind::NotFound);
    let flat: Vec<_> = subject.regions_flat(paged(RegionQuery::all(), 2)).try_collect().await.unwrap();
    assert_eq!(flat.iter().map(|region| region.id.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}
