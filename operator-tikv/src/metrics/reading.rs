//! What was measured, and how.

use std::collections::BTreeMap;
use std::fmt;

use operator_core::{Signal, StoreId, StoreMetrics};

use crate::http::Endpoint;
use crate::prometheus::{InstanceMatch, StoreIdentity, StoreMetricsReport, TargetState};
use crate::scrape::Scraped;

/// Ids that a message names before it says how many more there are.
const NAMED: usize = 5;

/// Who told the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricsOrigin {
    /// The Prometheus at this base URL.
    Prometheus(Endpoint),
    /// The stores themselves, each at `/metrics` of its status address.
    Stores,
}

impl fmt::Display for MetricsOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prometheus(endpoint) => write!(f, "the Prometheus at {endpoint}"),
            Self::Stores => f.write_str("the stores themselves"),
        }
    }
}

/// The metrics of the stores at one moment, and what has to be known to judge them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MetricsReading {
    /// The stores of which something is known, each once. [`StoreMetrics::at`] is when the store's page was made:
    /// through Prometheus, its last scrape.
    pub metrics: Vec<StoreMetrics>,
    /// What the same pages tell beyond that, as [signals](crate::signals) of the stores.
    pub signals: Vec<Signal>,
    /// Who told them.
    pub origin: MetricsOrigin,
    /// Why they are not from the Prometheus that is configured, or that PD names; `None` if they are, or if there is
    /// none.
    pub fallback: Option<String>,
    /// What makes them incomplete or doubtful, in words.
    pub warnings: Vec<String>,
    /// Which store is which `instance` of Prometheus, and how that was found; empty if the stores were asked.
    pub identities: Vec<StoreIdentity>,
}

impl MetricsReading {
    /// What a Prometheus told.
    pub(super) fn of_prometheus(report: StoreMetricsReport, endpoint: Endpoint) -> Self {
        let mut warnings = report.warnings;
        warnings.extend(report.failed.iter().map(|(metric, error)| format!("{metric}: {error}")));
        for (what, applies) in DOUBTS {
            let ids = report.identities.iter().filter(|identity| applies(identity));
            let ids: Vec<_> = ids.map(|identity| identity.store_id).collect();
            if !ids.is_empty() {
                warnings.push(format!("{what} {}", stores(&ids)));
            }
        }
        for (what, remarks) in [("has no", report.missing), ("has more than one", report.ambiguous)] {
            let mut by_metric: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for (store_id, metric) in remarks {
                by_metric.entry(metric).or_default().push(store_id);
            }
            for (metric, ids) in by_metric {
                warnings.push(format!("Prometheus {what} {metric} of {}", stores(&ids)));
            }
        }
        if let Some(ahead) = report.clock_ahead {
            let seconds = ahead.num_milliseconds() as f64 / 1000.0;
            warnings.push(format!("Prometheus' clock is {seconds} s ahead of ours; times are told by ours"));
        }
        Self {
            metrics: report.metrics,
            signals: report.signals,
            origin: MetricsOrigin::Prometheus(endpoint),
            fallback: None,
            warnings,
            identities: report.identities,
        }
    }

    /// What the stores told; `unasked` are those without an address that means something here.
    pub(super) fn of_stores(scraped: Vec<Scraped>, unasked: &[StoreId], fallback: Option<String>) -> Self {
        let failed: Vec<_> = scraped
            .iter()
            .filter_map(|scraped| Some((scraped.target.store_id, scraped.error.as_ref()?)))
            .collect();
        let mut warnings: Vec<_> =
            failed.iter().take(NAMED).map(|(id, error)| format!("store {id}: {error}")).collect();
        if failed.len() > NAMED {
            warnings.push(format!("{} more stores did not answer", failed.len() - NAMED));
        }
        if !unasked.is_empty() {
            warnings.push(format!("PD lists no status address that can be asked of {}", stores(unasked)));
        }
        let twice = scraped.iter().filter(|scraped| scraped.duplicate_series > 0);
        let twice: Vec<_> = twice.map(|scraped| scraped.target.store_id).collect();
        if !twice.is_empty() {
            warnings.push(format!("a series stands twice on the page of {}", stores(&twice)));
        }
        let answered = scraped.into_iter().filter(|scraped| scraped.error.is_none());
        let (metrics, signals): (Vec<_>, Vec<_>) =
            answered.map(|scraped| (scraped.metrics, scraped.signals)).unzip();
        Self {
            metrics,
            signals: signals.concat(),
            origin: MetricsOrigin::Stores,
            fallback,
            warnings,
            identities: Vec::new(),
        }
    }
}

/// What can be wrong with a store in Prometheus.
type Doubt = (&'static str, fn(&StoreIdentity) -> bool);

const DOUBTS: [Doubt; 4] = [
    ("Prometheus knows nothing of", |identity| identity.matched == InstanceMatch::Unknown),
    ("several series could be those of", |identity| {
        matches!(identity.matched, InstanceMatch::Ambiguous { .. })
    }),
    ("Prometheus scrapes twice", |identity| identity.matched == InstanceMatch::ScrapedTwice),
    ("Prometheus could not scrape", |identity| identity.target == TargetState::Down),
];

/// `store 4`, `stores 1, 4 and 7 more`.
fn stores(ids: &[StoreId]) -> String {
    let named: Vec<_> = ids.iter().take(NAMED).map(ToString::to_string).collect();
    let plural = if ids.len() == 1 { "" } else { "s" };
    match ids.len().saturating_sub(NAMED) {
        0 => format!("store{plural} {}", named.join(", ")),
        more => format!("store{plural} {} and {more} more", named.join(", ")),
    }
}
