//! How long things take, and the histograms of it.

use super::Facts;
use crate::exposition::{Bounds, Counted, Labels, Page, whole};
use crate::model::Totals;

/// No value is larger than so many medians. Among the few requests of a simulated minute a single late one is the p99, and
/// a disk that is well has none.
const LARGEST_MEDIANS: f64 = 60.0;

/// A log-logistic distribution: most values are near the median, a few much larger, and how many are below a bound is
/// known without drawing them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latency {
    median: f64,
    /// The larger, the narrower; above 1, or there is no mean.
    shape: f64,
}

impl Latency {
    pub(super) const fn new(median: f64, shape: f64) -> Self {
        Self { median, shape }
    }

    /// The share of values that are at most `bound`.
    fn up_to(self, bound: f64) -> f64 {
        let share = |medians: f64| 1.0 / (1.0 + medians.powf(-self.shape));
        (share(bound / self.median) / share(LARGEST_MEDIANS)).min(1.0)
    }

    fn mean(self) -> f64 {
        let angle = std::f64::consts::PI / self.shape;
        self.median * angle / angle.sin()
    }
}

/// How many of the things that a series counts were done.
pub(super) type Events = fn(&Totals) -> f64;

/// One series of a histogram: what it counts, and how long that takes on a disk that is fast and on one that is slow.
#[derive(Clone, Copy)]
pub(super) struct Timed {
    pub(super) labels: Labels<'static>,
    pub(super) events: Events,
    pub(super) fast: Latency,
    pub(super) slow: Latency,
}

/// A family of histograms.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) bounds: Bounds,
    pub(super) series: &'static [Timed],
}

impl Facts<'_> {
    pub(super) fn histograms(&self, page: &mut Page, families: &[Family]) {
        for family in families {
            page.family(family.name, "histogram", family.help);
            let bounds = family.bounds.list();
            for timed in family.series {
                self.timed(page, timed.labels, &bounds, timed);
            }
        }
    }

    pub(super) fn timed(&self, page: &mut Page, labels: Labels<'_>, bounds: &[f64], timed: &Timed) {
        self.write(page, labels, bounds, timed, (timed.events)(&self.work.fast));
    }

    /// What happens on a slow disk only.
    pub(super) fn timed_slow(&self, page: &mut Page, bounds: &[f64], timed: &Timed) {
        self.write(page, timed.labels, bounds, timed, 0.0);
    }

    fn write(&self, page: &mut Page, labels: Labels<'_>, bounds: &[f64], timed: &Timed, fast: f64) {
        let slow = (timed.events)(&self.work.slow);
        let counted = Counted {
            // Each by itself: or the last half of a slow one would come when the disk is fast again.
            up_to: |bound: f64| whole(fast * timed.fast.up_to(bound)) + whole(slow * timed.slow.up_to(bound)),
            count: whole(fast) + whole(slow),
            sum: fast * timed.fast.mean() + slow * timed.slow.mean(),
        };
        page.histogram(labels, bounds, &counted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_are_below_the_median_and_the_mean_is_the_mean() {
        let latency = Latency::new(0.002, 3.0);
        assert!((latency.up_to(0.002) - 0.5).abs() < 1e-4);
        assert!(latency.up_to(0.0) == 0.0 && latency.up_to(1e9) > 0.999_999);
        // The mean as the area above the distribution, in steps of a microsecond up to a second.
        let area: f64 = (0..1_000_000).map(|n| (1.0 - latency.up_to(f64::from(n) * 1e-6)) * 1e-6).sum();
        assert!((area / latency.mean() - 1.0).abs() < 1e-3, "{area} {}", latency.mean());
    }
}
