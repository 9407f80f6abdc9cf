//! The stores as a table as wide as the screen: what fits least in it is left out first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use operator_core::{Regarding, Severity, Store, StoreId, StoreState, ViolationState};
use ratatui_core::text::Line;

use super::view::{Load, View, by_store, since};
use crate::commands::metrics::{p99, qps};
use crate::output::Tone;
use crate::output::history::History;
use crate::output::text::{self, escaped};

/// How short an address may become.
const SHORT_ADDRESS: usize = 15;

/// A column. The higher its rank, the sooner it is left out.
struct Column {
    title: String,
    right: bool,
    rank: u8,
    cells: Vec<(String, Option<Tone>)>,
}

impl Column {
    fn new(title: impl Into<String>, right: bool, rank: u8) -> Self {
        Self { title: title.into(), right, rank, cells: Vec::new() }
    }

    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|(text, _)| text.chars().count());
        cells.max().unwrap_or_default().max(self.title.chars().count())
    }
}

impl View {
    /// At most `rows` lines of at most `width` cells: the titles, and the stores by their ids, or the worst of them.
    pub(super) fn stores(&self, now: DateTime<Utc>, width: usize, rows: usize) -> Vec<Line<'static>> {
        let Some(seen) = &self.snapshot.observation else { return Vec::new() };
        let all = seen.stores.as_deref().unwrap_or_default();
        if all.is_empty() || rows == 0 {
            return Vec::new();
        }
        let mut stores: Vec<&Store> = all.iter().collect();
        stores.sort_by_key(|store| store.id);
        let mut shown = rows - 1;
        if stores.len() > shown {
            // One line says how many more there are.
            shown = shown.saturating_sub(1);
            let found = self.found();
            stores.sort_by_cached_key(|store| (Reverse(badness(store, &found)), store.id));
        }
        let more = stores.len().saturating_sub(shown);
        stores.truncate(shown);
        let mut columns = self.columns(&stores, now, width);
        fit(&mut columns, width);
        let mut lines = vec![self.titles(&columns)];
        lines.extend((0..stores.len()).map(|row| self.row(&columns, row)));
        if more > 0 {
            let others = if shown == 0 { "" } else { " more" };
            lines.push(self.line(format!("… and {more}{others} stores"), Some(Tone::Doubtful)));
        }
        lines.truncate(rows);
        lines
    }

    /// Of each store the worst that was found: firing, and how bad.
    fn found(&self) -> BTreeMap<StoreId, (ViolationState, Severity)> {
        let mut worst = BTreeMap::new();
        for violation in &self.snapshot.violations {
            if let Regarding::Store(id) = violation.regarding {
                let found = (violation.state, violation.severity);
                let worst = worst.entry(id).or_insert(found);
                *worst = found.max(*worst);
            }
        }
        worst
    }

    fn columns(&self, stores: &[&Store], now: DateTime<Utc>, width: usize) -> Vec<Column> {
        let looks = (width / 10).clamp(8, 40);
        // The bars reach back so far.
        let over = || format!("over {}", text::duration(self.interval * looks as u32));
        let mut columns = vec![
            Column::new("ID", true, 0),
            Column::new("STATE", false, 0),
            Column::new("ADDRESS", false, 2),
            Column::new("QPS", true, 0),
            Column::new(over(), false, 4),
            Column::new("P99", true, 0),
            Column::new(over(), false, 1),
            Column::new("FREE", true, 5),
            Column::new("SEEN", true, 3),
            Column::new("LEADERS", true, 7),
            Column::new("REGIONS", true, 7),
            Column::new("CPU", true, 8),
            Column::new("MEMORY", true, 8),
        ];
        let seen = self.snapshot.observation.as_ref();
        let metrics = seen.map(|seen| by_store(seen)).unwrap_or_default();
        let reassures = self.reassures(now);
        // The bars of all stores that are shown have one scale, so that they can be compared.
        let loads: Vec<_> = stores.iter().map(|store| self.loads.get(&store.id)).collect();
        let most = |history: fn(&Load) -> &History| {
            loads.iter().flatten().filter_map(|load| history(load).max(looks)).reduce(f64::max)
        };
        let (most_qps, most_p99) = (most(|load| &load.qps), most(|load| &load.p99));
        for (store, load) in stores.iter().zip(&loads) {
            let of_store = metrics.get(&store.id).copied();
            let bars = |history: fn(&Load) -> &History, most| {
                load.map(|load| history(load).bars(looks, most)).unwrap_or_default()
            };
            let free = store.available_bytes.zip(store.capacity_bytes);
            let tone = Some(Tone::from(store.state)).filter(|tone| *tone != Tone::Good || reassures);
            let cells = [
                (store.id.to_string(), None),
                (store.state.to_string(), tone),
                (escaped(&store.address).into_owned(), None),
                (qps(of_store), None),
                (bars(|load| &load.qps, most_qps), None),
                (p99(of_store), None),
                (bars(|load| &load.p99, most_p99), None),
                (text::known(free.and_then(|(free, all)| text::percent(free, all))), None),
                (text::known(store.last_heartbeat.map(|at| text::duration(since(at, now)))), None),
                (text::known(store.leader_count), None),
                (text::known(store.region_count), None),
                (text::known(of_store.and_then(|of| of.cpu_cores).map(text::rate)), None),
                (text::known(of_store.and_then(|of| of.memory_bytes).map(text::bytes)), None),
            ];
            for (column, cell) in columns.iter_mut().zip(cells) {
                column.cells.push(cell);
            }
        }
        columns
    }

    fn titles(&self, columns: &[Column]) -> Line<'static> {
        let titles: Vec<_> = columns.iter().map(|column| placed(column, &column.title)).collect();
        self.line(titles.join("  ").trim_end(), Some(Tone::Title))
    }

    fn row(&self, columns: &[Column], row: usize) -> Line<'static> {
        let cells = columns.iter().filter_map(|column| Some((column, column.cells.get(row)?)));
        let spans = cells.flat_map(|(column, (text, tone))| {
            [self.span(placed(column, text), *tone), self.span("  ", None)]
        });
        spans.collect()
    }
}

