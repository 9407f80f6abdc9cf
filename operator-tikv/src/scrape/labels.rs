//! The labels of one line, borrowed from the page.

use std::borrow::Cow;
use std::fmt;

/// The labels of one sample, as they stand between the braces. Values are unescaped only when asked for.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Labels<'a> {
    /// Without the braces. Read whole once before it came here, so that reading it again cannot fail.
    raw: &'a str,
}

impl<'a> Labels<'a> {
    /// The value of the label called `name`, as is when it holds no escape.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().find(|(of, _)| *of == name).map(|(_, value)| value)
    }

    /// Names and values in the page's order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        let mut rest = Rest { text: self.raw, at: 0 };
        std::iter::from_fn(move || rest.pair().ok().flatten())
            .map(|pair| (pair.name, unescape(pair.value, pair.escaped)))
    }

    /// Reads the labels at the start of `text`, which begins after the opening brace; with them comes how many bytes
    /// they took, the closing brace included.
    pub(super) fn parse(text: &'a str) -> Result<(Self, usize), Malformed> {
        let mut rest = Rest { text, at: 0 };
        let mut names = [""; MAX_LABELS];
        let mut count = 0;
        loop {
            let before = rest.at;
            let Some(pair) = rest.pair()? else {
                return Ok((Self { raw: &text[..before] }, rest.at));
            };
            if names[..count].contains(&pair.name) {
                return Err(Malformed { at: before, what: "the same label twice" });
            }
            let Some(name) = names.get_mut(count) else {
                return Err(Malformed { at: before, what: "more labels than a series can have" });
            };
            *name = pair.name;
            count += 1;
        }
    }
}

impl fmt::Debug for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// More than any series of TiKV or PD has by far; it bounds the search for a label that stands twice.
const MAX_LABELS: usize = 24;

/// What is wrong, and how many bytes after the start of what was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) at: usize,
    pub(super) what: &'static str,
}

/// One label; `escaped` if the value holds a backslash.
struct Pair<'a> {
    name: &'a str,
    value: &'a str,
    escaped: bool,
}

