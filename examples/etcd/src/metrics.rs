//! What is read off a member's page of metrics.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use operator_core::{StoreId, StoreMetrics};
use operator_tikv::scrape::{Samples, Wanted, increase};

const REQUESTS: &str = "grpc_server_handled_total";
const CPU: &str = "process_cpu_seconds_total";
const MEMORY: &str = "process_resident_memory_bytes";
const QUOTA: &str = "etcd_server_quota_backend_bytes";
const SIZE: &str = "etcd_mvcc_db_total_size_in_bytes";
const PEERS: &str = "etcd_network_active_peers";

/// One page, read at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    at: DateTime<Utc>,
    sums: HashMap<&'static str, f64>,
    /// Whether the member has a connection to each of the others.
    pub(crate) peers: HashMap<u64, bool>,
}

impl Page {
    /// `None` if the page cannot be read to its end: half a page is half the requests.
    pub(crate) fn read(page: &[u8], at: DateTime<Utc>) -> Option<Self> {
        let wanted = [REQUESTS, CPU, MEMORY, QUOTA, SIZE, PEERS];
        let (mut sums, mut peers) = (HashMap::new(), HashMap::new());
        for sample in Samples::new(page).only(&Wanted::new(wanted)) {
            let sample = sample.ok()?;
            if sample.name == PEERS {
                // Here ids are written in hexadecimal.
                let id = sample.labels.get("Remote").and_then(|id| u64::from_str_radix(&id, 16).ok());
                peers.extend(id.map(|id| (id, sample.value == 1.0)));
            } else if let Some(name) = wanted.into_iter().find(|name| *name == sample.name) {
                *sums.entry(name).or_insert(0.0) += sample.value;
            }
        }
        Some(Self { at, sums, peers })
    }

    pub(crate) fn quota_bytes(&self) -> Option<u64> {
        // A negative quota means none.
        self.number(QUOTA).filter(|quota| *quota > 0.0).map(|quota| quota as u64)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.sums.get(name).copied().filter(|value| value.is_finite())
    }

    /// How fast a counter has grown since an earlier page.
    fn rate(&self, name: &str, earlier: &Self) -> Option<f64> {
        let seconds = (self.at - earlier.at).as_seconds_f64();
        let grown = increase(earlier.number(name)?, self.number(name)?);
        (seconds > 0.0).then(|| grown / seconds)
    }

    /// A store's metrics; rates only after a first page.
    pub(crate) fn metrics(&self, store: StoreId, earlier: Option<&Self>) -> StoreMetrics {
        let mut metrics = StoreMetrics::new(store, self.at);
        metrics.qps = earlier.and_then(|earlier| self.rate(REQUESTS, earlier));
        metrics.cpu_cores = earlier.and_then(|earlier| self.rate(CPU, earlier));
        metrics.memory_bytes = self.number(MEMORY).map(|bytes| bytes as u64);
        metrics.disk_capacity_bytes = self.quota_bytes();
        metrics.disk_used_bytes = self.number(SIZE).map(|bytes| bytes as u64);
        metrics.disk_available_bytes = metrics
            .disk_capacity_bytes
            .zip(metrics.disk_used_bytes)
            .map(|(all, used)| all.saturating_sub(used));
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_need_two_pages_and_half_a_page_is_none() {
        let page = |requests: u32, seconds| {
            let page = format!(
                "{REQUESTS}{{grpc_method=\"Put\"}} {requests}\n{REQUESTS}{{grpc_method=\"Range\"}} 1\n{QUOTA} 2.147483648e+09\n\
                 {SIZE} 20480\n{PEERS}{{Local=\"1\",Remote=\"bdae9bbc11dd390d\"}} 0\n"
            );
            Page::read(page.as_bytes(), DateTime::from_timestamp(seconds, 0).unwrap()).unwrap()
        };
        let (first, second) = (page(10, 0), page(30, 10));
        assert_eq!(first.metrics(1.into(), None).qps, None);
        let metrics = second.metrics(1.into(), Some(&first));
        assert_eq!((metrics.qps, metrics.cpu_cores), (Some(2.0), None));
        assert_eq!(metrics.disk_available_bytes, Some((2 << 30) - 20_480));
        assert_eq!(first.peers, HashMap::from([(0xbdae_9bbc_11dd_390d, false)]));
        assert!(Page::read(b"process_cpu_seconds_total 12", Utc::now()).is_none());
    }
}
