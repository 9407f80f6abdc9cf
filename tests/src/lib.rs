//! What the tests across crates share: the recordings of a real cluster, the servers that answer from them, servers
//! that misbehave, and a real Prometheus.

mod recording;
mod regions;
mod frames;
mod replay;
mod transport;
mod scripted;
mod prometheus;

pub use frames::Frames;
pub use prometheus::{Prometheus, Setup};
pub use recording::{Answer, Port, Recording, STATES};
pub use replay::ReplayServer;
pub use scripted::{ClosedPort, Script, ScriptedServer};
pub use tikv_simulator::SimulatedTransport;
pub use transport::ReplayTransport;
