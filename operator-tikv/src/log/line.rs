//! One line of a log: TiDB's unified format, as text or as JSON.
//!
//! `[2026/11/22 02:43:46.081 +00:00] [INFO] [raft.rs:1271] ["became leader at term 6"] [term=6] [region_id=2]`

use super::json;
use super::level::Level;
use super::text::{self, Text, plain_end, string_end};
use super::time::Time;

/// A line that is the beginning of an entry; what follows without a time of its own belongs to it. Borrows from the
/// line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// When, as written.
    pub time: Time,
    /// How grave.
    pub level: Level,
    /// Who logged, where that is said: `raft` of PD's etcd.
    pub logger: Option<Text<'a>>,
    /// Where in the program: `raft.rs:1271`, or `<unknown>`.
    pub source: Text<'a>,
    /// What happened.
    pub message: Text<'a>,
    fields: Fields<'a>,
}

impl<'a> Entry<'a> {
    pub(super) fn new(
        time: Time,
        level: Level,
        source: Text<'a>,
        message: Text<'a>,
        fields: Fields<'a>,
    ) -> Self {
        Self { time, level, logger: None, source, message, fields }
    }

    /// Names and values, in the line's order. Names may occur again.
    pub fn fields(&self) -> Fields<'a> {
        self.fields
    }

    /// The first value with this name.
    pub fn field(&self, name: &str) -> Option<Text<'a>> {
        self.fields().find(|(key, _)| *key.bytes() == *name.as_bytes()).map(|(_, value)| value)
    }

    /// Appends the line as TiKV writes it, without an end of line: what is parsed from it says the same.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("[{}] [{}]", self.time, self.level).as_bytes());
        for text in self.logger.into_iter().chain([self.source]) {
            out.extend_from_slice(b" [");
            text::write(&text.bytes(), out);
            out.push(b']');
        }
        out.extend_from_slice(b" [");
        let message = self.message.bytes();
        if self.logger.is_none() && !is_source(&self.source.bytes()) && is_source(&message) {
            // With quotes, or it would be read as the source.
            text::write_quoted(&message, out);
        } else {
            text::write(&message, out);
        }
        out.push(b']');
        for (name, value) in self.fields() {
            out.extend_from_slice(b" [");
            text::write(&name.bytes(), out);
            out.push(b'=');
            text::write(&value.bytes(), out);
            out.push(b']');
        }
    }
}

/// The names and values of an [`Entry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a> {
    line: &'a [u8],
    /// Where the next one begins.
    at: usize,
    is_json: bool,
}

impl<'a> Fields<'a> {
    /// What was checked before, or is read by [`try_next`](Self::try_next) alone.
    pub(super) fn new(line: &'a [u8], at: usize, is_json: bool) -> Self {
        Self { line, at, is_json }
    }

    /// The value of the next one, if it begins so, as in ` [term=`, and is a plain number: for what is likely to come
    /// next, because that costs a fraction of [`try_next`](Self::try_next).
    #[inline(always)]
    pub(super) fn next_number<const N: usize>(&mut self, opening: &[u8; N]) -> Option<u64> {
        let (number, end) = text::number_at(self.line, self.after(opening)?)?;
        self.at = (self.line.get(end) == Some(&b']')).then_some(end + 1)?;
        Some(number)
    }

    /// The same for a plain text.
    #[inline(always)]
    pub(super) fn next_plain<const N: usize>(&mut self, opening: &[u8; N]) -> Option<Text<'a>> {
        let start = self.after(opening)?;
        let end = plain_end(self.line, start, b']');
        self.at = (self.line.get(end) == Some(&b']')).then_some(end + 1)?;
        self.line.get(start..end).map(Text::new)
    }

    #[inline(always)]
    fn after<const N: usize>(&self, opening: &[u8; N]) -> Option<usize> {
        let begins = self.line.get(self.at..)?.first_chunk() == Some(opening) && !self.is_json;
        begins.then_some(self.at + N)
    }

    /// The next one; none at the end of the line, and an error where something else stands. Says so once.
    #[inline]
    pub(super) fn try_next(&mut self) -> Parsed<Option<(Text<'a>, Text<'a>)>> {
        let at = std::mem::replace(&mut self.at, self.line.len());
        if self.is_json {
            let mut rest = self.line.get(at..).unwrap_or_default();
            let field = json::next_field(&mut rest);
            self.at -= rest.len();
            return Ok(field);
        }
        let field = next_field(self.line, at)?;
        Ok(field.map(|(name, value, end)| {
            self.at = end;
            (name, value)
        }))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Text<'a>, Text<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.try_next().ok()?
    }
}

