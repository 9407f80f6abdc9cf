//! Numbers as Prometheus reads them.

/// Reads a value or an `le` as Prometheus does: Go's `strconv.ParseFloat` without hexadecimals and underscores.
///
/// `NaN`, `Inf` and `Infinity` count in any case, the infinities with a sign too. Two texts that Rust's own parser
/// takes are refused, as Go refuses them: a NaN with a sign, and a number too large for a float (`1e999`).
pub(crate) fn parse_number(text: &str) -> Option<f64> {
    // Most values on a page are small whole numbers, which a float holds exactly.
    const EXACT_DIGITS: usize = 15;
    let bytes = text.as_bytes();
    if (1..=EXACT_DIGITS).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit) {
        let whole = bytes.iter().fold(0_u64, |whole, digit| whole * 10 + u64::from(digit - b'0'));
        return Some(whole as f64);
    }
    let value: f64 = text.parse().ok()?;
    let signed = text.starts_with(['+', '-']);
    let overflowed = value.is_infinite() && bytes.iter().any(u8::is_ascii_digit);
    (!(overflowed || value.is_nan() && signed)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, value) in [
            ("0", 0.0),
            ("007", 7.0),
            ("999999999999999", 999_999_999_999_999.0),
            ("18446744073709551615", 18_446_744_073_709_551_615.0),
            ("-1", -1.0),
            ("+5.", 5.0),
            (".5", 0.5),
            ("8.589934592e+09", 8_589_934_592.0),
            ("1E-3", 0.001),
            ("1e-999", 0.0),
            ("+Inf", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
            ("Infinity", f64::INFINITY),
        ] {
            assert_eq!(parse_number(text), Some(value), "{text}");
        }
        assert!(parse_number("NaN").unwrap().is_nan() && parse_number("nan").unwrap().is_nan());
    }

    #[test]
    fn what_go_or_prometheus_refuses_is_refused() {
        let refused = [
            "", ".", "+", "-", "e5", "1e", "1e999", "-1e999", "+NaN", "-nan", "0x10", "0x1p4", "1_000",
            "1,5", "1\r", " 1", "1 ", "in", "infinit", "nano", "٣",
        ];
        for text in refused {
            assert_eq!(parse_number(text), None, "{text}");
        }
    }
}
