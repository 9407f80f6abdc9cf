//! How many regions are not as they should be.
//!
//! PD's own counts are taken where PD can know. It has none of regions without a leader or a quorum, and shows dead
//! stores as leaders: those follow from the voters of each region and the stores that are lost.

use std::collections::BTreeMap;

use futures::future::join_all;
use operator_core::{Region, RegionHealth, RegionId, RegionProblem, RegionQuery, StoreId};
use serde::Deserialize;

use super::assessment::{Assessment, has_lost_quorum, saturating_sum};
use super::regions::Pages;
use super::{PdClient, counts, request};
use crate::Error;
use crate::probe;

/// What PD counts itself.
const COUNTED_BY_PD: [RegionProblem; 6] = [
    RegionProblem::MissPeer,
    RegionProblem::ExtraPeer,
    RegionProblem::DownPeer,
    RegionProblem::PendingPeer,
    RegionProblem::OfflinePeer,
    RegionProblem::LearnerPeer,
];

/// How many regions' surviving replicas are asked whether the loss of their quorum is true.
const WITNESSES: usize = 5;

/// The health of all regions, as far as it can be known.
pub(crate) async fn of(pd: &PdClient, assessment: &Assessment) -> Result<RegionHealth, Error> {
    // The count before the stores' counts: a split in between must not look like a region without a leader.
    let count = pd.region_count().await?;
    let mut health = counted_by_pd(pd, assessment).await;
    let scan = what_to_scan(pd, assessment, count, health.miss_peer).await?;
    health.no_leader = scan.no_leader.known();
    health.quorum_lost = scan.quorum_lost.known();
    if scan.no_leader == Answer::Scan || scan.quorum_lost == Answer::Scan {
        let found = scan_regions(pd, assessment).await?;
        if !contradicted(pd, assessment, &found).await {
            for (problem, answer, count) in [
                (RegionProblem::NoLeader, scan.no_leader, found.no_leader),
                (RegionProblem::QuorumLost, scan.quorum_lost, found.quorum_lost),
            ] {
                if answer == Answer::Scan {
                    health.set_count(problem, Some(count));
                    for id in found.sample.get(&problem).into_iter().flatten() {
                        health.add_sample(problem, *id);
                    }
                }
            }
        }
    }
    if health.quorum_lost.is_none_or(|count| count > 0) {
        // What has no quorum reports to nobody: that PD counts none does not mean that there is none.
        for problem in COUNTED_BY_PD {
            health.set_count(problem, health.count(problem).filter(|count| *count > 0));
        }
    }
    Ok(health)
}

/// PD's own counts, with the ids of some of the regions. None of them while PD warms up: it counts what has reported.
async fn counted_by_pd(pd: &PdClient, assessment: &Assessment) -> RegionHealth {
    if !assessment.warming_up.is_empty() {
        return RegionHealth::default();
    }
    let counted = match pd.members().await {
        Ok(members) => counts::of_leader(pd, members.leader()).await,
        Err(error) => Err(error),
    };
    let mut health = match counted {
        Ok(counted) => counted.unwrap_or_default(),
        Err(error) => {
            tracing::warn!(%error, "PD's counts of regions are not known");
            RegionHealth::default()
        }
    };
    let wanted =
        COUNTED_BY_PD.into_iter().filter(|problem| health.count(*problem).is_some_and(|count| count > 0));
    let samples =
        wanted.map(|problem| async move { (problem, pd.regions_with(problem, RegionHealth::SAMPLE).await) });
    for (problem, ids) in join_all(samples).await {
        match ids {
            Ok(ids) => ids.into_iter().for_each(|id| health.add_sample(problem, id)),
            Err(error) => tracing::debug!(%error, %problem, "no evidence"),
        }
    }
    health
}

/// The problems of which `health` does not say how many regions have them.
pub(crate) fn uncounted(health: &RegionHealth) -> impl Iterator<Item = RegionProblem> + '_ {
    RegionProblem::ALL.into_iter().filter(|problem| health.count(*problem).is_none())
}

/// How a count is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Known(u64),
    Scan,
    Unknown,
}

