//! How many regions each store holds, counted page by page: however many there are, one page is in memory at a time.
//!
//! `cargo run -p operator-examples --example stream_regions [PD_URL]`, or `PD_ENDPOINT`; without either, of a simulated
//! cluster in this process.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use operator_core::{RegionQuery, Subject};
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
            let mut config = Config::new(Scenario::Healthy);
            config.regions = 5_000;
            simulated.insert(Server::start(config, 1.0).await?).pd_urls().join(",")
        }
    };

    let subject = TikvSubject::new(endpoints.parse::<TikvConfig>()?)?;
    let mut pages = subject.regions(RegionQuery::all());
    let (mut total, mut peers, mut leaders) = (0, BTreeMap::<_, u64>::new(), BTreeMap::<_, u64>::new());
    while let Some(page) = pages.try_next().await? {
        for region in &page.regions {
            for peer in &region.peers {
                *peers.entry(peer.store_id).or_default() += 1;
            }
            if let Some(leader) = region.leader {
                *leaders.entry(leader.store_id).or_default() += 1;
            }
        }
        total += page.regions.len();
        println!("{:6} regions so far", total);
        for gap in &page.gaps {
            println!("no region holds the keys from {} to {}", gap.start_key, gap.end_key);
        }
        for overlap in &page.overlaps {
            println!("several regions hold the keys from {} to {}", overlap.start_key, overlap.end_key);
        }
    }
    for (store, peers) in &peers {
        let leaders = leaders.get(store).copied().unwrap_or(0);
        println!("store {store}: {peers} peers, {leaders} of them leaders");
    }
    Ok(())
}
