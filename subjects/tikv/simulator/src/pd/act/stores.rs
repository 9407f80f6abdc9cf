//! `/store/{id}`, `…/state`, `…/weight`, `…/limit`, `…/label`: a store leaves, stays, or counts for more.

use serde_json::Value;

use super::body;
use crate::Reply;
use crate::pd::answer::{self, Query, number};
use crate::pd::memory::{Limits, StoreMeta, StoreState};
use crate::simulator::Simulator;

/// The most labels of one store that are kept.
const MAX_LABELS: usize = 1_000;

impl Simulator {
    pub(super) fn act_on_stores(
        &mut self,
        method: &str,
        path: &[&str],
        query: &Query,
        body: &[u8],
    ) -> Option<Reply> {
        let reply = match (method, path) {
            ("DELETE", ["stores", "remove-tombstone"]) => {
                self.pd.stores.retain(|_, meta| meta.state != StoreState::Tombstone);
                Ok(answer::ok("Remove tombstone successfully."))
            }
            ("POST", ["stores", "limit"]) => {
                self.limit(None, body).map(|()| answer::ok("Set store limit successfully."))
            }
            ("DELETE", ["store", id]) => parse(id)
                .and_then(|id| self.remove(id, query.has("force")))
                .map(|()| answer::ok("The store is set as Offline.")),
            ("POST", ["store", id, "state"]) => parse(id)
                .and_then(|id| self.set_state(id, query))
                .map(|()| answer::ok("The store's state is updated.")),
            ("POST", ["store", id, "weight"]) => parse(id)
                .and_then(|id| self.weigh(id, body))
                .map(|()| answer::ok("The store's weight is updated.")),
            ("POST", ["store", id, "limit"]) => parse(id)
                .and_then(|id| self.limit(Some(id), body))
                .map(|()| answer::ok("The store's limit is updated.")),
            ("POST", ["store", id, "label"]) => parse(id)
                .and_then(|id| self.label(id, query.has("force"), body))
                .map(|()| answer::ok("The store's label is updated.")),
            ("DELETE", ["store", id, "label"]) => parse(id).and_then(|id| self.delete_label(id, body)),
            _ => return None,
        };
        Some(reply.unwrap_or_else(|refusal| refusal))
    }

    /// A store that is not a tombstone, or the answer that it is not there or is one.
    fn store_that_lives(&mut self, id: u64) -> Result<&mut StoreMeta, Reply> {
        match self.pd.stores.get_mut(&id) {
            None => Err(answer::error(404, not_found(id))),
            Some(meta) if meta.state == StoreState::Tombstone => {
                Err(answer::error(410, format!("[PD:core:ErrStoreRemoved]store {id} has been removed")))
            }
            Some(meta) => Ok(meta),
        }
    }

    fn remove(&mut self, id: u64, destroyed: bool) -> Result<(), Reply> {
        if let Some(meta) = self.pd.stores.get(&id)
            && meta.state == StoreState::Offline
            && meta.destroyed == destroyed
        {
            return Ok(());
        }
        let meta = self.store_that_lives(id)?;
        if meta.destroyed {
            return Err(answer::error(400, gone_for_good(id)));
        }
        if meta.state == StoreState::Up && !destroyed {
            let up: Vec<_> = (self.pd.stores.iter())
                .filter(|(other, meta)| meta.state == StoreState::Up && **other != id)
                .map(|(other, _)| *other)
                .collect();
            let wanted = self.pd.policy.replicas();
            if up.len() < wanted {
                let count = up.len();
                return Err(answer::error(
                    400,
                    format!(
                        "[PD:core:ErrStoresNotEnough]can not remove store {id} since the number of up stores would be {count} while need {wanted}"
                    ),
                ));
            }
            if up.iter().all(|other| self.pd.policy.evicted.contains(other)) {
                return Err(answer::error(
                    400,
                    format!(
                        "[PD:core:ErrNoStoreForRegionLeader]can not remove store {id} since there are no extra up store to store the leader"
                    ),
                ));
            }
        }
        self.touch_store(id);
        self.pd.take_offline(&self.cluster, id);
        if let Some(meta) = self.pd.stores.get_mut(&id) {
            meta.destroyed = destroyed;
        }
        Ok(())
    }

    fn set_state(&mut self, id: u64, query: &Query) -> Result<(), Reply> {
        let state = String::from_utf8_lossy(query.first("state")).into_owned();
        if state.eq_ignore_ascii_case("Up") {
            if self.store_that_lives(id)?.destroyed {
                return Err(answer::error(400, gone_for_good(id)));
            }
            self.pd.keep(id);
            Ok(())
        } else if state.eq_ignore_ascii_case("Offline") {
            self.remove(id, false)
        } else {
            Err(answer::error(400, format!("invalid state {state}")))
        }
    }

