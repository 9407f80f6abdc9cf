//! `remove_store`, `cancel_remove_store`.

use std::collections::BTreeSet;

use operator_core::{Action, Progress, StoreId, StoreState};

use super::draft::{Draft, found};
use crate::Error;
use crate::pd::{PdClient, StoreInfo};

pub(super) async fn preview_remove(draft: &mut Draft<'_>, id: StoreId) -> Result<(), Error> {
    let Some(info) = draft.store(id).await? else { return Ok(()) };
    let leaving = info.store.state == StoreState::Offline;
    draft.depends_on(format!("store/{id} leaving"), leaving);
    let regions = count(info.store.region_count);
    if leaving {
        draft.already(format!("store {id} is being removed already; it has {regions} regions"));
        return Ok(());
    }
    draft.say(format!(
        "store {id} is taken out of the cluster for good, once its {regions} regions are on others"
    ));
    let mut others = draft.pd.stores().await?;
    others.retain(|other| other.store.id != id);
    stores_left(draft, &info, &others).await;
    room(draft, &info, &others);
    draft.warn(format!(
        "{regions} regions ({}) and {} leaders move away; when that is done the store cannot come back",
        info.store
            .used_bytes
            .map_or_else(|| "of unknown size".to_owned(), |bytes| format!("{} MiB", bytes >> 20)),
        count(info.store.leader_count),
    ));
    draft.undo(Action::CancelRemoveStore { store_id: id });
    Ok(())
}

/// Whether there are stores for as many replicas as the rule wants, and no quorum hangs on the store.
async fn stores_left(draft: &mut Draft<'_>, info: &StoreInfo, others: &[StoreInfo]) {
    let config = match draft.pd.replication_config().await {
        Ok(config) => config,
        Err(error) => {
            draft.unknown("replicas_still_fit", &error);
            return draft.unknown("quorum_survives", error);
        }
    };
    let wanted = config.max_replicas;
    let up: Vec<_> = others.iter().filter(|other| other.store.state == StoreState::Up).collect();
    draft.require(
        "replicas_still_fit",
        up.len() as u64 >= wanted,
        format!("{} other stores are up, and a region has {wanted} replicas", up.len()),
    );
    // Until the replicas have moved, the store and those that do not answer may be all that some region has.
    let silent: Vec<_> = others
        .iter()
        .filter(|other| !matches!(other.store.state, StoreState::Up | StoreState::Offline))
        .map(|other| format!("store {} is {}", other.store.id, other.store.state))
        .collect();
    let survived = wanted.saturating_sub(1) / 2;
    let message = if silent.is_empty() { "all other stores answer".to_owned() } else { silent.join(", ") };
    draft.require("quorum_survives", silent.len() as u64 <= survived.saturating_sub(1), message);
    for label in &config.location_labels {
        let places: BTreeSet<_> = up.iter().filter_map(|other| other.store.labels.get(label)).collect();
        let lost = info.store.labels.get(label).is_some_and(|place| !places.contains(place));
        if lost && (places.len() as u64) < wanted {
            let message = format!(
                "replicas are spread by {label}, of which {} values are left for {wanted} replicas",
                places.len()
            );
            draft.warn(message);
        }
    }
}

/// Whether what the store holds fits on the others.
fn room(draft: &mut Draft<'_>, info: &StoreInfo, others: &[StoreInfo]) {
    const NAME: &str = "data_fits_elsewhere";
    let available = others
        .iter()
        .filter(|other| other.store.state == StoreState::Up)
        .map(|other| other.store.available_bytes)
        .sum::<Option<u64>>();
    let (Some(used), Some(available)) = (info.store.used_bytes, available) else {
        return draft.unknown(NAME, "PD does not know the sizes of all stores");
    };
    let message =
        format!("the store holds {} MiB, and {} MiB are free on others", used >> 20, available >> 20);
    draft.require(NAME, used <= available, message);
}

fn count(count: Option<u64>) -> String {
    count.map_or_else(|| "an unknown number of".to_owned(), |count| count.to_string())
}

pub(super) async fn progress_remove(pd: &PdClient, id: StoreId) -> Result<Progress, Error> {
    let Some(info) = found(pd.store(id).await)? else {
        return Ok(Progress::Done(format!("store {id} is gone")));
    };
    Ok(match info.store.state {
        StoreState::Tombstone => Progress::Done(format!("store {id} has been removed")),
        StoreState::Offline => {
            let regions = count(info.store.region_count);
            Progress::Done(format!("store {id} is Offline; {regions} regions have yet to move away"))
        }
        state => Progress::Running(format!("store {id} is {state}")),
    })
}

pub(super) async fn preview_cancel(draft: &mut Draft<'_>, id: StoreId) -> Result<(), Error> {
    let Some(info) = draft.store(id).await? else { return Ok(()) };
    let leaving = info.store.state == StoreState::Offline;
    draft.depends_on(format!("store/{id} leaving"), leaving);
    if !leaving {
        draft.already(format!("store {id} is not being removed: it is {}", info.store.state));
        return Ok(());
    }
    draft.say(format!("store {id} stays, with {} regions that it has still", count(info.store.region_count)));
    draft.undo(Action::RemoveStore { store_id: id });
    Ok(())
}

pub(super) async fn progress_cancel(pd: &PdClient, id: StoreId) -> Result<Progress, Error> {
    let Some(info) = found(pd.store(id).await)? else {
        return Ok(Progress::Failed(format!("there is no store {id} any more")));
    };
    Ok(match info.store.state {
        StoreState::Tombstone => Progress::Failed(format!("store {id} has been removed")),
        state @ (StoreState::Offline | StoreState::Unknown) => {
            Progress::Running(format!("store {id} is {state}"))
        }
        state => Progress::Done(format!("store {id} is {state}")),
    })
}
