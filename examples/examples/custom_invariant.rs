//! An invariant of your own, checked beside those for TiKV, here on a simulated cluster that has lost a store:
//! `cargo run -p operator-examples --example custom_invariant`

use std::sync::Arc;
use std::time::Duration;

use operator_core::{
    CheckReport, Clock, Finding, Invariant, InvariantInfo, Observation, Regarding, Scope, Severity,
    StoreState, SubjectExt, invariant_fn,
};
use operator_tikv::invariants::{Thresholds, tikv_invariants};
use operator_tikv::{TikvConfig, TikvSubject};
use tikv_simulator::{Config, Scenario, Server};

/// One more store may be lost before data is: at least three must be up.
fn spare_store() -> impl Invariant {
    let info = InvariantInfo::new("spare_store", Severity::Warning, Duration::ZERO);
    invariant_fn(info.source("stores"), |seen: &Observation| {
        // What cannot be seen does not hold: it is unknown.
        let Some(stores) = &seen.stores else {
            return vec![Finding::unknown(Regarding::Cluster, "the stores could not be listed")];
        };
        let up = stores.iter().filter(|store| store.state == StoreState::Up).count();
        let short =
            Finding::violated(Regarding::Cluster, Severity::Warning, format!("only {up} stores are up"));
        if up < 3 { vec![short.measured(up as f64, 3.0, "stores")] } else { vec![] }
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scenario = Scenario::StoreCrash;
    let config = Config::new(scenario).shown_at(Clock::system().now());
    let cluster = Server::start(config, 1.0).await?;
    cluster.with(|simulator| simulator.advance(scenario.shows_after()));
    let subject = TikvSubject::new(cluster.pd_urls().join(",").parse::<TikvConfig>()?)?;

    let mut invariants = tikv_invariants(&Thresholds::default())?;
    invariants.push(Arc::new(spare_store()));
    let seen = subject.observe(&Scope::all()).await?;
    let report = CheckReport::of("example", &seen, invariants, false)?;
    for violation in &report.violations {
        let (state, severity, what) = (violation.state, violation.severity, &violation.invariant);
        println!("{state:<8} {severity:<8} {what} of {}: {}", violation.regarding, violation.message);
    }
    println!("trust: {}; {} things cannot be told", report.trust.verdict, report.unknown.len());
    Ok(())
}
