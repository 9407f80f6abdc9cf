//! A line of a log whose format was set to JSON: one flat object, its keys in any order.

use super::level::Level;
use super::line::{Entry, Fields, ParseLineError};
use super::text::{Text, string_end};
use super::time::Time;

type Pair<'a> = (Text<'a>, Text<'a>);

/// Reads `{"time":…,"level":…,"caller":…,"message":…,…}`.
pub(super) fn parse(line: &[u8]) -> Result<Entry<'_>, ParseLineError> {
    let wrong = |rest: &[u8], what| Err(ParseLineError::new(line.len() - rest.len(), what));
    let inside = line.get(1..).unwrap_or_default();
    let (mut time, mut level, mut source, mut message) = (None, None, None, None);
    let mut rest = inside;
    loop {
        let before = rest;
        match pair(&mut rest) {
            Ok(Some((name, value))) => match name.inner() {
                b"time" => time = Some(value),
                b"level" => level = Some(value),
                b"caller" => source = Some(value),
                b"message" => message = Some(value),
                _ => {}
            },
            Ok(None) if rest.is_empty() => break,
            Ok(None) => return wrong(rest, "the end of the line after `}`"),
            Err(left) => {
                return wrong(before.get(before.len() - left..).unwrap_or_default(), "a JSON object");
            }
        }
    }
    let Some(time) = time.and_then(|time| Time::parse(time.inner())) else {
        return wrong(line, "an object with a `time` such as `2026/11/22 02:43:46.081 +00:00`");
    };
    let Some(level) = level.and_then(|level| Level::read(level.inner())) else {
        return Err(ParseLineError::new(0, "an object with a `level` such as `INFO`").after_time());
    };
    let (source, message) = (source.unwrap_or(Text::new(b"<unknown>")), message.unwrap_or(Text::new(b"")));
    Ok(Entry::new(time, level, source, message, Fields::new(line, 1, true)))
}

/// The next pair that is not told elsewhere, of an object that was checked.
pub(super) fn next_field<'a>(rest: &mut &'a [u8]) -> Option<Pair<'a>> {
    loop {
        let pair = pair(rest).ok()??;
        if !matches!(pair.0.inner(), b"time" | b"level" | b"caller" | b"message") {
            return Some(pair);
        }
    }
}

/// The next pair, with what separates it from the one after; none at the closing brace. Else how many bytes are left
/// where it is wrong.
fn pair<'a>(rest: &mut &'a [u8]) -> Result<Option<Pair<'a>>, usize> {
    if let Some(end) = spaces(rest).strip_prefix(b"}") {
        *rest = spaces(end);
        return Ok(None);
    }
    let at = spaces(rest);
    let (name, at) = string(at)?;
    let at = spaces(at).strip_prefix(b":").ok_or(at.len())?;
    let (value, at) = value(spaces(at))?;
    *rest = match spaces(at) {
        [b',', more @ ..] if spaces(more).first() == Some(&b'"') => more,
        end @ [b'}', ..] => end,
        end => return Err(end.len()),
    };
    Ok(Some((name, value)))
}

fn spaces(text: &[u8]) -> &[u8] {
    text.trim_ascii_start()
}

fn string(at: &[u8]) -> Result<(Text<'_>, &[u8]), usize> {
    if at.first() != Some(&b'"') {
        return Err(at.len());
    }
    let end = string_end(at, 0).map_err(|wrong| at.len() - wrong)?;
    split(at, end)
}

fn split(at: &[u8], end: usize) -> Result<(Text<'_>, &[u8]), usize> {
    let (raw, rest) = at.split_at_checked(end).ok_or(0_usize)?;
    Ok((Text::new(raw), rest))
}

/// A string, a number or word, or something nested, which is one text.
fn value(at: &[u8]) -> Result<(Text<'_>, &[u8]), usize> {
    match at.first() {
        Some(b'"') => string(at),
        Some(b'{' | b'[') => split(at, nested_end(at)?),
        _ => {
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
            let end = at.iter().position(|byte| !is_part(byte)).unwrap_or(at.len());
            if end == 0 { Err(at.len()) } else { split(at, end) }
        }
    }
}

/// Behind the bracket that closes the first one. Which kind closes which is not our business.
fn nested_end(text: &[u8]) -> Result<usize, usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match text.get(at) {
            Some(b'{' | b'[') => depth += 1,
            Some(b'}' | b']') => depth -= 1,
            Some(b'"') => {
                at = string_end(text, at).map_err(|wrong| text.len() - wrong)?;
                continue;
            }
            Some(_) => {}
            None => return Err(0),
        }
        at += 1;
        if depth == 0 {
            return Ok(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Vec<(String, String)> {
        let entry = parse(line.as_bytes()).unwrap();
        entry.fields().map(|(name, value)| (name.text().into_owned(), value.text().into_owned())).collect()
    }

    #[test]
    fn the_json_format_says_the_same_as_the_text() {
        let json = concat!(
            r#"{"region_id":2,"raft_id":3,"message":"became leader at term 6","caller":"raft.rs:1271","#,
            r#""level":"INFO","time":"2026/11/22 02:43:46.639 +00:00","term":6,"err":"a \"b\"\n"}"#
        );
        let entry = parse(json.as_bytes()).unwrap();
        let mut text = Vec::new();
        entry.write(&mut text);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            concat!(
                r#"[2026/11/22 02:43:46.639 +00:00] [INFO] [raft.rs:1271] ["became leader at term 6"] [region_id=2] "#,
                r#"[raft_id=3] [term=6] [err="a \"b\"\n"]"#
            )
        );
    }

    #[test]
    fn spaces_and_nested_values_are_taken_as_they_stand() {
        let line = r#"{ "time" : "2026/11/22 02:43:46.639 +00:00", "level":"WARN", "a":{"b":["}",1]} , "c":null, "d":-1.5e3 }"#;
        let expected = [("a", r#"{"b":["}",1]}"#), ("c", "null"), ("d", "-1.5e3")];
        assert_eq!(told(line), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(parse(line.as_bytes()).unwrap().source.text(), "<unknown>");
    }

    #[test]
    fn what_is_wrong_says_where() {
        let error = |line: &str| parse(line.as_bytes()).unwrap_err();
        for (line, at) in [
            ("{", 1),
            ("{x", 1),
            (r#"{"a"}"#, 4),
            (r#"{"a":1"#, 6),
            (r#"{"a":1,}"#, 6),
            (r#"{"a":[1}"#, 0),
            (r#"{"a":"x}"#, 8),
            (r#"{"a":1} x"#, 8),
        ] {
            let error = error(line);
            assert!(!error.has_time && (error.at == at || at == 0), "{line}: {error}");
        }
        assert!(error(r#"{"time":"2026/11/22 02:43:46.639 +00:00"}"#).has_time);
    }
}
