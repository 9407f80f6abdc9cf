//! A monitor inside a program of yours, and how it is shut down, here on a simulated cluster that has lost a store:
//! `cargo run -p operator-examples --example embed_monitor`

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use operator_core::{Clock, Event, EventKind, InvariantChecker, Monitor, MonitorConfig, Sink};
use operator_tikv::invariants::{Thresholds, tikv_invariants};
use operator_tikv::{TikvConfig, TikvSubject};
use tikv_simulator::{Config, Scenario, Server};
use tokio_util::sync::CancellationToken;

/// Sends what fires to somebody. It has a queue of its own, and however slow it is the monitor does not wait for it.
struct Pager;

#[async_trait]
impl Sink for Pager {
    async fn tell(&mut self, event: &Event, missed: u64) -> Result<(), Box<dyn Error + Send + Sync>> {
        if missed > 0 {
            println!("pager: {missed} events did not arrive");
        }
        if let (EventKind::Firing | EventKind::Resolved, Some(regarding)) = (event.kind, &event.regarding) {
            println!("pager: {} {regarding}: {}", event.kind, event.message);
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let scenario = Scenario::StoreCrash;
    let config = Config::new(scenario).shown_at(Clock::system().now());
    let cluster = Server::start(config, 1.0).await?;
    cluster.with(|simulator| simulator.advance(scenario.shows_after()));
    let subject = TikvSubject::new(cluster.pd_urls().join(",").parse::<TikvConfig>()?)?;

    let checker = InvariantChecker::new(tikv_invariants(&Thresholds::default())?)?;
    let config = MonitorConfig::default().interval(Duration::from_secs(1));
    let mut monitor = Monitor::new(Arc::new(subject), checker, config)?;
    monitor.sink("pager", 100, Pager);
    let mut events = monitor.events("log", 1_000);
    let snapshots = monitor.snapshots();
    let stop = CancellationToken::new();
    let running = tokio::spawn(monitor.run(stop.clone()));

    // The rest of the program: it ends when something fires, or after 20 s.
    let first = async {
        while let Some(delivery) = events.recv().await {
            println!("{} {}", delivery.event.kind, delivery.event.message);
            if delivery.event.kind == EventKind::Firing {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(20), first).await;

    // The tick that runs is finished, and the pager is told what it still has to hear.
    stop.cancel();
    let checker = running.await?;
    let snapshot = snapshots.borrow().clone();
    println!(
        "{} observations, {} violations left",
        snapshot.counters.observations,
        checker.violations().len()
    );
    // `checker.save()` can be stored and restored, so that nothing is told twice when the program starts again.
    Ok(())
}
