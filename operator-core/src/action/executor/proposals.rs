//! Proposals that wait for their approval, by token.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::super::{Preview, Refusal};
use crate::{Error, ErrorKind};

/// How many tokens are remembered after their end, to tell which it was.
const REMEMBERED: usize = 1_024;

/// What would be done, and what it takes to have it done: [`Executor::execute`](super::Executor::execute) with the token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Proposal {
    /// Good for one execution of what is previewed here, and nothing else. Whoever has it can approve.
    pub token: String,
    /// When the token ends.
    pub expires_at: chrono::DateTime<chrono::Utc>,
    /// The run, as in the audit log.
    pub run: String,
    /// What would be done.
    pub preview: Preview,
    /// Why it would be refused now; empty if it would not. It is all judged again before anything is sent.
    pub refusals: Vec<Refusal>,
}

/// Why a token is not good. The source of the error, of the kind [`ErrorKind::Refused`], with which
/// [`execute`](super::Executor::execute) refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenError {
    /// It was not given out here, or so long ago that it is forgotten.
    #[error("there is no proposal with this token")]
    Unknown,
    /// It has been used: a token is good for one execution.
    #[error("this token has been used; propose the action again")]
    Used,
    /// Its time is over, or newer proposals have taken its place.
    #[error("this token has expired; propose the action again")]
    Expired,
}

impl TokenError {
    pub(super) fn into_error(self) -> Error {
        Error::new(ErrorKind::Refused, "execute", self.to_string()).because(self)
    }
}

/// The open proposals, and how the last others ended.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    /// The oldest first.
    open: VecDeque<(Instant, Proposal)>,
    ended: VecDeque<(String, TokenError)>,
}

impl Proposals {
    /// Keeps a proposal; of more than `max` the oldest end.
    pub(super) fn keep(&mut self, proposal: Proposal, now: Instant, lifetime: Duration, max: usize) {
        self.expire(now, lifetime);
        self.open.push_back((now, proposal));
        while self.open.len() > max.max(1) {
            if let Some((_, oldest)) = self.open.pop_front() {
                self.end(oldest.token, TokenError::Expired);
            }
        }
    }

    /// Takes the proposal of a token out, for good.
    pub(super) fn take(
        &mut self,
        token: &str,
        now: Instant,
        lifetime: Duration,
    ) -> Result<Proposal, TokenError> {
        self.expire(now, lifetime);
        let found = self.open.iter().position(|(_, proposal)| proposal.token == token);
        let Some((_, proposal)) = found.and_then(|index| self.open.remove(index)) else {
            let ended = self.ended.iter().find(|(ended, _)| ended == token);
            return Err(ended.map_or(TokenError::Unknown, |(_, why)| *why));
        };
        self.end(proposal.token.clone(), TokenError::Used);
        Ok(proposal)
    }

    fn expire(&mut self, now: Instant, lifetime: Duration) {
        while let Some((since, _)) = self.open.front()
            && now.saturating_duration_since(*since) >= lifetime
            && let Some((_, proposal)) = self.open.pop_front()
        {
            self.end(proposal.token, TokenError::Expired);
        }
    }

    fn end(&mut self, token: String, why: TokenError) {
        if self.ended.len() >= REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back((token, why));
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use crate::Action;

    fn proposal(token: usize) -> Proposal {
        let action = Action::DrainStore { store_id: 4.into() };
        let preview = Preview::new("demo", DateTime::UNIX_EPOCH, action, "Drains.");
        let (token, run) = (token.to_string(), String::new());
        Proposal { token, expires_at: DateTime::UNIX_EPOCH, run, preview, refusals: Vec::new() }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Keep,
        Take(usize),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![Just(Step::Keep), (0_usize..24).prop_map(Step::Take), (0_u64..60).prop_map(Step::Wait),]
    }

    proptest! {
        #[test]
        fn a_token_is_good_once_for_its_time_and_while_there_is_room(
            steps in prop::collection::vec(step(), 0..60),
            max in 1_usize..5,
        ) {
            const LIFETIME: Duration = Duration::from_secs(100);
            let (start, mut after) = (Instant::now(), Duration::ZERO);
            let mut proposals = Proposals::default();
            // When each was kept, and whether it was taken.
            let mut kept: Vec<(Duration, bool)> = Vec::new();
            for step in steps {
                match step {
                    Step::Wait(seconds) => after += Duration::from_secs(seconds),
                    Step::Keep => {
                        proposals.keep(proposal(kept.len()), start + after, LIFETIME, max);
                        kept.push((after, false));
                    }
                    Step::Take(token) => {
                        let found = proposals.take(&token.to_string(), start + after, LIFETIME);
                        let open = |(at, taken): &(Duration, bool)| !taken && after - *at < LIFETIME;
                        match kept.get(token) {
                            None => prop_assert_eq!(found, Err(TokenError::Unknown)),
                            Some((_, true)) => prop_assert_eq!(found, Err(TokenError::Used)),
                            Some(one) if !open(one) => prop_assert_eq!(found, Err(TokenError::Expired)),
                            Some(_) => match found {
                                Ok(found) => {
                                    prop_assert_eq!(found.token, token.to_string());
                                    kept[token].1 = true;
                                }
                                // Only for want of room, which is taken by as many that were kept later.
                                Err(why) => {
                                    prop_assert_eq!(why, TokenError::Expired);
                                    prop_assert!(kept[token + 1..].len() >= max);
                                }
                            },
                        }
                        prop_assert!(proposals.open.len() <= max);
                    }
                }
            }
        }
    }
}
