//! Random histories of one alert, and what Prometheus makes of them: `promtool test rules` runs its own state machine.
//!
//! A few hundred run by default; `OPERATOR_HISTORIES=10000` runs more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use operator_core::{InvariantChecker, Observation, Regarding, Signal, ViolationState};
use operator_tikv::rules::{RULES, RuleFile, Rules};

use crate::promtool::{Folder, promtool};

/// Between two evaluations, in seconds.
const STEP: u64 = 10;
/// How many evaluations a history has.
const TICKS: u64 = 30;
/// How many histories go into one file for `promtool`.
const AT_ONCE: usize = 100;

/// Reproducible: the histories are the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

struct History {
    name: String,
    grace: u64,
    keep_firing_for: u64,
    /// Whether the condition holds, at each evaluation.
    holds: Vec<bool>,
}

impl History {
    fn random(index: usize, random: &mut Random) -> Self {
        let waits = |random: &mut Random| match random.below(4) {
            0 => 0,
            1 => STEP * random.below(6),
            _ => random.below(60),
        };
        let (grace, keep_firing_for) = (waits(random), waits(random));
        // Long and short spells.
        let change = 1 + random.below(6);
        let mut now = random.below(2) == 0;
        let holds = (0..TICKS).map(|_| {
            now ^= random.below(change + 1) == 0;
            now
        });
        let holds = holds.collect();
        Self { name: format!("h{index}"), grace, keep_firing_for, holds }
    }

    fn rule(&self) -> String {
        let Self { name, grace, keep_firing_for, .. } = self;
        format!(
            "  - {{alert: {name}, expr: '{name} == 1', for: {grace}s, keep_firing_for: {keep_firing_for}s}}\n"
        )
    }

    fn values(&self) -> String {
        let values: Vec<_> = self.holds.iter().map(|holds| if *holds { "1" } else { "0" }).collect();
        values.join(" ")
    }
}

/// When each alert is pending and firing, as our state machine has it.
fn ours(histories: &[History], rules: &Rules) -> BTreeMap<(u64, ViolationState), BTreeSet<String>> {
    let mut checker = InvariantChecker::new(rules.invariants()).unwrap();
    let mut states: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for tick in 0..TICKS {
        let at = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds((tick * STEP) as i64);
        let signal = |name: &str| Signal::new(Regarding::Cluster, name, 1.0, at, "the test");
        let mut signals = vec![signal(RULES)];
        let holding = histories.iter().filter(|history| history.holds[tick as usize]);
        signals.extend(holding.map(|history| signal(&format!("rule/{}", history.name))));
        let mut observation = Observation::empty(at);
        observation.signals = Some(signals);
        let _ = checker.check(&observation);
        for violation in checker.violations() {
            let name = violation.invariant.strip_prefix("rule/").unwrap().to_owned();
            states.entry((tick, violation.state)).or_default().insert(name);
        }
    }
    states
}

/// The test of promtool that passes if it sees the same.
fn test_file(histories: &[History], states: &BTreeMap<(u64, ViolationState), BTreeSet<String>>) -> String {
    let mut text = format!(
        "rule_files: [rules.yml]\nevaluation_interval: {STEP}s\ntests:\n- interval: {STEP}s\n  input_series:\n"
    );
    for history in histories {
        let _ = writeln!(text, "  - {{series: {}, values: '{}'}}", history.name, history.values());
    }
    text.push_str("  promql_expr_test:\n");
    for tick in 0..TICKS {
        for state in [ViolationState::Pending, ViolationState::Firing] {
            // The alerts themselves, not the series made of them: these stay visible for another five minutes.
            let names = states.get(&(tick, state)).cloned().unwrap_or_default();
            let _ = writeln!(
                text,
                "  - expr: count by (alertname) (ALERTS{{alertstate=\"{state}\"}})\n    eval_time: {}s\n    exp_samples:",
                tick * STEP
            );
            if names.is_empty() {
                text.pop();
                text.push_str(" []\n");
            }
            for name in names {
                let _ = writeln!(text, "    - {{labels: '{{alertname=\"{name}\"}}', value: 1}}");
            }
        }
    }
    text
}

#[test]
fn random_histories_go_as_in_prometheus() {
    let wanted = std::env::var("OPERATOR_HISTORIES").ok().map_or(300, |count| count.parse().unwrap());
    let folder = Folder::new("rule-histories");
    let mut random = Random(42);
    let mut run = 0;
    let mut told = BTreeMap::new();
    while run < wanted {
        let histories: Vec<_> =
            (0..AT_ONCE.min(wanted - run)).map(|index| History::random(index, &mut random)).collect();
        let mut text = format!("groups:\n- name: g\n  interval: {STEP}s\n  rules:\n");
        histories.iter().for_each(|history| text.push_str(&history.rule()));
        let rules = Rules::new(&[RuleFile::parse("rules.yml", text.as_bytes()).unwrap()]);
        let states = ours(&histories, &rules);
        for ((_, state), names) in &states {
            *told.entry(*state).or_insert(0) += names.len();
        }
        folder.write("rules.yml", &text);
        let test = folder.write("test.yml", test_file(&histories, &states));
        let Some((stdout, stderr)) = promtool(&["test", "rules", &test]) else { return };
        assert!(stdout.contains("SUCCESS"), "after {run} histories: {stdout}{stderr}\n{text}");
        run += histories.len();
    }
    // That they tell something.
    assert!(told[&ViolationState::Pending] > wanted && told[&ViolationState::Firing] > wanted, "{told:?}");
}
