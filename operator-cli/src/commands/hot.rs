//! `operator hot`: the regions with the most traffic.

use std::num::NonZeroUsize;

use operator_core::{HotKind, HotRegion, HotRegionQuery};

use crate::error::Failure;
use crate::output::table::{self, Cell, Column};
use crate::output::{Output, Style, text};
use crate::session::Session;

/// List the regions with the most traffic
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator hot
  operator hot --by write --top 3
  operator hot -o json | jq 'map(.bytes_per_second) | add'

DEGREE is for how many report intervals the region has been hot.")]
pub(crate) struct HotArgs {
    /// Only reads, or only writes [default: both]
    #[arg(long)]
    by: Option<By>,
    /// At most this many, those with the largest flow in bytes
    #[arg(long, value_name = "N", default_value = "10")]
    top: NonZeroUsize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    Read,
    Write,
}

impl HotArgs {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<(), Failure> {
        let kind = self.by.map(|by| match by {
            By::Read => HotKind::Read,
            By::Write => HotKind::Write,
        });
        let query = HotRegionQuery { kind, top: self.top.get() };
        let hot = session.ask("hot_regions", session.subject.hot_regions(query)).await?;
        output.show(&*hot, render)
    }
}

pub(super) fn render(hot: &[HotRegion], style: Style) -> String {
    const COLUMNS: [Column; 7] = [
        Column::Right("REGION"),
        Column::Right("STORE"),
        Column::Left("KIND"),
        Column::Right("BYTES"),
        Column::Right("KEYS/S"),
        Column::Right("QUERIES/S"),
        Column::Right("DEGREE"),
    ];
    if hot.is_empty() {
        return "no hot regions\n".to_owned();
    }
    let rows = hot.iter().map(|hot| {
        [
            Cell::from(hot.region_id.to_string()),
            hot.store_id.to_string().into(),
            hot.kind.as_str().into(),
            text::bytes_per_second(hot.bytes_per_second).into(),
            text::rate(hot.keys_per_second).into(),
            text::known(hot.queries_per_second.map(text::rate)).into(),
            text::known(hot.hot_degree).into(),
        ]
    });
    table::render(COLUMNS, rows, style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_have_units_and_what_is_not_counted_is_a_dash() {
        let mut hot = HotRegion::new(17.into(), 4.into(), HotKind::Write, 1_572_864.0, 1234.5);
        hot.hot_degree = Some(0);
        let expected = "\
REGION  STORE  KIND      BYTES  KEYS/S  QUERIES/S  DEGREE
    17      4  write  1.5MiB/s    1234          -       0
";
        assert_eq!(render(&[hot], Style::PLAIN), expected);
        assert_eq!(render(&[], Style::PLAIN), "no hot regions\n");
    }
}
