//! The units PD and TiKV write in.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Bytes in a MiB, the unit of `approximate_size` and `region_size`.
pub(crate) const MIB: u64 = 1 << 20;

/// Bytes of a size as PD writes it: `19.74GiB`, `252 GiB` (older versions), `0B`. Multiples are of 1024 also where the
/// unit is written `GB`. `None` if it is no size.
pub(crate) fn size_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let power = match unit.trim() {
        "" | "B" => 0,
        "KiB" | "KB" | "K" | "kB" => 1,
        "MiB" | "MB" | "M" => 2,
        "GiB" | "GB" | "G" => 3,
        "TiB" | "TB" | "T" => 4,
        "PiB" | "PB" | "P" => 5,
        "EiB" | "EB" | "E" => 6,
        _ => return None,
    };
    let bytes = number * 1024_f64.powi(power);
    // 2^64 as a float: what is not below it is no u64.
    (bytes < 18_446_744_073_709_551_616.0).then(|| bytes.round() as u64)
}

/// A duration as Go writes it: `10m11.682149154s`, `1h0m0s`, `1.5ms`, `0s`. `None` if it is none, or negative.
pub(crate) fn go_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() || total.is_zero() && text.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let nanoseconds_per_unit: u64 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        // In whole nanoseconds: a float would lose some of `498697h3m23.778273242s`.
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let seconds = (nanoseconds_per_unit / 1_000_000_000).checked_mul(whole)?;
        let below = nanoseconds_per_unit % 1_000_000_000;
        total = total.checked_add(Duration::from_secs(seconds))?;
        total = total.checked_add(Duration::from_nanos(below.checked_mul(whole)?))?;
        let mut place = nanoseconds_per_unit;
        for digit in fraction.bytes() {
            place /= 10;
            let nanoseconds = place.checked_mul(u64::from(digit.checked_sub(b'0').filter(|d| *d < 10)?))?;
            total = total.checked_add(Duration::from_nanos(nanoseconds))?;
        }
        rest = tail;
    }
    Some(total)
}

/// A moment in nanoseconds since 1970; `None` for 0, which stands for never.
pub(crate) fn from_nanoseconds(nanoseconds: i64) -> Option<DateTime<Utc>> {
    (nanoseconds > 0).then(|| DateTime::from_timestamp_nanos(nanoseconds))
}

/// A moment in seconds since 1970; `None` for 0, which stands for never.
pub(crate) fn from_seconds(seconds: i64) -> Option<DateTime<Utc>> {
    if seconds > 0 { DateTime::from_timestamp(seconds, 0) } else { None }
}

/// A rate or amount that is finite and not negative.
pub(crate) fn amount(value: f64) -> Option<f64> {
    (value.is_finite() && value >= 0.0).then_some(value)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0B", Some(0))]
    #[case("3.75KiB", Some(3840))]
    #[case("20GiB", Some(20 << 30))]
    #[case("252 GiB", Some(252 << 30))]
    #[case("1GB", Some(1 << 30))]
    #[case("931.5GiB", Some(1_000_190_509_056))]
    #[case("4TiB", Some(4 << 40))]
    #[case("15.9EiB", Some(18_331_451_923_248_867_328))]
    #[case("17EiB", None)]
    #[case("-1GiB", None)]
    #[case("GiB", None)]
    #[case("1.2.3GiB", None)]
    #[case("1 furlong", None)]
    #[case("NaN", None)]
    #[case("", None)]
    fn sizes(#[case] text: &str, #[case] bytes: Option<u64>) {
        assert_eq!(size_bytes(text), bytes);
    }

    #[rstest]
    #[case("10m11.682149154s", Some(Duration::new(611, 682_149_154)))]
    #[case("498697h3m23.778273242s", Some(Duration::new(498_697 * 3600 + 203, 778_273_242)))]
    #[case("30m0s", Some(Duration::from_secs(1800)))]
    #[case("1.5h", Some(Duration::from_secs(5400)))]
    #[case("10ms", Some(Duration::from_millis(10)))]
    #[case("1.5µs", Some(Duration::from_nanos(1500)))]
    #[case("0s", Some(Duration::ZERO))]
    #[case("0", Some(Duration::ZERO))]
    #[case("18446744073709551615h", None)]
    #[case("-1s", None)]
    #[case("5", None)]
    #[case("5 s", None)]
    #[case(".s", None)]
    #[case("", None)]
    fn durations(#[case] text: &str, #[case] duration: Option<Duration>) {
        assert_eq!(go_duration(text), duration);
    }

    #[test]
    fn a_moment_keeps_its_nanoseconds_and_zero_is_never() {
        let at = from_nanoseconds(1_795_315_446_646_612_913).unwrap();
        assert_eq!(at.to_rfc3339(), "2026-11-22T02:44:06.646612913+00:00");
        assert_eq!((from_nanoseconds(0), from_seconds(0), from_nanoseconds(-5)), (None, None, None));
        assert_eq!(from_seconds(i64::MAX), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", number in "[0-9.]{0,30}(h|m|s|ms|GiB|B){0,3}") {
            let _ = (size_bytes(&text), go_duration(&text), size_bytes(&number), go_duration(&number));
        }
    }
}
