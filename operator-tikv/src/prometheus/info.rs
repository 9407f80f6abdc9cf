//! What Prometheus tells of itself: targets, rules, alerts, metadata, its version.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};

use super::Labels;
use super::number::Value;

/// `/api/v1/targets`: what is scraped.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Target {
    /// The labels of its series: `instance`, `job` and more.
    pub labels: Labels,
    /// The section of the configuration it comes from.
    #[serde(default)]
    pub scrape_pool: String,
    /// What is asked.
    #[serde(default)]
    pub scrape_url: String,
    /// Whether the last scrape worked.
    pub health: TargetHealth,
    /// Why not; empty if it did.
    #[serde(default)]
    pub last_error: String,
    /// When it was; none if there was none yet.
    #[serde(default, deserialize_with = "time_or_none")]
    pub last_scrape: Option<DateTime<Utc>>,
    /// How long it took.
    #[serde(default, rename = "lastScrapeDuration")]
    pub last_scrape_seconds: f64,
}

/// Whether a target could be scraped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TargetHealth {
    /// It could.
    Up,
    /// It could not.
    Down,
    /// It has not been tried yet, or this version does not know the word.
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Targets {
    pub(super) active_targets: Vec<Target>,
}

/// `/api/v1/rules`: rules that are evaluated together.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct RuleGroup {
    /// Unique within the file.
    pub name: String,
    /// Where it is written.
    #[serde(default)]
    pub file: String,
    /// Between two evaluations.
    #[serde(default, rename = "interval")]
    pub interval_seconds: f64,
    /// In the order of evaluation.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Rule {
    /// Of the alert, or of the series that is recorded.
    pub name: String,
    /// What it is for.
    #[serde(rename = "type")]
    pub kind: RuleKind,
    /// PromQL.
    pub query: String,
    /// Added to what it makes.
    #[serde(default)]
    pub labels: Labels,
    /// `ok`, `err` or `unknown`: whether its last evaluation worked.
    #[serde(default)]
    pub health: String,
    /// Why not.
    #[serde(default)]
    pub last_error: String,
    /// Of an alert: `inactive`, `pending` or `firing`.
    #[serde(default)]
    pub state: Option<String>,
    /// Of an alert: how long it is pending before it fires.
    #[serde(default, rename = "duration")]
    pub grace_seconds: Option<f64>,
    /// Of an alert: those that are pending or firing.
    #[serde(default)]
    pub alerts: Vec<Alert>,
}

/// What a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RuleKind {
    /// It raises alerts.
    Alerting,
    /// It makes series.
    Recording,
    /// This version does not know the word.
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
pub(super) struct Rules {
    pub(super) groups: Vec<RuleGroup>,
}

/// `/api/v1/alerts`: an alert that is pending or firing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Alert {
    /// Its name is the label `alertname`.
    pub labels: Labels,
    /// Texts for people.
    #[serde(default)]
    pub annotations: Labels,
    /// `pending` or `firing`.
    pub state: String,
    /// Since when the condition holds.
    #[serde(default, deserialize_with = "time_or_none")]
    pub active_at: Option<DateTime<Utc>>,
    /// Of the expression, when it was last evaluated.
    #[serde(default, deserialize_with = "value_or_none")]
    pub value: Option<f64>,
}

#[derive(Deserialize)]
pub(super) struct Alerts {
    pub(super) alerts: Vec<Alert>,
}

/// `/api/v1/metadata`: what targets say of a metric. They need not agree.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct MetricMetadata {
    /// `counter`, `gauge`, `histogram`, `summary`, `unknown`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// For people.
    #[serde(default)]
    pub help: String,
    /// Mostly empty.
    #[serde(default)]
    pub unit: String,
}

/// By the metric's name.
pub type Metadata = BTreeMap<String, Vec<MetricMetadata>>;

/// `/api/v1/status/buildinfo`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BuildInfo {
    /// `2.42.0+ds`. Thanos, Mimir and VictoriaMetrics say their own, or that of the Prometheus they stand for.
    pub version: String,
    /// Of the source.
    #[serde(default)]
    pub revision: String,
    /// With which it was built.
    #[serde(default)]
    pub go_version: String,
}

