//! Text from outside, made fit to be shown.

use std::borrow::Cow;

/// How much of a body an error shows, in characters.
const EXCERPT_CHARS: usize = 200;

/// `text` with everything that could move a terminal's cursor, ring its bell or reorder a line written out (`\u{1b}`).
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unprintable(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// The first 200 characters of a body, printable; `…` says that there is more.
pub(crate) fn excerpt(body: &[u8]) -> String {
    // A character has at most four bytes, and one more is needed to know that there is more.
    let head = body.get(..4 * EXCERPT_CHARS + 4).unwrap_or(body);
    let text = String::from_utf8_lossy(head);
    let text = text.trim();
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", printable(text.get(..end).unwrap_or(text))),
        None if head.len() < body.len() => format!("{}…", printable(text)),
        None => printable(text).into_owned(),
    }
}

/// Control characters, and the invisible ones that change how the rest of a line is shown.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out_and_the_rest_is_left() {
        assert_eq!(printable("store 1: größe \"x\""), "store 1: größe \"x\"");
        assert_eq!(printable("a\x1b[2Jb\r\nc\u{202e}d\0"), r"a\u{1b}[2Jb\r\nc\u{202e}d\u{0}");
    }

    #[test]
    fn an_excerpt_is_200_characters_whatever_the_body() {
        assert_eq!(excerpt(b""), "");
        assert_eq!(excerpt(b" short\n"), "short");
        assert_eq!(excerpt("é".repeat(200).as_bytes()), "é".repeat(200));
        assert_eq!(excerpt("é".repeat(201).as_bytes()), format!("{}…", "é".repeat(200)));
        assert_eq!(excerpt(&vec![b'x'; 1 << 20]).chars().count(), 201);
        assert_eq!(excerpt(&[0xff; 3]), "\u{fffd}\u{fffd}\u{fffd}");
    }
}
