//! A subject of your own: nodes of whatever kind that are up if they take a TCP connection.
//!
//! `cargo run -p operator-examples --example your_own_subject [HOST:PORT...]`; without any, two of its own and a dead one.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::join_all;
use operator_core::{
    Clock, Operation, Result, Scope, Signal, Store, StoreId, StoreState, Subject, SubjectConfig, SubjectExt,
    conformance,
};
use tokio::{net::TcpListener, net::TcpStream, time::timeout};

#[derive(Debug)]
struct Nodes {
    config: SubjectConfig,
    addresses: Vec<String>,
}

impl Nodes {
    fn new(addresses: Vec<String>) -> Self {
        let config = SubjectConfig::new("nodes").with_observations([Operation::Signals]);
        Self { config, addresses }
    }

    /// Asks every node at once: its id, its address, and how long the connection took, `None` without one.
    async fn probe(&self) -> Vec<(StoreId, &str, Option<Duration>)> {
        join_all((1..).zip(&self.addresses).map(|(id, address)| async move {
            let began = Instant::now();
            let connected = timeout(Duration::from_secs(1), TcpStream::connect(address)).await;
            (StoreId(id), address.as_str(), matches!(connected, Ok(Ok(_))).then(|| began.elapsed()))
        }))
        .await
    }
}

#[async_trait]
impl Subject for Nodes {
    fn config(&self) -> &SubjectConfig {
        &self.config
    }

    async fn stores(&self) -> Result<Vec<Store>> {
        let stores = self.probe().await.into_iter().map(|(id, address, connected)| {
            let state = if connected.is_some() { StoreState::Up } else { StoreState::Disconnected };
            let mut store = Store::new(id, address, state);
            store.last_heartbeat = connected.map(|_| Clock::system().now());
            store
        });
        Ok(stores.collect())
    }

    async fn signals(&self, scope: &Scope) -> Result<Vec<Signal>> {
        let signals = self.probe().await.into_iter().filter_map(|(id, address, connected)| {
            let took = connected?.as_secs_f64();
            Some(Signal::new(id, "connect_seconds", took, scope.clock.now(), address))
        });
        Ok(signals.collect())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut addresses: Vec<_> = std::env::args().skip(1).collect();
    let nodes = [TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?];
    if addresses.is_empty() {
        let up = nodes.iter().filter_map(|node| node.local_addr().ok()).map(|address| address.to_string());
        addresses = up.chain(["127.0.0.1:1".into()]).collect();
    }
    let subject = Nodes::new(addresses);
    let seen = subject.observe(&Scope::all()).await?;
    for store in seen.stores.iter().flatten() {
        println!("{:24} {}", store.address, store.state);
    }
    let report = conformance::check(&subject).await;
    println!("{report}");
    report.assert_passed();
    Ok(())
}
