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
    /// Looks until the effect is there, will not come, or the deadline is over.
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
        match sent {
            Some(_) => {
                let message = format!("taken, and its effect not seen within {waited}: {last}");
                End::new(OutcomeKind::Accepted, sent, message)
            }
            None => {
                let message = format!(
                    "it is not known whether it was sent ({answer}), and its effect was not seen within {waited}: {last}; \
                     look before doing it again"
                );
                End::new(OutcomeKind::Failed, sent, message)
            }
        }
    }
}

fn done(sent: Option<bool>, answer: &str, seen: &str) -> End {
    let message = match sent {
        Some(_) => seen.to_owned(),
        None => format!("{seen} (it is not known whether the request arrived: {answer})"),
    };
    End::new(OutcomeKind::Verified, sent, message)
}

fn failed(sent: Option<bool>, answer: &str, why: &str) -> String {
    match sent {
        Some(_) => why.to_owned(),
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
