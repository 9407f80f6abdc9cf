//! Whether regions come whole, once, in order, and as asked for.

use std::collections::BTreeSet;

use super::probe::{Findings, Probe, Skip, Streamed, doubles};
use crate::{
    ErrorKind, HotKind, HotRegionQuery, Key, KeyRange, Operation, Peer, Region, RegionHealth, RegionPage,
    RegionProblem, RegionQuery,
};

/// How many regions are read at most, and how many are asked for one by one.
const REGIONS: usize = 2_500;
const SAMPLE: usize = 8;

fn paged(query: RegionQuery, page_size: usize, limit: usize) -> RegionQuery {
    let page_size = page_size.try_into().unwrap_or(RegionQuery::DEFAULT_PAGE_SIZE);
    RegionQuery { page_size, ..query.limit(limit) }
}

pub(super) async fn regions_are_in_order(probe: Probe<'_>) -> Findings {
    let mut findings = BTreeSet::new();
    // Large pages as they are used, and small ones so that there is more than one.
    for query in [paged(RegionQuery::all(), 1_000, REGIONS), paged(RegionQuery::all(), 2, 16)] {
        let read = probe.stream(query).await?;
        findings.extend(disorder(&read));
    }
    Ok(findings.into_iter().collect())
}

/// What is wrong with the order of regions that were read from the beginning of the key space.
fn disorder(read: &Streamed) -> Vec<String> {
    let mut findings: Vec<_> = doubles(read.regions().map(|region| region.id))
        .into_iter()
        .map(|id| format!("region {id} comes twice"))
        .collect();
    if read.endless {
        findings.push("page after page comes without a region".to_owned());
    }
    let mut last: Option<&Region> = None;
    // Behind the last key that any region holds; `None` for the end of the key space.
    let mut reached = Some(Key::default());
    for page in &read.pages {
        for region in &page.regions {
            let range = region.key_range();
            if range.is_empty() {
                findings.push(format!("region {} holds no key", region.id));
            }
            if let Some(last) = last.filter(|last| last.start_key > region.start_key) {
                findings.push(format!("region {} comes after {}, which is behind it", region.id, last.id));
            } else {
                findings.extend(break_between(page, reached.as_ref(), region));
            }
            if page.gaps.iter().any(|gap| intersects(gap, &range)) {
                findings.push(format!("region {} lies in what is reported as a gap", region.id));
            }
            reached =
                reached.filter(|_| !region.end_key.is_empty()).map(|key| key.max(region.end_key.clone()));
            last = Some(region);
        }
    }
    if let Some(reached) = reached.filter(|_| read.whole) {
        let rest = KeyRange::new(reached, Key::default());
        if !read.pages.iter().flat_map(|page| &page.gaps).any(|gap| covers(gap, &rest)) {
            findings.push(format!(
                "no region holds the keys behind {:?}, and no gap is reported",
                rest.start_key
            ));
        }
    }
    findings
}

/// A gap or an overlap between the regions so far and this one, unless the page reports it.
fn break_between(page: &RegionPage, reached: Option<&Key>, region: &Region) -> Option<String> {
    match reached {
        Some(reached) if *reached < region.start_key => {
            let gap = KeyRange::new(reached.clone(), region.start_key.clone());
            (!page.gaps.iter().any(|reported| covers(reported, &gap)))
                .then(|| format!("the gap before region {} is not reported", region.id))
        }
        Some(reached) if *reached == region.start_key => None,
        _ => (!page.overlaps.iter().any(|overlap| intersects(overlap, &region.key_range())))
            .then(|| format!("region {} overlaps those before it, and that is not reported", region.id)),
    }
}

