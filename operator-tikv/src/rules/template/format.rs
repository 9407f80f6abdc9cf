//! Numbers and `printf` as Go writes them.

use super::value::Value;

/// `%v`: the shortest text that means the same number.
pub(super) fn shortest(value: f64) -> String {
    general(value, None)
}

/// `%.4g`
pub(super) fn four_digits(value: f64) -> String {
    general(value, Some(4))
}

fn special(value: f64) -> Option<&'static str> {
    match value {
        value if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ => None,
    }
}

/// `%g`
fn general(value: f64, precision: Option<usize>) -> String {
    if let Some(special) = special(value) {
        return special.to_owned();
    }
    let written = match precision {
        Some(digits) => format!("{value:.*e}", digits.max(1) - 1),
        None => format!("{value:e}"),
    };
    let Some((mantissa, exponent)) = written.split_once('e') else { return written };
    let Ok(exponent) = exponent.parse::<i32>() else { return written };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        digits => digits,
    };
    let limit = precision.map_or(6, |digits| i32::try_from(digits.max(1)).unwrap_or(i32::MAX));
    if exponent < -4 || exponent >= limit {
        return format!("{sign}{}", with_exponent(digits, exponent));
    }
    let point = usize::try_from(exponent + 1).unwrap_or(0);
    let text = if exponent < 0 {
        let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
        format!("0.{}{digits}", "0".repeat(zeros))
    } else if digits.len() <= point {
        format!("{digits}{}", "0".repeat(point - digits.len()))
    } else {
        let (whole, rest) = digits.split_at(point);
        format!("{whole}.{rest}")
    };
    format!("{sign}{text}")
}

fn with_exponent(digits: &str, exponent: i32) -> String {
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}e{sign}{:02}", exponent.unsigned_abs())
}

