//! `POST` and `DELETE /operators`: an administrator's operators.

use serde_json::{Map, Value};

use super::body::{self, id};
use crate::Reply;
use crate::model::{Peer, Role, unhex};
use crate::pd::answer::{self, number};
use crate::pd::memory::{Known, StoreState};
use crate::pd::operator::{Operator, Status, Step, change_peers, kind};
use crate::simulator::Simulator;

/// Why PD makes no operator: its status and its words.
struct Refusal(u16, String);

type Made = Result<(), Refusal>;

fn bad(message: &str) -> Refusal {
    Refusal(400, message.to_owned())
}

fn failed(message: impl Into<String>) -> Refusal {
    Refusal(500, message.into())
}

impl Simulator {
    pub(super) fn act_on_operators(&mut self, method: &str, path: &[&str], body: &[u8]) -> Option<Reply> {
        Some(match (method, path) {
            ("POST", ["operators"]) => match body::object(body) {
                Ok(input) => match self.make(&input) {
                    Ok(()) => answer::ok("The operator is created."),
                    Err(Refusal(status, message)) => answer::error(status, message),
                },
                Err(reply) => reply,
            },
            ("DELETE", ["operators"]) => {
                let regions = self.pd.memory.iter().flat_map(|memory| &memory.operators).map(|o| o.region);
                for region in regions.collect::<Vec<_>>() {
                    self.cancel(region);
                }
                answer::ok("All pending operators are canceled.")
            }
            ("DELETE", ["operators", region]) => match number::<u64>(region.as_bytes(), "ParseUint") {
                Ok(region) if self.cancel(region) => answer::ok("The pending operator is canceled."),
                Ok(_) => answer::error(500, "[PD:operator:ErrOperatorNotFound]operator not found"),
                Err(message) => answer::error(400, message),
            },
            _ => return None,
        })
    }

    /// Whether an operator ran on the region.
    fn cancel(&mut self, region: u64) -> bool {
        let now = self.cluster.now;
        let Some(memory) = &mut self.pd.memory else { return false };
        let runs = memory.operator(region).is_some();
        memory.finish(region, Status::Canceled, now);
        runs
    }

    fn make(&mut self, input: &Map<String, Value>) -> Made {
        let name = input.get("name").and_then(Value::as_str).ok_or_else(|| bad("missing operator name"))?;
        let region_key = if name == "merge-region" { "source_region_id" } else { "region_id" };
        let known_names = [
            "transfer-leader",
            "transfer-peer",
            "add-peer",
            "add-learner",
            "remove-peer",
            "merge-region",
            "split-region",
            "scatter-region",
        ];
        if !known_names.contains(&name) {
            return Err(bad("unknown operator"));
        }
        let region = id(input, region_key).ok_or_else(|| bad("missing region id"))?;
        let store = |key: &str, missing: &str| id(input, key).ok_or_else(|| bad(missing));
        let no_store = "invalid store id to transfer peer to";
        match name {
            "transfer-leader" => {
                let to = store("to_store_id", "missing store id to transfer leader to")?;
                self.transfer_leader(region, to)
            }
            "transfer-peer" => {
                let from = store("from_store_id", "invalid store id to transfer peer from")?;
                let to = store("to_store_id", no_store)?;
                self.transfer_peer(region, from, to)
            }
            "add-peer" => self.add_peer(region, store("store_id", no_store)?, Role::Voter),
            "add-learner" => self.add_peer(region, store("store_id", no_store)?, Role::Learner),
            "remove-peer" => self.remove_peer(region, store("store_id", no_store)?),
            "merge-region" => {
                let target = store("target_region_id", "invalid target region id to merge to")?;
                self.merge_regions(region, target)
            }
            "split-region" => {
                let policy =
                    input.get("policy").and_then(Value::as_str).ok_or_else(|| bad("missing split policy"))?;
                self.split_region(region, policy, input.get("keys"))
            }
            _ => self.scatter_region(region),
        }
    }

