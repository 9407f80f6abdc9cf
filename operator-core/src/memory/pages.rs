//! Walking over regions in the order of their keys, page by page.

use std::sync::Arc;

use crate::{Key, KeyRange, Region, RegionPage, RegionQuery};

/// Where a stream of regions stands.
pub(super) struct Pages {
    query: RegionQuery,
    /// What the stream began with.
    regions: Option<Arc<[Region]>>,
    /// The next region to look at.
    index: usize,
    /// How many regions have been given.
    given: usize,
    /// Behind the last key that a region seen so far holds, or that was reported as a gap.
    reached: Reached,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Key(Key),
    End,
}

impl Reached {
    /// Up to the end of a range, where the empty key is infinity.
    fn end(key: &Key) -> Self {
        if key.is_empty() { Self::End } else { Self::Key(key.clone()) }
    }

    /// The end of a range that ends here.
    fn into_end_key(self) -> Key {
        match self {
            Self::Key(key) => key,
            Self::End => Key::default(),
        }
    }
}

impl Pages {
    pub(super) fn new(query: RegionQuery) -> Self {
        let reached = Reached::Key(query.start_key.clone());
        Self { query, regions: None, index: 0, given: 0, reached }
    }

    /// Whether the whole range has been walked, or the limit reached.
    pub(super) fn done(&self) -> bool {
        self.reached >= Reached::end(&self.query.end_key)
            && self.regions.as_ref().is_none_or(|regions| !self.wanted(regions, self.index))
            || self.query.limit.is_some_and(|limit| self.given >= limit)
    }

    /// Whether there is a region at `index` that begins before the end of the query.
    fn wanted(&self, regions: &[Region], index: usize) -> bool {
        let query = KeyRange::new(self.query.start_key.clone(), self.query.end_key.clone());
        !query.is_empty() && regions.get(index).is_some_and(|region| query.ends_behind(&region.start_key))
    }

    /// The next page of the regions that the first call was given, `None` after the last.
    pub(super) fn next(&mut self, regions: Arc<[Region]>) -> Option<RegionPage> {
        let regions = Arc::clone(self.regions.get_or_insert(regions));
        let mut page = RegionPage::default();
        while !self.done() && page.regions.len() < self.query.page_size.get() {
            let next = regions.get(self.index).filter(|_| self.wanted(&regions, self.index));
            let Some(region) = next else {
                break;
            };
            self.index += 1;
            if !region.key_range().ends_behind(&self.query.start_key) {
                continue;
            }
            self.step(region, &mut page);
            if self.query.store.is_none_or(|store| region.peers.iter().any(|peer| peer.store_id == store)) {
                self.given += 1;
                page.regions.push(region.clone());
            }
        }
        let end = Reached::end(&self.query.end_key);
        if !self.done() && !self.wanted(&regions, self.index) {
            page.gaps.extend(self.gap_until(end));
        }
        let empty = page.regions.is_empty() && page.gaps.is_empty() && page.overlaps.is_empty();
        (!empty).then_some(page)
    }

    /// Reports what lies between the regions so far and this one, or is held by both.
    fn step(&mut self, region: &Region, page: &mut RegionPage) {
        let start = Reached::Key(region.start_key.clone().max(self.query.start_key.clone()));
        let end = Reached::end(&region.end_key);
        if start < self.reached {
            let until = self.reached.clone().min(end.clone());
            page.overlaps.push(KeyRange::new(start.into_end_key(), until.into_end_key()));
        } else {
            page.gaps.extend(self.gap_until(start));
        }
        self.reached = self.reached.clone().max(end);
    }

    /// The range from where the walk stands to `end`, which it moves to.
    fn gap_until(&mut self, end: Reached) -> Option<KeyRange> {
        let from = std::mem::replace(&mut self.reached, end.clone());
        (from < end).then(|| KeyRange::new(from.into_end_key(), end.into_end_key()))
    }
}
