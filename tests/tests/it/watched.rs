//! A simulated cluster under the eyes of a monitor, in tokio's time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use operator_core::{Event, EventKind, Events, InvariantChecker, Monitor, MonitorConfig, Scope, Snapshot};
use operator_tests::SimulatedTransport;
use operator_tikv::invariants::Thresholds;
use tikv_simulator::{Config, Simulator};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::Simulated;

/// A monitor that runs over a simulated cluster; tokio's clock must be paused.
pub(crate) struct Watched {
    pub(crate) transport: SimulatedTransport,
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    began: DateTime<Utc>,
    events: Events,
    cancel: CancellationToken,
    running: JoinHandle<InvariantChecker>,
}

impl Watched {
    /// Begins to watch so long after the cluster's start.
    pub(crate) async fn begin(config: Config, after: Duration, interval: Duration) -> Self {
        let simulated = Simulated::new(config);
        let scope: Scope = simulated.scope();
        let began = simulated.transport.with(|simulator| simulator.now());
        simulated.transport.pass(after).await;
        let invariants = simulated.subject.invariants(&Thresholds::default()).unwrap();
        let checker = InvariantChecker::new(invariants).unwrap();
        let config = MonitorConfig::default().interval(interval).jitter(0.0).scope(scope);
        let mut monitor = Monitor::new(Arc::new(simulated.subject), checker, config).unwrap();
        let (events, snapshots) = (monitor.events("test", 1 << 20), monitor.snapshots());
        let cancel = CancellationToken::new();
        let running = tokio::spawn(monitor.run(cancel.clone()));
        Self { transport: simulated.transport, snapshots, began, events, cancel, running }
    }

    /// Lets this much of simulated time pass.
    pub(crate) async fn pass(&self, time: Duration) {
        self.transport.pass(time).await;
    }

    /// Does something to the cluster.
    pub(crate) fn act(&self, act: impl FnOnce(&mut Simulator)) {
        self.transport.with(act);
    }

    /// What has been told since it was asked last.
    pub(crate) fn told(&mut self) -> Vec<Arc<Event>> {
        std::iter::from_fn(|| self.events.try_recv()).map(|delivery| delivery.event).collect()
    }

    /// Ends the monitor and returns what it told since it was asked last.
    pub(crate) async fn end(mut self) -> (Vec<Arc<Event>>, InvariantChecker) {
        self.cancel.cancel();
        let checker = self.running.await.unwrap();
        let told = std::iter::from_fn(|| self.events.try_recv()).map(|delivery| delivery.event).collect();
        (told, checker)
    }

    /// How long after the start something was told, in seconds.
    pub(crate) fn seconds(began: DateTime<Utc>, event: &Event) -> i64 {
        (event.at - began).num_seconds()
    }

    /// When the cluster began.
    pub(crate) fn began(&self) -> DateTime<Utc> {
        self.began
    }
}

/// An event in short, but for when: `firing store_down store/4 critical`.
pub(crate) fn short(event: &Event) -> String {
    let mut text = event.kind.to_string();
    let parts = [
        event.invariant.as_ref().map(ToString::to_string),
        event.regarding.as_ref().map(ToString::to_string),
        event.severity.map(|severity| severity.to_string()),
        event.previous_severity.map(|severity| format!("after {severity}")),
    ];
    for part in parts.into_iter().flatten() {
        text.push(' ');
        text.push_str(&part);
    }
    if event.kind == EventKind::Observed {
        text.push(' ');
        text.push_str(event.message.split([' ', ':']).next().unwrap_or_default());
    }
    text
}
