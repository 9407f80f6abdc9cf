//! Which series are which store's.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use operator_core::{Store, StoreId};
use serde::Serialize;

/// A store under all its names: PD's id and addresses, and Prometheus' `instance`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoreIdentity {
    /// PD's id.
    pub store_id: StoreId,
    /// Where clients reach it.
    pub address: String,
    /// Where it answers about itself.
    pub status_address: Option<String>,
    /// The label `instance` of its series; none if there are none, or none that is surely its own.
    pub instance: Option<String>,
    /// How `instance` was found, or why not.
    pub matched: InstanceMatch,
    /// What Prometheus says of it as a target.
    pub target: TargetState,
    /// When Prometheus last had a sample of it, by Prometheus' clock.
    pub sampled_at: Option<DateTime<Utc>>,
}

/// How an `instance` was found for a store, or why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
#[non_exhaustive]
pub enum InstanceMatch {
    /// It is the store's status address.
    StatusAddress,
    /// It has the store's host, which no other store and no other TiKV instance has; the port differs.
    Host,
    /// Prometheus knows nothing of the store. An `instance` that is a pod's name is not guessed.
    Unknown,
    /// Several instances could be it, or it could be several stores'.
    Ambiguous {
        /// Those that could be.
        instances: Vec<String>,
    },
    /// Its series come twice, from two jobs or two clusters: sums would count double.
    ScrapedTwice,
}

/// What Prometheus says of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TargetState {
    /// The last scrape worked.
    Up,
    /// The last scrape failed: what its metrics last were says nothing of now.
    Down,
    /// It is no target, or not any more.
    Absent,
    /// It was not told: the question failed, or the answers disagree.
    Unknown,
}

/// Finds for each of `stores` the instance that is it.
///
/// `own` are the instances that have metrics only TiKV has; `others` may be anything that is scraped, and count only by
/// their full address.
pub(super) fn matches(
    stores: &[Store],
    own: &BTreeSet<&str>,
    others: &BTreeSet<&str>,
) -> Vec<(Option<String>, InstanceMatch)> {
    // Hosts are equal whatever their case.
    let by_address: BTreeMap<String, &str> =
        others.iter().chain(own).map(|&instance| (instance.to_ascii_lowercase(), instance)).collect();
    let addresses: Vec<Option<String>> = stores.iter().map(reachable_status_address).collect();
    let hosts: Vec<String> = stores
        .iter()
        .zip(&addresses)
        .map(|(store, address)| host(address.as_deref().unwrap_or(&store.address)))
        .collect();
    let stores_by_address = count(addresses.iter().flatten());
    let stores_by_host = count(&hosts);
    // An instance that has the address of one store is not another's.
    let mut free_by_host: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for instance in
        own.iter().filter(|own| !stores_by_address.contains_key(own.to_ascii_lowercase().as_str()))
    {
        free_by_host.entry(host(instance)).or_default().push(instance);
    }

    let find = |(address, host): (&Option<String>, &String)| {
        let ambiguous = |instances: &[&str]| {
            let instances = instances.iter().map(|&instance| instance.to_owned()).collect();
            (None, InstanceMatch::Ambiguous { instances })
        };
        if let Some(address) = address
            && let Some(&instance) = by_address.get(address)
        {
            return match stores_by_address.get(address.as_str()) {
                Some(1) => (Some(instance.to_owned()), InstanceMatch::StatusAddress),
                _ => ambiguous(&[instance]),
            };
        }
        match (free_by_host.get(host).map(Vec::as_slice), stores_by_host.get(host.as_str())) {
            (None, _) => (None, InstanceMatch::Unknown),
            (Some([instance]), Some(1)) => (Some((*instance).to_owned()), InstanceMatch::Host),
            (Some(instances), _) => ambiguous(instances),
        }
    };
    addresses.iter().zip(&hosts).map(find).collect()
}

fn count<'a>(texts: impl IntoIterator<Item = &'a String>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for text in texts {
        *counts.entry(text.as_str()).or_default() += 1;
    }
    counts
}

/// The status address in lower case; `0.0.0.0` and `[::]`, which a store tells that was not told its own, replaced by its host.
fn reachable_status_address(store: &Store) -> Option<String> {
    let address = store.status_address.as_deref().filter(|address| !address.is_empty())?;
    let (host, port) = address.rsplit_once(':')?;
    if is_wildcard(host) {
        let (host, _) = store.address.rsplit_once(':')?;
        return Some(format!("{host}:{port}").to_ascii_lowercase());
    }
    Some(address.to_ascii_lowercase())
}

