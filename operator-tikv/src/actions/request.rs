//! What is sent to PD for each action: it follows from the action alone.

use std::collections::BTreeSet;

use operator_core::{Action, PlannedRequest, SplitPolicy, StoreLimitKind};
use serde_json::{Map, Value, json};

use crate::Error;
use crate::http::percent_encoded;

/// The request for `action`.
///
/// # Errors
/// [`Error::Config`] naming the parameter, if it never makes sense.
pub(super) fn of(action: &Action) -> Result<PlannedRequest, Error> {
    check(action)?;
    let request = planned(action)?;
    exact(request.body.as_ref())?;
    Ok(request)
}

fn planned(action: &Action) -> Result<PlannedRequest, Error> {
    Ok(match action {
        Action::TransferLeader { region_id, to_store_id } => {
            operator(json!({"name": "transfer-leader", "region_id": region_id, "to_store_id": to_store_id}))
        }
        Action::TransferPeer { region_id, from_store_id, to_store_id } => operator(json!({
            "name": "transfer-peer", "region_id": region_id, "from_store_id": from_store_id, "to_store_id": to_store_id,
        })),
        Action::AddPeer { region_id, store_id } => {
            operator(json!({"name": "add-peer", "region_id": region_id, "store_id": store_id}))
        }
        Action::RemovePeer { region_id, store_id } => {
            operator(json!({"name": "remove-peer", "region_id": region_id, "store_id": store_id}))
        }
        Action::SplitRegion { region_id, policy, keys } => {
            let mut body =
                json!({"name": "split-region", "region_id": region_id, "policy": policy_name(*policy)?});
            if let (SplitPolicy::Keys, Value::Object(body)) = (policy, &mut body) {
                body.insert("keys".to_owned(), keys.iter().map(ToString::to_string).collect());
            }
            operator(body)
        }
        Action::MergeRegions { source_region_id, target_region_id } => operator(json!({
            "name": "merge-region", "source_region_id": source_region_id, "target_region_id": target_region_id,
        })),
        Action::ScatterRegion { region_id } => {
            operator(json!({"name": "scatter-region", "region_id": region_id}))
        }
        Action::DrainStore { store_id } => {
            post("schedulers", json!({"name": "evict-leader-scheduler", "store_id": store_id}))
        }
        // All drained stores share one scheduler; this name takes out the one store.
        Action::UndrainStore { store_id } => delete(&format!("schedulers/evict-leader-scheduler-{store_id}")),
        Action::RemoveStore { store_id } => delete(&format!("store/{store_id}")),
        Action::CancelRemoveStore { store_id } => {
            PlannedRequest::new("POST", path(&format!("store/{store_id}/state?state=Up")))
        }
        Action::SetStoreWeight { store_id, leader_weight, region_weight } => post(
            &format!("store/{store_id}/weight"),
            json!({"leader": leader_weight, "region": region_weight}),
        ),
        Action::SetStoreLimit { store_id, kind, rate_per_minute } => post(
            &format!("store/{store_id}/limit"),
            json!({"type": limit_name(*kind)?, "rate": rate_per_minute}),
        ),
        Action::SetStoreLabels { store_id, labels } => {
            post(&format!("store/{store_id}/label"), json!(labels))
        }
        Action::SetLeaderScheduleLimit { limit, ttl_seconds } => {
            setting("leader-schedule-limit", json!(limit), *ttl_seconds)
        }
        Action::SetRegionScheduleLimit { limit, ttl_seconds } => {
            setting("region-schedule-limit", json!(limit), *ttl_seconds)
        }
        Action::SetReplicaScheduleLimit { limit, ttl_seconds } => {
            setting("replica-schedule-limit", json!(limit), *ttl_seconds)
        }
        Action::SetLowSpaceThreshold { used_ratio } => setting("low-space-ratio", json!(used_ratio), None),
        Action::PauseScheduler { scheduler, seconds } => {
            post(&format!("schedulers/{}", percent_encoded(scheduler)), json!({"delay": seconds}))
        }
        Action::ResumeScheduler { scheduler } => {
            post(&format!("schedulers/{}", percent_encoded(scheduler)), json!({"delay": 0}))
        }
        Action::CancelSchedulingOperator { region_id } => delete(&format!("operators/{region_id}")),
        Action::TransferPdLeader { member } => {
            PlannedRequest::new("POST", path(&format!("leader/transfer/{}", percent_encoded(member))))
        }
        other => return Err(invalid("action", format!("{} is not one of PD's", other.name()))),
    })
}

