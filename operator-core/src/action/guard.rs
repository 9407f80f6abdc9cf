//! What may be done at all, how often, and who is asked.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Action, Preview, Refusal, RefusalCode};
use crate::Danger;

/// What may be done, how often, and who is asked: read by an [`Executor`](super::Executor), which alone knows what is
/// running. Its limits hold for one executor, not for all programs that act on the same subject.
///
/// ```
/// use operator_core::{Danger, Guard};
///
/// let nothing = Guard::read_only();
/// let careful = Guard::up_to(Danger::Safe).max_per_minute(5);
/// let drains = Guard::only(["drain_store", "undrain_store"]).allow_force(true);
/// ```
#[derive(Debug, Clone)]
pub struct Guard {
    permits: Permits,
    pub(super) max_running: usize,
    pub(super) max_per_minute: usize,
    pub(super) allow_force: bool,
    pub(super) allow_forced_preconditions: bool,
    pub(super) approver: Option<Arc<dyn Approver>>,
    pub(super) approval_deadline: Duration,
}

#[derive(Debug, Clone)]
enum Permits {
    Nothing,
    Some { names: Option<BTreeSet<String>>, max_danger: Danger },
}

impl Default for Guard {
    fn default() -> Self {
        Self::read_only()
    }
}

impl Guard {
    /// Lets nothing pass, and nothing overrules that: the default.
    pub fn read_only() -> Self {
        Self::permitting(Permits::Nothing)
    }

    /// Lets every action pass that is at most so dangerous.
    pub fn up_to(max_danger: Danger) -> Self {
        Self::permitting(Permits::Some { names: None, max_danger })
    }

    /// Lets the actions of these names pass, whatever their danger. A name that no action has lets nothing pass.
    pub fn only(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        Self::permitting(Permits::Some { names: Some(names), max_danger: Danger::Destructive })
    }

    fn permitting(permits: Permits) -> Self {
        Self {
            permits,
            max_running: 4,
            max_per_minute: 30,
            allow_force: false,
            allow_forced_preconditions: false,
            approver: None,
            approval_deadline: Duration::from_secs(300),
        }
    }

    /// Of what passes, nothing more dangerous than this.
    pub fn and_up_to(mut self, danger: Danger) -> Self {
        if let Permits::Some { max_danger, .. } = &mut self.permits {
            *max_danger = danger.min(*max_danger);
        }
        self
    }

    /// At most this many under way at a time, verifying included; 4 unless told otherwise. The same action twice is
    /// never.
    pub fn max_running(self, max_running: usize) -> Self {
        Self { max_running, ..self }
    }

    /// At most this many begun in any minute; 30 unless told otherwise. What ends before it is sent does not count.
    pub fn max_per_minute(self, max_per_minute: usize) -> Self {
        Self { max_per_minute, ..self }
    }

    /// Whether an approval may overrule the limits, doubtful [trust](crate::Trust) and critical violations; not unless
    /// told otherwise. What it never overrules is what this guard does not let pass.
    pub fn allow_force(self, allow_force: bool) -> Self {
        Self { allow_force, ..self }
    }

    /// Whether it may also overrule preconditions that do not hold or cannot be told, where force is allowed at all; not
    /// unless told otherwise.
    pub fn allow_forced_preconditions(self, allow_forced_preconditions: bool) -> Self {
        Self { allow_forced_preconditions, ..self }
    }

    /// Asks `approver` before each action, for what the approval alone does not suffice.
    pub fn approver(self, approver: Arc<dyn Approver>) -> Self {
        Self { approver: Some(approver), ..self }
    }

    /// Waits so long for the approver; what is not approved by then is refused. 5 minutes unless told otherwise.
    pub fn approval_deadline(self, approval_deadline: Duration) -> Self {
        Self { approval_deadline, ..self }
    }

    /// Whether `action` passes at all, whatever the subject looks like: for a list of what is worth proposing.
    ///
    /// # Errors
    /// Why not; that cannot be forced.
    pub fn permits(&self, action: &Action) -> Result<(), Refusal> {
        self.permits_named(action.name(), action.danger())
    }

    /// The same for an action known by its name and danger, as [`Action::infos`] lists them.
    ///
    /// # Errors
    /// As [`permits`](Self::permits).
    pub fn permits_named(&self, name: &str, danger: Danger) -> Result<(), Refusal> {
        match &self.permits {
            Permits::Nothing => {
                Err(Refusal::new(RefusalCode::ReadOnly, format!("{name} is not allowed: this is read-only")))
            }
            Permits::Some { names: Some(names), .. } if !names.contains(name) => {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                let message = format!("{name} is not allowed; what is: {}", names.join(", "));
                Err(Refusal::new(RefusalCode::NotAllowed, message))
            }
            Permits::Some { max_danger, .. } if danger > *max_danger => {
                let message = format!("{name} is {danger}, and at most {max_danger} is allowed");
                Err(Refusal::new(RefusalCode::TooDangerous, message))
            }
            Permits::Some { .. } => Ok(()),
        }
    }
}

/// Whoever is asked before an action: a person at a terminal, a chat, a ticket.
#[async_trait]
pub trait Approver: Debug + Send + Sync + 'static {
    /// Whether this may be done. `overruled` is what the approval would force.
    async fn decide(&self, preview: &Preview, overruled: &[Refusal], approval: &Approval) -> Decision;
}

/// What an [`Approver`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Yes.
    Approved {
        /// Who said so; for the audit log.
        by: String,
    },
    /// No.
    Denied {
        /// Why.
        reason: String,
    },
}

/// A yes to a proposal, with whom to hold to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Approval {
    /// Who says yes; for the audit log, of which it fills at most 200 characters.
    pub by: String,
    /// Whether that holds in spite of those [refusals](super::Proposal::refusals) that can be forced. What was not told
    /// with the proposal is not forced: another reason to doubt, another invariant, a precondition that fails otherwise.
    pub forced: bool,
}

impl Approval {
    /// A yes.
    pub fn by(who: impl Into<String>) -> Self {
        Self { by: who.into(), forced: false }
    }

    /// A yes in spite of what speaks against it, or not.
    pub fn forced(self, forced: bool) -> Self {
        Self { forced, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(guard: &Guard, action: &Action) -> Option<RefusalCode> {
        guard.permits(action).err().map(|refusal| {
            assert!(!refusal.can_be_forced);
            refusal.code
        })
    }

    #[test]
    fn names_and_danger_both_count() {
        let drain = Action::DrainStore { store_id: 4.into() };
        let remove = Action::RemoveStore { store_id: 4.into() };
        let leader = Action::TransferLeader { region_id: 1.into(), to_store_id: 4.into() };
        use RefusalCode::{NotAllowed, ReadOnly, TooDangerous};
        for (guard, expected) in [
            (Guard::default(), [Some(ReadOnly); 3]),
            (Guard::read_only().and_up_to(Danger::Destructive), [Some(ReadOnly); 3]),
            (Guard::up_to(Danger::Safe), [None, Some(TooDangerous), Some(TooDangerous)]),
            (Guard::up_to(Danger::Destructive), [None; 3]),
            (Guard::only(["remove_store"]), [Some(NotAllowed), Some(NotAllowed), None]),
            (
                Guard::only(["remove_store", "drain_store"]).and_up_to(Danger::Disruptive),
                [Some(NotAllowed), None, Some(TooDangerous)],
            ),
            (Guard::only([""; 0]), [Some(NotAllowed); 3]),
        ] {
            let found = [&leader, &drain, &remove].map(|action| code(&guard, action));
            assert_eq!(found, expected, "{guard:?}");
        }
    }
}
