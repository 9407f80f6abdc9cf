//! Whether a selector selects anything, and if not, what of it is missing.

use std::collections::BTreeSet;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::VectorSelector;

use super::facts::Facts;
use super::nearest::{is_twin, nearest};
use super::shape::Fate;

/// Metrics that TiKV has only once they have something to count: that they are missing is good news.
const BORN_OF_TROUBLE: [&str; 6] = [
    "tikv_channel_full_total",
    "tikv_coprocessor_request_error",
    "tikv_critical_error_total",
    "tikv_grpc_msg_fail_total",
    "tikv_scheduler_too_busy_total",
    "tikv_server_report_failure_msg_total",
];

/// A selector as Prometheus is asked for it, without its moment.
pub(super) fn text(selector: &VectorSelector) -> String {
    let name = selector.name.as_deref().unwrap_or_default();
    match selector.matchers.to_string() {
        matchers if matchers.is_empty() => name.to_owned(),
        matchers => format!("{name}{{{matchers}}}"),
    }
}

/// The metric, if the selector names one.
pub(super) fn metric(selector: &VectorSelector) -> Option<&str> {
    let named = |matcher: &&Matcher| matcher.name == "__name__" && matcher.op == MatchOp::Equal;
    let matchers = &selector.matchers.matchers;
    selector.name.as_deref().or_else(|| matchers.iter().find(named).map(|matcher| matcher.value.as_str()))
}

/// The labels of the series that `selector` selects, or why there are none.
pub(super) async fn look(facts: &Facts<'_>, selector: &VectorSelector) -> Result<BTreeSet<String>, Fate> {
    let labels = facts.labels(&text(selector)).await.map_err(Fate::unknown)?;
    if !labels.is_empty() {
        return Ok(labels.iter().filter(|label| *label != "__name__").cloned().collect());
    }
    let missing = missing(facts, selector).await.map_err(Fate::unknown)?;
    let of_job = |job: &str| {
        let meant = selector.matchers.matchers.iter().filter(|matcher| matcher.name == "job");
        meant.into_iter().all(|matcher| matcher.is_match(job))
    };
    if missing.is_sure {
        return Err(Fate::dead(missing.what));
    }
    if let Some(name) = metric(selector).filter(|name| BORN_OF_TROUBLE.contains(name)) {
        let why = format!("{}; TiKV has `{name}` only once there is something to count", missing.what);
        return Err(Fate::unknown(why));
    }
    Err(match facts.too_young(of_job) {
        Some(watched) if watched.is_zero() => {
            Fate::unknown(format!("{}; but Prometheus has scraped nothing that could have it", missing.what))
        }
        Some(watched) => Fate::unknown(format!(
            "{}; but Prometheus has watched for {} s only: it may come",
            missing.what,
            watched.as_secs()
        )),
        None => Fate::dead(missing.what),
    })
}

struct Missing {
    what: String,
    /// Whether waiting cannot help: what was meant is there under another spelling.
    is_sure: bool,
}

impl Missing {
    fn new(what: String) -> Self {
        Self { what, is_sure: false }
    }

    /// With what may have been meant.
    fn or_near(self, name: &str, candidates: &BTreeSet<String>) -> Self {
        match nearest(name, candidates) {
            Some(near) => {
                Self { what: format!("{}; nearest: `{near}`", self.what), is_sure: is_twin(name, near) }
            }
            None => self,
        }
    }
}

/// What of a selector that selects nothing is missing.
async fn missing(facts: &Facts<'_>, selector: &VectorSelector) -> Result<Missing, String> {
    let Some(name) = metric(selector) else {
        return Ok(Missing::new(format!("no series is `{}`", text(selector))));
    };
    let metrics = facts.metrics.clone()?;
    if !metrics.contains(name) {
        return Ok(Missing::new(format!("there is no metric `{name}`")).or_near(name, &metrics));
    }
    let mut wrong: Vec<Missing> = Vec::new();
    for matcher in selector.matchers.matchers.iter().filter(|matcher| matcher.name != "__name__") {
        // That the label is missing is fine, too.
        let values = facts.values(name, &matcher.name).await?;
        if matcher.is_match("") || values.iter().any(|value| matcher.is_match(value)) {
            continue;
        }
        wrong.push(unmatched(facts, name, matcher, &values).await?);
    }
    let what = wrong.iter().map(|one| one.what.as_str()).collect::<Vec<_>>().join("; ");
    if what.is_empty() {
        return Ok(Missing::new(format!("there is `{name}`, but no series is `{}`", text(selector))));
    }
    Ok(Missing { what, is_sure: wrong.iter().any(|one| one.is_sure) })
}

async fn unmatched(
    facts: &Facts<'_>,
    name: &str,
    matcher: &Matcher,
    values: &BTreeSet<String>,
) -> Result<Missing, String> {
    let (label, value) = (&matcher.name, &matcher.value);
    if values.is_empty() {
        let labels = facts.labels(name).await?;
        return Ok(Missing::new(format!("`{name}` has no label `{label}`")).or_near(label, &labels));
    }
    Ok(match &matcher.op {
        MatchOp::Equal => {
            let what = if label != "job" {
                format!("no `{name}` has {label}=\"{value}\"")
            } else if facts.jobs.contains_key(value) {
                format!("the job `{value}` has no `{name}`")
            } else {
                format!("there is no job `{value}`")
            };
            match meant_as_regex(value, values) {
                Some(count) => Missing {
                    what: format!("{what}: `=` compares the text; `=~` would match {count} of the values"),
                    is_sure: true,
                },
                None => Missing::new(what).or_near(value, values),
            }
        }
        MatchOp::Re(_) => {
            let what = format!("no value of `{label}` of `{name}` matches \"{value}\"");
            // A list of values is compared one by one.
            let near = value.split('|').find_map(|one| nearest(one, values).map(|near| (one, near)));
            match near {
                Some((one, near)) => {
                    Missing { what: format!("{what}; nearest: `{near}`"), is_sure: is_twin(one, near) }
                }
                None => Missing::new(what),
            }
        }
        MatchOp::NotEqual | MatchOp::NotRe(_) => {
            Missing::new(format!("{label}{}\"{value}\" leaves out every series of `{name}`", matcher.op))
        }
    })
}

/// How many values a text would match that looks like a regular expression.
fn meant_as_regex(text: &str, values: &BTreeSet<String>) -> Option<usize> {
    if !text.contains(['*', '+', '|', '[', '(', '^', '$', '?']) {
        return None;
    }
    let regex = regex::Regex::new(&format!("^(?s:{text})$")).ok()?;
    Some(values.iter().filter(|value| regex.is_match(value)).count()).filter(|count| *count > 0)
}
