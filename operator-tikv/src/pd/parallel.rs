//! All regions over several ranges of keys at once.
//!
//! PD cannot say where half of its regions end, so ranges are cut in the middle of their *keys*; who is through with
//! his own range takes over half of what the one with the longest way to go has left. However unevenly the keys lie,
//! everybody has something to do after a few cuts.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::{self, BoxStream, StreamExt};
use operator_core::{Key, KeyRange, RegionId, RegionPage, RegionQuery};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::PdClient;
use super::regions::Pages;
use crate::Error;

impl PdClient {
    /// Like [`PdClient::regions`], over up to `streams` ranges of keys at once. The pages come as they arrive: in the
    /// order of the keys each, but not among each other. A gap across the border of two ranges comes in two parts.
    ///
    /// The client holds at most two pages a stream. A query with a limit is read by one stream.
    ///
    /// # Errors
    /// The stream ends after its first error.
    pub fn regions_in_parallel(
        &self,
        query: RegionQuery,
        streams: NonZeroUsize,
    ) -> BoxStream<'static, Result<RegionPage, Error>> {
        if streams.get() == 1 || query.limit.is_some() {
            return self.regions(query);
        }
        let pd = self.clone();
        stream::once(async move {
            let scale = match Scale::of(&pd, &query).await {
                Ok(Some(scale)) => scale,
                Ok(None) => return pd.regions(query),
                Err(error) => return stream::once(async { Err(error) }).boxed(),
            };
            let board = Arc::new(Board::new(&query, scale, streams.get()));
            // One page waits here, and one in the hands of each reader.
            let (pages, arriving) = mpsc::channel(1);
            let mut readers = JoinSet::new();
            for place in 0..streams.get() {
                readers.spawn(read(pd.clone(), query.clone(), Arc::clone(&board), place, pages.clone()));
            }
            // The readers end when the stream is dropped.
            stream::unfold(Some((arriving, readers)), |state| async move {
                let (mut arriving, readers) = state?;
                let page = arriving.recv().await?;
                let state = page.is_ok().then_some((arriving, readers));
                Some((page, state))
            })
            .boxed()
        })
        .flatten()
        .boxed()
    }
}

/// Reads one range after another until nobody has anything left to take over.
async fn read(
    pd: PdClient,
    query: RegionQuery,
    board: Arc<Board>,
    place: usize,
    pages: mpsc::Sender<Result<RegionPage, Error>>,
) {
    while let Some(range) = board.take(place).await {
        let query = RegionQuery {
            start_key: range.start_key.clone(),
            end_key: range.end_key.clone(),
            ..query.clone()
        };
        let mut walk = Pages::new(pd.clone(), query);
        loop {
            let page = match walk.fetch().await {
                Ok(Some((answer, regions))) => {
                    board.admit(place, &mut walk, |walk| walk.admit(&answer, regions))
                }
                Ok(None) => break,
                Err(error) => Err(error),
            };
            let nothing = matches!(&page, Ok(page)
                if page.regions.is_empty() && page.gaps.is_empty() && page.overlaps.is_empty());
            let failed = page.is_err();
            // Who reads has gone away, or is told of the error and goes.
            if !nothing && pages.send(page).await.is_err() || failed {
                return;
            }
        }
    }
}

/// Who reads what.
#[derive(Debug)]
struct Board {
    scale: Scale,
    state: Mutex<State>,
    /// A page has come.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// Ranges that nobody has begun.
    waiting: Vec<KeyRange>,
    /// What each reader is at.
    readers: Vec<Option<Reader>>,
    /// Where ranges meet.
    borders: BTreeMap<Key, Border>,
}

#[derive(Debug)]
struct Reader {
    /// Where his range begins.
    start: Key,
    /// What is left of it.
    left: KeyRange,
    /// The regions he saw last.
    last: VecDeque<RegionId>,
    /// How far on the scale his last page reached; `None` before the first.
    page_length: Option<u128>,
}

/// What the readers on both sides of a border have seen near it: a region may grow over the border, and shrink from it,
/// while both are reading.
#[derive(Debug, Default)]
struct Border {
    /// What the left one saw last, once he is through.
    before: Option<VecDeque<RegionId>>,
    /// What the right one told first.
    behind: Vec<RegionId>,
}

