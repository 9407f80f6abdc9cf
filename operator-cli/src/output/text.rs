//! Values as a person reads them: short, in fixed units, `-` for what is not known.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use operator_core::Key;

/// What stands for a value that is not known: never a zero.
pub(crate) const UNKNOWN: &str = "-";

/// `value` as text, or [`UNKNOWN`].
pub(crate) fn known<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| value.to_string())
}

/// A text from outside with everything that could move the cursor, colour the terminal, break a line or reverse the
/// reading direction written as an escape (`\n`, `\u{1b}`).
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    // Nearly all is ASCII, which is judged faster without a stop at each character.
    let is_printable = text.bytes().fold(true, |all, byte| all & (b' '..=b'~').contains(&byte));
    if is_printable || !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if is_unsafe(char) { safe.extend(char.escape_default()) } else { safe.push(char) }
    }
    Cow::Owned(safe)
}

/// Control characters (C0, DEL, C1), line and paragraph separators, and characters that change the reading direction.
pub(crate) fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// What went wrong at whom, the endpoint said once, the failures of several (which ` | ` separates) on a line each.
pub(crate) fn failure(message: &str, endpoint: Option<&str>, indent: usize) -> String {
    let mut text = escaped(message).replace(" | ", &format!("\n{:indent$}| ", ""));
    if let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.split(',').all(|one| message.contains(one)))
    {
        let _ = write!(text, " ({})", escaped(endpoint));
    }
    text
}

/// At most `max` characters, the last one `…` if there were more.
pub(crate) fn shortened(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        None => Cow::Borrowed(text),
        Some(_) => {
            let mut short: String = text.chars().take(max.saturating_sub(1)).collect();
            short.push('…');
            Cow::Owned(short)
        }
    }
}

/// Lines of at most `columns` characters, broken between words; a word that is longer has a line of its own.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A size with three digits and a binary unit: `38.6GiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = count as f64;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    // Not 1024: what rounds to 1000 and more would need a fourth digit.
    while value >= 999.5 {
        let Some(larger) = units.next() else { break };
        unit = Some(larger);
        value /= 1024.0;
    }
    format!("{}{}", digits(value), unit.unwrap_or(&""))
}

/// A flow: `38.6MiB/s`.
pub(crate) fn bytes_per_second(rate: f64) -> String {
    // Saturates: a rate that is no number shows as such below, and a negative one does not occur.
    if rate.is_finite() { format!("{}/s", bytes(rate.round() as u64)) } else { UNKNOWN.to_owned() }
}

/// A rate of things: `0.25`, `38.6`, `1234`.
pub(crate) fn rate(rate: f64) -> String {
    if rate.is_finite() { digits(rate) } else { UNKNOWN.to_owned() }
}

/// A latency with three digits: `860µs`, `1.54ms`, `2.3s`.
pub(crate) fn latency(latency: Duration) -> String {
    let seconds = latency.as_secs_f64();
    match seconds {
        0.999_5.. => format!("{}s", digits(seconds)),
        0.000_999_5.. => format!("{}ms", digits(seconds * 1e3)),
        _ => format!("{}µs", digits(seconds * 1e6)),
    }
}

/// Three digits where there is a fraction, without zeros at the end.
fn digits(value: f64) -> String {
    let decimals = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    let text = format!("{value:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// `part` of `whole` in per cent, if that means something.
pub(crate) fn percent(part: u64, whole: u64) -> Option<String> {
    (whole > 0).then(|| format!("{:.0}%", part as f64 / whole as f64 * 100.0))
}

/// How much time has passed: `12s`, `5m`, `3h12m`, `2d4h`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{large}{large_unit}")
        } else {
            format!("{large}{large_unit}{small}{small_unit}")
        }
    };
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=3_599 => format!("{minutes}m"),
        3_600..=86_399 => two(hours, "h", minutes, "m"),
        _ => two(days, "d", hours, "h"),
    }
}

/// How long before `now` something was: `12s ago`. Clocks differ: what lies ahead of ours says so.
pub(crate) fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let age = now.signed_duration_since(at);
    match age.to_std() {
        Ok(age) => format!("{} ago", duration(age)),
        // Less than two seconds ahead is now.
        Err(_) if age.num_seconds() > -2 => "0s ago".to_owned(),
        Err(_) => format!("{} ahead", duration((-age).to_std().unwrap_or_default())),
    }
}

/// A moment in UTC, to the second.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Which open end an empty key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Start,
    End,
}