fn check(action: &Action) -> Result<(), Error> {
    let share = |name, value: f64| match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(invalid(name, format!("{value} is no weight: 0 or more is"))),
    };
    match action {
        Action::TransferPeer { from_store_id, to_store_id, .. } if from_store_id == to_store_id => {
            Err(invalid("to_store_id", "is the store that the replica is on already".to_owned()))
        }
        Action::MergeRegions { source_region_id, target_region_id }
            if source_region_id == target_region_id =>
        {
            Err(invalid("target_region_id", "is the region itself".to_owned()))
        }
        Action::SplitRegion { policy: SplitPolicy::Keys, keys, .. } if keys.is_empty() => {
            Err(invalid("keys", "the policy `keys` needs at least one".to_owned()))
        }
        Action::SplitRegion { policy, keys, .. } if *policy != SplitPolicy::Keys && !keys.is_empty() => {
            Err(invalid("keys", "are only for the policy `keys`".to_owned()))
        }
        Action::SetStoreWeight { leader_weight, region_weight, .. } => {
            share("leader_weight", *leader_weight)?;
            share("region_weight", *region_weight)
        }
        Action::SetStoreLimit { rate_per_minute, .. }
            if !(rate_per_minute.is_finite() && *rate_per_minute > 0.0) =>
        {
            Err(invalid("rate_per_minute", format!("{rate_per_minute} is no rate: more than 0 is")))
        }
        Action::SetStoreLabels { labels, .. }
            if labels.is_empty() || labels.iter().any(|(key, value)| key.is_empty() || value.is_empty()) =>
        {
            Err(invalid("labels", "name at least one, and no key or value may be empty".to_owned()))
        }
        Action::SetStoreLabels { labels, .. }
            if labels.keys().map(|key| key.to_ascii_lowercase()).collect::<BTreeSet<_>>().len()
                < labels.len() =>
        {
            Err(invalid("labels", "PD takes keys that differ in case alone for one".to_owned()))
        }
        Action::SetLeaderScheduleLimit { ttl_seconds: Some(0), .. }
        | Action::SetRegionScheduleLimit { ttl_seconds: Some(0), .. }
        | Action::SetReplicaScheduleLimit { ttl_seconds: Some(0), .. } => {
            // PD would take it for: end the time to live that there is.
            Err(invalid("ttl_seconds", "must be more than 0".to_owned()))
        }
        Action::SetLowSpaceThreshold { used_ratio } if !(*used_ratio > 0.0 && *used_ratio < 1.0) => {
            Err(invalid("used_ratio", format!("{used_ratio} is not between 0 and 1")))
        }
        // PD would take it for: go on.
        Action::PauseScheduler { seconds: 0, .. } => {
            Err(invalid("seconds", "must be more than 0; `resume_scheduler` ends a pause".to_owned()))
        }
        Action::PauseScheduler { seconds, .. } if i64::try_from(*seconds).is_err() => {
            Err(invalid("seconds", format!("{seconds} is more than PD can count")))
        }
        Action::PauseScheduler { scheduler: name, .. } | Action::ResumeScheduler { scheduler: name } => {
            // PD would take `all` for every scheduler.
            match name.as_str() {
                "" | "." | ".." | "all" => Err(invalid("scheduler", format!("`{name}` names no scheduler"))),
                _ => Ok(()),
            }
        }
        Action::TransferPdLeader { member } if matches!(member.as_str(), "" | "." | "..") => {
            Err(invalid("member", format!("`{member}` names no member")))
        }
        _ => Ok(()),
    }
}

/// PD reads the numbers of a body as floating point: a larger id would become another one.
fn exact(body: Option<&Value>) -> Result<(), Error> {
    const LARGEST: u64 = 1 << 53;
    let numbers = body.and_then(Value::as_object).into_iter().flat_map(Map::values).filter_map(Value::as_u64);
    match numbers.max() {
        Some(largest) if largest > LARGEST => {
            Err(invalid("action", format!("PD cannot read {largest} exactly: it is more than {LARGEST}")))
        }
        _ => Ok(()),
    }
}

fn invalid(field: &'static str, message: String) -> Error {
    Error::Config { field, message }
}

fn policy_name(policy: SplitPolicy) -> Result<&'static str, Error> {
    match policy {
        SplitPolicy::Approximate => Ok("approximate"),
        SplitPolicy::Scan => Ok("scan"),
        SplitPolicy::Keys => Ok("usekey"),
        _ => Err(invalid("policy", "PD has no such policy".to_owned())),
    }
}

/// As PD calls it.
pub(super) fn limit_name(kind: StoreLimitKind) -> Result<&'static str, Error> {
    match kind {
        StoreLimitKind::AddPeer => Ok("add-peer"),
        StoreLimitKind::RemovePeer => Ok("remove-peer"),
        _ => Err(invalid("kind", "PD has no such limit".to_owned())),
    }
}

fn path(rest: &str) -> String {
    format!("/pd/api/v1/{rest}")
}

fn post(rest: &str, body: Value) -> PlannedRequest {
    PlannedRequest::new("POST", path(rest)).with_body(body)
}

fn delete(rest: &str) -> PlannedRequest {
    PlannedRequest::new("DELETE", path(rest))
}

fn operator(body: Value) -> PlannedRequest {
    post("operators", body)
}

/// With its section, because PD knows the time to live of no other spelling.
fn setting(item: &str, value: Value, ttl_seconds: Option<u64>) -> PlannedRequest {
    let body = Map::from_iter([(format!("schedule.{item}"), value)]);
    match ttl_seconds {
        Some(seconds) => post(&format!("config?ttlSecond={seconds}"), body.into()),
        None => post("config", body.into()),
    }
}
