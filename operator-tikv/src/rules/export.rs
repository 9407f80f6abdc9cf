//! Our own invariants as a rule file of Prometheus, for teams without this program.

mod said;

use std::fmt::Write as _;

use operator_core::{Invariant as _, InvariantInfo, Result, SeverityGrace};
use serde_json::Value;

use self::said::{Promql, Said, said};
use super::format_duration;
use crate::invariants::{Thresholds, tikv_invariants};

const HEAD: &str = "\
# TiKV's and PD's invariants as alerts, made by `operator rules export`: change the thresholds there, not this file.
# The jobs are called `tikv` and `pd`, or end in `-tikv` and `-pd`. `keep_firing_for` needs Prometheus 2.42 or later.
#
# An alert fires at each of its severities by itself; let Alertmanager inhibit the milder one:
#   inhibit_rules:
#     - source_matchers: [severity=critical]
#       target_matchers: [severity=warning]
#       equal: [alertname]
groups:
  - name: operator-tikv
    rules:
";

/// The rule file of [`tikv_invariants`]: an alert for each severity of those that PromQL can say, with `for` and
/// `keep_firing_for`, and a remark on what it cannot say, and why.
///
/// # Errors
/// Kind `InvalidInput`, naming the field, if a threshold makes no sense.
pub fn export(thresholds: &Thresholds) -> Result<String> {
    let (mut text, mut unsaid) = (HEAD.to_owned(), String::new());
    for invariant in tikv_invariants(thresholds)? {
        let info = invariant.info();
        for at in &info.severities {
            match said(&info.id, at.severity, thresholds) {
                Said::As(promql) => alert(&mut text, info, *at, &promql),
                Said::Not(why) => remark(&mut unsaid, "", &format!("{}: {why}", info.id)),
            }
        }
    }
    text.push_str("\n# What PromQL cannot say of TiKV's and PD's metrics; `operator watch` does:\n");
    text.push_str(&unsaid);
    Ok(text)
}

fn alert(text: &mut String, info: &InvariantInfo, at: SeverityGrace, promql: &Promql) {
    text.push('\n');
    if let Some(differs) = promql.differs {
        remark(text, "      ", differs);
    }
    // Writing to a string does not fail.
    let _ = writeln!(text, "      - alert: {}", alert_name(&info.id));
    text.push_str("        expr: |-\n");
    for line in promql.expr.lines() {
        let _ = writeln!(text, "          {line}");
    }
    for (name, duration) in [("for", at.grace), ("keep_firing_for", info.keep_firing)] {
        if !duration.is_zero() {
            let _ = writeln!(text, "        {name}: {}", format_duration(duration));
        }
    }
    let _ = writeln!(
        text,
        "        labels: {{severity: {}, invariant: {}}}\n        annotations:",
        at.severity, info.id
    );
    let look_first = info.look_first.as_deref().unwrap_or_default();
    for (name, value) in
        [("summary", promql.summary), ("description", &*info.description), ("look_first", look_first)]
    {
        // A text of JSON is one of YAML.
        let _ = writeln!(text, "          {name}: {}", Value::from(value));
    }
}

/// `store_down` is `TikvStoreDown`.
fn alert_name(id: &str) -> String {
    let words = id.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    });
    words.fold("Tikv".to_owned(), |name, word| name + &word)
}

/// Words behind `#`, in lines of at most 120 characters.
fn remark(text: &mut String, indent: &str, words: &str) {
    const WIDTH: usize = 118;
    let mut line = String::new();
    for word in words.split_whitespace() {
        if !line.is_empty() && indent.len() + line.chars().count() + word.chars().count() >= WIDTH {
            let _ = writeln!(text, "{indent}#{line}");
            line = String::from("  ");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{indent}#{line}");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use operator_core::Severity;

    use super::*;
    use crate::rules::{RuleFile, RuleKind};

    fn exported(thresholds: &Thresholds) -> (String, RuleFile) {
        let text = export(thresholds).unwrap();
        let file = RuleFile::parse("alerts.yml", text.as_bytes()).unwrap();
        (text, file)
    }

    #[test]
    fn every_invariant_is_an_alert_with_its_patience_or_a_remark() {
        let (text, file) = exported(&Thresholds::default());
        assert_eq!(file.remarks, []);
        let mut alerts = BTreeSet::new();
        for (_, rule) in file.rules() {
            let label =
                |name| rule.labels.iter().find(|(known, _)| known == name).unwrap().1.source().to_owned();
            alerts.insert((label("invariant"), label("severity"), rule.name.clone()));
        }
        let mut unsaid = 0;
        for invariant in tikv_invariants(&Thresholds::default()).unwrap() {
            let info = invariant.info();
            for SeverityGrace { severity, grace } in &info.severities {
                let key = (info.id.to_string(), severity.to_string(), alert_name(&info.id));
                if !alerts.remove(&key) {
                    assert!(text.contains(&format!("\n# {}: ", info.id)), "{}", info.id);
                    unsaid += 1;
                    continue;
                }
                let rule = file.rules().map(|(_, rule)| rule).find(|rule| {
                    rule.name == key.2 && rule.labels.iter().any(|(_, value)| value.source() == key.1)
                });
                let RuleKind::Alerting { grace: exported, keep_firing_for, .. } = &rule.unwrap().kind else {
                    panic!("{key:?}")
                };
                assert_eq!((exported, *keep_firing_for), (grace, info.keep_firing), "{key:?}");
            }
        }
        assert_eq!((alerts, unsaid), (BTreeSet::new(), 3));
    }

    #[test]
    fn thresholds_and_graces_are_those_that_are_set() {
        let mut thresholds =
            Thresholds::default().grace("store_down", Severity::Critical, Duration::from_secs(150));
        thresholds.latency_p99_seconds = 0.05;
        let (text, _) = exported(&thresholds);
        assert!(text.contains("  > 0.05\n"), "{text}");
        assert!(text.contains("        for: 2m30s\n"), "{text}");
        thresholds.latency_p99_seconds = -1.0;
        assert!(export(&thresholds).unwrap_err().message.contains("latency_p99_seconds"));
    }
}
