//! The simulated cluster seen from outside.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests; clippy allows it in test functions only"
)]

mod actions_effects;
mod actions_faults;
mod actions_recorded;
mod actions_settings;
mod api;
mod chaos;
mod likeness;
mod logs;
mod metrics;
mod page;
mod scenarios;
mod shape;
mod sockets;
