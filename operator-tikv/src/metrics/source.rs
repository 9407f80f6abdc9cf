//! Prometheus, and the stores themselves behind it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use operator_core::{Clock, Store};
use tokio::time::{Instant, timeout};

use super::MetricsReading;
use crate::http::{Method, Transport};
use crate::pd::PdClient;
use crate::prometheus::{self, PrometheusConfig, StoreQueries};
use crate::scrape::{ScrapeLimits, Scraper, Target};
use crate::{Call, Error, TikvConfig, TimeoutPhase, probe};

/// Between the two rounds that rates take when there was none before: TiKV's threads hand in what they counted once a
/// second.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(1);

/// A Prometheus that takes longer is passed over, while there is time left to ask the stores.
const PATIENCE: Duration = Duration::from_secs(10);

/// A failure that took longer than this is not waited for again for [`PAUSE`].
const SLOW: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(30);

/// For how long PD's word on where Prometheus is holds.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// A store that hangs keeps the answer of all others waiting for so long.
const TARGET_TIMEOUT: Duration = Duration::from_secs(3);

/// The stores' metrics: through Prometheus where one is configured or PD names one (`pd-server.metric-storage`),
/// otherwise, or when it fails or knows none of the stores, from the stores that PD lists.
///
/// Through Prometheus it costs eleven requests, at most fourteen, however many stores there are; otherwise one a store, two
/// the first time. What rates need of one reading is kept for the next.
#[derive(Debug)]
pub struct MetricsSource {
    pd: PdClient,
    configured: Option<Arc<prometheus::Client>>,
    /// Instead of the network, also for a Prometheus that PD names.
    transport: Option<Arc<dyn Transport>>,
    queries: StoreQueries,
    scraper: Scraper,
    clock: Clock,
    found: tokio::sync::Mutex<Option<Found>>,
    paused: Mutex<Option<Paused>>,
}

/// What PD said.
#[derive(Debug)]
struct Found {
    at: Instant,
    prometheus: Option<Arc<prometheus::Client>>,
}

/// A Prometheus that is not asked for a while.
#[derive(Debug)]
struct Paused {
    until: Instant,
    why: String,
}

impl MetricsSource {
    /// For the cluster that `config` names. Reads the secrets; nobody is asked yet.
    ///
    /// # Errors
    /// [`Error::Config`] naming what cannot be used.
    pub fn new(config: &TikvConfig) -> Result<Self, Error> {
        Self::over(PdClient::new(config)?, config, None)
    }

    /// The same over another transport, such as a simulator in the same process.
    ///
    /// # Errors
    /// [`Error::Config`] naming what cannot be used.
    pub fn with_transport(config: &TikvConfig, transport: Arc<dyn Transport>) -> Result<Self, Error> {
        Self::over(PdClient::with_transport(config, Arc::clone(&transport))?, config, Some(transport))
    }

    pub(crate) fn over(
        pd: PdClient,
        config: &TikvConfig,
        transport: Option<Arc<dyn Transport>>,
    ) -> Result<Self, Error> {
        let limits = ScrapeLimits { target_timeout: TARGET_TIMEOUT, ..ScrapeLimits::default() };
        let configured = config.prometheus.as_ref();
        Ok(Self {
            configured: configured.map(|config| client(config, transport.as_ref())).transpose()?,
            scraper: Scraper::new(pd.http().clone()).with_limits(limits),
            pd,
            transport,
            queries: config.store_queries.clone(),
            clock: Clock::system(),
            found: tokio::sync::Mutex::default(),
            paused: Mutex::default(),
        })
    }

