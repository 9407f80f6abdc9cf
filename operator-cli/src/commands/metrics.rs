//! `operator metrics`: how the stores fare.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use operator_core::{Store, StoreId, StoreMetrics};
use operator_tikv::metrics::MetricsReading;

use crate::error::Failure;
use crate::output::table::{self, Cell, Column};
use crate::output::text::escaped;
use crate::output::{Output, Style, text};
use crate::session::Session;

/// Show how the stores fare: requests, latency, disk, CPU, memory
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator metrics
  operator metrics 4 -o json | jq '.[].latency_p99_seconds'
  operator --pd http://pd0:2379 --prometheus http://prometheus:9090 metrics

Without --prometheus, the Prometheus that PD names is asked; without one, and when it does not answer, the stores
themselves, which takes a second for the rates. P99 is the latency within which 99 of 100 requests are answered, CPU is
in cores, AGE is how old the values are. `-` is a value that is not known; it is not a zero.")]
pub(crate) struct MetricsArgs {
    /// Only this store, by its id
    store: Option<StoreId>,
}

impl MetricsArgs {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<(), Failure> {
        let stores = async {
            match self.store {
                Some(id) => Ok(vec![session.subject.store(id).await?]),
                None => session.subject.stores().await,
            }
        };
        let question = async { futures::future::try_join(stores, measure(session)).await };
        let (stores, (mut metrics, reading)) = session.ask("store_metrics", question).await?;
        metrics.retain(|metrics| stores.iter().any(|store| store.id == metrics.store_id));
        if let Some(reading) = &reading {
            notes(reading, output);
        }
        let now = session.clock.now();
        output.show(&*metrics, |metrics, style| {
            let origin = reading.as_ref().map(|reading| format!("\nTold by {}.\n", reading.origin));
            render(&stores, metrics, now, style) + &origin.unwrap_or_default()
        })
    }
}

/// What the subject tells, and how, if it says that.
async fn measure(
    session: &Session,
) -> operator_core::Result<(Vec<StoreMetrics>, Option<Arc<MetricsReading>>)> {
    match &session.tikv {
        Some(tikv) => tikv.measure().await.map(|reading| (reading.metrics.clone(), Some(reading))),
        None => Ok((session.subject.store_metrics().await?, None)),
    }
}

/// What has to be known of the numbers, whichever way they are written.
fn notes(reading: &MetricsReading, output: &mut Output) {
    if let Some(why) = &reading.fallback {
        output.note(&format!("note: told by {} instead of Prometheus: {}", reading.origin, escaped(why)));
    }
    for warning in &reading.warnings {
        output.note(&format!("warning: {}", escaped(warning)));
    }
}

fn render(stores: &[Store], metrics: &[StoreMetrics], now: DateTime<Utc>, style: Style) -> String {
    const COLUMNS: [Column; 8] = [
        Column::Right("ID"),
        Column::Left("ADDRESS"),
        Column::Right("QPS"),
        Column::Right("P99"),
        Column::Right("DISK"),
        Column::Right("CPU"),
        Column::Right("MEMORY"),
        Column::Right("AGE"),
    ];
    if stores.is_empty() {
        return "no stores\n".to_owned();
    }
    let rows = stores.iter().map(|store| {
        let known = metrics.iter().find(|metrics| metrics.store_id == store.id);
        let of = |value: fn(&StoreMetrics) -> Option<String>| text::known(known.and_then(value));
        [
            Cell::from(store.id.to_string()),
            Cell::from(&store.address),
            qps(known).into(),
            p99(known).into(),
            of(disk).into(),
            of(|metrics| metrics.cpu_cores.map(text::rate)).into(),
            of(|metrics| metrics.memory_bytes.map(text::bytes)).into(),
            text::known(known.map(|metrics| text::age(metrics.at, now))).into(),
        ]
    });
    table::render(COLUMNS, rows, style)
}

/// Requests a second.
pub(crate) fn qps(metrics: Option<&StoreMetrics>) -> String {
    text::known(metrics.and_then(|metrics| metrics.qps).map(text::rate))
}

/// The 99th percentile of the latency.
pub(crate) fn p99(metrics: Option<&StoreMetrics>) -> String {
    text::known(metrics.and_then(|metrics| metrics.latency_p99).map(text::latency))
}

/// `used/capacity`, as far as known.
fn disk(metrics: &StoreMetrics) -> Option<String> {
    let (used, capacity) = (metrics.disk_used_bytes, metrics.disk_capacity_bytes);
    let shown = |bytes: Option<u64>| text::known(bytes.map(text::bytes));
    used.or(capacity).map(|_| format!("{}/{}", shown(used), shown(capacity)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use operator_core::StoreState;

    use super::*;

    #[test]
    fn what_is_not_known_is_a_dash_and_the_table_fits_a_terminal() {
        let now = DateTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let stores =
            [1_u64, 4, 5].map(|id| Store::new(id.into(), format!("127.0.0.1:2016{id}"), StoreState::Up));
        let mut whole = StoreMetrics::new(1.into(), now - Duration::from_secs(3));
        whole.qps = Some(1_234.4);
        whole.latency_p99 = Some(Duration::from_micros(1_540));
        whole.disk_used_bytes = Some(41_446_232_064);
        whole.disk_capacity_bytes = Some(500 << 30);
        whole.cpu_cores = Some(0.0);
        whole.memory_bytes = Some(1 << 30);
        let mut half = StoreMetrics::new(4.into(), now);
        half.disk_capacity_bytes = Some(500 << 30);
        let text = render(&stores, &[whole, half], now, Style::PLAIN);
        let expected = "\
ID  ADDRESS           QPS     P99            DISK  CPU  MEMORY     AGE
 1  127.0.0.1:20161  1234  1.54ms  38.6GiB/500GiB    0    1GiB  3s ago
 4  127.0.0.1:20164     -       -        -/500GiB    -       -  0s ago
 5  127.0.0.1:20165     -       -               -    -       -       -
";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.len() <= 80));
    }
}