/// Why a line is not the beginning of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
#[non_exhaustive]
pub struct ParseLineError {
    /// Where in the line, in bytes from 0.
    pub at: usize,
    /// What should be there.
    pub what: &'static str,
    /// Whether the line begins with a time: then it is an entry that was damaged; else it may belong to the entry
    /// before, as a line of a stack trace does.
    pub has_time: bool,
}

impl ParseLineError {
    pub(super) fn new(at: usize, what: &'static str) -> Self {
        Self { at, what, has_time: false }
    }

    pub(super) fn after_time(self) -> Self {
        Self { has_time: true, ..self }
    }
}

type Parsed<T> = Result<T, ParseLineError>;

/// Reads a line, with or without its end (`\n` or `\r\n`). Never allocates.
///
/// ```
/// let line = br#"[2026/11/22 02:43:46.639 +00:00] [INFO] [raft.rs:1271] ["became leader at term 6"] [region_id=2]"#;
/// let entry = operator_tikv::log::parse_line(line)?;
/// assert_eq!(entry.message.text(), "became leader at term 6");
/// assert_eq!(entry.field("region_id").and_then(|id| id.number()), Some(2));
///
/// let error = operator_tikv::log::parse_line(b"   0: std::backtrace").unwrap_err();
/// assert_eq!((error.at, error.has_time), (0, false));
/// # Ok::<(), operator_tikv::log::ParseLineError>(())
/// ```
///
/// # Errors
/// What is wrong with it, and at which byte.
pub fn parse_line(line: &[u8]) -> Parsed<Entry<'_>> {
    let entry = head(without_end(line))?;
    let Fields { line, mut at, is_json } = entry.fields;
    // An object was read to its end.
    while !is_json && let Some((_, _, end)) = next_field(line, at).map_err(ParseLineError::after_time)? {
        at = end;
    }
    Ok(entry)
}

/// Whether a line is one with a time, so that it belongs to no other.
#[inline(always)]
pub(super) fn begins_entry(line: &[u8]) -> bool {
    match line.first_chunk().and_then(Time::usual) {
        Some(_) => true,
        None => match line.first() {
            Some(b'[' | b'{') => parse_line(line).map_or_else(|error| error.has_time, |_| true),
            _ => false,
        },
    }
}

pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The entry of a line without its end. The fields of a text are not checked yet.
#[inline(always)]
pub(super) fn head(line: &[u8]) -> Parsed<Entry<'_>> {
    match line.first_chunk().and_then(Time::usual) {
        // What nearly every line begins with.
        Some(time) => after_time(line, 32, time),
        None => other_head(line),
    }
}

#[cold]
fn other_head(line: &[u8]) -> Parsed<Entry<'_>> {
    /// How many bytes a time may take.
    const LONGEST_TIME: usize = 40;

    match line.split_first() {
        Some((b'[', rest)) => {
            let end = rest.iter().take(LONGEST_TIME).position(|byte| *byte == b']');
            match end.and_then(|end| Some((end, Time::parse(rest.get(..end)?)?))) {
                Some((end, time)) => after_time(line, end + 2, time),
                None => Err(ParseLineError::new(1, "a time such as `2026/11/22 02:43:46.081 +00:00`")),
            }
        }
        Some((b'{', _)) => json::parse(line),
        _ => Err(ParseLineError::new(0, "a line begins with `[` and its time, or is a JSON object")),
    }
}

#[inline(always)]
fn after_time(line: &[u8], at: usize, time: Time) -> Parsed<Entry<'_>> {
    let usual = || {
        let (level, at) = match line.get(at..)?.first_chunk()? {
            b" [INFO]" => (Level::Info, at + 7),
            b" [WARN]" => (Level::Warn, at + 7),
            _ => return None,
        };
        let (source, at) = item(line, at)?;
        let (message, at) = item(line, at)?;
        is_source(source.raw())
            .then(|| Entry::new(time, level, source, message, Fields::new(line, at, false)))
    };
    match usual() {
        Some(entry) => Ok(entry),
        None => other_after_time(line, at, time).map_err(ParseLineError::after_time),
    }
}