impl Answer {
    fn known(self) -> Option<u64> {
        if let Self::Known(count) = self { Some(count) } else { None }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Plan {
    no_leader: Answer,
    quorum_lost: Answer,
}

async fn what_to_scan(
    pd: &PdClient,
    assessment: &Assessment,
    region_count: u64,
    miss_peer: Option<u64>,
) -> Result<Plan, Error> {
    let gone = assessment.lost.len() + assessment.unsure.len();
    let max_replicas = if gone == 0 { 0 } else { pd.replication_config().await?.max_replicas };
    Ok(plan(assessment, region_count, miss_peer, max_replicas))
}

fn plan(assessment: &Assessment, region_count: u64, miss_peer: Option<u64>, max_replicas: u64) -> Plan {
    let (lost, unsure) = (assessment.lost.len() as u64, assessment.unsure.len() as u64);
    // Half of a region's voters, or a region that has fewer than it should.
    let matters = |gone: u64| gone > 0 && (gone * 2 >= max_replicas || miss_peer != Some(0));
    let quorum_lost = match (matters(lost), matters(lost + unsure)) {
        (_, false) => Answer::Known(0),
        (true, true) if unsure == 0 => Answer::Scan,
        _ => Answer::Unknown,
    };
    let present = || assessment.stores.iter().filter(|info| !assessment.lost.contains(&info.store.id));
    let led: Option<Vec<u64>> = present().map(|info| info.store.leader_count).collect();
    let no_leader = if !assessment.warming_up.is_empty() || unsure > 0 {
        Answer::Unknown
    } else if quorum_lost != Answer::Scan
        && led.is_some_and(|led| saturating_sum(led.into_iter()) >= region_count)
    {
        // Every region is led by a store that is there.
        Answer::Known(0)
    } else {
        Answer::Scan
    };
    Plan { no_leader, quorum_lost }
}

/// What a walk over all regions found.
#[derive(Debug, Default)]
struct Found {
    no_leader: u64,
    quorum_lost: u64,
    sample: BTreeMap<RegionProblem, Vec<RegionId>>,
    /// Regions without a quorum, with a store that still has a replica.
    survivors: Vec<(RegionId, StoreId)>,
}

impl Found {
    fn look_at(&mut self, region: &Region, lost: &std::collections::BTreeSet<StoreId>) {
        let quorum_lost = has_lost_quorum(region, lost);
        // What has lost its quorum has no leader for longer than a lease, whatever PD remembers.
        let led = !quorum_lost && region.leader.is_some_and(|leader| !lost.contains(&leader.store_id));
        let mut note = |problem| {
            let sample = self.sample.entry(problem).or_default();
            if sample.len() < RegionHealth::SAMPLE {
                sample.push(region.id);
            }
        };
        if !led {
            note(RegionProblem::NoLeader);
            self.no_leader += 1;
        }
        if quorum_lost {
            note(RegionProblem::QuorumLost);
            self.quorum_lost += 1;
            if self.survivors.len() < WITNESSES
                && let Some(peer) = region.peers.iter().find(|peer| !lost.contains(&peer.store_id))
            {
                self.survivors.push((region.id, peer.store_id));
            }
        }
    }
}

async fn scan_regions(pd: &PdClient, assessment: &Assessment) -> Result<Found, Error> {
    let mut lost = assessment.lost.clone();
    // Only a store that was removed by force leaves replicas behind.
    lost.extend(pd.removed_stores().await?.iter().map(|info| info.store.id));
    let mut found = Found::default();
    let mut pages = Pages::new(pd.clone(), RegionQuery::all());
    while let Some(page) = pages.step().await? {
        page.regions.iter().for_each(|region| found.look_at(region, &lost));
    }
    Ok(found)
}

/// What a store knows of one of its replicas: `GET /region/{id}` at its status port.
#[derive(Deserialize)]
struct Replica {
    raft_status: RaftStatus,
}

#[derive(Deserialize)]
struct RaftStatus {
    soft_state: SoftState,
}

#[derive(Deserialize)]
struct SoftState {
    leader_id: u64,
}

/// Whether the replicas that are left deny that their quorum is lost: then the stores that do not answer here answer
/// each other, and it is the way from here to them that is broken. One that confirms it is believed.
async fn contradicted(pd: &PdClient, assessment: &Assessment, found: &Found) -> bool {
    let limits = probe::limits(pd.http());
    let asked = found.survivors.iter().filter_map(|(region, store)| {
        let info = assessment.stores.iter().find(|info| info.store.id == *store)?;
        let endpoint = probe::status_endpoint(pd.http(), &info.store)?;
        let (limits, path) = (&limits, request::store_region(*region));
        Some(async move { pd.http().get_from(&endpoint, &path, limits).await?.json::<Replica>() })
    });
    let answers: Vec<_> = join_all(asked).await.into_iter().filter_map(Result::ok).collect();
    let denied =
        !answers.is_empty() && answers.iter().all(|replica| replica.raft_status.soft_state.leader_id != 0);
    if denied {
        tracing::warn!("stores that do not answer here still form quorums: what is lost is not known");
    }
    denied
}

#[cfg(test)]
mod tests;
