//! The functions of templates: Go's own and Prometheus'.

use std::cmp::Ordering;
use std::net::IpAddr;

use chrono::DateTime;
use regex::Regex;

use super::expand::Stop;
use super::format::{four_digits, printf};
use super::value::Value;
use crate::rules::duration::parse_duration;

/// Every function that Prometheus 2.42 has, also those that are not expanded here.
const NAMES: [&str; 45] = [
    "and",
    "args",
    "call",
    "eq",
    "externalURL",
    "first",
    "ge",
    "graphLink",
    "gt",
    "html",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "index",
    "js",
    "label",
    "le",
    "len",
    "lt",
    "match",
    "ne",
    "not",
    "or",
    "parseDuration",
    "pathPrefix",
    "print",
    "printf",
    "println",
    "query",
    "reReplaceAll",
    "safeHtml",
    "slice",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "tableLink",
    "title",
    "toLower",
    "toTime",
    "toUpper",
    "urlquery",
    "value",
];

/// Whether Prometheus has a function of this name.
pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

type Outcome = Result<Value, Stop>;

/// Calls a function; `and` and `or` are not here, since they do not look at all of their arguments.
pub(super) fn call(name: &str, arguments: Vec<Value>) -> Outcome {
    let text = |text: String| Ok(Value::Text(text));
    match (name, arguments.as_slice()) {
        ("not", [value]) => Ok(Value::Bool(!value.is_true())),
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            for other in others {
                if equal(first, other)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        ("ne", [one, other]) => Ok(Value::Bool(!equal(one, other)?)),
        ("lt", [one, other]) => Ok(Value::Bool(compare(one, other)? == Some(Ordering::Less))),
        ("le", [one, other]) => Ok(Value::Bool(compare(one, other)?.is_some_and(Ordering::is_le))),
        // Go has these as what the others are not, also for what cannot be compared.
        ("gt", [one, other]) => Ok(Value::Bool(!compare(one, other)?.is_some_and(Ordering::is_le))),
        ("ge", [one, other]) => Ok(Value::Bool(compare(one, other)? != Some(Ordering::Less))),
        ("len", [Value::Text(value)]) => Ok(whole(value.len())),
        ("len", [Value::Map(map)]) => Ok(whole(map.len())),
        ("index", [Value::Map(map), Value::Text(key)]) => text(map.get(key).cloned().unwrap_or_default()),
        ("print", values) => {
            let mut printed = String::new();
            let mut was_text = true;
            for (index, value) in values.iter().enumerate() {
                let is_text = matches!(value, Value::Text(_));
                if index > 0 && !is_text && !was_text {
                    printed.push(' ');
                }
                printed.push_str(&shown(value)?);
                was_text = is_text;
            }
            text(printed)
        }
        ("println", values) => {
            let values: Vec<_> = values.iter().map(shown).collect::<Result<_, _>>()?;
            text(format!("{}\n", values.join(" ")))
        }
        ("printf", [Value::Text(format), values @ ..]) => {
            printf(format, values).map(Value::Text).map_err(Stop::Unsupported)
        }
        ("html", [Value::Text(value)]) => text(html(value)),
        ("urlquery", [Value::Text(value)]) => text(query_escape(value)),
        ("safeHtml", [Value::Text(value)]) => text(value.clone()),
        ("title", [Value::Text(value)]) => text(title(value)),
        ("toUpper", [Value::Text(value)]) => text(value.chars().map(upper).collect()),
        ("toLower", [Value::Text(value)]) => text(value.chars().map(lower).collect()),
        ("match", [Value::Text(pattern), Value::Text(value)]) => {
            Ok(Value::Bool(compile(pattern)?.is_match(value)))
        }
        ("reReplaceAll", [Value::Text(pattern), Value::Text(by), Value::Text(value)]) => {
            text(compile(pattern)?.replace_all(value, by.as_str()).into_owned())
        }
        ("graphLink", [Value::Text(expr)]) => text(format!("/graph?g0.expr={}&g0.tab=0", query_escape(expr))),
        ("tableLink", [Value::Text(expr)]) => text(format!("/graph?g0.expr={}&g0.tab=1", query_escape(expr))),
        ("stripPort", [Value::Text(value)]) => {
            text(split_host_port(value).map_or(value.as_str(), |(host, _)| host).to_owned())
        }
        ("stripDomain", [Value::Text(value)]) => text(strip_domain(value)),
        ("parseDuration", [Value::Text(value)]) => {
            parse_duration(value).map(|d| Value::Number(d.as_secs_f64())).map_err(Stop::Failed)
        }
        ("humanize", [value]) => text(humanize(number(value)?)),
        ("humanize1024", [value]) => text(humanize_1024(number(value)?)),
        ("humanizeDuration", [value]) => text(humanize_duration(number(value)?)),
        ("humanizePercentage", [value]) => text(format!("{}%", four_digits(number(value)? * 100.0))),
        ("humanizeTimestamp", [value]) => text(humanize_timestamp(number(value)?)?),
        ("externalURL" | "pathPrefix", []) => {
            Err(Stop::Unsupported(format!("`{name}`: it is not known here")))
        }
        (
            "query" | "first" | "label" | "value" | "strvalue" | "sortByLabel" | "args" | "toTime" | "js"
            | "call" | "slice" | "index" | "html" | "urlquery",
            _,
        ) => Err(Stop::Unsupported(format!("`{name}`"))),
        (name, arguments) => {
            let types: Vec<_> = arguments.iter().map(Value::type_name).collect();
            Err(Stop::Failed(format!("`{name}` does not take ({})", types.join(", "))))
        }
    }
}

fn whole(length: usize) -> Value {
    Value::Whole(i64::try_from(length).unwrap_or(i64::MAX))
}

fn shown(value: &Value) -> Result<String, Stop> {
    value.shown().ok_or_else(|| Stop::Unsupported("all of `.` as text".to_owned()))
}

fn equal(one: &Value, other: &Value) -> Result<bool, Stop> {
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => Ok(one == other),
        (Value::Nil, _) | (_, Value::Nil) => Ok(one == other),
        _ => Ok(compare(one, other)? == Some(Ordering::Equal)),
    }
}

