//! One line of a log: TiDB's unified format, as text or as JSON.
//!
//! `[2026/11/22 02:43:46.081 +00:00] [INFO] [raft.rs:1271] ["became leader at term 6"] [term=6] [region_id=2]`

use super::json;
use super::level::Level;
use super::text::{self, Text, plain_length, string_end};
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
        for text in self.logger.into_iter().chain([self.source, self.message]) {
            out.extend_from_slice(b" [");
            text::write(&text.bytes(), out);
            out.push(b']');
        }
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
    rest: &'a [u8],
    is_json: bool,
}

impl<'a> Fields<'a> {
    /// What was checked before, or is read by [`try_next`](Self::try_next) alone.
    pub(super) fn new(rest: &'a [u8], is_json: bool) -> Self {
        Self { rest, is_json }
    }

    /// The value of the next one, if it begins so, as in ` [term=`, and is a plain number: for what is likely to come
    /// next, because that costs a tenth of [`try_next`](Self::try_next).
    #[inline]
    pub(super) fn next_number(&mut self, opening: &[u8]) -> Option<u64> {
        let (number, rest) = text::leading_number(self.rest.strip_prefix(opening)?)?;
        self.rest = rest.strip_prefix(b"]").filter(|_| !self.is_json)?;
        Some(number)
    }

    /// The same for a plain text.
    #[inline]
    pub(super) fn next_plain(&mut self, opening: &[u8]) -> Option<Text<'a>> {
        let rest = self.rest.strip_prefix(opening).filter(|_| !self.is_json)?;
        let (value, rest) = rest.split_at_checked(plain_length(rest, b']'))?;
        self.rest = rest.strip_prefix(b"]")?;
        Some(Text::new(value))
    }

    /// The next one; none at the end of the line, and an error where something else stands. Says so once.
    #[inline]
    pub(super) fn try_next(&mut self) -> Parsed<Option<(Text<'a>, Text<'a>)>> {
        if self.is_json {
            return Ok(json::next_field(&mut self.rest));
        }
        let at = after_empty(self.rest, 0);
        let rest = std::mem::take(&mut self.rest);
        if at >= rest.len() {
            return Ok(None);
        }
        let (name, value, end) = field(rest, at)?;
        self.rest = rest.get(end..).unwrap_or_default();
        Ok(Some((name, value)))
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
    let line = without_end(line);
    let (entry, at) = head(line)?;
    let mut at = after_empty(line, at);
    while at < line.len() {
        (_, _, at) = field(line, at).map_err(ParseLineError::after_time)?;
        at = after_empty(line, at);
    }
    Ok(entry)
}

pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The entry of a line without its end, and where its fields begin. Those of a text are not checked yet.
pub(super) fn head(line: &[u8]) -> Parsed<(Entry<'_>, usize)> {
    match line.first() {
        Some(b'[') => text_head(line),
        Some(b'{') => Ok((json::parse(line)?, line.len())),
        _ => Err(ParseLineError::new(0, "a line begins with `[` and its time, or is a JSON object")),
    }
}

/// How many bytes a time may take.
const LONGEST_TIME: usize = 40;

fn text_head(line: &[u8]) -> Parsed<(Entry<'_>, usize)> {
    let begin = line.get(1..).unwrap_or_default();
    // Where it ends nearly always, or else looked for.
    let end = match begin.get(30) {
        Some(b']') => Some(30),
        _ => begin.iter().take(LONGEST_TIME).position(|byte| *byte == b']'),
    };
    let usual = line.first_chunk().and_then(Time::usual);
    let time = usual.or_else(|| end.and_then(|end| Time::parse(begin.get(..end)?)));
    let (Some(end), Some(time)) = (end, time) else {
        return Err(ParseLineError::new(1, "a time such as `2026/11/22 02:43:46.081 +00:00`"));
    };
    after_time(line, end + 2, time).map_err(ParseLineError::after_time)
}

fn after_time(line: &[u8], at: usize, time: Time) -> Parsed<(Entry<'_>, usize)> {
    let (level, at) = match line.get(at..).and_then(<[u8]>::first_chunk) {
        // What nearly every line has.
        Some(b" [INFO]") => (Level::Info, at + 7),
        Some(b" [WARN]") => (Level::Warn, at + 7),
        _ => level(line, at)?,
    };
    let (source, at) = item(line, at)?;
    let (message, at) = item(line, at)?;
    let mut entry = Entry::new(time, level, source, message, Fields::new(&[], false));
    let mut at = at;
    if !is_source(&source.bytes()) && is_source(&message.bytes()) {
        (entry.logger, entry.source) = (Some(source), message);
        (entry.message, at) = item(line, at)?;
    }
    entry.fields = Fields::new(line.get(at..).unwrap_or_default(), false);
    Ok((entry, at))
}

fn level(line: &[u8], at: usize) -> Parsed<(Level, usize)> {
    let (name, at) = item(line, at)?;
    match Level::read(name.raw()) {
        Some(level) => Ok((level, at)),
        None => Err(ParseLineError::new(at - 1 - name.raw().len(), "a level such as `INFO`")),
    }
}

/// `raft.rs:1271` or `<unknown>`.
#[inline]
fn is_source(text: &[u8]) -> bool {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let before = text.len().saturating_sub(digits + 1);
    (digits > 0 && text.get(before) == Some(&b':')) || text == b"<unknown>"
}

/// ` [text]`
#[inline]
fn item(line: &[u8], at: usize) -> Parsed<(Text<'_>, usize)> {
    let (text, at) = text(line, opened(line, at)?, b']')?;
    Ok((text, at))
}

/// ` [name=value]`
#[inline]
fn field(line: &[u8], at: usize) -> Parsed<(Text<'_>, Text<'_>, usize)> {
    let (name, at) = text(line, opened(line, at)?, b'=')?;
    let (value, at) = text(line, at, b']')?;
    Ok((name, value, at))
}

/// PD writes ` []` for an error that is none.
#[inline]
fn after_empty(line: &[u8], mut at: usize) -> usize {
    while line.get(at..at + 3) == Some(b" []") {
        at += 3;
    }
    at
}

#[inline]
fn opened(line: &[u8], at: usize) -> Parsed<usize> {
    match line.get(at..at + 2) {
        Some(b" [") => Ok(at + 2),
        _ => Err(ParseLineError::new(at.min(line.len()), "` [`")),
    }
}

/// A plain or quoted text that ends before `stop`, and where it goes on behind that.
#[inline]
fn text(line: &[u8], start: usize, stop: u8) -> Parsed<(Text<'_>, usize)> {
    let wrong = |at, what| Err(ParseLineError::new(at, what));
    let rest = line.get(start..).unwrap_or_default();
    let end = if rest.first() == Some(&b'"') {
        match string_end(line, start) {
            Ok(end) => end,
            Err(at) => return wrong(at, "a JSON string that ends"),
        }
    } else {
        start + plain_length(rest, stop)
    };
    match line.get(end) {
        Some(byte) if *byte == stop => Ok((Text::new(line.get(start..end).unwrap_or_default()), end + 1)),
        _ if stop == b'=' => wrong(end, "`=` after a name"),
        _ => wrong(end, "`]`"),
    }
}

#[cfg(test)]
mod tests;
