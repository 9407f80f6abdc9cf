//! What `promtool check rules` accepts we accept, and what it refuses we refuse.

mod structure;
mod templates;
mod expressions;

use operator_tikv::rules::RuleFile;

use self::expressions::{EXPRESSIONS, NEWER};
use self::structure::{ALERTS, RULES, WHOLE};
use self::templates::TEMPLATES;
use crate::promtool::{Folder, check_rules};

/// Rules within a group.
fn rules(text: &str) -> String {
    format!("groups:\n- name: g\n  rules:\n{text}")
}

/// The rest of an alert.
fn alert(text: &str) -> String {
    rules(&format!("  - alert: A\n    expr: up == 0\n    {text}\n"))
}

fn annotation(template: &str) -> String {
    alert(&format!("annotations: {{summary: {}}}", serde_json::to_string(template).unwrap()))
}

fn expr(promql: &str) -> String {
    rules(&format!("  - alert: A\n    expr: {}\n", serde_json::to_string(promql).unwrap()))
}

fn files() -> Vec<String> {
    let mut files: Vec<String> = WHOLE.iter().map(|text| (*text).to_owned()).collect();
    files.extend(RULES.iter().map(|text| rules(text)));
    files.extend(ALERTS.iter().map(|text| alert(text)));
    files.extend(TEMPLATES.iter().map(|text| annotation(text)));
    files.extend(
        TEMPLATES
            .iter()
            .map(|text| alert(&format!("labels: {{severity: {}}}", serde_json::to_string(text).unwrap()))),
    );
    files.extend(EXPRESSIONS.iter().map(|text| expr(text)));
    files.push(expr(&format!("up{}", " + up".repeat(500))));
    files
}

#[test]
fn rule_files_are_accepted_and_refused_as_by_promtool() {
    let folder = Folder::new("rule-files");
    let files = files();
    let paths: Vec<_> =
        files.iter().enumerate().map(|(i, text)| folder.write(&format!("{i}.yml"), text)).collect();
    let Some((verdicts, said)) = check_rules(&paths) else { return };
    let mut differences = Vec::new();
    for (path, text) in paths.iter().zip(&files) {
        match (RuleFile::parse("r.yml", text.as_bytes()), verdicts[path]) {
            (Ok(_), true) => {}
            (Err(error), false) => {
                let lines = text.lines().count();
                assert!(
                    error.problems.iter().all(|problem| (1..=lines + 1).contains(&problem.line)),
                    "{error}"
                );
            }
            (Ok(_), false) => {
                let said: Vec<_> = said.lines().filter(|line| line.starts_with(path.as_str())).collect();
                differences.push(format!("--- accepted\n{text}\n{}", said.join("\n")));
            }
            (Err(error), true) => differences.push(format!("--- refused\n{text}\n{error}")),
        }
    }
    for text in NEWER {
        let file = expr(text);
        assert!(RuleFile::parse("r.yml", file.as_bytes()).is_ok(), "{text}");
        assert!(
            !check_rules(&[folder.write("newer.yml", &file)]).unwrap().0.into_values().all(|ok| ok),
            "{text}"
        );
    }
    assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), files.len(), differences.join("\n"));
}