/// What a reader does who is through with his range.
enum Turn {
    Read(KeyRange),
    /// Somebody reads who has nothing to share, or does not know it yet.
    Wait,
    Over,
}

/// How many regions on either side of a border are remembered.
const NEAR: usize = 64;

impl Border {
    /// Whether the right one tells a region that begins before the border.
    fn right_tells(&self, id: RegionId) -> bool {
        // The left one will, if he is not through, or has.
        self.before.as_ref().is_some_and(|before| !before.contains(&id))
    }
}

impl Board {
    fn new(query: &RegionQuery, scale: Scale, readers: usize) -> Self {
        let whole = KeyRange::new(query.start_key.clone(), query.end_key.clone());
        let mut waiting = Vec::new();
        let mut borders = BTreeMap::new();
        let mut start = whole.start_key.clone();
        for cut in scale.cuts(readers) {
            if cut > start && whole.ends_behind(&cut) {
                borders.insert(cut.clone(), Border::default());
                waiting.push(KeyRange::new(start, cut.clone()));
                start = cut;
            }
        }
        waiting.push(KeyRange::new(start, whole.end_key.clone()));
        let readers = std::iter::repeat_with(|| None).take(readers).collect();
        Self { scale, state: Mutex::new(State { waiting, readers, borders }), changed: Notify::new() }
    }

    /// The next range for the reader `place`; `None` if there is nothing left to share.
    async fn take(&self, place: usize) -> Option<KeyRange> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            match self.turn(place) {
                Turn::Read(range) => return Some(range),
                Turn::Wait => changed.await,
                Turn::Over => return None,
            }
        }
    }

    fn turn(&self, place: usize) -> Turn {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let range = match state.waiting.pop() {
            Some(range) => range,
            None => {
                // Less than a few pages is not worth a question of its own; before the first page nobody knows.
                let busy = state.readers.iter_mut().flatten().filter(|reader| {
                    let left = self.scale.length(&reader.left);
                    reader.page_length.is_some_and(|page| left > page.saturating_mul(3))
                });
                let busy = busy.map(|reader| &mut reader.left);
                let Some(longest) = busy.max_by_key(|range| self.scale.length(range)) else {
                    return if state.readers.iter().any(Option::is_some) { Turn::Wait } else { Turn::Over };
                };
                let Some(cut) = self.scale.middle(longest) else { return Turn::Wait };
                let taken = KeyRange::new(cut.clone(), longest.end_key.clone());
                longest.end_key = cut.clone();
                state.borders.insert(cut, Border::default());
                taken
            }
        };
        if let Some(slot) = state.readers.get_mut(place) {
            *slot = Some(Reader {
                start: range.start_key.clone(),
                left: range.clone(),
                last: VecDeque::new(),
                page_length: None,
            });
        }
        Turn::Read(range)
    }

    /// Lets the reader `place` go on by a page, up to where his range ends by now, and drops what the reader of a
    /// neighbouring range tells.
    fn admit(
        &self,
        place: usize,
        walk: &mut Pages,
        go_on: impl FnOnce(&mut Pages) -> Result<RegionPage, Error>,
    ) -> Result<RegionPage, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { readers, borders, .. } = &mut *state;
        let Some(slot) = readers.get_mut(place) else { return go_on(walk) };
        let Some(reader) = slot else { return go_on(walk) };
        let end = reader.left.end_key.clone();
        if end != *walk.walk.end_key() {
            walk.walk.shorten(end.clone());
        }
        let mut page = go_on(walk)?;
        for region in &page.regions {
            if reader.last.len() == NEAR {
                reader.last.pop_front();
            }
            reader.last.push_back(region.id);
        }
        page.regions.retain(|region| {
            // Every border that it has grown over, not only the nearest.
            let reaches = if region.end_key.is_empty() { Unbounded } else { Excluded(&region.end_key) };
            let before = (region.start_key < reader.start)
                .then(|| borders.range((Excluded(&region.start_key), Included(&reader.start))));
            let behind = (!end.is_empty() && (region.end_key.is_empty() || region.end_key > end))
                .then(|| borders.range((Included(&end), reaches)));
            before.into_iter().flatten().all(|(_, border)| border.right_tells(region.id))
                && behind.into_iter().flatten().all(|(_, border)| !border.behind.contains(&region.id))
        });
        if let Some(border) = borders.get_mut(&reader.start) {
            let room = NEAR.saturating_sub(border.behind.len());
            border.behind.extend(page.regions.iter().take(room).map(|region| region.id));
        }
        if let Some(next) = walk.walk.next_key() {
            let before = self.scale.length(&reader.left);
            reader.left.start_key = next.clone();
            reader.page_length = Some(before.saturating_sub(self.scale.length(&reader.left)));
        } else {
            // Nothing is left to take over.
            if let Some(border) = borders.get_mut(&end) {
                border.before = Some(std::mem::take(&mut reader.last));
            }
            *slot = None;
        }
        self.changed.notify_waiters();
        Ok(page)
    }
}