/// `%e`
fn scientific(value: f64, precision: usize) -> String {
    if let Some(special) = special(value) {
        return special.to_owned();
    }
    let written = format!("{value:.precision$e}");
    let Some((mantissa, exponent)) = written.split_once('e') else { return written };
    let exponent = exponent.parse::<i32>().unwrap_or_default();
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// How one argument is to be written.
#[derive(Debug, Default)]
struct Spec {
    minus: bool,
    plus: bool,
    space: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// `printf`; the error is what of it is not known here.
pub(super) fn printf(format: &str, arguments: &[Value]) -> Result<String, String> {
    const WIDEST: usize = 1_000;
    let (mut text, mut rest, mut arguments) = (String::new(), format, arguments.iter());
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let mut spec = Spec::default();
        let flags = after.find(|c| !"+- 0#".contains(c)).unwrap_or(after.len());
        let (flags, after) = after.split_at(flags);
        for flag in flags.chars() {
            match flag {
                '-' => spec.minus = true,
                '+' => spec.plus = true,
                ' ' => spec.space = true,
                '0' => spec.zero = true,
                _ => return Err("`%#` of printf".to_owned()),
            }
        }
        let (width, after) = digits(after);
        let (precision, after) = match after.strip_prefix('.') {
            Some(after) => {
                let (precision, after) = digits(after);
                (Some(precision.unwrap_or(0)), after)
            }
            None => (None, after),
        };
        (spec.width, spec.precision) = (width.unwrap_or(0), precision);
        if spec.width > WIDEST || spec.precision.is_some_and(|precision| precision > WIDEST) {
            return Err("so wide a text by printf".to_owned());
        }
        let mut chars = after.chars();
        let Some(verb) = chars.next() else {
            text.push_str("%!(NOVERB)");
            rest = "";
            continue;
        };
        rest = chars.as_str();
        if verb == '%' {
            text.push('%');
        } else if verb == '*' || verb == '[' {
            return Err(format!("`%{verb}` of printf"));
        } else if let Some(argument) = arguments.next() {
            text.push_str(&spec.write(verb, argument)?);
        } else {
            text.push_str(&format!("%!{verb}(MISSING)"));
        }
    }
    text.push_str(rest);
    let extra: Vec<_> = arguments.map(typed).collect::<Result<_, _>>()?;
    if !extra.is_empty() {
        text.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(text)
}

fn digits(text: &str) -> (Option<usize>, &str) {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    if digits.is_empty() { (None, rest) } else { (Some(digits.parse().unwrap_or(usize::MAX)), rest) }
}

/// `float64=1.5`
fn typed(value: &Value) -> Result<String, String> {
    let shown = value.shown().ok_or("`.` as an argument of printf")?;
    Ok(if *value == Value::Nil { shown } else { format!("{}={shown}", value.type_name()) })
}

impl Spec {
    fn write(&self, verb: char, value: &Value) -> Result<String, String> {
        let precision = self.precision;
        let unknown = || Err(format!("`%{verb}` of printf for a {}", value.type_name()));
        Ok(match (value, verb) {
            (Value::Text(text), 's' | 'v') => {
                let cut = precision.unwrap_or(usize::MAX);
                let end = text.char_indices().nth(cut).map_or(text.len(), |(end, _)| end);
                self.pad(text.get(..end).unwrap_or(text), self.zero)
            }
            (Value::Text(text), 'q') => {
                if precision.is_some() || text.chars().any(|c| c.is_control() || !c.is_ascii()) {
                    return unknown();
                }
                self.pad(&format!("{text:?}").replace("\\'", "'"), self.zero)
            }
            (Value::Number(value), 'f' | 'F' | 'e' | 'E' | 'g' | 'G' | 'v') => {
                let written = match verb {
                    'f' | 'F' => special(*value)
                        .map_or_else(|| format!("{value:.*}", precision.unwrap_or(6)), str::to_owned),
                    'e' | 'E' => scientific(*value, precision.unwrap_or(6)),
                    _ => general(*value, precision),
                };
                let written = if matches!(verb, 'E' | 'G') && value.is_finite() {
                    written.to_uppercase()
                } else {
                    written
                };
                self.number(&written, value.is_finite())
            }
            (Value::Whole(value), 'd' | 'v') if precision.is_none() => self.number(&value.to_string(), true),
            (Value::Whole(value), 'x') if precision.is_none() && *value >= 0 => {
                self.number(&format!("{value:x}"), true)
            }
            (Value::Bool(value), 't' | 'v') => self.pad(&value.to_string(), self.zero),
            (Value::Map(_), 'v' | 's') if self.width == 0 && precision.is_none() => {
                value.shown().unwrap_or_default()
            }
            (Value::Text(_), 'x' | 'X' | 'T' | 'p')
            | (Value::Number(_), 'x' | 'X' | 'b' | 'T' | 'p')
            | (Value::Whole(_), 'b' | 'c' | 'd' | 'o' | 'O' | 'q' | 'x' | 'X' | 'U' | 'v' | 'T' | 'p')
            | (Value::Bool(_), 'T' | 'p')
            | (Value::Map(_) | Value::Data | Value::Nil, _) => return unknown(),
            (value, verb) => format!("%!{verb}({})", typed(value)?),
        })
    }

    fn number(&self, written: &str, finite: bool) -> String {
        let signed = match written.strip_prefix(['-', '+']) {
            Some(_) if written.starts_with('+') && self.space && !self.plus => written.replacen('+', " ", 1),
            Some(_) => written.to_owned(),
            None if self.plus => format!("+{written}"),
            None if self.space => format!(" {written}"),
            None => written.to_owned(),
        };
        if self.zero && !self.minus && finite && signed.chars().count() < self.width {
            let digits = signed.trim_start_matches(['+', '-', ' ']);
            let sign = signed.get(..signed.len() - digits.len()).unwrap_or_default();
            return format!("{sign}{digits:0>width$}", width = self.width - sign.len());
        }
        self.pad(&signed, false)
    }

    fn pad(&self, text: &str, zero: bool) -> String {
        let width = self.width;
        match (self.minus, zero) {
            (true, _) => format!("{text:<width$}"),
            (false, true) => format!("{text:0>width$}"),
            (false, false) => format!("{text:>width$}"),
        }
    }
}
