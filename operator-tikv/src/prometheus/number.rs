//! Sample values and timestamps as Prometheus writes them.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// Reads a sample's value: `NaN`, `+Inf`, `-Inf`, or a decimal number as Go's `strconv` writes it, with or without an
/// exponent.
///
/// Rust's own parser would also take `inf`, `infinity`, `nan`, `+1`, `.5` and `1.`, and turn `1e999` into infinity;
/// none of these comes from a Prometheus, so none is taken for a number.
pub(crate) fn parse_value(text: &str) -> Option<f64> {
    match text {
        "NaN" => return Some(f64::NAN),
        "+Inf" => return Some(f64::INFINITY),
        "-Inf" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    let bytes = text.as_bytes();
    let rest = digits(bytes.strip_prefix(b"-").unwrap_or(bytes))?;
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => digits(fraction)?,
        None => rest,
    };
    let rest = match rest {
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => digits(exponent)?,
        _ => rest,
    };
    if !rest.is_empty() {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// What follows the digits, of which there must be one.
fn digits(bytes: &[u8]) -> Option<&[u8]> {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 { None } else { bytes.get(count..) }
}

/// A sample's value: a number in a JSON string, because JSON has no `NaN`.
#[derive(Clone, Copy)]
pub(crate) struct Value(pub(crate) f64);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number in a string, `NaN`, `+Inf` or `-Inf`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
                parse_value(text).map(Value).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// Milliseconds since 1970; on the wire seconds, whole or with a fraction.
#[derive(Clone, Copy)]
pub(crate) struct Timestamp(pub(crate) i64);

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seconds;

        impl Visitor<'_> for Seconds {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds since 1970")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Timestamp, E> {
                i64::try_from(seconds)
                    .ok()
                    .and_then(|seconds| seconds.checked_mul(1000))
                    .map(Timestamp)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(seconds), &self))
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Timestamp, E> {
                seconds
                    .checked_mul(1000)
                    .map(Timestamp)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Signed(seconds), &self))
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Timestamp, E> {
                let ms = (seconds * 1000.0).round();
                // Up to here a float holds every whole number.
                if ms.abs() > 9_007_199_254_740_992.0 {
                    return Err(E::invalid_value(de::Unexpected::Float(seconds), &self));
                }
                Ok(Timestamp(ms as i64))
            }
        }

        deserializer.deserialize_f64(Seconds)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_prometheus_writes_is_read() {
        for (text, value) in [
            ("0", 0.0),
            ("-0", -0.0),
            ("1", 1.0),
            ("208.34242490362936", 208.342_424_903_629_36),
            ("1e-07", 1e-7),
            ("1.7976931348623157e+308", f64::MAX),
            ("5e-324", 5e-324),
            ("-2.5e+21", -2.5e21),
            ("1E5", 1e5),
            ("+Inf", f64::INFINITY),
            ("-Inf", f64::NEG_INFINITY),
        ] {
            let read = parse_value(text).unwrap();
            assert_eq!(read.to_bits(), value.to_bits(), "{text}");
        }
        assert!(parse_value("NaN").unwrap().is_nan());
    }

    #[test]
    fn what_only_rust_would_take_is_refused() {
        for text in [
            "",
            " ",
            "inf",
            "Inf",
            "+inf",
            "-inf",
            "infinity",
            "-Infinity",
            "nan",
            "NAN",
            "-NaN",
            "+NaN",
            "+1",
            ".5",
            "1.",
            "-",
            "-.5",
            "1e",
            "1e+",
            "e5",
            "1e999",
            "-1e999",
            "0x10",
            "1_000",
            "1 ",
            " 1",
            "1,5",
            "١",
            "--1",
        ] {
            assert_eq!(parse_value(text), None, "{text:?}");
        }
    }

    #[test]
    fn timestamps_are_whole_seconds_or_fractions_of_one() {
        for (text, ms) in [
            ("1795315673", 1_795_315_673_000),
            ("1795315614.407", 1_795_315_614_407),
            ("1.795315614407e9", 1_795_315_614_407),
            ("0", 0),
            ("-1.5", -1500),
            ("-2", -2000),
        ] {
            assert_eq!(serde_json::from_str::<Timestamp>(text).unwrap().0, ms, "{text}");
        }
        for text in ["1e300", "18446744073709551615", "-9223372036854775808", "\"1\"", "null", "true"] {
            assert!(serde_json::from_str::<Timestamp>(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_number_comes_back_bit_for_bit(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            prop_assert_eq!(parse_value(&value.to_string()).unwrap().to_bits(), value.to_bits());
            prop_assert_eq!(parse_value(&format!("{value:e}")).unwrap().to_bits(), value.to_bits());
        }

        #[test]
        fn every_millisecond_comes_back(ms in 0_i64..4_102_444_800_000) {
            let text = format!("{}.{:03}", ms / 1000, ms % 1000);
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap().0, ms);
        }
    }
}
