//! How often a monitor looks, and how long it waits.

use std::time::Duration;

use crate::{Result, Scope, within};

/// How often a [`Monitor`](super::Monitor) looks, and how long it waits.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MonitorConfig {
    /// From one tick to the next, 100 ms to a day; 5 s unless told otherwise.
    pub interval: Duration,
    /// How much later than its turn a tick may begin, as a part of the interval (0 to 0.5), so that many monitors do
    /// not ask at once; 0.1 unless told otherwise. The ticks keep to their grid nevertheless.
    pub jitter: f64,
    /// Makes the jitter the same each time; by default it differs.
    pub seed: Option<u64>,
    /// A subject that does not answer is asked after one interval, two, four, …, but at least this often; at most a
    /// day, 30 s unless told otherwise.
    pub backoff_max: Duration,
    /// How many of the last events a snapshot holds, at most 10,000; 100 unless told otherwise.
    pub recent_events: usize,
    /// How long a sink may take for an event, and for what it still holds when the monitor ends; at most an hour, 5 s
    /// unless told otherwise.
    pub sink_deadline: Duration,
    /// What to observe, how long that may take ([`Scope::part_deadline`], 1 ms to an hour: the parts run together, so
    /// no tick takes longer), and the clock that dates what is told.
    pub scope: Scope,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            jitter: 0.1,
            seed: None,
            backoff_max: Duration::from_secs(30),
            recent_events: 100,
            sink_deadline: Duration::from_secs(5),
            scope: Scope::all(),
        }
    }
}

impl MonitorConfig {
    /// Looks this often.
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Begins ticks up to this part of the interval late.
    pub fn jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// Makes the jitter the same each time.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Asks a subject that does not answer at least this often.
    pub fn backoff_max(self, backoff_max: Duration) -> Self {
        Self { backoff_max, ..self }
    }

    /// Keeps this many events in a snapshot.
    pub fn recent_events(self, recent_events: usize) -> Self {
        Self { recent_events, ..self }
    }

    /// Gives up a sink's event that takes longer.
    pub fn sink_deadline(self, sink_deadline: Duration) -> Self {
        Self { sink_deadline, ..self }
    }

    /// Observes this.
    pub fn scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput), naming the field.
    pub fn validate(&self) -> Result<()> {
        const HOUR: f64 = 3_600.0;
        let seconds = |field: &str, duration: Duration, least: f64, most: f64| {
            within(&format!("{field} in seconds"), duration.as_secs_f64(), least..=most)
        };
        seconds("interval", self.interval, 0.1, 24.0 * HOUR)?;
        within("jitter", self.jitter, 0.0..=0.5)?;
        seconds("scope.part_deadline", self.scope.part_deadline, 0.001, HOUR)?;
        seconds("backoff_max", self.backoff_max, 0.0, 24.0 * HOUR)?;
        within("recent_events", self.recent_events, 0..=10_000)?;
        seconds("sink_deadline", self.sink_deadline, 0.001, HOUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_by_the_name_of_its_field() {
        let config = MonitorConfig::default;
        assert!(config().validate().is_ok());
        for (config, field) in [
            (config().interval(Duration::ZERO), "interval"),
            (config().interval(Duration::MAX), "interval"),
            (config().jitter(f64::NAN), "jitter"),
            (config().jitter(1.0), "jitter"),
            (config().scope(Scope::all().part_deadline(Duration::MAX)), "scope.part_deadline"),
            (config().scope(Scope::all().part_deadline(Duration::ZERO)), "scope.part_deadline"),
            (config().backoff_max(Duration::MAX), "backoff_max"),
            (config().recent_events(1_000_000), "recent_events"),
            (config().sink_deadline(Duration::ZERO), "sink_deadline"),
        ] {
            let error = config.validate().unwrap_err();
            assert!(error.message.starts_with(field), "{field}: {error}");
        }
    }
}
