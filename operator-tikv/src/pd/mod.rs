//! The client of PD, TiKV's control plane: its HTTP API, version 1, as it really answers.
//!
//! ```no_run
//! use futures::TryStreamExt;
//! use operator_core::RegionQuery;
//! use operator_tikv::{TikvConfig, pd::PdClient};
//!
//! # async fn run() -> Result<(), operator_tikv::Error> {
//! let config: TikvConfig = "pd0:2379,pd1:2379,pd2:2379".parse()?;
//! let pd = PdClient::new(&config)?;
//! for store in pd.stores().await? {
//!     println!("{} {}", store.store.address, store.store.state);
//! }
//! let mut pages = pd.regions(RegionQuery::all());
//! while let Some(page) = pages.try_next().await? {
//!     println!("{} regions", page.regions.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`wire`] mirrors PD's JSON, [`convert`] alone knows what it means, [`PdClient`] has a method for each question.

mod request;
mod wire;
mod types;
mod convert;
mod client;
mod continuity;
mod regions;
mod parallel;
mod counts;
mod assessment;
mod health;
mod upkeep;
mod tuning;
mod operator_status;

pub(crate) use assessment::Assessment;
pub use client::PdClient;
pub(crate) use health::{of as region_health, uncounted};
pub use operator_status::{OperatorState, OperatorStatus};
pub use regions::decode_regions;
pub use types::{
    BootstrapStatus, Members, PdStatus, ReplicationConfig, ScheduleConfig, SchedulingOperator, StoreInfo,
    StoreLimits,
};
pub(crate) use upkeep::{Evicting, Upkeep};
#[cfg(test)]
pub(crate) mod recorded;
