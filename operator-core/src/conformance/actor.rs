//! What every [`Actor`] keeps to. Only previews are asked for: nothing is sent.

use std::time::Duration;

use futures::future::BoxFuture;

use super::probe::{Findings, Probe, Skip};
use super::{Remark, Report, check_within, shortened};
use crate::{
    Action, Actor, ErrorKind, Operation, PreconditionVerdict, Preview, RegionId, RegionQuery, SplitPolicy,
    StoreId, StoreLimitKind, StoreState, Subject,
};

/// How often a rule that compares answers asks before it fails.
const ATTEMPTS: u32 = 3;

/// A subject that acts, and how long to wait for it.
#[derive(Clone, Copy)]
struct Act<'a> {
    actor: &'a dyn Actor,
    probe: Probe<'a>,
}

/// Something that every actor keeps to: its name, how often to ask, and how it is checked.
type ActorRule = (&'static str, u32, for<'a> fn(Act<'a>) -> BoxFuture<'a, Findings>);

const RULES: &[ActorRule] = &[
    ("declared_actions_are_known", 1, |act| Box::pin(declared_actions_are_known(act))),
    ("declared_actions_preview", 1, |act| Box::pin(declared_actions_preview(act))),
    ("undeclared_actions_are_unsupported", 1, |act| Box::pin(undeclared_actions_are_unsupported(act))),
    ("what_does_not_exist_is_not_acted_on", 1, |act| Box::pin(what_does_not_exist_is_not_acted_on(act))),
    ("previews_change_nothing", ATTEMPTS, |act| Box::pin(previews_change_nothing(act))),
];

/// Runs every rule of [`check_within`], and those of actors. Previews are asked for, and nothing is sent: run it against a
/// real system without fear.
///
/// Of actors it demands that the actions declared are the actions of [`Action::infos`], each with a preview that is whole
/// and comes back from JSON as it was; that others are unsupported; that what does not exist is objected to; and that
/// previews change nothing.
pub async fn check_actor(actor: &dyn Actor, deadline: Duration) -> Report {
    let subject: &dyn Subject = actor;
    let mut report = check_within(subject, deadline).await;
    let act = Act { actor, probe: Probe::new(subject, deadline) };
    for (rule, attempts, check) in RULES {
        let mut findings = check(act).await;
        for _ in 1..*attempts {
            if findings.as_ref().is_ok_and(|messages| !messages.is_empty()) {
                findings = check(act).await;
            }
        }
        match findings {
            Ok(messages) if messages.is_empty() => report.passed.push(rule),
            Ok(messages) => {
                report
                    .failures
                    .extend(shortened(messages).into_iter().map(|message| Remark { rule, message }));
            }
            Err(Skip(message)) => report.skipped.push(Remark { rule, message }),
        }
    }
    report
}

async fn declared_actions_are_known(act: Act<'_>) -> Findings {
    let mut findings = Vec::new();
    for declared in &act.actor.config().actions {
        match Action::infos().iter().find(|info| info.name == declared.name) {
            None => findings.push(format!("there is no action {}", declared.name)),
            Some(info) if info != declared => {
                findings.push(format!("{} is declared otherwise than in Action::infos", declared.name));
            }
            Some(_) => {}
        }
    }
    Ok(findings)
}

async fn declared_actions_preview(act: Act<'_>) -> Findings {
    let names = act.names(true)?;
    let things = Things::of(act.probe).await;
    let mut findings = Vec::new();
    for name in names {
        let Some(action) = things.action(name) else { continue };
        match act.preview(&action).await {
            Ok(preview) => findings.extend(flaws(act.actor, &action, &preview)),
            // Not every action makes sense for any region.
            Err(ErrorKind::NotFound | ErrorKind::InvalidInput) => {}
            Err(kind) => findings.push(format!("{action} is declared and its preview answered {kind}")),
        }
    }
    Ok(findings)
}

fn flaws(actor: &dyn Actor, action: &Action, preview: &Preview) -> Vec<String> {
    let json = serde_json::to_value(preview).and_then(serde_json::from_value::<Preview>);
    let requests = || preview.request.iter();
    let facts = [
        (preview.schema == Preview::SCHEMA, "is of another format"),
        (preview.subject == actor.config().name, "names another subject"),
        (preview.action == *action, "is of another action"),
        (preview.danger == action.danger(), "names another danger"),
        (!preview.summary.is_empty(), "has no summary"),
        (requests().all(|one| !one.method.is_empty() && !one.path.is_empty()), "has an empty request"),
        (
            preview
                .undo
                .iter()
                .all(|undo| actor.config().actions.iter().any(|info| info.name == undo.name())),
            "would be taken back by what is not declared",
        ),
        (json.is_ok_and(|back| back == *preview), "does not come back from JSON as it was"),
    ];
    let flaws = facts.into_iter().filter(|(holds, _)| !holds);
    flaws.map(|(_, what)| format!("the preview of {action} {what}")).collect()
}

async fn undeclared_actions_are_unsupported(act: Act<'_>) -> Findings {
    let names = act.names(false)?;
    let things = Things::of(act.probe).await;
    let mut findings = Vec::new();
    for action in names.into_iter().filter_map(|name| things.action(name)) {
        match act.preview(&action).await {
            Err(ErrorKind::Unsupported) => {}
            Err(kind) => findings.push(format!("{action} is not declared and answered {kind}")),
            Ok(_) => findings.push(format!("{action} is not declared and has a preview")),
        }
    }
    Ok(findings)
}

async fn what_does_not_exist_is_not_acted_on(act: Act<'_>) -> Findings {
    let config = act.actor.config();
    let mut findings = Vec::new();
    for name in act.names(true)? {
        let Some(action) = Things::nowhere().action(name) else { continue };
        // What can be asked for can be looked for. Settings of the whole are there.
        let known = |target: &crate::Regarding| match target {
            crate::Regarding::Store(_) => true,
            crate::Regarding::Region(_) => config.supports(Operation::Region),
            crate::Regarding::Member(_) => config.supports(Operation::Members),
            _ => false,
        };
        if !action.targets().iter().any(known) {
            continue;
        }
        match act.preview(&action).await {
            // That what is declared is supported is a rule of its own.
            Err(ErrorKind::NotFound | ErrorKind::InvalidInput | ErrorKind::Unsupported) => {}
            Err(kind) => findings.push(format!("{action}, of what does not exist, answered {kind}")),
            Ok(preview) if preview.objections().next().is_none() => {
                findings.push(format!("{action}, of what does not exist, is not objected to"));
            }
            Ok(preview) if preview.objections().all(|one| one.verdict == PreconditionVerdict::Unknown) => {
                findings.push(format!("{action}, of what does not exist, is only doubted"));
            }
            Ok(_) => {}
        }
    }
    Ok(findings)
}

async fn previews_change_nothing(act: Act<'_>) -> Findings {
    let names = act.names(true)?;
    let things = Things::of(act.probe).await;
    let actions: Vec<_> = names.into_iter().filter_map(|name| things.action(name)).collect();
    let mut previews = Vec::new();
    for action in &actions {
        previews.push(act.preview(action).await.ok());
    }
    let mut findings = Vec::new();
    for (action, before) in actions.iter().zip(previews) {
        if let (Some(before), Ok(after)) = (before, act.preview(action).await)
            && !after.is_same(&before)
        {
            findings.push(format!("after other previews, that of {action} is another"));
        }
    }
    Ok(findings)
}

impl Act<'_> {
    /// The actions that are, or are not, declared.
    fn names(&self, declared: bool) -> Result<Vec<&'static str>, Skip> {
        let actions = &self.actor.config().actions;
        let is_declared = |name: &str| actions.iter().any(|info| info.name == name);
        let names = Action::infos().iter().map(|info| &*info.name);
        let names: Vec<_> = names.filter(|name| is_declared(name) == declared).collect();
        let which = if declared { "no action is declared" } else { "every action is declared" };
        if names.is_empty() { Err(Skip(which.to_owned())) } else { Ok(names) }
    }

    async fn preview(&self, action: &Action) -> Result<Preview, ErrorKind> {
        self.probe.within(self.actor.preview(action)).await.map_err(|error| error.kind)
    }
}

