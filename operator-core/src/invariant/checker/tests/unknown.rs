//! What cannot be told.

use super::*;

#[test]
fn unknown_neither_starts_nor_advances_nor_ends_anything() {
    for blind in [unknown(1), hidden()] {
        let mut bad = patient(60, 0);
        assert_eq!(brief(&bad.see(0, [blind.clone()])), NOTHING);
        assert_eq!(brief(&bad.see(10, [warning(1)])), ["pending store/1 warning"]);
        assert_eq!(brief(&bad.see(50, [blind.clone()])), NOTHING);
        assert_eq!(bad.checker.violations()[0].state, ViolationState::Pending);
        assert_eq!(bad.checker.unknown()[0].regarding, blind.regarding);
        // The 50 seconds that ended unknown do not count, those that end here do.
        assert_eq!(brief(&bad.see(50, [warning(1)])), NOTHING);
        assert_eq!(brief(&bad.see(10, [warning(1)])), ["firing store/1 warning"]);
        assert_eq!(brief(&bad.see(10, [blind.clone()])), NOTHING);
        assert_eq!(bad.checker.violations()[0].state, ViolationState::Firing);
        assert_eq!(brief(&bad.see(10, [])), ["resolved store/1 warning after 130s"]);
    }
}

#[test]
fn unknown_for_one_thing_says_nothing_of_others() {
    let mut bad = patient(0, 0);
    assert_eq!(brief(&bad.see(0, [warning(1), warning(2)])).len(), 2);
    assert_eq!(brief(&bad.see(10, [unknown(1)])), ["resolved store/2 warning after 10s"]);
}

#[test]
fn an_invariant_that_cannot_see_at_all_may_still_prove_something() {
    let mut bad = patient(0, 0);
    assert_eq!(brief(&bad.see(0, [warning(1)])), ["firing store/1 warning"]);
    let on_cluster = Finding::violated(Regarding::Cluster, Severity::Warning, "proven");
    let told = bad.see(10, [hidden(), warning(2), on_cluster]);
    assert_eq!(brief(&told), ["firing cluster warning", "firing store/2 warning"]);
    assert_eq!(bad.checker.violations().len(), 3);
    assert_eq!(bad.checker.unknown().len(), 1);
}

#[test]
fn what_stays_unknown_is_told_once_and_told_again_when_it_is_seen() {
    let mut bad = patient(0, 0);
    assert_eq!(brief(&bad.see(0, [warning(1), unknown(2)])), ["firing store/1 warning"]);
    assert_eq!(brief(&bad.see(59, [unknown(1), unknown(2)])), NOTHING);
    assert_eq!(brief(&bad.see(1, [unknown(1), unknown(2)])), ["unobserved store/2"]);
    assert_eq!(brief(&bad.see(59, [unknown(1), unknown(2)])), ["unobserved store/1"]);
    assert_eq!(brief(&bad.see(6_000, [unknown(1), unknown(2)])), NOTHING);
    assert_eq!(bad.checker.unknown()[1].since, at(0));
    let told = brief(&bad.see(1, [warning(2)]));
    let expected = [
        "observed_again store/1",
        "resolved store/1 warning after 6120s",
        "observed_again store/2",
        "firing store/2 warning",
    ];
    assert_eq!(told, expected);
    assert!(bad.checker.unknown().is_empty());
}

#[test]
fn an_invariant_that_cannot_see_at_all_is_told_once_and_not_for_each_thing() {
    let mut bad = patient(0, 0);
    assert_eq!(bad.see(0, [warning(1), warning(2), warning(3)]).len(), 3);
    assert_eq!(brief(&bad.see(10, [hidden()])), NOTHING);
    assert_eq!(brief(&bad.see(60, [hidden()])), ["unobserved cluster"]);
    assert_eq!(brief(&bad.see(60, [hidden()])), NOTHING);
    assert_eq!(brief(&bad.see(5, [warning(1), warning(2), warning(3)])), ["observed_again cluster"]);
}

#[test]
fn nothing_observed_is_unknown_for_every_invariant() {
    let mut bad = patient(60, 0);
    assert_eq!(brief(&bad.see(0, [warning(1)])), ["pending store/1 warning"]);
    let checked = bad.checker.blind_after(at(3_600), seconds(3_600), "nobody answers");
    assert_eq!(brief(&checked.transitions), NOTHING);
    let unknown = Unknown::new("bad", Regarding::Cluster, at(3_600), "nobody answers");
    assert_eq!(bad.checker.unknown(), [unknown]);
    let checked = bad.checker.blind_after(at(3_700), seconds(100), "nobody answers");
    assert_eq!(brief(&checked.transitions), NOTHING);
    bad.now = 3_700;
    // What then still cannot be seen is told as if it had been unseen from then on.
    assert_eq!(brief(&bad.see(1, [hidden()])), NOTHING);
    assert_eq!(brief(&bad.see(59, [hidden()])), NOTHING);
    assert_eq!(brief(&bad.see(1, [hidden()])), ["unobserved cluster"]);
    assert_eq!(brief(&bad.see(5, [warning(1)])), ["observed_again cluster"]);
    assert_eq!(brief(&bad.see(55, [warning(1)])), ["firing store/1 warning"]);
}

#[test]
fn what_something_else_explains_is_not_told_however_long_it_lasts() {
    let mut bad = patient(0, 0);
    let explained = || Finding::unknown(StoreId(1), "it is lost").explained();
    assert_eq!(brief(&bad.see(0, [explained()])), NOTHING);
    assert_eq!(brief(&bad.see(6_000, [explained()])), NOTHING);
    assert_eq!(bad.checker.unknown().len(), 1);
    // Neither does it count towards what is unknown without an explanation.
    assert_eq!(brief(&bad.see(600, [unknown(1)])), NOTHING);
    assert_eq!(brief(&bad.see(59, [unknown(1)])), NOTHING);
    assert_eq!(brief(&bad.see(1, [unknown(1)])), ["unobserved store/1"]);
}
