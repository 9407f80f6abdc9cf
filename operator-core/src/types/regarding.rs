//! What a signal, a finding or an event is about.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{RegionId, StoreId};

/// What something is about, in text and JSON `store/4`, `region/17`, `member/pd1` or `cluster`; with labels where there
/// are several of one thing: `store/4{type="raft"}`.
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
    /// One of several of a thing, told apart by labels, as Prometheus' series are.
    Labelled(Box<Regarding>, BTreeMap<String, String>),
}

impl Regarding {
    /// This thing, told apart by `labels`; itself if there are none.
    #[must_use]
    pub fn labelled(self, labels: BTreeMap<String, String>) -> Self {
        if labels.is_empty() { self } else { Self::Labelled(Box::new(self), labels) }
    }

    /// The thing without what tells it apart from others of it.
    pub fn thing(&self) -> &Self {
        if let Self::Labelled(thing, _) = self { thing.thing() } else { self }
    }
}

impl fmt::Display for Regarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("cluster"),
            Self::Member(name) => write!(f, "member/{name}"),
            Self::Store(id) => write!(f, "store/{id}"),
            Self::Region(id) => write!(f, "region/{id}"),
            Self::Labelled(thing, labels) => {
                write!(f, "{thing}")?;
                for (index, (name, value)) in labels.iter().enumerate() {
                    write!(f, "{}{name}=\"", if index == 0 { '{' } else { ',' })?;
                    for c in value.chars() {
                        match c {
                            '"' | '\\' => write!(f, "\\{c}")?,
                            '\n' => f.write_str("\\n")?,
                            c => f.write_char(c)?,
                        }
                    }
                    f.write_char('"')?;
                }
                f.write_char('}')
            }
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
#[error("`{0}` is not `cluster`, `store/ID`, `region/ID` or `member/NAME`, nor one of these with labels")]
pub struct ParseRegardingError(String);

impl FromStr for Regarding {
    type Err = ParseRegardingError;

    fn from_str(text: &str) -> Result<Self, ParseRegardingError> {
        let refused = || ParseRegardingError(text.to_owned());
        if let Some((thing, labels)) = text.split_once('{')
            && let Some(labels) = parse_labels(labels)
        {
            return Ok(thing.parse::<Self>().map_err(|_| refused())?.labelled(labels));
        }
        match text.split_once('/') {
            None if text == "cluster" => Ok(Self::Cluster),
            Some(("member", name)) if !name.is_empty() => Ok(Self::Member(name.to_owned())),
            Some(("store", id)) => id.parse().map(Self::Store).map_err(|_| refused()),
            Some(("region", id)) => id.parse().map(Self::Region).map_err(|_| refused()),
            _ => Err(refused()),
        }
    }
}

/// Reads `a="b",c="d"}`.
fn parse_labels(text: &str) -> Option<BTreeMap<String, String>> {
    let (mut labels, mut rest) = (BTreeMap::new(), text);
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => match chars.next()? {
                    'n' => value.push('\n'),
                    c => value.push(c),
                },
                c => value.push(c),
            }
        }
        labels.insert(name.to_owned(), value);
        rest = match chars.as_str() {
            "}" => return Some(labels),
            more => more.strip_prefix(',')?,
        };
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
        for text in [
            "cluster",
            "store/4",
            "region/18446744073709551615",
            "member/pd-1",
            "member/a/b",
            "member/a{b",
            r#"store/4{type="raft"}"#,
            r#"cluster{a="x\"},\\\n",b=""}"#,
        ] {
            assert_eq!(text.parse::<Regarding>().unwrap().to_string(), text);
        }
        let labelled: Regarding = r#"store/4{type="raft"}"#.parse().unwrap();
        assert_eq!(labelled.thing(), &Regarding::Store(StoreId(4)));
    }

    #[test]
    fn rubbish_is_refused() {
        for text in [
            "",
            "clusters",
            "store",
            "store/",
            "store/x",
            "member/",
            "node/1",
            "store/x{a=\"b\"}",
            "store/1{}",
        ] {
            assert!(text.parse::<Regarding>().is_err(), "{text}");
        }
    }
}
