//! What PD was told to do or not to do, how far it is with it, and what time it is there.
//!
//! So many questions whatever the number of stores; one that fails leaves its answer unknown.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use operator_core::{Clock, ErrorKind, StoreId, StoreState};
use serde::de::IgnoredAny;

use super::types::StoreInfo;
use super::{PdClient, request, wire};
use crate::Error;

/// PD's checkers, as `/checker/{name}` knows them.
const CHECKERS: [&str; 6] = ["learner", "replica", "rule", "split", "merge", "joint-state"];

pub(super) const EVICT_LEADER_SCHEDULER: &str = "evict-leader-scheduler";

/// Of how many stores that are being removed PD is asked one by one.
const REMOVALS_ASKED: usize = 16;

/// A time further away than this stands for: PD does not know.
const LONGEST_REMOVAL_SECONDS: f64 = 1e15;

/// A store that PD calls `Up` has been heard from within this time.
const HEARTBEAT_LATE: TimeDelta = TimeDelta::seconds(20);

/// What PD was told to do, and how far it is; `None` where that is not known.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    pub(crate) paused_schedulers: Option<Vec<String>>,
    pub(crate) paused_checkers: Option<Vec<&'static str>>,
    pub(crate) evicting: Option<Evicting>,
    pub(crate) scheduling_operators: Option<u64>,
    pub(crate) max_replicas: Option<u64>,
    /// How many removed stores PD remembers; only asked while there are fewer stores than replicas.
    pub(crate) removed_stores: Option<u64>,
    pub(crate) removals: BTreeMap<StoreId, Removal>,
    /// By how many seconds PD's clock is ahead of ours at least, or behind if negative; 0 if they may be the same.
    pub(crate) clock_offset_seconds: Option<f64>,
}

/// Whose leaders PD was told to move away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Evicting {
    /// Nobody's.
    None,
    /// Of these stores.
    From(Vec<StoreId>),
    /// Of some store that is not known.
    FromSome,
}

/// How the removal of a store goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Removal {
    pub(crate) mib_per_second: f64,
    pub(crate) seconds_left: Option<f64>,
}

impl Upkeep {
    /// `stores` were asked for after `began`, by our clock.
    pub(crate) async fn of(pd: &PdClient, stores: &[StoreInfo], began: DateTime<Utc>, clock: &Clock) -> Self {
        let (schedulers, paused, checkers, operators, replication, removals) = tokio::join!(
            schedulers(pd, clock),
            pd.paused_schedulers(),
            paused_checkers(pd),
            operators(pd),
            replication(pd, stores),
            removals(pd, stores),
        );
        let (evicting, by_header) = told("schedulers", schedulers).unzip();
        let (max_replicas, removed_stores) = told("the number of replicas", replication).unzip();
        let by_heartbeats = bounds_by_heartbeats(stores, began, clock.now());
        Self {
            paused_schedulers: told("paused schedulers", paused),
            paused_checkers: told("paused checkers", checkers),
            evicting,
            scheduling_operators: told("running operators", operators),
            max_replicas,
            removed_stores: removed_stores.flatten(),
            removals,
            clock_offset_seconds: least_offset(by_header.flatten(), by_heartbeats),
        }
    }
}

fn told<T>(what: &str, answer: Result<T, Error>) -> Option<T> {
    answer.inspect_err(|error| tracing::debug!(%error, "{what}: not known")).ok()
}

/// The offset of PD's clock lies within these seconds.
type Bounds = (f64, f64);

/// Whose leaders are evicted, and what the answer says of the time.
async fn schedulers(pd: &PdClient, clock: &Clock) -> Result<(Evicting, Option<Bounds>), Error> {
    let sent = clock.now();
    let answer = pd.http().get(request::SCHEDULERS).await?;
    let received = clock.now();
    // The header is cut to the second.
    let bounds = answer.date.map(|date| (seconds(date - received), seconds(date - sent) + 1.0));
    if !answer.json::<wire::List<String>>()?.0.iter().any(|name| name == EVICT_LEADER_SCHEDULER) {
        return Ok((Evicting::None, bounds));
    }
    let whose =
        pd.http().get(request::EVICT_LEADER).await.and_then(|answer| answer.json::<wire::EvictLeader>());
    let stores = told("whose leaders are evicted", whose).map(|list| list.store_id_ranges);
    let stores: Vec<_> = stores.into_iter().flatten().map(|(id, _)| StoreId(id)).collect();
    Ok((if stores.is_empty() { Evicting::FromSome } else { Evicting::From(stores) }, bounds))
}

