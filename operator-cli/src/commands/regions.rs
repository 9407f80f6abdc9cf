//! `operator regions`: regions as they stream in, however many there are.

use std::num::NonZeroUsize;

use operator_core::{Key, KeyRange, Region, RegionQuery, StoreId};

use crate::error::Failure;
use crate::output::table::{Cell, Column, Table};
use crate::output::text::{self, End};
use crate::output::{Format, Output, Style, Tone};
use crate::session::Session;

/// List the regions in the order of their keys
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator regions --limit 20
  operator regions --store 4
  operator regions -o json | jq -r 'select(.leader == null) | .id'

Rows are printed as they arrive. The table shortens long keys, JSON (one region a line) does not. Ranges of keys that \
no region holds, or several, are told on stderr.")]
pub(crate) struct RegionsArgs {
    /// Only regions with a peer on this store
    #[arg(long, value_name = "ID")]
    store: Option<StoreId>,
    /// Stop after this many regions
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

impl RegionsArgs {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<(), Failure> {
        if let Some(id) = self.store {
            // A store that there is not must not look like one without regions.
            session.ask("store", session.subject.store(id)).await?;
        }
        let limit = self.limit.map(NonZeroUsize::get);
        let query = RegionQuery { store: self.store, limit, ..RegionQuery::all() };
        let mut pages = session.subject.regions(query);
        let mut table = Table::new(COLUMNS, output.style);
        let mut breaks = Breaks::default();
        while let Some(page) = session.next_page(&mut pages).await? {
            match output.format {
                Format::Json => page.regions.iter().try_for_each(|region| output.json_line(region))?,
                Format::Table => output.text(&table.render(page.regions.iter().map(row)))?,
            }
            output.flush()?;
            breaks.tell(output, "no region holds", &page.gaps);
            breaks.tell(output, "more than one region claims", &page.overlaps);
        }
        if output.format == Format::Table && !table.has_rows() {
            output.text("no regions\n")?;
        }
        breaks.sum_up(output);
        output.flush()
    }
}

const COLUMNS: [Column; 7] = [
    Column::Right("ID"),
    Column::Left("FROM"),
    Column::Left("UP TO"),
    Column::Right("LEADER"),
    Column::Left("STORES"),
    Column::Right("SIZE"),
    Column::Left("NOTES"),
];

/// Regions as a table.
pub(super) fn render(regions: &[Region], style: Style) -> String {
    if regions.is_empty() {
        return "no regions\n".to_owned();
    }
    Table::new(COLUMNS, style).render(regions.iter().map(row))
}

fn row(region: &Region) -> [Cell; COLUMNS.len()] {
    let stores: Vec<_> = region.peers.iter().map(|peer| peer.store_id.to_string()).collect();
    let mut notes = Vec::new();
    if region.leader.is_none() {
        notes.push("no leader".to_owned());
    }
    if !region.down_peers.is_empty() {
        notes.push(format!("{} down", region.down_peers.len()));
    }
    if !region.pending_peers.is_empty() {
        notes.push(format!("{} pending", region.pending_peers.len()));
    }
    [
        region.id.to_string().into(),
        text::short_key(&region.start_key, End::Start).into(),
        text::short_key(&region.end_key, End::End).into(),
        text::known(region.leader.map(|leader| leader.store_id)).into(),
        if stores.is_empty() { text::UNKNOWN.to_owned() } else { stores.join(",") }.into(),
        text::known(region.approximate_size_bytes.map(text::bytes)).into(),
        Cell::toned(notes.join(", "), Tone::Doubtful),
    ]
}

/// Gaps and overlaps: the first are told one by one, the rest counted.
#[derive(Default)]
struct Breaks {
    count: usize,
}

impl Breaks {
    const TOLD: usize = 10;