/// How much a store deserves to be seen.
fn badness(
    store: &Store,
    found: &BTreeMap<StoreId, (ViolationState, Severity)>,
) -> (Option<(ViolationState, Severity)>, u8) {
    let state = match store.state {
        StoreState::Tombstone => 0,
        StoreState::Up => 1,
        StoreState::Offline => 2,
        StoreState::Down => 4,
        _ => 3,
    };
    (found.get(&store.id).copied(), state)
}

/// A cell's text on its side of the column.
fn placed(column: &Column, text: &str) -> String {
    let width = column.width();
    if column.right { format!("{text:>width$}") } else { format!("{text:<width$}") }
}

/// Leaves columns out, and shortens addresses before anything else that a common terminal shows, until the rest fits.
fn fit(columns: &mut Vec<Column>, width: usize) {
    const ADDRESS_SHRINKS: u8 = 6;
    let over = |columns: &[Column]| {
        let total: usize = columns.iter().map(|column| column.width() + 2).sum();
        total.saturating_sub(2).saturating_sub(width)
    };
    for rank in (1..=8).rev() {
        let excess = over(columns);
        if excess == 0 {
            return;
        }
        if rank == ADDRESS_SHRINKS {
            let address = columns.iter_mut().filter(|column| column.title == "ADDRESS");
            address.for_each(|column| {
                let most = column.width().saturating_sub(excess).max(SHORT_ADDRESS);
                column.cells.iter_mut().for_each(|(text, _)| *text = middle_out(text, most));
            });
        }
        columns.retain(|column| column.rank < rank);
    }
}

/// At most `most` characters: names begin, and ports end, with what tells one from another.
fn middle_out(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let tail = most / 3;
    let head = text.chars().take(most.saturating_sub(tail + 1));
    head.chain(['…']).chain(text.chars().skip(count - tail)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_addresses_keep_both_ends() {
        assert_eq!(middle_out("tikv-0:20160", 15), "tikv-0:20160");
        assert_eq!(middle_out("basic-tikv-12.basic-tikv-peer.tidb.svc:20160", 21), "basic-tikv-12…c:20160");
    }
}
