mod restart;
mod unknown;

use std::sync::Mutex;

use super::*;
use crate::{Severity, StoreId, ViolationState, invariant_fn};

const ZERO: Duration = Duration::ZERO;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

/// A checker of one invariant, `bad`, that finds what it is told to.
pub(super) struct Scripted {
    pub(super) checker: InvariantChecker,
    findings: Arc<Mutex<Vec<Finding>>>,
    now: i64,
}

impl Scripted {
    pub(super) fn new(info: InvariantInfo, config: CheckerConfig) -> Self {
        let findings = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&findings);
        let invariant = invariant_fn(info, move |_| told.lock().unwrap().clone());
        let checker = InvariantChecker::with_config([Arc::new(invariant) as _], config).unwrap();
        Self { checker, findings, now: 0 }
    }

    /// Lets `later` seconds pass, then finds `findings`.
    fn see(&mut self, later: i64, findings: impl IntoIterator<Item = Finding>) -> Vec<Transition> {
        self.now += later;
        *self.findings.lock().unwrap() = findings.into_iter().collect();
        let checked = self.checker.check(&Observation::empty(at(self.now)));
        assert_eq!((checked.older_than, checked.not_followed), (None, 0));
        checked.transitions
    }

    /// The same at any time of the wall clock.
    pub(super) fn see_at(
        &mut self,
        wall: DateTime<Utc>,
        elapsed: Duration,
        findings: Vec<Finding>,
    ) -> Vec<Transition> {
        *self.findings.lock().unwrap() = findings;
        self.checker.check_after(&Observation::empty(wall), elapsed).transitions
    }

    pub(super) fn see_by_wall_clock(&mut self, wall: DateTime<Utc>, findings: Vec<Finding>) -> Checked {
        *self.findings.lock().unwrap() = findings;
        self.checker.check(&Observation::empty(wall))
    }
}

pub(super) fn found(store: u64, severity: Severity) -> Finding {
    Finding::violated(StoreId(store), severity, "bad")
}

fn warning(store: u64) -> Finding {
    found(store, Severity::Warning)
}

fn critical(store: u64) -> Finding {
    found(store, Severity::Critical)
}

fn unknown(store: u64) -> Finding {
    Finding::unknown(StoreId(store), "not seen")
}

fn hidden() -> Finding {
    Finding::unknown(Regarding::Cluster, "no stores")
}

fn patient(grace: u64, keep_firing: u64) -> Scripted {
    let info = InvariantInfo::new("bad", Severity::Warning, seconds(grace)).keep_firing(seconds(keep_firing));
    Scripted::new(info, CheckerConfig::default())
}

/// `store_down` of the TiKV subject: a warning at once, critical after a minute.
fn graded() -> Scripted {
    let info = InvariantInfo::new("bad", Severity::Warning, ZERO).severity(Severity::Critical, seconds(60));
    Scripted::new(info, CheckerConfig::default())
}

