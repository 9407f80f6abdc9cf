//! `transfer_leader`.

use operator_core::{Action, Progress, RegionId, StoreId};
use serde_json::Value;

use super::draft::{Draft, found};
use super::region::{has_voter, is_current};
use crate::Error;
use crate::pd::PdClient;

pub(super) async fn preview(draft: &mut Draft<'_>, region_id: RegionId, to: StoreId) -> Result<(), Error> {
    let Some(region) = draft.region(region_id).await? else { return Ok(()) };
    let leader = region.leader.map(|leader| leader.store_id);
    draft.depends_on(format!("region/{region_id} leader"), leader.map_or(Value::Null, |id| id.0.into()));
    if leader == Some(to) {
        draft.already(format!("store {to} leads region {region_id} already"));
        return Ok(());
    }
    if let Some(from) = leader {
        draft.say(format!("region {region_id} is led by store {to} instead of store {from}"));
        draft.undo(Action::TransferLeader { region_id, to_store_id: from });
    }
    let holds = has_voter(&region, to);
    let holds_text = if holds { "holds a" } else { "holds no" };
    draft.require(
        "target_holds_voter",
        holds,
        format!("store {to} {holds_text} voter of region {region_id}"),
    );
    if holds {
        let current = is_current(&region, to);
        let state = if current { "is up to date" } else { "lags behind or is down" };
        draft.require("target_is_current", current, format!("its peer on store {to} {state}"));
    }
    if draft.target(to).await?.is_some() {
        draft.warn_if_drained(to).await;
    }
    Ok(())
}

pub(super) async fn progress(pd: &PdClient, region_id: RegionId, to: StoreId) -> Result<Progress, Error> {
    let Some(region) = found(pd.region(region_id).await)? else {
        return Ok(Progress::Failed(format!("region {region_id} is gone: it was merged into another")));
    };
    Ok(match region.leader {
        Some(leader) if leader.store_id == to => {
            Progress::Done(format!("store {to} leads region {region_id}"))
        }
        Some(leader) => Progress::Running(format!("store {} leads region {region_id}", leader.store_id)),
        None => Progress::Running(format!("region {region_id} has no leader")),
    })
}
