//! All regions, page by page.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use operator_core::{Region, RegionPage, RegionQuery};

use super::continuity::Continuity;
use super::{PdClient, request, wire};
use crate::Error;
use crate::http::Answer;

/// The largest page PD gives; it takes a larger limit for this one.
const LARGEST_PAGE: usize = 10_240;

/// Before a gap is believed, PD is asked again after this time: it hears from the two halves of a split one after the
/// other.
const GAP_RECHECK: Duration = Duration::from_millis(200);

/// The regions of an answer of `/pd/api/v1/regions/key`, as PD wrote it.
///
/// # Errors
/// If it is not JSON, or not such an answer.
pub fn decode_regions(json: &[u8]) -> Result<Vec<Region>, serde_json::Error> {
    wire::RegionPage::read(json).map(|page| page.regions)
}

/// A walk over the regions of a range of keys. Holds one page at a time.
#[derive(Debug)]
pub(super) struct Pages {
    pd: PdClient,
    query: RegionQuery,
    page_size: usize,
    pub(super) walk: Continuity,
    left: usize,
}

impl Pages {
    pub(super) fn new(pd: PdClient, query: RegionQuery) -> Self {
        let wanted = query.page_size.get();
        // The client's own page size is its default; a query that says something else means it.
        let wanted = if wanted == RegionQuery::DEFAULT_PAGE_SIZE.get() { pd.page_size() } else { wanted };
        Self {
            page_size: wanted.clamp(1, LARGEST_PAGE),
            walk: Continuity::new(operator_core::KeyRange::new(
                query.start_key.clone(),
                query.end_key.clone(),
            )),
            left: query.limit.unwrap_or(usize::MAX),
            pd,
            query,
        }
    }

    /// The next page that has something to tell; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<RegionPage>, Error> {
        while self.left > 0 {
            let Some(page) = self.step().await? else { return Ok(None) };
            if !(page.regions.is_empty() && page.gaps.is_empty() && page.overlaps.is_empty()) {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    /// One page, which may have nothing to tell; `None` at the end.
    pub(super) async fn step(&mut self) -> Result<Option<RegionPage>, Error> {
        match self.fetch().await? {
            Some((answer, regions)) => self.admit(&answer, regions).map(Some),
            None => Ok(None),
        }
    }

    /// What PD answers for the next page; `None` at the end.
    pub(super) async fn fetch(&self) -> Result<Option<(Answer, Vec<Region>)>, Error> {
        let Some(start) = self.walk.next_key() else { return Ok(None) };
        let size = if self.query.store.is_none() { self.page_size.min(self.left) } else { self.page_size };
        let path = request::regions(start, self.walk.end_key(), size);
        let (mut answer, mut regions) = self.ask(&path).await?;
        if self.walk.shows_gap(&regions) {
            tokio::time::sleep(GAP_RECHECK).await;
            drop(regions);
            (answer, regions) = self.ask(&path).await?;
        }
        Ok(Some((answer, regions)))
    }

    /// Goes on by what [`Pages::fetch`] brought.
    pub(super) fn admit(&mut self, answer: &Answer, regions: Vec<Region>) -> Result<RegionPage, Error> {
        let mut page = self.walk.admit(regions).map_err(|error| answer.not_understood(error.to_string()))?;
        if let Some(store) = self.query.store {
            page.regions.retain(|region| region.peers.iter().any(|peer| peer.store_id == store));
        }
        page.regions.truncate(self.left);
        self.left -= page.regions.len();
        Ok(page)
    }

    async fn ask(&self, path: &str) -> Result<(Answer, Vec<Region>), Error> {
        let answer = self.pd.http().get(path).await?;
        let regions = decode_regions(&answer.body)
            .map_err(|error| answer.not_understood(format!("is not as expected: {error}")))?;
        Ok((answer, regions))
    }
}

impl PdClient {
    /// The regions of `query` in the order of their keys, page by page: `GET /pd/api/v1/regions/key?format=hex`.
    ///
    /// Each page continues where the one before ended. Regions may split, merge and change their leader in between:
    /// none is told twice, and what is told as a gap was one when asked twice. A region that has taken over a part of
    /// the keys that was told already is told with that part as an overlap. A page has at most 10,240 regions,
    /// and the client holds no more than two at a time, whatever their number.
    ///
    /// With [`RegionQuery::store`] the pages are filtered here: PD's own `/regions/store/{id}` knows no limit.
    ///
    /// # Errors
    /// The stream ends after its first error. Each page is asked for through elections, like every request.
    pub fn regions(&self, query: RegionQuery) -> BoxStream<'static, Result<RegionPage, Error>> {
        let pages = Pages::new(self.clone(), query);
        stream::unfold(Some(pages), |pages| async move {
            let mut pages = pages?;
            match pages.next().await {
                Ok(Some(page)) => Some((Ok(page), Some(pages))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }
}

#[cfg(test)]
mod tests;
