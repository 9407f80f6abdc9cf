//! `split_region`, `merge_regions`: what changes the ranges of regions.

use operator_core::{Action, Key, Preview, Progress, Region, RegionId, SplitPolicy};

use super::draft::{Draft, found};
use super::region::is_voter;
use super::running;
use crate::Error;
use crate::pd::PdClient;

pub(super) async fn preview_split(
    draft: &mut Draft<'_>,
    region_id: RegionId,
    policy: SplitPolicy,
    keys: &[Key],
) -> Result<(), Error> {
    let Some(region) = draft.region(region_id).await? else { return Ok(()) };
    let where_ = match policy {
        SplitPolicy::Keys if keys.len() == 1 => "at the key".to_owned(),
        SplitPolicy::Keys => format!("at {} keys", keys.len()),
        SplitPolicy::Scan => "in the middle, which is found by reading it".to_owned(),
        _ => "about in the middle".to_owned(),
    };
    draft.say(format!("region {region_id} is split {where_}"));
    if policy == SplitPolicy::Keys {
        let range = region.key_range();
        let outside: Vec<_> = keys
            .iter()
            .filter(|key| !range.contains(key) || **key == range.start_key)
            .map(ToString::to_string)
            .collect();
        let message = if outside.is_empty() {
            format!("all keys lie inside region {region_id}")
        } else {
            format!("not inside region {region_id}: {}", outside.join(", "))
        };
        draft.require("keys_inside_region", outside.is_empty(), message);
    } else if let Some(bytes) = region.approximate_size_bytes.filter(|bytes| *bytes <= 1 << 20) {
        draft.warn(format!(
            "region {region_id} is small ({} KiB): there may be nothing to split",
            bytes >> 10
        ));
    }
    Ok(())
}

pub(super) async fn progress_split(
    pd: &PdClient,
    preview: &Preview,
    region_id: RegionId,
    keys: &[Key],
) -> Result<Progress, Error> {
    let Some(region) = found(pd.region(region_id).await)? else {
        return Ok(Progress::Failed(format!("region {region_id} is gone: it was merged into another")));
    };
    // A split, and nothing else but a merge, raises the version.
    if region.epoch.version <= version(preview, region_id) {
        return Ok(Progress::Running(format!("region {region_id} is not split")));
    }
    for key in keys {
        let starts = found(pd.region_by_key(key).await)?.is_some_and(|region| region.start_key == *key);
        if !starts {
            return Ok(Progress::Running(format!("no region begins at {key}")));
        }
    }
    let end = if region.end_key.is_empty() { "the end".to_owned() } else { region.end_key.to_string() };
    let start =
        if region.start_key.is_empty() { "the beginning".to_owned() } else { region.start_key.to_string() };
    Ok(Progress::Done(format!("region {region_id} is from {start} to {end} now")))
}

pub(super) async fn preview_merge(
    draft: &mut Draft<'_>,
    source: RegionId,
    target: RegionId,
) -> Result<(), Error> {
    let Some(ending) = draft.region(source).await? else { return Ok(()) };
    let Some(growing) = draft.region(target).await? else { return Ok(()) };
    let mib =
        [&ending, &growing].map(|region| region.approximate_size_bytes).into_iter().sum::<Option<u64>>();
    let size = mib.map_or_else(String::new, |bytes| format!(", about {} MiB then", bytes >> 20));
    draft.say(format!("region {source} ends and region {target} takes its keys{size}"));
    let boundary = boundary(&ending, &growing);
    let adjacent = if boundary.is_some() { "are" } else { "are not" };
    draft.require(
        "regions_are_adjacent",
        boundary.is_some(),
        format!("region {source} and region {target} {adjacent} neighbours"),
    );
    whole(draft, &[&ending, &growing]).await;
    if let Some(boundary) = boundary {
        draft.undo(Action::SplitRegion {
            region_id: target,
            policy: SplitPolicy::Keys,
            keys: vec![boundary.clone()],
        });
    }
    Ok(())
}

/// Every replica must be there and up to date: PD merges nothing else.
async fn whole(draft: &mut Draft<'_>, regions: &[&Region]) {
    const NAME: &str = "regions_are_whole";
    let wanted = match draft.pd.replication_config().await {
        Ok(config) => config.max_replicas,
        Err(error) => return draft.unknown(NAME, error),
    };
    let broken: Vec<_> = regions
        .iter()
        .filter(|region| {
            !region.down_peers.is_empty()
                || !region.pending_peers.is_empty()
                || !region.peers.iter().all(|peer| is_voter(peer.role))
                || region.peers.len() as u64 != wanted
        })
        .map(|region| region.id.to_string())
        .collect();
    let message = if broken.is_empty() {
        format!("both have {wanted} replicas that are up to date")
    } else {
        format!("not {wanted} replicas that are up to date: region {}", broken.join(" and region "))
    };
    draft.require(NAME, broken.is_empty(), message);
}

/// The key between two neighbours.
fn boundary<'a>(one: &'a Region, other: &'a Region) -> Option<&'a Key> {
    let between = |left: &'a Region, right: &'a Region| {
        (!left.end_key.is_empty() && left.end_key == right.start_key).then_some(&left.end_key)
    };
    between(one, other).or_else(|| between(other, one))
}

pub(super) async fn progress_merge(
    pd: &PdClient,
    preview: &Preview,
    source: RegionId,
    target: RegionId,
) -> Result<Progress, Error> {
    let (ending, growing) = (found(pd.region(source).await)?, found(pd.region(target).await)?);
    match (ending, growing) {
        (None, Some(growing)) if growing.epoch.version > version(preview, target) => {
            Ok(Progress::Done(format!("region {source} is gone and region {target} has its keys")))
        }
        (_, None) => Ok(Progress::Failed(format!("region {target} is gone: it was merged into another"))),
        (None, Some(_)) => {
            Ok(Progress::Running(format!("region {source} is gone, region {target} as before")))
        }
        (Some(_), Some(_)) => Ok(Progress::Running(format!("region {source} is still there"))),
    }
}

/// The region's version when it was looked at.
fn version(preview: &Preview, region: RegionId) -> u64 {
    running::epoch_at(preview, region).map_or(u64::MAX, |epoch| epoch.version)
}
