//! Where the time comes from.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// Tells the time of day. Everything that stamps or compares times reads one, so that a test can drive it.
///
/// Cheap to clone; clones tell the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    Tokio {
        start: DateTime<Utc>,
        since: Instant,
    },
    Manual(Arc<std::sync::Mutex<DateTime<Utc>>>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// Starts at `start` and goes on with tokio's time, which `tokio::time::pause` and `advance` drive.
    pub fn tokio(start: DateTime<Utc>) -> Self {
        Self(Source::Tokio { start, since: Instant::now() })
    }

    /// Stands at `at` until [`Clock::set`] moves it.
    pub fn manual(at: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(std::sync::Mutex::new(at))))
    }

    /// The time of day.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => Utc::now(),
            // A span that no date can hold does not occur: tokio's clock counts from the start of the process.
            Source::Tokio { start, since } => start
                .checked_add_signed(chrono::TimeDelta::from_std(since.elapsed()).unwrap_or_default())
                .unwrap_or(*start),
            Source::Manual(at) => *at.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }

    /// Moves a [manual](Clock::manual) clock, forwards or backwards, for all its clones; other clocks do not move.
    pub fn set(&self, to: DateTime<Utc>) {
        if let Source::Manual(at) = &self.0 {
            *at.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_tokio_clock_goes_with_paused_time() {
        let clock = Clock::tokio(DateTime::UNIX_EPOCH);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(clock.now(), DateTime::UNIX_EPOCH + Duration::from_secs(3600));
    }

    #[test]
    fn a_manual_clock_moves_for_all_its_clones() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH + Duration::from_secs(10));
        let clone = clock.clone();
        clone.set(DateTime::UNIX_EPOCH);
        assert_eq!(clock.now(), DateTime::UNIX_EPOCH);
    }
}
