//! How Go and PD spell numbers and spans.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Serialize, Serializer};

/// A float as Go's encoder writes it: without a fraction when it has none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Float(pub(crate) f64);

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() < 1e15 {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// Bytes as docker's units write them: four digits and a binary unit, `375.8MiB`, `20GiB`, `0B`.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1_024.0 && unit + 1 < units.len() {
        value /= 1_024.0;
        unit += 1;
    }
    let decimals = match value {
        v if v >= 999.95 => 0,
        v if v >= 99.995 => 1,
        v if v >= 9.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{}", units.get(unit).unwrap_or(&""))
}

/// A span as Go writes it: `4m1.140784643s`, `30m0s`, `1.5s`.
pub(crate) fn duration(span: TimeDelta) -> String {
    let nanos = span.num_nanoseconds().unwrap_or(i64::MAX).max(0);
    let (seconds, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = format!("{nanos:09}");
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let seconds = format!("{seconds}{point}{fraction}s");
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, _) => format!("{minutes}m{seconds}"),
        _ => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// A moment as Go's JSON has it: RFC 3339 with as many digits as there are.
pub(crate) fn moment(at: DateTime<Utc>) -> String {
    let text = at.to_rfc3339_opts(SecondsFormat::Nanos, false);
    let text = text.trim_end_matches("+00:00").trim_end_matches('0').trim_end_matches('.');
    format!("{text}Z")
}

/// A moment as Go's `Time.String` has it, in PD's prose about operators.
pub(crate) fn prose_moment(at: DateTime<Utc>, since: DateTime<Utc>) -> String {
    let monotonic = (at - since).as_seconds_f64();
    format!("{} +0000 UTC m=+{monotonic:.9}", at.format("%Y-%m-%d %H:%M:%S%.9f"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_recorded() {
        for (bytes, text) in [
            (0, "0B"),
            (20 << 30, "20GiB"),
            (21_070_862_160, "19.62GiB"),
            (403_974_320, "385.3MiB"),
            (3_840, "3.75KiB"),
            (4 << 40, "4TiB"),
            (1_000 << 30, "1000GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn spans_are_written_as_go_does() {
        for (span, text) in [
            (TimeDelta::nanoseconds(241_140_784_643), "4m1.140784643s"),
            (TimeDelta::minutes(30), "30m0s"),
            (TimeDelta::milliseconds(1_500), "1.5s"),
            (TimeDelta::hours(3) + TimeDelta::seconds(7), "3h0m7s"),
        ] {
            assert_eq!(duration(span), text);
        }
    }

    #[test]
    fn moments_have_as_many_digits_as_there_are() {
        let at = DateTime::from_timestamp(1_795_315_426, 0).expect("in range");
        assert_eq!(moment(at), "2026-11-22T02:43:46Z");
        assert_eq!(moment(at + TimeDelta::nanoseconds(574_039_990)), "2026-11-22T02:43:46.57403999Z");
        assert_eq!(moment(at + TimeDelta::seconds(4)), "2026-11-22T02:43:50Z");
    }

    #[test]
    fn whole_floats_have_no_fraction() {
        let text = serde_json::to_string(&[Float(1.0), Float(1.5), Float(0.0)]).expect("serialises");
        assert_eq!(text, "[1,1.5,0]");
    }
}
