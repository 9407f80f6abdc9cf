//! The loop: observe, check, tell. The only place that waits for time to pass.

mod config;
mod ticks;
mod story;
mod reporter;
mod sinks;
mod snapshot;

use std::any::Any;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::config::MonitorConfig;
pub use self::reporter::Reporter;
use self::sinks::Takers;
pub use self::sinks::{Delivery, Events, Sink, SinkStatus};
pub use self::snapshot::{Counters, Snapshot, Unreachable};
use self::story::TrustKey;
use self::ticks::Ticks;
use crate::seconds::spoken;
use crate::{
    Checked, Error, ErrorKind, Event, EventKind, InvariantChecker, InvariantInfo, Observation, Regarding,
    Result, Scope, Subject, SubjectExt,
};

/// Observes a subject again and again, checks its invariants, and tells what changes.
///
/// - Ticks come at a fixed rate; one observation runs at a time; ticks that a slow one leaves no time for are skipped,
///   and that is told, at most once a minute, unless it is told already that the subject does not answer.
/// - What takes events never holds it up: see [`Events`] and [`Sink`].
/// - A subject that does not answer is told once as `unreachable` and asked less and less often; meanwhile nothing is
///   resolved, and no grace runs. `reachable` is told once it answers.
/// - `observed` is told of the first observation and whenever the reasons change why one cannot be believed.
/// - Cancelled, it finishes the tick that runs, tells `stopped`, and leaves sinks a moment for what they still hold.
/// - What is measured in time is measured by tokio's clock, which nobody sets; the [scope](MonitorConfig::scope)'s
///   clock only dates what is told.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use operator_core::{
///     EventKind, Finding, InMemorySubject, InvariantChecker, InvariantInfo, Monitor, MonitorConfig, Severity, Store,
///     StoreState, invariant_fn,
/// };
/// use tokio_util::sync::CancellationToken;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), operator_core::Error> {
/// let down = Store::new(1.into(), "127.0.0.1:20160", StoreState::Down);
/// let subject = Arc::new(InMemorySubject::new("demo").with_stores([down]));
/// let store_down = invariant_fn(
///     InvariantInfo::new("store_down", Severity::Critical, Duration::ZERO),
///     |observation| {
///         let stores = observation.stores.iter().flatten().filter(|store| store.state == StoreState::Down);
///         stores.map(|store| Finding::violated(store.id, Severity::Critical, "it is down")).collect()
///     },
/// );
/// let checker = InvariantChecker::new([Arc::new(store_down) as _])?;
/// let mut monitor = Monitor::new(subject, checker, MonitorConfig::default())?;
/// let mut events = monitor.events("example", 100);
/// let stop = CancellationToken::new();
/// let running = tokio::spawn(monitor.run(stop.clone()));
/// while let Some(delivery) = events.recv().await {
///     if delivery.event.kind == EventKind::Firing {
///         assert_eq!(delivery.event.message, "it is down");
///         stop.cancel();
///     }
/// }
/// running.await.expect("the monitor does not panic");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Monitor {
    subject: Arc<dyn Subject>,
    checker: InvariantChecker,
    config: MonitorConfig,
    takers: Takers,
    /// Not yet fed: that needs a runtime.
    sinks: Vec<(Box<dyn Sink>, Events)>,
    reporters: Vec<Box<dyn Reporter>>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    view: View,
    /// When the last tick began.
    last_began: Option<Instant>,
    /// What of it was last told.
    told_trust: Option<TrustKey>,
    told_overflow: bool,
    skipped: Skipped,
}

/// What the next snapshot will show of the past.
#[derive(Debug, Default)]
struct View {
    at: Option<DateTime<Utc>>,
    observation: Option<Arc<Observation>>,
    unreachable: Option<Unreachable>,
    recent: VecDeque<Arc<Event>>,
    counters: Counters,
    took: Duration,
}

/// Skipped ticks that are not yet told.
#[derive(Debug, Default)]
struct Skipped {
    untold: u64,
    /// How long the slowest observation took that they are owed to.
    slowest: Duration,
    last_told: Option<Instant>,
}

impl std::fmt::Debug for dyn Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sink")
    }
}

