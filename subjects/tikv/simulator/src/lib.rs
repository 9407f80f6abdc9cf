//! A seeded model of a TiKV cluster that answers as PD and TiKV do.
//!
//! [`Simulator`] is the heart: it is asked with [`Simulator::answer`], and time passes only in
//! [`Simulator::advance`], so that a test of half an hour takes a millisecond and always ends in the same way.
//! [`Server`] puts every node of it on a loopback port.
//!
//! What is true (`model`) is kept apart from what PD knows (`pd`): PD learns from heartbeats, forgets when its leader
//! changes, and goes on showing what it was told last.
//!
//! Requests that change something are carried out as a cluster carries them out: an operator that PD accepted moves a
//! leader some milliseconds later and a peer some seconds later, or never. [`Event::Doom`] decides which, a [`Fault`] loses
//! the answer before or after the request was carried out, and [`RequestLog::writes`] keeps what was sent. Answers to what
//! was recorded of a real PD v8.5.1 are those recorded, to the byte; the others are from its source, and not every endpoint
//! is there. PD shows no value that was set for a time only (`ttlSecond`), though it works by it: nor does this.
//!
//! With [`Config::logs`] every process also writes a log, for [`Simulator::drain_log`].
//!
//! ```
//! use std::time::Duration;
//! use tikv_simulator::{Config, Request, Scenario, Simulator};
//!
//! let mut cluster = Simulator::new(Config::new(Scenario::StoreCrash));
//! cluster.advance(Scenario::StoreCrash.shows_after());
//! let reply = cluster.answer("pd0:2379", &Request::get("/pd/api/v1/stores"));
//! assert_eq!(reply.status(), Some(200));
//! assert!(String::from_utf8_lossy(reply.body()).contains("Disconnected"));
//! ```
#![forbid(unsafe_code)]

mod scenario;
mod config;
mod event;
mod http;
mod exposition;
mod random;
mod model;
mod pd;
mod store;
mod simulator;
mod dynamics;
mod log;
mod raft;
mod ranges;
mod operate;
mod truth;
mod server;
#[cfg(feature = "transport")]
mod transport;

pub use config::Config;
pub use event::{Event, Fault, NodeId, OperatorEnd};
pub use http::{Received, Reply, Request, RequestLog};
pub use log::{Led, Written};
pub use scenario::{Scenario, UnknownScenario};
pub use server::{Server, ServerError};
pub use simulator::{NodeInfo, Reachable, Simulator};
#[cfg(feature = "transport")]
pub use transport::SimulatedTransport;
pub use truth::{StoreTruth, Truth};
