//! Acting: what can be done, what it would do, and what came of it.
//!
//! Acting is apart from observing: a [`Subject`](crate::Subject) cannot act, an [`Actor`] can. An actor gives
//! primitives (say what would be sent, send it once, look whether it took effect); what is allowed, what is written
//! down, and in which order all that happens is the same for every subject.

mod kind;
mod parse;
mod preview;
mod actor;
mod outcome;
mod audit;

pub use actor::{Actor, Progress, Sent};
pub use audit::{AuditLog, AuditRecord, AuditStep};
pub use kind::{Action, SplitPolicy, StoreLimitKind};
pub use outcome::{Outcome, OutcomeKind};
pub use preview::{PlannedRequest, Precondition, PreconditionVerdict, Preview};
