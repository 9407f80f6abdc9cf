//! A name or a value of a line: plain, or a JSON string that is unescaped on demand.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::marks::{Sixteen, first};

/// A text as it stands in a line, with its quotes if it has any. Borrows from the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// Of what was found to be plain, or a whole JSON string.
    pub(super) fn new(raw: &'a [u8]) -> Self {
        Self(raw)
    }

    /// As it stands in the line.
    pub fn raw(self) -> &'a [u8] {
        self.0
    }

    /// What it says. Allocates only if something was escaped. What is no UTF-8 in the line is none here.
    pub fn bytes(self) -> Cow<'a, [u8]> {
        let inner = self.inner();
        let escape = if self.is_quoted() { memchr::memchr(b'\\', inner) } else { None };
        escape.map_or(Cow::Borrowed(inner), |at| Cow::Owned(unescaped(inner, at)))
    }

    /// What it says, with U+FFFD for what is no UTF-8.
    pub fn text(self) -> Cow<'a, str> {
        match self.bytes() {
            Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(bytes),
            },
            Cow::Owned(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Cow::Owned(text),
                Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            },
        }
    }

    /// Whether it says just this.
    pub fn is(self, text: &str) -> bool {
        *self.bytes() == *text.as_bytes()
    }

    /// The number that it is, if it is one that fits.
    pub fn number(self) -> Option<u64> {
        number(self.inner())
    }

    /// Without quotes; escapes stay as they are.
    pub(super) fn inner(self) -> &'a [u8] {
        match self.0 {
            [b'"', inner @ .., b'"'] => inner,
            plain => plain,
        }
    }

    fn is_quoted(self) -> bool {
        self.0.first() == Some(&b'"')
    }
}

/// What it [says](Text::text).
impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// A decimal number and nothing else.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 { sum.checked_mul(10)?.checked_add(digit.into()) } else { None }
    })
}

/// The number that stands there, if one does and it has at most 18 digits, and where it ends.
#[inline(always)]
pub(super) fn number_at(line: &[u8], start: usize) -> Option<(u64, usize)> {
    let (mut number, mut at) = (0_u64, start);
    while let Some(byte @ b'0'..=b'9') = line.get(at) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        at += 1;
    }
    (1..=18).contains(&(at - start)).then_some((number, at))
}

/// Eight digits.
pub(super) const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// The digits of a number below 10^8, the first one in the lowest byte: all of them together, by halves.
#[inline(always)]
pub(super) fn eight_digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | ((twos - tens * 10) << 8) | ZEROS
}

/// Where a plain text that begins at `start` ends at the latest: at a bracket, a quote, a control character or `stop`.
#[inline(always)]
pub(super) fn plain_end(line: &[u8], start: usize, stop: u8) -> usize {
    first(line, start, |some| {
        some.are(stop) | some.are(b']') | some.are(b'[') | some.are(b'"') | some.at_most(b' ' - 1)
    })
}

/// Whether a text is printable ASCII without anything that JSON escapes.
#[inline]
pub(super) fn is_literal(text: &[u8]) -> bool {
    let escaped =
        |some: Sixteen| some.are(b'"') | some.are(b'\\') | some.at_most(b' ' - 1) | some.at_least(0x7F);
    first(text, 0, escaped) == text.len()
}

/// Where the JSON string that begins at `start` ends: behind its closing quote, or else where it is wrong.
#[inline(always)]
pub(super) fn string_end(line: &[u8], start: usize) -> Result<usize, usize> {
    let at = first(line, start + 1, |some| some.are(b'"') | some.are(b'\\'));
    match line.get(at) {
        Some(b'"') => Ok(at + 1),
        _ => escaped_string_end(line, at),
    }
}

/// The same, from its first backslash on.
fn escaped_string_end(line: &[u8], mut at: usize) -> Result<usize, usize> {
    loop {
        match line.get(at) {
            None => return Err(line.len()),
            Some(b'"') => return Ok(at + 1),
            Some(_) => {
                let next = at + escape_length(line.get(at + 1..).unwrap_or_default()).ok_or(at)?;
                at = first(line, next, |some| some.are(b'"') | some.are(b'\\'));
            }
        }
    }
}

/// How long an escape is whose backslash stands before `rest`; none if it is not one.
fn escape_length(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(2),
        [b'u', hex @ ..] if hex4(hex).is_some() => Some(6),
        _ => None,
    }
}

fn hex4(hex: &[u8]) -> Option<u16> {
    hex.get(..4)?.iter().try_fold(0, |sum: u16, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some(sum << 4 | u16::try_from(digit).ok()?)
    })
}