/// `type regarding severity [< previous] [lasted]` of each.
pub(super) fn brief(transitions: &[Transition]) -> Vec<String> {
    let brief =
        |kind: &str, violation: &Violation| format!("{kind} {} {}", violation.regarding, violation.severity);
    transitions
        .iter()
        .map(|transition| match transition {
            Transition::Pending(violation) => brief("pending", violation),
            Transition::Firing { violation, previous_severity: None } => brief("firing", violation),
            Transition::Firing { violation, previous_severity: Some(previous) } => {
                format!("{} < {previous}", brief("firing", violation))
            }
            Transition::Resolved(violation) => {
                format!("{} after {:?}", brief("resolved", violation), violation.lasted.unwrap())
            }
            Transition::Unobserved(unknown) => format!("unobserved {}", unknown.regarding),
            Transition::ObservedAgain(unknown) => format!("observed_again {}", unknown.regarding),
        })
        .collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn pending_then_firing_then_resolved_with_its_times() {
    let mut bad = patient(60, 0);
    assert_eq!(brief(&bad.see(0, [warning(4)])), ["pending store/4 warning"]);
    assert_eq!(brief(&bad.see(59, [warning(4)])), NOTHING);
    let told = bad.see(1, [warning(4).measured(3.0, 2.0, "s")]);
    assert_eq!(brief(&told), ["firing store/4 warning"]);
    let [Transition::Firing { violation, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((violation.since, violation.firing_since), (at(0), Some(at(60))));
    assert_eq!((violation.observed, violation.threshold), (Some(3.0), Some(2.0)));
    assert_eq!(bad.checker.violations().first(), Some(violation));
    assert_eq!(brief(&bad.see(600, [warning(4)])), NOTHING);

    let told = bad.see(5, []);
    assert_eq!(brief(&told), ["resolved store/4 warning after 665s"]);
    let [Transition::Resolved(violation)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((violation.state, violation.since), (ViolationState::Resolved, at(0)));
    assert_eq!((violation.firing_since, &*violation.message), (Some(at(60)), "bad"));
    assert_eq!((bad.checker.violations(), bad.checker.history_count()), (vec![], 0));
}

#[test]
fn without_grace_it_fires_at_once_and_is_never_pending() {
    let mut bad = patient(0, 0);
    assert_eq!(brief(&bad.see(0, [warning(1)])), ["firing store/1 warning"]);
    let report = bad.checker.violations();
    assert_eq!((report[0].state, report[0].firing_since), (ViolationState::Firing, Some(at(0))));
}

#[test]
fn what_is_gone_before_its_grace_is_over_starts_anew() {
    let mut bad = patient(60, 600);
    assert_eq!(brief(&bad.see(0, [warning(1)])), ["pending store/1 warning"]);
    // As in Prometheus: only what fires is kept.
    assert_eq!(brief(&bad.see(59, [])), NOTHING);
    assert_eq!(bad.checker.history_count(), 0);
    assert_eq!(brief(&bad.see(59, [warning(1)])), ["pending store/1 warning"]);
    assert_eq!(brief(&bad.see(59, [warning(1)])), NOTHING);
    assert_eq!(brief(&bad.see(1, [warning(1)])), ["firing store/1 warning"]);
}

#[test]
fn what_flaps_is_one_violation() {
    let mut bad = patient(0, 60);
    assert_eq!(brief(&bad.see(0, [warning(1)])), ["firing store/1 warning"]);
    for _ in 0..20 {
        for _ in 0..6 {
            assert_eq!(brief(&bad.see(10, [])), NOTHING);
        }
        assert_eq!(brief(&bad.see(10, [warning(1)])), NOTHING);
    }
    for _ in 0..6 {
        assert_eq!(brief(&bad.see(10, [])), NOTHING);
    }
    assert_eq!(brief(&bad.see(10, [])), ["resolved store/1 warning after 1470s"]);
}

#[test]
fn a_worse_severity_counts_its_own_grace_and_is_told_as_firing_again() {
    let mut bad = graded();
    assert_eq!(
        brief(&bad.see(0, [warning(1), critical(2)])),
        ["firing store/1 warning", "firing store/2 warning"]
    );
    // Store 1 is critical from second 50 on, store 2 from the beginning.
    assert_eq!(brief(&bad.see(50, [critical(1), critical(2)])), NOTHING);
    assert_eq!(brief(&bad.see(10, [critical(1), critical(2)])), ["firing store/2 critical < warning"]);
    assert_eq!(brief(&bad.see(50, [critical(1), critical(2)])), ["firing store/1 critical < warning"]);
    let told = bad.see(10, [warning(1)]);
    let expected = ["firing store/1 warning < critical", "resolved store/2 critical after 120s"];
    assert_eq!(brief(&told), expected);
    let [Transition::Firing { violation, .. }, _] = &told[..] else { panic!("{told:?}") };
    assert_eq!((violation.since, violation.firing_since), (at(0), Some(at(0))));
    // It must be critical for a whole minute again.
    assert_eq!(brief(&bad.see(59, [critical(1)])), NOTHING);
    assert_eq!(brief(&bad.see(59, [critical(1)])), NOTHING);
    assert_eq!(brief(&bad.see(1, [critical(1)])), ["firing store/1 critical < warning"]);
}

#[test]
fn keep_firing_holds_a_severity_too() {
    let info = InvariantInfo::new("bad", Severity::Warning, ZERO).severity(Severity::Critical, ZERO);
    let mut bad = Scripted::new(info.keep_firing(seconds(30)), CheckerConfig::default());
    assert_eq!(brief(&bad.see(0, [critical(1)])), ["firing store/1 critical"]);
    for _ in 0..5 {
        assert_eq!(brief(&bad.see(20, [warning(1)])), NOTHING);
        assert_eq!(brief(&bad.see(10, [critical(1)])), NOTHING);
    }
    assert_eq!(brief(&bad.see(10, [warning(1)])), NOTHING);
    assert_eq!(brief(&bad.see(30, [warning(1)])), ["firing store/1 warning < critical"]);
}

#[test]
fn what_has_alarmed_falls_to_a_milder_severity_without_its_grace() {
    let info =
        InvariantInfo::new("bad", Severity::Warning, seconds(600)).severity(Severity::Critical, seconds(10));
    let mut bad = Scripted::new(info, CheckerConfig::default());
    assert_eq!(brief(&bad.see(0, [critical(1)])), ["pending store/1 critical"]);
    assert_eq!(brief(&bad.see(10, [critical(1)])), ["firing store/1 critical"]);
    assert_eq!(brief(&bad.see(10, [warning(1)])), ["firing store/1 warning < critical"]);
    assert_eq!(brief(&bad.see(10, [])), ["resolved store/1 warning after 30s"]);
}

#[test]
fn what_the_observation_proves_to_last_needs_no_grace() {
    let mut bad = graded();
    assert_eq!(brief(&bad.see(0, [critical(1).settled()])), ["firing store/1 critical"]);
}

#[test]
fn a_severity_that_is_not_listed_counts_as_one_that_is() {
    let mut bad = patient(60, 0);
    let findings = [found(1, Severity::Info), critical(2)];
    let expected = ["pending store/1 warning", "pending store/2 warning"];
    assert_eq!(brief(&bad.see(0, findings)), expected);
}

#[test]
fn an_observation_that_is_older_than_the_last_is_ignored_and_said_so() {
    let mut bad = patient(0, 0);
    assert_eq!(bad.see(100, [warning(1)]).len(), 1);
    *bad.findings.lock().unwrap() = vec![];
    let checked = bad.checker.check(&Observation::empty(at(99)));
    assert_eq!((checked.older_than, checked.transitions.len()), (Some(at(100)), 0));
    assert_eq!(bad.checker.violations().len(), 1);
    // Twice the same time is no time, and no harm.
    assert_eq!(brief(&bad.see(0, [])), ["resolved store/1 warning after 0ns"]);
}

#[test]
fn a_clock_that_is_set_fires_nothing_early() {
    let mut bad = patient(60, 0);
    bad.see_at(at(0), seconds(5), vec![warning(1)]);
    assert_eq!(brief(&bad.see_at(at(100_000), seconds(5), vec![warning(1)])), NOTHING);
    assert_eq!(brief(&bad.see_at(at(-100_000), seconds(54), vec![warning(1)])), NOTHING);
    assert_eq!(brief(&bad.see_at(DateTime::<Utc>::MIN_UTC, ZERO, vec![warning(1)])), NOTHING);
    let told = bad.see_at(DateTime::<Utc>::MAX_UTC, seconds(1), vec![warning(1)]);
    assert_eq!(brief(&told), ["firing store/1 warning"]);
    let told = bad.see_at(at(0), Duration::MAX, vec![]);
    assert!(brief(&told)[0].starts_with("resolved store/1 warning"));
}

#[test]
fn numbers_that_are_none_do_no_harm() {
    let mut bad = patient(0, 0);
    bad.see(0, [warning(1).measured(f64::NAN, f64::INFINITY, "s")]);
    let violation = bad.checker.violations().remove(0);
    assert_eq!((violation.observed, violation.threshold), (None, None));
}

#[test]
fn a_thing_named_twice_counts_as_its_worst() {
    let mut bad = graded();
    let findings = [critical(1).settled(), warning(1), unknown(1)];
    assert_eq!(brief(&bad.see(0, findings)), ["firing store/1 critical"]);
}

#[test]
fn what_is_found_beyond_the_limit_is_counted() {
    let info = InvariantInfo::new("bad", Severity::Warning, ZERO);
    let mut bad = Scripted::new(info, CheckerConfig::default().max_histories(2));
    *bad.findings.lock().unwrap() = vec![warning(3), warning(2), warning(1), warning(4)];
    let checked = bad.checker.check(&Observation::empty(at(0)));
    assert_eq!(brief(&checked.transitions), ["firing store/1 warning", "firing store/2 warning"]);
    assert_eq!((checked.not_followed, bad.checker.history_count()), (2, 2));
    // What is followed stays so, and there is room again when something is gone.
    assert_eq!(brief(&bad.see(1, [warning(2)])), ["resolved store/1 warning after 1s"]);
    assert_eq!(brief(&bad.see(1, [warning(2), warning(3)])), ["firing store/3 warning"]);
}

#[test]
fn an_invariant_that_panics_is_unknown_and_does_not_silence_the_others() {
    let info = |id| InvariantInfo::new(id, Severity::Warning, ZERO);
    let broken = invariant_fn(info("broken"), |observation| {
        vec![warning(observation.stores.as_ref().unwrap().len() as u64)]
    });
    let sound = invariant_fn(info("sound"), |_| vec![warning(1)]);
    let mut checker =
        InvariantChecker::new([Arc::new(broken) as _, Arc::new(sound) as Arc<dyn Invariant>]).unwrap();
    let checked = checker.check(&Observation::empty(at(0)));
    assert_eq!(brief(&checked.transitions), ["firing store/1 warning"]);
    assert_eq!(
        checker.unknown(),
        [Unknown::new("broken", Regarding::Cluster, at(0), "the invariant panicked")]
    );
}

#[test]
fn two_invariants_of_one_name_and_infos_without_sense_are_refused() {
    let named = |id: &'static str, grace| {
        Arc::new(invariant_fn(InvariantInfo::new(id, Severity::Info, grace), |_| vec![]))
            as Arc<dyn Invariant>
    };
    let twice = InvariantChecker::new([named("bad", ZERO), named("bad", ZERO)]).unwrap_err();
    assert_eq!(
        (twice.kind, &*twice.message),
        (ErrorKind::InvalidInput, "id: there are two invariants `bad`")
    );
    let endless = InvariantChecker::new([named("bad", Duration::MAX)]).unwrap_err();
    assert!(endless.message.starts_with("bad.grace of info: "), "{endless}");
}
