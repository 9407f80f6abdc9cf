//! The stores of a TiKV cluster: `cargo run -p operator-examples --example list_stores [PD_URL]`, or `PD_ENDPOINT`;
//! without either, those of a simulated cluster in this process.

use operator_core::{Clock, Part, Scope, SubjectExt};
use operator_tikv::{TikvConfig, TikvSubject};
use tikv_simulator::{Config, Scenario, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given = std::env::args().nth(1).or_else(|| std::env::var("PD_ENDPOINT").ok());
    // Kept until the end: the cluster is gone when its server is dropped.
    let mut simulated = None;
    let endpoints = match given {
        Some(endpoints) => endpoints,
        None => {
            let config = Config::new(Scenario::Healthy).shown_at(Clock::system().now());
            simulated.insert(Server::start(config, 1.0).await?).pd_urls().join(",")
        }
    };

    let subject = TikvSubject::new(endpoints.parse::<TikvConfig>()?)?;
    // Stores alone would be `subject.stores()`; an observation says how far they can be believed.
    let seen = subject.observe(&Scope::of([Part::Stores])).await?;
    println!("{:>20}  {:24} {:14} {:>8} {:>8}", "ID", "ADDRESS", "STATE", "LEADERS", "REGIONS");
    for store in seen.stores.iter().flatten() {
        // What is not known is not zero.
        let count = |count: Option<u64>| count.map_or("?".to_owned(), |count| count.to_string());
        let (leaders, regions) = (count(store.leader_count), count(store.region_count));
        println!("{:>20}  {:24} {:14} {leaders:>8} {regions:>8}", store.id, store.address, store.state);
    }
    println!("trust: {}", seen.trust.verdict);
    for reason in &seen.trust.reasons {
        println!("  {}", reason.message);
    }
    Ok(())
}
