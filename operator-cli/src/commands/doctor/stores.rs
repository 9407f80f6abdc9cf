//! Each store: what PD says of it, whether it answers itself, and whether its metrics are there.

use std::time::Duration;

use futures::StreamExt;
use operator_core::{Store, StoreMetrics, StoreState};
use operator_tikv::TikvSubject;
use operator_tikv::metrics::{MetricsOrigin, MetricsReading};

use super::report::{Check, told};

/// How many stores are asked at the same time: a thousand that are silent take four rounds.
const AT_ONCE: usize = 256;
/// A store that lives answers at once.
const DEADLINE: Duration = Duration::from_secs(2);

/// One check a store, in their order.
pub(super) async fn examine(
    subject: &TikvSubject,
    stores: &[Store],
    reading: Option<&MetricsReading>,
) -> Vec<Check> {
    let asked = stores.iter().map(|store| async move {
        let name = format!("store {}", store.id);
        let state = match store.state {
            StoreState::Up | StoreState::Offline | StoreState::Tombstone => None,
            state => Some(format!("PD calls it {state}")),
        };
        let port = port(subject, store).await;
        let wrong: Vec<_> =
            state.into_iter().chain(port.as_ref().err().map(|(why, _)| why.clone())).collect();
        if !wrong.is_empty() {
            let hint = port.err().and_then(|(_, hint)| hint);
            let hint = hint.unwrap_or("look at its log, and whether it and PD reach each other");
            return Check::bad(name, format!("{}: {}", store.address, wrong.join("; "))).hint(hint);
        }
        let version = store.version.as_deref().unwrap_or("unknown");
        let found =
            format!("{}: {}, version {version}, answers at its status port", store.address, store.state);
        match reading {
            Some(reading) => with_metrics(name, found, store, reading),
            None => Check::good(name, found),
        }
    });
    let asked: Vec<_> = asked.collect();
    futures::stream::iter(asked).buffered(AT_ONCE).collect().await
}

/// Whether it answers at its status port; if not, why and what to do.
async fn port(subject: &TikvSubject, store: &Store) -> Result<(), (String, Option<&'static str>)> {
    let http = subject.pd().http();
    let Some(endpoint) = subject.pd().status_endpoint(store) else {
        let address = store.status_address.as_deref().unwrap_or("none");
        let why = format!("PD knows no status address that means it from here (it knows {address})");
        return Err((why, Some("start it with --advertise-status-addr=HOST:20180")));
    };
    let limits = http.limits().clone();
    let limits =
        limits.with_connect_timeout(DEADLINE).with_read_timeout(DEADLINE).with_total_timeout(DEADLINE);
    match http.get_from(&endpoint, "/status", &limits).await {
        Ok(_) => Ok(()),
        Err(error) => {
            Err((format!("its status port does not answer as it should: {}", told(&error)), error.hint()))
        }
    }
}

fn with_metrics(name: String, found: String, store: &Store, reading: &MetricsReading) -> Check {
    let through_prometheus = matches!(reading.origin, MetricsOrigin::Prometheus(_));
    let Some(metrics) = reading.metrics.iter().find(|metrics| metrics.store_id == store.id) else {
        let address = store.status_address.as_deref().unwrap_or_default();
        let hint = if through_prometheus {
            format!("let Prometheus scrape {address}: series are a store's by that as their `instance`")
        } else {
            format!("see whether http://{address}/metrics shows anything")
        };
        return Check::bad(name, format!("{found}, but {} has no metrics of it", reading.origin)).hint(hint);
    };
    let missing = missing(metrics);
    if !missing.is_empty() {
        let message = format!("{found}, but {} has no {} of it", reading.origin, missing.join(", "));
        return Check::bad(name, message)
            .hint("rates need two scrapes: ask again in a minute; or this TiKV has them under other names");
    }
    // Of a store that was never asked anything there is no rate of requests.
    let idle = if metrics.qps.is_none() { "; no request yet" } else { "" };
    Check::good(name, format!("{found}, metrics from {}{idle}", reading.origin))
}

/// The metrics that every store has at any time and that are not there.
fn missing(metrics: &StoreMetrics) -> Vec<&'static str> {
    let needed = [
        ("disk used", metrics.disk_used_bytes.is_some()),
        ("disk available", metrics.disk_available_bytes.is_some()),
        ("disk capacity", metrics.disk_capacity_bytes.is_some()),
        ("CPU", metrics.cpu_cores.is_some()),
        ("memory", metrics.memory_bytes.is_some()),
    ];
    needed.into_iter().filter(|(_, is_there)| !is_there).map(|(name, _)| name).collect()
}
