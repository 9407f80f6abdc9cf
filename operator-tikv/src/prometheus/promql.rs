//! PromQL from typed parts: whatever a value contains, it stays a value.

use std::fmt;
use std::time::Duration;

/// What a label of a series must be.
///
/// A label that PromQL cannot take bare is quoted, which Prometheus 3 and later understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    label: String,
    operator: &'static str,
    value: String,
}

impl Matcher {
    /// The label has this value.
    pub fn equal(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), operator: "=", value: value.into() }
    }

    /// The label has another value, or the series does not have the label.
    pub fn not_equal(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), operator: "!=", value: value.into() }
    }

    /// The label has one of these values; with none given, nothing matches.
    pub fn one_of<V: AsRef<str>>(label: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        Self { label: label.into(), operator: "=~", value: alternatives(values) }
    }

    /// The label has none of these values.
    pub fn none_of<V: AsRef<str>>(label: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        Self { label: label.into(), operator: "!~", value: alternatives(values) }
    }

    /// The whole value matches this regular expression (RE2), which is taken as it is.
    pub fn regex(label: impl Into<String>, regex: impl Into<String>) -> Self {
        Self { label: label.into(), operator: "=~", value: regex.into() }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", Name(&self.label), self.operator, Quoted(&self.value))
    }
}

fn alternatives<V: AsRef<str>>(values: impl IntoIterator<Item = V>) -> String {
    let mut regex = String::new();
    let mut first = true;
    for value in values {
        if !std::mem::take(&mut first) {
            regex.push('|');
        }
        escape_regex(value.as_ref(), &mut regex);
    }
    // No values: a class without a member. An empty regular expression would match series without the label.
    if first { r"[^\s\S]".to_owned() } else { regex }
}

/// Escapes what means something in RE2, the same characters as Go's `regexp.QuoteMeta`.
fn escape_regex(value: &str, regex: &mut String) {
    for c in value.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            regex.push('\\');
        }
        regex.push(c);
    }
}

/// A string literal of PromQL.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;

        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                // Prometheus' lexer takes U+FFFD for broken UTF-8.
                '\u{fffd}' => f.write_str("\\ufffd")?,
                c if c.is_ascii_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// The name of a label, quoted if need be.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(self.0, false) { f.write_str(self.0) } else { Quoted(self.0).fmt(f) }
    }
}

fn is_plain(name: &str, colons: bool) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':'))
}

/// Whether a metric's name can stand before the braces.
pub(crate) fn is_plain_metric_name(name: &str) -> bool {
    is_plain(name, true) && !KEYWORDS.iter().any(|keyword| name.eq_ignore_ascii_case(keyword))
}

/// What means something else at the start of an expression, in some version of PromQL at least.
const KEYWORDS: [&str; 37] = [
    "and",
    "or",
    "unless",
    "atan2",
    "sum",
    "avg",
    "count",
    "min",
    "max",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "count_values",
    "quantile",
    "limitk",
    "limit_ratio",
    "offset",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "fill",
    "fill_left",
    "fill_right",
    "smoothed",
    "anchored",
    "start",
    "end",
    "step",
    "range",
    "inf",
    "nan",
];

/// Which series: a metric's name, and what their labels must be.
///
/// ```
/// use operator_tikv::prometheus::{Matcher, Selector};
///
/// let used = Selector::metric("tikv_store_size_bytes").with(Matcher::equal("type", "used"));
/// assert_eq!(used.to_string(), r#"tikv_store_size_bytes{type="used"}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    metric: String,
    matchers: Vec<Matcher>,
}

impl Selector {
    /// Every series of a metric.
    pub fn metric(name: impl Into<String>) -> Self {
        Self { metric: name.into(), matchers: Vec::new() }
    }

    /// Only those that also match this.
    pub fn with(mut self, matcher: Matcher) -> Self {
        self.matchers.push(matcher);
        self
    }

    /// Only those that also match all of these.
    pub fn with_all(mut self, matchers: impl IntoIterator<Item = Matcher>) -> Self {
        self.matchers.extend(matchers);
        self
    }

    /// How fast a counter grows, a second, over `window`.
    pub fn rate(&self, window: Duration) -> Expr {
        Expr(format!("rate({self}[{}])", Window(window)))
    }

    /// When each series' newest sample was taken, in seconds since 1970.
    pub fn timestamp(&self) -> Expr {
        Expr(format!("timestamp({self})"))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "{";
        if is_plain_metric_name(&self.metric) {
            f.write_str(&self.metric)?;
        } else {
            write!(f, "{{__name__={}", Quoted(&self.metric))?;
            separator = ",";
        }
        for matcher in &self.matchers {
            write!(f, "{separator}{matcher}")?;
            separator = ",";
        }
        if separator == "," { f.write_str("}") } else { Ok(()) }
    }
}

/// An expression.
///
/// ```
/// use std::time::Duration;
/// use operator_tikv::prometheus::{Matcher, Selector};
///
/// let buckets = Selector::metric("tikv_grpc_msg_duration_seconds_bucket").with(Matcher::not_equal("type", "kv_gc"));
/// let p99 = buckets.rate(Duration::from_secs(60)).sum_by(["instance", "le"]).histogram_quantile(0.99);
/// assert_eq!(
///     p99.to_string(),
///     "histogram_quantile(0.99, sum by (instance, le) \
///      (rate(tikv_grpc_msg_duration_seconds_bucket{type!=\"kv_gc\"}[1m])))",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Expr(String);

impl Expr {
    /// An expression written by hand.
    pub fn raw(promql: impl Into<String>) -> Self {
        Self(promql.into())
    }

    /// The sums of the series that agree in these labels.
    pub fn sum_by<L: AsRef<str>>(&self, labels: impl IntoIterator<Item = L>) -> Self {
        let labels: Vec<String> = labels.into_iter().map(|label| Name(label.as_ref()).to_string()).collect();
        Self(format!("sum by ({}) ({self})", labels.join(", ")))
    }

    /// The quantile `q` (0 to 1) of a histogram's buckets, which must still have their label `le`.
    pub fn histogram_quantile(&self, q: f64) -> Self {
        Self(format!("histogram_quantile({q}, {self})"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Expr {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<Selector> for Expr {
    fn from(selector: Selector) -> Self {
        Self(selector.to_string())
    }
}

/// A duration of PromQL, to the millisecond, at least one.
struct Window(Duration);

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ms = self.0.as_millis().max(1);
        for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            if ms >= size {
                write!(f, "{}{unit}", ms / size)?;
                ms %= size;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