    fn tell(&mut self, output: &mut Output, what: &str, ranges: &[KeyRange]) {
        for range in ranges {
            self.count += 1;
            if self.count <= Self::TOLD {
                let key = |key: &Key, end| text::key(key, end);
                let (from, to) = (key(&range.start_key, End::Start), key(&range.end_key, End::End));
                output.note(&format!("warning: {what} the keys from {from} up to {to}"));
            }
        }
    }

    fn sum_up(&self, output: &mut Output) {
        if self.count > Self::TOLD {
            output.note(&format!("warning: {} more gaps or overlaps", self.count - Self::TOLD));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use operator_core::{Epoch, ErrorKind, InMemorySubject, Peer, PeerRole, Store, StoreState};

    use super::*;
    use crate::output::tests::Written;

    fn region(id: u64, start: &str, end: &str) -> Region {
        let range = KeyRange::new(start.parse().unwrap(), end.parse().unwrap());
        let mut region = Region::new(id.into(), range, Epoch { conf_ver: 1, version: 1 });
        region.peers = [1, 4, 5]
            .map(|store: u64| Peer { id: (id + store).into(), store_id: store.into(), role: PeerRole::Voter })
            .to_vec();
        region.leader = region.peers.first().copied();
        region
    }

    async fn listed(regions: Vec<Region>, args: RegionsArgs, format: Format) -> (String, String) {
        let subject = InMemorySubject::new("demo").with_regions(regions).with_stores([store(9)]);
        let session = Session::over(Arc::new(subject));
        let written = Written::default();
        let notes = Written::default();
        args.run(&session, &mut written.output(format).with_notes(&notes)).await.unwrap();
        (written.text(), notes.text())
    }

    fn store(id: u64) -> Store {
        Store::new(id.into(), "a:1", StoreState::Up)
    }

    const ALL: RegionsArgs = RegionsArgs { store: None, limit: None };

    #[tokio::test]
    async fn rows_have_short_keys_and_notes() {
        let mut broken = region(2, "7480000000000000FF5F7200000000FB", "");
        broken.leader = None;
        broken.pending_peers = broken.peers.clone();
        broken.approximate_size_bytes = Some(96 << 20);
        let whole = region(1, "", "7480000000000000FF5F7200000000FB");
        let (text, notes) = listed(vec![whole, broken], ALL, Format::Table).await;
        let expected = "\
ID  FROM               UP TO              LEADER  STORES   SIZE  NOTES
 1  -inf               74800000…000000FB       1  1,4,5       -
 2  74800000…000000FB  +inf                    -  1,4,5   96MiB  no leader, 3 pending
";
        assert_eq!(text, expected);
        assert_eq!(notes, "");
    }

    #[tokio::test]
    async fn gaps_and_overlaps_are_told_apart_from_the_results() {
        let regions = || vec![region(1, "", "20"), region(2, "10", "30"), region(3, "40", "")];
        let (text, notes) = listed(regions(), ALL, Format::Json).await;
        let read: Vec<Region> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, regions());
        assert!(notes.contains("warning: no region holds the keys from 30 up to 40\n"), "{notes}");
        assert!(
            notes.contains("warning: more than one region claims the keys from 10 up to 20\n"),
            "{notes}"
        );
    }

    #[tokio::test]
    async fn a_store_that_there_is_not_is_not_one_without_regions() {
        let session = Session::over(Arc::new(InMemorySubject::new("demo")));
        let args = RegionsArgs { store: Some(StoreId(9)), limit: None };
        let failure = args.run(&session, &mut Written::default().output(Format::Table)).await.unwrap_err();
        assert!(
            matches!(&failure, Failure::Subject(error) if error.kind == ErrorKind::NotFound),
            "{failure}"
        );
    }

    #[tokio::test]
    async fn no_region_is_said_in_words() {
        assert_eq!(
            listed(
                vec![region(1, "", "")],
                RegionsArgs { store: Some(StoreId(9)), limit: None },
                Format::Table
            )
            .await
            .0,
            "no regions\n"
        );
    }
}
