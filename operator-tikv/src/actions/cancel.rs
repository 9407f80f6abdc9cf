//! `cancel_scheduling_operator`.

use operator_core::{Preview, Progress, RegionId};
use serde_json::Value;

use super::draft::{Draft, found};
use super::running::identity;
use crate::Error;
use crate::pd::{OperatorState, OperatorStatus, PdClient};

pub(super) async fn preview(draft: &mut Draft<'_>, region: RegionId) -> Result<(), Error> {
    if found(draft.pd.region(region).await)?.is_none() {
        draft.require(
            "region_exists",
            false,
            format!("there is no region {region}; it may have been merged"),
        );
        return Ok(());
    }
    let status = draft.pd.operator_status(region).await?.filter(OperatorStatus::is_running);
    draft.depends_on(key(region), status.as_ref().map_or(Value::Null, identity));
    let Some(status) = status else {
        draft.already(format!("PD runs nothing on region {region}"));
        return Ok(());
    };
    draft.say(format!("PD stops {} of region {region}; steps that are done stay done", status.what()));
    if !status.description.starts_with("admin-") {
        draft.warn(format!("{} makes it again if it still finds it needed", status.description));
    }
    Ok(())
}

pub(super) async fn progress(pd: &PdClient, preview: &Preview, region: RegionId) -> Result<Progress, Error> {
    let Some(status) = pd.operator_status(region).await? else {
        return Ok(Progress::Done(format!("PD runs nothing on region {region}")));
    };
    let what = status.what();
    if preview.basis.get(&key(region)) != Some(&identity(&status)) {
        return Ok(Progress::Done(format!("it is over; PD's latest on region {region} is {what}")));
    }
    Ok(match status.state {
        OperatorState::Running => Progress::Running(format!("PD still runs {what}")),
        OperatorState::Success => {
            Progress::Failed(format!("{what} was finished before it could be cancelled"))
        }
        OperatorState::Ended(word) => Progress::Done(format!("PD says {word} of {what}")),
    })
}

fn key(region: RegionId) -> String {
    format!("region/{region} operator")
}
