//! Whether what a subject says survives being composed, judged and written.

use std::fmt::Debug;

use chrono::DateTime;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::probe::{Findings, Probe, is_snake_case};
use crate::{Observation, Operation, RegionQuery, Scope, SubjectExt};

pub(super) async fn signals_are_sound(probe: Probe<'_>) -> Findings {
    let signals = probe.ask(Operation::Signals, probe.subject.signals(&Scope::all())).await?;
    let mut findings = Vec::new();
    for signal in &signals {
        let (name, about) = (&signal.name, &signal.regarding);
        if !is_snake_case(name) {
            findings.push(format!("the name of signal `{name}` is not in snake_case"));
        }
        if signal.source.is_empty() {
            findings.push(format!("signal {name} of {about} does not say where it comes from"));
        }
        if let Some(number) = signal.value.as_number().filter(|number| !number.is_finite()) {
            findings.push(format!("signal {name} of {about} is {number}"));
        }
    }
    Ok(findings)
}

pub(super) async fn trust_is_pure(probe: Probe<'_>) -> Findings {
    let mut observations = vec![Observation::empty(DateTime::UNIX_EPOCH)];
    observations.extend(probe.within(probe.subject.observe(&Scope::all())).await.ok());
    let impure = observations.iter().any(|seen| probe.subject.trust(seen) != probe.subject.trust(seen));
    Ok(impure
        .then(|| "asked twice, it trusts the same observation differently".to_owned())
        .into_iter()
        .collect())
}

pub(super) async fn json_round_trips(probe: Probe<'_>) -> Findings {
    let mut config = probe.subject.config().clone();
    // JSON has no numbers that are not finite: they are for the rules of what they belong to.
    config.slos.retain(|slo| slo.threshold.is_finite());
    let mut findings: Vec<_> = round_trip("config", &config).into_iter().collect();

    if let Ok(mut seen) = probe.within(probe.subject.observe(&Scope::all())).await {
        let finite = |number: Option<f64>| number.is_none_or(f64::is_finite);
        seen.metrics.iter_mut().for_each(|all| all.retain(|one| finite(one.qps) && finite(one.cpu_cores)));
        seen.signals.iter_mut().for_each(|all| all.retain(|one| finite(one.value.as_number())));
        findings.extend(round_trip("observation", &seen));
    }
    if let Ok(read) = probe.stream(RegionQuery::all().limit(100)).await {
        findings.extend(read.regions().filter_map(|region| round_trip("region", region)));
    }
    Ok(findings)
}

/// How `value` does not survive being written and read.
fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(what: &str, value: &T) -> Option<String> {
    let read = serde_json::to_string(value).and_then(|text| serde_json::from_str::<T>(&text));
    match read {
        Ok(read) if read == *value => None,
        Ok(read) => Some(format!("the {what} {value:?} comes back from JSON as {read:?}")),
        Err(error) => Some(format!("the {what} does not come back from JSON: {error}")),
    }
}
