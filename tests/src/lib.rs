//! What the tests across crates share: the recordings of a real cluster, the servers that answer from them, servers
//! that misbehave, and the simulator without sockets.

mod recording;
mod regions;
mod replay;
mod transport;
mod scripted;

pub use recording::{Answer, Port, Recording, STATES};
pub use replay::ReplayServer;
pub use scripted::{ClosedPort, Script, ScriptedServer};
pub use transport::{ReplayTransport, SimulatedTransport};
