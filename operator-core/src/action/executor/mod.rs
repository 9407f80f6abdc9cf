//! The one way from an action to an outcome.

mod judge;
mod proposals;
mod run;
mod slots;
mod verify;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::proposals::Proposals;
pub use self::proposals::{Proposal, TokenError};
use self::run::Run;
use self::slots::Slots;
use super::{Action, Actor, Approval, AuditLog, AuditStep, Guard, Outcome, Preview, Refusal};
use crate::{Clock, Invariant, Part, Result, Scope, SubjectConfig, random_hex};

/// The one way from an action to an outcome: guard, preview, audit, send, verify, audit.
///
/// [`propose`](Self::propose) shows what would be done and gives a token; [`execute`](Self::execute) takes the token,
/// looks again, and sends only what was shown. What is sent is sent once, whatever happens, and only after the audit log
/// holds on disk that it is about to be; what is told as verified was seen.
///
/// Both are safe to cancel: a dropped `execute` leaves an audit log that says how far it came, and a request that may
/// have been sent is not sent again.
///
/// ```
/// use std::sync::Arc;
/// use operator_core::{
///     Action, Approval, Danger, Executor, Guard, InMemoryAuditLog, InMemorySubject, OutcomeKind, Store, StoreState,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), operator_core::Error> {
/// let subject = InMemorySubject::new("demo")
///     .with_stores([Store::new(4.into(), "127.0.0.1:20160", StoreState::Up)])
///     .with_actions(Action::infos().to_vec());
/// let audit = Arc::new(InMemoryAuditLog::default());
/// let executor = Executor::new(Arc::new(subject), Guard::up_to(Danger::Disruptive), audit.clone());
///
/// let proposal = executor.propose(Action::DrainStore { store_id: 4.into() }).await?;
/// assert!(proposal.refusals.is_empty());
/// println!("{}", proposal.preview.summary);
/// let outcome = executor.execute(&proposal.token, Approval::by("ann")).await?;
/// assert_eq!(outcome.outcome, OutcomeKind::Verified);
/// assert_eq!(audit.records().len(), 5); // proposed, approved, sending, answered, ended
/// # Ok(())
/// # }
/// ```
pub struct Executor<A: ?Sized> {
    actor: Arc<A>,
    guard: Guard,
    audit: Arc<dyn AuditLog>,
    invariants: Vec<Arc<dyn Invariant>>,
    scope: Scope,
    clock: Clock,
    token_lifetime: Duration,
    max_open: usize,
    verify_deadline: Option<Duration>,
    step_deadline: Duration,
    proposals: Mutex<Proposals>,
    slots: Slots,
}

/// What an action would do and what speaks against it: a [`Preview`] with one more field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Assessment {
    /// What would be done.
    #[serde(flatten)]
    pub preview: Preview,
    /// Why it would be refused now; empty if it would not.
    pub refusals: Vec<Refusal>,
}

/// How far an execution is, for who waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The guard's approver is asked.
    Approving,
    /// The subject is looked at again.
    Checking,
    /// The request is being sent.
    Sending,
    /// The effect is not seen yet.
    Verifying {
        /// How far it is.
        message: String,
        /// For how long it has been waited for.
        waited: Duration,
        /// For how long it will be at most.
        deadline: Duration,
    },
}

/// Building.
impl<A: Actor + ?Sized> Executor<A> {
    /// An executor that lets through what `guard` does and writes to `audit`.
    pub fn new(actor: Arc<A>, guard: Guard, audit: Arc<dyn AuditLog>) -> Self {
        Self {
            actor,
            guard,
            audit,
            invariants: Vec::new(),
            scope: Scope::of([Part::Stores, Part::Members, Part::Cluster, Part::Signals]),
            clock: Clock::system(),
            token_lifetime: Duration::from_secs(300),
            max_open: 64,
            verify_deadline: None,
            step_deadline: Duration::from_secs(60),
            proposals: Mutex::default(),
            slots: Slots::default(),
        }
    }

    /// Refuses what is done to something of which one of these finds something critical, its grace over or not. They
    /// see only what is [observed](Self::with_scope).
    pub fn with_invariants(self, invariants: Vec<Arc<dyn Invariant>>) -> Self {
        Self { invariants, ..self }
    }

