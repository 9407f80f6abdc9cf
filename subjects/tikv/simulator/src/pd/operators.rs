//! `/operators…`, `/schedulers…`, `/checker/{name}`.

use serde::Serialize;

use super::answer::{self, Query, number};
use super::schedule::{Operator, What};
use super::text::prose_moment;
use super::view::View;
use crate::Reply;

const SCHEDULERS: [&str; 4] = [
    "balance-region-scheduler",
    "balance-leader-scheduler",
    "balance-hot-region-scheduler",
    "evict-slow-store-scheduler",
];
const CHECKERS: [&str; 6] = ["learner", "replica", "rule", "split", "merge", "joint-state"];

#[derive(Serialize)]
struct OperatorJson {
    desc: &'static str,
    brief: String,
    region_id: u64,
    region_epoch: Epoch,
    kind: u64,
    timeout: &'static str,
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
struct Diagnostic<'a> {
    name: &'a str,
    status: &'static str,
    summary: &'static str,
    timestamp: i64,
}

impl Operator {
    fn brief(&self) -> String {
        match self.what {
            What::MovePeer { from, to } => format!("mv peer: store [{from}] to [{to}]"),
            What::TransferLeader { from, to } => format!("transfer leader: store {from} to {to}"),
        }
    }

    /// Replica is bit 3, region bit 6, leader bit 7.
    fn kind(&self) -> (&'static str, u64) {
        match self.what {
            What::MovePeer { .. } if self.why.starts_with("balance") => ("region", 1 << 6),
            What::MovePeer { .. } => ("replica,region", 1 << 3 | 1 << 6),
            What::TransferLeader { .. } => ("leader", 1 << 7),
        }
    }

    fn timeout(&self) -> &'static str {
        match self.what {
            What::MovePeer { .. } => "17m0s",
            What::TransferLeader { .. } => "1m0s",
        }
    }

    fn steps(&self) -> String {
        match self.what {
            What::MovePeer { from, to } => format!(
                "[0:{{add learner peer on store {to}}}, 1:{{use joint consensus, promote learner peer on store {to} to voter, \
                 demote voter peer on store {from} to learner}}, 2:{{leave joint state, promote learner peer on store {to} to voter, \
                 demote voter peer on store {from} to learner}}, 3:{{remove peer on store {from}}}]"
            ),
            What::TransferLeader { from, to } => {
                format!("[0:{{transfer leader from store {from} to store {to}}}]")
            }
        }
    }
}

impl View<'_> {
    pub(crate) fn operators(&self, path: &[&str], query: &Query) -> Option<Reply> {
        Some(match path {
            ["operators"] if query.has("object") => {
                let all: Vec<_> = self.memory.operators.iter().map(describe).collect();
                answer::ok(&all)
            }
            ["operators"] => {
                let all: Vec<_> = self.memory.operators.iter().map(|operator| self.prose(operator)).collect();
                answer::ok(&all)
            }
            ["operators", "records"] => {
                let all: Vec<_> = self.memory.finished.iter().map(|operator| self.prose(operator)).collect();
                // Nothing to tell is an error to PD.
                if all.is_empty() { operator_not_found() } else { answer::ok(&all) }
            }
            ["operators", region] => self.operator_of(region),
            ["schedulers"] => match query.first("status") {
                b"paused" | b"disabled" => answer::empty(),
                // A PD that read its regions from disk starts no scheduler before they have reported.
                _ if self.memory.source == super::Source::Storage && !self.is_warm() => answer::empty(),
                _ => answer::ok(&SCHEDULERS),
            },
            ["schedulers", "diagnostic", name] if SCHEDULERS.iter().take(2).any(|known| known == name) => {
                let status = if self.is_warm() { "normal" } else { "disabled" };
                answer::ok(&Diagnostic { name, status, summary: "", timestamp: self.cluster.now.timestamp() })
            }
            ["checker", name] if CHECKERS.contains(name) => answer::ok(&Paused { paused: false }),
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
        let finished = self.memory.finished.iter().rev().find(|operator| operator.region == region);
        match (running, finished) {
            (Some(operator), _) => {
                answer::ok(&format!("status: RUNNING, operator: {}", self.prose(operator)))
            }
            (None, Some(operator)) => {
                answer::ok(&format!("status: SUCCESS, operator: {}", self.prose(operator)))
            }
            (None, None) => operator_not_found(),
        }
    }

    fn prose(&self, operator: &Operator) -> String {
        let since = self.memory.since;
        let created = prose_moment(operator.created_at, since);
        let step = match (operator.what, operator.learner) {
            (What::MovePeer { .. }, Some(_)) => 1,
            _ => 0,
        };
        let mut text = format!(
            "{why} {{{brief}}} (kind:{kind}, region:{region}({version}, {conf_ver}), createAt:{created}, startAt:{created}, \
             currentStep:{step}, size:1, steps:{steps}, timeout:[{timeout}])",
            why = operator.why,
            brief = operator.brief(),
            kind = operator.kind().0,
            region = operator.region,
            version = operator.version,
            conf_ver = operator.conf_ver,
            steps = operator.steps(),
            timeout = operator.timeout(),
        );
        if let Some(at) = operator.finished_at {
            text.push_str(&format!(
                " finished (finishAt:{}, duration:{})",
                prose_moment(at, since),
                super::text::duration(at - operator.created_at)
            ));
        }
        text
    }
}

fn describe(operator: &Operator) -> OperatorJson {
    OperatorJson {
        desc: operator.why,
        brief: operator.brief(),
        region_id: operator.region,
        region_epoch: Epoch { conf_ver: operator.conf_ver, version: operator.version },
        kind: operator.kind().1,
        timeout: operator.timeout(),
        status: 1,
    }
}

fn operator_not_found() -> Reply {
    answer::error(500, "[PD:operator:ErrOperatorNotFound]operator not found")
}
