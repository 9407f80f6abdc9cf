//! Asking the stores for their pages.

use std::collections::{HashMap, HashSet};
use std::hash::RandomState;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use operator_core::{Clock, Signal, Store, StoreId, StoreMetrics};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::exposition::Wanted;
use super::reading::{Baseline, Reading, Unusable};
use super::sources;
use crate::http::{Answer, Endpoint, HttpClient, Limits, Method};
use crate::{Call, Error, TimeoutPhase};

const PATH: &str = "/metrics";

/// TiKV's threads hand in what they counted about once a second: rates over less time are noise.
const SHORTEST_WINDOW: Duration = Duration::from_millis(900);
/// Prometheus' own look-back: what an older page said is not the rate of now.
const LONGEST_WINDOW: Duration = Duration::from_secs(5 * 60);

/// What bounds a round of scraping.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScrapeLimits {
    /// How many targets are asked at a time. 64.
    pub concurrency: usize,
    /// For one target, connecting included. 5 s.
    pub target_timeout: Duration,
    /// For all targets. 10 s.
    pub round_timeout: Duration,
    /// The longest page, in decoded bytes. 32 MiB; one of TiKV's is 1.6 MB. At worst as many pages as targets are
    /// asked at a time are in memory.
    pub max_page_bytes: usize,
    /// The most series of one page that are taken. 100,000; of TiKV's it is 5,000. Between two rounds 16 bytes are
    /// kept of each counter.
    pub max_series: usize,
}

impl Default for ScrapeLimits {
    fn default() -> Self {
        Self {
            concurrency: 64,
            target_timeout: Duration::from_secs(5),
            round_timeout: Duration::from_secs(10),
            max_page_bytes: 32 << 20,
            max_series: 100_000,
        }
    }
}

/// A store that is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its id.
    pub store_id: StoreId,
    /// Where it answers about itself, `host:port`, as PD lists it.
    pub status_address: String,
}

impl Target {
    /// A store as PD lists it; `None` if PD knows no status address of it.
    pub fn of(store: &Store) -> Option<Self> {
        Some(Self { store_id: store.id, status_address: store.status_address.clone()? })
    }
}

/// What one target said.
#[derive(Debug)]
#[non_exhaustive]
pub struct Scraped {
    /// Whom it is about.
    pub target: Target,
    /// What is known. A target that failed or was late has nothing but its id and the time: it is unknown now, which
    /// does not mean that it is down. `at` is when the page was made, as nearly as can be told.
    pub metrics: StoreMetrics,
    /// What the page tells beyond that, as [signals](crate::signals) of the store.
    pub signals: Vec<Signal>,
    /// The time that rates and latencies are over. `None` after the first page of a target, and after one that came
    /// too soon or too late after the one before: they are not known then.
    pub window: Option<Duration>,
    /// Series that stood on the page twice; the first counted.
    pub duplicate_series: usize,
    /// Why nothing is known.
    pub error: Option<Error>,
}

/// Reads `/metrics` of stores and keeps what the next round needs for rates.
///
/// It dials only the targets it is given, with the client's TLS and `https` if the client's own endpoints use it, and
/// without their credentials. Connections are kept by the client's transport. Rounds of one scraper should follow each
/// other; it forgets the targets that are not in a round.
#[derive(Debug)]
pub struct Scraper {
    http: HttpClient,
    limits: ScrapeLimits,
    clock: Clock,
    wanted: Arc<Wanted>,
    hasher: RandomState,
    kept: Mutex<HashMap<StoreId, Kept>>,
}

/// What is kept of a target.
#[derive(Debug)]
struct Kept {
    status_address: String,
    /// When the page was made, and its counters; `None` if none came yet.
    page: Option<(Instant, Baseline)>,
    /// It failed or was late in the last round.
    failed: bool,
}

/// A page that came.
struct Page {
    reading: Reading,
    /// Half way between the request and the end of the answer: the page was made somewhere between.
    at: Instant,
    at_utc: DateTime<Utc>,
}

