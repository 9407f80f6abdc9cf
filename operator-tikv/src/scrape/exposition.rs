//! A reader of Prometheus' text exposition format, version 0.0.4, which is what TiKV and PD write.

use std::fmt;

use memchr::memchr;

use super::labels::{Labels, Malformed, name_length};
use super::number::parse_number;

/// One line of a page: one series and its value. Everything in it is borrowed from the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// The metric's name, for a histogram with `_bucket`, `_sum` or `_count`.
    pub name: &'a str,
    /// The labels.
    pub labels: Labels<'a>,
    /// The value, which can be NaN or infinite.
    pub value: f64,
    /// The time that the page gives to the sample, in milliseconds since 1970; TiKV and PD give none.
    pub timestamp_millis: Option<i64>,
}

/// The names of the metrics that are wanted of a page. Meant for tens of names, not for thousands.
#[derive(Debug, Clone)]
pub struct Wanted(Vec<String>);

impl Wanted {
    /// Wants the metrics of these names, written in full: of a histogram `x` ask for `x_bucket` or `x_count`.
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// Whether `line` begins with one of the names. The byte after the name is compared first: it is seldom there.
    fn has(&self, line: &[u8]) -> bool {
        self.0.iter().any(|name| {
            matches!(line.get(name.len()), Some(b'{' | b' ' | b'\t')) && line.starts_with(name.as_bytes())
        })
    }
}

/// Goes over the samples of a page: of every metric, or of the [wanted](Self::only) ones, in which case lines of
/// other metrics are skipped without being read.
///
/// The page is read as Prometheus 2.42 reads it, with these differences. Metadata and comments are skipped
/// unchecked. `\r\n` ends a line too. A label's value is not continued on the next line. What OpenMetrics adds is
/// understood: exemplars are skipped, and timestamps are in seconds if the page ends with `# EOF`.
///
/// A line that cannot be read is an error with its place, and the next line comes after it. Prometheus refuses the
/// whole page then; so should whoever adds up what is read. The last line must end with a line feed: a page that was
/// cut is not told from a whole one otherwise, and `12` may have been `1234`.
///
/// ```
/// use operator_tikv::scrape::{Samples, Wanted};
///
/// let page = b"# TYPE up gauge\nup 1\nrequests_total{type=\"kv_get\"} 42\n";
/// let wanted = Wanted::new(["requests_total"]);
/// for sample in Samples::new(page).only(&wanted) {
///     let sample = sample?;
///     assert_eq!((sample.labels.get("type").as_deref(), sample.value), (Some("kv_get"), 42.0));
/// }
/// # Ok::<(), operator_tikv::scrape::LineError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Samples<'a, 'w> {
    page: &'a [u8],
    at: usize,
    line: usize,
    wanted: Option<&'w Wanted>,
    open_metrics: bool,
}

impl<'a, 'w> Samples<'a, 'w> {
    /// All samples of `page`.
    pub fn new(page: &'a [u8]) -> Self {
        let open_metrics = page.trim_ascii_end().ends_with(b"\n# EOF");
        Self { page, at: 0, line: 0, wanted: None, open_metrics }
    }

    /// Only the samples of these metrics.
    pub fn only(self, wanted: &'w Wanted) -> Self {
        Self { wanted: Some(wanted), ..self }
    }

    fn sample(&self, line: &'a [u8]) -> Result<Sample<'a>, Malformed> {
        let line = std::str::from_utf8(line)
            .map_err(|error| Malformed { at: error.valid_up_to(), what: "this is not UTF-8" })?;
        let place = |part: &str| part.as_ptr() as usize - line.as_ptr() as usize;

        let length = name_length(line).ok_or(Malformed { at: 0, what: "a metric's name expected" })?;
        let (name, rest) = line.split_at(length);
        let rest = without_blanks(rest);
        let (labels, rest) = match rest.strip_prefix('{') {
            None => (Labels::default(), rest),
            Some(text) => {
                let (labels, length) =
                    Labels::parse(text).map_err(|error| Malformed { at: place(text) + error.at, ..error })?;
                (labels, &text[length..])
            }
        };

        let (value, rest) = word(rest);
        let value = parse_number(value)
            .ok_or(Malformed { at: place(value), what: "a number expected as the value" })?;
        let mut sample = Sample { name, labels, value, timestamp_millis: None };
        let (time, rest) = word(rest);
        if time.is_empty() || time.starts_with('#') {
            return Ok(sample);
        }
        let millis = self.millis(time).ok_or(Malformed { at: place(time), what: "a timestamp expected" })?;
        sample.timestamp_millis = Some(millis);
        let (more, _) = word(rest);
        if more.is_empty() || more.starts_with('#') {
            return Ok(sample);
        }
        Err(Malformed { at: place(more), what: "the end of the line expected" })
    }

    /// Whole milliseconds, or in OpenMetrics seconds.
    fn millis(&self, text: &str) -> Option<i64> {
        if !self.open_metrics {
            // A sign is refused: Prometheus' own reader takes digits only.
            return text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        }
        let millis = parse_number(text)? * 1_000.0;
        // Beyond this a float no longer tells milliseconds apart; it is in the year 287396.
        const LARGEST: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
        (millis.abs() <= LARGEST).then_some(millis.round() as i64)
    }
}

/// The next word and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = without_blanks(text);
    text.split_at(text.bytes().position(is_blank).unwrap_or(text.len()))
}

