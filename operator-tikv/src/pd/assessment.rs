//! Which stores are lost, and whether PD knows what it says: what PD's answers are worth at the moment.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use operator_core::{Peer, PeerRole, Region, StoreId, StoreState};

use super::types::StoreInfo;
use super::{PdClient, request, wire};
use crate::Error;
use crate::probe::{self, Probe};

/// After this time without a heartbeat PD calls a store `Disconnected`, unless it is called `Offline`.
const HEARTBEAT_LATE: TimeDelta = TimeDelta::seconds(20);

/// How many regions are looked at to see whether their leaders have reported to this leader of PD.
const SAMPLED: usize = 64;

/// A region of which a leader has reported to this leader of PD is at least this large.
const SMALLEST_REGION_BYTES: u64 = 1 << 20;

/// More regions than this without a leader, in percent, are not an accident: PD itself begins to schedule when nine of
/// ten have reported.
const LEADERLESS_PERCENT: u64 = 10;

/// The same of regions without a size. A cluster that moves its data about has a few: a leader that has just come to a
/// store does not know the size yet (13 % were seen while a store was removed).
const SIZELESS_PERCENT: u64 = 25;

/// What PD's answers are worth at one moment.
#[derive(Debug)]
pub(crate) struct Assessment {
    pub(crate) stores: Vec<StoreInfo>,
    /// What came of asking the stores that are in doubt.
    pub(crate) probes: BTreeMap<StoreId, Probe>,
    /// Stores that hold replicas that nobody can use.
    pub(crate) lost: BTreeSet<StoreId>,
    /// Stores of which that cannot be told.
    pub(crate) unsure: BTreeSet<StoreId>,
    /// What shows that PD's leader has not heard from everybody yet; empty if nothing does.
    pub(crate) warming_up: Vec<String>,
}

impl Assessment {
    /// The stores in doubt are asked, and some of the regions looked at.
    pub(crate) async fn of(pd: &PdClient, stores: Vec<StoreInfo>, now: DateTime<Utc>) -> Result<Self, Error> {
        let doubtful = stores.iter().filter(|info| is_in_doubt(info, now)).map(|info| &info.store);
        let (probes, sample) = tokio::join!(probe::probe(pd.http(), doubtful), sample(pd));
        let (mut lost, mut unsure) = (BTreeSet::new(), BTreeSet::new());
        for info in &stores {
            match is_lost(info, probes.get(&info.store.id).copied()) {
                Some(true) => drop(lost.insert(info.store.id)),
                Some(false) => {}
                None => drop(unsure.insert(info.store.id)),
            }
        }
        let warming_up = signs_of_warming_up(&stores, &lost, &sample?);
        Ok(Self { stores, probes, lost, unsure, warming_up })
    }
}

/// Whether PD's word on this store is not enough.
fn is_in_doubt(info: &StoreInfo, now: DateTime<Utc>) -> bool {
    match info.store.state {
        StoreState::Up | StoreState::Tombstone => false,
        StoreState::Offline => info.store.last_heartbeat.is_none_or(|at| now - at > HEARTBEAT_LATE),
        _ => true,
    }
}

/// Whether what the store holds is out of reach; `None` if that cannot be told.
fn is_lost(info: &StoreInfo, probe: Option<Probe>) -> Option<bool> {
    let answers = match probe {
        Some(Probe::Answers) => Some(true),
        Some(Probe::Refused | Probe::Silent) => Some(false),
        Some(Probe::Unknown) | None => None,
    };
    match info.store.state {
        StoreState::Up => Some(false),
        StoreState::Tombstone => Some(true),
        // Half an hour without a heartbeat, unless this leader only repeats what an earlier one knew.
        StoreState::Down => Some(info.heard_by_leader || answers != Some(true)),
        // Not in doubt: it is being removed and lives.
        StoreState::Offline if probe.is_none() => Some(false),
        _ => answers.map(|answers| !answers),
    }
}

/// The first regions.
async fn sample(pd: &PdClient) -> Result<Vec<Region>, Error> {
    let path = request::regions(&operator_core::Key::default(), &operator_core::Key::default(), SAMPLED);
    let page: wire::RegionPage<Region> = pd.http().get(&path).await?.json()?;
    Ok(page.regions)
}

/// What shows that PD's leader has not heard from everybody since it started or came to lead.
fn signs_of_warming_up(stores: &[StoreInfo], lost: &BTreeSet<StoreId>, sample: &[Region]) -> Vec<String> {
    let mut signs = Vec::new();
    let present = || stores.iter().filter(|info| !lost.contains(&info.store.id));
    for info in present().filter(|info| !info.heard_by_leader && info.store.state != StoreState::Tombstone) {
        signs.push(format!("PD's leader has had no heartbeat from store {} yet", info.store.id));
    }
    // A region without a quorum reports to nobody, however long PD has been up.
    let able: Vec<_> = sample.iter().filter(|region| !has_lost_quorum(region, lost)).collect();
    let exceeds = |part: usize, percent: u64| part as u64 * 100 > able.len() as u64 * percent;
    let leaderless = able.iter().filter(|region| region.leader.is_none()).count();
    let sizeless = able.iter().filter(|region| region.approximate_size_bytes.is_none()).count();
    if exceeds(leaderless, LEADERLESS_PERCENT) || exceeds(sizeless, SIZELESS_PERCENT) {
        let (silent, of) = (leaderless.max(sizeless), able.len());
        signs.push(format!("of {of} regions {silent} have not reported to PD's leader yet"));
    }
    let replicas = saturating_sum(present().filter_map(|info| info.store.region_count));
    let bytes = saturating_sum(present().filter_map(|info| info.region_size_bytes));
    let least = replicas.saturating_mul(SMALLEST_REGION_BYTES) / 100 * (100 - SIZELESS_PERCENT);
    if lost.is_empty() && bytes < least {
        signs.push(format!("PD's leader does not know the size of most of {replicas} replicas yet"));
    }
    signs
}

/// Counts come from outside, and need not fit together.
pub(super) fn saturating_sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// Whether the voters that are left are no majority, in either of the two sets while they change.
pub(super) fn has_lost_quorum(region: &Region, lost: &BTreeSet<StoreId>) -> bool {
    let majority_lost = |votes: fn(&Peer) -> bool| {
        let voters = || region.peers.iter().filter(|peer| votes(peer));
        let left = voters().filter(|peer| !lost.contains(&peer.store_id)).count();
        voters().count() > 0 && left * 2 <= voters().count()
    };
    majority_lost(|peer| matches!(peer.role, PeerRole::Voter | PeerRole::IncomingVoter))
        || majority_lost(|peer| matches!(peer.role, PeerRole::Voter | PeerRole::DemotingVoter))
}

#[cfg(test)]
mod tests;
