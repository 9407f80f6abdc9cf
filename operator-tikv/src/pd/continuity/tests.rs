use operator_core::Epoch;
use proptest::prelude::*;

use super::*;

fn key(text: &str) -> Key {
    Key::from(text.as_bytes())
}

fn region(id: u64, start: &str, end: &str) -> Region {
    Region::new(id.into(), KeyRange::new(key(start), key(end)), Epoch::default())
}

fn range(start: &str, end: &str) -> KeyRange {
    KeyRange::new(key(start), key(end))
}

fn ids(page: &RegionPage) -> Vec<u64> {
    page.regions.iter().map(|region| region.id.0).collect()
}

fn walk_all() -> Continuity {
    Continuity::new(KeyRange::all())
}

#[test]
fn pages_that_join_have_neither_gaps_nor_overlaps() {
    let mut walk = walk_all();
    let first = walk.admit(vec![region(1, "", "b"), region(2, "b", "d")]).unwrap();
    assert_eq!(walk.next_key(), Some(&key("d")));
    let second = walk.admit(vec![region(3, "d", "")]).unwrap();
    assert_eq!((ids(&first), ids(&second), walk.next_key()), (vec![1, 2], vec![3], None));
    assert!([first, second].iter().all(|page| page.gaps.is_empty() && page.overlaps.is_empty()));
}

#[test]
fn a_gap_before_between_and_behind_is_told() {
    let mut walk = walk_all();
    assert!(walk.shows_gap(&[region(1, "a", "b")]));
    let page = walk.admit(vec![region(1, "a", "b"), region(2, "c", "d")]).unwrap();
    assert_eq!(page.gaps, [range("", "a"), range("b", "c")]);
    assert!(walk.shows_gap(&[]));
    assert_eq!(walk.admit(vec![]).unwrap().gaps, [range("d", "")]);
    assert_eq!(walk.next_key(), None);
}

#[test]
fn a_split_behind_the_walk_changes_nothing() {
    let mut walk = walk_all();
    walk.admit(vec![region(1, "", "d")]).unwrap();
    // 1 has split into 9 and 1 meanwhile.
    let page = walk.admit(vec![region(2, "d", "")]).unwrap();
    assert_eq!((ids(&page), page.gaps.len(), page.overlaps.len()), (vec![2], 0, 0));
}

#[test]
fn a_region_that_grew_over_the_next_one_is_not_told_twice() {
    let mut walk = walk_all();
    walk.admit(vec![region(1, "", "d")]).unwrap();
    // 2 has merged into 1.
    let page = walk.admit(vec![region(1, "", "m"), region(3, "m", "")]).unwrap();
    assert_eq!((ids(&page), page.gaps.len(), page.overlaps.len()), (vec![3], 0, 0));
}

#[test]
fn a_region_that_took_over_what_was_told_is_told_with_the_overlap() {
    let mut walk = walk_all();
    walk.admit(vec![region(1, "", "d")]).unwrap();
    // 1 has merged into 2.
    let page = walk.admit(vec![region(2, "", "m"), region(3, "m", "")]).unwrap();
    assert_eq!(ids(&page), [2, 3]);
    assert_eq!((page.overlaps, page.gaps), (vec![range("", "d")], vec![]));
}

#[test]
fn a_region_that_moved_on_by_a_merge_and_a_split_is_not_told_twice() {
    let mut walk = walk_all();
    walk.admit(vec![region(1, "", "d")]).unwrap();
    let page = walk.admit(vec![region(9, "", "e"), region(1, "e", "")]).unwrap();
    assert_eq!((ids(&page), page.gaps.len()), (vec![9], 0));
}

