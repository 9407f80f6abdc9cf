//! etcd as a subject: what it takes to observe a database that is not TiKV.
//!
//! | operator says | etcd says |
//! |---|---|
//! | a store | a member of the cluster; its id is the member's |
//! | the region, number 1 | the one raft group, over the whole key space |
//! | capacity, used | the quota (`--quota-backend-bytes`), the size of the database file |
//! | `Disconnected` | it does not answer, and the leader has no connection to it either |
//! | the signal `lost` | it does not answer here, and no leader says that it is alive |
//!
//! Members are asked over etcd's JSON gateway (3.4 and later: `POST /v3/…`) and at `/metrics`. There is no control
//! plane apart from the members, so [`Subject::members`](operator_core::Subject::members) is not supported.
//!
//! `src/main.rs` watches a cluster with it, with invariants that know nothing of etcd:
//!
//! ```console
//! cargo run -p operator-etcd -- http://127.0.0.1:2379
//! ```

mod wire;
mod gateway;
mod metrics;
mod look;
mod subject;

pub use subject::{EtcdSubject, REGION};
