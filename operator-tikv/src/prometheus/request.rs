//! What is asked: parameters, and ranges cut to what one request may have.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Selector;
use crate::Error;
use crate::http::{Method, percent_encoded};

/// Prometheus refuses more points a series in one answer.
pub(crate) const MAX_POINTS: i64 = 11_000;

/// So many requests at most for one range: 11 million points a series, two years by the minute.
const MAX_PIECES: usize = 1_000;

/// A longer list of parameters goes as a form: servers and proxies limit the length of a URL, to 8 KiB mostly.
const MAX_URL_PARAMS: usize = 4 << 10;

/// A parameter list, as it stands in a URL or in a form.
#[derive(Debug, Default)]
pub(crate) struct Params(String);

impl Params {
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(&percent_encoded(name));
        self.0.push('=');
        self.0.push_str(&percent_encoded(value));
        self
    }

    pub(crate) fn and_time(self, name: &str, time: DateTime<Utc>) -> Self {
        self.and(name, &seconds(time.timestamp_millis()))
    }

    pub(crate) fn and_selectors(self, selectors: &[Selector]) -> Self {
        selectors.iter().fold(self, |params, selector| params.and("match[]", &selector.to_string()))
    }

    /// How to send them.
    pub(crate) fn method(&self) -> Method {
        if self.0.len() > MAX_URL_PARAMS { Method::Post } else { Method::Get }
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Milliseconds as Prometheus takes a time: seconds, with a fraction if there is one.
fn seconds(ms: i64) -> String {
    match ms.rem_euclid(1000) {
        0 => (ms / 1000).to_string(),
        _ => format!(
            "{}{}.{:03}",
            if ms < 0 { "-" } else { "" },
            ms.unsigned_abs() / 1000,
            ms.unsigned_abs() % 1000
        ),
    }
}

/// From when to when, and how far apart the points are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first point.
    pub start: DateTime<Utc>,
    /// No point is later.
    pub end: DateTime<Utc>,
    /// Between two points; at least a millisecond.
    pub step: Duration,
}

impl TimeRange {
    /// A range.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>, step: Duration) -> Self {
        Self { start, end, step }
    }

    /// The pieces of at most 11,000 points whose answers, one after the other, are the answer of the whole.
    pub(crate) fn pieces(&self) -> Result<Vec<Params>, Error> {
        let invalid = |message: String| Error::Config { field: "range", message };
        let (start, end) = (self.start.timestamp_millis(), self.end.timestamp_millis());
        let step = TimeDelta::from_std(self.step)
            .map_err(|_| invalid(format!("a step of {:?} is too long", self.step)))?
            .num_milliseconds();
        if step == 0 {
            return Err(invalid("the step must be at least a millisecond".to_owned()));
        }
        if end < start {
            return Err(invalid(format!("it ends ({}) before it starts ({})", self.end, self.start)));
        }
        let mut pieces = Vec::new();
        let mut first = start;
        loop {
            let last = step.saturating_mul(MAX_POINTS - 1).saturating_add(first).min(end);
            pieces.push(
                Params::default()
                    .and("start", &seconds(first))
                    .and("end", &seconds(last))
                    .and("step", &seconds(step)),
            );
            first = match last.checked_add(step) {
                // The last piece ends at the end, which need not be a point.
                Some(next) if last < end && next <= end => next,
                _ => return Ok(pieces),
            };
            if pieces.len() == MAX_PIECES {
                return Err(invalid(format!(
                    "more than {MAX_PIECES} requests would be needed: take a longer step"
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(start: i64, end: i64, step: i64) -> TimeRange {
        let at = |ms| DateTime::from_timestamp_millis(ms).unwrap();
        TimeRange::new(at(start), at(end), Duration::from_millis(step.unsigned_abs()))
    }

    fn points_of(piece: Params) -> Vec<i64> {
        let text = piece.into_string();
        let ms = |name: &str| {
            let value = text.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap();
            (value.parse::<f64>().unwrap() * 1000.0).round() as i64
        };
        (ms("start=")..=ms("end=")).step_by(usize::try_from(ms("step=")).unwrap()).collect()
    }

    #[test]
    fn parameters_are_encoded_as_recorded() {
        let query = r#"sum by (instance) (rate(tikv_grpc_msg_duration_seconds_count{type!="kv_gc"}[1m]))"#;
        assert_eq!(
            Params::default().and("query", query).and("time", "1795315673").into_string(),
            "query=sum%20by%20%28instance%29%20%28rate%28tikv_grpc_msg_duration_seconds_count%7Btype%21%3D%22kv_gc%22\
             %7D%5B1m%5D%29%29&time=1795315673"
        );
        assert_eq!(Params::default().and("a", "ü+&").into_string(), "a=%C3%BC%2B%26");
    }

    #[test]
    fn times_have_a_fraction_only_if_needed() {
        for (ms, text) in
            [(1_795_315_673_000, "1795315673"), (1_500, "1.500"), (7, "0.007"), (-1_500, "-1.500")]
        {
            assert_eq!(seconds(ms), text);
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        assert!(range(10, 9, 1).pieces().is_err());
        assert!(range(0, 9, 0).pieces().is_err());
        assert!(range(0, MAX_POINTS * 1_000, 1).pieces().is_err());
        assert_eq!(range(0, MAX_POINTS * 1_000 - 1, 1).pieces().unwrap().len(), 1_000);
        assert_eq!(range(5, 5, 1).pieces().unwrap().len(), 1);
        assert_eq!(range(0, 10_999, 1).pieces().unwrap().len(), 1);
        assert_eq!(range(0, 11_000, 1).pieces().unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn the_pieces_have_every_point_once(start in -5_000_i64..5_000, length in 0_i64..100_000, step in 1_i64..50) {
            let whole: Vec<i64> = (start..=start + length).step_by(usize::try_from(step).unwrap()).collect();
            let pieces = range(start, start + length, step).pieces().unwrap();
            let pieces: Vec<Vec<i64>> = pieces.into_iter().map(points_of).collect();
            prop_assert!(pieces.iter().all(|piece| piece.len() <= 11_000));
            prop_assert_eq!(pieces.concat(), whole);
        }
    }
}