/// What there is to act on.
struct Things {
    region: RegionId,
    neighbour: RegionId,
    /// Holds a replica of the region.
    holder: StoreId,
    /// Does not, if there is such a store.
    other: StoreId,
    member: String,
}

impl Things {
    /// What does not exist: ids are given out in rising order.
    fn nowhere() -> Self {
        let (region, neighbour) = (RegionId(u64::MAX), RegionId(u64::MAX - 1));
        let (holder, other) = (StoreId(u64::MAX), StoreId(u64::MAX - 1));
        Self { region, neighbour, holder, other, member: "nobody-of-this-name".to_owned() }
    }

    /// What exists, as far as it can be found.
    async fn of(probe: Probe<'_>) -> Self {
        let mut things = Self::nowhere();
        let stores = probe.ask(Operation::Stores, probe.subject.stores()).await.unwrap_or_default();
        let mut stores: Vec<_> =
            stores.iter().filter(|store| store.state == StoreState::Up).map(|store| store.id).collect();
        if let Ok(read) = probe.stream(RegionQuery::all().limit(2)).await {
            let mut regions = read.regions();
            if let Some(first) = regions.next() {
                things.region = first.id;
                stores.sort_by_key(|id| !first.peers.iter().any(|peer| peer.store_id == *id));
            }
            things.neighbour = regions.next().map_or(things.neighbour, |region| region.id);
        }
        things.holder = stores.first().copied().unwrap_or(things.holder);
        things.other = stores.last().copied().unwrap_or(things.other);
        let members = probe.ask(Operation::Members, probe.subject.members()).await.unwrap_or_default();
        things.member = members.first().map_or(things.member, |member| member.name.clone());
        things
    }