fn without_blanks(text: &str) -> &str {
    &text[text.bytes().position(|byte| !is_blank(byte)).unwrap_or(text.len())..]
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

impl<'a> Iterator for Samples<'a, '_> {
    type Item = Result<Sample<'a>, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = self.at;
            let rest = self.page.get(start..).filter(|rest| !rest.is_empty())?;
            self.line += 1;
            let Some(length) = memchr(b'\n', rest) else {
                self.at = self.page.len();
                let whole = matches!(rest.trim_ascii(), b"" | b"# EOF");
                return (!whole).then_some(Err(LineError { line: self.line, byte: start, what: INCOMPLETE }));
            };
            self.at += length + 1;
            let line = &rest[..length];
            // The names stand at the start of the line; Prometheus allows blanks before them, nobody writes them.
            let blank = match line.first() {
                Some(b' ' | b'\t') => length - line.trim_ascii_start().len(),
                _ => 0,
            };
            let line = &line[blank..];
            if self.wanted.is_some_and(|wanted| !wanted.has(line)) {
                continue;
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if matches!(line.first(), None | Some(b'#')) {
                continue;
            }
            return Some(self.sample(line).map_err(|malformed| LineError {
                line: self.line,
                byte: start + blank + malformed.at,
                what: malformed.what,
            }));
        }
    }
}

/// A line that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineError {
    /// Which line it is, from 1.
    pub line: usize,
    /// How many bytes of the page come before the place of the error.
    pub byte: usize,
    what: &'static str,
}

const INCOMPLETE: &str = "the page ends within this line";

impl LineError {
    /// Whether the page was cut, or is still being written.
    pub fn is_incomplete(&self) -> bool {
        self.what == INCOMPLETE
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, byte {}: {}", self.line, self.byte, self.what)
    }
}

