//! The alerts that Prometheus itself evaluates, as they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use operator_core::{
    ErrorKind, Finding, Invariant, InvariantInfo, Part, Regarding, Severity, Signal, invariant_fn,
};
use tokio::time::timeout;

use super::invariant::severity_of;
use super::things::Things;
use crate::prometheus::{Alert, Client};

/// The signal of an alert that Prometheus has: its value is what its annotations say, its labels those of the alert and
/// `alertstate` (`pending` or `firing`), its time since when the condition holds. Without the label `alertname` it says
/// why Prometheus' alerts are not known, or that there are more.
pub const PROMETHEUS_ALERT: &str = "prometheus_alert";

/// More are counted, not told.
const MAX_ALERTS: usize = 1_000;

/// What Prometheus tells of its alerts; nothing of what has none, such as a Thanos without rules.
pub(crate) async fn signals(
    prometheus: &Client,
    things: &Things,
    now: DateTime<Utc>,
    patience: Duration,
) -> Vec<Signal> {
    let source = match prometheus.endpoint() {
        Some(endpoint) => format!("GET /api/v1/alerts of {endpoint}"),
        None => "GET /api/v1/alerts".to_owned(),
    };
    let unknown = |why: String| Signal::new(Regarding::Cluster, PROMETHEUS_ALERT, why, now, source.as_str());
    let mut alerts = match timeout(patience, prometheus.alerts()).await {
        Err(_) => return vec![unknown("Prometheus did not tell its alerts in time".to_owned())],
        Ok(Ok(answer)) => answer.data,
        Ok(Err(error)) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported) => {
            return Vec::new();
        }
        Ok(Err(error)) => return vec![unknown(error.to_string())],
    };
    // What fires first, so that it is not what is left out.
    alerts.sort_by_key(|alert| alert.state != "firing");
    let more = alerts.len().saturating_sub(MAX_ALERTS);
    alerts.truncate(MAX_ALERTS);
    let labels: Vec<BTreeMap<String, String>> = alerts
        .iter()
        .map(|alert| alert.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
        .collect();
    let regarding = things.regarding(&labels);
    let mut signals = Vec::with_capacity(alerts.len() + 1);
    for ((alert, mut labels), regarding) in alerts.into_iter().zip(labels).zip(regarding) {
        let at = alert.active_at.unwrap_or(now);
        let mut signal = Signal::new(regarding, PROMETHEUS_ALERT, message(&alert), at, source.as_str());
        labels.insert("alertstate".to_owned(), alert.state);
        signal.labels = labels;
        signals.push(signal);
    }
    if more > 0 {
        signals.push(unknown(format!("there are {more} more alerts than the {MAX_ALERTS} that are told")));
    }
    signals
}

fn message(alert: &Alert) -> String {
    let said = ["summary", "message", "description"].iter().find_map(|name| alert.annotations.value(name));
    let said = said.or_else(|| alert.annotations.iter().next().map(|(_, text)| text));
    said.or(alert.labels.value("alertname")).unwrap_or_default().to_owned()
}

/// Prometheus' own alerts, beside ours and without evaluating anything: what fires there fires here. An alert about one
/// of the cluster's stores is as bad as its labels say; any other is only worth knowing, since a Prometheus mostly
/// watches more than one thing.
pub fn prometheus_alert() -> Arc<dyn Invariant> {
    // What is pending there stays pending here: it is Prometheus that waits.
    const NEVER: Duration = Duration::from_secs(30 * 86_400);
    let info = InvariantInfo::new(PROMETHEUS_ALERT, Severity::Info, NEVER)
        .severity(Severity::Warning, NEVER)
        .severity(Severity::Critical, NEVER)
        .description("Prometheus has an alert of its own rules.")
        .look_first("the page /alerts of Prometheus")
        .source("GET /api/v1/alerts of Prometheus");
    Arc::new(invariant_fn(info, |observation| match &observation.signals {
        Some(_) => {
            let alerts = observation.signals_named(PROMETHEUS_ALERT);
            alerts.map(|alert| finding(alert, observation.at)).collect()
        }
        None => {
            let mut errors = observation.errors.iter();
            let why = errors.find(|error| error.part == Part::Signals).map(|error| error.message.as_str());
            vec![Finding::unknown(Regarding::Cluster, why.unwrap_or("the signals were not observed"))]
        }
    }))
}

fn finding(alert: &Signal, now: DateTime<Utc>) -> Finding {
    let said = alert.value.as_text().unwrap_or_default();
    let label = |name: &str| alert.labels.get(name).map(String::as_str);
    let Some(name) = label("alertname") else { return Finding::unknown(Regarding::Cluster, said) };
    let severity = match alert.regarding.thing() {
        Regarding::Store(_) => severity_of(label),
        _ => Severity::Info,
    };
    let age = (now - alert.at).to_std().unwrap_or_default();
    let age = humantime::format_duration(Duration::from_secs(age.as_secs()));
    let message = format!("{name}, for {age}: {said}");
    let finding = Finding::violated(alert.regarding.clone(), severity, message);
    if label("alertstate") == Some("firing") { finding.settled() } else { finding }
}

#[cfg(test)]
mod tests {
    use operator_core::{CheckReport, Observation, Store, StoreState};

    use super::*;
    use crate::prometheus::script::Script;

    const ALERTS: &str = r#"{"status":"success","data":{"alerts":[
        {"labels":{"alertname":"Slow","instance":"tikv1:20180","severity":"critical"},"annotations":{},"state":"pending",
         "activeAt":"2023-11-14T22:13:10Z","value":"1"},
        {"labels":{"alertname":"Down","instance":"tikv1:20180","severity":"critical"},"annotations":{"summary":"it is down"},
         "state":"firing","activeAt":"2023-11-14T21:13:20Z","value":"0"},
        {"labels":{"alertname":"Shop","severity":"critical"},"annotations":{"a":"b"},"state":"firing","value":"0"}]}}"#;

    async fn told(status: u16, body: &'static str) -> CheckReport {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let mut store = Store::new(4.into(), "tikv1:20160", StoreState::Up);
        store.status_address = Some("tikv1:20180".to_owned());
        let mut observation = Observation::empty(now);
        let client = Script::always(status, body).client();
        let patience = Duration::from_secs(5);
        observation.signals = Some(signals(&client, &Things::new(&[store], &[]), now, patience).await);
        CheckReport::of("test", &observation, [prometheus_alert()], false).unwrap()
    }

    #[tokio::test]
    async fn prometheus_alerts_stand_here_as_they_stand_there() {
        let report = told(200, ALERTS).await;
        let told: Vec<_> =
            report.violations.iter().map(|v| (v.severity, v.state.as_str(), &*v.message)).collect();
        assert_eq!(
            told,
            [
                (Severity::Critical, "firing", "Down, for 1h: it is down"),
                (Severity::Info, "firing", "Shop, for 0s: b"),
                (Severity::Critical, "pending", "Slow, for 10s: Slow"),
            ]
        );
        let regarding = report.violations[0].regarding.to_string();
        assert_eq!(regarding, r#"store/4{alertname="Down",severity="critical"}"#);
    }

    #[tokio::test]
    async fn who_has_no_alerts_has_none_and_who_does_not_tell_is_unknown() {
        let none = told(404, "404 page not found").await;
        assert_eq!((none.violations.len(), none.unknown.len()), (0, 0));
        let silent = told(503, "starting").await;
        assert!(silent.unknown[0].reason.contains("503"), "{:?}", silent.unknown);
    }
}