pub(super) async fn regions_obey_the_query(probe: Probe<'_>) -> Findings {
    let all = probe.stream(paged(RegionQuery::all(), 1_000, REGIONS)).await?;
    let regions: Vec<_> = all.regions().collect();
    let mut findings = Vec::new();

    let few = probe.stream(paged(RegionQuery::all(), 2, 5)).await?;
    if let Some(page) = few.pages.iter().find(|page| page.regions.len() > 2) {
        findings.push(format!("a page of at most 2 has {} regions", page.regions.len()));
    }
    let (count, expected) = (few.regions().count(), regions.len().min(5));
    if count != expected {
        findings.push(format!("a limit of 5 gave {count} regions of {}", regions.len()));
    }

    // From within the first third to the last, so that both ends cut something off.
    let third = regions.len() / 3;
    if let (Some(first), Some(last)) = (regions.get(third), regions.get(2 * third)) {
        let range = KeyRange::new(within(first), last.end_key.clone());
        let expected = regions.iter().filter(|region| intersects(&range, &region.key_range()));
        let query = paged(RegionQuery::range(range.clone()), 1_000, REGIONS);
        findings.extend(differences(&format!("{range:?}"), expected, &probe.stream(query).await?));
    }
    // Whether a limit cuts off a store's regions cannot be told from the regions behind it.
    if let Some(store) = regions.first().and_then(|region| region.peers.first()).map(|peer| peer.store_id)
        && all.whole
    {
        let expected = regions.iter().filter(|region| region.peers.iter().any(|peer| peer.store_id == store));
        let query = paged(RegionQuery::all().of_store(store), 1_000, REGIONS);
        findings.extend(differences(&format!("store {store}"), expected, &probe.stream(query).await?));
    }
    Ok(findings)
}

/// A key in the region that is, if possible, not its first.
fn within(region: &Region) -> Key {
    let mut inside = region.start_key.as_bytes().to_vec();
    inside.push(0);
    let inside = Key::from(inside);
    if region.key_range().contains(&inside) { inside } else { region.start_key.clone() }
}

fn differences<'a>(
    what: &str,
    expected: impl Iterator<Item = &'a &'a Region>,
    read: &Streamed,
) -> Vec<String> {
    let expected: BTreeSet<_> = expected.map(|region| region.id).collect();
    let given: BTreeSet<_> = read.regions().map(|region| region.id).collect();
    let missing =
        expected.difference(&given).map(|id| format!("region {id} belongs to {what} and is missing"));
    let surplus = given.difference(&expected).map(|id| format!("region {id} does not belong to {what}"));
    missing.chain(surplus).take(SAMPLE).collect()
}

pub(super) async fn regions_have_their_peers(probe: Probe<'_>) -> Findings {
    let read = probe.stream(paged(RegionQuery::all(), 1_000, REGIONS)).await?;
    let peers = || read.regions().flat_map(|region| &region.peers);
    let mut findings: Vec<_> = doubles(peers().map(|peer| peer.id))
        .into_iter()
        .map(|id| format!("two peers have the id {id}"))
        .collect();
    for region in read.regions() {
        let id = region.id;
        let is_peer = |other: &Peer| {
            region.peers.iter().any(|peer| (peer.id, peer.store_id) == (other.id, other.store_id))
        };
        if let Some(leader) = region.leader.filter(|leader| !is_peer(leader)) {
            findings.push(format!("the leader of region {id}, {leader:?}, is none of its peers"));
        }
        if let Some(down) = region.down_peers.iter().find(|down| !is_peer(&down.peer)) {
            findings.push(format!("peer {} of region {id} is down and none of its peers", down.peer.id));
        }
        if let Some(pending) = region.pending_peers.iter().find(|pending| !is_peer(pending)) {
            findings.push(format!("peer {} of region {id} is pending and none of its peers", pending.id));
        }
    }
    for store in probe.unknown_stores(peers().map(|peer| peer.store_id)).await {
        findings.push(format!("there are peers on store {store}, which does not exist"));
    }
    Ok(findings)
}

