//! `--stats` and `--summary` for people.

use std::fmt::Write as _;

use operator_tikv::log::{RegionSummary, Stats, Summary};

use crate::output::Style;
use crate::output::table::{self, Cell, Column, render_pairs};
use crate::output::text::{self, UNKNOWN, bytes, escaped, shortened};

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

/// Leadership, region by region.
pub(in crate::commands) fn summary(summary: &Summary, style: Style) -> String {
    const COLUMNS: [Column; 6] = [
        Column::Right("REGION"),
        Column::Right("NEW LEADERS"),
        Column::Right("TRANSFERS"),
        Column::Right("ELECTIONS"),
        Column::Right("LONGEST WITHOUT"),
        Column::Left("BETWEEN"),
    ];
    let Some((first, last)) = summary.span() else {
        return "No log tells of leadership.\n".to_owned();
    };
    let regions = summary.regions();
    let rows = regions.iter().map(|region| {
        [
            Cell::from(region.region_id.to_string()),
            region.new_leaders.to_string().into(),
            region.transfers.to_string().into(),
            region.elections.to_string().into(),
            without(region).into(),
            between(region).into(),
        ]
    });
    format!(
        "{} to {}, {} regions\n\n{}",
        text::time(first),
        text::time(last),
        regions.len(),
        table::render(COLUMNS, rows, style)
    )
}

fn without(region: &RegionSummary) -> String {
    match (region.leaderless_since, region.longest_leaderless_seconds) {
        (Some(since), _) => format!("since {}", text::time(since)),
        (None, Some(seconds)) => {
            text::latency(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
        }
        (None, None) => UNKNOWN.to_owned(),
    }
}

/// The moves that were made most.
fn between(region: &RegionSummary) -> String {
    const SHOWN: usize = 3;
    let shown = region.moves.iter().take(SHOWN).map(|moved| match moved.count {
        1 => format!("{} > {}", moved.from, moved.to),
        count => format!("{} > {} ({count} times)", moved.from, moved.to),
    });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if region.moves.len() > SHOWN {
        text.push_str(", …");
    }
    text
}
