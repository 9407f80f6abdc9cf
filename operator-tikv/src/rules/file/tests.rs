use super::*;

fn problems(text: &str) -> Vec<String> {
    let error = RuleFile::parse("r.yml", text.as_bytes()).map(|file| file.groups.len()).unwrap_err();
    error.problems.iter().map(ToString::to_string).collect()
}

const FILE: &str = "\
groups:
- name: stores
  interval: 30s
  limit: 10
  labels: {team: storage, tier: one}
  rules:
  - record: store:up:count
    expr: count by (job) (up == 1)
  - alert: StoreDown
    expr: |
      up{job=~\".*tikv\"} == 0
    for: 1m
    keep_firing_for: 5m
    labels:
      severity: critical
      tier: two
    annotations:
      summary: '{{ $labels.instance }} is down'
";

#[test]
fn a_file_is_read_with_its_lines() {
    let file = RuleFile::parse("r.yml", FILE.as_bytes()).unwrap();
    let [group] = &file.groups[..] else { panic!("{file:?}") };
    assert_eq!((group.name.as_str(), group.line), ("stores", 2));
    assert_eq!((group.interval, group.limit), (Some(Duration::from_secs(30)), Some(10)));
    let [record, alert] = &group.rules[..] else { panic!("{group:?}") };
    assert_eq!((record.name.as_str(), record.line, record.is_alerting()), ("store:up:count", 7, false));
    assert_eq!((alert.name.as_str(), alert.line, alert.expr_line), ("StoreDown", 9, 11));
    let labels: Vec<_> = alert.labels.iter().map(|(name, value)| (name.as_str(), value.source())).collect();
    assert_eq!(labels, [("team", "storage"), ("severity", "critical"), ("tier", "two")]);
    let RuleKind::Alerting { grace, keep_firing_for, annotations } = &alert.kind else { panic!("{alert:?}") };
    assert_eq!((grace.as_secs(), keep_firing_for.as_secs(), annotations.len()), (60, 300, 1));
}

#[test]
fn a_problem_is_told_with_its_group_its_rule_and_its_line() {
    let text = "\
groups:
- name: g
  rules:
  - alert: A
    expr: up ==
    for: soon
    labels: {not-a-label: x}
  - record: r
    expr: up
    annotations:
      summary: x
  - alert: B
    expr: up
    annotations:
      summary: '{{ $nothing }}'
- name: g
  rule: []
";
    assert_eq!(
        problems(text)
            .iter()
            .map(|problem| problem.split(": ").take(3).collect::<Vec<_>>().join(": "))
            .collect::<Vec<_>>(),
        [
            "line 5: group `g`: rule `A`",
            "line 6: group `g`: rule `A`",
            "line 7: group `g`: rule `A`",
            "line 8: group `g`: rule `r`",
            "line 15: group `g`: rule `B`",
            "line 17: group `g`: unknown field `rule` of a group",
            "line 16: group `g` is there twice",
        ]
    );
}

#[test]
fn what_would_take_too_much_is_refused_at_once() {
    let mut bomb = "a: &a [x, x]\n".to_owned();
    for (name, of) in ('b'..='z').zip('a'..) {
        bomb.push_str(&format!("{name}: &{name} [*{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}]\n"));
    }
    bomb.push_str("groups: *z\n");
    assert!(problems(&bomb).iter().any(|problem| problem.contains("a group is a mapping")), "{bomb}");

    let mut merges = "a: &a {k: x}\n".to_owned();
    for (name, of) in ('b'..='z').zip('a'..) {
        let aliases = vec![format!("*{of}"); 100].join(", ");
        merges.push_str(&format!("{name}: &{name} {{{name}k: x, <<: [{aliases}]}}\n"));
    }
    assert!(RuleFile::parse("r.yml", merges.as_bytes()).is_err());

    let many = "groups:\n- &g\n  name: g\n  rules: [&r {record: r, expr: up}";
    let rules = ", *r".repeat(MAX_RULES);
    assert!(problems(&format!("{many}{rules}]\n"))[0].contains("more than 100000 rules"));

    for nested in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        assert!(RuleFile::parse("r.yml", nested.as_bytes()).is_err());
    }
    for expr in
        ["(".repeat(10_000), "-".repeat(16_000), format!("1{}", "+1".repeat(8_000)), "x".repeat(20_000)]
    {
        let text = format!("groups: [{{name: g, rules: [{{record: r, expr: '{expr}'}}]}}]");
        let _ = RuleFile::parse("r.yml", text.as_bytes());
    }
    assert!(RuleFile::parse("r.yml", &vec![b' '; MAX_BYTES + 1]).is_err());
    assert_eq!(RuleFile::parse("r.yml", b"groups:\n\xff").unwrap_err().problems[0].line, 2);
    assert!(
        RuleFile::read(Path::new("/nonexistent/r.yml")).unwrap_err().to_string().contains("cannot be read")
    );
}

#[test]
fn what_is_hardly_meant_is_remarked() {
    let text = "\
groups:
- name: g
  rules:
  - {alert: A, expr: up == 0}
  - {alert: A, expr: up == 0}
---
groups: []
";
    let file = RuleFile::parse("r.yml", text.as_bytes()).unwrap();
    let remarks: Vec<_> = file.remarks.iter().map(ToString::to_string).collect();
    assert_eq!(
        remarks,
        [
            "line 5: group `g`: rule `A`: the same rule stands in line 4",
            "line 6: a second YAML document begins, which Prometheus does not read",
        ]
    );
}

#[test]
fn thousands_of_rules_are_read() {
    let mut text = "groups:\n".to_owned();
    for group in 0..100 {
        text.push_str(&format!("- name: g{group}\n  rules:\n"));
        for rule in 0..100 {
            text.push_str(&format!(
                "  - alert: A{rule}\n    expr: sum(rate(a_{rule}_total{{x=~\"y|z\"}}[1m])) by (instance) > {rule}\n    \
                 labels: {{severity: critical}}\n    annotations: {{summary: '{{{{ $value }}}} of {{{{ $labels.instance }}}}'}}\n"
            ));
        }
    }
    assert_eq!(RuleFile::parse("r.yml", text.as_bytes()).unwrap().rules().count(), 10_000);
}
