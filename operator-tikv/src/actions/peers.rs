//! `transfer_peer`, `add_peer`, `remove_peer`.

use operator_core::{Action, Preview, Progress, Region, RegionId, StoreId};
use serde_json::Value;

use super::draft::{Draft, found};
use super::region::{has_peer, has_voter, is_current, is_voter};
use crate::Error;
use crate::pd::PdClient;

pub(super) async fn preview_transfer(
    draft: &mut Draft<'_>,
    region_id: RegionId,
    from: StoreId,
    to: StoreId,
) -> Result<(), Error> {
    let Some(region) = draft.region(region_id).await? else { return Ok(()) };
    if !has_peer(&region, from) && has_voter(&region, to) {
        draft.store(from).await?;
        draft.already(format!(
            "region {region_id} has its replica on store {to} already, and none on store {from}"
        ));
        return Ok(());
    }
    draft.say(format!(
        "the replica of region {region_id} on store {from} moves to store {to}{}",
        size(&region)
    ));
    leaving(draft, &region, from);
    holds_peer(draft, &region, from);
    holds_none(draft, &region, to);
    if let Some(info) = draft.target(to).await? {
        draft.quorum(&region, from, true).await;
        draft.warn_if_full(&info).await;
    }
    if region.leader.is_some_and(|leader| leader.store_id == from) {
        draft.warn(format!("store {from} leads the region: another leads it first"));
    }
    draft.undo(Action::TransferPeer { region_id, from_store_id: to, to_store_id: from });
    Ok(())
}

pub(super) async fn preview_add(
    draft: &mut Draft<'_>,
    region_id: RegionId,
    to: StoreId,
) -> Result<(), Error> {
    let Some(region) = draft.region(region_id).await? else { return Ok(()) };
    if has_voter(&region, to) {
        draft.already(format!("store {to} holds a replica of region {region_id} already"));
        return Ok(());
    }
    draft.say(format!("store {to} gets a replica of region {region_id}{}", size(&region)));
    holds_none(draft, &region, to);
    if let Some(info) = draft.target(to).await? {
        draft.warn_if_full(&info).await;
    }
    draft.replicas(region.peers.len() + 1).await;
    draft.undo(Action::RemovePeer { region_id, store_id: to });
    Ok(())
}

pub(super) async fn preview_remove(
    draft: &mut Draft<'_>,
    region_id: RegionId,
    from: StoreId,
) -> Result<(), Error> {
    let Some(region) = draft.region(region_id).await? else { return Ok(()) };
    if !has_peer(&region, from) {
        draft.store(from).await?;
        draft.already(format!("store {from} holds no replica of region {region_id}"));
        return Ok(());
    }
    leaving(draft, &region, from);
    draft.say(format!("the replica of region {region_id} on store {from} is taken away"));
    draft.quorum(&region, from, false).await;
    draft.replicas(region.peers.len().saturating_sub(1)).await;
    let voters = region.peers.iter().filter(|peer| is_voter(peer.role) && peer.store_id != from).count();
    if voters == 2 {
        draft.warn("with two voters left no failure is survived until there is a third");
    }
    if region.leader.is_some_and(|leader| leader.store_id == from) {
        draft.warn(format!("store {from} leads the region: another leads it first"));
    }
    draft.undo(Action::AddPeer { region_id, store_id: from });
    Ok(())
}

/// Notes which peer goes: PD may soon put another in its place on the same store.
fn leaving(draft: &mut Draft<'_>, region: &Region, store: StoreId) {
    let peer = region.peers.iter().find(|peer| peer.store_id == store);
    draft.depends_on(leaver(region.id), peer.map_or(Value::Null, |peer| peer.id.0.into()));
}

fn leaver(region: RegionId) -> String {
    format!("region/{region} peer that goes")
}

fn holds_peer(draft: &mut Draft<'_>, region: &Region, store: StoreId) {
    let holds = has_peer(region, store);
    let text = if holds { "holds a replica" } else { "holds no replica" };
    draft.require("source_holds_peer", holds, format!("store {store} {text} of region {}", region.id));
}

fn holds_none(draft: &mut Draft<'_>, region: &Region, store: StoreId) {
    let holds = has_peer(region, store);
    let text = if holds { "holds a replica" } else { "holds no replica" };
    draft.require("target_holds_none", !holds, format!("store {store} {text} of region {}", region.id));
}

/// `, about 96 MiB`.
fn size(region: &Region) -> String {
    region.approximate_size_bytes.map_or_else(String::new, |bytes| format!(", about {} MiB", bytes >> 20))
}

/// Where a replica shall be; the peer that shall be gone is noted in the preview.
pub(super) async fn progress(
    pd: &PdClient,
    preview: &Preview,
    region_id: RegionId,
    to: Option<StoreId>,
) -> Result<Progress, Error> {
    let Some(region) = found(pd.region(region_id).await)? else {
        return Ok(Progress::Failed(format!("region {region_id} is gone: it was merged into another")));
    };
    let there = to.is_none_or(|to| has_voter(&region, to) && is_current(&region, to));
    let leaving = preview.basis.get(&leaver(region_id)).and_then(Value::as_u64);
    let gone = !region.peers.iter().any(|peer| Some(peer.id.0) == leaving);
    let stores: Vec<_> = region.peers.iter().map(|peer| peer.store_id.to_string()).collect();
    let seen = format!("region {region_id} has replicas on the stores {}", stores.join(", "));
    Ok(if there && gone { Progress::Done(seen) } else { Progress::Running(seen) })
}