    /// What PD knows of a region.
    fn find(&mut self, region: u64) -> Result<Known, Refusal> {
        let found = self.touch(region).then(|| self.cluster.regions.get(region)).flatten();
        found
            .zip(self.pd.memory.as_ref())
            .map(|(found, memory)| memory.known(&self.cluster, found).into_owned())
            .ok_or_else(|| failed(format!("[PD:region:ErrRegionNotFound]region {region} not found")))
    }

    /// A region whose peers can be changed.
    fn find_led(&mut self, region: u64) -> Result<Known, Refusal> {
        let known = self.find(region)?;
        if known.region.leader.is_none() {
            return Err(failed("cannot build operator for region with no leader"));
        }
        Ok(known)
    }

    /// Whether a peer can be put on a store.
    fn check_store(&self, id: u64) -> Made {
        let Some(meta) = self.pd.stores.get(&id) else {
            return Err(failed(format!("[PD:core:ErrStoreNotFound]store {id} not found")));
        };
        if meta.state == StoreState::Tombstone {
            return Err(failed(format!("[PD:core:ErrStoreRemoved]store {id} has been removed")));
        }
        // Unhealthy is what was silent for ten minutes.
        let silent = self.pd.last_beat(id).map(|at| self.cluster.now - at);
        if silent.is_none_or(|silent| silent.num_minutes() >= 10) {
            return Err(failed(format!("[PD:core:ErrStoreUnhealthy]store {id} is unhealthy")));
        }
        Ok(())
    }

    /// The operators start, unless one of their regions has one already that is as urgent, or changed since.
    fn add(&mut self, operators: Vec<Operator>) -> Made {
        let now = self.cluster.now;
        let Some(memory) = &mut self.pd.memory else { return Err(failed("no leader")) };
        let urgent = |region| memory.operators.iter().any(|other| other.region == region && other.urgent);
        if operators.iter().any(|operator| urgent(operator.region)) {
            for mut operator in operators {
                operator.started = false;
                operator.end(Status::Canceled, now);
                memory.bury(operator, now);
            }
            return Err(failed("[PD:operator:ErrAddOperator]failed to add operator, maybe already have one"));
        }
        for operator in operators {
            self.begin(operator);
        }
        Ok(())
    }

    fn add_admin(&mut self, known: &Known, desc: &'static str, brief: String, steps: Vec<Step>) -> Made {
        let operator = Operator::new(known, desc, brief, kind::ADMIN, steps, self.cluster.now);
        self.add(vec![operator])
    }

    fn transfer_leader(&mut self, region: u64, to: u64) -> Made {
        let known = self.find(region)?;
        let voter = known.region.voters().find(|peer| peer.store == to);
        let voter = voter.ok_or_else(|| failed(format!("region has no voter in store {to}")))?;
        let from = self.find_led(region)?.region.leader.map_or(0, |leader| leader.store);
        if known.pending.contains(&voter) || known.down.iter().any(|(peer, _)| peer.id == voter.id) {
            return Err(failed(format!("cannot transfer leader to {to}: unhealthy")));
        }
        if from == to {
            return Err(failed("no operator step is built"));
        }
        if !self.pd.may_lead(&self.cluster, to) {
            return Err(failed("cannot create operator: target leader is not allowed"));
        }
        let brief = format!("transfer leader: store {from} to {to}");
        self.add_admin(&known, "admin-transfer-leader", brief, vec![Step::TransferLeader { from, to }])
    }

    fn transfer_peer(&mut self, region: u64, from: u64, to: u64) -> Made {
        let known = self.find(region)?;
        let old = known.region.peer_on(from);
        let old = old.ok_or_else(|| failed(format!("region has no peer in store {from}")))?;
        self.check_store(to)?;
        let known = self.find_led(region)?;
        if let Some(there) = known.region.peer_on(to) {
            let role = if old.role == Role::Learner { "role:Learner " } else { "" };
            return Err(failed(format!(
                "cannot add peer {role}store_id:{to} : already have peer id:{} store_id:{to} ",
                there.id
            )));
        }
        let new = self.cluster.regions.new_id();
        let Some((brief, steps)) = self.pd.move_peer(&self.cluster, &known, from, to, new) else {
            return Err(failed(format!("region has no peer in store {from}")));
        };
        self.add_admin(&known, "admin-move-peer", brief, steps)
    }