#[cold]
fn other_after_time(line: &[u8], at: usize, time: Time) -> Parsed<Entry<'_>> {
    let next = |at| item(line, at).ok_or_else(|| wrong_item(line, at));
    let (name, end) = next(at)?;
    let Some(level) = Level::read(name.raw()) else {
        return Err(ParseLineError::new(at + 2, "a level such as `INFO`"));
    };
    let (mut source, at) = next(end)?;
    let (mut message, mut at) = next(at)?;
    let mut logger = None;
    // Nobody writes a source with quotes, nor a message without that has a `=`: what looks so is a message that ends as a
    // source does, and a field.
    if !is_source(&source.bytes())
        && is_source(message.raw())
        && text::is_plain(message.raw())
        && let Some((third, end)) = item(line, at)
        && (third.raw().starts_with(b"\"") || !third.raw().contains(&b'='))
    {
        (logger, source, message, at) = (Some(source), message, third, end);
    }
    Ok(Entry { logger, ..Entry::new(time, level, source, message, Fields::new(line, at, false)) })
}

/// `raft.rs:1271` or `<unknown>`.
#[inline]
fn is_source(text: &[u8]) -> bool {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let before = text.len().saturating_sub(digits + 1);
    (digits > 0 && text.get(before) == Some(&b':')) || text == b"<unknown>"
}

/// ` [text]`
#[inline(always)]
fn item(line: &[u8], at: usize) -> Option<(Text<'_>, usize)> {
    text(line, opened(line, at)?, b']')
}

/// The field at or behind ` []`, which PD writes for an error that is none, and where it ends; none at the end.
#[inline(always)]
fn next_field(line: &[u8], at: usize) -> Parsed<Option<(Text<'_>, Text<'_>, usize)>> {
    match field(line, at) {
        Some(field) => Ok(Some(field)),
        None if at >= line.len() => Ok(None),
        None => other_field(line, at),
    }
}

#[cold]
fn other_field(line: &[u8], mut at: usize) -> Parsed<Option<(Text<'_>, Text<'_>, usize)>> {
    while line.get(at..at + 3) == Some(b" []") {
        at += 3;
    }
    match field(line, at) {
        None if at < line.len() => Err(wrong_field(line, at)),
        field => Ok(field),
    }
}

/// ` [name=value]`
#[inline(always)]
fn field(line: &[u8], at: usize) -> Option<(Text<'_>, Text<'_>, usize)> {
    let (name, at) = text(line, opened(line, at)?, b'=')?;
    let (value, at) = text(line, at, b']')?;
    Some((name, value, at))
}

#[inline(always)]
fn opened(line: &[u8], at: usize) -> Option<usize> {
    (line.get(at..)?.first_chunk() == Some(b" [")).then_some(at + 2)
}

/// A plain or quoted text that ends before `stop`, and where it goes on behind that.
#[inline(always)]
fn text(line: &[u8], start: usize, stop: u8) -> Option<(Text<'_>, usize)> {
    let end = match line.get(start)? {
        b'"' => string_end(line, start).ok()?,
        _ => plain_end(line, start, stop),
    };
    if *line.get(end)? == stop { Some((Text::new(line.get(start..end)?), end + 1)) } else { None }
}

/// Why there is no [`item`].
fn wrong_item(line: &[u8], at: usize) -> ParseLineError {
    match opened(line, at) {
        None => ParseLineError::new(at.min(line.len()), "` [`"),
        Some(start) => wrong_text(line, start, b']'),
    }
}

/// Why there is no [`field`].
fn wrong_field(line: &[u8], at: usize) -> ParseLineError {
    match opened(line, at).and_then(|start| text(line, start, b'=')) {
        Some((_, at)) => wrong_text(line, at, b']'),
        None if opened(line, at).is_none() => wrong_item(line, at),
        None => wrong_text(line, at + 2, b'='),
    }
}

/// Why there is no [`text`].
fn wrong_text(line: &[u8], start: usize, stop: u8) -> ParseLineError {
    let end = match line.get(start) {
        Some(b'"') => match string_end(line, start) {
            Ok(end) => end,
            Err(at) => return ParseLineError::new(at, "a JSON string that ends"),
        },
        _ => plain_end(line, start, stop),
    };
    ParseLineError::new(end, if stop == b'=' { "`=` after a name" } else { "`]`" })
}

#[cfg(test)]
mod tests;