impl Scraper {
    /// Asks through `http`, within the default limits.
    pub fn new(http: HttpClient) -> Self {
        Self {
            http,
            limits: ScrapeLimits::default(),
            clock: Clock::system(),
            wanted: Arc::new(sources::wanted()),
            hasher: RandomState::new(),
            kept: Mutex::default(),
        }
    }

    /// The same within other limits.
    #[must_use]
    pub fn with_limits(self, limits: ScrapeLimits) -> Self {
        Self { limits, ..self }
    }

    /// The same with another clock for [`StoreMetrics::at`]. Windows are measured by tokio's.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Asks every target once. Gauges are known at once; rates and latencies from the second round on, over the time
    /// between the two.
    ///
    /// The answers are in the order of `targets`. Targets that failed in the round before are asked last, so that
    /// those that hang do not keep the others waiting.
    pub async fn scrape(&self, targets: &[Target]) -> Vec<Scraped> {
        let pages = self.fetch_all(targets).await;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now: HashSet<_> = targets.iter().map(|target| target.store_id).collect();
        kept.retain(|store_id, _| now.contains(store_id));
        targets.iter().zip(pages).map(|(target, page)| self.account(&mut kept, target, page)).collect()
    }

    /// Asks every target, and if none has rates then, for want of an earlier round, once more after `interval` (at
    /// least a second). A target that fails in the first round is not asked again.
    pub async fn scrape_for_rates(&self, targets: &[Target], interval: Duration) -> Vec<Scraped> {
        let mut scraped = self.scrape(targets).await;
        let answered = scraped.iter().filter(|scraped| scraped.error.is_none());
        let again: Vec<_> = answered.map(|scraped| scraped.target.clone()).collect();
        if again.is_empty() || scraped.iter().any(|scraped| scraped.window.is_some()) {
            return scraped;
        }
        sleep(interval).await;
        let mut later = self.scrape(&again).await.into_iter();
        for scraped in scraped.iter_mut().filter(|scraped| scraped.error.is_none()) {
            if let Some(later) = later.next() {
                *scraped = later;
            }
        }
        scraped
    }

