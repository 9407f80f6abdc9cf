//! `subjects/tikv/config/alerts.yml`: what `operator rules export` writes, as Prometheus' own tool sees it.

use std::path::{Path, PathBuf};

use operator_tikv::invariants::Thresholds;
use operator_tikv::rules::{RuleFile, export};

use crate::promtool::{check_rules, promtool};

fn config(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../subjects/tikv/config").join(name)
}

#[test]
fn the_file_of_the_repository_is_what_is_exported() {
    let kept = std::fs::read_to_string(config("alerts.yml")).unwrap();
    let exported = export(&Thresholds::default()).unwrap();
    assert!(kept == exported, "run: operator rules export > subjects/tikv/config/alerts.yml");
}

#[test]
fn promtool_accepts_it_and_every_alert_fires_in_a_test_of_its_own() {
    let file = config("alerts.yml").to_str().unwrap().to_owned();
    let Some((verdicts, refused)) = check_rules(std::slice::from_ref(&file)) else { return };
    assert!(verdicts[&file], "{refused}");

    let cases = std::fs::read_to_string(config("alerts_test.yml")).unwrap();
    for (_, rule) in RuleFile::read(&config("alerts.yml")).unwrap().rules() {
        let severity = rule.labels.iter().find(|(name, _)| name == "severity").unwrap().1.source();
        let parts = [&format!("alertname=\"{}\"", rule.name), "alertstate=\"firing\"", severity];
        let is_there = cases.lines().any(|line| parts.iter().all(|part| line.contains(*part)));
        assert!(is_there, "no case lets {} fire at {severity}", rule.name);
    }
    let (said, refused) = promtool(&["test", "rules", config("alerts_test.yml").to_str().unwrap()]).unwrap();
    assert!(said.contains("SUCCESS") && !said.contains("FAILED"), "{said}{refused}");
}
