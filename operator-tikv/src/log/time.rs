//! The time of a line, as it is written: read by hand, because a line is read in less time than a general parser takes
//! for its date.

use std::fmt;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use wide::u8x32;

use super::text::eight_digits;

/// A date, a time of day and a zone, each in its range.
///
/// The 60th second of a minute is a leap second, and stays one in [`utc`](Self::utc).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Time {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    nanos: u32,
    /// East of UTC.
    offset_minutes: i16,
}

impl Time {
    /// Reads `2026/11/22 02:43:46.081 +00:00`. The fraction may have up to nine digits or be missing.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (fixed, rest) = text.split_at_checked(19)?;
        let &[y0, y1, y2, y3, b'/', mo0, mo1, b'/', d0, d1, b' ', h0, h1, b':', m0, m1, b':', s0, s1] = fixed
        else {
            return None;
        };
        let year = u16::from(two(y0, y1)?) * 100 + u16::from(two(y2, y3)?);
        let (month, day) = (two(mo0, mo1)?, two(d0, d1)?);
        let (hour, minute, second) = (two(h0, h1)?, two(m0, m1)?, two(s0, s1)?);
        let (nanos, zone) = fraction(rest)?;
        let offset_minutes = zone_of(zone)?;
        Self { year, month, day, hour, minute, second, nanos, offset_minutes }.checked()
    }

    /// Reads what nearly every line begins with, `[2026/11/22 02:43:46.081 +00:00]`, its bytes all at once. Others are
    /// for [`parse`](Self::parse).
    #[inline]
    pub(super) fn usual(line: &[u8; 32]) -> Option<Self> {
        const SHAPE: [u8; 32] = *b"[0000/00/00 00:00:00.000 +00:00]";
        const MOST: [u8; 32] =
            *b"\0\x09\x09\x09\x09\0\x09\x09\0\x09\x09\0\x09\x09\0\x09\x09\0\x09\x09\0\x09\x09\x09\0\0\0\0\0\0\0\0";
        let digits = u8x32::new(*line) - u8x32::new(SHAPE);
        if digits.max(u8x32::new(MOST)) != u8x32::new(MOST) {
            return None;
        }
        let [_, y0, y1, y2, y3, _, mo0, mo1, _, d0, d1, _, h0, h1, _, m0, m1, _, s0, s1, _, f0, f1, f2, ..] =
            digits.to_array();
        let two = |tens: u8, units: u8| tens * 10 + units;
        let year = u16::from(two(y0, y1)) * 100 + u16::from(two(y2, y3));
        let nanos = (u32::from(two(f0, f1)) * 10 + u32::from(f2)) * 1_000_000;
        let (month, day, hour) = (two(mo0, mo1), two(d0, d1), two(h0, h1));
        let (minute, second) = (two(m0, m1), two(s0, s1));
        Self { year, month, day, hour, minute, second, nanos, offset_minutes: 0 }.checked()
    }

    /// If each part is in its range.
    fn checked(self) -> Option<Self> {
        let valid = self.day > 0
            && (1..=12).contains(&self.month)
            // Every month has these, and to know more of it takes longer.
            && (self.day <= 28 || self.day <= days(self.year, self.month))
            && self.hour < 24
            && self.minute < 60
            && (self.second < 60 || (self.second == 60 && self.minute == 59));
        valid.then_some(self)
    }

    /// The moment. Costs more than all the rest of a line, and is done only when asked for.
    pub fn utc(self) -> DateTime<Utc> {
        let date = NaiveDate::from_ymd_opt(self.year.into(), self.month.into(), self.day.into());
        let minute = date.and_then(|date| date.and_hms_opt(self.hour.into(), self.minute.into(), 0));
        let minute = minute.unwrap_or_default().and_utc().timestamp() - i64::from(self.offset_minutes) * 60;
        // A leap second is the 59th, longer than a second.
        let leap = u32::from(self.second / 60);
        let second = i64::from(self.second) - i64::from(leap);
        // Years have four digits here, which chrono's exceed by far: neither can fail.
        DateTime::from_timestamp(minute + second, self.nanos + leap * 1_000_000_000).unwrap_or_default()
    }
}

/// As it is written, with as many digits as it needs.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, .. } = self;
        write!(f, "{year:04}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}")?;
        match self.nanos {
            nanos if nanos.is_multiple_of(1_000_000) => write!(f, ".{:03}", nanos / 1_000_000)?,
            nanos => write!(f, ".{nanos:09}")?,
        }
        let (sign, offset) =
            (if self.offset_minutes < 0 { '-' } else { '+' }, self.offset_minutes.unsigned_abs());
        write!(f, " {sign}{:02}:{:02}", offset / 60, offset % 60)
    }
}

impl Time {
    /// Appends it as chrono writes the same moment: RFC 3339 in UTC.
    pub(super) fn write_rfc3339(self, out: &mut Vec<u8>) {
        match self.common_rfc3339() {
            Some(text) => out.extend_from_slice(&text),
            None => out.extend_from_slice(self.uncommon_rfc3339().as_bytes()),
        }
    }

