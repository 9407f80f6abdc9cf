//! Pages of regions put together to one walk over the keys, while PD's regions split, merge and move between them.

use std::collections::{HashSet, VecDeque};

use operator_core::{Key, KeyRange, Region, RegionId, RegionPage};

/// How many ids of the latest regions are kept at least, to tell one that grew since it was seen from a new one.
const REMEMBERED: usize = 4_096;

/// How far a walk has come.
#[derive(Debug)]
pub(super) struct Continuity {
    /// Where the next page begins: everything before it has been seen.
    cursor: Key,
    end: Key,
    started: bool,
    finished: bool,
    recent: Recent,
}

/// A page that cannot be part of a walk.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Discontinuity {
    #[error("region {0} ends before it begins")]
    Inverted(RegionId),
    #[error("region {0} has no id")]
    NoId(RegionId),
    #[error("no region on the page reaches beyond the key that was asked for")]
    NoProgress,
}

impl Continuity {
    pub(super) fn new(range: KeyRange) -> Self {
        let finished = range.is_empty();
        Self {
            cursor: range.start_key,
            end: range.end_key,
            started: false,
            finished,
            recent: Recent::default(),
        }
    }

    /// The key to ask for next; `None` at the end.
    pub(super) fn next_key(&self) -> Option<&Key> {
        if self.finished { None } else { Some(&self.cursor) }
    }

    pub(super) fn end_key(&self) -> &Key {
        &self.end
    }

    /// Stops the walk at `end`, which is not behind the present end: somebody else walks on from there.
    pub(super) fn shorten(&mut self, end: Key) {
        self.finished |= self.cursor >= end;
        self.end = end;
    }

    /// Whether the page begins behind the key that was asked for, or holds a gap. A split shows as one for a moment,
    /// when PD has heard from only one of the two halves: asking again tells.
    pub(super) fn shows_gap(&self, regions: &[Region]) -> bool {
        let mut cursor = &self.cursor;
        for region in regions {
            if region.start_key > *cursor {
                return true;
            }
            if region.end_key.is_empty() {
                return false;
            }
            cursor = cursor.max(&region.end_key);
        }
        regions.is_empty() && !self.finished
    }

    /// Takes the regions that PD gave for [`Continuity::next_key`].
    pub(super) fn admit(&mut self, regions: Vec<Region>) -> Result<RegionPage, Discontinuity> {
        let mut page = RegionPage::new(Vec::with_capacity(regions.len()));
        if self.finished {
            return Ok(page);
        }
        let nothing = regions.is_empty();
        let mut progress = false;
        for region in regions {
            if self.finished {
                break;
            }
            if region.id.0 == 0 {
                return Err(Discontinuity::NoId(region.id));
            }
            if !region.end_key.is_empty() && region.end_key <= region.start_key {
                return Err(Discontinuity::Inverted(region.id));
            }
            if !self.end.is_empty() && region.start_key >= self.end {
                self.skip_to_end(&mut page);
                progress = true;
                break;
            }
            let behind = !region.end_key.is_empty() && region.end_key <= self.cursor;
            if region.start_key > self.cursor {
                page.gaps.push(KeyRange::new(self.cursor.clone(), region.start_key.clone()));
            }
            // A region that was seen already, and has grown since by a merge, is not told again.
            let new = self.recent.insert(region.id);
            if new && self.started && region.start_key < self.cursor {
                let end = if behind { region.end_key.clone() } else { self.cursor.clone() };
                page.overlaps.push(KeyRange::new(region.start_key.clone(), end));
            }
            if !behind {
                self.cursor = region.end_key.clone();
                self.finished = self.cursor.is_empty() || (!self.end.is_empty() && self.cursor >= self.end);
                progress = true;
            }
            self.started = true;
            if new {
                page.regions.push(region);
            }
        }
        if nothing && !self.finished {
            self.skip_to_end(&mut page);
        } else if !progress && !nothing {
            return Err(Discontinuity::NoProgress);
        }
        Ok(page)
    }

    /// Nobody holds what is left.
    fn skip_to_end(&mut self, page: &mut RegionPage) {
        page.gaps.push(KeyRange::new(self.cursor.clone(), self.end.clone()));
        self.finished = true;
    }
}

/// The ids of the latest regions.
#[derive(Debug, Default)]
struct Recent {
    order: VecDeque<RegionId>,
    ids: HashSet<RegionId>,
}

impl Recent {
    /// Whether `id` was not among them.
    fn insert(&mut self, id: RegionId) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests;
