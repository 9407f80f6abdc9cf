//! What the tests across crates share: the recordings of a real cluster and the servers that answer from them.

mod recording;
mod regions;
mod replay;

pub use recording::{Answer, Port, Recording, STATES};
pub use replay::ReplayServer;
