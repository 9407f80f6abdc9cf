//! How a store fares, in numbers.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::StoreId;

/// A store's metrics at one moment; what could not be measured is `None`, which is not zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreMetrics {
    /// The store.
    pub store_id: StoreId,
    /// When the newest of these values was measured.
    pub at: DateTime<Utc>,
    /// Requests a second. TiKV: `sum by (instance) (rate(tikv_grpc_msg_duration_seconds_count{type!="kv_gc"}[1m]))`.
    pub qps: Option<f64>,
    /// Within this time 99 of 100 requests are answered. TiKV: `histogram_quantile(0.99, sum by (instance, le)
    /// (rate(tikv_grpc_msg_duration_seconds_bucket{type!="kv_gc"}[1m])))`.
    #[serde(rename = "latency_p99_seconds", with = "crate::seconds::option")]
    pub latency_p99: Option<Duration>,
    /// What the data takes. TiKV: `tikv_store_size_bytes{type="used"}`.
    pub disk_used_bytes: Option<u64>,
    /// What is free. TiKV: `tikv_store_size_bytes{type="available"}`.
    pub disk_available_bytes: Option<u64>,
    /// Size of the disk, or the quota. TiKV: `tikv_store_size_bytes{type="capacity"}`.
    pub disk_capacity_bytes: Option<u64>,
    /// How many cores are busy. TiKV: `sum by (instance) (rate(process_cpu_seconds_total[1m]))`.
    pub cpu_cores: Option<f64>,
    /// Resident memory. TiKV: `process_resident_memory_bytes`.
    pub memory_bytes: Option<u64>,
}

impl StoreMetrics {
    /// Metrics of which nothing is known but whose and when.
    pub fn new(store_id: StoreId, at: DateTime<Utc>) -> Self {
        Self {
            store_id,
            at,
            qps: None,
            latency_p99: None,
            disk_used_bytes: None,
            disk_available_bytes: None,
            disk_capacity_bytes: None,
            cpu_cores: None,
            memory_bytes: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_seconds_in_json_and_a_duration_in_rust() {
        let mut metrics = StoreMetrics::new(1.into(), DateTime::UNIX_EPOCH);
        metrics.latency_p99 = Some(Duration::from_micros(1_500));
        let json = serde_json::to_value(&metrics).unwrap();
        assert_eq!(json["latency_p99_seconds"], 0.0015);
        assert!(json["qps"].is_null());
        assert_eq!(serde_json::from_value::<StoreMetrics>(json).unwrap(), metrics);
    }

    #[test]
    fn a_latency_that_is_no_time_is_refused() {
        let text = r#"{"store_id":1,"at":"1970-01-01T00:00:00Z","latency_p99_seconds":-1.0}"#;
        assert!(serde_json::from_str::<StoreMetrics>(text).is_err());
    }
}
