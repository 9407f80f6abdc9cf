//! Schedulers come, go and pause; so do checkers.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::body::{self, id};
use crate::Reply;
use crate::pd::answer::{self, number};
use crate::pd::operators::{CHECKERS, SCHEDULERS};
use crate::pd::schedule::EVICT_LEADER;
use crate::simulator::Simulator;

const NOT_FOUND: &str = "[PD:scheduler:ErrSchedulerNotFound]scheduler not found";

impl Simulator {
    pub(super) fn act_on_schedulers(&mut self, method: &str, path: &[&str], body: &[u8]) -> Option<Reply> {
        Some(match (method, path) {
            ("POST", ["schedulers"]) => self.create_scheduler(body).unwrap_or_else(|reply| reply),
            ("POST", ["schedulers", name]) => self.pause_scheduler(name, body).unwrap_or_else(|reply| reply),
            ("DELETE", ["schedulers", name]) => self.delete_scheduler(name),
            ("DELETE", ["scheduler-config", EVICT_LEADER, "delete", store]) => self.stop_evicting(store),
            ("POST", ["checker", name]) => self.pause_checker(name, body).unwrap_or_else(|reply| reply),
            _ => return None,
        })
    }

    fn create_scheduler(&mut self, body: &[u8]) -> Result<Reply, Reply> {
        let input = body::object(body)?;
        let Some(name) = input.get("name").and_then(Value::as_str) else {
            return Err(answer::error(400, "missing scheduler name"));
        };
        if name != EVICT_LEADER {
            return Err(if SCHEDULERS.contains(&name) {
                answer::error(500, "[PD:scheduler:ErrSchedulerExisted]scheduler existed")
            } else {
                answer::error(400, "unknown scheduler")
            });
        }
        let store = id(&input, "store_id").ok_or_else(|| answer::error(400, "missing store id"))?;
        let exists = !self.pd.policy.evicted.is_empty();
        if !self.pd.stores.contains_key(&store) {
            let message = format!("[PD:core:ErrStoreNotFound]store {store} not found");
            // One that is there is asked over HTTP by PD itself, which then quotes its quoted answer.
            return Err(answer::error(500, if exists { format!("{message:?}\n") } else { message }));
        }
        self.pd.policy.evicted.insert(store);
        let done =
            if exists { "The scheduler has been applied to the store." } else { "The scheduler is created." };
        Ok(answer::ok(done))
    }

    fn delete_scheduler(&mut self, name: &str) -> Reply {
        if let Some(store) = name
            .strip_prefix(EVICT_LEADER)
            .and_then(|rest| rest.rsplit('-').next().filter(|_| !rest.is_empty()))
        {
            return self.stop_evicting(store);
        }
        if name == EVICT_LEADER && !self.pd.policy.evicted.is_empty() {
            self.pd.policy.evicted.clear();
            return answer::ok("The scheduler is removed.");
        }
        answer::error(404, NOT_FOUND)
    }

    fn stop_evicting(&mut self, store: &str) -> Reply {
        let status = match number::<u64>(store.as_bytes(), "ParseUint") {
            Ok(store) if self.pd.policy.evicted.remove(&store) => 200,
            Ok(_) => 404,
            Err(_) => 400,
        };
        answer::json(status, &())
    }

    fn pause_scheduler(&mut self, name: &str, body: &[u8]) -> Result<Reply, Reply> {
        let seconds = delay(body)?;
        let names = match (self.pd.memory.as_ref(), self.pd.members.leader) {
            (Some(_), Some(leader)) => self.pd.view(&self.cluster, leader).map(|view| view.schedulers()),
            _ => None,
        };
        let names = names.unwrap_or_default();
        if name != "all" && !names.contains(&name) {
            return Err(answer::error(500, NOT_FOUND));
        }
        for known in names.into_iter().filter(|known| name == "all" || *known == name) {
            self.pause(known.to_owned(), seconds);
        }
        Ok(answer::ok("Pause or resume the scheduler successfully."))
    }

    fn pause_checker(&mut self, name: &str, body: &[u8]) -> Result<Reply, Reply> {
        let seconds = delay(body)?;
        if seconds < 0 {
            return Err(answer::error(400, "delay cannot be negative"));
        }
        if !CHECKERS.contains(&name) {
            return Err(answer::error(500, "[PD:checker:ErrCheckerNotFound]checker not found"));
        }
        self.pause(format!("checker/{name}"), seconds);
        let done =
            if seconds > 0 { "Pause the checker successfully." } else { "Resume the checker successfully." };
        Ok(answer::ok(done))
    }

    fn pause(&mut self, name: String, seconds: i64) {
        let now = self.cluster.now;
        let Some(memory) = &mut self.pd.memory else { return };
        if seconds > 0 {
            let span = TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX);
            let until = now.checked_add_signed(span).unwrap_or(DateTime::<Utc>::MAX_UTC);
            memory.paused.insert(name, (now, until));
        } else {
            memory.paused.remove(&name);
        }
    }
}

/// The seconds of a pause; 0 ends it.
fn delay(body: &[u8]) -> Result<i64, Reply> {
    let input = body::object(body)?;
    if let Some((_, wrong)) = input.iter().find(|(_, value)| !value.is_i64()) {
        return Err(answer::input_error(&format!(
            "json: cannot unmarshal {} into Go value of type int64",
            body::kind(wrong)
        )));
    }
    let seconds = input.get("delay").and_then(Value::as_i64);
    seconds.ok_or_else(|| answer::error(400, "missing pause time"))
}