fn is_wildcard(host: &str) -> bool {
    matches!(host, "" | "0.0.0.0" | "[::]" | "::" | "*")
}

/// The host of `host:port`, or all of it if there is no port.
fn host(address: &str) -> String {
    match address.rsplit_once(':') {
        // The colons of an IPv6 address without a port are inside brackets or are many.
        Some((host, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']')) =>
        {
            host.to_ascii_lowercase()
        }
        _ => address.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use operator_core::StoreState;

    use super::*;

    fn store(id: u64, address: &str, status_address: &str) -> Store {
        let mut store = Store::new(id.into(), address, StoreState::Up);
        store.status_address = Some(status_address.to_owned()).filter(|address| !address.is_empty());
        store
    }

    fn find(stores: &[Store], own: &[&str], others: &[&str]) -> Vec<(Option<String>, InstanceMatch)> {
        matches(stores, &own.iter().copied().collect(), &others.iter().copied().collect())
    }

    fn found(instance: &str, by: InstanceMatch) -> (Option<String>, InstanceMatch) {
        (Some(instance.to_owned()), by)
    }

    #[test]
    fn the_status_address_is_the_instance() {
        let stores = [store(1, "a:20160", "a:20180"), store(4, "b:20160", "b:20180")];
        // A port probe has the address of clients as its instance.
        let found_all = find(&stores, &["a:20180"], &["a:20180", "b:20180", "a:20160", "b:20160", "b"]);
        assert_eq!(
            found_all,
            [found("a:20180", InstanceMatch::StatusAddress), found("b:20180", InstanceMatch::StatusAddress)]
        );
    }

    #[test]
    fn a_store_that_calls_itself_0_0_0_0_has_its_own_host() {
        let stores = [store(1, "10.0.0.1:20160", "0.0.0.0:20180"), store(2, "[fd00::1]:20160", "[::]:20180")];
        assert_eq!(
            find(&stores, &["10.0.0.1:20180", "[fd00::1]:20180"], &[]),
            [
                found("10.0.0.1:20180", InstanceMatch::StatusAddress),
                found("[fd00::1]:20180", InstanceMatch::StatusAddress)
            ]
        );
    }

    #[test]
    fn another_port_is_found_by_the_host_if_that_is_sure() {
        let one = [store(1, "A:20160", "A:20180"), store(2, "b:20160", "")];
        assert_eq!(
            find(&one, &["a:9999", "b"], &[]),
            [found("a:9999", InstanceMatch::Host), found("b", InstanceMatch::Host)]
        );
        // What only others have is not TiKV.
        assert_eq!(find(&one, &[], &["a:9100", "b"])[0], (None, InstanceMatch::Unknown));

        let two = [store(1, "a:20160", "a:20180"), store(2, "a:20161", "a:20181")];
        let ambiguous = |instances: &[&str]| {
            let instances = instances.iter().map(|&instance| instance.to_owned()).collect();
            (None, InstanceMatch::Ambiguous { instances })
        };
        assert_eq!(find(&two, &["a:1"], &[]), [ambiguous(&["a:1"]), ambiguous(&["a:1"])]);
        assert_eq!(find(&two[..1], &["a:1", "a:2"], &[]), [ambiguous(&["a:1", "a:2"])]);
        // The other may be of another cluster.
        assert_eq!(
            find(&two, &["a:20180", "a:1"], &[]),
            [found("a:20180", InstanceMatch::StatusAddress), ambiguous(&["a:1"])]
        );
    }

    #[test]
    fn a_store_that_prometheus_does_not_know_is_not_taken_for_its_neighbour() {
        let stores = [store(1, "a:20160", "a:20180"), store(2, "a:20161", "a:20181")];
        assert_eq!(
            find(&stores, &["a:20180"], &[]),
            [found("a:20180", InstanceMatch::StatusAddress), (None, InstanceMatch::Unknown)]
        );
    }

    #[test]
    fn two_stores_with_one_status_address_are_not_told_apart() {
        let stores = [store(1, "a:20160", "a:20180"), store(2, "a:20161", "a:20180")];
        assert!(find(&stores, &["a:20180"], &[]).iter().all(|(instance, _)| instance.is_none()));
    }

    #[test]
    fn the_name_of_a_pod_is_not_guessed() {
        let stores = [store(
            1,
            "basic-tikv-0.basic-tikv-peer.db.svc:20160",
            "basic-tikv-0.basic-tikv-peer.db.svc:20180",
        )];
        assert_eq!(find(&stores, &["basic-tikv-0"], &[]), [(None, InstanceMatch::Unknown)]);
    }
}