    fn add_peer(&mut self, region: u64, store: u64, role: Role) -> Made {
        let known = self.find(region)?;
        if known.region.peer_on(store).is_some() {
            return Err(failed(format!("region already has peer in store {store}")));
        }
        self.check_store(store)?;
        let known = self.find_led(region)?;
        let peer = Peer { id: self.cluster.regions.new_id(), store, role };
        let desc = if role == Role::Voter { "admin-add-peer" } else { "admin-add-learner" };
        self.add_admin(
            &known,
            desc,
            format!("add peer: store [{store}]"),
            change_peers(Some(peer), None, None),
        )
    }

    fn remove_peer(&mut self, region: u64, store: u64) -> Made {
        let known = self.find(region)?;
        let peer = known.region.peer_on(store);
        let peer = peer.ok_or_else(|| failed(format!("region has no peer in store {store}")))?;
        let known = self.find_led(region)?;
        let mut others = known.region.voters().filter(|other| other.store != store);
        let next = others.find(|other| self.pd.may_lead(&self.cluster, other.store));
        let leads = known.region.leader.is_some_and(|leader| leader.store == store);
        let transfer = match (leads, next) {
            (true, Some(next)) => Some((store, next.store)),
            (true, None) => {
                return Err(failed("fail to build operator: plan is empty, maybe no valid leader"));
            }
            (false, _) => None,
        };
        let mut steps: Vec<_> =
            transfer.map(|(from, to)| Step::TransferLeader { from, to }).into_iter().collect();
        steps.push(Step::Remove(peer));
        self.add_admin(&known, "admin-remove-peer", format!("rm peer: store [{store}]"), steps)
    }

    fn split_region(&mut self, region: u64, policy: &str, keys: Option<&Value>) -> Made {
        let mut texts = Vec::new();
        if let Some(Value::Array(keys)) = keys {
            for key in keys {
                texts.push(key.as_str().ok_or_else(|| bad("bad format keys"))?);
            }
        }
        let known = self.find(region)?;
        let Some(policy) =
            ["SCAN", "APPROXIMATE", "USEKEY"].into_iter().find(|name| name.eq_ignore_ascii_case(policy))
        else {
            return Err(failed(format!("check policy {policy} is not supported")));
        };
        let mut keys = Vec::new();
        let mut brief = format!("split: region {region} use policy {policy}");
        if policy == "USEKEY" {
            for text in texts {
                let key = unhex(text.as_bytes());
                keys.push(key.map_err(|_| failed(format!("split key {text} is not in hex format")))?);
            }
            if !keys.is_empty() {
                let shown: Vec<_> = keys.iter().map(|key| crate::model::hex(key)).collect();
                brief.push_str(&format!(" and keys [{}]", shown.join(" ")));
            }
        }
        let step = Step::Split { policy, keys };
        let operator = Operator::new(
            &known,
            "admin-split-region",
            brief,
            kind::ADMIN | kind::SPLIT,
            vec![step],
            self.cluster.now,
        );
        self.add(vec![operator])
    }

