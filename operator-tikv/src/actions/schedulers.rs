//! `pause_scheduler`, `resume_scheduler`.

use operator_core::{Action, Progress};

use super::draft::Draft;
use crate::Error;
use crate::pd::PdClient;

pub(super) async fn preview_pause(draft: &mut Draft<'_>, name: &str, seconds: u64) -> Result<(), Error> {
    let Some(paused) = paused(draft, name).await? else { return Ok(()) };
    draft.say(format!("{name} stops for {seconds} s and goes on by itself"));
    // What is read back could be the earlier pause.
    let state = if paused { "is paused already: resume it first" } else { "runs" };
    draft.require("scheduler_runs", !paused, format!("{name} {state}"));
    draft.warn(stops(name));
    draft.warn("a change of PD's leader ends a pause");
    draft.undo(Action::ResumeScheduler { scheduler: name.to_owned() });
    Ok(())
}

pub(super) async fn preview_resume(draft: &mut Draft<'_>, name: &str) -> Result<(), Error> {
    match paused(draft, name).await? {
        Some(true) => draft.say(format!("{name} goes on")),
        Some(false) => draft.already(format!("{name} is not paused")),
        None => {}
    }
    Ok(())
}

/// Whether the scheduler, which must exist, is paused.
async fn paused(draft: &mut Draft<'_>, name: &str) -> Result<Option<bool>, Error> {
    let (all, paused) = tokio::try_join!(draft.pd.schedulers(), draft.pd.paused_schedulers())?;
    if !all.iter().any(|one| one == name) {
        let message = match all.is_empty() {
            true => "PD runs no scheduler: it has just started, or is not bootstrapped".to_owned(),
            false => format!("PD runs no scheduler `{name}`; it runs {}", all.join(", ")),
        };
        draft.require("scheduler_exists", false, message);
        return Ok(None);
    }
    draft.require("scheduler_exists", true, format!("PD has {name}"));
    let paused = paused.iter().any(|one| one == name);
    draft.depends_on(format!("{name} paused"), paused);
    Ok(Some(paused))
}

/// What does not happen while a scheduler is paused.
fn stops(name: &str) -> String {
    match name {
        "balance-leader-scheduler" => "leaders are not balanced meanwhile".to_owned(),
        "balance-region-scheduler" => {
            "replicas are not balanced meanwhile: a new store stays empty".to_owned()
        }
        "balance-hot-region-scheduler" => "hot regions stay where they are meanwhile".to_owned(),
        "evict-leader-scheduler" => "drained stores keep the leaders that they have meanwhile".to_owned(),
        "evict-slow-store-scheduler" => "a store that turns slow keeps its leaders meanwhile".to_owned(),
        other => format!("what {other} does is not done meanwhile"),
    }
}

pub(super) async fn progress(pd: &PdClient, name: &str, wanted: bool) -> Result<Progress, Error> {
    let paused = pd.paused_schedulers().await?.iter().any(|one| one == name);
    let seen = format!("{name} {}", if paused { "is paused" } else { "is not paused" });
    Ok(if paused == wanted { Progress::Done(seen) } else { Progress::Running(seen) })
}
