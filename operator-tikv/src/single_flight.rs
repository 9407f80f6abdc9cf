//! One answer for everybody who asks while it is on its way.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::Error;

/// An answer that its askers share.
pub(crate) type Shared<T> = Result<Arc<T>, Arc<Error>>;

/// Asks once for all who ask at the same time, so that the parts of one observation see the same stores and cost one
/// request. Nobody is given an answer that was there before he asked.
#[derive(Debug)]
pub(crate) struct SingleFlight<T> {
    /// How many answers there have been.
    answered: AtomicU64,
    latest: Mutex<Option<Shared<T>>>,
}

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self { answered: AtomicU64::new(0), latest: Mutex::new(None) }
    }
}

impl<T> SingleFlight<T> {
    /// The answer that is on its way, or else that of `ask`. If who asked first gives up, the next one asks.
    pub(crate) async fn get(&self, ask: impl Future<Output = Result<T, Error>>) -> Shared<T> {
        let before = self.answered.load(Ordering::Acquire);
        let mut latest = self.latest.lock().await;
        if self.answered.load(Ordering::Acquire) != before
            && let Some(answer) = &*latest
        {
            return answer.clone();
        }
        let answer = ask.await.map(Arc::new).map_err(Arc::new);
        self.answered.fetch_add(1, Ordering::Release);
        *latest = Some(answer.clone());
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    use super::*;

    async fn count(asked: &AtomicU32) -> Result<u32, Error> {
        let nth = asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(10)).await;
        if nth == 2 { Err(Error::Config { field: "third", message: String::new() }) } else { Ok(nth) }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_together_shares_and_who_asks_later_asks_anew() {
        let (flight, asked) = (SingleFlight::default(), AtomicU32::new(0));
        let (a, b) = tokio::join!(flight.get(count(&asked)), flight.get(count(&asked)));
        assert_eq!((*a.unwrap(), *b.unwrap()), (0, 0));
        assert_eq!(*flight.get(count(&asked)).await.unwrap(), 1);
        let (a, b) = tokio::join!(flight.get(count(&asked)), flight.get(count(&asked)));
        assert!(a.is_err() && b.is_err() && asked.load(Ordering::Relaxed) == 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leaves_the_question_to_the_next() {
        let (flight, asked) = (SingleFlight::default(), AtomicU32::new(0));
        let hasty = tokio::time::timeout(Duration::from_millis(5), flight.get(count(&asked)));
        let (hasty, patient) = tokio::join!(hasty, flight.get(count(&asked)));
        assert!(hasty.is_err());
        assert_eq!(*patient.unwrap(), 1);
    }
}