    /// Reads the time from `clock`.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { scraper: self.scraper.with_clock(clock.clone()), clock, ..self }
    }

    /// The Prometheus that is configured, or else the one that PD names, which is asked every ten minutes; `None` if
    /// there is none.
    ///
    /// # Errors
    /// If PD does not answer, or names something that is no address.
    pub async fn prometheus(&self) -> Result<Option<Arc<prometheus::Client>>, Error> {
        if let Some(configured) = &self.configured {
            return Ok(Some(Arc::clone(configured)));
        }
        let mut found = self.found.lock().await;
        if let Some(found) = found.as_ref().filter(|found| found.at.elapsed() < REMEMBERED) {
            return Ok(found.prometheus.clone());
        }
        let named = self.pd.metric_storage().await?;
        let prometheus = match prometheus::endpoint_from_pd(&named)? {
            None => None,
            Some(endpoint) => {
                let config = PrometheusConfig::new(endpoint).with_limits(self.pd.http().limits().clone());
                Some(client(&config, self.transport.as_ref())?)
            }
        };
        *found = Some(Found { at: Instant::now(), prometheus: prometheus.clone() });
        Ok(prometheus)
    }

    /// The metrics of `stores`, as PD lists them.
    ///
    /// # Errors
    /// [`Error::NoMetrics`] if neither Prometheus nor any store told anything.
    pub async fn read(&self, stores: &[Store]) -> Result<MetricsReading, Error> {
        if stores.is_empty() {
            return Ok(MetricsReading::of_stores(Vec::new(), &[], None));
        }
        let failure = match self.prometheus().await {
            Ok(None) => None,
            Ok(Some(prometheus)) => match self.through(&prometheus, stores).await {
                Ok(reading) => return Ok(reading),
                Err(why) => Some(why),
            },
            Err(error) => Some(format!("where Prometheus is, is not known: {error}")),
        };
        if let Some(why) = &failure {
            tracing::warn!(%why, "the stores are asked for their metrics instead of Prometheus");
        }
        self.scrape(stores, failure).await
    }

    /// By Prometheus; the error is why not.
    async fn through(
        &self,
        prometheus: &prometheus::Client,
        stores: &[Store],
    ) -> Result<MetricsReading, String> {
        let started = Instant::now();
        if let Some(paused) = &*self.paused()
            && started < paused.until
        {
            return Err(paused.why.clone());
        }
        let why = match self.ask(prometheus, stores).await {
            Ok(reading) => {
                *self.paused() = None;
                return Ok(reading);
            }
            Err(error) => error.to_string(),
        };
        if started.elapsed() > SLOW {
            *self.paused() = Some(Paused { until: Instant::now() + PAUSE, why: why.clone() });
        }
        Err(why)
    }

    async fn ask(&self, prometheus: &prometheus::Client, stores: &[Store]) -> Result<MetricsReading, Error> {
        let Some(endpoint) = prometheus.endpoint() else {
            return Err(Error::Config { field: "prometheus", message: "it has no address".to_owned() });
        };
        let call = Call::new(Method::Post, endpoint.clone(), "/api/v1/query");
        let asked = prometheus::store_metrics(prometheus, &self.queries, stores, &self.clock);
        let report = match timeout(PATIENCE, asked).await {
            Ok(report) => report?,
            Err(_) => return Err(Error::Timeout { call, phase: TimeoutPhase::Total, after: PATIENCE }),
        };
        if report.metrics.is_empty() {
            let message = format!("it has no metrics of any of the {} stores", stores.len());
            return Err(Error::NotFound { call, message });
        }
        Ok(MetricsReading::of_prometheus(report, endpoint))
    }

    /// By the stores themselves: only those that PD lists, at the addresses that it lists.
    async fn scrape(&self, stores: &[Store], fallback: Option<String>) -> Result<MetricsReading, Error> {
        let (mut targets, mut unasked) = (Vec::new(), Vec::new());
        for store in stores {
            let means_it = probe::status_endpoint(self.pd.http(), store).is_some();
            match Target::of(store).filter(|_| means_it) {
                Some(target) => targets.push(target),
                None => unasked.push(store.id),
            }
        }
        let mut scraped = self.scraper.scrape_for_rates(&targets, BETWEEN_ROUNDS).await;
        if scraped.iter().all(|scraped| scraped.error.is_some()) {
            let failures = scraped.iter_mut().filter_map(|scraped| scraped.error.take()).collect();
            return Err(Error::NoMetrics { prometheus: fallback, stores: stores.len(), failures });
        }
        Ok(MetricsReading::of_stores(scraped, &unasked, fallback))
    }

    fn paused(&self) -> std::sync::MutexGuard<'_, Option<Paused>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn client(
    config: &PrometheusConfig,
    transport: Option<&Arc<dyn Transport>>,
) -> Result<Arc<prometheus::Client>, Error> {
    Ok(Arc::new(match transport {
        Some(transport) => config.client_over(Arc::clone(transport))?,
        None => config.client()?,
    }))
}
