//! A team's own Prometheus rules, as invariants.

mod yaml;
mod duration;
mod expression;
mod template;
mod file;

pub use duration::{format_duration, parse_duration};
pub use expression::parse as parse_expression;
pub use file::{Problem, Rule, RuleFile, RuleFileError, RuleGroup, RuleKind};
pub use template::Template;
