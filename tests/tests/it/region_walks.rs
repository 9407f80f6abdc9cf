//! The list of regions changes while it is read page by page.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use futures::TryStreamExt;
use operator_core::{Key, KeyRange, Region, RegionPage, RegionQuery, Subject};
use rstest::rstest;
use tikv_simulator::{Config, Event, Request, Scenario, Simulator};

use crate::support::Simulated;

/// What PD shows as the regions from `key` on, at most `limit`.
fn shown(simulator: &mut Simulator, key: &str, limit: i64) -> Vec<Shown> {
    let path = format!("/pd/api/v1/regions/key?format=hex&limit={limit}&key={key}");
    let reply = simulator.answer("pd0:2379", &Request::get(path));
    let json: serde_json::Value = serde_json::from_slice(reply.body()).unwrap();
    let regions = json["regions"].as_array().unwrap().iter();
    let text =
        |region: &serde_json::Value, field: &str| region[field].as_str().unwrap().parse::<Key>().unwrap();
    regions
        .map(|region| Shown {
            id: region["id"].as_u64().unwrap(),
            range: KeyRange::new(text(region, "start_key"), text(region, "end_key")),
            other_store: region["peers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|peer| peer["store_id"].as_u64().unwrap())
                .find(|store| region["leader"]["store_id"].as_u64() != Some(*store))
                .unwrap(),
        })
        .collect()
}

struct Shown {
    id: u64,
    range: KeyRange,
    /// A store with a peer that does not lead.
    other_store: u64,
}

/// What happens to the regions on both sides of the key at which the next page begins.
#[derive(Debug, Clone, Copy)]
enum Change {
    SplitTold,
    SplitNext,
    MergeToldWithNext,
    MergeNext,
    MoveLeaders,
}

impl Change {
    fn happen(self, simulator: &mut Simulator, next_key: &str) {
        let all = shown(simulator, "", -1);
        let next_key: Key = next_key.parse().unwrap();
        let Some(next) = all.iter().position(|region| region.range.contains(&next_key)) else { return };
        let (Some(told), next) = (next.checked_sub(1).map(|told| &all[told]), &all[next]) else { return };
        match self {
            Self::SplitTold => simulator.apply(Event::Split(told.id)),
            Self::SplitNext => simulator.apply(Event::Split(next.id)),
            Self::MergeToldWithNext => simulator.apply(Event::MergeWithNext(told.id)),
            Self::MergeNext => simulator.apply(Event::MergeWithNext(next.id)),
            Self::MoveLeaders => {
                for region in [told, next] {
                    simulator
                        .apply(Event::TransferLeader { region: region.id, to_store: region.other_store });
                }
            }
        }
    }
}

#[rstest]
#[case(Change::SplitTold)]
#[case(Change::SplitNext)]
#[case(Change::MergeToldWithNext)]
#[case(Change::MergeNext)]
#[case(Change::MoveLeaders)]
#[tokio::test(start_paused = true)]
async fn a_change_between_two_pages_leaves_no_gap_and_tells_nothing_twice(#[case] change: Change) {
    let simulated = Simulated::new(Config::new(Scenario::Healthy));
    let mut pages = 0;
    simulated.transport.before_each(move |simulator, request| {
        let Some((_, query)) = request.path_and_query.split_once("/regions/key?") else { return };
        let key = query.split('&').find_map(|pair| pair.strip_prefix("key=")).unwrap_or_default();
        pages += 1;
        if pages % 2 == 0 {
            change.happen(simulator, key);
        }
    });
    let mut query = RegionQuery::all();
    query.page_size = NonZeroUsize::new(5).unwrap();
    let pages: Vec<RegionPage> = simulated.subject.regions(query).try_collect().await.unwrap();
    assert!(pages.len() > 5, "{}", pages.len());

    let gaps: Vec<_> = pages.iter().flat_map(|page| &page.gaps).collect();
    assert!(gaps.is_empty(), "{gaps:?}");
    let told: Vec<&Region> = pages.iter().flat_map(|page| &page.regions).collect();
    let ids: BTreeSet<_> = told.iter().map(|region| region.id).collect();
    assert_eq!(ids.len(), told.len(), "a region was told twice");

    // Two regions that claim the same keys are told so.
    let overlaps: Vec<_> = pages.iter().flat_map(|page| &page.overlaps).collect();
    for pair in told.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        if before.key_range().ends_behind(&after.start_key) {
            let is_told = overlaps.iter().any(|overlap| overlap.contains(&after.start_key));
            assert!(is_told, "{before:?} and {after:?} overlap");
        }
    }
    // Whatever there is now was told: itself, or as a part of what it was split from.
    let now = simulated.transport.with(|simulator| shown(simulator, "", -1));
    assert!(now.len() != 48 || matches!(change, Change::MoveLeaders), "nothing has changed");
    for region in now {
        let is_told = ids.contains(&region.id.into())
            || told.iter().any(|told| told.key_range().contains(&region.range.start_key));
        assert!(is_told, "region {} was not told", region.id);
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_thousand_regions_come_in_pages_of_a_thousand() {
    let mut config = Config::new(Scenario::Big);
    config.stores = 50;
    config.regions = 50_000;
    let simulated = Simulated::new(config);
    let (mut regions, mut longest, mut end) = (0, 0, Key::default());
    let mut pages = simulated.subject.regions(RegionQuery::all());
    while let Some(page) = pages.try_next().await.unwrap() {
        assert!(page.gaps.is_empty() && page.overlaps.is_empty());
        assert_eq!(page.regions.first().unwrap().start_key, end);
        end.clone_from(&page.regions.last().unwrap().end_key);
        longest = longest.max(page.regions.len());
        regions += page.regions.len();
    }
    assert_eq!((regions, longest), (50_000, RegionQuery::DEFAULT_PAGE_SIZE.get()));
    assert!(end.is_empty());
    let requests = simulated.transport.with(|simulator| simulator.requests().total());
    assert!(requests <= 50, "{requests} requests");
}
