//! `/operators…`, `/schedulers…`, `/checker/{name}`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::{self, Query, number};
use super::operator::{Operator, kind};
use super::schedule::{BALANCE_LEADER, BALANCE_REGION, EVICT_LEADER, EVICT_SLOW, EVICTED_PER_TICK};
use super::text::{duration, moment};
use super::view::View;
use crate::Reply;

/// The schedulers that PD starts by itself.
pub(crate) const SCHEDULERS: [&str; 4] =
    [BALANCE_REGION, BALANCE_LEADER, "balance-hot-region-scheduler", EVICT_SLOW];
pub(crate) const CHECKERS: [&str; 6] = ["learner", "replica", "rule", "split", "merge", "joint-state"];

#[derive(Serialize)]
struct OperatorJson<'a> {
    desc: &'static str,
    brief: &'a str,
    region_id: u64,
    region_epoch: Epoch,
    kind: u64,
    timeout: String,
    status: u64,
}

#[derive(Serialize)]
struct Epoch {
    conf_ver: u64,
    version: u64,
}

#[derive(Serialize)]
struct Paused {
    paused: bool,
}

#[derive(Serialize)]
struct PausedScheduler {
    name: &'static str,
    paused_at: String,
    resume_at: String,
}

#[derive(Serialize)]
struct Evicted {
    #[serde(rename = "store-id-ranges")]
    stores: BTreeMap<String, [KeyRange; 1]>,
    batch: usize,
}

#[derive(Serialize, Clone, Copy)]
struct KeyRange {
    #[serde(rename = "start-key")]
    start_key: &'static str,
    #[serde(rename = "end-key")]
    end_key: &'static str,
}

#[derive(Serialize)]
struct Diagnostic<'a> {
    name: &'a str,
    status: &'static str,
    summary: &'static str,
    timestamp: i64,
}

impl View<'_> {
    pub(crate) fn operators(&self, path: &[&str], query: &Query) -> Option<Reply> {
        Some(match path {
            ["operators"] => self.operator_list(query),
            ["operators", "records"] => {
                let since = self.memory.since;
                let all: Vec<_> =
                    self.memory.finished.iter().map(|operator| operator.record(since)).collect();
                // Nothing to tell is an error to PD.
                if all.is_empty() { operator_not_found() } else { answer::ok(&all) }
            }
            ["operators", region] => self.operator_of(region),
            ["schedulers"] => self.scheduler_list(query),
            ["scheduler-config", EVICT_LEADER, "list"] if !self.pd.policy.evicted.is_empty() => {
                let everything = [KeyRange { start_key: "", end_key: "" }];
                let stores = self.pd.policy.evicted.iter().map(|id| (id.to_string(), everything)).collect();
                answer::ok(&Evicted { stores, batch: EVICTED_PER_TICK })
            }
            ["schedulers", "diagnostic", name] if SCHEDULERS.iter().take(2).any(|known| known == name) => {
                let status = if self.is_warm() { "normal" } else { "disabled" };
                answer::ok(&Diagnostic { name, status, summary: "", timestamp: self.cluster.now.timestamp() })
            }
            ["checker", name] if CHECKERS.contains(name) => {
                let paused = self.memory.is_paused(&format!("checker/{name}"), self.cluster.now);
                answer::ok(&Paused { paused })
            }
            ["checker", name] => {
                answer::error(500, format!("[PD:checker:ErrCheckerNotFound]checker not found {name}"))
            }
            _ => return None,
        })
    }

    fn operator_of(&self, region: &str) -> Reply {
        let region = match number::<u64>(region.as_bytes(), "ParseUint") {
            Ok(region) => region,
            Err(message) => return answer::error(400, message),
        };
        let running = self.memory.operators.iter().find(|operator| operator.region == region);
        let finished = || self.memory.finished.iter().find(|operator| operator.region == region);
        match running.or_else(finished) {
            Some(operator) => answer::ok(&format!(
                "status: {}, operator: {}",
                operator.status.name(),
                operator.prose(self.memory.since)
            )),
            None => operator_not_found(),
        }
    }

    fn operator_list(&self, query: &Query) -> Reply {
        let kinds: Vec<_> = query.all("kind").collect();
        let mut all: Vec<&Operator> = Vec::new();
        for wanted in &kinds {
            // Those that wait for their turn have no place in the model; other kinds PD does not know.
            let bit = match *wanted {
                b"admin" => kind::ADMIN,
                b"leader" => kind::LEADER,
                b"region" => kind::REGION,
                _ => 0,
            };
            all.extend(self.memory.operators.iter().filter(|operator| operator.kind & bit != 0));
        }
        if kinds.is_empty() {
            all.extend(&self.memory.operators);
        } else if all.is_empty() && !query.has("object") {
            return answer::ok(&());
        }
        if query.has("object") {
            answer::ok(&all.into_iter().map(describe).collect::<Vec<_>>())
        } else {
            answer::ok(&all.into_iter().map(|operator| operator.prose(self.memory.since)).collect::<Vec<_>>())
        }
    }

    /// The schedulers that there are now.
    pub(crate) fn schedulers(&self) -> Vec<&'static str> {
        // A PD that read its regions from disk starts no scheduler before they have reported.
        if self.memory.source == super::Source::Storage && !self.is_warm() {
            return Vec::new();
        }
        let evicts = (!self.pd.policy.evicted.is_empty()).then_some(EVICT_LEADER);
        SCHEDULERS.into_iter().chain(evicts).collect()
    }

    fn scheduler_list(&self, query: &Query) -> Reply {
        let names = self.schedulers();
        match query.first("status") {
            b"paused" => {
                let paused = names.into_iter().filter(|name| self.memory.is_paused(name, self.cluster.now));
                if !query.has("timestamp") {
                    return answer::ok(&paused.collect::<Vec<_>>());
                }
                let described = paused.filter_map(|name| {
                    let (at, until) = self.memory.paused.get(name)?;
                    Some(PausedScheduler { name, paused_at: moment(*at), resume_at: moment(*until) })
                });
                answer::ok(&described.collect::<Vec<_>>())
            }
            b"disabled" => answer::empty(),
            _ => answer::ok(&names),
        }
    }
}

fn describe(operator: &Operator) -> OperatorJson<'_> {
    OperatorJson {
        desc: operator.desc,
        brief: &operator.brief,
        region_id: operator.region,
        region_epoch: Epoch { conf_ver: operator.conf_ver, version: operator.version },
        kind: operator.kind,
        timeout: duration(operator.timeout()),
        status: operator.status.number(),
    }
}

fn operator_not_found() -> Reply {
    answer::error(500, "[PD:operator:ErrOperatorNotFound]operator not found")
}