    /// One result a target, in the order of the targets.
    async fn fetch_all(&self, targets: &[Target]) -> Vec<Result<Page, Error>> {
        let started = Instant::now();
        let deadline = started + self.limits.round_timeout;
        let mut waiting: Vec<_> = (0..targets.len()).collect();
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let failed = |place: &usize| {
                let store_id = targets.get(*place).map(|target| target.store_id);
                store_id.and_then(|store_id| kept.get(&store_id)).is_some_and(|kept| kept.failed)
            };
            waiting.sort_by_key(failed);
        }
        let mut waiting = waiting.into_iter();
        let mut pages: Vec<Option<Result<Page, Error>>> = targets.iter().map(|_| None).collect();
        let mut running = JoinSet::new();
        loop {
            while running.len() < self.limits.concurrency.max(1)
                && let Some(place) = waiting.next()
                && let Some(target) = targets.get(place)
            {
                let fetch = self.fetch(target);
                running.spawn(async move { (place, fetch.await) });
            }
            match timeout_at(deadline, running.join_next()).await {
                Ok(Some(Ok((place, page)))) => {
                    if let Some(slot) = pages.get_mut(place) {
                        *slot = Some(page);
                    }
                }
                // A task that was aborted or that panicked leaves its slot empty.
                Ok(Some(Err(_))) => {}
                Ok(None) | Err(_) => break,
            }
        }
        // Nothing goes on behind the caller's back.
        running.shutdown().await;
        let pages = targets.iter().zip(pages);
        pages
            .map(|(target, page)| page.unwrap_or_else(|| Err(self.late(target, started.elapsed()))))
            .collect()
    }

    /// One target's page.
    fn fetch(&self, target: &Target) -> impl Future<Output = Result<Page, Error>> + Send + use<> {
        let endpoint = self.endpoint(target);
        let (http, clock) = (self.http.clone(), self.clock.clone());
        let (wanted, hasher, max_series) =
            (Arc::clone(&self.wanted), self.hasher.clone(), self.limits.max_series);
        let limits = Limits::default()
            .with_read_timeout(self.limits.target_timeout)
            .with_total_timeout(self.limits.target_timeout)
            .with_max_body_bytes(self.limits.max_page_bytes);
        async move {
            let asked = Instant::now();
            let answer = http.get_from(&endpoint?, PATH, &limits).await?;
            let half_way = asked.elapsed() / 2;
            let at_utc = clock.now() - half_way;
            let reading = Reading::of(&answer.body, &wanted, &hasher, max_series)
                .map_err(|unusable| explain(&answer, &unusable, max_series))?;
            Ok(Page { reading, at: asked + half_way, at_utc })
        }
    }

    fn endpoint(&self, target: &Target) -> Result<Endpoint, Error> {
        let endpoint: Endpoint = target.status_address.parse().map_err(|error| Error::Config {
            field: "status_address",
            message: format!("store {}: {error}", target.store_id),
        })?;
        let https = self.http.endpoints().iter().any(Endpoint::is_https);
        Ok(if https { endpoint.prefer_https() } else { endpoint })
    }

    fn late(&self, target: &Target, after: Duration) -> Error {
        match self.endpoint(target) {
            Ok(endpoint) => {
                let call = Call::new(Method::Get, endpoint, PATH);
                Error::Timeout { call, phase: TimeoutPhase::Total, after }
            }
            Err(error) => error,
        }
    }

    /// Makes of a page what is told, and keeps what is needed.
    fn account(
        &self,
        kept: &mut HashMap<StoreId, Kept>,
        target: &Target,
        page: Result<Page, Error>,
    ) -> Scraped {
        let known = kept.entry(target.store_id).or_insert_with(|| Kept {
            status_address: target.status_address.clone(),
            page: None,
            failed: false,
        });
        if known.status_address != target.status_address {
            // Another process: its counters have nothing to do with those of before.
            known.page = None;
            known.status_address.clone_from(&target.status_address);
        }
        known.failed = page.is_err();
        let mut scraped = Scraped {
            target: target.clone(),
            metrics: StoreMetrics::new(target.store_id, self.clock.now()),
            signals: Vec::new(),
            window: None,
            duplicate_series: 0,
            error: None,
        };
        let Page { reading, at, at_utc } = match page {
            Ok(page) => page,
            Err(error) => return Scraped { error: Some(error), ..scraped },
        };
        scraped.metrics.at = at_utc;
        scraped.duplicate_series = reading.duplicates;
        reading.gauges(&mut scraped.metrics, &mut scraped.signals);
        match &known.page {
            Some((before, _)) if at.saturating_duration_since(*before) < SHORTEST_WINDOW => {
                // The older page stays: with it the next round gives rates.
                return scraped;
            }
            Some((before, baseline)) if at.saturating_duration_since(*before) <= LONGEST_WINDOW => {
                let window = at.saturating_duration_since(*before);
                reading.rates(baseline, window, &mut scraped.metrics, &mut scraped.signals);
                scraped.window = Some(window);
            }
            _ => {}
        }
        known.page = Some((at, reading.into_baseline()));
        scraped
    }
}

fn explain(answer: &Answer, unusable: &Unusable, max_series: usize) -> Error {
    answer.not_understood(match unusable {
        Unusable::Line(error) if error.is_incomplete() => format!("the page is cut: {error}"),
        Unusable::Line(error) => format!("the page cannot be read: {error}"),
        Unusable::TooMany => {
            format!("the page has more than {max_series} series of the metrics that are wanted")
        }
        Unusable::Nothing => "it has none of TiKV's metrics; is this a TiKV's status address?".to_owned(),
    })
}

#[cfg(test)]
mod tests;
