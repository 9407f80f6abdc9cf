//! `operator doctor`: everybody who was named is asked, one by one, and what they say is compared.

pub(super) mod report;
mod pd;
mod stores;
mod prometheus;

use std::process::ExitCode;
use std::time::Duration;

use operator_core::{Observation, Part, Scope, SubjectExt, Verdict};
use operator_tikv::http::{Endpoint, Limits};
use operator_tikv::invariants::{Thresholds, tikv_invariants};
use operator_tikv::{TikvConfig, TikvSubject};

use self::report::{Check, Report};
use crate::args::Options;
use crate::commands::RulesArgs;
use crate::connect::{self, unusable};
use crate::error::Failure;
use crate::output::Output;
use crate::progress;

/// Each of the three rounds may take so long; who is asked in one is asked at the same time.
const DEADLINE: Duration = Duration::from_secs(6);

/// Ask everybody who was named, and say what is wrong and what to do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator doctor
  operator --simulate doctor
  operator doctor -o json | jq -r '.checks[] | select(.ok | not) | [.name, .message, .hint] | @tsv'

It asks each PD by itself (name, connection, TLS, version, cluster, leader), each store at its status port,
and Prometheus (whether it answers, what it scrapes of this cluster, what it knows of each store), and
compares clocks and versions. Whoever is silent is given up after some seconds; all of it takes less than
twenty. Without a Prometheus, named here or by PD, the stores are asked for their metrics: that is a note,
not a failure.

Exit codes: 0 everything is as it should be, 1 something is not, 64 the command line makes no sense.")]
pub(crate) struct DoctorArgs {}

impl DoctorArgs {
    pub(crate) async fn run(self, options: &Options, output: &mut Output) -> Result<ExitCode, Failure> {
        let connection = connect::connect(options, &RulesArgs::NONE).await?;
        let examined = examine(&connection.config);
        let checks = progress::waiting(&connection.session.asked, examined).await?;
        let report = Report { ok: checks.iter().all(|check| check.ok), checks };
        match output.show(&report, report::render) {
            // A reader that leaves early changes nothing about the cluster.
            Err(failure) if !failure.is_closed_pipe() => Err(failure),
            _ => Ok(u8::from(!report.ok).into()),
        }
    }
}

/// What one cause makes wrong is one failure: what follows from it is not asked, or not told again.
pub(super) async fn examine(config: &TikvConfig) -> Result<Vec<Check>, Failure> {
    let pds = pd::examine(config).await;
    let answering = pds.answering.iter().map(|pd| pd.endpoint.clone());
    // Only those who answer: nobody is to wait for the others again.
    let cluster = among(config, answering.collect());
    let mut checks = pds.checks;
    if cluster.endpoints.is_empty() {
        checks.extend(prometheus::examine_configured(config).await);
        return Ok(checks);
    }
    let subject = TikvSubject::new(cluster).map_err(unusable)?;
    let scope = Scope::of([Part::Stores, Part::Signals]).part_deadline(DEADLINE);
    let (observed, measured, (source, targets)) = tokio::join!(
        subject.observe(&scope),
        tokio::time::timeout(DEADLINE, subject.measure()),
        prometheus::examine(&subject),
    );
    let observation = match observed {
        Ok(observation) => observation,
        Err(error) => {
            checks.push(Check::bad("stores", error.to_string()));
            checks.push(source);
            return Ok(checks);
        }
    };
    let stores = observation.stores.as_deref().unwrap_or_default();
    let reading = match &measured {
        Ok(Ok(reading)) => Ok(&**reading),
        Ok(Err(error)) => Err(error.message.clone()),
        Err(_) => Err(format!("nobody told them within {DEADLINE:?}")),
    };
    let examined = stores::examine(&subject, stores, reading.as_ref().ok().copied()).await;
    let stores_answer = examined.iter().any(|check| check.ok);
    let silent: Vec<_> = stores.iter().zip(&examined).filter(|(_, check)| !check.ok).collect();
    let silent = silent.iter().filter_map(|(store, _)| store.status_address.clone());
    let silent: Vec<_> = silent.chain(pds.failed.iter().map(Endpoint::authority)).collect();
    checks.extend(examined);
    for error in &observation.errors {
        checks.push(Check::bad(error.part.as_str(), error.message.clone()));
    }
    checks.extend(judged(&observation)?);

    let prometheus_answers = source.ok;
    checks.push(source);
    let pds: Vec<_> = pds.answering.iter().flat_map(|pd| pd.authorities()).collect();
    checks.extend(prometheus::jobs(&targets, &pds, stores, &silent));
    let untold = match reading {
        Ok(reading) => reading.fallback.clone().filter(|_| prometheus_answers),
        Err(why) => Some(why).filter(|_| prometheus_answers && stores_answer),
    };
    checks.extend(untold.map(|why| {
        Check::bad("metrics", why).hint(
            "let Prometheus scrape the stores at their status addresses: that is how their series are found",
        )
    }));
    Ok(checks)
}

/// How to reach some of the cluster's PDs, with less patience than usual.
fn among(config: &TikvConfig, endpoints: Vec<Endpoint>) -> TikvConfig {
    let limits = Limits::default()
        .with_read_timeout(Duration::from_secs(4))
        .with_total_timeout(Duration::from_secs(5))
        .with_failover_budget(Duration::from_secs(2));
    let mut config = config.clone().with_limits(limits);
    config.endpoints = endpoints;
    config
}

/// What the invariants say of clocks and versions.
fn judged(observation: &Observation) -> Result<Vec<Check>, Failure> {
    let asked = [
        ("clock_skew", "clocks", "they agree, as far as answers give them away"),
        ("version_mismatch", "versions", "all stores run the same one"),
    ];
    let invariants = tikv_invariants(&Thresholds::default())?;
    let mut checks = Vec::new();
    for invariant in &invariants {
        let info = invariant.info();
        let Some((_, name, good)) = asked.iter().find(|(id, ..)| *id == info.id) else { continue };
        let found = invariant.check(observation);
        let messages: Vec<_> = found.iter().map(|finding| finding.message.as_str()).collect();
        let hint = info.look_first.as_deref().unwrap_or(&info.description);
        checks.push(match found.first().map(|finding| &finding.verdict) {
            None => Check::good(*name, *good),
            // Whoever should have told is named already.
            Some(Verdict::Unknown(_)) if !observation.errors.is_empty() => continue,
            Some(_) => Check::bad(*name, messages.join("; ")).hint(hint),
        });
    }
    Ok(checks)
}
