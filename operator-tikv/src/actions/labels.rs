//! `set_store_labels`.

use std::collections::BTreeMap;

use operator_core::{Action, Progress, StoreId};
use serde_json::json;

use super::draft::{Draft, found};
use crate::Error;
use crate::pd::PdClient;

type Labels = BTreeMap<String, String>;

pub(super) async fn preview(draft: &mut Draft<'_>, id: StoreId, labels: &Labels) -> Result<(), Error> {
    let Some(info) = draft.store(id).await? else { return Ok(()) };
    let old: BTreeMap<_, _> = labels.keys().map(|key| (key, value(&info.store.labels, key))).collect();
    draft.depends_on(format!("store/{id} labels"), json!(old));
    if has_all(&info.store.labels, labels) {
        draft.already(format!("store {id} has these labels already"));
        return Ok(());
    }
    let changes: Vec<_> = labels
        .iter()
        .map(|(key, new)| match value(&info.store.labels, key) {
            Some(old) => format!("{key}={new} (now {old})"),
            None => format!("{key}={new} (now none)"),
        })
        .collect();
    draft.say(format!("store {id} gets the labels {}", changes.join(", ")));
    match draft.pd.replication_config().await {
        Ok(config) => {
            let spread: Vec<_> = config
                .location_labels
                .iter()
                .filter(|label| labels.keys().any(|key| key.eq_ignore_ascii_case(label)))
                .map(String::as_str)
                .collect();
            if !spread.is_empty() {
                draft.warn(format!("replicas are spread by {}: PD moves them to suit", spread.join(", ")));
            }
        }
        Err(error) => draft.warn(format!("by which labels replicas are spread is not known: {error}")),
    }
    // A label that was not there cannot be taken away again by setting it.
    let before: Option<Labels> =
        old.into_iter().map(|(key, value)| Some((key.clone(), value?.clone()))).collect();
    if let Some(labels) = before {
        draft.undo(Action::SetStoreLabels { store_id: id, labels });
    }
    Ok(())
}

pub(super) async fn progress(pd: &PdClient, id: StoreId, labels: &Labels) -> Result<Progress, Error> {
    let Some(info) = found(pd.store(id).await)? else {
        return Ok(Progress::Failed(format!("there is no store {id} any more")));
    };
    let all: Vec<_> = info.store.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let seen = format!(
        "store {id} has the labels {}",
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    );
    Ok(if has_all(&info.store.labels, labels) { Progress::Done(seen) } else { Progress::Running(seen) })
}

/// PD compares names without case.
fn value<'a>(labels: &'a Labels, key: &str) -> Option<&'a String> {
    labels.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

fn has_all(labels: &Labels, wanted: &Labels) -> bool {
    wanted.iter().all(|(key, new)| value(labels, key) == Some(new))
}
