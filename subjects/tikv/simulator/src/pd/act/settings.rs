//! `POST /config`, for good or for a time.

use chrono::TimeDelta;
use serde_json::{Map, Value};

use super::body;
use crate::Reply;
use crate::pd::answer::{self, Query, number};
use crate::simulator::Simulator;

const UPDATED: &str = "The config is updated.";

impl Simulator {
    pub(super) fn act_on_settings(
        &mut self,
        method: &str,
        path: &[&str],
        query: &Query,
        body: &[u8],
    ) -> Option<Reply> {
        let section = match (method, path) {
            ("POST", ["config"]) => None,
            ("POST", ["config", "schedule"]) => Some("schedule"),
            ("POST", ["config", "replicate"]) => Some("replication"),
            _ => return None,
        };
        Some(self.configure(section, query, body).unwrap_or_else(|message| answer::error(400, message)))
    }

    fn configure(&mut self, section: Option<&str>, query: &Query, body: &[u8]) -> Result<Reply, String> {
        let now = self.cluster.now;
        let input: Map<String, Value> = match serde_json::from_slice(body) {
            Ok(Value::Object(input)) => input,
            Ok(other) => {
                let kind = body::kind(&other);
                return Err(format!(
                    "json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
                ));
            }
            Err(error) => return Err(body::wrong(body, &error)),
        };
        let ttl = query.first("ttlSecond");
        if section.is_none() && !ttl.is_empty() {
            let seconds = number::<i64>(ttl, "Atoi")?;
            let span = TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX);
            self.pd.policy.set_for(&input, span, now)?;
            let done = if seconds == 0 { "The ttl config is deleted." } else { "The ttl config is updated." };
            return Ok(answer::ok(done));
        }
        // One after the other: what stands before a wrong one is set.
        for (key, value) in &input {
            match section {
                Some(section) => self.pd.policy.set(&format!("{section}.{key}"), value, now)?,
                None => self.pd.policy.set(key, value, now)?,
            }
        }
        Ok(answer::ok(UPDATED))
    }
}
