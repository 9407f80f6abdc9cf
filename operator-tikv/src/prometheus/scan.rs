//! A cursor over JSON text for the answers that are long: what serde does well is left to it, samples are read by hand.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::number::{Timestamp, Value};

/// Why the text is not as expected.
pub(super) type Malformed = String;

/// The powers of ten that a float holds exactly.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// JSON text, read as far as it was understood.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    rest: &'a [u8],
}

/// Samples in columns.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) timestamps: Vec<i64>,
    pub(super) values: Vec<f64>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, rest: text }
    }

    /// The error that something else was expected here.
    pub(super) fn expected(&self, what: &str) -> Malformed {
        let at = self.text.len() - self.rest.len();
        if self.rest.is_empty() {
            format!("it ends after {at} bytes, where {what} was expected")
        } else {
            format!("{what} was expected at byte {at}")
        }
    }

    /// The next byte that is no blank, without going past it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        found
    }

    /// The end of the text, after which nothing may come.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        if self.peek().is_none() { Ok(()) } else { Err(self.expected("the end")) }
    }

    /// A value, by serde.
    pub(super) fn value<T: Deserialize<'a>>(&mut self) -> Result<T, Malformed> {
        let mut values = serde_json::Deserializer::from_slice(self.rest).into_iter();
        match values.next() {
            Some(Ok(value)) => {
                self.rest = self.rest.get(values.byte_offset()..).unwrap_or_default();
                Ok(value)
            }
            Some(Err(error)) => Err(self.expected(&format!("a value ({error})"))),
            None => Err(self.expected("a value")),
        }
    }

    /// A value that does not matter.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        self.value::<IgnoredAny>().map(drop)
    }

    /// An object: `field` gets each name and must read the value.
    pub(super) fn object(
        &mut self,
        mut field: impl FnMut(&mut Self, &str) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if !self.take(b'{') {
            return Err(self.expected("an object"));
        }
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let name = self.name()?;
            if !self.take(b':') {
                return Err(self.expected("`:`"));
            }
            field(self, &name)?;
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn name(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("the name of a field"));
        }
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        self.value::<Name<'a>>().map(|Name(name)| name)
    }

    /// An array: `element` must read one.
    pub(super) fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if !self.take(b'[') {
            return Err(self.expected("an array"));
        }
        if self.take(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    /// An array of samples, probably so many, each in its column.
    pub(super) fn columns(&mut self, probably: usize) -> Result<Columns, Malformed> {
        let mut columns =
            Columns { timestamps: Vec::with_capacity(probably), values: Vec::with_capacity(probably) };
        self.array(|cursor| {
            let (timestamp_ms, value) = match usual_sample(cursor.rest) {
                Some((timestamp_ms, value, rest)) => {
                    cursor.rest = rest;
                    (timestamp_ms, value)
                }
                None => {
                    let (Timestamp(timestamp_ms), Value(value)) = cursor.value()?;
                    (timestamp_ms, value)
                }
            };
            columns.timestamps.push(timestamp_ms);
            columns.values.push(value);
            Ok(())
        })?;
        // Growing doubles: give back what was not needed, so that a sample is 16 bytes and not up to 32.
        columns.timestamps.shrink_to_fit();
        columns.values.shrink_to_fit();
        Ok(columns)
    }
}

/// Reads `[1795315614.407,"351.97933333333333"]` as Prometheus writes it, without blanks, exponents and special values:
/// milliseconds, value, what follows. Everything else, right or wrong, is left to serde.
#[inline]
fn usual_sample(text: &[u8]) -> Option<(i64, f64, &[u8])> {
    // JSON has no leading zeros.
    let [b'[', text @ ..] = text else { return None };
    if text.first() == Some(&b'0') {
        return None;
    }
    let Digits { number: seconds, count: 1..=12, rest: text } = digits(text, 0) else { return None };
    let (ms, text) = match text {
        [b'.', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            let digit = |byte: u8| u64::from(byte - b'0');
            (digit(*a) * 100 + digit(*b) * 10 + digit(*c), rest)
        }
        _ => (0, text),
    };
    let [b',', b'"', text @ ..] = text else { return None };
    let (value, text) = usual_value(text)?;
    let [b'"', b']', rest @ ..] = text else { return None };
    let timestamp_ms = i64::try_from(seconds * 1000 + ms).ok()?;
    Some((timestamp_ms, value, rest))
}

