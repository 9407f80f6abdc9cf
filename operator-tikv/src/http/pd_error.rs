//! What PD says when it says no, in all its shapes.

use std::fmt;

use serde::Deserialize;

use super::text::{excerpt, printable};

/// How often a body is unwrapped: PD encodes some errors twice.
const MAX_LAYERS: usize = 3;

/// The explanation in the body of an answer that is not a 2xx.
///
/// PD writes it as a JSON string, as an object with `code` and `msg`, as plain text, as a JSON string within a JSON
/// string, as `null`, or as the trace of a panic; a proxy in front of it writes HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PdError {
    /// `[PD:class:name]`, if it was there.
    pub code: Option<PdCode>,
    /// The rest, printable and at most 200 characters; empty if nothing was said.
    pub message: String,
    /// What the body looked like.
    pub shape: BodyShape,
}

/// What the body of an error looked like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyShape {
    /// Nothing, or `null`.
    Empty,
    /// A JSON string, possibly with another within.
    JsonString,
    /// A JSON object.
    JsonObject,
    /// A web page: not PD.
    Html,
    /// A handler's panic, with the stacks.
    Panic,
    /// Anything else.
    Text,
}

/// PD's code of an error: `[PD:core:ErrStoreNotFound]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PdCode {
    /// The part of PD: `core`.
    pub class: String,
    /// The error: `ErrStoreNotFound`.
    pub name: String,
}

impl fmt::Display for PdCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[PD:{}:{}]", self.class, self.name)
    }
}

impl PdError {
    /// Reads the body of an error. There is no body that it refuses.
    pub fn decode(body: &[u8]) -> Self {
        let mut text = String::from_utf8_lossy(body).trim().to_owned();
        let mut shape = BodyShape::Text;
        for _ in 0..MAX_LAYERS {
            if text.starts_with('"')
                && let Ok(inner) = serde_json::from_str::<String>(&text)
            {
                text = inner.trim().to_owned();
                shape = BodyShape::JsonString;
            } else if text.starts_with('{')
                && let Ok(object) = serde_json::from_str::<Object>(&text)
                && let Some(message) = object.msg.or(object.message).or(object.error)
            {
                text = message.trim().to_owned();
                shape = BodyShape::JsonObject;
            } else {
                break;
            }
        }
        if text.is_empty() || text == "null" {
            return Self { code: None, message: String::new(), shape: BodyShape::Empty };
        }
        if starts_with_tag(&text) {
            let message = title(&text).map(|title| excerpt(title.as_bytes())).unwrap_or_default();
            return Self { code: None, message, shape: BodyShape::Html };
        }
        if text.contains("goroutine ") {
            let first = text.lines().next().unwrap_or_default().trim_start_matches("PANIC: ");
            return Self { code: None, message: excerpt(first.as_bytes()), shape: BodyShape::Panic };
        }
        let (code, message) = split_code(&text);
        Self { code, message: excerpt(message.as_bytes()), shape }
    }

    /// Whether the code's name is `name`.
    pub fn is(&self, name: &str) -> bool {
        self.code.as_ref().is_some_and(|code| code.name == name)
    }
}

impl fmt::Display for PdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.shape, &self.code) {
            (BodyShape::Empty, _) => f.write_str("no explanation"),
            (BodyShape::Html, _) if self.message.is_empty() => f.write_str("a web page"),
            (BodyShape::Html, _) => write!(f, "a web page titled \"{}\"", self.message),
            (BodyShape::Panic, _) => write!(f, "the server's handler panicked: {}", self.message),
            (_, Some(code)) => write!(f, "{code} {}", self.message),
            (_, None) => f.write_str(&self.message),
        }
    }
}

/// `pingcap/errcode` writes `code` and `msg`; Prometheus `error`; gateways `message`.
#[derive(Deserialize)]
struct Object {
    msg: Option<String>,
    message: Option<String>,
    error: Option<String>,
}

/// Takes the first `[PD:class:name]` out of `text`.
fn split_code(text: &str) -> (Option<PdCode>, String) {
    let found = text.match_indices("[PD:").find_map(|(start, opening)| {
        let inner = text.get(start + opening.len()..)?;
        let (inner, after) = inner.split_once(']')?;
        let (class, name) = inner.split_once(':')?;
        let word = |word: &str| {
            !word.is_empty()
                && word.len() <= 64
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        (word(class) && word(name)).then(|| {
            let before = text.get(..start).unwrap_or_default();
            (PdCode { class: class.to_owned(), name: name.to_owned() }, format!("{before}{after}"))
        })
    });
    match found {
        Some((code, message)) => (Some(code), message),
        None => (None, text.to_owned()),
    }
}

fn starts_with_tag(text: &str) -> bool {
    let head: String = text.chars().take(16).collect::<String>().to_ascii_lowercase();
    ["<!doctype", "<html", "<head", "<body", "<?xml"].iter().any(|tag| head.starts_with(tag))
}

fn title(html: &str) -> Option<String> {
    // Only ASCII changes, so that positions stay the same.
    let lower = html.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let end = start + lower.get(start..)?.find("</title>")?;
    Some(printable(html.get(start..end)?.trim()).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("[PD:core:ErrStoreNotFound]store 99 not found", Some(("core", "ErrStoreNotFound")), "store 99 not found")]
    #[case("failed: [PD:a:B_2] x", Some(("a", "B_2")), "failed:  x")]
    #[case("[PD:]x [PD:a b:c] [PD:d:E]", Some(("d", "E")), "[PD:]x [PD:a b:c]")]
    #[case("[PD:core", None, "[PD:core")]
    #[case("region(2) not found", None, "region(2) not found")]
    fn the_code_is_taken_out(#[case] body: &str, #[case] code: Option<(&str, &str)>, #[case] message: &str) {
        let error = PdError::decode(body.as_bytes());
        assert_eq!(error.code.as_ref().map(|code| (&*code.class, &*code.name)), code);
        assert_eq!(error.message, message);
    }

    #[rstest]
    #[case("", BodyShape::Empty)]
    #[case(" null\n", BodyShape::Empty)]
    #[case("\"\"", BodyShape::Empty)]
    #[case("\"null\"", BodyShape::Empty)]
    #[case("\"truncated", BodyShape::Text)]
    #[case(
        "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error\"}",
        BodyShape::JsonObject
    )]
    #[case("{\"unknown\":1}", BodyShape::Text)]
    #[case("<HTML><title>Sign in\u{7}</title>", BodyShape::Html)]
    #[case("<!doctype html><title>", BodyShape::Html)]
    fn shapes(#[case] body: &str, #[case] shape: BodyShape) {
        assert_eq!(PdError::decode(body.as_bytes()).shape, shape);
    }

    #[test]
    fn what_it_says_can_be_shown() {
        assert_eq!(PdError::decode(br#""\"a\\u001bb\"""#).to_string(), r"a\u{1b}b");
        assert_eq!(PdError::decode(b"<html><title>\x07</title>").to_string(), r#"a web page titled "\u{7}""#);
    }

    proptest! {
        #[test]
        fn every_body_is_read_and_fit_to_be_shown(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let said = PdError::decode(&body).to_string();
            prop_assert!(!said.chars().any(char::is_control), "{:?}", said);
        }

        #[test]
        fn every_text_is_read(body in "(\"|\\{|<html>|\\[PD:a:B\\]|goroutine |\\\\|é|\\PC){0,40}") {
            PdError::decode(body.as_bytes());
        }
    }
}
