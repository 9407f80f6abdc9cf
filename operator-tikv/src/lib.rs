//! TiKV as a subject of operator: a PD client that knows how PD really behaves.

pub mod config;
mod error;
pub mod http;
mod single_flight;
mod probe;
pub mod pd;
pub mod prometheus;
pub mod rules;
pub mod scrape;
pub mod metrics;
pub mod log;
pub mod signals;
pub mod invariants;
mod subject;
mod actions;

pub use actions::TikvActor;
pub use config::TikvConfig;
pub use error::{Call, Error, TimeoutPhase};
pub use probe::Probe;
pub use subject::TikvSubject;