/// How many bytes of `text` are the name of a metric, or but for colons of a label; `None` if it begins with none.
pub(super) fn name_length(text: &str) -> Option<usize> {
    const CAN_BE_IN_A_NAME: [bool; 256] = {
        let mut can = [false; 256];
        let mut byte = 0_u8;
        while byte < 128 {
            can[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
            byte += 1;
        }
        can
    };
    let name = |byte: &u8| CAN_BE_IN_A_NAME[usize::from(*byte)];
    let length = text.as_bytes().iter().position(|byte| !name(byte)).unwrap_or(text.len());
    (length > 0 && !text.as_bytes()[0].is_ascii_digit()).then_some(length)
}

/// What is still to be read. All that is skipped is ASCII, so `at` never stands within a character.
struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    /// The next label, or `None` at the closing brace or the end. As Prometheus' grammar has it: blanks anywhere, one
    /// comma after a value may stand or be left out.
    fn pair(&mut self) -> Result<Option<Pair<'a>>, Malformed> {
        self.blanks();
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                return Ok(None);
            }
            None => return Err(Malformed { at: self.at, what: "`}` expected after the labels" }),
            Some(_) => {}
        }
        let name = self.name()?;
        self.blanks();
        self.expect(b'=', "`=` expected after a label's name")?;
        self.blanks();
        self.expect(b'"', "`\"` expected before a label's value")?;
        let (value, escaped) = self.quoted()?;
        self.blanks();
        if self.peek() == Some(b',') {
            self.at += 1;
        }
        Ok(Some(Pair { name, value, escaped }))
    }

    fn name(&mut self) -> Result<&'a str, Malformed> {
        let rest = &self.text[self.at..];
        let length = name_length(rest).filter(|length| !rest[..*length].contains(':'));
        let Some(length) = length else {
            return Err(Malformed { at: self.at, what: "a label's name or `}` expected" });
        };
        self.at += length;
        Ok(&rest[..length])
    }

    /// The text up to the closing quote, which is consumed.
    fn quoted(&mut self) -> Result<(&'a str, bool), Malformed> {
        let start = self.at;
        let mut escaped = false;
        // Values are short: a plain loop is faster over them than `memchr`.
        while let Some(found) =
            self.text.as_bytes()[self.at..].iter().position(|byte| matches!(byte, b'"' | b'\\'))
        {
            self.at += found;
            if self.text.as_bytes()[self.at] == b'"' {
                let value = &self.text[start..self.at];
                self.at += 1;
                return Ok((value, escaped));
            }
            escaped = true;
            // The character after the backslash can be of several bytes.
            self.at += 1;
            match self.text[self.at..].chars().next() {
                Some(character) => self.at += character.len_utf8(),
                None => break,
            }
        }
        Err(Malformed { at: start, what: "`\"` expected after a label's value" })
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(Malformed { at: self.at, what });
        }
        self.at += 1;
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// Undoes `\\`, `\"` and `\n`; any other backslash stands for itself, as Prometheus has it.
fn unescape(value: &str, escaped: bool) -> Cow<'_, str> {
    if !escaped {
        return Cow::Borrowed(value);
    }
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some(quoted @ ('\\' | '"')) => plain.push(quoted),
            other => plain.extend(['\\'].into_iter().chain(other)),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, String)> {
        let (labels, length) = Labels::parse(text).unwrap();
        assert_eq!(&text[length..], " 1", "{text}");
        labels.iter().map(|(name, value)| (name, value.into_owned())).collect()
    }

    #[test]
    fn blanks_and_commas_are_as_free_as_in_prometheus() {
        let ab = [("a", "1".to_owned()), ("b", "2".to_owned())];
        for text in [r#"a="1",b="2"} 1"#, r#"a="1",b="2",} 1"#, " a =\t\"1\" b= \"2\" , } 1"] {
            assert_eq!(read(text), ab, "{text}");
        }
        assert_eq!(read("} 1"), []);
    }

    #[test]
    fn a_value_is_borrowed_unless_it_holds_an_escape() {
        let (labels, _) = Labels::parse(r#"plain="a b",path="C:\\dir\n\"x\" \é \t"}"#).unwrap();
        assert!(matches!(labels.get("plain"), Some(Cow::Borrowed("a b"))));
        // `\é` and `\t` are no escapes: Prometheus leaves them as they are.
        assert_eq!(labels.get("path").unwrap(), "C:\\dir\n\"x\" \\é \\t");
        assert_eq!(labels.get("none"), None);
        assert_eq!(format!("{:?}", Labels::parse("a=\"1\"}").unwrap().0), r#"{"a": "1"}"#);
    }

    #[test]
    fn a_quote_or_brace_in_a_value_does_not_end_it() {
        assert_eq!(read(r#"a="},{\"",b="\\"} 1"#), [("a", "},{\"".to_owned()), ("b", "\\".to_owned())]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, at) in [
            (r#"a="1""#, 5),
            (r#"a="1"#, 3),
            (r#"a="1\"#, 3),
            (r#"a="1\""#, 3),
            (r#"a=1}"#, 2),
            (r#"a"1"}"#, 1),
            (r#"1a="1"}"#, 0),
            (r#","#, 0),
            (r#"a="1",,b="2"}"#, 6),
            (r#"a="1",a="2"}"#, 6),
            ("é=\"1\"}", 0),
            ("", 0),
        ] {
            assert_eq!(Labels::parse(text).unwrap_err().at, at, "{text}");
        }
        let many: String = (0..=MAX_LABELS).map(|n| format!("l{n}=\"\",")).collect();
        assert!(Labels::parse(&many).unwrap_err().what.contains("more labels"));
    }
}
