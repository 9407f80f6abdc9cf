//! How often leadership moves now, as the logs tell that are followed.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use operator_core::RegionId;
use tokio::time::Instant;

/// How long what was told counts.
const WINDOW: Duration = Duration::from_secs(60);
/// More elections than this are not remembered; nobody waits for a greater number to be alarmed.
const MOST: usize = 100_000;

/// Counts elections as they are told: who reads the logs [adds](Self::elected) to it, a
/// [`TikvSubject`](crate::TikvSubject) that was [handed it](crate::TikvSubject::count_elections) tells the counts as
/// signals, and the invariant `leadership_churn` judges them.
#[derive(Debug, Default)]
pub struct Churn(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    elected: VecDeque<(Instant, RegionId)>,
    logs: usize,
    readable: usize,
}

/// What [`Churn`] counted in the last 60 s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastMinute {
    /// How often a region got a leader; up to 100,000.
    pub elections: usize,
    /// How many regions did.
    pub regions: usize,
    /// How many logs are followed.
    pub logs: usize,
    /// How many of them can be read.
    pub readable: usize,
}

impl Churn {
    /// A region got a leader, which a log has told just now. When that was by the log's clock makes no difference.
    pub fn elected(&self, region: RegionId) {
        let mut state = self.lock();
        if state.elected.len() == MOST {
            state.elected.pop_front();
        }
        state.elected.push_back((Instant::now(), region));
    }

    /// So many logs are followed, and so many of them can be read.
    pub fn followed(&self, logs: usize, readable: usize) {
        let mut state = self.lock();
        (state.logs, state.readable) = (logs, readable);
    }

    /// What was told in the last 60 s.
    pub fn last_minute(&self) -> LastMinute {
        let mut state = self.lock();
        while state.elected.front().is_some_and(|(at, _)| at.elapsed() >= WINDOW) {
            state.elected.pop_front();
        }
        let regions: BTreeSet<_> = state.elected.iter().map(|(_, region)| region).collect();
        let (elections, regions) = (state.elected.len(), regions.len());
        LastMinute { elections, regions, logs: state.logs, readable: state.readable }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_told_counts_for_a_minute_and_no_more_than_can_be_remembered() {
        let churn = Churn::default();
        churn.followed(3, 2);
        for region in [1, 2, 1] {
            churn.elected(RegionId(region));
            tokio::time::advance(Duration::from_secs(20)).await;
        }
        // The first is 60 s old.
        let expected = LastMinute { elections: 2, regions: 2, logs: 3, readable: 2 };
        assert_eq!(churn.last_minute(), expected);
        for _ in 0..MOST + 5 {
            churn.elected(RegionId(9));
        }
        assert_eq!(churn.last_minute().elections, MOST);
        tokio::time::advance(WINDOW).await;
        assert_eq!(churn.last_minute(), LastMinute { elections: 0, regions: 0, ..expected });
    }
}
