//! Which things a series is about.

use std::collections::BTreeMap;

use operator_core::{Regarding, Store, StoreId};

use crate::prometheus::StoreIdentity;

/// The stores under the names that labels have for them.
#[derive(Debug, Clone, Default)]
pub struct Things {
    by_instance: BTreeMap<String, StoreId>,
    by_address: BTreeMap<String, StoreId>,
    by_id: BTreeMap<String, StoreId>,
}

impl Things {
    /// The stores that PD lists; `identities` are what Prometheus' `instance` was found to be, where that is known.
    pub fn new(stores: &[Store], identities: &[StoreIdentity]) -> Self {
        let mut things = Self::default();
        for store in stores {
            things.by_id.insert(store.id.to_string(), store.id);
            things.by_address.insert(store.address.clone(), store.id);
            if let Some(address) = &store.status_address {
                things.by_instance.insert(address.to_ascii_lowercase(), store.id);
            }
        }
        for identity in identities {
            if let Some(instance) = &identity.instance {
                things.by_instance.insert(instance.to_ascii_lowercase(), identity.store_id);
            }
        }
        things
    }

    /// What each of several series of one rule is about: the store that a label names, and the labels that are left to
    /// tell apart what is about the same one. No two are about the same.
    pub fn regarding(&self, series: &[BTreeMap<String, String>]) -> Vec<Regarding> {
        let found: Vec<_> = series.iter().map(|labels| self.of(labels.clone())).collect();
        let mut seen = BTreeMap::new();
        for regarding in &found {
            *seen.entry(regarding).or_insert(0_usize) += 1;
        }
        let alone = |regarding: &Regarding| seen.get(regarding) == Some(&1);
        let pairs = found.iter().zip(series);
        pairs
            .map(|(regarding, labels)| {
                // With all of its labels each is unlike the others.
                if alone(regarding) { regarding.clone() } else { Regarding::Cluster.labelled(labels.clone()) }
            })
            .collect()
    }

    fn of(&self, mut labels: BTreeMap<String, String>) -> Regarding {
        let named = |label: &str, by: &BTreeMap<String, StoreId>| by.get(labels.get(label)?).copied();
        let instance = labels.get("instance").map(|instance| instance.to_ascii_lowercase());
        if let Some(id) = instance.and_then(|instance| self.by_instance.get(&instance)) {
            // The job is the same for all of them.
            labels.retain(|name, _| name != "instance" && name != "job");
            return Regarding::Store(*id).labelled(labels);
        }
        let by_label = [("store_id", &self.by_id), ("store", &self.by_id), ("address", &self.by_address)];
        let found = by_label.into_iter().find_map(|(label, by)| Some((label, named(label, by)?)));
        match found {
            Some((label, id)) => {
                labels.remove(label);
                Regarding::Store(id).labelled(labels)
            }
            None => Regarding::Cluster.labelled(labels),
        }
    }
}

#[cfg(test)]
mod tests {
    use operator_core::StoreState;

    use super::*;

    fn regarding(series: &[&[(&str, &str)]]) -> Vec<String> {
        let mut store = Store::new(4.into(), "tikv1:20160", StoreState::Up);
        store.status_address = Some("tikv1:20180".to_owned());
        let labels = |labels: &&[(&str, &str)]| {
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let series: Vec<_> = series.iter().map(labels).collect();
        Things::new(&[store], &[]).regarding(&series).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_label_that_names_a_store_is_that_store() {
        for (labels, expected) in [
            (&[][..], "cluster"),
            (&[("instance", "TiKV1:20180"), ("job", "tikv")], "store/4"),
            (&[("instance", "tikv1:20180"), ("type", "raft")], r#"store/4{type="raft"}"#),
            (&[("instance", "pd0:2379"), ("store", "4")], r#"store/4{instance="pd0:2379"}"#),
            (&[("address", "tikv1:20160")], "store/4"),
            (&[("store", "5")], r#"cluster{store="5"}"#),
        ] {
            assert_eq!(regarding(&[labels]), [expected]);
        }
    }

    #[test]
    fn no_two_series_are_about_the_same() {
        let (one, other) =
            ([("instance", "tikv1:20180"), ("job", "a")], [("instance", "tikv1:20180"), ("job", "b")]);
        assert_eq!(
            regarding(&[&one, &other]),
            [r#"cluster{instance="tikv1:20180",job="a"}"#, r#"cluster{instance="tikv1:20180",job="b"}"#]
        );
    }
}
