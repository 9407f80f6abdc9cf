//! Between which numbers values lie.

use std::fmt;

/// From the least to the greatest, both possible. `NaN` lies nowhere: no comparison with it is true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    least: f64,
    most: f64,
}

impl Range {
    pub(super) const ALL: Self = Self { least: f64::NEG_INFINITY, most: f64::INFINITY };
    pub(super) const NOT_NEGATIVE: Self = Self { least: 0.0, most: f64::INFINITY };
    pub(super) const COUNT: Self = Self { least: 1.0, most: f64::INFINITY };
    pub(super) const BIT: Self = Self { least: 0.0, most: 1.0 };
    pub(super) const ONE: Self = Self::only(1.0);

    pub(super) const fn only(value: f64) -> Self {
        Self { least: value, most: value }
    }

    pub(super) fn up_to(most: f64) -> Self {
        Self { most, ..Self::ALL }
    }

    pub(super) fn negated(self) -> Self {
        // Not `-`: nobody wants to read of -0.
        Self { least: 0.0 - self.most, most: 0.0 - self.least }
    }

    /// Of sums of one and more of these.
    pub(super) fn summed(self) -> Self {
        Self {
            least: if self.least >= 0.0 { self.least } else { f64::NEG_INFINITY },
            most: if self.most <= 0.0 { self.most } else { f64::INFINITY },
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), most: self.most.max(other.most) }
    }

    /// Of the results of `operator`.
    pub(super) fn calculated(self, operator: &str, other: Self) -> Self {
        let corners = |of: fn(f64, f64) -> f64| {
            let all = [
                of(self.least, other.least),
                of(self.least, other.most),
                of(self.most, other.least),
                of(self.most, other.most),
            ];
            if all.iter().any(|value| value.is_nan()) {
                return Self::ALL;
            }
            Self {
                least: all.iter().copied().fold(f64::INFINITY, f64::min),
                most: all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            }
        };
        match operator {
            "+" => Self { least: self.least + other.least, most: self.most + other.most }.or_all(),
            "-" => Self { least: self.least - other.most, most: self.most - other.least }.or_all(),
            "*" => corners(|one, other| if one == 0.0 || other == 0.0 { 0.0 } else { one * other }),
            "/" if other.least > 0.0 || other.most < 0.0 => {
                corners(|one, other| if one.is_infinite() && other.is_infinite() { one } else { one / other })
            }
            // What is divided by zero is infinite, or no number.
            "/" if self.least >= 0.0 && other.least >= 0.0 => Self::NOT_NEGATIVE,
            _ => Self::ALL,
        }
    }

    fn or_all(self) -> Self {
        if self.least.is_nan() || self.most.is_nan() { Self::ALL } else { self }
    }

    /// Whether the comparison can be true.
    pub(super) fn can_be(self, operator: &str, other: Self) -> bool {
        if self.is_nan() || other.is_nan() {
            return operator == "!=";
        }
        match operator {
            ">" => self.most > other.least,
            ">=" => self.most >= other.least,
            "<" => self.least < other.most,
            "<=" => self.least <= other.most,
            "==" => self.least <= other.most && other.least <= self.most,
            _ => !(self.least == self.most && self == other),
        }
    }

    fn is_nan(self) -> bool {
        self.least.is_nan() || self.most.is_nan()
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least.is_finite(), self.most.is_finite()) {
            _ if self.least == self.most => write!(f, "always {}", self.least),
            (true, true) => write!(f, "between {} and {}", self.least, self.most),
            (true, false) => write!(f, "never below {}", self.least),
            (false, true) => write!(f, "never above {}", self.most),
            (false, false) => f.write_str("any number"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_keeps_every_value_that_can_be() {
        let some = Range { least: 2.0, most: 4.0 };
        for (left, operator, right, expected) in [
            (Range::ONE, "-", some, Range { least: -3.0, most: -1.0 }),
            (some, "/", Range::only(-2.0), Range { least: -2.0, most: -1.0 }),
            (Range::NOT_NEGATIVE, "*", Range::only(0.0), Range::only(0.0)),
            (Range::NOT_NEGATIVE, "/", Range::NOT_NEGATIVE, Range::NOT_NEGATIVE),
            (Range::NOT_NEGATIVE, "-", Range::NOT_NEGATIVE, Range::ALL),
            (Range::ALL, "/", some, Range::ALL),
            (some, "^", some, Range::ALL),
        ] {
            assert_eq!(left.calculated(operator, right), expected, "{left} {operator} {right}");
        }
        assert_eq!(some.summed(), Range { least: 2.0, most: f64::INFINITY });
        assert_eq!(some.negated(), Range { least: -4.0, most: -2.0 });
    }

    #[test]
    fn a_comparison_is_impossible_only_where_no_value_makes_it_true() {
        let (zero, bit) = (Range::only(0.0), Range::BIT);
        for (left, operator, right, expected) in [
            (Range::NOT_NEGATIVE, "<", zero, false),
            (Range::NOT_NEGATIVE, "<=", zero, true),
            (bit, ">", Range::ONE, false),
            (bit, "==", Range::only(2.0), false),
            (bit, "!=", Range::ONE, true),
            (Range::ONE, "!=", Range::ONE, false),
            (Range::COUNT, "==", zero, false),
            (Range::ALL, ">", Range::only(f64::NAN), false),
            (Range::ALL, "!=", Range::only(f64::NAN), true),
        ] {
            assert_eq!(left.can_be(operator, right), expected, "{left} {operator} {right}");
        }
    }
}
