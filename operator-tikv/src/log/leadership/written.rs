//! A change as JSON, written by hand: a log holds hundreds of thousands of them, each a line of its own.

use super::Leadership;
use crate::log::text::{Text, ZEROS, eight_digits, is_literal};

impl Leadership<'_> {
    /// Appends the JSON that serde makes of it, in a fraction of the time. Whether all of that is printable ASCII, so
    /// that it needs no further look before it is shown on a terminal.
    pub fn write_json(&self, out: &mut Vec<u8>) -> bool {
        let mut plain = true;
        out.extend_from_slice(b"{\"at\":\"");
        self.at.write_rfc3339(out);
        out.extend_from_slice(b"\",\"kind\":\"");
        out.extend_from_slice(self.kind.as_str().as_bytes());
        out.extend_from_slice(b"\",\"region_id\":");
        number_or_null(self.region_id.map(|id| id.0), out);
        out.extend_from_slice(b",\"peer_id\":");
        number_or_null(self.peer_id.map(|id| id.0), out);
        out.extend_from_slice(b",\"term\":");
        number_or_null(self.term, out);
        out.extend_from_slice(b",\"from_role\":");
        match &self.from_role {
            Some(role) => plain &= text(*role, out),
            None => out.extend_from_slice(b"null"),
        }
        let others = [
            (&b",\"other_peer_id\":"[..], self.other_peer_id.map(|id| id.0)),
            (b",\"from_store\":", self.from_store.map(|id| id.0)),
            (b",\"to_store\":", self.to_store.map(|id| id.0)),
        ];
        for (name, id) in others {
            if id.is_some() {
                out.extend_from_slice(name);
                number_or_null(id, out);
            }
        }
        if let Some(member) = &self.member {
            out.extend_from_slice(b",\"member\":");
            plain &= string(member, out);
        }
        out.extend_from_slice(b",\"source\":");
        plain &= text(self.source, out);
        out.extend_from_slice(b",\"file\":");
        plain &= string(self.file, out);
        out.extend_from_slice(b",\"line\":");
        number_or_null(self.line, out);
        out.push(b'}');
        plain
    }
}

fn number_or_null(number: Option<u64>, out: &mut Vec<u8>) {
    match number {
        Some(number) => write_number(number, out),
        None => out.extend_from_slice(b"null"),
    }
}

#[inline(always)]
fn write_number(number: u64, out: &mut Vec<u8>) {
    // As terms are.
    if number < 10 {
        return out.push(b'0' + number as u8);
    }
    if number >= END {
        return write_long_number(number, out);
    }
    // Eight bytes are always written, because that needs no call, and those that are too many taken back. The highest
    // byte is the last digit, which stays.
    let digits = eight_digits(number);
    let leading = ((digits ^ ZEROS) | 1 << 63).trailing_zeros() / 8;
    let end = out.len() + 8 - leading as usize;
    out.extend_from_slice(&(digits >> (leading * 8)).to_le_bytes());
    out.truncate(end);
}

/// The first number that has more than eight digits.
const END: u64 = 100_000_000;

#[cold]
fn write_long_number(number: u64, out: &mut Vec<u8>) {
    write_number(number / END, out);
    out.extend_from_slice(&eight_digits(number % END).to_le_bytes());
}

/// Whether it is printable ASCII, as [`string`].
#[inline(always)]
fn text(text: Text<'_>, out: &mut Vec<u8>) -> bool {
    let raw = text.raw();
    if is_literal(raw) { quoted(raw, out) } else { string(&text.text(), out) }
}

/// Whether it is printable ASCII.
fn string(text: &str, out: &mut Vec<u8>) -> bool {
    if is_literal(text.as_bytes()) {
        return quoted(text.as_bytes(), out);
    }
    // Writing a text to memory does not fail.
    let _ = serde_json::to_writer(out, text);
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn quoted(literal: &[u8], out: &mut Vec<u8>) -> bool {
    out.push(b'"');
    out.extend_from_slice(literal);
    out.push(b'"');
    true
}
