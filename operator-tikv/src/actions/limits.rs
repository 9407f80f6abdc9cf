//! `set_store_limit`.

use operator_core::{Action, ErrorKind, Progress, StoreId, StoreLimitKind};

use super::draft::Draft;
use super::request::limit_name;
use crate::Error;
use crate::pd::PdClient;

pub(super) async fn preview(
    draft: &mut Draft<'_>,
    id: StoreId,
    kind: StoreLimitKind,
    rate: f64,
) -> Result<(), Error> {
    let what = limit_name(kind)?;
    if draft.store(id).await?.is_none() {
        return Ok(());
    }
    let old = match limit(draft.pd, id, kind).await {
        Ok(Some(old)) => old,
        Ok(None) => {
            draft.unknown("limit_is_known", format!("PD tells no limits of store {id}"));
            return Ok(());
        }
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            draft.require(
                "limits_are_rates",
                false,
                format!("this PD limits stores in another way: {error}"),
            );
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    draft.depends_on(format!("store/{id} {what} limit"), old);
    if old == rate {
        draft.already(format!("the {what} limit of store {id} is {rate} a minute already"));
        return Ok(());
    }
    draft.say(format!("the {what} limit of store {id} becomes {rate} replicas a minute (now {old})"));
    if rate > 10.0 * old {
        draft
            .warn(format!("that is {:.0} times as many: moving replicas takes disk and network", rate / old));
    }
    draft.undo(Action::SetStoreLimit { store_id: id, kind, rate_per_minute: old });
    Ok(())
}

pub(super) async fn progress(
    pd: &PdClient,
    id: StoreId,
    kind: StoreLimitKind,
    rate: f64,
) -> Result<Progress, Error> {
    let what = limit_name(kind)?;
    Ok(match limit(pd, id, kind).await? {
        Some(now) if now == rate => {
            Progress::Done(format!("the {what} limit of store {id} is {rate} a minute"))
        }
        Some(now) => Progress::Running(format!("the {what} limit of store {id} is {now} a minute")),
        None => Progress::Running(format!("PD tells no limits of store {id}")),
    })
}

async fn limit(pd: &PdClient, id: StoreId, kind: StoreLimitKind) -> Result<Option<f64>, Error> {
    Ok(pd.store_limits().await?.get(&id).map(|limits| match kind {
        StoreLimitKind::AddPeer => limits.add_peer,
        _ => limits.remove_peer,
    }))
}
