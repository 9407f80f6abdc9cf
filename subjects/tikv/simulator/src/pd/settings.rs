//! `/config…` and what else PD is set to.

use serde_json::{Map, Value, json};

use super::answer;
use super::memory::{Limits, StoreState};
use super::stores::TIKV_VERSION;
use super::text::Float;
use super::view::View;
use crate::Reply;

impl View<'_> {
    pub(crate) fn settings(&self, path: &[&str], joined: bool) -> Option<Reply> {
        let part = |name: &str| self.config(joined).remove(name).unwrap_or_default();
        Some(match path {
            ["config"] => answer::ok(&self.config(joined)),
            ["config", "schedule"] => answer::ok(&part("schedule")),
            ["config", "replicate"] => answer::ok(&part("replication")),
            ["config", "pd-server"] => answer::ok(&part("pd-server")),
            ["config", "replication-mode"] => answer::ok(&part("replication-mode")),
            ["config", "label-property"] => answer::ok(&part("label-property")),
            ["config", "cluster-version"] => answer::ok(version(joined)),
            ["config", "rules" | "placement-rule"] | ["replication_mode", "status"] | ["min-resolved-ts"]
                if !joined =>
            {
                answer::not_bootstrapped()
            }
            ["config", "rules"] => answer::ok(&[rule()]),
            ["config", "placement-rule"] => answer::ok(&json!([{
                "group_id": "pd", "group_index": 0, "group_override": false, "rules": [rule()],
            }])),
            ["replication_mode", "status"] => answer::ok(&json!({
                "mode": "majority", "dr-auto-sync": {"label_key": "", "state": "", "acid_consistent": false},
            })),
            ["gc", "safepoint"] => answer::ok(&json!({"service_gc_safe_points": [], "gc_safe_point": 0})),
            // A timestamp of PD's oracle: milliseconds, shifted by 18 bits.
            ["min-resolved-ts"] => answer::ok(&json!({
                "is_real_time": true,
                "min_resolved_ts": self.cluster.now.timestamp_millis() << 18,
                "persist_interval": "1s",
                "stores_min_resolved_ts": null,
            })),
            _ => return None,
        })
    }

    fn config(&self, joined: bool) -> Map<String, Value> {
        let mut config = self.pd.policy.config().clone();
        if let Some(member) = self.pd.members.list.get(self.leader) {
            config.insert("name".to_owned(), member.name.clone().into());
            config.insert("advertise-client-urls".to_owned(), format!("http://{}", member.authority).into());
            config.insert("advertise-peer-urls".to_owned(), format!("http://{}:2380", member.name).into());
        }
        config.insert("cluster-version".to_owned(), version(joined).into());
        if let Some(Value::Object(schedule)) = config.get_mut("schedule") {
            let limits: Map<_, _> = (self.pd.stores.iter())
                .filter(|(_, meta)| meta.state != StoreState::Tombstone)
                .map(|(id, meta)| {
                    let Limits { add_peer, remove_peer } = meta.limits;
                    (id.to_string(), json!({"add-peer": Float(add_peer), "remove-peer": Float(remove_peer)}))
                })
                .collect();
            schedule.insert("store-limit".to_owned(), limits.into());
            if let Some(Value::Array(schedulers)) = schedule.get_mut("schedulers-v2")
                && !self.pd.policy.evicted.is_empty()
            {
                let args: Vec<_> = self.pd.policy.evicted.iter().take(1).map(u64::to_string).collect();
                schedulers.push(
                    json!({"type": "evict-leader", "args": args, "disable": false, "args-payload": ""}),
                );
            }
        }
        config
    }
}

/// The lowest version of all stores.
fn version(joined: bool) -> &'static str {
    if joined { TIKV_VERSION } else { "0.0.0" }
}

fn rule() -> Value {
    json!({
        "group_id": "pd", "id": "default", "start_key": "", "end_key": "",
        "role": "voter", "is_witness": false, "count": 3,
    })
}
