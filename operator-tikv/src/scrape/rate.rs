//! How fast counters grow.

use std::time::Duration;

/// By how much a counter grew between two samples of it. A counter that fell was reset by a restart of its process,
/// and has counted `later` since; what it counted between `earlier` and the restart is lost, as it is to Prometheus.
pub fn increase(earlier: f64, later: f64) -> f64 {
    if later < earlier { later } else { later - earlier }
}

/// One sample of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Milliseconds since 1970: Prometheus' resolution.
    pub at_millis: i64,
    /// The value.
    pub value: f64,
}

/// What Prometheus' `rate(series[range])` gives at `end_millis`, to the bit: by how much a counter grows a second.
///
/// `points` are in the order of time; those that lie outside the range do not count. `None` if fewer than two are in
/// it, or all at one time, where Prometheus drops the series.
///
/// This is 2.42's arithmetic, and two things are different in Prometheus 3: it leaves out a point that lies exactly
/// on the start of the range, and where the first point is further from the start than points are from each other it
/// bounds the extrapolation by half of that distance *before* it bounds it by the time at which the counter was 0.
///
/// A rate over just two scrapes needs nothing of this: [`increase`] over the time between them is the mean over that
/// time, and what this function gives for a range that starts and ends with them. A range of a minute over points
/// five seconds apart covers 55 to 60 seconds, and is extrapolated to the rest; so under a steady load both agree, and
/// a short peak stands out of two scrapes and is levelled by a minute.
pub fn rate(points: &[Point], end_millis: i64, range: Duration) -> Option<f64> {
    let start_millis = end_millis.checked_sub(i64::try_from(range.as_millis()).ok()?)?;
    let first = points.partition_point(|point| point.at_millis < start_millis);
    let last = points.partition_point(|point| point.at_millis <= end_millis);
    let points = points.get(first..last)?;
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return None };
    if first.at_millis == last.at_millis {
        return None;
    }

    // In Prometheus' order of additions: floats do not add up to the same in another.
    let mut growth = last.value - first.value;
    for pair in points.windows(2) {
        if let [before, after] = pair
            && after.value < before.value
        {
            growth += before.value;
        }
    }

    let seconds = |from: i64, to: i64| (to - from) as f64 / 1_000.0;
    let sampled = seconds(first.at_millis, last.at_millis);
    let between_points = sampled / (points.len() - 1) as f64;
    let mut to_start = seconds(start_millis, first.at_millis);
    let to_end = seconds(last.at_millis, end_millis);
    if growth > 0.0 && first.value >= 0.0 {
        // A counter is never negative: the line through the points is not followed to below 0.
        let to_zero = sampled * (first.value / growth);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    // A point that is nearer to the end of the range than another point would be is taken as reaching it; where one
    // should have been and is not, the series is taken to begin or end half way.
    let near = between_points * 1.1;
    let reach = |distance: f64| if distance < near { distance } else { between_points / 2.0 };
    let covered = sampled + reach(to_start) + reach(to_end);
    Some(growth * (covered / sampled / range.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn points(values: &[(i64, f64)]) -> Vec<Point> {
        values.iter().map(|&(seconds, value)| Point { at_millis: seconds * 1_000, value }).collect()
    }

    #[test]
    fn a_counter_that_falls_started_again_from_zero() {
        assert_eq!(increase(3.0, 10.0), 7.0);
        assert_eq!(increase(10.0, 10.0), 0.0);
        assert_eq!(increase(10.0, 4.0), 4.0);
        assert_eq!(increase(10.0, 0.0), 0.0);
        assert!(increase(f64::NAN, 4.0).is_nan() && increase(4.0, f64::NAN).is_nan());
    }

    #[test]
    fn two_points_at_the_ends_of_the_range_give_the_mean() {
        let two = points(&[(0, 100.0), (60, 160.0)]);
        assert_eq!(rate(&two, 60_000, MINUTE), Some(1.0));
        let restarted = points(&[(0, 100.0), (60, 30.0)]);
        assert_eq!(rate(&restarted, 60_000, MINUTE), Some(0.5));
    }

    #[test]
    fn a_range_is_extrapolated_to_its_ends_where_points_are_near_them() {
        let steady = points(&[(5, 1_005.0), (20, 1_020.0), (35, 1_035.0), (50, 1_050.0)]);
        assert!((rate(&steady, 60_000, MINUTE).unwrap() - 1.0).abs() < 1e-12);
        // Not below 0, where the counter began: 15 in 15 s, and 1 s and 20 s around them of which 7.5 s count.
        let young = points(&[(25, 1.0), (40, 16.0)]);
        assert!((rate(&young, 60_000, MINUTE).unwrap() - (15.0 + 1.0 + 7.5) / 60.0).abs() < 1e-12);
    }

    #[test]
    fn fewer_than_two_points_in_the_range_give_nothing() {
        let some = points(&[(0, 1.0), (10, 2.0), (100, 3.0)]);
        assert_eq!(rate(&some, 200_000, MINUTE), None);
        assert_eq!(rate(&some, 101_000, MINUTE), None);
        assert_eq!(rate(&[], 0, MINUTE), None);
        assert_eq!(rate(&some, i64::MIN, MINUTE), None);
        // At one moment nothing has a speed.
        assert_eq!(rate(&points(&[(0, 1.0), (0, 2.0)]), 0, MINUTE), None);
    }
}
