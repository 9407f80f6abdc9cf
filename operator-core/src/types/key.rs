//! Keys: bytes inside, upper-case hex outside, as PD and `pd-ctl` write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A key of the database. Compared as bytes; shown and written in JSON as upper-case hex (`7480000000000000FF`).
///
/// As an end the empty key stands for plus infinity, as a start for minus infinity: compare ends with
/// [`KeyRange`], not with `<`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

impl Key {
    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the empty key, which stands for an open end of a range.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for Key {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into_boxed_slice())
    }
}

impl From<&[u8]> for Key {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

/// A text that is not a key in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseKeyError {
    /// Two digits make a byte.
    #[error("a key in hex has an even number of digits, this one has {digits}")]
    OddLength {
        /// How many there were.
        digits: usize,
    },
    /// Something that is not a hex digit.
    #[error("byte 0x{byte:02X} at position {position} is not a hex digit")]
    NotHex {
        /// The offending byte.
        byte: u8,
        /// Where it stands, from 0.
        position: usize,
    },
}

/// The value of each hex digit, either case; 0xFF for every other byte.
const DIGIT: [u8; 256] = {
    let mut table = [0xFF; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789ABCDEF"[value] as usize] = value as u8;
        table[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    table
};

impl FromStr for Key {
    type Err = ParseKeyError;

    /// Reads hex of either case: PD writes regions' keys in upper and rules' keys in lower case.
    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return Err(ParseKeyError::OddLength { digits: text.len() });
        }
        // Looked at once at the end: a page of regions has thousands of keys, and all are hex.
        let mut seen = 0;
        let decode = |[high, low]: &[u8; 2]| {
            let (a, b) = (DIGIT[usize::from(*high)], DIGIT[usize::from(*low)]);
            seen |= a | b;
            a << 4 | b
        };
        let bytes: Box<[u8]> = pairs.iter().map(decode).collect();
        if seen & 0xF0 == 0 {
            return Ok(Self(bytes));
        }
        let mut digits = text.bytes().zip(0..);
        match digits.find(|(byte, _)| DIGIT[usize::from(*byte)] == 0xFF) {
            Some((byte, position)) => Err(ParseKeyError::NotHex { byte, position }),
            None => Ok(Self(bytes)),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hex;
        impl de::Visitor<'_> for Hex {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key in hex")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Key, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Hex)
    }
}

/// A half-open range of keys: `start_key` is in it, `end_key` is not. An empty end is infinity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyRange {
    /// The first key of the range; empty for the beginning of the key space.
    pub start_key: Key,
    /// The first key behind the range; empty for the end of the key space.
    pub end_key: Key,
}

impl KeyRange {
    /// From `start_key` up to, without, `end_key`; empty keys are open ends.
    pub fn new(start_key: Key, end_key: Key) -> Self {
        Self { start_key, end_key }
    }

    /// The whole key space.
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &Key) -> bool {
        self.start_key <= *key && self.ends_behind(key)
    }

    /// Whether the range's end lies behind `key`.
    pub fn ends_behind(&self, key: &Key) -> bool {
        self.end_key.is_empty() || *key < self.end_key
    }

    /// Whether no key can lie in the range.
    pub fn is_empty(&self) -> bool {
        !self.ends_behind(&self.start_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_of_either_case_is_one_key() {
        let upper: Key = "7800000100000000FB".parse().unwrap();
        assert_eq!("7800000100000000fb".parse(), Ok(upper.clone()));
        assert_eq!(upper.as_bytes()[0], 0x78);
        assert_eq!(upper.to_string(), "7800000100000000FB");
        assert_eq!(serde_json::to_string(&upper).unwrap(), "\"7800000100000000FB\"");
    }

    #[test]
    fn rubbish_is_refused_with_its_place() {
        assert_eq!("78F".parse::<Key>(), Err(ParseKeyError::OddLength { digits: 3 }));
        assert_eq!("7G".parse::<Key>(), Err(ParseKeyError::NotHex { byte: b'G', position: 1 }));
        assert_eq!("00é0".parse::<Key>(), Err(ParseKeyError::OddLength { digits: 5 }));
        assert_eq!("00 1".parse::<Key>(), Err(ParseKeyError::NotHex { byte: b' ', position: 2 }));
    }

    #[test]
    fn an_empty_end_is_infinity_and_an_empty_start_the_beginning() {
        let key = |text: &str| text.parse::<Key>().unwrap();
        assert!(KeyRange::all().contains(&key("")) && KeyRange::all().contains(&key("FF")));
        let range = KeyRange::new(key("10"), key("20"));
        assert!(range.contains(&key("10")) && range.contains(&key("1FFF")) && !range.contains(&key("20")));
        assert!(!range.contains(&key("")));
        assert!(KeyRange::new(key("20"), key("10")).is_empty() && !range.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn every_key_survives_its_text(bytes: Vec<u8>) {
            let key = Key::from(bytes);
            proptest::prop_assert_eq!(key.to_string().parse::<Key>(), Ok(key));
        }
    }
}
