//! A page of the text exposition format, written as Go's and Rust's client libraries write it.

use std::fmt::Write as _;

/// Names and values of labels, in their order.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a str)];

/// How a page spells its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// PD: `1.610612736e+12`.
    Go,
    /// TiKV: `1610612736000`.
    Rust,
}

/// The upper bounds of a histogram without `+Inf`: each is the one before times `factor`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) first: f64,
    pub(crate) factor: f64,
    pub(crate) count: usize,
}

impl Bounds {
    pub(crate) fn list(self) -> Vec<f64> {
        std::iter::successors(Some(self.first), |bound| Some(bound * self.factor)).take(self.count).collect()
    }
}

/// What a histogram has counted.
pub(crate) struct Counted<F> {
    /// How many events were at most so large; never fewer for a larger bound.
    pub(crate) up_to: F,
    pub(crate) count: f64,
    pub(crate) sum: f64,
}

/// Families in any order; [`Page::finish`] sorts them, as both libraries do.
pub(crate) struct Page {
    numbers: Numbers,
    families: Vec<(&'static str, String)>,
}

impl Page {
    pub(crate) fn new(numbers: Numbers) -> Self {
        Self { numbers, families: Vec::new() }
    }

    /// Begins a family, to which the samples that follow belong.
    pub(crate) fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.families.push((name, format!("# HELP {name} {help}\n# TYPE {name} {kind}\n")));
    }

    pub(crate) fn sample(&mut self, labels: Labels<'_>, value: f64) {
        self.line("", labels, None, value);
    }

    pub(crate) fn histogram(
        &mut self,
        labels: Labels<'_>,
        bounds: &[f64],
        counted: &Counted<impl Fn(f64) -> f64>,
    ) {
        for bound in bounds {
            self.line("_bucket", labels, Some(*bound), whole((counted.up_to)(*bound)));
        }
        let count = whole(counted.count);
        self.line("_bucket", labels, Some(f64::INFINITY), count);
        self.line("_sum", labels, None, counted.sum);
        self.line("_count", labels, None, count);
    }

    /// A family of one gauge without labels.
    pub(crate) fn gauge(&mut self, name: &'static str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.sample(&[], value);
    }

    /// A family of one counter without labels.
    pub(crate) fn counter(&mut self, name: &'static str, help: &str, value: f64) {
        self.family(name, "counter", help);
        self.sample(&[], value);
    }

    pub(crate) fn finish(mut self) -> String {
        self.families.sort_by_key(|(name, _)| *name);
        self.families.into_iter().map(|(_, text)| text).collect()
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, bound: Option<f64>, value: f64) {
        let numbers = self.numbers;
        let Some((name, text)) = self.families.last_mut() else { return };
        let _ = write!(text, "{name}{suffix}");
        let mut open = '{';
        for (label, value) in labels {
            let _ = write!(text, "{open}{label}=\"{value}\"");
            open = ',';
        }
        if let Some(bound) = bound {
            let _ = write!(text, "{open}le=\"");
            number(text, bound, numbers);
            text.push('"');
            open = ',';
        }
        if open == ',' {
            text.push('}');
        }
        text.push(' ');
        number(text, value, numbers);
        text.push('\n');
    }
}

fn number(text: &mut String, value: f64, numbers: Numbers) {
    if value == f64::INFINITY {
        text.push_str("+Inf");
        return;
    }
    if numbers == Numbers::Rust || value == 0.0 || !value.is_finite() {
        let _ = write!(text, "{value}");
        return;
    }
    // The shortest digits that read back, with an exponent from a million on and below a ten thousandth.
    let shortest = format!("{value:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let _ = if (-4..6).contains(&exponent) {
        write!(text, "{value}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(text, "{digits}e{sign}{:02}", exponent.unsigned_abs())
    };
}

/// How many things that is. Not cut at a whole number, where steady work stands whenever somebody looks: the share of it
/// below a bound is a hair less than all of it, and would count one less.
pub(crate) fn whole(count: f64) -> f64 {
    (count + 0.382).floor()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_as_each_library_spells_them() {
        for (value, go, rust) in [
            (0.0, "0", "0"),
            (1_610_612_736_000.0, "1.610612736e+12", "1610612736000"),
            (1_000_000.0, "1e+06", "1000000"),
            (540_000.0, "540000", "540000"),
            (0.000_05, "5e-05", "0.00005"),
            (0.000_1, "0.0001", "0.0001"),
            (-2.5, "-2.5", "-2.5"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NAN, "NaN", "NaN"),
        ] {
            for (numbers, wanted) in [(Numbers::Go, go), (Numbers::Rust, rust)] {
                let mut text = String::new();
                number(&mut text, value, numbers);
                assert_eq!(text, wanted);
            }
        }
    }

    #[test]
    fn families_are_sorted_and_the_bound_is_the_last_label() {
        let mut page = Page::new(Numbers::Rust);
        page.gauge("b", "Second.", 1.5);
        page.family("a", "histogram", "First.");
        let counted = Counted { up_to: |bound: f64| bound * 2.0, count: 9.9, sum: 12.5 };
        let bounds = Bounds { first: 1.0, factor: 2.0, count: 2 }.list();
        page.histogram(&[("x", "y")], &bounds, &counted);
        assert_eq!(
            page.finish(),
            "# HELP a First.\n# TYPE a histogram\n\
             a_bucket{x=\"y\",le=\"1\"} 2\na_bucket{x=\"y\",le=\"2\"} 4\na_bucket{x=\"y\",le=\"+Inf\"} 10\n\
             a_sum{x=\"y\"} 12.5\na_count{x=\"y\"} 10\n# HELP b Second.\n# TYPE b gauge\nb 1.5\n"
        );
    }
}
