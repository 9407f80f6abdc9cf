//! Quantiles of classic histograms.

use super::number::parse_number;

/// One bucket of a histogram: how many observations, or how many a second, were at most `upper_bound`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The label `le`; see [`Bucket::bound`].
    pub upper_bound: f64,
    /// Observations in this and all lower buckets.
    pub count: f64,
}

impl Bucket {
    /// Reads the label `le`. `None` where Prometheus leaves the bucket out, and for NaN, which has no place in an
    /// order (with Prometheus it lands anywhere).
    pub fn bound(le: &str) -> Option<f64> {
        parse_number(le).filter(|bound| !bound.is_nan())
    }
}

/// What Prometheus' `histogram_quantile(q, …)` gives for the buckets of one histogram, in any order, to the bit.
///
/// NaN if there is no observation, no bucket for `+Inf`, or no other bucket; infinite if `q` is not in 0 ..= 1. A
/// quantile that lies in the highest bucket is the bound below it, so it can be too low: the 99% of a histogram that
/// ends at 100 s is never over 100 s.
///
/// This is 2.42's rule: a bucket that counts less than a lower one is raised to it. Since 2.48 Prometheus first takes
/// counts that differ by less than 1e-12 of them as equal, so that the rounding of sums does not move a quantile
/// from one bucket to the next.
pub fn histogram_quantile(q: f64, mut buckets: Vec<Bucket>) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    buckets.sort_by(|a, b| a.upper_bound.total_cmp(&b.upper_bound));
    // `0.1` and `0.10` are one bucket.
    buckets.dedup_by(|bucket, kept| {
        let same = bucket.upper_bound == kept.upper_bound;
        if same {
            kept.count += bucket.count;
        }
        same
    });
    // A NaN in the first bucket is never exceeded nor undercut, and nothing is raised then.
    let mut highest = buckets.first().map_or(f64::NAN, |lowest| lowest.count);
    for bucket in &mut buckets {
        if bucket.count < highest {
            bucket.count = highest;
        } else if bucket.count > highest {
            highest = bucket.count;
        }
    }

    let [finite @ .., last] = buckets.as_slice() else { return f64::NAN };
    let Some(highest_finite) = finite.last() else { return f64::NAN };
    if last.upper_bound != f64::INFINITY || last.count == 0.0 {
        return f64::NAN;
    }
    let mut rank = q * last.count;
    let Some((index, bucket)) = first_reaching(finite, rank) else { return highest_finite.upper_bound };
    let below = index.checked_sub(1).and_then(|index| finite.get(index));
    let Some(below) = below else {
        // Observations are taken to be positive, unless the lowest bound says that they are not.
        return match bucket.upper_bound {
            bound if bound <= 0.0 => bound,
            bound => 0.0 + (bound - 0.0) * (rank / bucket.count),
        };
    };
    rank -= below.count;
    let count = bucket.count - below.count;
    below.upper_bound + (bucket.upper_bound - below.upper_bound) * (rank / count)
}

