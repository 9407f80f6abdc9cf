//! Where events go. Each taker has a queue with a bound, and none can hold up the monitor.

use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::Event;

/// Something that takes events: a file, a terminal, a pager.
///
/// It runs in a task of its own. One that is slow loses the events that its queue cannot hold; one that fails loses the
/// event; both are counted and said with the next event that arrives, and in the monitor's snapshots. One that panics
/// is not asked again. It must wait by `await`: whatever blocks the thread blocks the runtime.
#[async_trait]
pub trait Sink: Send + 'static {
    /// Takes an event before which `missed` others were lost to this sink.
    ///
    /// # Errors
    /// Whatever kept it from taking the event; the next one is offered all the same.
    async fn tell(&mut self, event: &Event, missed: u64) -> Result<(), Box<dyn StdError + Send + Sync>>;
}

/// An event as it arrives at one taker.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// The event.
    pub event: Arc<Event>,
    /// How many events before it were lost to this taker since the last one that arrived.
    pub missed: u64,
}

/// The events of a monitor, as a queue with a bound: what is not taken in time is lost, and counted. Ends with the
/// monitor. May be dropped at any time.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Receiver<Delivery>,
    status: Arc<Status>,
}

impl Events {
    /// The next event; `None` after the last.
    pub async fn recv(&mut self) -> Option<Delivery> {
        self.queue.recv().await
    }

    /// The next event, if there is one already.
    pub fn try_recv(&mut self) -> Option<Delivery> {
        self.queue.try_recv().ok()
    }

    /// How many events were lost because they were not taken in time.
    pub fn missed(&self) -> u64 {
        self.status.missed.load(Ordering::Relaxed)
    }
}

impl Stream for Events {
    type Item = Delivery;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.get_mut().queue.poll_recv(context)
    }
}

/// How one taker of events fares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkStatus {
    /// Its name.
    pub name: String,
    /// How many events it has lost.
    pub missed: u64,
    /// Whether it takes no more events, because it was dropped or has panicked.
    pub closed: bool,
    /// Why it failed last.
    pub error: Option<String>,
}

#[derive(Debug, Default)]
struct Status {
    missed: AtomicU64,
    error: Mutex<Option<String>>,
}

impl Status {
    fn miss(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self, error: String) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// The takers of one monitor's events.
#[derive(Debug, Default)]
pub(super) struct Takers(Vec<Taker>);

#[derive(Debug)]
struct Taker {
    name: String,
    queue: mpsc::Sender<Delivery>,
    /// Lost since the last event that was queued.
    missed: u64,
    status: Arc<Status>,
}

impl Takers {
    pub(super) fn add(&mut self, name: String, capacity: usize) -> Events {
        // More than a million events is no queue but a leak.
        let (sender, queue) = mpsc::channel(capacity.clamp(1, 1 << 20));
        let status = Arc::<Status>::default();
        self.0.push(Taker { name, queue: sender, missed: 0, status: Arc::clone(&status) });
        Events { queue, status }
    }

    /// Offers an event to all, and waits for none.
    pub(super) fn offer(&mut self, event: &Arc<Event>) {
        for taker in &mut self.0 {
            match taker.queue.try_send(Delivery { event: Arc::clone(event), missed: taker.missed }) {
                Ok(()) => taker.missed = 0,
                Err(TrySendError::Full(_)) => {
                    taker.missed += 1;
                    taker.status.miss();
                }
                Err(TrySendError::Closed(_)) => {}
            }
        }
    }

    pub(super) fn status(&self) -> Vec<SinkStatus> {
        let status = |taker: &Taker| SinkStatus {
            name: taker.name.clone(),
            missed: taker.status.missed.load(Ordering::Relaxed),
            closed: taker.queue.is_closed(),
            error: taker.status.error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        };
        self.0.iter().map(status).collect()
    }
}

/// Feeds a sink until the monitor ends, or the sink panics.
pub(super) async fn feed(mut sink: Box<dyn Sink>, mut events: Events, deadline: Duration) {
    let mut lost = 0;
    while let Some(Delivery { event, missed }) = events.next().await {
        lost += missed;
        let told = AssertUnwindSafe(sink.tell(&event, lost)).catch_unwind();
        let error = match tokio::time::timeout(deadline, told).await {
            Ok(Ok(Ok(()))) => {
                lost = 0;
                continue;
            }
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => {
                events.status.miss();
                events.status.failed("it panicked".to_owned());
                return;
            }
            Err(_) => format!("it took longer than {deadline:?}"),
        };
        lost += 1;
        events.status.miss();
        events.status.failed(error);
    }
}
