//! JSON, as the core's types write it.

use std::fmt::Write as _;

use serde::Serialize;

use super::text::is_unsafe;

/// A document over several lines.
pub(crate) fn document(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|json| safe(json) + "\n")
}

/// A document in one line.
pub(crate) fn line(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|json| safe(json) + "\n")
}

/// `serde_json` escapes ASCII control characters and leaves the rest that a terminal may obey: C1, DEL, direction marks.
/// All of them can only stand within strings, where an escape means the same.
pub(crate) fn safe(json: String) -> String {
    let suspicious = |char: char| char != '\n' && is_unsafe(char);
    if json.bytes().all(|byte| byte == b'\n' || matches!(byte, 0x20..=0x7E)) || !json.contains(suspicious) {
        return json;
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for char in json.chars() {
        if suspicious(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(char);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_obeys_is_left_and_the_value_stays_the_same() {
        let text = "ü\u{1b}[0m\u{9b}31m\u{7f}\u{202e}\n";
        let json = line(&text).unwrap();
        assert_eq!(json, "\"ü\\u001b[0m\\u009b31m\\u007f\\u202e\\n\"\n");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn a_document_has_several_lines_and_a_line_has_one() {
        assert_eq!(document(&[1]).unwrap(), "[\n  1\n]\n");
        assert_eq!(line(&[1]).unwrap(), "[1]\n");
    }
}
