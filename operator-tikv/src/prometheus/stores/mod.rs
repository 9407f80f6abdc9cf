//! The metrics of all stores, one query a metric.

mod queries;
mod identity;
mod assemble;

use chrono::TimeDelta;
use futures::future::join_all;
use operator_core::{Clock, Signal, Store, StoreId, StoreMetrics};

use self::assemble::Answers;
use super::{Client, Expr};
use crate::Error;

pub use identity::{InstanceMatch, StoreIdentity, TargetState};
pub use queries::{StoreMetric, StoreQueries};

/// What Prometheus tells of the stores, and what it does not.
#[derive(Debug)]
#[non_exhaustive]
pub struct StoreMetricsReport {
    /// The stores of which something is known, in the order they were given; not one whose target is down.
    pub metrics: Vec<StoreMetrics>,
    /// What it tells of them beyond that, as [signals](crate::signals).
    pub signals: Vec<Signal>,
    /// Every store: which series are its own, and whether Prometheus can scrape it.
    pub identities: Vec<StoreIdentity>,
    /// Metrics that Prometheus does not have of a store although it scrapes it: not zero, but gone or renamed, or (QPS
    /// and latency) there was no request since the store started.
    pub missing: Vec<(StoreId, StoreMetric)>,
    /// Metrics of a store that came more than once, so that none is taken.
    pub ambiguous: Vec<(StoreId, StoreMetric)>,
    /// TiKV's series that are no store's.
    pub unmatched: Vec<UnmatchedSeries>,
    /// Queries that were not answered.
    pub failed: Vec<(StoreMetric, Error)>,
    /// What Prometheus said beside its answers: data may be partial.
    pub warnings: Vec<String>,
    /// By how much Prometheus' clock is ahead of ours, if that is more than the requests took and a second; times in
    /// `metrics` are then told by our clock.
    pub clock_ahead: Option<TimeDelta>,
}

/// A series of TiKV that belongs to no store.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct UnmatchedSeries {
    /// Its label `instance`; none if it has none.
    pub instance: Option<String>,
    /// Which metrics it has.
    pub metrics: Vec<StoreMetric>,
}

/// Asks for the metrics of `stores`: eleven requests, and up to three more where a store lacks what a metric's
/// [alternative](StoreQueries::alternative) may have; never more, however many stores there are.
///
/// # Errors
/// The first query's error if no query was answered.
pub async fn store_metrics(
    client: &Client,
    queries: &StoreQueries,
    stores: &[Store],
    clock: &Clock,
) -> Result<StoreMetricsReport, Error> {
    let started = clock.now();
    let ask = async |metric: StoreMetric, query: Expr| (metric, client.vector(query).await);

    let mut answers = Answers::default();
    for (metric, answer) in join_all(StoreMetric::ALL.map(|metric| ask(metric, queries.query(metric)))).await
    {
        answers.add(metric, answer);
    }
    answers.ours = Some((started, clock.now()));
    if answers.is_empty()
        && let Some(error) = answers.take_first_error()
    {
        return Err(error);
    }

    let lacking = answers.lacking(stores);
    let alternatives =
        lacking.into_iter().filter_map(|metric| Some(ask(metric, queries.alternative(metric)?)));
    for (metric, answer) in join_all(alternatives).await {
        answers.add_alternative(metric, answer);
    }
    Ok(answers.into_report(stores))
}

#[cfg(test)]
mod tests;
