//! Watches a cluster of etcd and tells what begins and ends to be wrong, until Ctrl-C.

use std::sync::Arc;
use std::time::Duration;

use operator_core::{InvariantChecker, Monitor, MonitorConfig, common};
use operator_etcd::EtcdSubject;
use tokio_util::sync::CancellationToken;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "this is what it is for")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut urls: Vec<_> = std::env::args().skip(1).collect();
    if urls.is_empty() {
        urls.push("http://127.0.0.1:2379".to_owned());
    }
    let subject = Arc::new(EtcdSubject::new(urls)?);
    let checker = InvariantChecker::new(common::invariants())?;
    let mut config = MonitorConfig::default();
    config.interval = Duration::from_secs(2);
    let mut monitor = Monitor::new(subject, checker, config)?;
    let mut events = monitor.events("stdout", 1_000);

    let stop = CancellationToken::new();
    let running = tokio::spawn(monitor.run(stop.clone()));
    tokio::spawn(async move {
        // If Ctrl-C cannot be heard there is nothing to wait for.
        let _ = tokio::signal::ctrl_c().await;
        stop.cancel();
    });
    while let Some(delivery) = events.recv().await {
        let event = delivery.event;
        println!("{} {} {}", event.at.format("%H:%M:%S"), event.kind, event.message);
    }
    running.await?;
    Ok(())
}
