//! A team's own Prometheus rules as invariants, and the alerts that Prometheus itself evaluates.
//!
//! [`RuleFile`] reads what Prometheus reads. [`Rules`] are the alerts of some files: [`Rules::evaluate`] asks Prometheus
//! for all of them at one moment and makes signals of what it says, which [`Rules::invariants`] judge; so `for` and
//! `keep_firing_for` are the grace and the keep-firing of the one state machine that everything else goes through.

mod yaml;
mod duration;
mod expression;
mod template;
mod file;
mod recorded;
mod things;
mod evaluate;
mod invariant;
mod alerts;
mod export;
mod lint;
mod history;

pub(crate) use alerts::signals as alert_signals;
pub use alerts::{PROMETHEUS_ALERT, prometheus_alert};
pub use duration::{format_duration, parse_duration};
pub use evaluate::{RULE_UNKNOWN, RULES, Rules};
pub use export::export;
pub use expression::parse as parse_expression;
pub use file::{Problem, Rule, RuleFile, RuleFileError, RuleGroup, RuleKind};
pub use history::{AlertHistory, HistoryReport, RuleHistory, Span, history, usual_step};
pub use invariant::severity_of;
pub use lint::{LintConfig, LintReport, RuleVerdict, Verdict, lint};
pub use template::{Expanded, Template, TemplateData};
pub use things::Things;
