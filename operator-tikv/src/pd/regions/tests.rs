use std::sync::Mutex;

use async_trait::async_trait;
use futures::TryStreamExt;
use operator_core::{Key, KeyRange, RegionQuery};

use crate::TikvConfig;
use crate::http::{HttpRequest, HttpResponse, Transport, TransportError};
use crate::pd::PdClient;

/// Answers what it was told to, in that order, and remembers what it was asked.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<Vec<String>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        self.asked.lock().unwrap().push(request.path_and_query().to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.is_empty() { page(&[]) } else { answers.remove(0) };
        Ok(HttpResponse::whole(200, answer))
    }
}

type Row<'a> = (u64, &'a str, &'a str, u64);

/// `(id, start, end, store of its only peer)`.
fn page(regions: &[Row<'_>]) -> String {
    let regions: Vec<_> = regions
        .iter()
        .map(|(id, start, end, store)| {
            format!(
                r#"{{"id":{id},"start_key":"{start}","end_key":"{end}","epoch":{{}},
                    "peers":[{{"id":1{id},"store_id":{store}}}],"leader":{{"id":1{id},"store_id":{store}}}}}"#
            )
        })
        .collect();
    format!(r#"{{"count":{},"regions":[{}]}}"#, regions.len(), regions.join(","))
}

struct Read {
    pages: Vec<Vec<u64>>,
    gaps: Vec<KeyRange>,
    overlaps: Vec<KeyRange>,
    asked: Vec<String>,
    error: Option<String>,
}

async fn read(query: RegionQuery, answers: &[&[Row<'_>]]) -> Read {
    let script = std::sync::Arc::new(Script::default());
    *script.answers.lock().unwrap() = answers.iter().map(|rows| page(rows)).collect();
    let config: TikvConfig = "pd:2379".parse().unwrap();
    let pd = PdClient::with_transport(&config, std::sync::Arc::clone(&script)).unwrap();
    let mut stream = pd.regions(query);
    let mut read = Read { pages: vec![], gaps: vec![], overlaps: vec![], asked: vec![], error: None };
    loop {
        match stream.try_next().await {
            Ok(Some(page)) => {
                read.pages.push(page.regions.iter().map(|region| region.id.0).collect());
                read.gaps.extend(page.gaps);
                read.overlaps.extend(page.overlaps);
            }
            Ok(None) => break,
            Err(error) => {
                assert!(stream.try_next().await.unwrap().is_none(), "a stream goes on after its error");
                read.error = Some(error.to_string());
                break;
            }
        }
    }
    read.asked = script.asked.lock().unwrap().clone();
    read
}

fn hex(text: &str) -> Key {
    text.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_page_begins_where_the_last_one_ended() {
    let read =
        read(RegionQuery::all(), &[&[(1, "", "10", 1), (2, "10", "20", 1)], &[(3, "20", "", 1)]]).await;
    assert_eq!(read.pages, [vec![1, 2], vec![3]]);
    assert_eq!(
        read.asked,
        [
            "/pd/api/v1/regions/key?format=hex&limit=1024&key=",
            "/pd/api/v1/regions/key?format=hex&limit=1024&key=20"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_closes_when_asked_again_is_none() {
    let read = read(
        RegionQuery::all(),
        &[&[(1, "", "10", 1)], &[(3, "20", "", 1)], &[(2, "10", "20", 1), (3, "20", "", 1)]],
    )
    .await;
    assert_eq!(read.pages, [vec![1], vec![2, 3]]);
    assert_eq!((read.gaps, read.asked.len()), (vec![], 3));
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_stays_is_told_also_at_the_end() {
    let holed: &[Row<'_>] = &[(1, "10", "20", 1), (3, "30", "40", 1)];
    let read = read(RegionQuery::all(), &[holed, holed, &[], &[]]).await;
    let range = |start, end| KeyRange::new(hex(start), hex(end));
    assert_eq!(read.gaps, [range("", "10"), range("20", "30"), range("40", "")]);
    assert_eq!(read.pages, [vec![1, 3], vec![]]);
}

#[tokio::test(start_paused = true)]
async fn merges_between_pages_give_no_gap_and_no_double() {
    let read = read(
        RegionQuery::all(),
        &[
            &[(1, "", "10", 1), (2, "10", "20", 1)],
            &[(2, "10", "30", 1), (4, "30", "40", 1)],
            &[(5, "30", "", 1)],
        ],
    )
    .await;
    assert_eq!(read.pages, [vec![1, 2], vec![4], vec![5]]);
    assert_eq!(read.overlaps, [KeyRange::new(hex("30"), hex("40"))]);
    assert!(read.gaps.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_page_that_leads_nowhere_ends_the_stream_with_an_error() {
    let stuck: &[Row<'_>] = &[(1, "", "10", 1)];
    let read = read(RegionQuery::all(), &[stuck, stuck]).await;
    assert_eq!(read.pages, [vec![1]]);
    let error = read.error.unwrap();
    assert!(error.contains("http://pd:2379") && error.contains("key=10"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_query_is_bounded_by_its_range_its_limit_its_page_size_and_its_store() {
    let range = RegionQuery::range(KeyRange::new(hex("05"), hex("20")));
    let two = read(range, &[&[(1, "", "10", 1), (2, "10", "30", 1)]]).await;
    assert_eq!(two.pages, [vec![1, 2]]);
    assert_eq!(two.asked, ["/pd/api/v1/regions/key?format=hex&limit=1024&key=05&end_key=20"]);

    let one = read(RegionQuery::all().limit(1), &[&[(1, "", "10", 1)]]).await;
    assert_eq!((one.pages, one.asked.len()), (vec![vec![1]], 1));
    assert!(one.asked[0].contains("limit=1&"));
    assert!(read(RegionQuery::all().limit(0), &[]).await.asked.is_empty());

    let mut huge = RegionQuery::all().of_store(7.into());
    huge.page_size = std::num::NonZeroUsize::MAX;
    let rows: &[Row<'_>] = &[(1, "", "10", 7), (2, "10", "20", 8)];
    let filtered = read(huge, &[rows, &[(3, "20", "", 7)]]).await;
    assert_eq!(filtered.pages, [vec![1], vec![3]]);
    assert!(filtered.asked[0].contains("limit=10240&"));
}