    /// Observes this much before proposing and before sending, to tell whether the subject can be trusted to be as it
    /// looks: stores, members, the cluster's numbers and signals unless told otherwise. What is not observed forbids
    /// nothing; what is observed and fails forbids everything.
    pub fn with_scope(self, scope: Scope) -> Self {
        let scope = Scope { clock: self.clock.clone(), ..scope };
        Self { scope, ..self }
    }

    /// Dates what is told by `clock`. Waiting goes by tokio's time.
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { scope: Scope { clock: clock.clone(), ..self.scope }, clock, ..self }
    }

    /// Lets a token live so long; 5 minutes unless told otherwise.
    pub fn with_token_lifetime(self, token_lifetime: Duration) -> Self {
        Self { token_lifetime, ..self }
    }

    /// Keeps at most this many proposals open, 1 at least; one more ends the oldest. 64 unless told otherwise.
    pub fn with_max_open(self, max_open: usize) -> Self {
        Self { max_open, ..self }
    }

    /// Waits at most so long for the effect of any action. Unless told otherwise a minute where only leaders or settings
    /// change, and 10 minutes where data moves.
    pub fn with_verify_deadline(self, verify_deadline: Duration) -> Self {
        Self { verify_deadline: Some(verify_deadline), ..self }
    }

    /// Waits at most so long for each single question to the subject, for a request to be answered, and for each append
    /// to the audit log; a minute unless told otherwise.
    pub fn with_step_deadline(self, step_deadline: Duration) -> Self {
        Self { step_deadline, ..self }
    }
}

/// Acting.
impl<A: Actor + ?Sized> Executor<A> {
    /// What the subject can observe and do.
    pub fn config(&self) -> &SubjectConfig {
        self.actor.config()
    }

    /// What acts.
    pub fn actor(&self) -> &Arc<A> {
        &self.actor
    }

    /// What may be done.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// What `action` would do and what speaks against it. Changes nothing, and writes nothing down.
    ///
    /// # Errors
    /// As [`Actor::preview`].
    pub async fn assess(&self, action: &Action) -> Result<Assessment> {
        let (preview, mut refusals) = self.judge(action).await?;
        refusals.extend(self.slots.refusals(&self.guard, action, Instant::now()));
        Ok(Assessment { preview, refusals })
    }

    /// What `action` would do and what speaks against it, with a token to have it done.
    ///
    /// # Errors
    /// As [`Actor::preview`]; and if the audit log cannot be written.
    pub async fn propose(&self, action: Action) -> Result<Proposal> {
        let Assessment { preview, refusals } = self.assess(&action).await?;
        let (token, run) = (random_hex(16)?, random_hex(8)?);
        let record = self.record(&run, &action, AuditStep::Proposed { request: preview.request.clone() });
        self.append(&record).await?;
        let lifetime = chrono::TimeDelta::from_std(self.token_lifetime).unwrap_or(chrono::TimeDelta::MAX);
        let expires_at =
            self.clock.now().checked_add_signed(lifetime).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC);
        let proposal = Proposal { token, expires_at, run, preview, refusals };
        self.proposals().keep(proposal.clone(), Instant::now(), self.token_lifetime, self.max_open);
        Ok(proposal)
    }

    /// Does what was proposed, if it may still be done and would still be the same, and waits until its effect is seen
    /// or the deadline is over. The token is used up, whatever comes of it.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) with a [`TokenError`] as its source if the token is not good.
    /// Everything else is an outcome.
    pub async fn execute(&self, token: &str, approval: Approval) -> Result<Outcome> {
        self.execute_reporting(token, approval, &|_| ()).await
    }

    /// The same, telling how far it is each time something about that changes.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn execute_reporting(
        &self,
        token: &str,
        approval: Approval,
        report: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<Outcome> {
        let proposal = self.proposals().take(token, Instant::now(), self.token_lifetime);
        let proposal = proposal.map_err(TokenError::into_error)?;
        Ok(Run::new(self, proposal, approval, report).execute().await)
    }

    fn proposals(&self) -> std::sync::MutexGuard<'_, Proposals> {
        // Whoever panicked while holding the lock left whole proposals behind.
        self.proposals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: fmt::Debug + ?Sized> fmt::Debug for Executor<A> {
    /// Without the proposals, whose tokens nobody should find in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("actor", &self.actor)
            .field("guard", &self.guard)
            .field("audit", &self.audit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