#[test]
fn a_walk_in_a_range_begins_in_the_middle_of_a_region_and_stops_at_its_end() {
    let mut walk = Continuity::new(range("c", "m"));
    let page = walk.admit(vec![region(1, "b", "d"), region(2, "d", "m"), region(3, "m", "")]).unwrap();
    assert_eq!((ids(&page), page.overlaps.len(), walk.next_key()), (vec![1, 2], 0, None));

    let mut walk = Continuity::new(range("c", "m"));
    let page = walk.admit(vec![region(1, "b", "d"), region(3, "x", "")]).unwrap();
    assert_eq!((ids(&page), page.gaps, walk.next_key()), (vec![1], vec![range("d", "m")], None));
    assert_eq!(Continuity::new(range("m", "c")).next_key(), None);
}

#[test]
fn a_page_that_leads_nowhere_is_an_error_and_not_a_loop() {
    let mut walk = Continuity::new(range("m", ""));
    walk.admit(vec![region(1, "m", "p")]).unwrap();
    assert_eq!(walk.admit(vec![region(1, "m", "p")]), Err(Discontinuity::NoProgress));
    assert_eq!(walk.admit(vec![region(2, "q", "b")]), Err(Discontinuity::Inverted(2.into())));
    assert_eq!(walk.admit(vec![region(0, "p", "")]), Err(Discontinuity::NoId(0.into())));
}

/// A cluster's regions, always without gaps: starts, with the id of what starts there.
#[derive(Debug, Clone)]
struct Map(std::collections::BTreeMap<u16, u64>, u64);

impl Map {
    fn regions(&self) -> Vec<Region> {
        let starts: Vec<_> = self.0.iter().collect();
        let bytes = |at: u16| if at == 0 { Key::default() } else { Key::from(at.to_be_bytes().as_slice()) };
        (0..starts.len())
            .map(|place| {
                let end = starts.get(place + 1).map_or_else(Key::default, |(start, _)| bytes(**start));
                let range = KeyRange::new(bytes(*starts[place].0), end);
                Region::new((*starts[place].1).into(), range, Epoch::default())
            })
            .collect()
    }

    /// As PD answers: from the region that holds `key` on.
    fn page(&self, key: &Key, limit: usize) -> Vec<Region> {
        let regions = self.regions().into_iter();
        regions.skip_while(|region| !region.key_range().ends_behind(key)).take(limit).collect()
    }

    fn change(&mut self, kind: u8, at: u16) {
        let Some((&start, &id)) = self.0.range(..=at).next_back() else { return };
        match kind % 3 {
            // Splits, the new region on the left as TiKV does it, or on the right.
            0 | 1 if at > start => {
                self.1 += 1;
                let (left, right) = if kind.is_multiple_of(3) { (self.1, id) } else { (id, self.1) };
                self.0.insert(start, left);
                self.0.insert(at, right);
            }
            // Merges with the next one; either id survives.
            2 => {
                if let Some((&next, &other)) = self.0.range(at.saturating_add(1)..).next() {
                    self.0.remove(&next);
                    self.0.insert(start, if kind.is_multiple_of(2) { id } else { other });
                }
            }
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn a_changing_map_gives_no_region_twice_and_no_gap(
        starts in prop::collection::btree_set(1_u16.., 0..40),
        changes in prop::collection::vec(prop::collection::vec((any::<u8>(), 1_u16..), 0..6), 1..80),
        limit in 1_usize..6,
    ) {
        let mut map = Map(std::collections::BTreeMap::from([(0, 1)]), 1);
        for start in starts {
            map.1 += 1;
            map.0.insert(start, map.1);
        }
        let mut walk = walk_all();
        let mut seen = HashSet::new();
        let mut changes = changes.into_iter().chain(std::iter::repeat(Vec::new()));
        while let Some(next) = walk.next_key().cloned() {
            let regions = map.page(&next, limit);
            prop_assert!(!walk.shows_gap(&regions));
            let before = next.clone();
            let page = walk.admit(regions).unwrap();
            prop_assert_eq!(&page.gaps, &vec![]);
            for region in &page.regions {
                prop_assert!(seen.insert(region.id), "{} twice", region.id);
            }
            prop_assert!(walk.next_key().is_none_or(|key| *key > before));
            for (kind, at) in changes.next().unwrap_or_default() {
                map.change(kind, at);
            }
        }
        prop_assert!(!seen.is_empty());
    }
}
