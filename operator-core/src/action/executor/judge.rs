//! What speaks against an action, apart from how much is done already.

use tokio::time::timeout;

use super::super::{Action, Actor, AuditRecord, AuditStep, Preview, Refusal, RefusalCode};
use super::Executor;
use crate::observation::observe;
use crate::{
    CheckReport, Error, ErrorKind, Observation, Result, Severity, TrustReason, TrustVerdict, Violation,
};

impl<A: Actor + ?Sized> Executor<A> {
    /// What `action` would do, and what speaks against it: the guard, preconditions, what cannot be believed, what is
    /// critical.
    pub(super) async fn judge(&self, action: &Action) -> Result<(Preview, Vec<Refusal>)> {
        let (preview, observation) = tokio::join!(self.preview(action), observe(&*self.actor, &self.scope));
        let preview = preview?;
        let mut refusals: Vec<_> = self.guard.permits(action).err().into_iter().collect();
        let forced_too = self.guard.allow_force && self.guard.allow_forced_preconditions;
        refusals.extend(preview.objections().map(|objection| {
            let message = format!("{}: {}", objection.name, objection.message);
            Refusal::new(RefusalCode::Precondition, message).unless_forced(forced_too)
        }));
        let doubts = match &observation {
            Ok(observation) => self.doubts(action, observation),
            Err(error) => {
                let refusal = Refusal::new(RefusalCode::Trust, format!("nothing can be observed: {error}"));
                vec![refusal.about(["unobserved".to_owned()])]
            }
        };
        refusals.extend(doubts.into_iter().map(|doubt| doubt.unless_forced(self.guard.allow_force)));
        Ok((preview, refusals))
    }

    async fn preview(&self, action: &Action) -> Result<Preview> {
        timeout(self.step_deadline, self.actor.preview(action)).await.unwrap_or_else(|_| {
            let message = format!("{} could not be previewed within {:?}", action.name(), self.step_deadline);
            Err(Error::new(ErrorKind::Timeout, "preview", message))
        })
    }

    fn doubts(&self, action: &Action, observation: &Observation) -> Vec<Refusal> {
        let mut doubts = Vec::new();
        if observation.trust.verdict != TrustVerdict::Complete {
            let reasons: Vec<_> =
                observation.trust.reasons.iter().map(|reason| reason.message.as_str()).collect();
            let message = format!("the observation is {}: {}", observation.trust.verdict, reasons.join("; "));
            let about = observation.trust.reasons.iter().map(name);
            doubts.push(Refusal::new(RefusalCode::Trust, message).about(about));
        }
        // Nobody waits for a grace to be over before acting, so what is found counts at once.
        let report = CheckReport::of("", observation, self.invariants.iter().cloned(), true);
        let violations = match report {
            Ok(report) => report.violations,
            Err(error) => {
                let refusal = Refusal::new(RefusalCode::Trust, format!("nothing can be judged: {error}"));
                doubts.push(refusal.about(["unjudged".to_owned()]));
                Vec::new()
            }
        };
        let targets = action.targets();
        let critical = violations.into_iter().filter(|violation| {
            violation.severity == Severity::Critical && targets.contains(violation.regarding.thing())
        });
        doubts.extend(critical.map(|Violation { invariant, regarding, message, .. }| {
            let message = format!("{invariant} is critical for {regarding}: {message}");
            Refusal::new(RefusalCode::CriticalViolation, message).about([format!("{invariant} {regarding}")])
        }));
        doubts
    }

    pub(super) fn record(&self, run: &str, action: &Action, step: AuditStep) -> AuditRecord {
        AuditRecord {
            schema: AuditRecord::SCHEMA,
            at: self.clock.now(),
            run: run.to_owned(),
            subject: self.actor.config().name.clone(),
            action: action.clone(),
            step,
        }
    }

    /// Appends to the audit log, in time.
    pub(super) async fn append(&self, record: &AuditRecord) -> Result<()> {
        timeout(self.step_deadline, self.audit.append(record)).await.unwrap_or_else(|_| {
            let message = format!("the audit log was not written within {:?}", self.step_deadline);
            Err(Error::new(ErrorKind::Timeout, "audit", message))
        })
    }
}

/// `part_failed metrics`.
fn name(reason: &TrustReason) -> String {
    let code = serde_json::to_value(reason.code).unwrap_or_default();
    let code = code.as_str().unwrap_or_default().to_owned();
    reason.part.map_or_else(|| code.clone(), |part| format!("{code} {part}"))
}
