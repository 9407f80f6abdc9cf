//! Waiting for the effect of what was sent.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::super::{Action, Actor, OutcomeKind, Preview, Progress};
use super::run::End;
use super::{Executor, Stage};
use crate::seconds::spoken;

/// From one look to the next: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

impl<A: Actor + ?Sized> Executor<A> {
    /// Looks until the effect is there, will not come, cannot be seen, or the deadline is over. Where nothing was sent, what
    /// is looked for was asked for before, or by somebody else.
    ///
    /// That it cannot be looked at says nothing of the effect, so that is waited out: a control plane that changes its
    /// leader does not answer for a while.
    pub(super) async fn verify(
        &self,
        preview: &Preview,
        sent: Option<bool>,
        answer: &str,
        report: &(dyn Fn(Stage) + Send + Sync),
    ) -> End {
        let deadline = self.verify_deadline.unwrap_or_else(|| patience(&preview.action));
        let start = Instant::now();
        let (mut pause, longest) = PAUSES;
        let last = loop {
            let message = match timeout(self.step_deadline, self.actor.progress(preview)).await {
                Ok(Ok(Progress::Done(seen))) => return done(sent, answer, &seen),
                Ok(Ok(Progress::Failed(why))) => {
                    return End::new(OutcomeKind::Failed, sent, failed(sent, answer, &why));
                }
                Ok(Ok(Progress::Unseeable(why))) => return unseen(sent, answer, &why),
                Ok(Ok(Progress::Running(how_far))) => how_far,
                Ok(Err(error)) => format!("it cannot be looked at: {error}"),
                Err(_) => format!("it cannot be looked at: no answer within {}", spoken(self.step_deadline)),
            };
            let waited = start.elapsed();
            if waited >= deadline {
                break message;
            }
            report(Stage::Verifying { message, waited, deadline });
            sleep_until(Instant::now() + pause.min(deadline - waited)).await;
            pause = (pause * 3 / 2).min(longest);
        };
        let waited = spoken(deadline);
        unseen(sent, answer, &format!("its effect not seen within {waited}: {last}"))
    }
}

fn unseen(sent: Option<bool>, answer: &str, why: &str) -> End {
    let (kind, message) = match sent {
        Some(true) => (OutcomeKind::Accepted, format!("taken, and {why}")),
        Some(false) => (OutcomeKind::Accepted, format!("asked for already, so nothing was sent, and {why}")),
        None => {
            let message = format!(
                "it is not known whether it was sent ({answer}), and {why}; look before doing it again"
            );
            (OutcomeKind::Failed, message)
        }
    };
    End::new(kind, sent, message)
}

fn done(sent: Option<bool>, answer: &str, seen: &str) -> End {
    let message = match sent {
        Some(true) => seen.to_owned(),
        Some(false) => format!("it is as wanted, and nothing was sent: {seen}"),
        None => format!("{seen} (it is not known whether the request arrived: {answer})"),
    };
    End::new(OutcomeKind::Verified, sent, message)
}

fn failed(sent: Option<bool>, answer: &str, why: &str) -> String {
    match sent {
        Some(true) => why.to_owned(),
        Some(false) => format!("nothing was sent, and {why}"),
        None => format!("it is not known whether it was sent ({answer}); {why}"),
    }
}

/// For how long the effect is waited for, unless told otherwise.
fn patience(action: &Action) -> Duration {
    Duration::from_secs(match action {
        Action::TransferPeer { .. }
        | Action::AddPeer { .. }
        | Action::RemovePeer { .. }
        | Action::SplitRegion { .. }
        | Action::MergeRegions { .. }
        | Action::ScatterRegion { .. }
        | Action::DrainStore { .. }
        | Action::RemoveStore { .. } => 600,
        _ => 60,
    })
}