impl Monitor {
    /// A monitor that begins to look when it is [run](Self::run). The checker may have a past: what it has told is not
    /// told again.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`], naming the field of `config` that makes no sense.
    pub fn new(subject: Arc<dyn Subject>, checker: InvariantChecker, config: MonitorConfig) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            subject,
            checker,
            config,
            takers: Takers::default(),
            sinks: Vec::new(),
            reporters: Vec::new(),
            snapshot: watch::Sender::new(Arc::default()),
            view: View::default(),
            last_began: None,
            told_trust: None,
            told_overflow: false,
            skipped: Skipped::default(),
        })
    }

    /// How often it looks, and how long it waits.
    pub fn config(&self) -> &MonitorConfig {
        &self.config
    }

    /// What it checks.
    pub fn invariants(&self) -> impl ExactSizeIterator<Item = &InvariantInfo> {
        self.checker.infos()
    }

    /// A queue of what will be told, which holds at most `capacity` events (1 to 2^20).
    pub fn events(&mut self, name: impl Into<String>, capacity: usize) -> Events {
        self.takers.add(name.into(), capacity)
    }

    /// Feeds a sink, from a queue that holds at most `capacity` events (1 to 2^20).
    pub fn sink(&mut self, name: impl Into<String>, capacity: usize, sink: impl Sink) {
        let events = self.takers.add(name.into(), capacity);
        self.sinks.push((Box::new(sink), events));
    }

    /// Tells with each tick also what `reporter` has to tell.
    pub fn reporter(&mut self, reporter: impl Reporter) {
        self.reporters.push(Box::new(reporter));
    }

    /// Where the monitor stands, renewed with each tick.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// Looks until cancelled. Returns the checker with what it remembers.
    ///
    /// May be dropped at any await: then nothing more is told, not even `stopped`.
    pub async fn run(mut self, cancel: CancellationToken) -> InvariantChecker {
        let mut feeding = JoinSet::new();
        for (sink, events) in self.sinks.drain(..) {
            feeding.spawn(sinks::feed(sink, events, self.config.sink_deadline));
        }
        let (count, interval) = (self.checker.infos().len(), self.config.interval);
        self.tell_now(EventKind::Started, format!("{count} invariants, every {}", spoken(interval)));

        let ticks = Ticks::new(Instant::now(), &self.config);
        let mut tick = 0;
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                () = tokio::time::sleep_until(ticks.due(tick)) => {}
            }
            self.tick().await;
            let (next, skipped) = ticks.next(tick.saturating_add(self.patience()), Instant::now());
            tick = next;
            self.tell_skipped(skipped);
            self.publish();
        }

        let Counters { observations, failures, ticks_skipped, .. } = self.view.counters;
        let summary =
            format!("{observations} observations, {failures} failures, {ticks_skipped} ticks skipped");
        self.tell_now(EventKind::Stopped, summary);
        self.publish();
        // What is still queued gets a moment; nobody is waited for longer.
        drop(self.takers);
        let fed = async { while feeding.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(self.config.sink_deadline, fed).await;
        self.checker
    }

    /// What others report, and one observation, judged and told.
    async fn tick(&mut self) {
        self.tell_reports();
        let began = Instant::now();
        let elapsed = self.last_began.replace(began).map_or(Duration::ZERO, |last| began - last);
        let at = self.config.scope.clock.now();
        let outcome = observe(&*self.subject, &self.config.scope).await;
        self.view.took = began.elapsed();
        self.view.at = Some(at);
        match outcome {
            Ok(observation) => self.seen(observation, elapsed),
            Err(error) => self.unseen(at, &error, elapsed),
        }
    }

    fn tell_reports(&mut self) {
        let reports: Vec<_> = self.reporters.iter_mut().flat_map(|reporter| reporter.report()).collect();
        reports.into_iter().for_each(|event| self.tell(event));
    }

    fn seen(&mut self, observation: Observation, elapsed: Duration) {
        let at = observation.at;
        self.view.counters.observations += 1;
        if let Some(unreachable) = self.view.unreachable.take() {
            let lasted = unreachable.began.elapsed();
            let message = format!("it answers again after {}", spoken(lasted));
            let mut event = Event::new(0, at, EventKind::Reachable, "", message);
            event.since = Some(unreachable.since);
            event.lasted_seconds = Some(lasted.as_secs_f64());
            self.tell(event);
        }
        let key = story::trust_key(&observation.trust);
        if self.told_trust.as_ref() != Some(&key) {
            let message = story::spoken_trust(&observation.trust);
            self.tell(Event::new(0, at, EventKind::Observed, "", message));
            self.told_trust = Some(key);
        }
        let checked = self.checker.check_after(&observation, elapsed);
        self.tell_checked(at, checked);
        self.view.observation = Some(Arc::new(observation));
    }

    fn unseen(&mut self, at: DateTime<Utc>, error: &Error, elapsed: Duration) {
        self.view.counters.failures += 1;
        let is_new = self.view.unreachable.is_none();
        let unreachable = self.view.unreachable.get_or_insert_with(|| Unreachable::new(at, Instant::now()));
        unreachable.error = error.to_string();
        unreachable.endpoint = error.endpoint.clone();
        unreachable.attempts += 1;
        if is_new {
            self.tell(Event::new(0, at, EventKind::Unreachable, "", error.to_string()));
        }
        let checked = self.checker.failed_after(at, elapsed, error, "the subject does not answer");
        self.tell_checked(at, checked);
    }

    fn tell_checked(&mut self, at: DateTime<Utc>, checked: Checked) {
        let overflow = checked.not_followed > 0;
        if overflow != self.told_overflow && self.view.unreachable.is_none() {
            let (kind, message) = if overflow {
                let count = checked.not_followed;
                (EventKind::Unobserved, format!("{count} more things were found than can be followed"))
            } else {
                (EventKind::ObservedAgain, "everything that is found can be followed again".to_owned())
            };
            let mut event = Event::new(0, at, kind, "", message);
            event.regarding = Some(Regarding::Cluster);
            self.tell(event);
            self.told_overflow = overflow;
        }
        for event in story::of(at, checked.transitions) {
            self.tell(event);
        }
    }

    fn tell_skipped(&mut self, skipped: u64) {
        const AT_MOST_EVERY: Duration = Duration::from_secs(60);
        self.view.counters.ticks_skipped += skipped;
        if self.view.unreachable.is_some() {
            // That it does not answer is told.
            return;
        }
        self.skipped.untold += skipped;
        if skipped > 0 {
            self.skipped.slowest = self.skipped.slowest.max(self.view.took);
        }
        let lately = self.skipped.last_told.is_some_and(|told| told.elapsed() < AT_MOST_EVERY);
        if self.skipped.untold == 0 || lately {
            return;
        }
        let count = std::mem::take(&mut self.skipped.untold);
        self.skipped.last_told = Some(Instant::now());
        let took = spoken(std::mem::take(&mut self.skipped.slowest));
        let interval = spoken(self.config.interval);
        let message =
            format!("{count} ticks skipped: an observation took {took}, and one is due every {interval}");
        self.tell_now(EventKind::TicksSkipped, message);
    }

    fn tell_now(&mut self, kind: EventKind, message: String) {
        let at = self.config.scope.clock.now();
        self.tell(Event::new(0, at, kind, "", message));
    }

    /// Numbers an event and offers it to all.
    fn tell(&mut self, event: Event) {
        self.view.counters.events += 1;
        let (sequence, subject) = (self.view.counters.events, self.subject.config().name.clone());
        let event = Arc::new(Event { sequence, subject, ..event });
        self.takers.offer(&event);
        self.view.recent.push_back(event);
        while self.view.recent.len() > self.config.recent_events {
            self.view.recent.pop_front();
        }
    }

    /// How many intervals to wait: one, or for a subject that does not answer one, two, four, …
    fn patience(&self) -> u64 {
        let Some(unreachable) = &self.view.unreachable else { return 1 };
        let most = self.config.backoff_max.as_nanos() / self.config.interval.as_nanos().max(1);
        let doubled = 1_u64 << (unreachable.attempts.saturating_sub(1)).min(32);
        doubled.min(u64::try_from(most).unwrap_or(u64::MAX)).max(1)
    }

    fn publish(&self) {
        self.snapshot.send_replace(Arc::new(Snapshot {
            at: self.view.at,
            observation: self.view.observation.clone(),
            unreachable: self.view.unreachable.clone(),
            violations: self.checker.violations(),
            unknown: self.checker.unknown(),
            recent: self.view.recent.clone(),
            counters: self.view.counters,
            took: self.view.took,
            sinks: self.takers.status(),
            state: self.checker.save(),
        }));
    }
}

/// An observation, or why there is none; a subject that panics is one that does not answer.
async fn observe(subject: &dyn Subject, scope: &Scope) -> Result<Observation> {
    AssertUnwindSafe(subject.observe(scope)).catch_unwind().await.unwrap_or_else(|panic| {
        let message = format!("the subject panicked: {}", spoken_panic(&*panic));
        Err(Error::new(ErrorKind::Protocol, "observe", message))
    })
}

fn spoken_panic(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

#[cfg(test)]
mod tests;