    /// The action of this name, done to these things.
    fn action(&self, name: &str) -> Option<Action> {
        let Self { region, neighbour, holder, other, member } = self;
        let (region_id, store_id, to_store_id) = (*region, *holder, *other);
        let ttl_seconds = Some(60);
        let scheduler = "balance-leader-scheduler".to_owned();
        Some(match name {
            "transfer_leader" => Action::TransferLeader { region_id, to_store_id },
            "transfer_peer" => Action::TransferPeer { region_id, from_store_id: store_id, to_store_id },
            "add_peer" => Action::AddPeer { region_id, store_id: to_store_id },
            "remove_peer" => Action::RemovePeer { region_id, store_id },
            "split_region" => {
                Action::SplitRegion { region_id, policy: SplitPolicy::Approximate, keys: Vec::new() }
            }
            "merge_regions" => {
                Action::MergeRegions { source_region_id: region_id, target_region_id: *neighbour }
            }
            "scatter_region" => Action::ScatterRegion { region_id },
            "drain_store" => Action::DrainStore { store_id },
            "undrain_store" => Action::UndrainStore { store_id },
            "remove_store" => Action::RemoveStore { store_id },
            "cancel_remove_store" => Action::CancelRemoveStore { store_id },
            "set_store_weight" => Action::SetStoreWeight { store_id, leader_weight: 0.5, region_weight: 1.5 },
            "set_store_limit" => {
                Action::SetStoreLimit { store_id, kind: StoreLimitKind::AddPeer, rate_per_minute: 7.5 }
            }
            "set_store_labels" => {
                let labels = [("zone".to_owned(), "z9".to_owned())].into();
                Action::SetStoreLabels { store_id, labels }
            }
            "set_leader_schedule_limit" => Action::SetLeaderScheduleLimit { limit: 3, ttl_seconds },
            "set_region_schedule_limit" => Action::SetRegionScheduleLimit { limit: 3, ttl_seconds },
            "set_replica_schedule_limit" => Action::SetReplicaScheduleLimit { limit: 3, ttl_seconds },
            "set_low_space_threshold" => Action::SetLowSpaceThreshold { used_ratio: 0.75 },
            "pause_scheduler" => Action::PauseScheduler { scheduler, seconds: 60 },
            "resume_scheduler" => Action::ResumeScheduler { scheduler },
            "cancel_scheduling_operator" => Action::CancelSchedulingOperator { region_id },
            "transfer_pd_leader" => Action::TransferPdLeader { member: member.clone() },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_an_example() {
        for info in Action::infos() {
            assert_eq!(Things::nowhere().action(&info.name).unwrap().name(), info.name);
        }
    }
}
