//! TiKV as a subject of operator: a PD client that knows how PD really behaves.

pub mod config;
mod error;
pub mod http;
pub mod pd;
mod subject;

pub use config::TikvConfig;
pub use error::{Call, Error, TimeoutPhase};
pub use subject::TikvSubject;
