//! An incident from its first sign to its end, on a simulated cluster of which one store's disk turns slow, in simulated
//! time: `cargo run -p operator-examples --example incident`. What happens is told in `docs/incident.md`.

use std::error::Error;
use std::sync::Arc;

use operator_core::{
    Action, Approval, Clock, EventKind, Events, Executor, FileAuditLog, Guard, HotRegionQuery,
    InvariantChecker, Monitor, MonitorConfig, Regarding, Scope, StoreId, Subject, SubjectExt,
};
use operator_tikv::invariants::{Thresholds, tikv_invariants};
use operator_tikv::log::leadership_of_line;
use operator_tikv::{TikvActor, TikvConfig, TikvSubject, signals};
use tikv_simulator::{Config, Event, NodeId, Scenario, SimulatedTransport, Simulator};
use tokio_util::sync::CancellationToken;

/// Waits for the next event of `high_latency` that is of this kind, and tells what it is about.
async fn next(events: &mut Events, kind: EventKind) -> Result<Regarding, Box<dyn Error>> {
    while let Some(delivery) = events.recv().await {
        let event = &delivery.event;
        if event.kind == kind && event.invariant.as_deref() == Some("high_latency") {
            println!("{}  {kind}  {}", event.at.time().format("%H:%M:%S"), event.message);
            return event.regarding.clone().ok_or_else(|| "it is about nothing".into());
        }
    }
    Err("the monitor has ended".into())
}

fn changes(cluster: &SimulatedTransport, store: StoreId) -> usize {
    let log = cluster.with(|simulator| simulator.drain_log(NodeId::Store(store.0)));
    log.lines.iter().filter(|line| leadership_of_line(line.as_bytes(), "tikv.log", None).is_some()).count()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut story = Config::new(Scenario::SlowStore);
    story.logs = true;
    let cluster = SimulatedTransport::new(Simulator::new(story));
    let clock = Clock::tokio(cluster.with(|simulator| simulator.now()));
    let config: TikvConfig = "pd0:2379,pd1:2379,pd2:2379".parse()?;
    let subject = || TikvSubject::with_transport(config.clone(), Arc::new(cluster.clone()));

    // A monitor watches. It cannot change anything: a subject has no way to.
    let watched = Arc::new(subject()?.with_clock(clock.clone()));
    let checker = InvariantChecker::new(tikv_invariants(&Thresholds::default())?)?;
    let scope = Scope::all().clock(clock.clone());
    let mut monitor = Monitor::new(watched.clone(), checker, MonitorConfig::default().scope(scope.clone()))?;
    let mut events = monitor.events("incident", 1_000);
    tokio::spawn(monitor.run(CancellationToken::new()));
    let Regarding::Store(store_id) = next(&mut events, EventKind::Firing).await? else { return Ok(()) };

    let hot = watched.hot_regions(HotRegionQuery::default()).await?;
    let on_it = hot.iter().filter(|hot| hot.store_id == store_id).count();
    println!("{on_it} of {} hot regions are led by it", hot.len());
    println!("its log tells of {} changes of leadership", changes(&cluster, store_id));
    for signal in watched.observe(&scope).await?.signals_named(signals::SLOW_SCORE) {
        println!("slow score of {}: {:?}", signal.regarding, signal.value);
    }

    // What acts is made on purpose, may do two things only, and writes down what it does before it does it.
    let audit = std::env::temp_dir().join(format!("operator-incident-{}.jsonl", std::process::id()));
    let actor = TikvActor::new(subject()?.with_clock(clock.clone()));
    let guard = Guard::only(["drain_store", "undrain_store"]);
    let executor =
        Executor::new(Arc::new(actor), guard, Arc::new(FileAuditLog::open(&audit)?)).with_clock(clock);
    let proposal = executor.propose(Action::DrainStore { store_id }).await?;
    println!("proposed: {}\n  mind: {}", proposal.preview.summary, proposal.preview.warnings.join("; "));
    let outcome = executor.execute(&proposal.token, Approval::by("the engineer on call")).await?;
    println!("{}: {}", outcome.outcome, outcome.message);
    println!("its log tells of {} changes of leadership more", changes(&cluster, store_id));

    // Nobody waits for its leaders any more; somebody sees to the disk, and it leads again.
    cluster.with(|simulator| simulator.apply(Event::Fast(store_id.0)));
    next(&mut events, EventKind::Resolved).await?;
    let undo = executor.propose(outcome.undo.ok_or("nothing takes it back")?).await?;
    let outcome = executor.execute(&undo.token, Approval::by("the engineer on call")).await?;
    println!("{}: {}\nthe audit log: {}", outcome.outcome, outcome.message, audit.display());
    Ok(())
}
