//! What a monitor does, in numbers, and whether it does well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use operator_core::{
    Counters, InvariantInfo, Monitor, MonitorConfig, Severity, Snapshot, TrustVerdict, ViolationState,
};
use tokio::sync::watch;
use tokio::time::Instant;

use super::exposition::{Histogram, Page};
use crate::output::text;

/// An observation may be as old as so many intervals before the monitor is called not ready.
const INTERVALS: u32 = 3;
/// Endpoints beyond this are counted together: PD can name any number of stores.
const MOST_ENDPOINTS: usize = 100;
/// What else `verdict` can be: nothing at all was seen.
const UNREACHABLE: &str = "unreachable";
const VERDICTS: [TrustVerdict; 4] =
    [TrustVerdict::Complete, TrustVerdict::Partial, TrustVerdict::WarmingUp, TrustVerdict::Stale];

/// Counts what a monitor does.
pub(super) struct Meter {
    config: MonitorConfig,
    invariants: Vec<InvariantInfo>,
    state: Mutex<State>,
}

struct State {
    last: Arc<Snapshot>,
    /// When the last tick ended, or the meter was made.
    ticked: Instant,
    /// When the last observation that showed something ended, and how long it took.
    seen: Option<(Instant, Duration)>,
    observations: BTreeMap<&'static str, u64>,
    errors: BTreeMap<String, u64>,
    durations: Histogram,
}

impl Meter {
    /// Counts from zero what `monitor` does, which asks `endpoints`.
    pub(super) fn new(monitor: &Monitor, endpoints: Vec<String>) -> Self {
        let verdicts = VERDICTS.map(TrustVerdict::as_str).into_iter().chain([UNREACHABLE]);
        Self {
            config: monitor.config().clone(),
            invariants: monitor.invariants().cloned().collect(),
            state: Mutex::new(State {
                last: Arc::default(),
                ticked: Instant::now(),
                seen: None,
                // A counter that is not there before it counts hides its first increase from `rate`.
                observations: verdicts.map(|verdict| (verdict, 0)).collect(),
                errors: endpoints.into_iter().map(|endpoint| (endpoint, 0)).collect(),
                durations: Histogram::new(),
            }),
        }
    }

    /// Counts until the monitor has ended.
    pub(super) async fn follow(&self, mut snapshots: watch::Receiver<Arc<Snapshot>>) {
        while snapshots.changed().await.is_ok() {
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            self.record(snapshot);
        }
    }

    /// Of ticks that came and went since the last snapshot only the number is known; the monitor ticks too seldom for
    /// that to matter.
    fn record(&self, snapshot: Arc<Snapshot>) {
        let mut state = self.lock();
        let state = &mut *state;
        let Counters { observations, failures, .. } = state.last.counters;
        let observed = snapshot.counters.observations - observations;
        let failed = snapshot.counters.failures - failures;
        state.last = Arc::clone(&snapshot);
        // At its end the monitor publishes once more.
        if observed + failed == 0 {
            return;
        }
        state.ticked = Instant::now();
        state.durations.observe(snapshot.took.as_secs_f64());
        *state.observations.entry(UNREACHABLE).or_default() += failed;
        if let (Some(observation), true) = (&snapshot.observation, observed > 0) {
            *state.observations.entry(observation.trust.verdict.as_str()).or_default() += observed;
        }
        match (&snapshot.unreachable, &snapshot.observation) {
            (Some(unreachable), _) => state.failed(unreachable.endpoint.as_deref()),
            (None, Some(observation)) => {
                state.seen = Some((state.ticked, snapshot.took));
                observation.errors.iter().for_each(|error| state.failed(error.endpoint.as_deref()));
            }
            (None, None) => {}
        }
    }

