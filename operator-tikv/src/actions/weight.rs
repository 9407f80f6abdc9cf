//! `set_store_weight`.

use operator_core::{Action, Progress, StoreId};
use serde_json::json;

use super::draft::{Draft, found};
use crate::Error;
use crate::pd::{PdClient, StoreInfo};

pub(super) async fn preview(
    draft: &mut Draft<'_>,
    id: StoreId,
    leader: f64,
    region: f64,
) -> Result<(), Error> {
    let Some(info) = draft.store(id).await? else { return Ok(()) };
    let Some((old_leader, old_region)) = weights(&info) else {
        draft.unknown("weights_are_known", format!("PD does not tell the weights of store {id}"));
        return Ok(());
    };
    draft.depends_on(format!("store/{id} weights"), json!({"leader": old_leader, "region": old_region}));
    if (old_leader, old_region) == (leader, region) {
        draft.already(format!("store {id} has these weights already"));
        return Ok(());
    }
    draft.say(format!(
        "store {id} counts {leader} for leaders (now {old_leader}) and {region} for replicas (now {old_region})"
    ));
    for (what, weight) in [("leaders", leader), ("replicas", region)] {
        if weight == 0.0 {
            draft.warn(format!("with the weight 0 balance moves all {what} away from store {id}"));
        }
    }
    draft.undo(Action::SetStoreWeight { store_id: id, leader_weight: old_leader, region_weight: old_region });
    Ok(())
}

pub(super) async fn progress(
    pd: &PdClient,
    id: StoreId,
    leader: f64,
    region: f64,
) -> Result<Progress, Error> {
    let Some(info) = found(pd.store(id).await)? else {
        return Ok(Progress::Failed(format!("there is no store {id} any more")));
    };
    Ok(match weights(&info) {
        Some(now) if now == (leader, region) => {
            Progress::Done(format!("store {id} counts {leader} for leaders and {region} for replicas"))
        }
        Some((leader, region)) => {
            Progress::Running(format!("store {id} counts {leader} for leaders and {region} for replicas"))
        }
        None => Progress::Running(format!("PD does not tell the weights of store {id}")),
    })
}

fn weights(info: &StoreInfo) -> Option<(f64, f64)> {
    info.leader_weight.zip(info.region_weight)
}
