//! `--stats` for people.

use std::fmt::Write as _;

use operator_tikv::log::Stats;

use crate::output::Style;
use crate::output::table::{self, Cell, Column, render_pairs};
use crate::output::text::{bytes, escaped, shortened};

/// How many regions and minutes are shown.
const SHOWN: usize = 10;

/// What is in some files.
pub(super) fn stats(stats: &Stats, style: Style) -> String {
    let mut pairs = vec![
        ("Files", stats.files.to_string()),
        ("Lines", format!("{}, {}", stats.lines, bytes(stats.bytes))),
        ("Entries", stats.entries.to_string()),
        ("Continuation", format!("{} lines of entries", stats.continuation)),
        ("Unparsed", format!("{} lines", stats.unparsed)),
        ("Cut", format!("{} lines over 1 MiB", stats.cut)),
    ];
    pairs.extend(stats.levels.iter().map(|(level, count)| (level.as_str(), count.to_string())));
    let mut text = render_pairs(&pairs);
    if !stats.examples.is_empty() {
        text.push_str("\nThe first lines that could not be parsed:\n");
        for example in &stats.examples {
            let line = example.line.map(|line| format!(":{line}")).unwrap_or_default();
            let start = escaped(&example.text);
            let _ = writeln!(
                text,
                "  {}{line}: byte {}: expected {}: {}",
                escaped(&example.file),
                example.at,
                example.expected,
                shortened(&start, 60)
            );
        }
    }
    if !stats.leadership.is_empty() {
        let rows = stats
            .leadership
            .iter()
            .map(|(kind, count)| [Cell::from(kind.as_str()), count.to_string().into()]);
        text.push('\n');
        text.push_str(&table::render([Column::Left("LEADERSHIP"), Column::Right("EVENTS")], rows, style));
    }
    let regions = stats.leaders_by_region.iter().map(|(region, count)| (region.to_string(), *count));
    text.push_str(&most("REGION", "NEW LEADERS", regions.collect(), style));
    let minutes = stats.leaders_by_minute.iter().map(|(minute, count)| (minute.clone(), *count));
    text.push_str(&most("MINUTE", "NEW LEADERS", minutes.collect(), style));
    text
}

/// The ones with the most.
fn most(title: &'static str, count: &'static str, mut all: Vec<(String, u64)>, style: Style) -> String {
    if all.is_empty() {
        return String::new();
    }
    // Stable: those with as many stay in order.
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rows = all.iter().take(SHOWN).map(|(name, count)| [Cell::from(name), count.to_string().into()]);
    let mut text = format!("\n{}", table::render([Column::Left(title), Column::Right(count)], rows, style));
    if let Some(more) = all.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "and {more} more, with -o json");
    }
    text
}