    /// Whether the monitor ticks.
    ///
    /// # Errors
    /// Why that is doubtful.
    pub(super) fn healthy(&self) -> Result<(), String> {
        let MonitorConfig { interval, backoff_max, scope, .. } = &self.config;
        // As long as one tick may take, and the wait for the next.
        let limit = (*interval * INTERVALS).max(*backoff_max + *interval) + scope.part_deadline;
        let ago = self.lock().ticked.elapsed();
        if ago <= limit { Ok(()) } else { Err(format!("the last tick was {} ago", text::duration(ago))) }
    }

    /// Whether something was seen lately.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn ready(&self) -> Result<(), String> {
        let state = self.lock();
        let is_new = |(at, took): &(Instant, Duration)| {
            // A look that takes longer than the interval makes those after it come later.
            at.elapsed() <= self.config.interval.max(*took) * INTERVALS
        };
        if state.seen.as_ref().is_some_and(is_new) {
            return Ok(());
        }
        let mut why = match state.seen {
            Some((at, _)) => format!("the last observation was {} ago", text::duration(at.elapsed())),
            None => "nothing has been observed yet".to_owned(),
        };
        if let Some(unreachable) = &state.last.unreachable {
            why = format!("{why}: {}", text::escaped(&unreachable.error));
        }
        Err(why)
    }

    /// All of it in Prometheus' text format.
    pub(super) fn page(&self) -> String {
        let state = self.lock();
        let mut page = Page::default();

        let name = "operator_observations_total";
        page.metric(name, "counter", "Looks at the cluster, by how far what was seen can be believed.");
        for (verdict, count) in &state.observations {
            page.sample(name, &[("verdict", verdict)], *count as f64);
        }
        let name = "operator_observation_duration_seconds";
        state.durations.write(&mut page, name, "How long a look at the cluster took.");
        let name = "operator_observation_errors_total";
        page.metric(name, "counter", "Parts of observations that failed, by who was asked.");
        for (endpoint, count) in &state.errors {
            page.sample(name, &[("endpoint", endpoint)], *count as f64);
        }
        if let Some(observation) = &state.last.observation {
            let name = "operator_last_observation_timestamp_seconds";
            page.metric(name, "gauge", "When the last observation was begun that showed something.");
            page.sample(name, &[], observation.at.timestamp_millis() as f64 / 1000.0);
        }
        let name = "operator_ticks_skipped_total";
        page.metric(name, "counter", "Looks left out because the one before was still running.");
        page.sample(name, &[], state.last.counters.ticks_skipped as f64);

        let name = "operator_violations";
        page.metric(name, "gauge", "What is violated now, by invariant, severity and state.");
        let states = [ViolationState::Pending, ViolationState::Firing];
        for (info, severity) in self.invariants.iter().flat_map(severities) {
            for in_state in states {
                let violations = state.last.violations.iter().filter(|violation| {
                    violation.invariant == info.id
                        && violation.severity == severity
                        && violation.state == in_state
                });
                let labels =
                    [("invariant", &*info.id), ("severity", severity.as_str()), ("state", in_state.as_str())];
                page.sample(name, &labels, violations.count() as f64);
            }
        }
        let name = "operator_unknown";
        page.metric(name, "gauge", "Of how many things it cannot be told now whether an invariant holds.");
        for info in &self.invariants {
            let unknown = state.last.unknown.iter().filter(|unknown| unknown.invariant == info.id);
            page.sample(name, &[("invariant", &info.id)], unknown.count() as f64);
        }
        page.into_text()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn severities(info: &InvariantInfo) -> impl Iterator<Item = (&InvariantInfo, Severity)> {
    info.severities.iter().map(move |listed| (info, listed.severity))
}

impl State {
    /// Counts a failure at each of `endpoints`, which commas separate.
    fn failed(&mut self, endpoints: Option<&str>) {
        for endpoint in endpoints.unwrap_or("unknown").split(',') {
            let is_new = !self.errors.contains_key(endpoint);
            let counted = if is_new && self.errors.len() >= MOST_ENDPOINTS { "other" } else { endpoint };
            *self.errors.entry(counted.to_owned()).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests;