    /// Of what nearly every line has, without a detour: UTC and milliseconds.
    fn common_rfc3339(self) -> Option<[u8; 24]> {
        if self.offset_minutes != 0 || !self.nanos.is_multiple_of(1_000_000) || self.nanos == 0 {
            return None;
        }
        let millis = u64::from(self.nanos / 1_000_000);
        let [year, month, day] = [self.year, self.month.into(), self.day.into()].map(u64::from);
        let [hour, minute, second] = [self.hour, self.minute, self.second].map(u64::from);
        let date = eight_digits(year * 10_000 + month * 100 + day).to_le_bytes();
        let [y0, y1, y2, y3, mo0, mo1, d0, d1] = date;
        let time = hour * 1_000_000 + minute * 10_000 + second * 100 + millis / 10;
        let [h0, h1, m0, m1, s0, s1, f0, f1] = eight_digits(time).to_le_bytes();
        let f2 = b'0' + (millis % 10) as u8;
        Some([
            y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', m0, m1, b':', s0, s1, b'.', f0,
            f1, f2, b'Z',
        ])
    }

    fn uncommon_rfc3339(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }
}

/// As chrono writes the same moment: RFC 3339 in UTC.
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.common_rfc3339().as_ref().map(|text| std::str::from_utf8(text)) {
            Some(Ok(text)) => serializer.serialize_str(text),
            _ => serializer.serialize_str(&self.uncommon_rfc3339()),
        }
    }
}

fn two(tens: u8, units: u8) -> Option<u8> {
    let (tens, units) = (tens.wrapping_sub(b'0'), units.wrapping_sub(b'0'));
    (tens < 10 && units < 10).then(|| tens * 10 + units)
}

/// Nanoseconds, and what follows the fraction.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some((b'.', digits)) = text.split_first() else { return Some((0, text)) };
    // What nearly every line has.
    if let [a, b, c, rest @ ..] = digits
        && rest.first() == Some(&b' ')
    {
        let millis = u32::from(two(*a, *b)?) * 10 + u32::from(two(b'0', *c)?);
        return Some((millis * 1_000_000, rest));
    }
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at_checked(count)?;
    let value =
        digits.iter().fold(0_u64, |sum, digit| sum.wrapping_mul(10).wrapping_add((digit - b'0').into()));
    let scale = 10_u64.checked_pow(9_u32.checked_sub(u32::try_from(count).ok()?)?)?;
    if count == 0 { None } else { Some((u32::try_from(value * scale).ok()?, rest)) }
}

/// ` +08:00` in minutes.
fn zone_of(text: &[u8]) -> Option<i16> {
    let &[b' ', sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] = text else { return None };
    let (hours, minutes) = (two(h0, h1)?, two(m0, m1)?);
    let offset = i16::from(hours) * 60 + i16::from(minutes);
    (hours < 24 && minutes < 60).then_some(if sign == b'-' { -offset } else { offset })
}

fn days(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_moment_that_chrono_reads_and_is_written_as_chrono_writes_it() {
        for text in [
            "2026/11/22 02:43:46.081 +00:00",
            "2026/11/22 02:43:46.000 +00:00",
            "2019/01/15 13:40:39.619 +08:00",
            "2024/02/29 23:59:59.999 -03:30",
            "2000/02/29 00:00:00.001 +05:45",
            "0001/01/01 00:00:00.001 +00:00",
            "9999/12/31 23:59:59.999 +00:00",
            "2026/11/22 02:43:46.123456 +00:00",
        ] {
            let time = Time::parse(text.as_bytes()).unwrap();
            let chrono = DateTime::parse_from_str(text, "%Y/%m/%d %H:%M:%S%.f %z").unwrap().to_utc();
            assert_eq!(time.utc(), chrono, "{text}");
            let json = serde_json::to_string(&time).unwrap();
            assert_eq!(json, serde_json::to_string(&chrono).unwrap(), "{text}");
            if text.len() == 30 {
                assert_eq!(time.to_string(), text);
            }
        }
    }

    #[test]
    fn a_leap_second_is_a_moment_of_its_own() {
        let [before, leap, after] = [
            "2016/12/31 23:59:59.500 +00:00",
            "2017/01/01 08:59:60.500 +09:00",
            "2017/01/01 00:00:00.500 +00:00",
        ]
        .map(|text| Time::parse(text.as_bytes()).unwrap().utc());
        assert!(before < leap && leap < after);
        assert_eq!(leap.to_rfc3339_opts(SecondsFormat::AutoSi, true), "2016-12-31T23:59:60.500Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026/11/22",
            "2026/13/22 02:43:46.081 +00:00",
            "2026/00/22 02:43:46.081 +00:00",
            "2026/02/29 02:43:46.081 +00:00",
            "2026/11/00 02:43:46.081 +00:00",
            "2026/11/22 24:43:46.081 +00:00",
            "2026/11/22 02:60:46.081 +00:00",
            "2026/11/22 02:43:61.081 +00:00",
            "2026/11/22 02:43:60.081 +00:00",
            "2026/11/22 02:43:46. +00:00",
            "2026/11/22 02:43:46.0812345678 +00:00",
            "2026/11/22 02:43:46.081 +24:00",
            "2026/11/22 02:43:46.081",
            "2026-11-22 02:43:46.081 +00:00",
            "2026/11/22 02:43:46.081 +00:00x",
            "２026/11/22 02:43:46.081 +00:00",
        ] {
            assert_eq!(Time::parse(text.as_bytes()), None, "{text}");
        }
    }
}
