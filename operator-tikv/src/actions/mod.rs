//! Acting on a TiKV cluster through PD.
//!
//! [`TikvActor`] is made on purpose from a [`TikvSubject`](crate::TikvSubject), which cannot act. Each family of actions
//! is a file: what must hold, what it would mean, and how its effect is read back. What is sent follows from the action
//! alone (`request`), so that what was shown is what is sent.

mod actor;
mod request;
mod draft;
mod region;
mod store;
mod running;

mod leader;
mod peers;
mod range;
mod scatter;
mod drain;
mod removal;
mod weight;
mod limits;
mod labels;
mod settings;
mod schedulers;
mod cancel;
mod pd_leader;

pub use actor::TikvActor;

#[cfg(test)]
mod tests;
