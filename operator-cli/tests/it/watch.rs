use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use operator_core::{Event, EventKind, Severity};

use crate::{operator, run};

/// The events of a story, told as fast as it can be.
fn story(scenario: &str) -> Vec<Event> {
    let outcome = run(&mut operator(&format!("watch --simulate={scenario} --speed 100000 -o json")));
    assert_eq!(outcome.code, Some(0), "{scenario}: {}", outcome.stderr);
    let events: Vec<Event> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let sequence: Vec<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequence, (1..=events.len() as u64).collect::<Vec<_>>(), "{scenario}");
    assert_eq!(events.first().map(|event| event.kind), Some(EventKind::Started));
    assert_eq!(events.last().map(|event| event.kind), Some(EventKind::Stopped));
    events
}

type Told = (String, EventKind, String, Option<Severity>, Option<Severity>);

/// What fired and was resolved: when, as mm:ss of the story, what, of which thing, how badly, and how badly before.
fn told(events: &[Event]) -> Vec<Told> {
    let loud = events.iter().filter(|event| matches!(event.kind, EventKind::Firing | EventKind::Resolved));
    loud.map(|event| {
        let name = event.invariant.as_deref().unwrap_or_default();
        let what = format!("{name} of {}", event.regarding.as_ref().unwrap());
        (event.at.format("%M:%S").to_string(), event.kind, what, event.severity, event.previous_severity)
    })
    .collect()
}

#[test]
fn a_store_that_crashes_is_told_as_a_warning_then_as_critical_and_is_resolved_and_nothing_else() {
    let events = story("store-crash");
    let store = || "store_down of store/4".to_owned();
    let (warning, critical) = (Some(Severity::Warning), Some(Severity::Critical));
    let told = told(&events);
    let without_time: Vec<_> =
        told.iter().map(|(_, kind, what, now, before)| (*kind, what.clone(), *now, *before)).collect();
    let expected = [
        (EventKind::Firing, store(), warning, None),
        (EventKind::Firing, store(), critical, warning),
        (EventKind::Resolved, store(), critical, None),
    ];
    assert_eq!(without_time, expected, "{told:?}");
    // It dies at 00:30, PD misses it 20 s after its last heartbeat, and looks come every 5 s, a little late.
    let at: Vec<_> = told.iter().map(|(at, ..)| at.as_str()).collect();
    assert!(("00:40".."00:56").contains(at.first().unwrap()), "{at:?}");
    assert!(("01:40".."02:02").contains(at.get(1).unwrap()), "{at:?}");
    // It is started again at 03:00, and kept firing for a minute.
    assert!(("03:55".."04:20").contains(at.get(2).unwrap()), "{at:?}");
}

#[test]
fn a_story_is_the_same_each_time() {
    let line = "watch --simulate=two-stores-lost --speed 100000 -o json";
    let (first, second) = (run(&mut operator(line)), run(&mut operator(line)));
    assert_eq!(first.stdout, second.stdout);
    assert!(first.stdout.contains("quorum_lost"), "{}", first.stdout);
    assert!(first.stderr.contains("now store 4 is started again"), "{}", first.stderr);
}

#[test]
fn nothing_is_told_of_a_healthy_cluster() {
    let kinds: Vec<_> = story("healthy").iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Started, EventKind::Observed, EventKind::Stopped]);
}

#[test]
fn a_pd_that_warms_up_accuses_no_store() {
    let told = told(&story("pd-restart"));
    assert!(told.iter().all(|(_, _, what, ..)| !what.starts_with("store_down")), "{told:?}");
}

#[test]
fn nobody_who_answers_is_told_once_and_told_again_when_somebody_does() {
    let kinds: Vec<_> = story("no-quorum").iter().map(|event| event.kind).collect();
    let count = |kind| kinds.iter().filter(|it| **it == kind).count();
    assert_eq!((count(EventKind::Unreachable), count(EventKind::Reachable)), (1, 1), "{kinds:?}");
}

#[test]
fn people_read_lines() {
    let outcome = run(&mut operator("watch --simulate=store-crash --speed 100000"));
    let firing = outcome.stdout.lines().find(|line| line.contains("firing")).unwrap();
    assert!(firing.contains("  firing     warning   store/4  store_down: store 4 ("), "{firing}");
    assert!(outcome.stderr.starts_with("store-crash: a store dies"), "{}", outcome.stderr);
    assert!(!outcome.stdout.contains('\u{1b}'));
}

#[test]
fn what_may_pass_is_a_line_only_on_request() {
    let pending = |line: &str| run(&mut operator(line)).stdout.contains("  pending  ");
    assert!(!pending("watch --simulate=store-crash --speed 100000"));
    assert!(pending("watch --simulate=store-crash --speed 100000 --pending"));
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for (line, named) in [
        ("watch", "--pd"),
        ("watch --simulate --speed 0", "--speed"),
        ("watch --simulate --interval 1ms", "interval"),
        ("watch --pd http://127.0.0.1:1 --speed 2", "--speed"),
    ] {
        let outcome = run(&mut operator(line));
        assert_eq!(outcome.code, Some(64), "{line}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(named), "{line}: {}", outcome.stderr);
    }
}

#[cfg(unix)]
#[test]
fn signals_end_it_well_and_it_says_so() {
    // A story, and a cluster that nobody answers for.
    for args in [&["--simulate"][..], &["--pd", "http://127.0.0.1:1", "--interval", "1s"]] {
        for signal in ["-INT", "-TERM"] {
            let mut child = Command::new(env!("CARGO_BIN_EXE_operator"))
                .args(["watch", "-o", "json", "--timeout", "2s"])
                .args(args)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut stdout = BufReader::new(child.stdout.take().unwrap());
            let mut first = String::new();
            stdout.read_line(&mut first).unwrap();
            let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
            assert!(killed.success());
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(0), "{signal} {args:?}");
            let last: Event = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
            assert_eq!(last.kind, EventKind::Stopped, "{signal} {args:?}");
        }
    }
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_operator"))
        .args(["watch", "--simulate=store-crash", "--speed", "500"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(!stderr.contains("error"), "{stderr}");
}
