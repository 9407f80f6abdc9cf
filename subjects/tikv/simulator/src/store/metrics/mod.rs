//! A store's `/metrics`: what a TiKV that serves raw puts and gets shows of what its official dashboards look at.
//!
//! Names, types, labels, buckets and help texts are those of recorded pages. As there, a family that needs an event has
//! no series before the first one, and there is nothing of transactions and coprocessors, which the load does not use.
//! Counters are computed when a page is asked for: see [`Work`].

mod latency;
mod process;
mod requests;
mod raft;
mod engine;

use crate::exposition::{Numbers, Page};
use crate::model::{Cluster, Rates, Store, Work};

/// What the families of one page come from.
struct Facts<'a> {
    cluster: &'a Cluster,
    store: &'a Store,
    work: Work,
    rates: Rates,
}

pub(super) fn page(cluster: &Cluster, store: &Store) -> String {
    let (work, rates) = cluster.work_of(store);
    let facts = Facts { cluster, store, work, rates };
    let mut page = Page::new(Numbers::Rust);
    facts.process(&mut page);
    facts.requests(&mut page);
    facts.raft(&mut page);
    facts.engine(&mut page);
    page.finish()
}
