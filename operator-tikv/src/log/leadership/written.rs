//! A change as JSON, written by hand: a log holds hundreds of thousands of them, each a line of its own.

use super::Leadership;

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
            Some(role) => plain &= string(role, out),
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
        plain &= string(&self.source, out);
        out.extend_from_slice(b",\"file\":");
        plain &= string(self.file, out);
        out.extend_from_slice(b",\"line\":");
        number_or_null(self.line, out);
        out.push(b'}');
        plain
    }
}

fn number_or_null(number: Option<u64>, out: &mut Vec<u8>) {
    let Some(mut rest) = number else { return out.extend_from_slice(b"null") };
    let length = rest.checked_ilog10().map_or(1, |log| log as usize + 1);
    // As many as the greatest has: what is always as long is copied without a call.
    let mut digits = [b'0'; 20];
    for digit in digits.iter_mut().take(length).rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let end = out.len() + length;
    out.extend_from_slice(&digits);
    out.truncate(end);
}

/// Whether it is printable ASCII.
fn string(text: &str, out: &mut Vec<u8>) -> bool {
    // Without a way out in between, so that many bytes are looked at together.
    let (mut printable, mut escaped) = (true, false);
    for byte in text.bytes() {
        printable &= matches!(byte, b' '..=b'~');
        escaped |= (byte == b'"') | (byte == b'\\');
    }
    if printable && !escaped {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing a text to memory does not fail.
        let _ = serde_json::to_writer(out, text);
    }
    printable
}
