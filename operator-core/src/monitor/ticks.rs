//! When to look: a grid in time that slow observations cannot shift.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::MonitorConfig;

/// Ticks at a fixed rate from `start`, each a little late.
#[derive(Debug)]
pub(super) struct Ticks {
    start: Instant,
    interval: Duration,
    jitter: f64,
    seed: u64,
}

impl Ticks {
    pub(super) fn new(start: Instant, config: &MonitorConfig) -> Self {
        let seed = config.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
        Self { start, interval: config.interval, jitter: config.jitter, seed }
    }

    /// When tick number `tick` is due; the first one, 0, is due at once.
    pub(super) fn due(&self, tick: u64) -> Instant {
        let interval = u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX);
        let late = if tick == 0 {
            Duration::ZERO
        } else {
            self.interval.mul_f64(self.jitter * fraction(self.seed, tick))
        };
        let after = Duration::from_nanos(interval.saturating_mul(tick)).saturating_add(late);
        self.start.checked_add(after).unwrap_or(self.start)
    }

    /// The first tick from `wanted` on that is not past, and how many are.
    pub(super) fn next(&self, wanted: u64, now: Instant) -> (u64, u64) {
        let begun = now.saturating_duration_since(self.start).as_nanos() / self.interval.as_nanos().max(1);
        let begun = u64::try_from(begun).unwrap_or(u64::MAX);
        let tick = if self.due(begun) < now { begun.saturating_add(1) } else { begun };
        (tick.max(wanted), tick.saturating_sub(wanted))
    }
}

/// A number from 0 up to, without, 1 that looks random (SplitMix64).
fn fraction(seed: u64, index: u64) -> f64 {
    let mut z = seed.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ticks(jitter: f64, seed: u64) -> Ticks {
        let config = MonitorConfig::default().interval(10 * SECOND).jitter(jitter).seed(seed);
        Ticks::new(Instant::now(), &config)
    }

    #[test]
    fn ticks_keep_to_their_grid_and_are_late_by_part_of_an_interval() {
        let ticks = ticks(0.2, 7);
        assert_eq!(ticks.due(0), ticks.start);
        let late: Vec<_> =
            (1..1_000).map(|tick| ticks.due(tick) - ticks.start - 10 * SECOND * tick as u32).collect();
        assert!(late.iter().all(|late| *late < 2 * SECOND));
        let mean = late.iter().sum::<Duration>() / 999;
        assert!(mean > SECOND * 9 / 10 && mean < SECOND * 11 / 10, "{mean:?}");
    }

    #[test]
    fn the_seed_decides_the_jitter() {
        let lateness = |seed| {
            let ticks = ticks(0.2, seed);
            (1..9).map(|tick| ticks.due(tick) - ticks.start).collect::<Vec<_>>()
        };
        assert_eq!(lateness(1), lateness(1));
        assert_ne!(lateness(1), lateness(2));
    }

    #[test]
    fn ticks_that_are_past_are_skipped_and_counted() {
        let ticks = ticks(0.0, 0);
        let next = |wanted, seconds| ticks.next(wanted, ticks.start + SECOND * seconds);
        assert_eq!(next(1, 3), (1, 0));
        assert_eq!(next(1, 10), (1, 0));
        assert_eq!(next(1, 11), (2, 1));
        assert_eq!(next(1, 35), (4, 3));
        assert_eq!(next(9, 35), (9, 0));
    }
}
