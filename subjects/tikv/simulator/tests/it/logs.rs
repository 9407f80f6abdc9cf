//! The logs of the simulated processes: in the forms of recorded ones, and without effect on anything else.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use tikv_simulator::{Config, Event, NodeId, Scenario, Simulator};

use crate::scenarios::{get, seconds};

/// Not in the recorded logs: as the programs' sources have them.
const NOT_RECORDED: [&str; 2] = [
    "stepped down to follower since quorum is not active",
    "no longer a leader because lease has expired, pd leader will step down",
];

/// The bracketed parts of a line, quoted ones as they are.
fn parts(line: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), None, false, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' if !quoted && start.is_none() => start = Some(at + 1),
            b']' if !quoted => parts.extend(start.take().and_then(|start| line.get(start..at))),
            _ => {}
        }
    }
    parts
}

/// Level, source, message and names of fields, with every number a `9`.
fn form(line: &str) -> Option<String> {
    let parts = parts(line);
    let (head, fields) = (parts.get(1..4)?, parts.get(4..)?);
    let without_numbers = |text: &str| {
        let mut form = String::new();
        for c in text.chars() {
            let c = if c.is_ascii_digit() { '9' } else { c };
            if c != '9' || !form.ends_with('9') {
                form.push(c);
            }
        }
        form
    };
    let names: Vec<_> =
        fields.iter().filter_map(|field| field.split_once('=')).map(|(name, _)| name).collect();
    let [level, source, message] = head else { return None };
    Some(format!("{level} {source} {} {}", without_numbers(message), names.join(",")))
}

fn recorded() -> BTreeSet<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/recordings/logs");
    let mut forms = BTreeSet::new();
    for name in ["tikv0", "tikv1", "tikv2", "tikv3", "pd0", "pd1", "pd2"] {
        let file = std::fs::File::open(folder.join(format!("{name}.log.gz"))).expect("it is there");
        let mut bytes = Vec::new();
        MultiGzDecoder::new(file).read_to_end(&mut bytes).expect("it is gzip");
        forms.extend(String::from_utf8_lossy(&bytes).lines().filter_map(form));
    }
    forms
}

fn with_logs(scenario: Scenario, logs: bool) -> Simulator {
    let mut config = Config::new(scenario);
    config.logs = logs;
    Simulator::new(config)
}

/// Much of what can happen.
fn live(cluster: &mut Simulator) {
    cluster.advance(seconds(60));
    for event in [
        Event::Crash(NodeId::Store(4)),
        Event::Restart(NodeId::Store(4)),
        Event::Hang(NodeId::Store(5)),
        Event::Restart(NodeId::Store(5)),
        Event::Slow(1),
        Event::Fast(1),
        Event::Split(2),
        Event::AddStore,
        Event::Crash(NodeId::Store(4)),
        Event::Crash(NodeId::Store(5)),
        Event::Restart(NodeId::Store(4)),
        Event::ResignPdLeader,
        Event::Crash(NodeId::Pd(1)),
        Event::RestartAllPds,
    ] {
        cluster.apply(event);
        cluster.advance(seconds(80));
    }
}

#[test]
fn every_line_has_the_form_of_a_recorded_one() {
    let recorded = recorded();
    assert!(recorded.len() > 500, "{}", recorded.len());
    let mut cluster = with_logs(Scenario::Healthy, true);
    live(&mut cluster);
    let mut forms = BTreeSet::new();
    for node in cluster.nodes() {
        let written = cluster.drain_log(node.id);
        assert!(!written.lines.is_empty(), "{}", node.name);
        for line in written.lines {
            let form = form(&line).expect("it has a form");
            let known = recorded.contains(&form) || NOT_RECORDED.iter().any(|message| line.contains(message));
            assert!(known, "{}: {line}\n{form}", node.name);
            forms.insert(form);
        }
    }
    assert!(forms.len() >= 30, "{forms:#?}");
}

#[test]
fn logs_change_nothing_and_take_nothing_unless_they_are_wanted() {
    let mut pair = [true, false].map(|logs| with_logs(Scenario::Healthy, logs));
    let answers = pair.each_mut().map(|cluster| {
        live(cluster);
        let leader = cluster.truth().pd_leader.expect("one leads");
        let stores = get(cluster, &format!("{leader}:2379"), "/pd/api/v1/stores");
        let regions = get(cluster, &format!("{leader}:2379"), "/pd/api/v1/regions");
        (cluster.truth(), stores, regions)
    });
    assert_eq!(answers[0], answers[1]);
    let [_, quiet] = &mut pair;
    for node in quiet.nodes() {
        assert!(quiet.drain_log(node.id).lines.is_empty(), "{}", node.name);
    }
    assert!(quiet.drain_leaders().is_empty());
}

#[test]
fn the_same_seed_writes_the_same_lines() {
    let lines = || {
        let mut cluster = with_logs(Scenario::StoreCrash, true);
        cluster.advance(seconds(120));
        cluster.drain_log(NodeId::Store(1)).lines
    };
    let first = lines();
    assert!(first.len() > 100);
    assert_eq!(first, lines());
}
