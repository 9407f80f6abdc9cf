//! Prometheus: whether it answers, and what it scrapes of this cluster.

use std::collections::{BTreeMap, BTreeSet};

use operator_core::{ErrorKind, Store};
use operator_tikv::prometheus::{Client, Target, TargetHealth};
use operator_tikv::{TikvConfig, TikvSubject};

use super::DEADLINE;
use super::report::Check;

const NAME: &str = "prometheus";

/// The one that was named, or else the one that PD names; and what it scrapes, as far as it tells.
pub(super) async fn examine(subject: &TikvSubject) -> (Check, Vec<Target>) {
    let asked = async {
        match subject.metrics_source().prometheus().await {
            Ok(Some(client)) => ask(&client).await,
            Ok(None) => {
                let found =
                    Check::good(NAME, "none is named, here or by PD: the stores are asked for their metrics");
                (
                    found.hint("--prometheus URL, or PROMETHEUS_URL: rates over a longer time, and alerts"),
                    Vec::new(),
                )
            }
            Err(error) => (Check::failed(NAME, &error), Vec::new()),
        }
    };
    tokio::time::timeout(DEADLINE, asked).await.unwrap_or_else(|_| (Check::silent(NAME), Vec::new()))
}

/// The one that was named, where no PD answers; none if none was.
pub(super) async fn examine_configured(config: &TikvConfig) -> Option<Check> {
    let client = match config.prometheus.as_ref()?.client() {
        Ok(client) => client,
        Err(error) => return Some(Check::failed(NAME, &error)),
    };
    let (check, _) = tokio::time::timeout(DEADLINE, ask(&client))
        .await
        .unwrap_or_else(|_| (Check::silent(NAME), Vec::new()));
    Some(check)
}

async fn ask(client: &Client) -> (Check, Vec<Target>) {
    let (ready, answers, built, targets) =
        tokio::join!(client.ready(), client.query("vector(1)"), client.build_info(), client.targets());
    // What only speaks its API may have no such page.
    let ready = ready.or_else(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::Unsupported => Ok(()),
        _ => Err(error),
    });
    if let Err(error) = answers.map(drop).and(ready) {
        return (Check::failed(NAME, &error), Vec::new());
    }
    let version = built.map_or_else(|_| "unknown".to_owned(), |built| built.data.version);
    let targets = targets.map(|targets| targets.data).unwrap_or_default();
    let up = targets.iter().filter(|target| target.health == TargetHealth::Up).count();
    let at = client.endpoint().map(|endpoint| endpoint.to_string()).unwrap_or_default();
    let message = format!("{at} is ready, version {version}; {up} of its {} targets are up", targets.len());
    (Check::good(NAME, message), targets)
}

/// One check for each job that scrapes something of this cluster. `silent` are the addresses of those who were found
/// not to answer: that Prometheus cannot scrape them follows from it.
pub(super) fn jobs(targets: &[Target], pds: &[String], stores: &[Store], silent: &[String]) -> Vec<Check> {
    let addresses = stores.iter().filter_map(|store| store.status_address.as_ref());
    let ours: BTreeSet<_> = pds.iter().chain(addresses).map(String::as_str).collect();
    let mut jobs: BTreeMap<&str, Vec<(&str, &Target)>> = BTreeMap::new();
    for target in targets {
        let instance = target.labels.value("instance").unwrap_or_default();
        if ours.contains(instance) {
            jobs.entry(target.labels.value("job").unwrap_or_default()).or_default().push((instance, target));
        }
    }
    let checks = jobs.into_iter().map(|(job, targets)| {
        let name = format!("prometheus job {job}");
        let down: Vec<_> = targets.iter().filter(|(_, target)| target.health != TargetHealth::Up).collect();
        let why: Vec<_> = down
            .iter()
            .map(|(instance, target)| match target.health {
                TargetHealth::Down => format!("{instance}: {}", target.last_error),
                _ => format!("{instance}: not scraped yet"),
            })
            .collect();
        let up =
            format!("{} of {} targets of this cluster are up", targets.len() - down.len(), targets.len());
        let found = [up].into_iter().chain(why).collect::<Vec<_>>().join("; ");
        if down.iter().all(|(instance, _)| silent.iter().any(|silent| silent == instance)) {
            return Check::good(name, found);
        }
        Check::bad(name, found)
            .hint("it answers here: see whether Prometheus reaches it, and by which scheme and certificate")
    });
    checks.collect()
}