    fn merge_regions(&mut self, source: u64, target: u64) -> Made {
        let (from, into) = (self.find(source)?, self.find(target)?);
        let wanted = self.pd.policy.replicas();
        for known in [&from, &into] {
            let region = &known.region;
            let replicated = region.voters().count() == wanted && region.peers.len() == wanted;
            if !known.pending.is_empty() || !known.down.is_empty() || !replicated {
                let message =
                    format!("[PD:region:ErrRegionAbnormalPeer]region {} has abnormal peer", region.id);
                return Err(failed(message));
            }
        }
        let touches = |left: &Known, right: &Known| {
            !left.region.end.is_empty() && left.region.end == right.region.start
        };
        if !touches(&from, &into) && !touches(&into, &from) {
            return Err(failed("[PD:region:ErrRegionNotAdjacent]two regions are not adjacent"));
        }
        let brief = format!("merge: region {source} to {target}");
        let steps = self.steps_to_match(&from, &into)?;
        let step = Step::Merge { source, target };
        let kind = kind::ADMIN | kind::MERGE;
        let now = self.cluster.now;
        let all = steps.into_iter().chain([step.clone()]).collect();
        let mut first = Operator::new(&from, "admin-merge-region", brief.clone(), kind, all, now);
        let mut second = Operator::new(&into, "admin-merge-region", brief, kind, vec![step], now);
        first.related = Some(target);
        second.related = Some(source);
        self.add(vec![first, second])
    }

    /// The steps after which one region has its peers where another has them.
    fn steps_to_match(&mut self, from: &Known, into: &Known) -> Result<Vec<Step>, Refusal> {
        let elsewhere = |one: &Known, other: &Known| {
            let peers = one.region.peers.iter().copied();
            peers.filter(|peer| other.region.peer_on(peer.store).is_none()).collect::<Vec<_>>()
        };
        let (gone, missing) = (elsewhere(from, into), elsewhere(into, from));
        let mut steps = Vec::new();
        if gone.is_empty() {
            return Ok(steps);
        }
        if from.region.leader.is_none() {
            return Err(failed("cannot build operator for region with no leader"));
        }
        let stays = from.region.voters().find(|peer| into.region.peer_on(peer.store).is_some());
        let mut leader = from.region.leader;
        for (old, new) in gone.into_iter().zip(missing) {
            let new = Peer { id: self.cluster.regions.new_id(), ..new };
            let leads = leader.is_some_and(|leader| leader.id == old.id);
            let next = stays.unwrap_or(new);
            steps.extend(change_peers(Some(new), Some(old), leads.then_some((old.store, next.store))));
            if leads {
                leader = Some(next);
            }
        }
        Ok(steps)
    }

    fn scatter_region(&mut self, region: u64) -> Made {
        let known = self.find(region)?;
        if known.is_hot() {
            return Err(failed(format!("region {region} is a hot region")));
        }
        let wanted = self.pd.policy.replicas();
        if known.region.voters().count() != wanted || known.region.peers.len() != wanted {
            return Err(failed(format!("region {region} is not fully replicated")));
        }
        if known.region.leader.is_none() {
            return Err(failed(format!("region {region} has no leader")));
        }
        // One of its stores may be exchanged for one that holds nothing of it, and any of them may lead.
        let free: Vec<_> = (self.pd.stores.keys().copied())
            .filter(|id| known.region.peer_on(*id).is_none() && self.pd.is_target(&self.cluster, *id))
            .collect();
        let voters: Vec<_> = known.region.voters().map(|peer| peer.store).collect();
        let from = self.one_of(&voters);
        let steps = match (self.one_of(&free), from) {
            (Some(to), Some(from)) => {
                let new = self.cluster.regions.new_id();
                self.pd.move_peer(&self.cluster, &known, from, to, new)
            }
            (None, Some(to)) => {
                let from = known.region.leader.map_or(0, |leader| leader.store);
                let moves = from != to && self.pd.may_lead(&self.cluster, to);
                let step = Step::TransferLeader { from, to };
                moves.then(|| (format!("transfer leader: store {from} to {to}"), vec![step]))
            }
            _ => None,
        };
        match steps {
            Some((brief, steps)) => self.add_admin(&known, "scatter-region", brief, steps),
            // It lies well where it is.
            None => Ok(()),
        }
    }

    fn one_of(&mut self, stores: &[u64]) -> Option<u64> {
        let index = usize::try_from(self.random.between(0, stores.len() as u64)).unwrap_or(0);
        stores.get(index).copied()
    }
}