impl std::error::Error for LineError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, labels as text, value and time of each sample of a page that has no error.
    fn read(page: &str) -> Vec<(String, String, f64, Option<i64>)> {
        Samples::new(page.as_bytes())
            .map(|sample| {
                let Sample { name, labels, value, timestamp_millis } = sample.unwrap();
                (name.to_owned(), format!("{labels:?}"), value, timestamp_millis)
            })
            .collect()
    }

    fn first_error(page: &[u8]) -> LineError {
        Samples::new(page).find_map(Result::err).unwrap()
    }

    #[test]
    fn samples_are_read_and_comments_are_not() {
        let page = "# HELP a An a.\n# TYPE a counter\na 1\n\n#\n#x\n  \na{b=\"c\",d=\"\"} 2.5 \n a:b_1 { } -Inf\t1520879607789\n";
        let samples = read(page);
        assert_eq!(samples.len(), 3);
        assert_eq!(samples[0], ("a".into(), "{}".into(), 1.0, None));
        assert_eq!(samples[1], ("a".into(), r#"{"b": "c", "d": ""}"#.into(), 2.5, None));
        assert_eq!(samples[2], ("a:b_1".into(), "{}".into(), f64::NEG_INFINITY, Some(1_520_879_607_789)));
    }

    #[test]
    fn only_what_is_wanted_is_read() {
        let page = b"up 1\nupper 2\nup_total 3\nup{a=\"b\"} 4\nbroken line {{{\nup\t5\n# up 6\n";
        let wanted = Wanted::new(["up", "down"]);
        let values: Vec<_> = Samples::new(page).only(&wanted).map(|sample| sample.unwrap().value).collect();
        assert_eq!(values, [1.0, 4.0, 5.0]);
    }

    #[test]
    fn what_open_metrics_adds_is_understood() {
        let page = "a_bucket{le=\"1\"} 5 # {trace=\"a b\"} 0.67 1520879607.789\na 17.0 1520879607.789\na 1 -1 # {} 1\n# EOF\n";
        let samples = read(page);
        assert_eq!((samples[0].2, samples[0].3), (5.0, None));
        assert_eq!((samples[1].2, samples[1].3), (17.0, Some(1_520_879_607_789)));
        assert_eq!((samples[2].2, samples[2].3), (1.0, Some(-1_000)));
        assert_eq!(read("a 1\n# EOF").len(), 1);
        // Without the last line it is the older format: milliseconds, whole and not negative.
        assert_eq!(read("a 1 1520879607\n")[0].3, Some(1_520_879_607));
        assert!(Samples::new(b"a 1 1520879607.789\n").next().unwrap().is_err());
        assert!(Samples::new(b"a 1 -1\n").next().unwrap().is_err());
    }

    #[test]
    fn windows_line_ends_are_line_ends() {
        assert_eq!(read("# TYPE a gauge\r\na 1\r\n\r\na{b=\"c\"} 2\r\n").len(), 2);
    }

    #[test]
    fn an_error_says_where_and_the_next_line_is_read() {
        let page =
            b"a 1\na{b=\"c\" 2\n9a 1\na 0x10\na\na 1 2 3\na{b=\"\xff\"} 1\n{\"a\"} 1\na 1 x\n\0\nlast 7\n";
        let errors: Vec<_> = Samples::new(page).filter_map(Result::err).collect();
        let places: Vec<_> = errors.iter().map(|error| (error.line, &page[error.byte..][..1])).collect();
        let expected: [(usize, &[u8]); 9] = [
            (2, b"2"),
            (3, b"9"),
            (4, b"0"),
            (5, b"\n"),
            (6, b"3"),
            (7, b"\xff"),
            (8, b"{"),
            (9, b"x"),
            (10, b"\0"),
        ];
        assert_eq!(places, expected);
        assert_eq!(errors[0].to_string(), "line 2, byte 12: a label's name or `}` expected");
        assert!(errors.iter().all(|error| !error.is_incomplete()));
        let values: Vec<_> = Samples::new(page).filter_map(Result::ok).map(|sample| sample.value).collect();
        assert_eq!(values, [1.0, 7.0]);
    }

    #[test]
    fn a_page_that_was_cut_says_so_wherever_it_was_cut() {
        let page = b"# TYPE a counter\na{b=\"c\"} 1234\na{b=\"d\"} 5\n";
        let wanted = Wanted::new(["nothing"]);
        for length in 0..=page.len() {
            let cut = &page[..length];
            let at_line_end = cut.is_empty() || cut.ends_with(b"\n");
            for samples in [Samples::new(cut), Samples::new(cut).only(&wanted)] {
                let cuts =
                    samples.filter(|sample| sample.as_ref().is_err_and(LineError::is_incomplete)).count();
                assert_eq!(cuts, usize::from(!at_line_end), "{length}");
            }
            assert!(Samples::new(cut).flatten().all(|sample| [1234.0, 5.0].contains(&sample.value)));
        }
    }

    #[test]
    fn garbage_ends_in_errors() {
        let wanted = Wanted::new([""]);
        for page in [&b"<html><body>404</body></html>"[..], b"\0\0\0\n", b"\xff\xfe\n\n{\n}\n", b"{} 1\n"] {
            assert!(first_error(page).line >= 1);
            assert!(Samples::new(page).only(&wanted).count() <= 3);
        }
        assert_eq!(Samples::new(b"").count(), 0);
    }

    proptest::proptest! {
        #[test]
        fn no_page_makes_it_panic(page in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let wanted = Wanted::new(["a"]);
            for sample in Samples::new(&page).chain(Samples::new(&page).only(&wanted)) {
                match sample {
                    Ok(sample) => sample.labels.iter().for_each(drop),
                    Err(error) => assert!(error.byte <= page.len() && error.line >= 1),
                }
            }
        }

        #[test]
        fn no_line_of_likely_bytes_makes_it_panic(page in "[a{}=,\"\\\\\n\r #é0.]{0,60}") {
            for sample in Samples::new(page.as_bytes()).flatten() {
                sample.labels.iter().for_each(drop);
            }
        }

        #[test]
        fn what_is_written_is_read_back(
            name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}",
            labels in proptest::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,8}", ".{0,12}|[\\\\\n\"n]{0,6}", 0..5),
            value: f64,
            time in proptest::option::of(0..i64::MAX),
        ) {
            let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let written: Vec<_> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
            let time_text = time.map(|time| format!(" {time}")).unwrap_or_default();
            let value_text = if value.is_nan() { "NaN".to_owned() } else { value.to_string() };
            let page = format!("{name}{{{}}} {value_text}{time_text}\n", written.join(","));
            let sample = Samples::new(page.as_bytes()).next().unwrap().unwrap();
            assert_eq!((sample.name, sample.timestamp_millis), (name.as_str(), time));
            assert!(sample.value == value || sample.value.is_nan() && value.is_nan());
            let read: std::collections::BTreeMap<_, _> =
                sample.labels.iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
            assert_eq!(read, labels);
        }
    }
}
