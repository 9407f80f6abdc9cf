//! The simulated cluster seen from outside.
#![allow(clippy::expect_used, reason = "helpers of tests; clippy allows it in test functions only")]

mod scenarios;
mod sockets;
