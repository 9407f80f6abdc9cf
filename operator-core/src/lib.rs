//! Observe a distributed database, decide whether it is healthy, act on it.
//!
//! This crate holds the vocabulary and the composition, and does no I/O but to the [audit log](FileAuditLog): a
//! *subject* (a kind of database) implements [`Subject`], mostly one question to the system a method; [`SubjectExt`]
//! asks them together, with deadlines, partial failure and a verdict on how far the answer can be trusted
//! ([`Observation`]). One that can be changed implements [`Actor`], too; an [`Executor`] is what acts on it.
//!
//! ```
//! use operator_core::{InMemorySubject, Scope, Store, StoreState, SubjectExt, TrustVerdict};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), operator_core::Error> {
//! let subject = InMemorySubject::new("demo").with_stores([Store::new(1.into(), "127.0.0.1:20160", StoreState::Up)]);
//! let observation = subject.observe(&Scope::all()).await?;
//! assert_eq!(observation.stores.as_deref().map(<[Store]>::len), Some(1));
//! assert_eq!(observation.trust.verdict, TrustVerdict::Complete);
//! # Ok(())
//! # }
//! ```

mod types;
mod error;
mod clock;
mod capability;
mod subject;
mod observation;
mod invariant;
mod event;
mod action;
mod monitor;
mod memory;
mod seconds;
mod similar;
mod random;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

pub use action::{
    Action, Actor, Approval, Approver, Assessment, AuditLineError, AuditLog, AuditRecord, AuditRecords,
    AuditRun, AuditRuns, AuditStep, Decision, Executor, FileAuditLog, Guard, InMemoryAuditLog, Outcome,
    OutcomeKind, PlannedRequest, Precondition, PreconditionVerdict, Preview, Progress, Proposal, Refusal,
    RefusalCode, RunState, Sent, SplitPolicy, Stage, StoreLimitKind, TokenError, read_audit,
};
pub use capability::{ActionInfo, Comparison, Danger, Operation, Slo, SubjectConfig};
pub use clock::Clock;
pub use error::{Error, ErrorKind, PartError, Result};
pub use event::{Event, EventKind};
pub use invariant::{
    CheckOutcome, CheckReport, Checked, CheckerConfig, CheckerState, Finding, Invariant, InvariantChecker,
    InvariantFn, InvariantInfo, Severity, SeverityGrace, Transition, Unknown, Verdict, Violation,
    ViolationState, ascending, common, invariant_fn, within,
};
pub use memory::{InMemorySubject, Reaction};
pub use monitor::{
    Counters, Delivery, Events, Monitor, MonitorConfig, Reporter, Sink, SinkStatus, Snapshot, Unreachable,
};
pub use observation::{Observation, Part, Scope, Trust, TrustCode, TrustReason, TrustVerdict};
pub use random::random_hex;
pub use similar::did_you_mean;
pub use subject::{Subject, SubjectExt};
pub use types::{
    ClusterMetrics, DownPeer, Epoch, HotKind, HotRegion, HotRegionQuery, Key, KeyRange, LeadershipChange,
    LeadershipChangeKind, Member, MemberId, ParseIdError, ParseKeyError, ParseRegardingError, Peer, PeerId,
    PeerRole, Regarding, Region, RegionHealth, RegionId, RegionPage, RegionProblem, RegionQuery, Signal,
    SignalValue, Store, StoreId, StoreMetrics, StoreState,
};
