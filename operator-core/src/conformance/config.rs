//! Whether a subject describes itself well.

use super::probe::{Findings, Probe, Skip, doubles, is_snake_case};
use crate::Operation;

pub(super) async fn config_is_sound(probe: Probe<'_>) -> Findings {
    let config = probe.subject.config();
    let mut findings = Vec::new();
    if config.name.is_empty() {
        findings.push("the subject has no name".to_owned());
    }
    if !config.supports(Operation::Stores) {
        findings.push("stores is not declared: every subject answers it".to_owned());
    }
    findings.extend(doubles(&config.observations).iter().map(|double| format!("{double} is declared twice")));
    findings.extend(names(config.slos.iter().map(|slo| &*slo.name), "objective"));
    for slo in config.slos.iter().filter(|slo| !slo.threshold.is_finite()) {
        findings.push(format!("the threshold of objective {} is {}", slo.name, slo.threshold));
    }
    Ok(findings)
}

pub(super) async fn actions_have_schemas(probe: Probe<'_>) -> Findings {
    let actions = &probe.subject.config().actions;
    if actions.is_empty() {
        return Err(Skip("no action is declared".to_owned()));
    }
    let mut findings: Vec<_> = names(actions.iter().map(|action| &*action.name), "action").collect();
    for action in actions {
        let schema = &action.parameters;
        // The parameters are named, so they are an object, and so are the properties if the schema lists any.
        let properties = schema.get("properties").is_none_or(serde_json::Value::is_object);
        if schema.get("type").and_then(|of| of.as_str()) != Some("object") || !properties {
            findings
                .push(format!("the parameters of action {} are no JSON Schema of an object", action.name));
        }
    }
    Ok(findings)
}

fn names<'a>(names: impl Iterator<Item = &'a str> + Clone, what: &str) -> impl Iterator<Item = String> {
    let doubles = doubles(names.clone()).into_iter().map(move |name| format!("two of {what} `{name}`"));
    doubles.chain(
        names
            .filter(|name| !is_snake_case(name))
            .map(move |name| format!("the name of {what} `{name}` is not in snake_case")),
    )
}
