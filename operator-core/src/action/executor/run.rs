//! One execution, step by step.

use chrono::{DateTime, Utc};
use tokio::time::{Instant, timeout};

use super::super::{
    Action, Actor, Approval, AuditStep, Decision, Outcome, OutcomeKind, PlannedRequest, Preview, Refusal,
    RefusalCode, Sent,
};
use super::slots::Slot;
use super::{Executor, Proposal, Stage};
use crate::{Error, ErrorKind};

/// Of who approves, so much is written down.
const MAX_BY: usize = 200;

/// One execution.
pub(super) struct Run<'a, A: ?Sized> {
    executor: &'a Executor<A>,
    proposal: Proposal,
    approval: Approval,
    report: &'a (dyn Fn(Stage) + Send + Sync),
    started_at: DateTime<Utc>,
}

/// How an execution ended, to be made an [`Outcome`] of.
pub(super) struct End {
    pub(super) kind: OutcomeKind,
    pub(super) sent: Option<bool>,
    pub(super) message: String,
    pub(super) refusals: Vec<Refusal>,
}

impl End {
    pub(super) fn new(kind: OutcomeKind, sent: Option<bool>, message: impl Into<String>) -> Self {
        Self { kind, sent, message: message.into(), refusals: Vec::new() }
    }

    /// Nothing was sent, for these reasons.
    fn refused(refusals: Vec<Refusal>) -> Self {
        let messages: Vec<_> = refusals.iter().map(|refusal| refusal.message.as_str()).collect();
        let message = messages.join("; ");
        Self { kind: OutcomeKind::Refused, sent: Some(false), message, refusals }
    }

    /// Nothing was sent, because something went wrong before.
    fn not_sent(error: &Error) -> Self {
        Self::new(OutcomeKind::Failed, Some(false), format!("nothing was sent: {error}"))
    }
}

/// What may be sent: what is left of a run once nothing speaks against it any more.
struct Cleared {
    preview: Preview,
    slot: Slot,
}

impl<'a, A: Actor + ?Sized> Run<'a, A> {
    pub(super) fn new(
        executor: &'a Executor<A>,
        proposal: Proposal,
        mut approval: Approval,
        report: &'a (dyn Fn(Stage) + Send + Sync),
    ) -> Self {
        shorten(&mut approval.by);
        let started_at = executor.clock.now();
        Self { executor, proposal, approval, report, started_at }
    }

    pub(super) async fn execute(mut self) -> Outcome {
        let (end, request) = match self.clear().await {
            Ok(Cleared { preview, mut slot }) => {
                let end = match &preview.request {
                    // Asked for already is not yet there: a store that is drained may still lead regions.
                    None => self.verify(&preview, Some(false), "").await,
                    Some(request) => self.send(&preview, request, &mut slot).await,
                };
                // The slot is held until here: verifying is part of what is under way.
                (end, preview.request)
            }
            Err(end) => (end, None),
        };
        self.end(end, request).await
    }

    /// Everything that comes before something is sent.
    async fn clear(&mut self) -> Result<Cleared, End> {
        let executor = self.executor;
        let action = self.proposal.preview.action.clone();
        // What the guard does not let pass is not worth looking at, nor asking anybody.
        executor.guard.permits(&action).map_err(|refusal| End::refused(vec![refusal]))?;
        self.ask().await?;
        // Before it is judged: who said yes to what is refused should be known, too.
        let by = self.approval.by.clone();
        let forced = self.proposal.refusals.iter().any(|refusal| self.overrules(refusal));
        let written = self.write(AuditStep::Approved { by, forced }).await;
        written.map_err(|error| End::not_sent(&error))?;

        (self.report)(Stage::Checking);
        // First the place and then the look, so that two of the same cannot both look before either is sent.
        let begun = executor.slots.begin(&executor.guard, &action, Instant::now(), |one| self.overrules(one));
        let slot = begun.map_err(|refusals| self.refuse(refusals))?;
        let judged = executor.judge(&action).await;
        let (preview, refusals) = judged.map_err(|error| End::not_sent(&error))?;
        if !refusals.iter().all(|refusal| self.overrules(refusal)) {
            return Err(self.refuse(refusals));
        }
        // What has become unnecessary meanwhile is done; anything else that changed was not approved.
        if preview.request.is_some() && !preview.is_same(&self.proposal.preview) {
            let difference = difference(&self.proposal.preview, &preview);
            let message = format!("changed since it was proposed: {difference}; propose it again");
            return Err(End::refused(vec![Refusal::new(RefusalCode::Changed, message)]));
        }
        Ok(Cleared { preview, slot })
    }

