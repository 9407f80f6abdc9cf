//! Tests across the crates.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy knows helpers of tests in `cfg(test)` only"
)]

mod support;
mod recordings;
mod judgements;
mod conformance;
mod elections;
mod region_walks;
mod costs;
mod scenarios;
mod logs;
mod simulated_logs;
#[allow(dead_code, reason = "the simulated days use the rest")]
mod watched;
mod stories;
mod program;
mod program_simulated;
mod program_faults;
mod real_prometheus;
mod promtool;
mod rule_files;
mod prometheus_over_frames;
mod prometheus_arithmetic;
mod yaml;
mod local_cluster;
mod local_cluster_prometheus;
mod rule_histories;
mod rules_prometheus;
mod rule_templates;
mod rules_export;
mod rules_lint;
mod own_metrics;
mod actions;
mod doctor;
mod act;
mod mcp;
mod mcp_http;
mod mcp_acts;
mod every_action;