/// The part of the key space in which regions lie, as numbers.
#[derive(Debug)]
struct Scale {
    /// What all of these keys begin with.
    prefix: Vec<u8>,
    low: u128,
    high: u128,
}

impl Scale {
    /// From the end of the first region to the start of the last one; `None` if there is nothing to share.
    async fn of(pd: &PdClient, query: &RegionQuery) -> Result<Option<Self>, Error> {
        let first = match pd.regions(RegionQuery { limit: Some(1), ..query.clone() }).next().await {
            Some(page) => page?.regions.into_iter().next(),
            None => None,
        };
        let Some(first) = first else { return Ok(None) };
        let last_key =
            if query.end_key.is_empty() { Key::from([0xFF; 32].as_slice()) } else { query.end_key.clone() };
        let last = match pd.region_by_key(&last_key).await {
            Ok(last) => last.start_key,
            // A gap.
            Err(Error::NotFound { .. }) => last_key,
            Err(error) => return Err(error),
        };
        Ok(Self::between(&first.end_key, &last))
    }

    fn between(low: &Key, high: &Key) -> Option<Self> {
        if low.is_empty() || low >= high {
            return None;
        }
        let (low, high) = (low.as_bytes(), high.as_bytes());
        let common = low.iter().zip(high).take_while(|(a, b)| a == b).count();
        let prefix = low.get(..common)?.to_vec();
        let scale = Self { prefix, low: 0, high: 0 };
        let (low, high) = (scale.number(low), scale.number(high));
        (low < high).then_some(Self { low, high, ..scale })
    }

    /// The first 16 bytes behind the prefix.
    fn number(&self, key: &[u8]) -> u128 {
        let Some(rest) = key.strip_prefix(self.prefix.as_slice()) else {
            return if key < self.prefix.as_slice() { 0 } else { u128::MAX };
        };
        let bytes = rest.iter().copied().chain(std::iter::repeat(0)).take(16);
        bytes.fold(0, |number, byte| number << 8 | u128::from(byte))
    }

    fn key(&self, number: u128) -> Key {
        let mut bytes = self.prefix.clone();
        bytes.extend(number.to_be_bytes());
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        bytes.into()
    }

    fn start(&self, range: &KeyRange) -> u128 {
        self.number(range.start_key.as_bytes()).clamp(self.low, self.high)
    }

    fn end(&self, range: &KeyRange) -> u128 {
        if range.end_key.is_empty() {
            return self.high;
        }
        self.number(range.end_key.as_bytes()).clamp(self.low, self.high)
    }

    fn length(&self, range: &KeyRange) -> u128 {
        self.end(range).saturating_sub(self.start(range))
    }

    /// A key within the range that halves it; `None` if it is too short.
    fn middle(&self, range: &KeyRange) -> Option<Key> {
        let middle = self.key(self.start(range) + self.length(range) / 2);
        (middle > range.start_key && range.ends_behind(&middle)).then_some(middle)
    }

    /// Keys that cut the scale into `parts`.
    fn cuts(&self, parts: usize) -> impl Iterator<Item = Key> + '_ {
        let step = (self.high - self.low) / (parts as u128).max(1);
        (1..parts as u128).map(move |place| self.key(self.low + step * place))
    }
}

#[cfg(test)]
mod tests;
