//! Annotations are expanded as Prometheus expands them: `promtool test rules` says what it makes of each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use operator_tikv::rules::{Template, TemplateData};

use crate::promtool::{Folder, promtool};

const VALUES: &[f64] = &[
    0.0,
    1.0,
    -1.0,
    0.5,
    -0.25,
    1.5,
    12.0,
    99.95,
    100.0,
    999.4,
    999.96,
    1000.0,
    1023.0,
    1024.0,
    1048576.0,
    123456.0,
    999999.0,
    1000000.0,
    1234567.0,
    1e20,
    1e21,
    1.7e308,
    5e-324,
    1e-5,
    0.0001,
    0.00012345,
    1e-9,
    59.99,
    60.0,
    3599.0,
    3600.0,
    86399.5,
    86400.0,
    90061.0,
    -3661.0,
    1435065584.128,
    1669000000.0,
    0.333333333333,
    66.6666666,
    0.856,
    1e100,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

const TEMPLATES: &[&str] = &[
    "{{ $value }}",
    "{{ .Value }} and {{ $labels.instance }} and {{ $labels.none }}|",
    "{{ humanize $value }}",
    "{{ humanize1024 $value }}",
    "{{ humanizeDuration $value }}",
    "{{ humanizePercentage $value }}",
    "{{ printf \"%.2f\" $value }}",
    "{{ printf \"%f|%e|%g|%v\" $value $value $value $value }}",
    "{{ printf \"%8.3f|%-8.3f|%+.1f|%08.2f|% .1f\" $value $value $value $value $value }}",
    "{{ printf \"%.3g|%.10g|%.0f|%.0e|%G\" $value $value $value $value $value }}",
    "{{ printf \"%d|%s|%t|%q\" $value $value $value $value }}",
    "{{ printf \"%s|%10s|%-10s|%.3s|%q|%v|%d|%5d|%05d|%x|%%|%t\" $labels.instance \"a\" \"b\" \"abcdef\" \"q\\\"\" true 5 5 5 255 false }}",
    "{{ printf \"%s %s\" \"a\" }}{{ printf \"a\" 1 \"x\" }}{{ printf \"%!\" }}{{ printf \"%\" }}",
    "{{ if gt $value 10.0 }}high{{ else if lt $value 0.0 }}negative{{ else }}low{{ end }}",
    "{{ if ge $value 10.0 }}a{{ end }}{{ if le $value 10.0 }}b{{ end }}{{ if eq $value 1.0 2.0 }}c{{ end }}{{ if ne $value 1.0 }}d{{ end }}",
    "{{ if and $value (gt $value 1.0) }}x{{ end }}{{ or $labels.none $labels.job }}{{ not $value }}",
    "{{ if $value }}true{{ else }}false{{ end }}",
    "{{ $x := $value }}{{ $y := humanize $x }}{{ $y }}{{ $y = \"z\" }}{{ $y }}",
    "{{ with $labels.job }}{{ . }}{{ end }}{{ with $labels.none }}x{{ else }}none{{ end }}",
    "{{ range $name, $value := $labels }}{{ $name }}={{ $value }};{{ end }}{{ range $labels }}{{ . }};{{ end }}",
    "{{ $labels }}",
    "a {{- $value -}} b",
    "a {{/* remark */}} b {{- /* remark */ -}} c",
    "{{ title \"hello world-of_go 3d\" }}{{ toUpper \"aßc\" }}{{ toLower \"ÄBC\" }}",
    "{{ $labels.instance | toUpper | title }}",
    "{{ match \"^tikv[0-9]+\" $labels.instance }}{{ match \"x\" $labels.instance }}",
    "{{ reReplaceAll \"(.*):(.*)\" \"$2-${1}\" $labels.instance }}{{ reReplaceAll \"a\" \"$x\" \"banana\" }}",
    "{{ stripPort $labels.instance }}|{{ stripPort \"[::1]:80\" }}|{{ stripPort \"a\" }}|{{ stripPort \":80\" }}|{{ stripPort \"::1\" }}",
    "{{ stripDomain $labels.instance }}|{{ stripDomain \"a.b.c\" }}|{{ stripDomain \"10.0.0.1:80\" }}|{{ stripDomain \"[::1]:80\" }}",
    "{{ parseDuration \"1h30m\" }}|{{ parseDuration \"5ms\" }}",
    "{{ len $labels }}{{ len \"abc\" }}{{ index $labels \"job\" }}{{ index $labels \"none\" }}",
    "{{ print $value \"a\" 1 2 \"b\" true false }}|{{ println $value \"a\" }}|{{ print \"a\" \"b\" }}",
    "{{ html \"<a href='x'>&\\\"\" }}{{ urlquery \"a b&c=d/e~f*g\" }}{{ safeHtml \"<b>\" }}",
    "{{ graphLink \"up{a='b'} > 1\" }} {{ tableLink \"sum(rate(x[5m])) / 2\" }}",
    "{{ humanize \"1500\" }}{{ humanizeDuration \"90\" }}{{ humanizePercentage \"0.5\" }}{{ humanize1024 2048 }}",
    "{{ humanizeTimestamp 1435065584.128 }}|{{ humanizeTimestamp 0 }}|{{ humanizeTimestamp -1.5 }}|{{ humanizeTimestamp $value }}",
    "{{ 5 }}{{ 5.0 }}{{ 0x10 }}{{ 1e3 }}{{ 1_000 }}{{ 'a' }}{{ \"q\\t\\u00e4\" }}{{ `raw\\n` }}{{ true }}",
    "{{ (printf \"%.1f\" $value) | printf \"%s%s\" \"<\" }}",
    "{{ $.Labels.job }}{{ $.Value }}{{ ($labels).job }}",
    "ünï {{ $labels.job }} 世界",
];

/// As promtool's test wants it: what fails differs in how it says so.
fn expanded(template: &str, labels: &BTreeMap<String, String>, value: f64) -> Option<String> {
    let expanded = Template::parse(template).unwrap().expand(TemplateData::new(labels, value));
    assert_eq!(expanded.left, None, "{template}");
    Some(expanded.text).filter(|text| !text.contains("<error expanding"))
}

#[test]
fn annotations_are_expanded_as_by_promtool() {
    let folder = Folder::new("rule-templates");
    let mut rules = "groups:\n- name: g\n  rules:\n".to_owned();
    let mut test =
        "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n"
            .to_owned();
    let mut wanted = "  alert_rule_test:\n".to_owned();
    let mut compared = 0;
    for (index, value) in VALUES.iter().enumerate() {
        let instance = "tikv0.db.svc:20180";
        let _ = writeln!(
            test,
            "  - {{series: 'v{index}{{instance=\"{instance}\",job=\"tikv\"}}', values: '{value}'}}"
        );
        let labels: BTreeMap<_, _> = [
            ("__name__", format!("v{index}")),
            ("instance", instance.to_owned()),
            ("job", "tikv".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let mut annotations = BTreeMap::new();
        for (number, template) in TEMPLATES.iter().enumerate() {
            if let Some(text) = expanded(template, &labels, *value) {
                annotations.insert(format!("a{number}"), (template, text));
                compared += 1;
            }
        }
        let json = |of: &dyn Fn(&(&&str, String)) -> String| {
            let texts: BTreeMap<_, _> = annotations.iter().map(|(name, both)| (name, of(both))).collect();
            serde_json::to_string(&texts).unwrap()
        };
        let _ = writeln!(
            rules,
            "  - alert: A{index}\n    expr: v{index}\n    annotations: {}",
            json(&|(t, _)| (**t).to_string())
        );
        let _ = writeln!(
            wanted,
            "  - eval_time: 0s\n    alertname: A{index}\n    exp_alerts:\n    - exp_labels: {{instance: '{instance}', job: tikv}}\n      exp_annotations: {}",
            json(&|(_, text)| text.clone())
        );
    }
    folder.write("rules.yml", rules);
    let file = folder.write("test.yml", format!("{test}{wanted}"));
    let Some((stdout, stderr)) = promtool(&["test", "rules", &file]) else { return };
    assert!(stdout.contains("SUCCESS"), "{stdout}{stderr}");
    assert!(compared > VALUES.len() * TEMPLATES.len() * 9 / 10, "{compared}");
}