/// A key in hex; an open end as `-inf` or `+inf`.
pub(crate) fn key(key: &Key, end: End) -> String {
    match (key.is_empty(), end) {
        (true, End::Start) => "-inf".to_owned(),
        (true, End::End) => "+inf".to_owned(),
        (false, _) => key.to_string(),
    }
}

/// As [`key`](key()), and of a long key only its first and last bytes: neighbours differ at the end.
pub(crate) fn short_key(key: &Key, end: End) -> String {
    const KEPT: usize = 4;
    match key.as_bytes() {
        [first @ .., _, _, _, _] if first.len() > KEPT + 1 => {
            let bytes = key.as_bytes();
            let mut text = String::new();
            for byte in bytes.iter().take(KEPT) {
                let _ = write!(text, "{byte:02X}");
            }
            text.push('…');
            for byte in bytes.iter().skip(first.len()) {
                let _ = write!(text, "{byte:02X}");
            }
            text
        }
        _ => self::key(key, end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_and_binary_units() {
        let shown = [
            (0, "0B"),
            (999, "999B"),
            (1000, "0.98KiB"),
            (1024, "1KiB"),
            (96 << 20, "96MiB"),
            (1 << 40, "1TiB"),
            (1_000_188_280_832, "931GiB"),
            (41_446_232_064, "38.6GiB"),
            (u64::MAX, "16EiB"),
        ];
        for (count, text) in shown {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(bytes_per_second(1536.0), "1.5KiB/s");
        assert_eq!(bytes_per_second(f64::NAN), "-");
    }

    #[test]
    fn latencies_have_three_digits_and_a_unit() {
        let shown = [
            (0, "0µs"),
            (860, "860µs"),
            (1_540, "1.54ms"),
            (99_960, "100ms"),
            (999_900, "1s"),
            (2_300_000, "2.3s"),
        ];
        for (micros, text) in shown {
            assert_eq!(latency(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn ages_are_short_and_say_when_clocks_differ() {
        let now = DateTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let ago = |seconds| age(now - Duration::from_secs(seconds), now);
        assert_eq!(ago(0), "0s ago");
        assert_eq!(ago(119), "119s ago");
        assert_eq!(ago(125), "2m ago");
        assert_eq!(ago(7_200), "2h ago");
        assert_eq!(ago(11_520), "3h12m ago");
        assert_eq!(ago(187_200), "2d4h ago");
        assert_eq!(age(now + Duration::from_secs(1), now), "0s ago");
        assert_eq!(age(now + Duration::from_secs(30), now), "30s ahead");
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        assert_eq!(known::<u64>(None), "-");
        assert_eq!(known(Some(0)), "0");
        assert_eq!(percent(1, 0), None);
        assert_eq!(percent(1, 3).unwrap(), "33%");
    }

    #[test]
    fn control_characters_are_escaped_and_letters_are_not() {
        assert_eq!(escaped("tikv-ü:20160"), "tikv-ü:20160");
        assert_eq!(escaped("a\u{1b}[31mb\n\u{7f}\u{9b}"), "a\\u{1b}[31mb\\n\\u{7f}\\u{9b}");
        assert_eq!(escaped("abc\u{202e}cba"), "abc\\u{202e}cba");
    }

    #[test]
    fn a_failure_names_its_endpoints_once_and_gives_each_a_line() {
        assert_eq!(failure("no answer\u{7}", Some("http://a"), 2), "no answer\\u{7} (http://a)");
        assert_eq!(
            failure("http://a: x | http://b: y", Some("http://a,http://b"), 2),
            "http://a: x\n  | http://b: y"
        );
    }

    #[test]
    fn long_keys_keep_their_ends() {
        let parse = |text: &str| text.parse::<Key>().unwrap();
        assert_eq!(short_key(&parse("7480000000000000FF5F7200000000FB"), End::Start), "74800000…000000FB");
        assert_eq!(short_key(&parse("748000000000000000"), End::Start), "748000000000000000");
        assert_eq!(short_key(&Key::default(), End::Start), "-inf");
        assert_eq!(short_key(&Key::default(), End::End), "+inf");
    }

    #[test]
    fn texts_are_shortened_by_characters() {
        assert_eq!(shortened("übel", 4), "übel");
        assert_eq!(shortened("übels", 4), "übe…");
    }

    #[test]
    fn texts_are_broken_between_words() {
        assert_eq!(wrapped("ein übel ist genug", 8), ["ein übel", "ist", "genug"]);
        assert_eq!(wrapped("unbreakable so", 4), ["unbreakable", "so"]);
        assert_eq!(wrapped("", 4), [""; 0]);
    }
}
