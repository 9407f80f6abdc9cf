use operator_core::{CheckReport, Regarding, Severity, ViolationState};

use crate::{operator, run};

/// The exit code and the report, which is the core's type to the last field.
fn checked(line: &str) -> (Option<i32>, CheckReport) {
    let outcome = run(&mut operator(&format!("{line} -o json")));
    let report: CheckReport = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{line}: {error}: {}{}", outcome.stdout, outcome.stderr));
    let again = serde_json::to_value(&report).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&outcome.stdout).unwrap(), again, "{line}");
    (outcome.code, report)
}

fn names(regarding: &Regarding, report: &CheckReport, state: ViolationState) -> Vec<(String, Severity)> {
    let found = report.violations.iter().filter(|it| it.state == state && it.regarding == *regarding);
    found.map(|violation| (violation.invariant.to_string(), violation.severity)).collect()
}

#[test]
fn a_healthy_cluster_is_ok_with_and_without_patience() {
    for line in ["--simulate check", "--simulate check --no-grace"] {
        let (code, report) = checked(line);
        assert_eq!((code, &*report.violations, &*report.unknown), (Some(0), &[][..], &[][..]), "{line}");
        let table = run(&mut operator(line)).stdout;
        assert!(table.starts_with("complete (") && table.ends_with(": everything holds\n"), "{table}");
    }
}

#[test]
fn a_store_that_crashed_is_named_a_warning_at_first_sight_and_critical_without_patience() {
    let store = "store/4".parse().unwrap();
    let (code, report) = checked("--simulate=store-crash check");
    assert_eq!(code, Some(1));
    let down = |severity| [("store_down".to_owned(), severity)];
    assert_eq!(names(&store, &report, ViolationState::Firing), down(Severity::Warning));
    let firing = report.violations.iter().filter(|it| it.state == ViolationState::Firing);
    assert_eq!(firing.count(), 1, "{:?}", report.violations);

    let (code, report) = checked("--simulate=store-crash check --no-grace");
    assert_eq!(code, Some(2));
    assert_eq!(names(&store, &report, ViolationState::Firing), down(Severity::Critical));
    let table = run(&mut operator("--simulate=store-crash check")).stdout;
    assert!(table.contains("\nwarning   firing   store/4    store_down"), "{table}");
    assert!(table.contains("is lost: it does not answer"), "{table}");
}

#[test]
fn two_lost_stores_are_two_warnings_and_a_lost_quorum_that_is_pending() {
    let (code, report) = checked("--simulate=two-stores-lost check");
    assert_eq!(code, Some(1));
    let cluster = Regarding::Cluster;
    let pending = names(&cluster, &report, ViolationState::Pending);
    assert!(pending.contains(&("quorum_lost".to_owned(), Severity::Critical)), "{pending:?}");
    let (code, report) = checked("--simulate=two-stores-lost check --no-grace");
    assert_eq!(code, Some(2));
    let firing = names(&cluster, &report, ViolationState::Firing);
    assert!(firing.contains(&("quorum_lost".to_owned(), Severity::Critical)), "{firing:?}");
}

#[test]
fn a_pd_that_warms_up_is_unknown_and_accuses_no_store() {
    let (code, report) = checked("--simulate=pd-restart check");
    assert_eq!(code, Some(3), "{:?}", report.violations);
    assert!(report.violations.iter().all(|violation| violation.invariant != "store_down"));
    let unknown = report.unknown.iter().map(|unknown| &*unknown.invariant).collect::<Vec<_>>();
    assert!(unknown.contains(&"miss_peer"), "{unknown:?}");
}

#[test]
fn nothing_observed_is_unknown_says_why_on_stderr_and_is_still_a_report() {
    let outcome = run(&mut operator("--pd http://127.0.0.1:1 --timeout 3s check -o json"));
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(outcome.stderr.starts_with("error: stores: "), "{}", outcome.stderr);
    let report: CheckReport = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(report.unknown.iter().any(|unknown| unknown.invariant == "store_down"), "{report:?}");
}

#[test]
fn a_command_line_without_a_cluster_is_a_usage_error() {
    assert_eq!(run(&mut operator("check")).code, Some(64));
    assert_eq!(run(&mut operator("--simulate check --grace")).code, Some(64));
}
