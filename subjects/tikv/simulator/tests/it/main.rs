//! The simulated cluster seen from outside.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests; clippy allows it in test functions only"
)]

mod api;
mod chaos;
mod likeness;
mod metrics;
mod page;
mod scenarios;
mod shape;
mod sockets;
