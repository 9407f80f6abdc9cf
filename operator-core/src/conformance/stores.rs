//! Whether stores, their metrics and the control plane are in themselves consistent.

use std::collections::BTreeSet;

use super::probe::{Findings, Probe, doubles};
use crate::{ErrorKind, Operation, StoreId, StoreState};

pub(super) async fn stores_are_distinct(probe: Probe<'_>) -> Findings {
    let stores = probe.ask(Operation::Stores, probe.subject.stores()).await?;
    let mut findings: Vec<_> = doubles(stores.iter().map(|store| store.id))
        .into_iter()
        .map(|id| format!("store {id} is listed twice"))
        .collect();
    for store in stores.iter().filter(|store| store.state == StoreState::Tombstone) {
        findings.push(format!("store {} is listed and has been removed", store.id));
    }
    Ok(findings)
}

/// How many of the stores are asked for one by one.
const STORES: usize = 8;

pub(super) async fn store_agrees_with_stores(probe: Probe<'_>) -> Findings {
    let stores = probe.ask(Operation::Stores, probe.subject.stores()).await?;
    let mut findings = Vec::new();
    for store in stores.iter().take(STORES) {
        match probe.within(probe.subject.store(store.id)).await {
            Ok(found) if (found.id, &found.address) == (store.id, &store.address) => {}
            Ok(found) => findings.push(format!(
                "asked for store {} at {}, got {} at {}",
                store.id, store.address, found.id, found.address
            )),
            Err(error) => findings.push(format!("store {} is listed and answered {}", store.id, error.kind)),
        }
    }
    Ok(findings)
}

pub(super) async fn metrics_are_sound(probe: Probe<'_>) -> Findings {
    let metrics = probe.ask(Operation::StoreMetrics, probe.subject.store_metrics()).await?;
    let mut findings: Vec<_> = doubles(metrics.iter().map(|metrics| metrics.store_id))
        .into_iter()
        .map(|id| format!("store {id} has metrics twice"))
        .collect();
    for store in probe.unknown_stores(metrics.iter().map(|metrics| metrics.store_id)).await {
        findings.push(format!("there are metrics of store {store}, which does not exist"));
    }
    for metrics in &metrics {
        for (name, value) in [("qps", metrics.qps), ("cpu_cores", metrics.cpu_cores)] {
            if let Some(value) = value.filter(|value| !value.is_finite() || *value < 0.0) {
                findings.push(format!("{name} of store {} is {value}", metrics.store_id));
            }
        }
    }
    Ok(findings)
}

pub(super) async fn cluster_metrics_add_up(probe: Probe<'_>) -> Findings {
    let cluster = probe.ask(Operation::ClusterMetrics, probe.subject.cluster_metrics()).await?;
    let mut findings = Vec::new();
    let states = cluster.stores_by_state.iter().filter(|(state, _)| **state != StoreState::Tombstone);
    let by_state: u64 = states.map(|(_, count)| *count).sum();
    if let Some(count) = cluster.store_count.filter(|count| *count != by_state) {
        findings.push(format!("there are {count} stores, but {by_state} in all states together"));
    }
    for store in probe.unknown_stores(cluster.leader_count.keys().copied()).await {
        findings.push(format!("store {store} leads regions and does not exist"));
    }
    if cluster.region_health.is_some() {
        findings.push("region_health is a question of its own and has been filled in".to_owned());
    }
    Ok(findings)
}

pub(super) async fn members_are_distinct(probe: Probe<'_>) -> Findings {
    let members = probe.ask(Operation::Members, probe.subject.members()).await?;
    let names = doubles(members.iter().map(|member| &member.name));
    let ids = doubles(members.iter().map(|member| member.id));
    let mut findings: Vec<_> = names.iter().map(|name| format!("two members are called {name}")).collect();
    findings.extend(ids.iter().map(|id| format!("two members have the id {id}")));
    let leaders: Vec<_> =
        members.iter().filter(|member| member.leader).map(|member| member.name.as_str()).collect();
    if leaders.len() > 1 {
        findings.push(format!("{} members lead: {}", leaders.len(), leaders.join(", ")));
    }
    Ok(findings)
}

impl Probe<'_> {
    /// Those of `ids` that the subject knows nothing of: neither listed nor, as a removed store, found by id.
    /// Nothing if it does not say.
    pub(super) async fn unknown_stores(self, ids: impl IntoIterator<Item = StoreId>) -> BTreeSet<StoreId> {
        let Ok(stores) = self.within(self.subject.stores()).await else {
            return BTreeSet::new();
        };
        let mut unknown: BTreeSet<_> = ids.into_iter().collect();
        for store in stores {
            unknown.remove(&store.id);
        }
        let mut lost = BTreeSet::new();
        for id in unknown {
            if matches!(self.within(self.subject.store(id)).await, Err(error) if error.kind == ErrorKind::NotFound)
            {
                lost.insert(id);
            }
        }
        lost
    }
}
