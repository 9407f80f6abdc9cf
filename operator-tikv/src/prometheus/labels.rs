//! The labels that name a series.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::promql;

/// The labels of a series, the metric's name (`__name__`) among them; sorted by name, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Vec<(String, String)>);

impl Labels {
    /// The value of a label; Prometheus does not tell an empty one from none.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0
            .binary_search_by(|(other, _)| other.as_str().cmp(name))
            .ok()
            .and_then(|index| self.0.get(index))
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The metric's name; aggregations and rates have none.
    pub fn metric_name(&self) -> Option<&str> {
        self.value("__name__")
    }

    /// Every label, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Labels {
    /// Of a name that comes more than once, one value is kept.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(labels: I) -> Self {
        let mut labels: Vec<_> =
            labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        labels.sort();
        labels.dedup_by(|(later, _), (earlier, _)| later == earlier);
        Self(labels)
    }
}

impl fmt::Display for Labels {
    /// As PromQL: `up{instance="tikv0:20180",job="tikv"}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.metric_name().filter(|name| promql::is_plain_metric_name(name));
        f.write_str(name.unwrap_or_default())?;
        let mut separator = "{";
        for (label, value) in self.iter() {
            if name.is_some() && label == "__name__" {
                continue;
            }
            f.write_str(separator)?;
            promql::Matcher::equal(label, value).fmt(f)?;
            separator = ",";
        }
        match (separator, name) {
            (",", _) => f.write_str("}"),
            (_, None) => f.write_str("{}"),
            _ => Ok(()),
        }
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;

        impl<'de> Visitor<'de> for Map {
            type Value = Labels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut labels = Vec::with_capacity(map.size_hint().unwrap_or(4).min(64));
                while let Some(label) = map.next_entry::<String, String>()? {
                    labels.push(label);
                }
                labels.sort();
                if labels.windows(2).any(|pair| matches!(pair, [(first, _), (second, _)] if first == second))
                {
                    return Err(de::Error::custom("a label stands twice in one series"));
                }
                Ok(Labels(labels))
            }
        }

        deserializer.deserialize_map(Map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_by_name_in_whatever_order_they_came() {
        let labels: Labels =
            serde_json::from_str(r#"{"type":"used","__name__":"size","instance":"a:1","empty":""}"#).unwrap();
        assert_eq!(labels.metric_name(), Some("size"));
        assert_eq!(labels.value("instance"), Some("a:1"));
        assert_eq!((labels.value("job"), labels.value("empty")), (None, None));
        assert_eq!(
            labels.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["__name__", "empty", "instance", "type"]
        );
    }

    #[test]
    fn a_label_that_stands_twice_is_an_error() {
        assert!(serde_json::from_str::<Labels>(r#"{"a":"1","a":"2"}"#).is_err());
        assert!(serde_json::from_str::<Labels>(r#"{"a":1}"#).is_err());
    }

    #[test]
    fn labels_are_shown_as_promql() {
        let show = |labels: &[(&str, &str)]| labels.iter().copied().collect::<Labels>().to_string();
        assert_eq!(show(&[("__name__", "up"), ("job", "a\"b")]), r#"up{job="a\"b"}"#);
        assert_eq!(show(&[("__name__", "up")]), "up");
        assert_eq!(show(&[("a", "1"), ("b", "2")]), r#"{a="1",b="2"}"#);
        assert_eq!(show(&[("__name__", "my.metric")]), r#"{__name__="my.metric"}"#);
        assert_eq!(show(&[]), "{}");
    }
}