    /// Asks the guard's approver, if there is one.
    async fn ask(&mut self) -> Result<(), End> {
        let executor = self.executor;
        let Some(approver) = &executor.guard.approver else { return Ok(()) };
        (self.report)(Stage::Approving);
        let overruled: Vec<_> =
            self.proposal.refusals.iter().filter(|refusal| self.overrules(refusal)).cloned().collect();
        let asked = approver.decide(&self.proposal.preview, &overruled, &self.approval);
        let reason = match timeout(executor.guard.approval_deadline, asked).await {
            Ok(Decision::Approved { by }) => {
                self.approval.by = by;
                shorten(&mut self.approval.by);
                return Ok(());
            }
            Ok(Decision::Denied { reason }) => format!("not approved: {reason}"),
            Err(_) => format!("not approved within {:?}", executor.guard.approval_deadline),
        };
        Err(End::refused(vec![Refusal::new(RefusalCode::NotApproved, reason)]))
    }

    /// Whether a refusal was told with the proposal, can be forced, and is.
    fn overrules(&self, refusal: &Refusal) -> bool {
        self.approval.forced
            && refusal.can_be_forced
            && self.proposal.refusals.iter().any(|told| refusal.is_told_by(told))
    }

    /// The refusals that are not overruled.
    fn refuse(&self, refusals: Vec<Refusal>) -> End {
        End::refused(refusals.into_iter().filter(|refusal| !self.overrules(refusal)).collect())
    }

    /// Sends, once it is on disk that it is about to be sent, and sees what comes of it.
    async fn send(&self, preview: &Preview, request: &PlannedRequest, slot: &mut Slot) -> End {
        if let Err(error) = self.write(AuditStep::Sending { request: request.clone() }).await {
            return End::not_sent(&error);
        }
        slot.sending();
        (self.report)(Stage::Sending);
        let executor = self.executor;
        let answer = timeout(executor.step_deadline, executor.actor.send(preview)).await;
        let answer = answer.unwrap_or_else(|_| {
            let message = format!("no answer within {:?}", executor.step_deadline);
            Sent::Unknown(Error::new(ErrorKind::Timeout, "send", message))
        });
        let (sent, error, message) = match &answer {
            Sent::Accepted(words) => (Some(true), None, words.clone()),
            Sent::Refused(words) => (Some(true), Some(ErrorKind::Refused), words.clone()),
            Sent::NotSent(error) => (Some(false), Some(error.kind), error.to_string()),
            Sent::Unknown(error) => (None, Some(error.kind), error.to_string()),
        };
        // It is too late to stop: what cannot be written down is told.
        let unwritten = self.write(AuditStep::Answered { sent, error, message: message.clone() }).await.err();
        let mut end = match answer {
            Sent::Accepted(words) => self.verify(preview, sent, &words).await,
            Sent::Unknown(error) => self.verify(preview, sent, &error.to_string()).await,
            Sent::NotSent(error) => End::not_sent(&error),
            Sent::Refused(words) => {
                let message = format!("the subject refused: {words}");
                End { sent, ..End::refused(vec![Refusal::new(RefusalCode::Subject, message)]) }
            }
        };
        if let Some(error) = unwritten {
            end.message.push_str(&format!(" (the audit log lacks the answer: {error})"));
        }
        end
    }

    async fn verify(&self, preview: &Preview, sent: Option<bool>, answer: &str) -> End {
        self.executor.verify(preview, sent, answer, self.report).await
    }

    async fn write(&self, step: AuditStep) -> crate::Result<()> {
        let record = self.executor.record(&self.proposal.run, self.action(), step);
        self.executor.append(&record).await
    }

    fn action(&self) -> &Action {
        &self.proposal.preview.action
    }

    async fn end(self, end: End, request: Option<PlannedRequest>) -> Outcome {
        let End { kind, sent, mut message, refusals } = end;
        let step = AuditStep::Ended { outcome: kind, message: message.clone() };
        if let Err(error) = self.write(step).await {
            message.push_str(&format!(" (the audit log lacks the end: {error})"));
        }
        let changed = sent != Some(false) && kind != OutcomeKind::Refused;
        let Preview { action, undo, subject, .. } = self.proposal.preview;
        Outcome {
            schema: Outcome::SCHEMA,
            run: self.proposal.run,
            subject,
            action,
            outcome: kind,
            sent,
            request: request.filter(|_| sent != Some(false)),
            message,
            refusals,
            started_at: self.started_at,
            at: self.executor.clock.now(),
            undo: undo.filter(|_| changed),
        }
    }
}

/// What has changed between two previews of one action, for a person.
fn difference(before: &Preview, now: &Preview) -> String {
    let names = before.basis.keys().chain(now.basis.keys());
    let mut changes: Vec<_> = names
        .filter(|name| before.basis.get(*name) != now.basis.get(*name))
        .map(|name| {
            let show =
                |basis: Option<&serde_json::Value>| basis.map_or("none".to_owned(), ToString::to_string);
            format!("{name} was {} and is {}", show(before.basis.get(name)), show(now.basis.get(name)))
        })
        .collect();
    changes.sort();
    changes.dedup();
    if changes.is_empty() { "the request is another".to_owned() } else { changes.join(", ") }
}

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_BY) {
        text.truncate(end);
    }
}
