//! A memory that is carried over.

use super::*;

#[test]
fn a_restart_loses_nothing_and_tells_nothing_twice() {
    let mut before = patient(60, 0);
    before.see(0, [warning(1), unknown(3)]);
    before.see(60, [warning(1), warning(2), unknown(3)]);
    let json = serde_json::to_string(&before.checker.save()).unwrap();

    let mut after = patient(60, 0);
    assert_eq!(after.checker.restore(serde_json::from_str(&json).unwrap()), 0);
    assert_eq!(after.checker.save().histories, before.checker.save().histories);
    // An hour in which nobody was looking: it makes nothing fire.
    assert_eq!(brief(&after.see(3_660, [warning(1), warning(2), unknown(3)])), NOTHING);
    assert_eq!(
        brief(&after.see(60, [warning(1), warning(2)])),
        ["firing store/2 warning", "observed_again store/3"]
    );
    assert_eq!(brief(&after.see(10, [warning(2)])), ["resolved store/1 warning after 3730s"]);
    assert_eq!(after.checker.violations()[0].since, at(60));
}

#[test]
fn a_memory_of_other_invariants_severities_and_limits_is_made_to_fit() {
    let mut before = graded();
    before.see(0, [critical(1), critical(2)]);
    before.see(60, [critical(1), critical(2)]);
    let state = before.checker.save();

    let other = InvariantInfo::new("other", Severity::Warning, ZERO);
    let mut checker = Scripted::new(other, CheckerConfig::default()).checker;
    assert_eq!((checker.restore(state.clone()), checker.history_count()), (2, 0));

    let info = InvariantInfo::new("bad", Severity::Warning, ZERO);
    let mut fewer = Scripted::new(info, CheckerConfig::default().max_histories(1));
    assert_eq!(fewer.checker.restore(state.clone()), 1);
    assert_eq!(fewer.checker.violations()[0].severity, Severity::Warning);
    assert_eq!(brief(&fewer.see(70, [])), ["resolved store/1 warning after 70s"]);

    let mut doubled = state.clone();
    doubled.histories.extend(state.histories);
    let mut checker = graded().checker;
    assert_eq!((checker.restore(doubled), checker.history_count()), (0, 2));
}
