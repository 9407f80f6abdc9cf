//! What a subject knows of its things beyond the common types.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Regarding;

/// Something that only this kind of subject knows: a slow score, a paused scheduler, the result of a probe.
/// Invariants of the subject read its signals by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Signal {
    /// What it is about.
    pub regarding: Regarding,
    /// Its name, in `snake_case`; the subject documents its names.
    pub name: String,
    /// Its value.
    pub value: SignalValue,
    /// The value's unit, where it has one.
    pub unit: Option<String>,
    /// When it was so.
    pub at: DateTime<Utc>,
    /// Where it comes from: an endpoint, a metric.
    pub source: String,
    /// The labels it has there, where it is a series; left out of the JSON if there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Signal {
    /// A signal without a unit.
    pub fn new(
        regarding: impl Into<Regarding>,
        name: impl Into<String>,
        value: impl Into<SignalValue>,
        at: DateTime<Utc>,
        source: impl Into<String>,
    ) -> Self {
        Self {
            regarding: regarding.into(),
            name: name.into(),
            value: value.into(),
            unit: None,
            at,
            source: source.into(),
            labels: BTreeMap::new(),
        }
    }
}

/// The value of a [`Signal`]; in JSON a bare number, text or boolean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum SignalValue {
    /// Yes or no.
    Bool(bool),
    /// A measurement; finite. An id never goes here: it would lose digits.
    Number(f64),
    /// Anything else.
    Text(String),
}

impl SignalValue {
    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The number, if it is one that can be compared: neither NaN nor infinite.
    pub fn as_finite(&self) -> Option<f64> {
        self.as_number().filter(|number| number.is_finite())
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

impl From<bool> for SignalValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for SignalValue {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<String> for SignalValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for SignalValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl fmt::Display for SignalValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bare_in_json() {
        for (value, json) in [(true.into(), "true"), (80.0.into(), "80.0"), ("refused".into(), "\"refused\"")]
        {
            let value: SignalValue = value;
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
            assert_eq!(serde_json::from_str::<SignalValue>(json).unwrap(), value);
        }
    }
}
