//! `operator region`: one region, by its id or by a key it holds.

use std::num::NonZeroUsize;

use operator_core::{Error, ErrorKind, Key, KeyRange, Peer, Region, RegionId, RegionQuery};

use crate::error::Failure;
use crate::output::table::{self, Cell, Column};
use crate::output::text::{self, End};
use crate::output::{Output, Style, Tone};
use crate::session::Session;

/// Show one region, by its id or by a key
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator region 17
  operator region --with-key 7480000000000000FF
  operator region 17 -o json | jq '.peers[].store_id'")]
#[group(required = true, multiple = false)]
pub(crate) struct RegionArgs {
    /// The region's id
    id: Option<RegionId>,
    /// The region that holds this key, as the stores encode it, in hex
    #[arg(long, value_name = "HEX")]
    with_key: Option<Key>,
}

impl RegionArgs {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<(), Failure> {
        let region = match (self.id, self.with_key) {
            (Some(id), _) => session.ask("region", session.subject.region(id)).await?,
            (None, key) => by_key(session, key.unwrap_or_default()).await?,
        };
        output.show(&region, render)
    }
}

/// The only region that overlaps the range which holds nothing but `key`.
pub(super) async fn by_key(session: &Session, key: Key) -> Result<Region, Failure> {
    let mut end = key.as_bytes().to_vec();
    end.push(0);
    let range = KeyRange::new(key.clone(), end.into());
    let query = RegionQuery { page_size: NonZeroUsize::MIN, ..RegionQuery::range(range).limit(1) };
    let mut pages = session.subject.regions(query);
    while let Some(page) = session.next_page(&mut pages).await? {
        if let Some(region) = page.regions.into_iter().find(|region| region.key_range().contains(&key)) {
            return Ok(region);
        }
    }
    Err(Error::new(ErrorKind::NotFound, "region", format!("no region holds the key {key}")).into())
}

pub(super) fn render(region: &Region, style: Style) -> String {
    const COLUMNS: [Column; 4] =
        [Column::Right("PEER"), Column::Right("STORE"), Column::Left("ROLE"), Column::Left("STATE")];
    let flow = |bytes: Option<u64>, keys: Option<u64>| {
        let keys = keys.map_or_else(|| "keys unknown".to_owned(), |keys| format!("{keys} keys"));
        bytes.map_or_else(|| text::UNKNOWN.to_owned(), |bytes| format!("{} ({keys})", text::bytes(bytes)))
    };
    let mut shown = table::render_pairs(&[
        ("Region", region.id.to_string()),
        ("From key", text::key(&region.start_key, End::Start)),
        ("Up to key", text::key(&region.end_key, End::End)),
        (
            "Leader",
            region.leader.map_or_else(
                || "none known".to_owned(),
                |leader| format!("peer {} on store {}", leader.id, leader.store_id),
            ),
        ),
        ("Epoch", format!("conf_ver {}, version {}", region.epoch.conf_ver, region.epoch.version)),
        ("Size", flow(region.approximate_size_bytes, region.approximate_keys)),
        ("Written", flow(region.written_bytes, region.written_keys)),
        ("Read", flow(region.read_bytes, region.read_keys)),
    ]);
    shown.push('\n');
    let rows = region.peers.iter().map(|peer| {
        let (state, tone) = peer_state(region, peer);
        [
            peer.id.to_string().into(),
            peer.store_id.to_string().into(),
            format!("{:?}", peer.role).into(),
            Cell::toned(state, tone),
        ]
    });
    shown.push_str(&table::render(COLUMNS, rows, style));
    shown
}

/// What the leader says of a peer, the worst first.
fn peer_state(region: &Region, peer: &Peer) -> (String, Tone) {
    if let Some(down) = region.down_peers.iter().find(|down| down.peer.id == peer.id) {
        let since = down.down_for.map(text::duration);
        let state = since.map_or_else(|| "down".to_owned(), |since| format!("down for {since}"));
        return (state, Tone::Bad);
    }
    if region.pending_peers.iter().any(|pending| pending.id == peer.id) {
        return ("pending".to_owned(), Tone::Doubtful);
    }
    match region.leader {
        Some(leader) if leader.id == peer.id => ("leader".to_owned(), Tone::Good),
        Some(_) => ("follower".to_owned(), Tone::Good),
        None => (text::UNKNOWN.to_owned(), Tone::Doubtful),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use operator_core::{DownPeer, Epoch, PeerRole};

    use super::*;

    #[test]
    fn a_region_shows_its_peers_and_what_its_leader_says_of_them() {
        let peer =
            |id: u64, store: u64| Peer { id: id.into(), store_id: store.into(), role: PeerRole::Voter };
        let range = KeyRange::new("7480000000000000FF".parse().unwrap(), Key::default());
        let mut region = Region::new(17.into(), range, Epoch { conf_ver: 5, version: 28 });
        region.peers = vec![peer(18, 1), peer(19, 4), peer(20, 5)];
        region.leader = Some(peer(18, 1));
        region.down_peers = vec![DownPeer { peer: peer(19, 4), down_for: Some(Duration::from_secs(700)) }];
        region.pending_peers = vec![peer(19, 4), peer(20, 5)];
        region.approximate_size_bytes = Some(96 << 20);
        region.written_bytes = Some(0);
        region.written_keys = Some(0);
        let expected = "\
Region     17
From key   7480000000000000FF
Up to key  +inf
Leader     peer 18 on store 1
Epoch      conf_ver 5, version 28
Size       96MiB (keys unknown)
Written    0B (0 keys)
Read       -

PEER  STORE  ROLE   STATE
  18      1  Voter  leader
  19      4  Voter  down for 11m
  20      5  Voter  pending
";
        assert_eq!(render(&region, Style::PLAIN), expected);
    }

    #[test]
    fn without_a_leader_no_peer_is_called_a_follower() {
        let mut region = Region::new(2.into(), KeyRange::all(), Epoch::default());
        region.peers = vec![Peer { id: 3.into(), store_id: 1.into(), role: PeerRole::Voter }];
        let text = render(&region, Style::PLAIN);
        assert!(text.contains("Leader     none known\n"), "{text}");
        assert!(text.ends_with("   3      1  Voter  -\n"), "{text}");
    }
}
