//! Ids, one type a kind, so that a store's id is never passed for a region's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not an id: ids are decimal numbers from 0 to 2^64-1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id: expected a number from 0 to 18446744073709551615")]
pub struct ParseIdError {
    text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// A full 64-bit number: in JSON a number up to 2^64-1, which a reader must not pass through a float.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl From<u64> for $name {
            fn from(id: u64) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                // Rust's own parser would also take a leading `+`.
                if text.starts_with('+') {
                    return Err(ParseIdError { text: text.to_owned() });
                }
                text.parse().map(Self).map_err(|_| ParseIdError { text: text.to_owned() })
            }
        }
    };
}

id! {
    /// The id of a store: one process that holds data.
    StoreId
}
id! {
    /// The id of a region: one range of keys, replicated by one raft group.
    RegionId
}
id! {
    /// The id of a peer: one replica of one region.
    PeerId
}
id! {
    /// The id of a member of the control plane.
    MemberId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_range_survives_json_and_text() {
        for id in [0, 1, u64::MAX, 13_523_632_400_839_723_199] {
            let json = serde_json::to_string(&StoreId(id)).unwrap();
            assert_eq!(json, id.to_string());
            assert_eq!(serde_json::from_str::<StoreId>(&json).unwrap(), StoreId(id));
            assert_eq!(id.to_string().parse(), Ok(StoreId(id)));
        }
    }

    #[test]
    fn what_is_no_id_is_refused_with_its_text() {
        for text in ["", "+1", "-1", "1.0", "0x1", "18446744073709551616", "store-1"] {
            let error = text.parse::<RegionId>().unwrap_err();
            assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
        }
    }
}
