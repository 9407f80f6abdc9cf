//! What an invariant is called, how bad its violation is, and how patient it is.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result, seconds};

/// How bad a violation is, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing; nobody needs to get up.
    Info,
    /// Somebody should look at it today.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How long something must be found at a severity before it fires at that severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeverityGrace {
    /// The severity.
    pub severity: Severity,
    /// Prometheus' `for`. Counts from when the thing was first found at this severity or a worse one, without a break;
    /// with zero it fires at once. In JSON `grace_seconds`.
    #[serde(rename = "grace_seconds", with = "seconds")]
    pub grace: Duration,
}

/// What an invariant is called, how bad its violation is, and how patient it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InvariantInfo {
    /// Its name, in `snake_case`, unique among the invariants of a checker. Somebody else's rule has `rule/` and the
    /// name that it was given, which may be any text.
    pub id: Cow<'static, str>,
    /// The severities it can find, each with its grace; at least one, none twice. A finding of a severity that is not
    /// listed counts as the next milder one that is, or else as the mildest listed.
    pub severities: Vec<SeverityGrace>,
    /// Prometheus' `keep_firing_for`: how long it must hold again before a firing violation is resolved, or falls to a
    /// milder severity, so that what flaps is one violation. In JSON `keep_firing_seconds`.
    #[serde(rename = "keep_firing_seconds", with = "seconds")]
    pub keep_firing: Duration,
    /// What it means when it is violated, in a sentence.
    pub description: Cow<'static, str>,
    /// What to look at first.
    pub look_first: Option<Cow<'static, str>>,
    /// What it is judged by: the endpoint, metric or part it comes from.
    pub source: Cow<'static, str>,
}

impl InvariantInfo {
    /// An invariant of one severity that does not keep firing.
    pub fn new(id: impl Into<Cow<'static, str>>, severity: Severity, grace: Duration) -> Self {
        Self {
            id: id.into(),
            severities: vec![SeverityGrace { severity, grace }],
            keep_firing: Duration::ZERO,
            description: Cow::Borrowed(""),
            look_first: None,
            source: Cow::Borrowed(""),
        }
    }

    /// Can also be found at this severity, or has this grace at it.
    pub fn severity(mut self, severity: Severity, grace: Duration) -> Self {
        self.severities.retain(|listed| listed.severity != severity);
        self.severities.push(SeverityGrace { severity, grace });
        self.severities.sort_by_key(|listed| listed.severity);
        self
    }

    /// Stays a violation for this long after it was last found.
    pub fn keep_firing(self, keep_firing: Duration) -> Self {
        Self { keep_firing, ..self }
    }

    /// What it means when it is violated.
    pub fn description(self, description: impl Into<Cow<'static, str>>) -> Self {
        Self { description: description.into(), ..self }
    }

    /// What to look at first.
    pub fn look_first(self, look_first: impl Into<Cow<'static, str>>) -> Self {
        Self { look_first: Some(look_first.into()), ..self }
    }

    /// What it is judged by.
    pub fn source(self, source: impl Into<Cow<'static, str>>) -> Self {
        Self { source: source.into(), ..self }
    }

    /// Whether a checker can work with it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`], naming the field, for an id that is not `snake_case`, no severity or one listed
    /// twice, and for a grace or keep-firing of more than 30 days, which nobody means; of a rule, of more than
    /// Prometheus takes.
    pub fn validate(&self) -> Result<()> {
        const DAY: Duration = Duration::from_secs(86_400);
        let is_rule = self.id.strip_prefix("rule/").is_some_and(|name| !name.is_empty());
        let days: u32 = if is_rule { 300 * 365 } else { 30 };
        let longest = DAY * days;
        let refuse = |message: String| Err(Error::new(ErrorKind::InvalidInput, "invariant", message));
        let id = &self.id;
        let snake_case = id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !snake_case && !is_rule {
            return refuse(format!("id: `{id}` is not in snake_case"));
        }
        if self.severities.is_empty() {
            return refuse(format!("{id}.severities: there is none"));
        }
        for (index, SeverityGrace { severity, grace }) in self.severities.iter().enumerate() {
            if self.severities.iter().skip(index + 1).any(|other| other.severity == *severity) {
                return refuse(format!("{id}.severities: {severity} is listed twice"));
            }
            if *grace > longest {
                return refuse(format!("{id}.grace of {severity}: {grace:?} is more than {days} days"));
            }
        }
        if self.keep_firing > longest {
            return refuse(format!("{id}.keep_firing: {:?} is more than {days} days", self.keep_firing));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn store_down() -> InvariantInfo {
        InvariantInfo::new("store_down", Severity::Critical, MINUTE)
            .severity(Severity::Warning, Duration::ZERO)
            .keep_firing(Duration::from_millis(1_500))
            .look_first("is its process running?")
    }

    #[test]
    fn json_says_its_units_and_comes_back() {
        let json = serde_json::to_value(store_down()).unwrap();
        assert_eq!(
            json["severities"],
            serde_json::json!([
                { "severity": "warning", "grace_seconds": 0.0 },
                { "severity": "critical", "grace_seconds": 60.0 },
            ])
        );
        assert_eq!(json["keep_firing_seconds"], 1.5);
        assert_eq!(serde_json::from_value::<InvariantInfo>(json).unwrap(), store_down());
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_the_name_of_its_field() {
        assert!(store_down().validate().is_ok());
        let twice = SeverityGrace { severity: Severity::Warning, grace: MINUTE };
        let mut doubled = store_down();
        doubled.severities.push(twice);
        let none = InvariantInfo { severities: vec![], ..store_down() };
        for (info, field) in [
            (InvariantInfo { id: "Store-Down".into(), ..store_down() }, "id"),
            (InvariantInfo { id: "".into(), ..store_down() }, "id"),
            (none, "store_down.severities"),
            (doubled, "store_down.severities"),
            (store_down().severity(Severity::Info, Duration::MAX), "store_down.grace of info"),
            (store_down().keep_firing(Duration::MAX), "store_down.keep_firing"),
        ] {
            let error = info.validate().unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput);
            assert!(error.message.starts_with(&format!("{field}:")), "{error}");
        }
    }

    #[test]
    fn names_are_those_of_json_and_order_is_by_gravity() {
        for severity in Severity::ALL {
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
        }
        assert!(Severity::ALL.is_sorted());
    }
}
