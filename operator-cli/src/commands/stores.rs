//! `operator stores`: every store.

use chrono::{DateTime, Utc};
use operator_core::{Store, StoreMetrics};

use super::metrics;
use crate::error::Failure;
use crate::output::table::{self, Cell, Column};
use crate::output::{Output, Style, text};
use crate::session::Session;

/// List the stores
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator stores
  operator --pd http://pd0:2379 stores -o json | jq '.[] | select(.state != \"Up\") | .address'

SEEN is when PD last heard from the store. `-` is a value that is not known; it is not a zero.")]
pub(crate) struct StoresArgs {}

impl StoresArgs {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<(), Failure> {
        let stores = session.ask("stores", session.subject.stores()).await?;
        let now = session.clock.now();
        output.show(&*stores, |stores, style| render(stores, now, style))
    }
}

/// The stores as a table.
pub(crate) fn render(stores: &[Store], now: DateTime<Utc>, style: Style) -> String {
    const COLUMNS: [Column; 8] = [
        Column::Right("ID"),
        Column::Left("STATE"),
        Column::Left("ADDRESS"),
        Column::Right("LEADERS"),
        Column::Right("REGIONS"),
        Column::Right("DATA"),
        Column::Right("FREE"),
        Column::Right("SEEN"),
    ];
    if stores.is_empty() {
        return "no stores\n".to_owned();
    }
    table::render(COLUMNS, stores.iter().map(|store| row(store, now)), style)
}

/// The same with what is measured: requests a second and the 99th percentile of their latency.
pub(crate) fn render_with(
    stores: &[Store],
    metrics: &[StoreMetrics],
    now: DateTime<Utc>,
    style: Style,
) -> String {
    const COLUMNS: [Column; 10] = [
        Column::Right("ID"),
        Column::Left("STATE"),
        Column::Left("ADDRESS"),
        Column::Right("LEADERS"),
        Column::Right("REGIONS"),
        Column::Right("QPS"),
        Column::Right("P99"),
        Column::Right("DATA"),
        Column::Right("FREE"),
        Column::Right("SEEN"),
    ];
    if stores.is_empty() {
        return "no stores\n".to_owned();
    }
    let rows = stores.iter().map(|store| {
        let known = metrics.iter().find(|metrics| metrics.store_id == store.id);
        let [id, state, address, leaders, regions, data, free, seen] = row(&exactly(store, known), now);
        let (qps, p99) = (metrics::qps(known).into(), metrics::p99(known).into());
        [id, state, address, leaders, regions, qps, p99, data, free, seen]
    });
    table::render(COLUMNS, rows, style)
}

/// PD rounds sizes to four digits; what is measured is exact.
fn exactly(store: &Store, metrics: Option<&StoreMetrics>) -> Store {
    let mut store = store.clone();
    if let Some(metrics) = metrics {
        store.used_bytes = metrics.disk_used_bytes.or(store.used_bytes);
        store.available_bytes = metrics.disk_available_bytes.or(store.available_bytes);
        store.capacity_bytes = metrics.disk_capacity_bytes.or(store.capacity_bytes);
    }
    store
}

fn row(store: &Store, now: DateTime<Utc>) -> [Cell; 8] {
    [
        store.id.to_string().into(),
        Cell::toned(store.state.as_str(), store.state),
        Cell::from(&store.address),
        text::known(store.leader_count).into(),
        text::known(store.region_count).into(),
        text::known(store.used_bytes.map(text::bytes)).into(),
        free(store).into(),
        text::known(store.last_heartbeat.map(|at| text::age(at, now))).into(),
    ]
}

/// What is free, and how much of the whole that is.
pub(crate) fn free(store: &Store) -> String {
    let Some(available) = store.available_bytes else { return text::UNKNOWN.to_owned() };
    match store.capacity_bytes.and_then(|capacity| text::percent(available, capacity)) {
        Some(percent) => format!("{} {percent}", text::bytes(available)),
        None => text::bytes(available),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use operator_core::StoreState;

    use super::*;

    #[test]
    fn what_is_not_known_is_a_dash_and_the_table_fits_a_terminal() {
        let now = DateTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let mut up = Store::new(1.into(), "127.0.0.1:20160", StoreState::Up);
        up.leader_count = Some(0);
        up.region_count = Some(36);
        up.used_bytes = Some(41_446_232_064);
        up.available_bytes = Some(64 << 30);
        up.capacity_bytes = Some(100 << 30);
        up.last_heartbeat = Some(now - Duration::from_secs(4));
        let silent = Store::new(10.into(), "127.0.0.1:20161", StoreState::Disconnected);
        let text = render(&[up, silent], now, Style::PLAIN);
        let expected = "\
ID  STATE         ADDRESS          LEADERS  REGIONS     DATA       FREE    SEEN
 1  Up            127.0.0.1:20160        0       36  38.6GiB  64GiB 64%  4s ago
10  Disconnected  127.0.0.1:20161        -        -        -          -       -
";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn measured_sizes_go_before_rounded_ones_and_those_before_none() {
        let mut store = Store::new(1.into(), "a:1", StoreState::Up);
        (store.used_bytes, store.available_bytes) = (Some(1_023 << 20), Some(3 << 30));
        let mut measured = StoreMetrics::new(1.into(), DateTime::UNIX_EPOCH);
        (measured.disk_used_bytes, measured.disk_capacity_bytes) = (Some(1 << 30), Some(4 << 30));
        let text = render_with(&[store], &[measured], DateTime::UNIX_EPOCH, Style::PLAIN);
        assert!(text.contains("  1GiB  3GiB 75% "), "{text}");
    }

    #[test]
    fn no_store_is_said_in_words() {
        assert_eq!(render(&[], DateTime::UNIX_EPOCH, Style::PLAIN), "no stores\n");
    }
}
