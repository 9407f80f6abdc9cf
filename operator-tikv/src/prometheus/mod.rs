//! Prometheus' HTTP API, and that of what speaks it too: Thanos, Mimir, VictoriaMetrics.
//!
//! [`Client`] is usable on its own, for any query. Samples come in columns, warnings stay with the data, and what a
//! typed query ([`Selector`], [`Expr`]) is built from stays data.

mod labels;
mod promql;
mod series;
mod number;
mod scan;
mod wire;
mod decode;
mod request;
mod error;
mod info;
mod config;
mod client;
mod stores;
#[cfg(test)]
pub(crate) mod script;

pub use client::Client;
pub use config::{PrometheusConfig, Secret, endpoint_from_pd};
pub use info::{Alert, BuildInfo, Metadata, MetricMetadata, Rule, RuleGroup, RuleKind, Target, TargetHealth};
pub use labels::Labels;
pub use promql::{Expr, Matcher, Selector};
pub use request::TimeRange;
pub use series::{
    Answer, InstantSample, InstantVector, NativeBucket, NativeHistogram, QueryResult, RangeSeries, Sample,
};
pub use stores::{
    InstanceMatch, StoreIdentity, StoreMetric, StoreMetricsReport, StoreQueries, TargetState,
    UnmatchedSeries, store_metrics,
};
pub use wire::AnswerError;

pub(crate) use error::{error_kind, explained};
