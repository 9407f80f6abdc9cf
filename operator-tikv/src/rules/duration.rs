//! Durations as Prometheus writes them: `1h30m`, `90s`, `1d`.

use std::time::Duration;

/// What they are made of, in the order in which they must stand, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// What fits into 64 bits of nanoseconds with a sign, some 292 years.
const MAX_MS: u64 = i64::MAX as u64 / 1_000_000;

/// Reads a duration as Prometheus' `model.ParseDuration` does.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let refused = || format!("`{text}` is not a duration such as 30s, 5m or 1h30m");
    let mut units = UNITS.iter();
    let (mut rest, mut total_ms) = (text, 0_u64);
    if text.is_empty() {
        return Err(refused());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, unit_ms) = units.find(|(name, _)| *name == unit).ok_or_else(refused)?;
        if number.is_empty() {
            return Err(refused());
        }
        let ms = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*unit_ms));
        total_ms = ms
            .and_then(|ms| ms.checked_add(total_ms))
            .filter(|total| *total <= MAX_MS)
            .ok_or_else(|| format!("`{text}` is longer than 292 years"))?;
        rest = after;
    }
    Ok(Duration::from_millis(total_ms))
}

/// Writes a duration as Prometheus does, to the millisecond: whole years, weeks and days only if nothing is left over.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, unit_ms) in UNITS {
        let exactly = matches!(unit, "y" | "w" | "d");
        if exactly && rest % unit_ms != 0 || rest < unit_ms {
            continue;
        }
        text.push_str(&format!("{}{unit}", rest / unit_ms));
        rest %= unit_ms;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prometheus_reads_is_read_and_written_as_it_writes_it() {
        for (text, milliseconds, written) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("1ms", 1, "1ms"),
            ("5m", 300_000, "5m"),
            ("90s", 90_000, "1m30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("1d", 86_400_000, "1d"),
            ("7d", 604_800_000, "1w"),
            ("1d1h", 90_000_000, "25h"),
            ("1y2w3d4h5m6s7ms", 33_019_506_007, "9172h5m6s7ms"),
            ("00060s", 60_000, "1m"),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(format_duration(duration), written);
        }
    }

    #[test]
    fn what_it_refuses_is_refused() {
        for text in
            ["", "1", "60", "s", "5 m", " 5m", "-5m", "1.5h", "5min", "1m1h", "1s1s", "1M", "5m3", "300y"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_duration("99999999999999999999s").is_err());
    }
}
