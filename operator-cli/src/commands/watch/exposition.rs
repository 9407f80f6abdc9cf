//! Numbers in Prometheus' text format, version 0.0.4.

use std::fmt::Write as _;

/// A page of metrics.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// What the samples that follow are; `help` is one line without backslashes.
    pub(super) fn metric(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A series of that name and its value.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        let mut before = '{';
        for (label, text) in labels {
            let _ = write!(self.0, "{before}{label}=\"");
            before = ',';
            for char in text.chars() {
                match char {
                    '\\' => self.0.push_str(r"\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str(r"\n"),
                    char => self.0.push(char),
                }
            }
            self.0.push('"');
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    /// All of it.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// How long things took, as Prometheus wants to know it.
pub(super) struct Histogram {
    /// How many took no longer than each of [`Self::BOUNDS`], and longer than the one before.
    counts: [u64; Self::BOUNDS.len()],
    /// All of them.
    count: u64,
    sum: f64,
}

impl Histogram {
    /// In seconds: from a cluster next door to one that does not answer.
    const BOUNDS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

    pub(super) fn new() -> Self {
        Self { counts: [0; Self::BOUNDS.len()], count: 0, sum: 0.0 }
    }

    pub(super) fn observe(&mut self, seconds: f64) {
        self.count += 1;
        self.sum += seconds;
        let mut counts = self.counts.iter_mut().zip(Self::BOUNDS);
        if let Some((count, _)) = counts.find(|(_, bound)| seconds <= *bound) {
            *count += 1;
        }
    }

    pub(super) fn write(&self, page: &mut Page, name: &str, help: &str) {
        page.metric(name, "histogram", help);
        let mut below = 0;
        for (count, bound) in self.counts.iter().zip(Self::BOUNDS) {
            below += count;
            page.sample(&format!("{name}_bucket"), &[("le", &bound.to_string())], below as f64);
        }
        page.sample(&format!("{name}_bucket"), &[("le", "+Inf")], self.count as f64);
        page.sample(&format!("{name}_sum"), &[], self.sum);
        page.sample(&format!("{name}_count"), &[], self.count as f64);
    }
}

#[cfg(test)]
mod tests {
    use operator_tikv::scrape::Samples;

    use super::*;

    #[test]
    fn whatever_a_label_says_is_read_back_as_it_was() {
        let texts = ["", "plain", "\"quoted\"", "back\\slash", "two\nlines", "\\n", "ü {a=\"b\"} 7"];
        let mut page = Page::default();
        page.metric("test_things", "gauge", "Things.");
        for text in texts {
            page.sample("test_things", &[("nr", "1"), ("text", text)], 0.5);
        }
        page.sample("test_things", &[], 9_007_199_254_740_991.0);
        let page = page.into_text();
        let samples: Vec<_> = Samples::new(page.as_bytes()).map(Result::unwrap).collect();
        let read: Vec<_> = samples.iter().filter_map(|sample| sample.labels.get("text")).collect();
        assert_eq!(read, texts);
        assert_eq!(samples.last().map(|sample| sample.value), Some(9_007_199_254_740_991.0));
    }

    #[test]
    fn a_histogram_counts_what_took_no_longer_than_each_bound() {
        let mut histogram = Histogram::new();
        for seconds in [0.01, 0.011, 3.0, 1e9] {
            histogram.observe(seconds);
        }
        let mut page = Page::default();
        histogram.write(&mut page, "test_seconds", "Seconds.");
        let page = page.into_text();
        for line in [
            r#"test_seconds_bucket{le="0.01"} 1"#,
            r#"test_seconds_bucket{le="0.025"} 2"#,
            r#"test_seconds_bucket{le="2.5"} 2"#,
            r#"test_seconds_bucket{le="60"} 3"#,
            r#"test_seconds_bucket{le="+Inf"} 4"#,
            "test_seconds_sum 1000000003.021",
            "test_seconds_count 4",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}: {page}");
        }
    }
}
