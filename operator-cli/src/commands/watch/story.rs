//! A scenario told from its beginning to its end.
//!
//! Everything in it (the cluster, the monitor, its graces and timeouts) lives by tokio's clock, which is stopped and
//! jumps to whatever is due next. A pacer holds it back, so that it runs a number of times as fast as the wall clock.

use std::convert::Infallible;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures::FutureExt;
use operator_core::{Clock, Events, InvariantChecker, Monitor, MonitorConfig, Snapshot, ViolationState};
use operator_tikv::http::Endpoint;
use operator_tikv::{TikvConfig, TikvSubject};
use tikv_simulator::{Config, Event, NodeId, Reachable, Scenario, SimulatedTransport, Simulator};
use tokio::runtime::{Builder, Handle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::listen::Listener;
use super::live::Note;
use super::teller::Teller;
use super::{Audience, WAITING, bug, senseless};
use crate::connect;
use crate::error::Failure;
use crate::output::text;

/// The longest that a story goes on after what could be mended was.
const LONGEST_END: Duration = Duration::from_secs(300);
/// How long nothing may fire until a story is over.
const QUIET: Duration = Duration::from_secs(45);
/// How finely simulated time is paced.
const STEP: Duration = Duration::from_millis(500);

/// A scenario to tell.
#[derive(Debug)]
pub(super) struct Story {
    scenario: Scenario,
    /// How many times as fast as the wall clock.
    speed: f64,
}

impl Story {
    /// Ten simulated minutes in half a real one.
    pub(super) const USUAL_SPEED: f64 = 20.0;

    /// # Errors
    /// If the speed is not from 1 to 100,000.
    pub(super) fn new(scenario: Scenario, speed: f64) -> Result<Self, Failure> {
        if (1.0..=100_000.0).contains(&speed) {
            return Ok(Self { scenario, speed });
        }
        Err(Failure::Usage(format!("--speed: {speed} is not between 1 and 100000")))
    }

    /// Tells it until it is over, `stop` is cancelled or whoever looks has left; what draws and what
    /// listens does so on the runtime `outside`. Blocks its thread.
    pub(super) fn tell(
        self,
        config: MonitorConfig,
        audience: Audience,
        listener: Option<Listener>,
        outside: &Handle,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let (scenario, speed) = (self.scenario, self.speed);
        runtime.block_on(async {
            let stage = SimulatedTransport::new(Simulator::new(Config::new(scenario)));
            let pds = pds(&stage)?;
            let named = pds.iter().map(ToString::to_string).collect();
            let mut monitor = monitor(&stage, pds, config)?;
            // Whoever asks lives in real time.
            let _answering = listener.map(|listener| listener.tell_of(&monitor, named, outside));
            let snapshots = monitor.snapshots();
            let over = stop.child_token();
            let (note, notes) = mpsc::channel();
            // The stage's time can be read only on this thread; the pacer takes it out.
            let clock = Clock::manual(stage.with(|simulator| simulator.now()));
            let told = match audience {
                Audience::Lines(mut teller) => {
                    teller.note(&format!(
                        "{scenario}: {}; simulated time, {speed} times as fast as on the wall",
                        scenario.description()
                    ));
                    lines(teller, monitor.events("output", WAITING), notes).left_future()
                }
                Audience::Live(live) => {
                    let (snapshots, clock, stop) = (snapshots.clone(), clock.clone(), stop.clone());
                    let shown = outside.spawn_blocking(move || live.show(snapshots, &notes, &clock, &stop));
                    async { shown.await.map_err(bug)? }.right_future()
                }
            };
            let plot = async {
                mend(&stage, scenario, &note).await;
                until_quiet(|| snapshots.borrow().clone()).await;
                over.cancel();
                std::future::pending::<Infallible>().await
            };
            let running = async {
                monitor.run(over.clone()).await;
                std::future::pending::<Infallible>().await
            };
            tokio::select! {
                // Whoever does not listen any more needs no monitor.
                told = told => told,
                never = running => match never {},
                never = plot => match never {},
                never = pace(speed, || clock.set(stage.with(|simulator| simulator.now()))) => match never {},
            }
        })
    }
}

/// Writes events, and notes where they come among them, until the monitor ends.
async fn lines(mut teller: Teller, mut events: Events, notes: mpsc::Receiver<Note>) -> Result<(), Failure> {
    while let Some(delivery) = events.recv().await {
        for (at, note) in notes.try_iter() {
            teller.note(&format!("{}  {note}", text::time(at)));
        }
        teller.tell(&delivery)?;
    }
    Ok(())
}

/// Where the stage's PDs answer.
fn pds(stage: &SimulatedTransport) -> Result<Vec<Endpoint>, Failure> {
    let nodes = stage.with(|simulator| simulator.nodes());
    let pds = nodes.into_iter().filter(|node| matches!(node.id, NodeId::Pd(_))).map(|node| node.authority);
    Endpoint::list(&pds.collect::<Vec<_>>().join(",")).map_err(|error| Failure::Usage(error.to_string()))
}

/// The monitor of what happens on the stage, in the stage's time.
fn monitor(
    stage: &SimulatedTransport,
    pds: Vec<Endpoint>,
    config: MonitorConfig,
) -> Result<Monitor, Failure> {
    let clock = Clock::tokio(stage.with(|simulator| simulator.now()));
    let timeout = config.scope.part_deadline;
    let tikv = TikvConfig::new(pds).with_limits(connect::limits(timeout));
    let subject = TikvSubject::with_transport(tikv, Arc::new(stage.clone())).map_err(connect::unusable)?;
    let subject = Arc::new(subject.with_clock(clock.clone()));
    let checker = InvariantChecker::new(crate::commands::check::invariants(&*subject)?)?;
    // The same seed tells the same story.
    let scope = config.scope.clone().clock(clock);
    Monitor::new(subject, checker, config.scope(scope).seed(1)).map_err(senseless)
}

/// After some minutes whoever died is started again, and a disk that became slow or full is mended.
async fn mend(stage: &SimulatedTransport, scenario: Scenario, notes: &mpsc::Sender<Note>) {
    // A disk is found to be slow only after minutes.
    let after = Duration::from_secs(if scenario == Scenario::SlowStore { 300 } else { 180 });
    tokio::time::sleep(after).await;
    stage.with(|simulator| {
        let at = simulator.now();
        // A reader that has gone hears nothing.
        let tell = |note: String| drop(notes.send((at, note)));
        for node in simulator.nodes() {
            if node.reachable != Reachable::Answers {
                simulator.apply(Event::Restart(node.id));
                tell(format!("now {} is started again", node.id));
            }
            if let NodeId::Store(id) = node.id {
                simulator.apply(Event::Fast(id));
                simulator.apply(Event::Empty(id));
            }
        }
        if scenario == Scenario::SlowStore {
            tell("now the slow disk is replaced".to_owned());
        }
        if scenario == Scenario::DiskFull {
            tell("now what filled the disk is deleted".to_owned());
        }
    });
}

/// Waits until nothing has fired for a while, or the story has lasted for long enough.
async fn until_quiet(snapshot: impl Fn() -> Arc<Snapshot>) {
    let (begun, mut noisy) = (Instant::now(), Instant::now());
    while noisy.elapsed() < QUIET && begun.elapsed() < LONGEST_END {
        tokio::time::sleep(STEP).await;
        let now = snapshot();
        let fires = now.violations.iter().any(|violation| violation.state == ViolationState::Firing);
        if fires || now.unreachable.is_some() {
            noisy = Instant::now();
        }
    }
}

/// Holds simulated time back. It blocks its thread, on which nothing else can be due: simulated time stands meanwhile.
async fn pace(speed: f64, tick: impl Fn()) -> Infallible {
    let (stopped, wall) = (Instant::now(), std::time::Instant::now());
    loop {
        tokio::time::sleep(STEP).await;
        tick();
        let due = stopped.elapsed().div_f64(speed);
        // May return early, then the next step is longer.
        std::thread::park_timeout(due.saturating_sub(wall.elapsed()));
    }
}
