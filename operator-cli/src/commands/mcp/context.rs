//! What tools work with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use operator_core::{
    InvariantChecker, Monitor, MonitorConfig, Observation, Part, Scope, Snapshot, SubjectExt, random_hex,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::acting::Acting;
use crate::connect::Connection;
use crate::error::Failure;
use crate::session::Session;

/// How many of the last events are kept for clients.
const EVENTS: usize = 2_000;

/// How long PD is asked for a Prometheus before there may be one.
const PATIENCE: Duration = Duration::from_secs(3);

/// What tools work with.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) connection: Connection,
    /// Where the monitor stands that runs beside.
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    /// What clients may do; nothing unless told otherwise.
    pub(super) acting: Option<Acting>,
    /// The only files, or directories of files, that clients may have read.
    pub(super) logs: Vec<PathBuf>,
    /// Whether there is a Prometheus, or may be one.
    pub(super) has_prometheus: bool,
    /// Around texts from outside; nobody outside can guess it.
    pub(super) mark: String,
}

impl Context {
    /// Begins to watch, until `stop`.
    ///
    /// # Errors
    /// If the monitor's interval makes no sense.
    pub(super) async fn new(
        connection: Connection,
        acting: Option<Acting>,
        logs: Vec<PathBuf>,
        interval: Duration,
        stop: &CancellationToken,
    ) -> Result<Self, Failure> {
        let session = &connection.session;
        let scope = Scope::all().part_deadline(session.timeout).clock(session.clock.clone());
        let config = MonitorConfig::default().interval(interval).scope(scope).recent_events(EVENTS);
        let mut invariants = super::super::check::invariants(&*session.subject)?;
        invariants.extend(session.rule_invariants());
        let checker = InvariantChecker::new(invariants)?;
        let monitor = Monitor::new(Arc::clone(&session.subject), checker, config)
            .map_err(|error| Failure::Usage(format!("--interval: {}", error.message)))?;
        let snapshots = monitor.snapshots();
        tokio::spawn(monitor.run(stop.clone()));
        let has_prometheus = has_prometheus(session).await;
        Ok(Self { snapshots, acting, logs, has_prometheus, mark: random_hex(4)?, connection })
    }

    pub(super) fn session(&self) -> &Session {
        &self.connection.session
    }

    /// One look at some parts of the cluster.
    pub(super) async fn observe(
        &self,
        parts: impl IntoIterator<Item = Part>,
    ) -> Result<Observation, Failure> {
        let session = self.session();
        let scope = Scope::of(parts).part_deadline(session.timeout).clock(session.clock.clone());
        Ok(session.subject.observe(&scope).await?)
    }

    /// Where the monitor stands; waits for its first tick.
    pub(super) async fn snapshot(&self) -> Arc<Snapshot> {
        let mut snapshots = self.snapshots.clone();
        // It fails only if the monitor has ended: then it stands where it stood.
        let _ = snapshots.wait_for(|snapshot| snapshot.at.is_some()).await;
        Arc::clone(&snapshots.borrow())
    }
}

/// Only a clear no is one: PD may be asked again later.
async fn has_prometheus(session: &Session) -> bool {
    let Some(tikv) = &session.tikv else { return false };
    !matches!(tokio::time::timeout(PATIENCE, tikv.metrics_source().prometheus()).await, Ok(Ok(None)))
}