/// Reads a decimal number without an exponent, exactly as [`str::parse`] would.
#[inline]
fn usual_value(text: &[u8]) -> Option<(f64, &[u8])> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let Digits { number, count: whole @ 1.., rest } = digits(unsigned, 0) else { return None };
    let (number, decimals, rest) = match rest {
        [b'.', rest @ ..] => {
            let Digits { number, count: decimals @ 1.., rest } = digits(rest, number) else { return None };
            (number, decimals, rest)
        }
        _ => (number, 0, rest),
    };
    // Both exact, so their quotient is rounded once, which is what the nearest float means. (19 digits fit into 64 bits.)
    let value = match POWERS_OF_TEN.get(decimals) {
        Some(power) if whole + decimals <= 19 && number <= 1 << 53 => {
            let value = number as f64 / power;
            if negative { -value } else { value }
        }
        _ => {
            let number = text.get(..text.len() - rest.len())?;
            let value: f64 = str::from_utf8(number).ok()?.parse().ok()?;
            if !value.is_finite() {
                return None;
            }
            value
        }
    };
    Some((value, rest))
}

struct Digits<'a> {
    /// With what came before; wraps around after 19 digits.
    number: u64,
    count: usize,
    rest: &'a [u8],
}

#[inline]
fn digits(mut text: &[u8], mut number: u64) -> Digits<'_> {
    let before = text.len();
    while let [digit @ b'0'..=b'9', rest @ ..] = text {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        text = rest;
    }
    Digits { number, count: before - text.len(), rest: text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Milliseconds, and the bits of the value.
    type Read = Option<(i64, u64)>;

    /// One sample by the fast way and by serde's.
    fn both(sample: &str) -> (Read, Read) {
        let fast = usual_sample(sample.as_bytes()).filter(|(_, _, rest)| rest.is_empty());
        let slow = serde_json::from_str::<(Timestamp, Value)>(sample).ok();
        (
            fast.map(|(ms, value, _)| (ms, value.to_bits())),
            slow.map(|(Timestamp(ms), Value(value))| (ms, value.to_bits())),
        )
    }

    #[test]
    fn what_is_usual_is_read_by_hand_as_serde_reads_it() {
        for value in [
            "0",
            "-0",
            "1",
            "-1.5",
            "351.97933333333333",
            "0.1",
            "0.30000000000000004",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551616",
            "123456789012345678901234567890",
            "-0.0000001",
            "00012",
            "1.0000000000000000000000000000001",
            "179769313486231570000000000000000000000",
        ] {
            for time in ["7", "1795315673", "1795315614.407", "999999999999"] {
                let (fast, slow) = both(&format!(r#"[{time},"{value}"]"#));
                assert!(fast.is_some() && fast == slow, "{time} {value}: {fast:?} {slow:?}");
            }
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_serde() {
        for sample in [
            r#"[1,"NaN"]"#,
            r#"[1,"+Inf"]"#,
            r#"[1,"-Inf"]"#,
            r#"[1,"1e-07"]"#,
            r#"[ 1 , "1" ]"#,
            r#"[-1.5,"1"]"#,
            r#"[1.5,"1"]"#,
            r#"[1e9,"1"]"#,
            r#"[1795315614.4071,"1"]"#,
            r#"[1,"\u0031"]"#,
        ] {
            let (fast, slow) = both(sample);
            assert!(fast.is_none() && slow.is_some(), "{sample}: {fast:?} {slow:?}");
        }
    }

    proptest! {
        #[test]
        fn never_is_anything_read_by_hand_that_serde_reads_otherwise(
            sample in r#"\[-?[0-9]{0,13}(\.[0-9]{0,4})?,"[-+]?[0-9]{0,22}\.?[0-9]{0,22}(e-?[0-9]{1,3})?"\]"#,
        ) {
            let (fast, slow) = both(&sample);
            if fast.is_some() {
                prop_assert_eq!(fast, slow);
            }
        }

        #[test]
        fn every_value_is_read_by_hand_bit_for_bit(value in any::<f64>(), ms in 1_000_i64..4_102_444_800_000) {
            prop_assume!(value.is_finite());
            let (fast, slow) = both(&format!(r#"[{}.{:03},"{value}"]"#, ms / 1000, ms % 1000));
            prop_assert_eq!(fast, Some((ms, value.to_bits())));
            prop_assert_eq!(fast, slow);
        }
    }
}
