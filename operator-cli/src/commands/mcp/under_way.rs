//! What clients were shown lately, and what is done for them now.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use operator_core::Proposal;
use tokio::sync::watch;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
/// So many previews are given a minute: each is a record on the disk.
const MOST_PREVIEWS: usize = 60;
/// So many tokens are remembered: the executor keeps no more of them open.
const MOST_SHOWN: usize = 64;

/// What clients were shown lately, and what is done for them now.
#[derive(Default)]
pub(super) struct UnderWay {
    shown: Mutex<Shown>,
    /// The actions, in the order in which they were begun.
    running: watch::Sender<BTreeMap<u64, String>>,
}

#[derive(Default)]
struct Shown {
    /// When previews were given in the last minute.
    at: VecDeque<Instant>,
    /// A token, its run, and its action in words.
    tokens: VecDeque<(String, String, String)>,
    begun: u64,
}

/// An action that is being done, until this is dropped.
pub(super) struct Running {
    under_way: Arc<UnderWay>,
    number: u64,
    /// Its run; not known of a token that was never given out.
    pub(super) run: Option<String>,
}

impl UnderWay {
    /// Whether one more preview may be given now; if so, it counts.
    pub(super) fn may_preview(&self) -> Result<(), String> {
        let (now, mut shown) = (Instant::now(), self.shown());
        while shown.at.front().is_some_and(|at| now.saturating_duration_since(*at) >= MINUTE) {
            shown.at.pop_front();
        }
        if shown.at.len() >= MOST_PREVIEWS {
            return Err(format!(
                "{MOST_PREVIEWS} previews were given in the last minute, and no more may be"
            ));
        }
        shown.at.push_back(now);
        Ok(())
    }

    pub(super) fn was_shown(&self, proposal: &Proposal) {
        let tokens = &mut self.shown().tokens;
        let action = proposal.preview.action.to_string();
        tokens.push_back((proposal.token.clone(), proposal.run.clone(), action));
        if tokens.len() > MOST_SHOWN {
            tokens.pop_front();
        }
    }

    /// What a token stands for is begun.
    pub(super) fn begin(self: &Arc<Self>, token: &str) -> Running {
        let (number, found) = {
            let mut shown = self.shown();
            shown.begun += 1;
            let place = shown.tokens.iter().position(|(known, ..)| known == token);
            (shown.begun, place.and_then(|place| shown.tokens.remove(place)))
        };
        let told = found
            .as_ref()
            .map_or_else(|| "an action".to_owned(), |(_, run, action)| format!("{action} (run {run})"));
        self.running.send_modify(|running| {
            running.insert(number, told);
        });
        Running { under_way: Arc::clone(self), number, run: found.map(|(_, run, _)| run) }
    }

    /// What is being done, in words.
    pub(super) fn running(&self) -> Vec<String> {
        self.running.borrow().values().cloned().collect()
    }

    /// Returns once nothing is being done.
    pub(super) async fn idle(&self) {
        // It fails only if there is nobody left who could do anything.
        let _ = self.running.subscribe().wait_for(BTreeMap::is_empty).await;
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for UnderWay {
    /// Without the tokens, which nobody should find in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnderWay").field("running", &self.running).finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.under_way.running.send_modify(|running| {
            running.remove(&self.number);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn previews_are_bounded_by_the_minute() {
        let under_way = UnderWay::default();
        for _ in 0..MOST_PREVIEWS {
            under_way.may_preview().unwrap();
            tokio::time::advance(Duration::from_millis(500)).await;
        }
        assert!(under_way.may_preview().unwrap_err().contains("60 previews"));
        tokio::time::advance(Duration::from_secs(30)).await;
        under_way.may_preview().unwrap();
        assert!(under_way.may_preview().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_idle_once_everything_that_was_begun_is_over() {
        let under_way = Arc::new(UnderWay::default());
        under_way.idle().await;
        let (one, other) = (under_way.begin("1"), under_way.begin("2"));
        drop(one);
        assert_eq!(under_way.running(), ["an action"]);
        let wait = |patience| tokio::time::timeout(Duration::from_secs(patience), under_way.idle());
        assert!(wait(60).await.is_err());
        drop(other);
        wait(60).await.unwrap();
    }
}
