//! Faults on real sockets, and what takes time under a paused clock over a transport in this process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy sees tests in functions only, not in what they call"
)]

mod server;
mod scripted;
mod connect;
mod body;
mod answers;
mod failover;
mod election;
mod tls;
mod secrets;
mod writes;