    fn weigh(&mut self, id: u64, body: &[u8]) -> Result<(), Reply> {
        let input = body::object(body)?;
        let mut weights = [0.0; 2];
        for (name, weight) in ["leader", "region"].into_iter().zip(&mut weights) {
            let value = input.get(name).ok_or_else(|| answer::error(400, format!("{name} weight unset")))?;
            let positive = value.as_f64().filter(|value| *value >= 0.0);
            *weight = positive.ok_or_else(|| answer::error(400, format!("bad format {name} weight")))?;
        }
        let meta = self.pd.stores.get_mut(&id).ok_or_else(|| answer::error(500, not_found(id)))?;
        [meta.leader_weight, meta.region_weight] = weights;
        Ok(())
    }

    /// Of one store, or of all.
    fn limit(&mut self, id: Option<u64>, body: &[u8]) -> Result<(), Reply> {
        if let Some(id) = id.filter(|id| !self.pd.stores.contains_key(id)) {
            return Err(answer::error(500, not_found(id)));
        }
        let input = body::object(body)?;
        let rate = input.get("rate").ok_or_else(|| answer::error(400, "rate unset"))?;
        let rate = rate.as_f64().filter(|rate| *rate > 0.0);
        let rate = rate.ok_or_else(|| answer::error(400, "invalid rate which should be larger than 0"))?;
        let (adds, removes) = match input.get("type") {
            None => (true, true),
            Some(Value::String(kind)) => match kind.as_str() {
                "" | "add-peer" => (true, false),
                "remove-peer" => (false, true),
                _ => return Err(answer::error(400, "unknown type")),
            },
            Some(_) => return Err(answer::error(400, "bad format type")),
        };
        for (_, meta) in self.pd.stores.iter_mut().filter(|(store, _)| id.is_none_or(|id| id == **store)) {
            let Limits { add_peer, remove_peer } = meta.limits;
            meta.limits = Limits {
                add_peer: if adds { rate } else { add_peer },
                remove_peer: if removes { rate } else { remove_peer },
            };
        }
        Ok(())
    }

    fn label(&mut self, id: u64, replace: bool, body: &[u8]) -> Result<(), Reply> {
        let mut labels = Vec::new();
        for (key, value) in body::object(body)? {
            let Value::String(value) = value else {
                let kind = body::kind(&value);
                let message = format!("json: cannot unmarshal {kind} into Go value of type string");
                return Err(answer::input_error(&message));
            };
            labels.push((key, value));
        }
        for (key, value) in &labels {
            check_label(key, true)?;
            check_label(value, false)?;
        }
        let meta = self.pd.stores.get_mut(&id).ok_or_else(|| answer::error(500, no_such_store(id)))?;
        if replace {
            meta.labels.clear();
        }
        for (key, value) in labels {
            if let Some((_, known)) =
                meta.labels.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&key))
            {
                *known = value;
            } else if meta.labels.len() < MAX_LABELS {
                meta.labels.push((key, value));
            }
        }
        meta.labels.retain(|(_, value)| !value.is_empty());
        Ok(())
    }

    fn delete_label(&mut self, id: u64, body: &[u8]) -> Result<Reply, Reply> {
        let Value::String(key) = body::value(body)? else {
            return Err(answer::input_error("json: cannot unmarshal object into Go value of type string"));
        };
        let meta = self.pd.stores.get_mut(&id).ok_or_else(|| answer::error(500, no_such_store(id)))?;
        let before = meta.labels.len();
        meta.labels.retain(|(known, _)| *known != key);
        if meta.labels.len() == before {
            return Err(answer::error(500, format!("the label key {key} does not exist")));
        }
        Ok(answer::ok(&format!("The label {key} is deleted for store {id}.")))
    }
}

fn parse(id: &str) -> Result<u64, Reply> {
    number(id.as_bytes(), "ParseUint").map_err(|message| answer::input_error(&message))
}

fn not_found(id: u64) -> String {
    format!("[PD:core:ErrStoreNotFound]store {id} not found")
}

fn no_such_store(id: u64) -> String {
    format!("[PD:cluster:ErrInvalidStoreID]invalid store id {id}, not found")
}

fn gone_for_good(id: u64) -> String {
    format!("[PD:core:ErrStoreDestroyed]store {id} has been physically destroyed")
}

/// Letters, digits, and `-_./` between them; a key may begin with `$`, a value may be empty.
fn check_label(text: &str, is_key: bool) -> Result<(), Reply> {
    const KEY: &str = "^[$]?[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$";
    const VALUE: &str = "^[-A-Za-z0-9_./]*$";
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let bare = if is_key { text.strip_prefix('$').unwrap_or(text) } else { text };
    let ends = |c: char| c.is_ascii_alphanumeric();
    let good = bare.chars().all(inner) && (!is_key || bare.starts_with(ends) && bare.ends_with(ends));
    if good {
        return Ok(());
    }
    let pattern = if is_key { KEY } else { VALUE };
    Err(answer::input_error(&format!("{text} does not match format {pattern:?}")))
}