pub(super) async fn region_agrees_with_regions(probe: Probe<'_>) -> Findings {
    let read = probe.stream(paged(RegionQuery::all(), 1_000, REGIONS)).await?;
    let regions: Vec<_> = read.regions().collect();
    if !probe.answers(Operation::Region).await {
        return Err(Skip("region is not declared, or did not answer".to_owned()));
    }
    let mut findings = Vec::new();
    for listed in regions.iter().step_by(regions.len().div_ceil(SAMPLE).max(1)) {
        let id = listed.id;
        match probe.within(probe.subject.region(id)).await {
            Ok(found) if found.id != id => findings.push(format!("asked for region {id}, got {}", found.id)),
            Ok(found) if found.epoch != listed.epoch => {}
            Ok(found) if found.key_range() != listed.key_range() => {
                findings.push(format!("region {id} has another range when asked for alone"));
            }
            Ok(found) if peers(&found) != peers(listed) => {
                findings.push(format!("region {id} has other peers when asked for alone"));
            }
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::NotFound => {
                findings.push(format!("region {id} is listed and was not found"));
            }
            Err(error) => findings.push(format!("region {id} is listed and answered {}", error.kind)),
        }
    }
    Ok(findings)
}

fn peers(region: &Region) -> BTreeSet<(u64, u64)> {
    region.peers.iter().map(|peer| (peer.id.0, peer.store_id.0)).collect()
}

pub(super) async fn hot_regions_are_ranked(probe: Probe<'_>) -> Findings {
    let mut findings = Vec::new();
    for kind in [None, Some(HotKind::Read), Some(HotKind::Write)] {
        for top in [0, 1, 100] {
            let query = HotRegionQuery { kind, top };
            let hot = probe.ask(Operation::HotRegions, probe.subject.hot_regions(query)).await?;
            if hot.len() > top {
                findings.push(format!("{} hot regions instead of at most {top}", hot.len()));
            }
            if let Some(other) = hot.iter().find(|hot| kind.is_some_and(|kind| hot.kind != kind)) {
                findings.push(format!(
                    "region {} is hot by {}, which was not asked for",
                    other.region_id, other.kind
                ));
            }
            if !hot.is_sorted_by(|a, b| a.bytes_per_second.total_cmp(&b.bytes_per_second).is_ge()) {
                findings.push("hot regions are not in the order of their flow".to_owned());
            }
            for hot in &hot {
                let flows =
                    [hot.bytes_per_second, hot.keys_per_second, hot.queries_per_second.unwrap_or(0.0)];
                if let Some(flow) = flows.iter().find(|flow| !flow.is_finite() || **flow < 0.0) {
                    findings.push(format!("a flow of hot region {} is {flow}", hot.region_id));
                }
            }
        }
    }
    findings.dedup();
    Ok(findings)
}

pub(super) async fn region_health_has_evidence(probe: Probe<'_>) -> Findings {
    let health = probe.ask(Operation::RegionHealth, probe.subject.region_health()).await?;
    let mut findings = Vec::new();
    for problem in RegionProblem::ALL {
        let sample = health.sample.get(&problem).map_or(&[][..], Vec::as_slice);
        if sample.len() > RegionHealth::SAMPLE {
            findings.push(format!("{} regions are named as {problem}", sample.len()));
        }
        for id in doubles(sample) {
            findings.push(format!("region {id} is named twice as {problem}"));
        }
        // Count and evidence may be taken one after the other, so only what cannot be is refused.
        if health.count(problem) == Some(0) && !sample.is_empty() {
            findings.push(format!("{} regions are named as {problem} of 0", sample.len()));
        }
    }
    Ok(findings)
}

/// Whether the ranges have a key in common.
fn intersects(a: &KeyRange, b: &KeyRange) -> bool {
    a.ends_behind(&b.start_key) && b.ends_behind(&a.start_key)
}

/// Whether every key of `inner` lies in `outer`.
fn covers(outer: &KeyRange, inner: &KeyRange) -> bool {
    let ends_behind =
        outer.end_key.is_empty() || (!inner.end_key.is_empty() && inner.end_key <= outer.end_key);
    outer.start_key <= inner.start_key && ends_behind
}
