//! What a subject says it can observe and do: data that an agent can read before it asks.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a subject can observe and do, and what is expected of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SubjectConfig {
    /// What kind of database it is, or which one.
    pub name: String,
    /// What can be asked; everything else answers [`Unsupported`](crate::ErrorKind::Unsupported).
    pub observations: Vec<Operation>,
    /// What can be done.
    pub actions: Vec<ActionInfo>,
    /// What is expected of it.
    pub slos: Vec<Slo>,
}

impl SubjectConfig {
    /// A subject that answers [`Operation::Stores`] and nothing else.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            observations: vec![Operation::Stores],
            actions: Vec::new(),
            slos: Vec::new(),
        }
    }

    /// Also answers `operations`.
    pub fn with_observations(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        for operation in operations {
            if !self.supports(operation) {
                self.observations.push(operation);
            }
        }
        self
    }

    /// Whether `operation` can be asked.
    pub fn supports(&self, operation: Operation) -> bool {
        self.observations.contains(&operation)
    }
}

/// A question to a subject; the name is that of the method of [`Subject`](crate::Subject).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operation {
    /// [`Subject::stores`](crate::Subject::stores)
    Stores,
    /// [`Subject::store_metrics`](crate::Subject::store_metrics)
    StoreMetrics,
    /// [`Subject::cluster_metrics`](crate::Subject::cluster_metrics)
    ClusterMetrics,
    /// [`Subject::region_health`](crate::Subject::region_health)
    RegionHealth,
    /// [`Subject::members`](crate::Subject::members)
    Members,
    /// [`Subject::region`](crate::Subject::region)
    Region,
    /// [`Subject::regions`](crate::Subject::regions)
    Regions,
    /// [`Subject::hot_regions`](crate::Subject::hot_regions)
    HotRegions,
    /// [`Subject::signals`](crate::Subject::signals)
    Signals,
}

impl Operation {
    /// Every question.
    pub const ALL: [Self; 9] = [
        Self::Stores,
        Self::StoreMetrics,
        Self::ClusterMetrics,
        Self::RegionHealth,
        Self::Members,
        Self::Region,
        Self::Regions,
        Self::HotRegions,
        Self::Signals,
    ];

    /// The method's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stores => "stores",
            Self::StoreMetrics => "store_metrics",
            Self::ClusterMetrics => "cluster_metrics",
            Self::RegionHealth => "region_health",
            Self::Members => "members",
            Self::Region => "region",
            Self::Regions => "regions",
            Self::HotRegions => "hot_regions",
            Self::Signals => "signals",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something that can be done to a subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActionInfo {
    /// Its name, in `snake_case`.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its parameters.
    pub parameters: Value,
    /// What it can do at worst.
    pub danger: Danger,
    /// The action that takes it back; `null` if none does.
    #[serde(default)]
    pub reversed_by: Option<String>,
}

impl ActionInfo {
    /// An action whose parameters follow a JSON Schema.
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
        parameters: Value,
        danger: Danger,
    ) -> Self {
        Self { name: name.into(), description: description.into(), parameters, danger, reversed_by: None }
    }

    /// Its parameters as they are typed, such as `limit=… [ttl_seconds=…]`: in brackets stands what can be left out.
    /// Empty if there are none.
    pub fn usage(&self) -> String {
        let required = self.parameters.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|one| one == name));
        let names =
            self.parameters.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        let typed =
            |name: &String| if is_required(name) { format!("{name}=…") } else { format!("[{name}=…]") };
        names.map(typed).collect::<Vec<_>>().join(" ")
    }

    /// Another action takes it back.
    pub fn reversed_by(self, name: impl Into<String>) -> Self {
        Self { reversed_by: Some(name.into()), ..self }
    }
}

/// What an action can do at worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Danger {
    /// Nobody notices.
    Safe,
    /// Requests slow down or fail for a while.
    Disruptive,
    /// Something is lost that cannot be brought back.
    Destructive,
}

impl Danger {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Disruptive => "disruptive",
            Self::Destructive => "destructive",
        }
    }
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A service level objective: what is expected of the subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Slo {
    /// Its name, in `snake_case`.
    pub name: String,
    /// What it means.
    pub description: String,
    /// What is measured: a field of an observation, as in JSON (`latency_p99_seconds`).
    pub indicator: String,
    /// On which side of the threshold it should be.
    pub comparison: Comparison,
    /// The threshold, in `unit`.
    pub threshold: f64,
    /// The unit of indicator and threshold.
    pub unit: String,
}

impl Slo {
    /// An objective: `indicator` is at most, or at least, `threshold` `unit`.
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
        indicator: impl Into<String>,
        comparison: Comparison,
        threshold: f64,
        unit: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            indicator: indicator.into(),
            comparison,
            threshold,
            unit: unit.into(),
        }
    }
}

/// On which side of a threshold a value should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Comparison {
    /// Not above it.
    AtMost,
    /// Not below it.
    AtLeast,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_one_name() {
        for operation in Operation::ALL {
            assert_eq!(serde_json::to_value(operation).unwrap(), operation.as_str());
        }
    }

    #[test]
    fn declaring_twice_lists_once() {
        let config = SubjectConfig::new("demo").with_observations([
            Operation::Stores,
            Operation::Region,
            Operation::Region,
        ]);
        assert_eq!(config.observations, [Operation::Stores, Operation::Region]);
        assert!(!config.supports(Operation::Members));
    }
}
