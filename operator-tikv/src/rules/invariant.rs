//! An alert of a rule file as an invariant.

use std::collections::BTreeMap;
use std::sync::Arc;

use operator_core::{
    Finding, Invariant, InvariantInfo, Observation, Regarding, Severity, Signal, SignalValue,
};
use promql_parser::parser::Expr;

use super::evaluate::{NamedRule, RULE_UNKNOWN, RULES};
use super::file::RuleKind;
use super::template::{Template, TemplateData};

/// The labels that say how bad an alert is: the second is that of TiKV's and PD's official rules.
const SEVERITY_LABELS: [&str; 3] = ["severity", "level", "priority"];
/// The annotations of which the first is the message.
const MESSAGES: [&str; 3] = ["summary", "message", "description"];

/// How bad an alert is by the words that rules have for it: `critical`, `emergency`, `fatal`, `error`, `page`, `high`,
/// `disaster` and `p0`, `p1` are critical; `info`, `information`, `informational`, `notice`, `none`, `debug`, `low` are
/// worth knowing; everything else, and none, is a warning.
pub fn severity_of<'a>(label: impl Fn(&str) -> Option<&'a str>) -> Severity {
    let word = SEVERITY_LABELS.iter().find_map(|name| label(name)).unwrap_or_default();
    match word.to_ascii_lowercase().as_str() {
        "critical" | "crit" | "emergency" | "fatal" | "error" | "page" | "high" | "disaster" | "p0"
        | "p1" => Severity::Critical,
        "info" | "information" | "informational" | "notice" | "none" | "debug" | "low" => Severity::Info,
        _ => Severity::Warning,
    }
}

/// An alert of a rule file.
#[derive(Debug)]
pub(super) struct RuleInvariant {
    info: InvariantInfo,
    rule: Arc<NamedRule>,
    threshold: Option<f64>,
}

impl RuleInvariant {
    pub(super) fn new(rule: Arc<NamedRule>) -> Self {
        let NamedRule { id, rule: written, place, .. } = &*rule;
        let (grace, keep_firing) = match &written.kind {
            RuleKind::Alerting { grace, keep_firing_for, .. } => (*grace, *keep_firing_for),
            RuleKind::Recording => Default::default(),
        };
        let label =
            |name: &str| written.labels.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let templated =
            SEVERITY_LABELS.iter().filter_map(|name| label(name)).any(|value| !value.is_constant());
        let mut info = if templated || SEVERITY_LABELS.iter().all(|name| label(name).is_none()) {
            // The series say it.
            let info = InvariantInfo::new(id.clone(), Severity::Info, grace);
            info.severity(Severity::Warning, grace).severity(Severity::Critical, grace)
        } else {
            let severity = severity_of(|name| label(name).map(Template::source));
            InvariantInfo::new(id.clone(), severity, grace)
        };
        info = info.keep_firing(keep_firing).source(place.clone()).description(written.expr.clone());
        Self { info, threshold: threshold(&written.ast), rule }
    }

    fn found(&self, signal: &Signal) -> Finding {
        let value = match &signal.value {
            SignalValue::Number(value) => *value,
            other => other.as_text().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN),
        };
        let data = TemplateData::new(&signal.labels, value);
        let own: BTreeMap<_, _> = self
            .rule
            .rule
            .labels
            .iter()
            .map(|(name, template)| (name.as_str(), template.expand(data).text))
            .collect();
        let severity = severity_of(|name| {
            own.get(name)
                .or_else(|| signal.labels.get(name))
                .map(String::as_str)
                .filter(|text| !text.is_empty())
        });
        let mut finding = Finding::violated(signal.regarding.clone(), severity, self.message(data));
        finding.observed = Some(value).filter(|value| value.is_finite());
        finding.threshold = self.threshold;
        finding
    }

    fn message(&self, data: TemplateData<'_>) -> String {
        let RuleKind::Alerting { annotations, .. } = &self.rule.rule.kind else { return String::new() };
        let named = |name: &str| annotations.iter().find(|(known, _)| known == name);
        let Some((_, template)) = MESSAGES.iter().find_map(|name| named(name)).or(annotations.first()) else {
            return self.rule.rule.expr.clone();
        };
        let expanded = template.expand(data);
        match expanded.left {
            None => expanded.text,
            Some(why) => format!("{} (left as it is written: {why})", expanded.text),
        }
    }
}

impl Invariant for RuleInvariant {
    fn info(&self) -> &InvariantInfo {
        &self.info
    }

    fn check(&self, observation: &Observation) -> Vec<Finding> {
        let all_unknown = |why: &str| vec![Finding::unknown(Regarding::Cluster, why)];
        match observation.signals_named(RULES).next().map(|signal| &signal.value) {
            Some(SignalValue::Number(_)) => {}
            Some(SignalValue::Text(why)) => return all_unknown(why),
            _ => return all_unknown("the rules were not evaluated"),
        }
        let is_this = |signal: &&Signal| signal.labels.get("rule") == Some(&self.rule.id);
        if let Some(unknown) = observation.signals_named(RULE_UNKNOWN).find(is_this) {
            return all_unknown(unknown.value.as_text().unwrap_or_default());
        }
        observation.signals_named(&self.rule.id).map(|signal| self.found(signal)).collect()
    }
}

/// What the value is compared with, where that is a number at the end of the expression.
fn threshold(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Paren(inner) => threshold(&inner.expr),
        Expr::Binary(binary) if binary.op.is_comparison_operator() => match &*binary.rhs {
            Expr::NumberLiteral(number) => Some(number.val).filter(|value| value.is_finite()),
            _ => None,
        },
        _ => None,
    }
}