async fn paused_checkers(pd: &PdClient) -> Result<Vec<&'static str>, Error> {
    let asked = CHECKERS.map(|name| async move {
        let answer =
            pd.http().get(&request::checker(name)).await.and_then(|answer| answer.json::<wire::Checker>());
        (name, answer)
    });
    let mut paused = Vec::new();
    for (name, answer) in join_all(asked).await {
        match answer {
            Ok(checker) if checker.paused => paused.push(name),
            Ok(_) => {}
            // A version that does not have this checker, or no way to pause one.
            Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(paused)
}

async fn operators(pd: &PdClient) -> Result<u64, Error> {
    let list: wire::List<IgnoredAny> = pd.http().get(request::OPERATORS_PROSE).await?.json()?;
    Ok(list.0.len() as u64)
}

async fn replication(pd: &PdClient, stores: &[StoreInfo]) -> Result<(u64, Option<u64>), Error> {
    let max_replicas = pd.replication_config().await?.max_replicas;
    let present = stores.iter().filter(|info| info.store.state != StoreState::Tombstone).count() as u64;
    let removed = match present < max_replicas {
        true => told("removed stores", pd.removed_stores().await).map(|stores| stores.len() as u64),
        false => None,
    };
    Ok((max_replicas, removed))
}

/// Of the stores that are being removed.
async fn removals(pd: &PdClient, stores: &[StoreInfo]) -> BTreeMap<StoreId, Removal> {
    let leaving = stores.iter().filter(|info| info.store.state == StoreState::Offline);
    let leaving: Vec<_> = leaving.map(|info| info.store.id).take(REMOVALS_ASKED).collect();
    let alone = leaving.len() == 1;
    let asked = leaving.into_iter().map(|id| async move {
        // The average of one store is its own.
        let path = if alone { request::REMOVALS.to_owned() } else { request::removal(id) };
        let progress = pd.http().get(&path).await.and_then(|answer| answer.json::<wire::Progress>());
        Some((id, told("progress of a removal", progress).map(Removal::from)?))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

impl From<wire::Progress> for Removal {
    fn from(progress: wire::Progress) -> Self {
        let left = progress.left_seconds;
        Self {
            mib_per_second: progress.current_speed,
            seconds_left: (left.is_finite() && left < LONGEST_REMOVAL_SECONDS).then_some(left),
        }
    }
}

fn seconds(delta: TimeDelta) -> f64 {
    delta.as_seconds_f64()
}

/// PD stamps heartbeats with its own clock: the newest is not in its future, and that of a store it calls `Up` not 20 s
/// in its past.
fn bounds_by_heartbeats(stores: &[StoreInfo], before: DateTime<Utc>, after: DateTime<Utc>) -> Bounds {
    let heartbeats = || stores.iter().filter(|info| info.heard_by_leader);
    let newest = heartbeats().filter_map(|info| info.store.last_heartbeat).max();
    let up = heartbeats().filter(|info| info.store.state == StoreState::Up);
    let oldest_up = up.filter_map(|info| info.store.last_heartbeat).min();
    (
        newest.map_or(f64::NEG_INFINITY, |newest| seconds(newest - after)),
        oldest_up.map_or(f64::INFINITY, |oldest| seconds(oldest + HEARTBEAT_LATE - before)),
    )
}

/// The offset within both bounds that is nearest to none. Where they contradict each other, heartbeats were stamped by
/// another member of PD, and the header counts.
fn least_offset(by_header: Option<Bounds>, by_heartbeats: Bounds) -> Option<f64> {
    let unbounded = (f64::NEG_INFINITY, f64::INFINITY);
    if by_header.is_none() && by_heartbeats == unbounded {
        return None;
    }
    let header = by_header.unwrap_or(unbounded);
    let both = (header.0.max(by_heartbeats.0), header.1.min(by_heartbeats.1));
    let (low, high) = if both.0 <= both.1 { both } else { by_header? };
    Some(if low > 0.0 {
        low
    } else if high < 0.0 {
        high
    } else {
        0.0
    })
}

#[cfg(test)]
mod tests;
