//! `transfer_pd_leader`.

use operator_core::{Action, Progress};
use serde_json::Value;

use super::draft::Draft;
use crate::Error;
use crate::pd::PdClient;

pub(super) async fn preview(draft: &mut Draft<'_>, name: &str) -> Result<(), Error> {
    let members = draft.pd.members().await?;
    let leader = members.leader().map(|leader| leader.name.clone());
    draft.depends_on("PD's leader", leader.clone().map_or(Value::Null, Value::from));
    if leader.as_deref() == Some(name) {
        draft.already(format!("{name} leads PD already"));
        return Ok(());
    }
    let Some(member) = members.members.iter().find(|member| member.name == name) else {
        let names: Vec<_> = members.members.iter().map(|member| member.name.as_str()).collect();
        let message = format!("PD has no member `{name}`; it has {}", names.join(", "));
        draft.require("member_exists", false, message);
        return Ok(());
    };
    draft.require("member_exists", true, format!("PD has the member {name}"));
    match member.healthy {
        Some(healthy) => {
            let state = if healthy { "answers" } else { "does not answer" };
            draft.require("member_is_healthy", healthy, format!("{name} {state}"));
        }
        None => draft.unknown("member_is_healthy", format!("whether {name} is healthy is not known")),
    }
    let now = leader.as_deref().unwrap_or("nobody");
    draft.say(format!("{name} leads PD instead of {now}"));
    draft.warn(
        "the new leader knows nothing of stores and regions until they have reported, which takes up to a minute: what is \
         seen meanwhile is incomplete, and PD schedules nothing",
    );
    draft.warn("running operators and pauses of schedulers are forgotten, and clients wait a few seconds");
    if let Some(member) = leader {
        draft.undo(Action::TransferPdLeader { member });
    }
    Ok(())
}

pub(super) async fn progress(pd: &PdClient, name: &str) -> Result<Progress, Error> {
    let members = pd.members().await?;
    Ok(match members.leader() {
        Some(leader) if leader.name == name => Progress::Done(format!("{name} leads PD")),
        Some(leader) => Progress::Running(format!("{} leads PD", leader.name)),
        None => Progress::Running("nobody leads PD".to_owned()),
    })
}