/// The inside of a valid JSON string, whose first backslash is at `first`.
fn unescaped(inner: &[u8], first: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(inner.len());
    let (mut rest, mut next) = (inner, Some(first));
    while let Some(at) = next {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        let escape = rest.get(at + 1..).unwrap_or_default();
        let (byte, tail) = escape.split_first().map_or((b'\\', escape), |(byte, tail)| (*byte, tail));
        rest = tail;
        match byte {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let (char, length) = unicode(rest);
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(length..).unwrap_or_default();
            }
            other => out.push(other),
        }
        next = memchr::memchr(b'\\', rest);
    }
    out.extend_from_slice(rest);
    out
}

/// The character after `\u`, and how many bytes it takes. Half of a surrogate pair is U+FFFD.
fn unicode(hex: &[u8]) -> (char, usize) {
    let first = hex4(hex).unwrap_or(0xFFFD);
    if let Some(char) = char::from_u32(first.into()) {
        return (char, 4);
    }
    let second = hex.get(4..).and_then(|rest| rest.strip_prefix(b"\\u")).and_then(hex4);
    if let Some(second) = second
        && let Some(Ok(char)) = char::decode_utf16([first, second]).next()
    {
        return (char, 10);
    }
    (char::REPLACEMENT_CHARACTER, 4)
}

/// Writes `text` as TiKV does: plain, or as a JSON string if it holds anything that means something to a line.
pub(super) fn write(text: &[u8], out: &mut Vec<u8>) {
    if is_plain(text) {
        out.extend_from_slice(text);
    } else {
        write_quoted(text, out);
    }
}

/// Whether it holds nothing that means something to a line.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte > b' ' && !matches!(byte, b'"' | b'=' | b'[' | b']' | 0x7F))
}

/// Writes `text` as a JSON string.
pub(super) fn write_quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control @ (0..b' ' | 0x7F) => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
            other => out.push(*other),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_unescaped_as_json() {
        for raw in [
            r#""plain""#,
            r#""a \"quoted\" [word]=x""#,
            r#""\\\/\b\f\n\r\t""#,
            r#""\u00e9\ud83d\ude00 ü""#,
            r#""""#,
        ] {
            assert_eq!(string_end(raw.as_bytes(), 0), Ok(raw.len()));
            assert_eq!(Text(raw.as_bytes()).text(), serde_json::from_str::<String>(raw).unwrap());
        }
        // serde_json refuses these; a log is read all the same.
        assert_eq!(Text(br#""\ud83d x""#).text(), "\u{FFFD} x");
        assert_eq!(Text(br#""\ud83d\u0041""#).text(), "\u{FFFD}A");
        assert_eq!(*Text(b"\"\xFF\\n\"").bytes(), *b"\xFF\n");
    }

    #[test]
    fn a_plain_text_ends_at_the_first_byte_that_ends_it_wherever_that_stands() {
        for end in 0..=u8::MAX {
            for (at, length) in (0..20).flat_map(|at| [(at, at + 1), (at, at + 5), (at, 40)]) {
                for other in [b'a', 0x80, 0xFF, b'\\', b'^', b'Z', b'!', b'<', b'>', b' '] {
                    let mut text = vec![other; length];
                    text[at] = end;
                    for stop in [b']', b'='] {
                        let ends = end < b' ' || matches!(end, b'[' | b']' | b'"') || end == stop;
                        let expected = if ends { at } else { length };
                        assert_eq!(plain_end(&text, 0, stop), expected, "{end} at {at} among {other}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_string_that_does_not_end_or_escapes_nonsense_says_where() {
        assert_eq!(string_end(br#""abc"#, 0), Err(4));
        assert_eq!(string_end(br#"xx"a\x""#, 2), Err(4));
        assert_eq!(string_end(br#""\u12G4""#, 0), Err(1));
        assert_eq!(string_end(br#""a\"#, 0), Err(2));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in
            [&b""[..], b"a", b"a b", b"\"\\\n\r\t\x00\x1b\x7f", b"\xFF\xFE=", "ü[]".as_bytes(), b"a\\b"]
        {
            let mut raw = Vec::new();
            write(text, &mut raw);
            assert_eq!(*Text(&raw).bytes(), *text);
        }
    }

    #[test]
    fn numbers_are_whole_and_fit() {
        assert_eq!(Text(b"18446744073709551615").number(), Some(u64::MAX));
        for text in [&b"18446744073709551616"[..], b"", b"-1", b"1.0", b"0x1", b"\"\""] {
            assert_eq!(Text(text).number(), None);
        }
    }
}
