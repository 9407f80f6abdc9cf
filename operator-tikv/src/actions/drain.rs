//! `drain_store`, `undrain_store`.

use operator_core::{Action, Progress, StoreId, StoreState};

use super::draft::{Draft, found};
use crate::Error;
use crate::pd::PdClient;

pub(super) async fn preview_drain(draft: &mut Draft<'_>, id: StoreId) -> Result<(), Error> {
    let Some(info) = draft.store(id).await? else { return Ok(()) };
    let state = info.store.state;
    let alive = matches!(state, StoreState::Up | StoreState::Disconnected | StoreState::Offline);
    draft.require("store_is_alive", alive, format!("store {id} is {state}"));
    if state == StoreState::Disconnected {
        draft.warn(format!("PD does not hear from store {id}: its leaders move only once it does"));
    }
    let drained = draft.pd.evicted_stores().await?;
    draft.depends_on(format!("store/{id} drained"), drained.contains(&id));
    let leaders = info.store.leader_count;
    let count = leaders.map_or_else(|| "its".to_owned(), |count| count.to_string());
    if drained.contains(&id) {
        draft.already(format!("store {id} is drained already; it has {count} leaders"));
        return Ok(());
    }
    draft.say(format!("{count} leaders move away from store {id}, and none comes back until undrain_store"));
    let others: Vec<_> = draft
        .pd
        .stores()
        .await?
        .into_iter()
        .filter(|other| {
            other.store.id != id && other.store.state == StoreState::Up && !drained.contains(&other.store.id)
        })
        .collect();
    let message = format!("{} other stores are up and may lead", others.len());
    draft.require("leaders_can_move", !others.is_empty(), message);
    if let (Some(leaders), false) = (leaders, others.is_empty()) {
        let more = leaders.div_ceil(others.len() as u64);
        draft.warn(format!("{leaders} leaders move: about {more} to each of {} other stores", others.len()));
    }
    if !drained.is_empty() {
        let list: Vec<_> = drained.iter().map(ToString::to_string).collect();
        draft.warn(format!("other stores are drained too: {}", list.join(", ")));
    }
    draft.undo(Action::UndrainStore { store_id: id });
    Ok(())
}

pub(super) async fn progress_drain(pd: &PdClient, id: StoreId) -> Result<Progress, Error> {
    let Some(info) = found(pd.store(id).await)? else {
        return Ok(Progress::Failed(format!("there is no store {id} any more")));
    };
    if !pd.evicted_stores().await?.contains(&id) {
        return Ok(Progress::Running(format!("PD does not list store {id} among those that are drained")));
    }
    Ok(match info.store.leader_count {
        Some(0) => Progress::Done(format!("store {id} is drained and leads no region")),
        Some(count) => Progress::Running(format!("store {id} is drained and leads {count} regions still")),
        None => Progress::Running(format!("store {id} is drained; how many regions it leads is not known")),
    })
}

pub(super) async fn preview_undrain(draft: &mut Draft<'_>, id: StoreId) -> Result<(), Error> {
    if draft.store(id).await?.is_none() {
        return Ok(());
    }
    let drained = draft.pd.evicted_stores().await?.contains(&id);
    draft.depends_on(format!("store/{id} drained"), drained);
    if !drained {
        draft.already(format!("store {id} is not drained"));
        return Ok(());
    }
    draft.say(format!("store {id} may lead again; PD moves leaders to it as its balance wants"));
    draft.undo(Action::DrainStore { store_id: id });
    Ok(())
}

pub(super) async fn progress_undrain(pd: &PdClient, id: StoreId) -> Result<Progress, Error> {
    if pd.evicted_stores().await?.contains(&id) {
        return Ok(Progress::Running(format!("store {id} is still drained")));
    }
    Ok(Progress::Done(format!("store {id} may lead")))
}