fn compare(one: &Value, other: &Value) -> Result<Option<Ordering>, Stop> {
    match (one, other) {
        (Value::Whole(one), Value::Whole(other)) => Ok(Some(one.cmp(other))),
        (Value::Number(one), Value::Number(other)) => Ok(one.partial_cmp(other)),
        (Value::Text(one), Value::Text(other)) => Ok(Some(one.cmp(other))),
        _ => Err(Stop::Failed(format!(
            "incompatible types for comparison: {} and {}",
            one.type_name(),
            other.type_name()
        ))),
    }
}

fn number(value: &Value) -> Result<f64, Stop> {
    let refused = |what: String| Stop::Failed(format!("{what} is not a number"));
    match value {
        Value::Number(number) => Ok(*number),
        Value::Whole(number) => Ok(*number as f64),
        Value::Text(text) => text.parse().map_err(|_| refused(format!("\"{text}\""))),
        other => Err(refused(format!("a {}", other.type_name()))),
    }
}

fn compile(pattern: &str) -> Result<Regex, Stop> {
    Regex::new(pattern).map_err(|error| Stop::Failed(error.to_string()))
}

const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

/// Multiplies by a thousand until it is one or more.
fn small(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        (prefix, value) = (next, value * 1_000.0);
    }
    (value, prefix)
}

fn large(mut value: f64, base: f64, prefixes: [&'static str; 8]) -> String {
    let mut prefix = "";
    for next in prefixes {
        if value.abs() < base {
            break;
        }
        (prefix, value) = (next, value / base);
    }
    format!("{}{prefix}", four_digits(value))
}

fn humanize(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return four_digits(value);
    }
    if value.abs() >= 1.0 {
        return large(value, 1_000.0, ["k", "M", "G", "T", "P", "E", "Z", "Y"]);
    }
    let (value, prefix) = small(value);
    format!("{}{prefix}", four_digits(value))
}

fn humanize_1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return four_digits(value);
    }
    large(value, 1_024.0, ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"])
}

fn humanize_duration(value: f64) -> String {
    if !value.is_finite() {
        return four_digits(value);
    }
    if value == 0.0 {
        return format!("{}s", four_digits(value));
    }
    if value.abs() < 1.0 {
        let (value, prefix) = small(value);
        return format!("{}{prefix}s", four_digits(value));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let value = value.abs();
    // What is too much for Go's integers becomes the least of them.
    let whole = if value < i64::MAX as f64 { value as i64 } else { i64::MIN };
    let (seconds, minutes) = (whole % 60, whole / 60 % 60);
    let (hours, days) = (whole / 3_600 % 24, whole / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", four_digits(value)),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    }
}

fn humanize_timestamp(value: f64) -> Result<String, Stop> {
    if !value.is_finite() {
        return Ok(four_digits(value));
    }
    let nanoseconds = value * 1e9;
    let refused = || Stop::Failed(format!("{value} s is no time that can be told"));
    if nanoseconds.abs() > i64::MAX as f64 {
        return Err(refused());
    }
    let at = DateTime::from_timestamp_millis(nanoseconds as i64 / 1_000_000).ok_or_else(refused)?;
    let fraction = at.format("%.3f").to_string();
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    Ok(format!("{}{fraction} +0000 UTC", at.format("%Y-%m-%d %H:%M:%S")))
}

/// One character for one, as Go has it: `ß` stays.
fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    upper.next().filter(|_| upper.next().is_none()).unwrap_or(c)
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// Upper case for the first letter of each word, as Go's `strings.Title`.
fn title(text: &str) -> String {
    let mut before = ' ';
    let mut titled = String::with_capacity(text.len());
    for c in text.chars() {
        let separated = if before.is_ascii() {
            !before.is_ascii_alphanumeric() && before != '_'
        } else {
            !before.is_alphanumeric() && before.is_whitespace()
        };
        titled.push(if separated { upper(c) } else { c });
        before = c;
    }
    titled
}

fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => escaped.push('\u{FFFD}'),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn query_escape(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('*', "%2A")
        .replace("%7E", "~")
}

/// Go's `net.SplitHostPort`.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(inside) => {
            let inside = inside.strip_suffix(']')?;
            (!inside.contains(['[', ']']) && !port.contains(['[', ']'])).then_some((inside, port))
        }
        None => (!host.contains([':', '[', ']']) && !port.contains(['[', ']'])).then_some((host, port)),
    }
}

fn strip_domain(text: &str) -> String {
    let (host, port) = split_host_port(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let host = host.split('.').next().unwrap_or_default();
    match port {
        "" => host.to_owned(),
        port if host.contains(':') => format!("[{host}]:{port}"),
        port => format!("{host}:{port}"),
    }
}
