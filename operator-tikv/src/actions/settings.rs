//! `set_leader_schedule_limit`, `set_region_schedule_limit`, `set_replica_schedule_limit`, `set_low_space_threshold`:
//! what holds for the whole cluster.

use operator_core::{Action, Progress, StoreState};

use super::draft::Draft;
use crate::Error;
use crate::pd::{PdClient, ScheduleConfig};

/// One of PD's limits, and how an action for it is made.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    item: &'static str,
    what: &'static str,
    stopped: &'static str,
    now: fn(&ScheduleConfig) -> u64,
    action: fn(u64) -> Action,
}

pub(super) const LEADER: Limit = Limit {
    item: "leader-schedule-limit",
    what: "leaders are moved for balance",
    stopped: "leaders are not balanced any more",
    now: |config| config.leader_schedule_limit,
    action: |limit| Action::SetLeaderScheduleLimit { limit, ttl_seconds: None },
};

pub(super) const REGION: Limit = Limit {
    item: "region-schedule-limit",
    what: "replicas are moved for balance",
    stopped: "replicas are not balanced any more",
    now: |config| config.region_schedule_limit,
    action: |limit| Action::SetRegionScheduleLimit { limit, ttl_seconds: None },
};

pub(super) const REPLICA: Limit = Limit {
    item: "replica-schedule-limit",
    what: "replicas are added or replaced",
    stopped: "nothing is repaired any more: a region that loses a replica keeps too few",
    now: |config| config.replica_schedule_limit,
    action: |limit| Action::SetReplicaScheduleLimit { limit, ttl_seconds: None },
};

pub(super) async fn preview_limit(
    draft: &mut Draft<'_>,
    kind: Limit,
    limit: u64,
    ttl_seconds: Option<u64>,
) -> Result<(), Error> {
    let old = (kind.now)(&draft.pd.schedule_config().await?);
    draft.depends_on(kind.item, old);
    let (item, what) = (kind.item, kind.what);
    if old == limit && ttl_seconds.is_none() {
        draft.already(format!("{item} is {limit} already"));
        return Ok(());
    }
    draft.say(match ttl_seconds {
        Some(seconds) => {
            format!("for {seconds} s at most {limit} {what} at a time; then {old} again, as it is set now")
        }
        None => format!("at most {limit} {what} at a time (now {old})"),
    });
    if limit == 0 {
        draft.warn(kind.stopped);
    }
    match ttl_seconds {
        Some(_) => draft.warn(format!(
            "PD shows nowhere what holds for a time, so it cannot be seen; until it ends PD refuses to set {item} for good"
        )),
        None => draft.undo((kind.action)(old)),
    }
    Ok(())
}

pub(super) async fn progress_limit(
    pd: &PdClient,
    kind: Limit,
    limit: u64,
    ttl_seconds: Option<u64>,
) -> Result<Progress, Error> {
    let item = kind.item;
    if ttl_seconds.is_some() {
        return Ok(Progress::Unseeable(format!("PD does not show an {item} that holds for a time")));
    }
    let now = (kind.now)(&pd.schedule_config().await?);
    let seen = format!("{item} is {now}");
    Ok(if now == limit { Progress::Done(seen) } else { Progress::Running(seen) })
}

pub(super) async fn preview_low_space(draft: &mut Draft<'_>, used_ratio: f64) -> Result<(), Error> {
    let config = draft.pd.schedule_config().await?;
    let old = config.low_space_ratio;
    draft.depends_on("low-space-ratio", old);
    if old == used_ratio {
        draft.already(format!("low-space-ratio is {used_ratio} already"));
        return Ok(());
    }
    draft.say(format!("a store gets no more replicas once {used_ratio} of its disk is used (now {old})"));
    if let Some(high) = config.high_space_ratio {
        let message = format!("up to high-space-ratio, {high}, a store counts as empty");
        draft.require("above_high_space_ratio", used_ratio > high, message);
    }
    let (mut full, mut unknown) = (Vec::new(), false);
    for info in draft.pd.stores().await? {
        match (info.store.available_bytes, info.store.capacity_bytes) {
            _ if info.store.state == StoreState::Tombstone => {}
            (Some(available), Some(capacity)) if capacity > 0 => {
                let used = 1.0 - available as f64 / capacity as f64;
                if used >= used_ratio {
                    full.push(format!("{} ({:.0} %)", info.store.id, used * 100.0));
                }
            }
            _ => unknown = true,
        }
    }
    if !full.is_empty() {
        draft.warn(format!("stores that get no more replicas then: {}", full.join(", ")));
    }
    if unknown {
        draft.warn("of some stores PD does not know how full they are");
    }
    if used_ratio > 0.9 {
        draft.warn("a disk that is full stops its store: little is left between this and that");
    }
    draft.undo(Action::SetLowSpaceThreshold { used_ratio: old });
    Ok(())
}

pub(super) async fn progress_low_space(pd: &PdClient, used_ratio: f64) -> Result<Progress, Error> {
    let now = pd.schedule_config().await?.low_space_ratio;
    let seen = format!("low-space-ratio is {now}");
    Ok(if now == used_ratio { Progress::Done(seen) } else { Progress::Running(seen) })
}
