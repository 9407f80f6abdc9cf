//! Entries and events as lines: for people, or as JSON.

use operator_core::LeadershipChangeKind as Kind;
use operator_tikv::log::{Entry, Fields, Group, Leadership, Level, Time};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::output::text::{escaped, known};
use crate::output::{Format, Output, Style, Tone};

/// How lines are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    format: Format,
    style: Style,
    /// Whether lines say in which file they stand.
    several: bool,
}

/// An entry as JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: Time,
    level: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    logger: Option<String>,
    source: String,
    message: String,
    #[serde(serialize_with = "fields")]
    fields: Fields<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    continuation: &'a str,
    file: &'a str,
    line: Option<u64>,
}

/// Lines that are no entry, as JSON.
#[derive(Debug, Serialize)]
struct Unparsed<'a> {
    unparsed: &'a str,
    file: &'a str,
    line: Option<u64>,
}

fn fields<S: Serializer>(fields: &Fields<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in *fields {
        map.serialize_entry(&name.text(), &value.text())?;
    }
    map.end()
}

impl Told {
    pub(super) fn new(output: &Output, several: bool) -> Self {
        Self { format: output.format, style: output.style, several }
    }

    /// Writes an event.
    pub(super) fn change(&self, change: &Leadership<'_>, out: &mut Vec<u8>) {
        match self.format {
            Format::Json => {
                let start = out.len();
                match change.write_json(out) {
                    true => out.push(b'\n'),
                    false => end_json(start, out),
                }
            }
            Format::Table => self.change_text(change, out),
        }
    }

    fn change_text(&self, change: &Leadership<'_>, out: &mut Vec<u8>) {
        let mut text = format!(
            "{}  {}",
            millis(change.at),
            self.style.paint(tone(change), &format!("{:<20}", change.kind))
        );
        match (change.region_id, &change.member) {
            (None, Some(member)) => text += &format!("  {:<34}", escaped(member)),
            _ => {
                text += &format!(
                    "  region {:<8} peer {:<8} term {:<4}",
                    known(change.region_id),
                    known(change.peer_id),
                    known(change.term)
                );
            }
        }
        if let Some(role) = &change.from_role {
            text += &format!("  was {}", escaped(&role.text()));
        }
        if let Some(other) = change.other_peer_id {
            text += &format!("  {} {other}", preposition(change.kind));
        }
        if let (Some(from), Some(to)) = (change.from_store, change.to_store) {
            text += &format!("  from store {from} to {to}");
        }
        text += &format!("  {}  {}", escaped(&change.source.text()), escaped(change.file));
        if let Some(line) = change.line {
            text += &format!(":{line}");
        }
        text.push('\n');
        out.extend_from_slice(text.as_bytes());
    }

    /// Writes an entry with the lines that belong to it.
    pub(super) fn entry(&self, entry: &Entry<'_>, group: &Group<'_>, file: &str, out: &mut Vec<u8>) {
        if self.format == Format::Table {
            return self.lines(group, file, Some(entry.level), out);
        }
        let line = Line {
            at: entry.time,
            level: entry.level,
            logger: entry.logger.map(|logger| logger.text().into_owned()),
            source: entry.source.text().into_owned(),
            message: entry.message.text().into_owned(),
            fields: entry.fields(),
            continuation: &String::from_utf8_lossy(group.continuation),
            file,
            line: group.line,
        };
        json(&line, out);
    }

    /// Writes lines that are no entry.
    pub(super) fn unparsed(&self, group: &Group<'_>, file: &str, out: &mut Vec<u8>) {
        if self.format == Format::Table {
            return self.lines(group, file, None, out);
        }
        let mut lines = group.head.to_vec();
        lines.push(b'\n');
        lines.extend_from_slice(group.continuation);
        json(&Unparsed { unparsed: &String::from_utf8_lossy(&lines), file, line: group.line }, out);
    }

    fn lines(&self, group: &Group<'_>, file: &str, level: Option<Level>, out: &mut Vec<u8>) {
        let tone = match level {
            Some(Level::Fatal | Level::Error) => Some(Tone::Bad),
            Some(Level::Warn) => Some(Tone::Doubtful),
            _ => None,
        };
        let more = group.continuation.strip_suffix(b"\n").unwrap_or(group.continuation);
        let more = more.split(|byte| *byte == b'\n').filter(|_| !group.continuation.is_empty());
        for line in std::iter::once(group.head).chain(more) {
            if self.several {
                out.extend_from_slice(escaped(file).as_bytes());
                out.extend_from_slice(b": ");
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = String::from_utf8_lossy(line);
            let line = escaped(&line);
            match tone {
                Some(tone) => out.extend_from_slice(self.style.paint(tone, &line).as_bytes()),
                None => out.extend_from_slice(line.as_bytes()),
            }
            out.push(b'\n');
        }
    }
}

/// One line of JSON. A value that cannot be written leaves no trace; there is none.
fn json(value: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        return out.truncate(start);
    }
    end_json(start, out);
}

