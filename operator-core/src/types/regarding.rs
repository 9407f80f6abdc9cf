//! What a signal, a finding or an event is about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{RegionId, StoreId};

/// What something is about, in text and JSON `store/4`, `region/17`, `member/pd1` or `cluster`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum Regarding {
    /// The subject as a whole.
    Cluster,
    /// A member of the control plane, by its name.
    Member(String),
    /// One store.
    Store(StoreId),
    /// One region.
    Region(RegionId),
}

impl fmt::Display for Regarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("cluster"),
            Self::Member(name) => write!(f, "member/{name}"),
            Self::Store(id) => write!(f, "store/{id}"),
            Self::Region(id) => write!(f, "region/{id}"),
        }
    }
}

impl From<Regarding> for String {
    fn from(regarding: Regarding) -> Self {
        regarding.to_string()
    }
}

impl From<StoreId> for Regarding {
    fn from(id: StoreId) -> Self {
        Self::Store(id)
    }
}

impl From<RegionId> for Regarding {
    fn from(id: RegionId) -> Self {
        Self::Region(id)
    }
}

/// A text that names no thing of a subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not `cluster`, `store/ID`, `region/ID` or `member/NAME`")]
pub struct ParseRegardingError(String);

impl FromStr for Regarding {
    type Err = ParseRegardingError;

    fn from_str(text: &str) -> Result<Self, ParseRegardingError> {
        let refused = || ParseRegardingError(text.to_owned());
        match text.split_once('/') {
            None if text == "cluster" => Ok(Self::Cluster),
            Some(("member", name)) if !name.is_empty() => Ok(Self::Member(name.to_owned())),
            Some(("store", id)) => id.parse().map(Self::Store).map_err(|_| refused()),
            Some(("region", id)) => id.parse().map(Self::Region).map_err(|_| refused()),
            _ => Err(refused()),
        }
    }
}

impl TryFrom<String> for Regarding {
    type Error = ParseRegardingError;

    fn try_from(text: String) -> Result<Self, ParseRegardingError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_its_text() {
        for text in ["cluster", "store/4", "region/18446744073709551615", "member/pd-1", "member/a/b"] {
            assert_eq!(text.parse::<Regarding>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn rubbish_is_refused() {
        for text in ["", "clusters", "store", "store/", "store/x", "member/", "node/1"] {
            assert!(text.parse::<Regarding>().is_err(), "{text}");
        }
    }
}