/// The first bucket that counts at least `rank`, found as Go's `sort.Search` finds it: it matters which buckets are
/// looked at when a count is NaN, and Rust's `partition_point` looks at others.
fn first_reaching(buckets: &[Bucket], rank: f64) -> Option<(usize, &Bucket)> {
    let (mut low, mut high) = (0, buckets.len());
    while low < high {
        let middle = low.midpoint(high);
        match buckets.get(middle) {
            Some(bucket) if bucket.count >= rank => high = middle,
            _ => low = middle + 1,
        }
    }
    buckets.get(low).map(|bucket| (low, bucket))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantile(q: f64, buckets: &[(&str, f64)]) -> f64 {
        let buckets = buckets
            .iter()
            .map(|(le, count)| Bucket { upper_bound: Bucket::bound(le).unwrap(), count: *count });
        histogram_quantile(q, buckets.collect())
    }

    #[test]
    fn a_quantile_is_interpolated_within_its_bucket() {
        let buckets = [("+Inf", 100.0), ("0.1", 50.0), ("0.2", 90.0), ("0.4", 100.0)];
        assert_eq!(quantile(0.25, &buckets), 0.05);
        assert_eq!(quantile(0.5, &buckets), 0.1);
        assert_eq!(quantile(0.7, &buckets), 0.1 + (0.2 - 0.1) * 0.5);
        assert_eq!(quantile(1.0, &buckets), 0.4);
        assert_eq!(quantile(0.0, &buckets), 0.0);
    }

    #[test]
    fn the_highest_bucket_has_no_upper_end() {
        let buckets = [("1", 10.0), ("2", 20.0), ("+Inf", 40.0)];
        assert_eq!(quantile(0.99, &buckets), 2.0);
    }

    #[test]
    fn a_lowest_bound_that_is_not_positive_is_the_answer_itself() {
        assert_eq!(quantile(0.1, &[("-1", 5.0), ("1", 10.0), ("+Inf", 10.0)]), -1.0);
        assert_eq!(quantile(0.1, &[("0", 5.0), ("1", 10.0), ("+Inf", 10.0)]), 0.0);
        assert_eq!(quantile(0.75, &[("-1", 5.0), ("1", 10.0), ("+Inf", 10.0)]), 0.0);
    }

    #[test]
    fn without_observations_or_a_whole_histogram_there_is_no_quantile() {
        for buckets in [
            &[][..],
            &[("+Inf", 10.0)],
            &[("1", 5.0), ("2", 10.0)],
            &[("1", 0.0), ("+Inf", 0.0)],
            &[("1", 0.0), ("2", 0.0), ("+Inf", 0.0)],
        ] {
            assert!(quantile(0.5, buckets).is_nan(), "{buckets:?}");
        }
    }

    #[test]
    fn q_out_of_range_is_infinite_before_anything_else_is_looked_at() {
        assert_eq!(quantile(-0.1, &[("1", 0.0)]), f64::NEG_INFINITY);
        assert_eq!(quantile(1.1, &[("1", 0.0)]), f64::INFINITY);
        assert!(quantile(f64::NAN, &[("1", 1.0), ("+Inf", 1.0)]).is_nan());
    }

    #[test]
    fn a_bucket_that_counts_less_than_a_lower_one_is_raised() {
        let broken = [("1", 10.0), ("2", 8.0), ("3", 20.0), ("+Inf", 20.0)];
        let raised = [("1", 10.0), ("2", 10.0), ("3", 20.0), ("+Inf", 20.0)];
        for q in [0.1, 0.5, 0.51, 0.75, 0.99] {
            assert_eq!(quantile(q, &broken), quantile(q, &raised), "{q}");
        }
    }

    #[test]
    fn two_spellings_of_a_bound_are_one_bucket() {
        let twice = [("0.1", 4.0), ("0.10", 6.0), ("1", 20.0), ("+Inf", 20.0)];
        assert_eq!(quantile(0.5, &twice), quantile(0.5, &[("0.1", 10.0), ("1", 20.0), ("+Inf", 20.0)]));
    }

    // What `promtool test rules` 2.42 gives.
    #[test]
    fn nan_counts_lead_where_they_lead_prometheus() {
        let low = [("1", f64::NAN), ("2", 4.0), ("+Inf", 10.0)];
        assert_eq!(quantile(0.5, &low), 2.0);
        assert!(quantile(0.05, &low).is_nan() && quantile(0.3, &low).is_nan());
        assert_eq!(quantile(0.5, &[("1", 1.0), ("2", 4.0), ("+Inf", f64::NAN)]), 2.0);
    }

    #[test]
    fn a_nan_in_the_first_bucket_stops_the_raising() {
        let broken = [("1", f64::NAN), ("2", 5.0), ("3", 3.0), ("4", 10.0), ("+Inf", 10.0)];
        // Four finite buckets: `3` is looked at first and does not reach the rank, then `4` does.
        assert_eq!(quantile(0.4, &broken), 3.0 + (4.0 - 3.0) * (1.0 / 7.0));
    }

    #[test]
    fn a_bound_that_is_no_number_is_none() {
        assert_eq!(Bucket::bound("+Inf"), Some(f64::INFINITY));
        assert_eq!(Bucket::bound("5e-05"), Some(0.000_05));
        assert!(
            Bucket::bound("").is_none() && Bucket::bound("NaN").is_none() && Bucket::bound("a").is_none()
        );
    }
}