/// Ends the line of JSON that begins there, and leaves nothing in it that a terminal obeys.
fn end_json(start: usize, out: &mut Vec<u8>) {
    let written = out.get(start..).unwrap_or_default();
    if !written.is_ascii() || written.contains(&0x7F) {
        let safe = crate::output::json_safe(String::from_utf8_lossy(written).into_owned());
        out.truncate(start);
        out.extend_from_slice(safe.as_bytes());
    }
    out.push(b'\n');
}

/// As in JSON, and always with milliseconds.
fn millis(at: Time) -> String {
    at.utc().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn preposition(kind: Kind) -> &'static str {
    match kind {
        Kind::TransferStarted | Kind::TransferAborted => "to",
        Kind::VoteGranted => "for",
        _ => "from",
    }
}

fn tone(change: &Leadership<'_>) -> Tone {
    let stepped_down =
        change.kind == Kind::BecameFollower && change.from_role.is_some_and(|role| role.is("Leader"));
    match change.kind {
        Kind::BecameLeader | Kind::PdLeaderElected | Kind::PdLeaderReady => Tone::Good,
        Kind::QuorumLost | Kind::LeaderMissing | Kind::PdLeaderResigned => Tone::Bad,
        Kind::ElectionStarted => Tone::Doubtful,
        _ if stepped_down => Tone::Doubtful,
        _ => Tone::Title,
    }
}

#[cfg(test)]
mod tests {
    use operator_tikv::log::{leadership_of, parse_line};

    use super::*;

    const LINE: &[u8] = b"[2026/11/22 02:46:04.081 +00:00] [INFO] [raft.rs:1162] [\"became follower at term 8\"] [from_role=Leader] [term=8] [raft_id=23] [region_id=6] [x=\"\x1b[2J\"]";

    fn told(format: Format, several: bool) -> Told {
        Told { format, style: Style::PLAIN, several }
    }

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_is_one_line() {
        let entry = parse_line(LINE).unwrap();
        let change = leadership_of(&entry, "tikv\u{7f}.log", Some(7)).unwrap();
        assert_eq!(
            text(|out| told(Format::Table, false).change(&change, out)),
            "2026-11-22T02:46:04.081Z  became_follower       region 6        peer 23       term 8     was Leader  raft.rs:1162  \
             tikv\\u{7f}.log:7\n"
        );
        let json = text(|out| told(Format::Json, false).change(&change, out));
        assert_eq!(
            json,
            "{\"at\":\"2026-11-22T02:46:04.081Z\",\"kind\":\"became_follower\",\"region_id\":6,\"peer_id\":23,\"term\":8,\
             \"from_role\":\"Leader\",\"source\":\"raft.rs:1162\",\"file\":\"tikv\\u007f.log\",\"line\":7}\n"
        );
    }

    #[test]
    fn an_entry_shows_what_belongs_to_it_and_nothing_that_a_terminal_obeys() {
        let entry = parse_line(LINE).unwrap();
        let group = |continuation| {
            let mut entries = operator_tikv::log::Entries::of(
                std::io::Cursor::new([LINE, b"\n", continuation].concat()),
                Some(7),
            );
            assert!(entries.advance().unwrap());
            entries
        };
        let entries = group(b"  at \x1b[31m a\n  at b\n");
        let lines = text(|out| told(Format::Table, true).entry(&entry, &entries.group(), "a.log", out));
        let lines: Vec<_> = lines.lines().collect();
        assert!(
            lines[0].starts_with("a.log: [2026/11/22") && lines[0].ends_with("[x=\"\\u{1b}[2J\"]"),
            "{lines:?}"
        );
        assert_eq!(lines[1..], ["a.log:   at \\u{1b}[31m a", "a.log:   at b"]);
        let json = text(|out| told(Format::Json, false).entry(&entry, &entries.group(), "a.log", out));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["fields"]["x"], "\u{1b}[2J");
        assert_eq!((&json["level"], &json["line"]), (&"INFO".into(), &7.into()));
        assert_eq!(json["continuation"], "  at \u{1b}[31m a\n  at b\n");
    }
}
