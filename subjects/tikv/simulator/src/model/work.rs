//! What a store has done since its process started: what its counters show.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

/// A store tries again to reach one that does not answer so often, over all its connections: about 2,000 times in
/// 100 s were recorded.
const FAILURES_PER_SECOND: f64 = 20.0;

/// What a store does in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rates {
    /// Records written through the leaders on it.
    pub(crate) puts: f64,
    /// Records read from the leaders on it.
    pub(crate) gets: f64,
    /// Records written to its disk, for every leader.
    pub(crate) applied: f64,
    pub(crate) leaders: f64,
    pub(crate) peers: f64,
}

/// [`Rates`] summed up over time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) seconds: f64,
    pub(crate) puts: f64,
    pub(crate) gets: f64,
    pub(crate) applied: f64,
    pub(crate) leader_seconds: f64,
    pub(crate) peer_seconds: f64,
}

impl Totals {
    fn add(&mut self, rates: Rates, seconds: f64) {
        self.seconds += seconds;
        self.puts += rates.puts * seconds;
        self.gets += rates.gets * seconds;
        self.applied += rates.applied * seconds;
        self.leader_seconds += rates.leaders * seconds;
        self.peer_seconds += rates.peers * seconds;
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            seconds: self.seconds + other.seconds,
            puts: self.puts + other.puts,
            gets: self.gets + other.gets,
            applied: self.applied + other.applied,
            leader_seconds: self.leader_seconds + other.leader_seconds,
            peer_seconds: self.peer_seconds + other.peer_seconds,
        }
    }
}

/// The work of one process, up to a moment. Rates change at moments that are known, so that nothing is added up in
/// between: what a page shows is the sum and the rate times what has passed since.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Work {
    up_to: DateTime<Utc>,
    /// While its disk was as fast as it should be, and while it was slow: histograms differ.
    pub(crate) fast: Totals,
    pub(crate) slow: Totals,
    /// Messages that could not be delivered, by the store they were for.
    pub(crate) unreachable: BTreeMap<u64, f64>,
}

impl Work {
    pub(crate) fn new(started_at: DateTime<Utc>) -> Self {
        Self {
            up_to: started_at,
            fast: Totals::default(),
            slow: Totals::default(),
            unreachable: BTreeMap::new(),
        }
    }

    pub(crate) fn all(&self) -> Totals {
        self.fast.plus(self.slow)
    }

    /// Adds what was done since. `lost` are the stores that do not answer and since when.
    pub(crate) fn advance(
        &mut self,
        now: DateTime<Utc>,
        rates: Rates,
        slow: bool,
        lost: &[(u64, DateTime<Utc>)],
    ) {
        let seconds = (now - self.up_to).max(TimeDelta::zero()).as_seconds_f64();
        let totals = if slow { &mut self.slow } else { &mut self.fast };
        totals.add(rates, seconds);
        for (store, since) in lost {
            let seconds = (now - self.up_to.max(*since)).max(TimeDelta::zero()).as_seconds_f64();
            *self.unreachable.entry(*store).or_default() += seconds * FAILURES_PER_SECOND;
        }
        self.up_to = now;
    }

    /// Lets time pass in which the process did nothing.
    pub(crate) fn skip(&mut self, now: DateTime<Utc>) {
        self.up_to = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_or_many_sum_up_to_the_same() {
        let start = DateTime::UNIX_EPOCH;
        let rates = Rates { puts: 3.0, gets: 5.0, applied: 7.0, leaders: 2.0, peers: 4.0 };
        let lost = [(9, start + TimeDelta::seconds(4))];
        let (mut once, mut often) = (Work::new(start), Work::new(start));
        for second in 1..=16 {
            often.advance(start + TimeDelta::seconds(second), rates, false, &lost);
        }
        once.advance(start + TimeDelta::seconds(16), rates, false, &lost);
        assert_eq!(once, often);
        assert_eq!(once.all().gets, 80.0);
        assert_eq!(once.unreachable.get(&9), Some(&(12.0 * FAILURES_PER_SECOND)));
    }
}
