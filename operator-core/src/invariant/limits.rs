//! Thresholds that make no sense are refused when they are configured, by the name of their field.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::{Error, ErrorKind, Result};

/// Refuses a value outside of `range`; no range holds NaN.
///
/// # Errors
/// [`ErrorKind::InvalidInput`], naming `field`.
///
/// ```
/// assert!(operator_core::within("low_disk_space.warning_ratio", 0.7, 0.0..=1.0).is_ok());
/// let error = operator_core::within("low_disk_space.warning_ratio", 70.0, 0.0..=1.0).unwrap_err();
/// assert_eq!(error.message, "low_disk_space.warning_ratio: 70 is not between 0 and 1");
/// ```
pub fn within<T: PartialOrd + Display>(field: &str, value: T, range: RangeInclusive<T>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    refuse(format!("{field}: {value} is not between {} and {}", range.start(), range.end()))
}

/// Refuses a threshold that is not below the one of the next severity.
///
/// # Errors
/// [`ErrorKind::InvalidInput`], naming both fields.
pub fn ascending<T: PartialOrd + Display>(lower: (&str, T), upper: (&str, T)) -> Result<()> {
    if lower.1 < upper.1 {
        return Ok(());
    }
    refuse(format!("{}: {} is not below {} ({})", lower.0, lower.1, upper.0, upper.1))
}

fn refuse(message: String) -> Result<()> {
    Err(Error::new(ErrorKind::InvalidInput, "thresholds", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_within_passes() {
        for value in [0.0, 0.7, 1.0] {
            assert!(within("x", value, 0.0..=1.0).is_ok());
        }
        for value in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let error = within("a.b", value, 0.0..=1.0).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput);
            assert!(error.message.starts_with("a.b: "), "{error}");
        }
    }

    #[test]
    fn thresholds_of_worse_severities_lie_further_out() {
        assert!(ascending(("warning", 0.7), ("critical", 0.85)).is_ok());
        for (lower, upper) in [(0.85, 0.7), (0.7, 0.7), (f64::NAN, 0.7), (0.7, f64::NAN)] {
            let error = ascending(("warning", lower), ("critical", upper)).unwrap_err();
            assert!(error.message.contains("warning") && error.message.contains("critical"), "{error}");
        }
    }
}