/// Go writes year 1 for a time that is not set.
fn time_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let time: Option<DateTime<Utc>> = Option::deserialize(deserializer)?;
    Ok(time.filter(|time| time.timestamp() > 0))
}

fn value_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let value: Option<Value> = Option::deserialize(deserializer)?;
    Ok(value.map(|Value(value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prometheus::wire::decode;

    fn recorded(file: &str) -> Vec<u8> {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/recordings/");
        std::fs::read(format!("{root}{file}")).unwrap()
    }

    #[test]
    fn recorded_targets_say_who_is_down_and_why() {
        let body = recorded("store-down/prometheus-api_v1_targets.json");
        let targets = decode::<Targets>(&body).unwrap().data.active_targets;
        assert_eq!(targets.len(), 6);
        let down: Vec<_> = targets.iter().filter(|target| target.health == TargetHealth::Down).collect();
        assert_eq!(down.len(), 1);
        assert_eq!(down[0].labels.value("instance"), Some("tikv1:20180"));
        assert!(down[0].last_error.contains("connection refused"));
        assert!(
            targets.iter().all(|target| target.last_scrape.is_some() && target.last_scrape_seconds > 0.0)
        );
    }

    #[test]
    fn recorded_build_metadata_labels_and_series_are_read() {
        let body = recorded("healthy-busy/prometheus-api_v1_status_buildinfo.json");
        assert_eq!(decode::<BuildInfo>(&body).unwrap().data.version, "2.42.0+ds");
        let body = recorded("healthy-busy/prometheus-api_v1_metadata_limit_5.json");
        let metadata = decode::<Metadata>(&body).unwrap().data;
        assert_eq!(metadata["pd_scheduler_event_count"][0].kind, "counter");
        let body = recorded("healthy-busy/prometheus-api_v1_labels.json");
        assert!(decode::<Vec<String>>(&body).unwrap().data.contains(&"instance".to_owned()));
        let body = recorded("healthy-busy/prometheus-api_v1_series_match_up.json");
        assert_eq!(decode::<Vec<Labels>>(&body).unwrap().data.len(), 6);
        let body = recorded("healthy-busy/prometheus-api_v1_rules.json");
        assert!(decode::<Rules>(&body).unwrap().data.groups.is_empty());
        let body = recorded("healthy-busy/prometheus-api_v1_alerts.json");
        assert!(decode::<Alerts>(&body).unwrap().data.alerts.is_empty());
    }

    #[test]
    fn rules_and_their_alerts_are_read() {
        // As Prometheus' documentation has them.
        let body = br#"{"status":"success","data":{"groups":[{"name":"example","file":"/rules.yml","interval":60,"limit":0,
            "rules":[{"alerts":[{"activeAt":"2018-07-04T20:27:12.60602144+02:00","annotations":{"summary":"High"},
            "labels":{"alertname":"HighLatency","severity":"page"},"state":"firing","value":"1e+00"}],
            "annotations":{},"duration":600,"health":"ok","labels":{"severity":"page"},"name":"HighLatency",
            "query":"x > 0.5","type":"alerting","state":"firing"},
            {"health":"ok","name":"job:x","query":"sum(x)","type":"recording"}]}]}}"#;
        let groups = decode::<Rules>(body).unwrap().data.groups;
        let [alerting, recording] = &groups[0].rules[..] else { panic!("{groups:?}") };
        assert_eq!((alerting.kind, recording.kind), (RuleKind::Alerting, RuleKind::Recording));
        assert_eq!(alerting.alerts[0].value, Some(1.0));
        assert_eq!(alerting.alerts[0].active_at.unwrap().to_rfc3339(), "2018-07-04T18:27:12.606021440+00:00");
    }

    #[test]
    fn a_target_that_was_never_scraped_has_no_time() {
        let body = br#"{"labels":{"job":"j"},"health":"unknown","lastScrape":"0001-01-01T00:00:00Z"}"#;
        let target: Target = serde_json::from_slice(body).unwrap();
        assert_eq!((target.last_scrape, target.health), (None, TargetHealth::Unknown));
    }
}
