//! One file a command: it asks the subject, and makes a table of the answer.

mod status;
mod problems;
mod rule_files;
mod alerts;
mod check;
mod watch;
mod stores;
mod store;
mod regions;
mod region;
mod hot;
mod metrics;
mod query;
mod rules;
mod doctor;
mod config;
mod logs;
mod mcp;
mod simulate;

pub(crate) use check::CheckArgs;
pub(crate) use config::ConfigArgs;
pub(crate) use doctor::DoctorArgs;
pub(crate) use hot::HotArgs;
pub(crate) use logs::LogsArgs;
pub(crate) use mcp::McpArgs;
pub(crate) use metrics::MetricsArgs;
pub(crate) use query::QueryArgs;
pub(crate) use region::RegionArgs;
pub(crate) use regions::RegionsArgs;
pub(crate) use rule_files::RulesArgs;
pub(crate) use rules::RulesCommand;
pub(crate) use simulate::SimulateArgs;
pub(crate) use status::StatusArgs;
pub(crate) use store::StoreArgs;
pub(crate) use stores::StoresArgs;
pub(crate) use watch::{WatchArgs, give_back};
