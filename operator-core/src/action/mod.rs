//! Acting: what can be done, what it would do, and what came of it.
//!
//! Acting is apart from observing: a [`Subject`](crate::Subject) cannot act, an [`Actor`] can. An actor gives
//! primitives (say what would be sent, send it once, look whether it took effect); what is allowed ([`Guard`]), what is
//! written down ([`AuditLog`]), and in which order all that happens ([`Executor`]) is the same for every subject.

mod kind;
mod parse;
mod preview;
mod actor;
mod refusal;
mod guard;
mod outcome;
mod audit;
mod executor;

pub use actor::{Actor, Progress, Sent};
pub use audit::{
    AuditLineError, AuditLog, AuditRecord, AuditRecords, AuditRun, AuditRuns, AuditStep, FileAuditLog,
    InMemoryAuditLog, RunState, read_audit,
};
pub use executor::{Assessment, Executor, Proposal, Stage, TokenError};
pub use guard::{Approval, Approver, Decision, Guard};
pub(crate) use kind::reversed_by;
pub use kind::{Action, SplitPolicy, StoreLimitKind};
pub use outcome::{Outcome, OutcomeKind};
pub use preview::{PlannedRequest, Precondition, PreconditionVerdict, Preview};
pub use refusal::{Refusal, RefusalCode};
