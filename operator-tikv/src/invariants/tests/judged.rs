//! What each invariant takes for violated, and what not.

use operator_core::StoreId;
use rstest::rstest;

use super::*;

#[rstest]
// The store's state, whether it is lost, whether PD's leader has heard from it, and what is found.
#[case(StoreState::Up, None, true, &[])]
#[case(StoreState::Up, None, false, &[])]
#[case(StoreState::Tombstone, Some(true), true, &[])]
#[case(StoreState::Disconnected, Some(true), true, &["store/4 critical"])]
#[case(StoreState::Disconnected, Some(true), false, &["store/4 critical"])]
#[case(StoreState::Disconnected, Some(false), true, &["store/4 warning"])]
#[case(StoreState::Disconnected, Some(false), false, &[])]
#[case(StoreState::Disconnected, None, true, &["store/4 warning"])]
#[case(StoreState::Disconnected, None, false, &["store/4 unknown"])]
#[case(StoreState::Down, Some(true), true, &["store/4 critical settled"])]
#[case(StoreState::Down, Some(false), false, &[])]
#[case(StoreState::Down, None, true, &["store/4 critical settled"])]
#[case(StoreState::Down, None, false, &["store/4 unknown"])]
#[case(StoreState::Offline, None, true, &[])]
#[case(StoreState::Offline, Some(false), true, &[])]
#[case(StoreState::Offline, Some(true), true, &["store/4 warning"])]
#[case(StoreState::Unknown, Some(true), true, &["store/4 critical"])]
#[case(StoreState::Unknown, Some(false), true, &[])]
#[case(StoreState::Unknown, None, true, &["store/4 unknown"])]
fn a_store_is_down(
    #[case] state: StoreState,
    #[case] lost: Option<bool>,
    #[case] heard: bool,
    #[case] expected: &[&str],
) {
    let mut seen = healthy();
    disconnect(&mut seen, 4, lost);
    of(&mut seen, 4).state = state;
    if !heard {
        of(&mut seen, 4).capacity_bytes = None;
    }
    assert_eq!(found("store_down", &seen), expected);
}

#[test]
fn a_store_that_was_emptied_before_it_was_stopped_is_not_down() {
    let mut seen = healthy();
    disconnect(&mut seen, 4, Some(true));
    of(&mut seen, 4).state = StoreState::Offline;
    of(&mut seen, 4).region_count = Some(0);
    assert_eq!(found("store_down", &seen), Vec::<String>::new());
}

#[test]
fn of_a_store_that_is_gone_nothing_else_is_told() {
    let mut seen = healthy();
    disconnect(&mut seen, 4, Some(true));
    of(&mut seen, 4).available_bytes = Some(1);
    // Only stores that are up must have metrics.
    assert_eq!(found("store_unobserved", &seen), Vec::<String>::new());
    for id in ["high_latency", "low_disk_space", "store_busy", "store_slow"] {
        assert_eq!(found(id, &seen), ["store/4 unknown"], "{id}");
        let finding = &findings(&Thresholds::default(), id, &seen)[0];
        assert_eq!((finding.message.as_str(), finding.explained), ("store 4 is lost", true));
    }
    of(&mut seen, 4).state = StoreState::Tombstone;
    for id in ["high_latency", "low_disk_space", "store_busy", "store_slow", "store_unobserved"] {
        assert_eq!(found(id, &seen), Vec::<String>::new(), "{id}");
    }
}

#[rstest]
#[case(Some(100), Some(10.0), &[])]
#[case(Some(101), Some(10.0), &["store/4 warning"])]
#[case(Some(101), None, &["store/4 warning"])]
#[case(None, Some(10.0), &["store/4 unknown"])]
#[case(None, None, &["store/4 unknown"])]
#[case(None, Some(f64::NAN), &["store/4 unknown"])]
// Nobody asks it anything.
#[case(None, Some(0.0), &[])]
fn latency_is_high(#[case] p99_ms: Option<u64>, #[case] qps: Option<f64>, #[case] expected: &[&str]) {
    let mut seen = healthy();
    let metrics = of_metrics(&mut seen, 4);
    (metrics.latency_p99, metrics.qps) = (p99_ms.map(Duration::from_millis), qps);
    assert_eq!(found("high_latency", &seen), expected);
}

#[test]
fn old_metrics_are_none() {
    let mut seen = healthy();
    of_metrics(&mut seen, 4).at = now() - TimeDelta::seconds(121);
    assert_eq!(found("high_latency", &seen), ["store/4 unknown"]);
    assert_eq!(found("store_unobserved", &seen), ["store/4 warning"]);
    seen.metrics.as_mut().unwrap().retain(|metrics| metrics.store_id.0 != 4);
    assert_eq!(found("high_latency", &seen), ["store/4 unknown"]);
    assert_eq!(found("store_unobserved", &seen), ["store/4 warning"]);
    seen.metrics.as_mut().unwrap().push(StoreMetrics::new(4.into(), now()));
    assert_eq!(found("store_unobserved", &seen), ["store/4 warning"]);
    of(&mut seen, 4).state = StoreState::Offline;
    assert_eq!(found("store_unobserved", &seen), Vec::<String>::new());
    // It lives, and PD has not heard from it: it may be up.
    disconnect(&mut seen, 4, Some(false));
    assert_eq!(found("store_unobserved", &seen), ["store/4 unknown"]);
}

#[rstest]
#[case(Some(1_000), Some(300), Some(0), &[])]
#[case(Some(1_000), Some(299), Some(0), &["store/4 warning"])]
#[case(Some(1_000), Some(150), Some(0), &["store/4 warning"])]
#[case(Some(1_000), Some(149), Some(0), &["store/4 critical"])]
#[case(Some(1_000), Some(0), None, &["store/4 critical"])]
#[case(Some(1_000), None, Some(900), &["store/4 critical"])]
#[case(Some(1_000), None, None, &["store/4 unknown"])]
#[case(Some(0), Some(0), Some(0), &["store/4 unknown"])]
#[case(None, Some(1), Some(1), &["store/4 unknown"])]
// More available than there is: only what the data takes can be said.
#[case(Some(1_000), Some(2_000), Some(800), &["store/4 warning"])]
#[case(Some(1_000), Some(2_000), None, &["store/4 unknown"])]
fn a_disk_fills(
    #[case] capacity: Option<u64>,
    #[case] available: Option<u64>,
    #[case] used: Option<u64>,
    #[case] expected: &[&str],
) {
    let mut seen = healthy();
    let store = of(&mut seen, 4);
    (store.capacity_bytes, store.available_bytes, store.used_bytes) = (capacity, available, used);
    assert_eq!(found("low_disk_space", &seen), expected);
    // Where PD does not say, the store does.
    let metrics = of_metrics(&mut seen, 4);
    (metrics.disk_capacity_bytes, metrics.disk_available_bytes) = (Some(10), Some(1));
    let expected = if expected == ["store/4 unknown"] { &["store/4 critical"] } else { expected };
    assert_eq!(found("low_disk_space", &seen), expected);
}

#[test]
fn what_pd_counts_is_told_with_evidence() {
    for problem in RegionProblem::ALL {
        let critical = matches!(problem, RegionProblem::NoLeader | RegionProblem::QuorumLost);
        let severity = if critical { "critical" } else { "warning" };
        let mut seen = healthy();
        health(&mut seen).set_count(problem, Some(7));
        (1..=7).for_each(|id| health(&mut seen).add_sample(problem, id.into()));
        assert_eq!(found(problem.as_str(), &seen), [format!("cluster {severity}")]);
        let finding = &findings(&Thresholds::default(), problem.as_str(), &seen)[0];
        assert_eq!((finding.observed, finding.threshold), (Some(7.0), Some(0.0)));
        assert!(finding.message.starts_with("7 regions") && finding.message.ends_with("(1, 2, 3, 4, 5, …)"));

        health(&mut seen).set_count(problem, None);
        assert_eq!(found(problem.as_str(), &seen), ["cluster unknown"]);
    }
}

#[test]
fn learners_of_tiflash_are_meant() {
    let mut seen = healthy();
    health(&mut seen).learner_peer = Some(60);
    assert_eq!(found("learner_peer", &seen), ["cluster warning"]);
    of(&mut seen, 5).labels.insert("engine".to_owned(), "tiflash".to_owned());
    assert_eq!(found("learner_peer", &seen), Vec::<String>::new());
}

#[test]
fn a_store_that_misses_leaders_is_believed_where_pd_says_nothing() {
    let mut seen = healthy();
    set(&mut seen, StoreId(4), signals::LEADER_MISSING, 3.0);
    assert_eq!(found("no_leader", &seen), ["cluster critical"]);
    seen.cluster = None;
    assert_eq!(found("no_leader", &seen), ["cluster critical"]);
    set(&mut seen, StoreId(4), signals::LEADER_MISSING, 0.0);
    assert_eq!(found("no_leader", &seen), ["cluster unknown"], "it counts only after ten minutes");
}

#[test]
fn a_lost_quorum_is_told_while_pd_warms_up_with_the_stores_that_are_lost() {
    let mut seen = healthy();
    warm_up(&mut seen);
    disconnect(&mut seen, 4, Some(true));
    disconnect(&mut seen, 5, Some(true));
    health(&mut seen).quorum_lost = Some(60);
    let finding = &findings(&Thresholds::default(), "quorum_lost", &seen)[0];
    assert_eq!(short(finding), "cluster critical");
    assert!(finding.message.contains("store 4 (tikv4:20160), store 5"), "{}", finding.message);
    // With regions that report to nobody, PD's zeros are none.
    health(&mut seen).miss_peer = None;
    assert_eq!(found("miss_peer", &seen), ["cluster unknown"]);
}

#[test]
fn members_and_their_leader() {
    let mut seen = healthy();
    let members = seen.members.as_mut().unwrap();
    (members[1].healthy, members[2].healthy) = (Some(false), None);
    assert_eq!(found("pd_member_unhealthy", &seen), ["member/pd1 warning", "member/pd2 unknown"]);
    assert_eq!(found("pd_no_leader", &seen), Vec::<String>::new());
    seen.members.as_mut().unwrap()[0].leader = false;
    assert_eq!(found("pd_no_leader", &seen), ["cluster critical"]);
}

#[test]
fn that_there_is_no_leader_follows_from_the_failure() {
    let invariants = tikv_invariants(&Thresholds::default()).unwrap();
    let told = |error: &Error| -> Vec<_> {
        let found = invariants.iter().filter_map(|invariant| {
            Some((
                invariant.info().id.to_string(),
                invariant.check_failure(error)?.iter().map(short).collect(),
            ))
        });
        found.collect::<Vec<(String, Vec<String>)>>()
    };
    let unavailable = |no_leader| crate::Error::Unavailable {
        no_leader,
        tries: 3,
        waited: Duration::from_secs(20),
        failures: Vec::new(),
    };
    let expected = [("pd_no_leader".to_owned(), vec!["cluster critical".to_owned()])];
    assert_eq!(told(&unavailable(true).during("stores")), expected);
    assert_eq!(told(&std::sync::Arc::new(unavailable(true)).shared_during("stores")), expected);
    assert_eq!(told(&unavailable(false).during("stores")), []);
    assert_eq!(told(&Error::new(ErrorKind::Unavailable, "stores", "PD has no leader")), []);
}

#[test]
fn a_store_is_busy_by_its_own_word_or_by_its_metrics() {
    let mut seen = healthy();
    set(&mut seen, StoreId(1), signals::BUSY, true);
    set(&mut seen, StoreId(4), signals::SERVER_IS_BUSY, 0.1);
    unset(&mut seen, StoreId(5), signals::BUSY);
    assert_eq!(found("store_busy", &seen), ["store/1 warning", "store/4 warning", "store/5 unknown"]);
    for name in [signals::CHANNEL_FULL, signals::WRITE_STALL] {
        let mut seen = healthy();
        set(&mut seen, StoreId(4), name, 5.0);
        assert_eq!(found("store_busy", &seen), ["store/4 warning"], "{name}");
        for value in [0.0, f64::NAN, f64::INFINITY] {
            set(&mut seen, StoreId(4), name, value);
            assert_eq!(found("store_busy", &seen), Vec::<String>::new(), "{name}");
        }
        // Measured and well, though PD does not say.
        set(&mut seen, StoreId(4), name, 0.0);
        unset(&mut seen, StoreId(4), signals::BUSY);
        assert_eq!(found("store_busy", &seen), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_store_is_slow_from_a_score_of_80_on() {
    let mut seen = healthy();
    set(&mut seen, StoreId(1), signals::SLOW_SCORE, 79.0);
    set(&mut seen, StoreId(4), signals::SLOW_SCORE, 80.0);
    unset(&mut seen, StoreId(5), signals::SLOW_SCORE);
    assert_eq!(found("store_slow", &seen), ["store/4 warning", "store/5 unknown"]);
    // A version that keeps no scores.
    for id in [1, 4] {
        unset(&mut seen, StoreId(id), signals::SLOW_SCORE);
    }
    assert_eq!(found("store_slow", &seen), Vec::<String>::new());
}

#[test]
fn a_store_carries_more_than_its_share_only_if_pd_leaves_it_at_that() {
    for (id, score) in
        [("leader_imbalance", signals::LEADER_SCORE), ("region_imbalance", signals::REGION_SCORE)]
    {
        let share = |first: f64, others: f64| {
            let mut seen = healthy();
            set(&mut seen, StoreId(1), score, first);
            for id in [4, 5] {
                set(&mut seen, StoreId(id), score, others);
            }
            seen
        };
        // Twice the mean of 60, 15 and 15 is 60.
        assert_eq!(found(id, &share(60.0, 15.0)), Vec::<String>::new());
        let mut seen = share(61.0, 15.0);
        assert_eq!(found(id, &seen), ["store/1 info"]);
        set(&mut seen, Regarding::Cluster, signals::SCHEDULING_OPERATORS, 1.0);
        assert_eq!(found(id, &seen), Vec::<String>::new());
        unset(&mut seen, Regarding::Cluster, signals::SCHEDULING_OPERATORS);
        assert_eq!(found(id, &seen), ["cluster unknown"]);
        for infinite in [f64::INFINITY, f64::NAN] {
            assert_eq!(found(id, &share(infinite, 15.0)), ["cluster unknown"], "a weight of zero");
        }
        // A few regions are never even.
        let mut few = share(61.0, 15.0);
        for store in few.stores.as_mut().unwrap() {
            (store.leader_count, store.region_count) = (Some(9), Some(9));
        }
        assert_eq!(found(id, &few), Vec::<String>::new());
    }
}

#[test]
fn a_score_that_a_full_disk_makes_is_no_imbalance() {
    let mut seen = healthy();
    set(&mut seen, StoreId(1), signals::REGION_SCORE, 1e6);
    assert_eq!(found("region_imbalance", &seen), ["store/1 info"]);
    of(&mut seen, 1).available_bytes = Some(100);
    assert_eq!(found("region_imbalance", &seen), Vec::<String>::new());
    assert_eq!(found("low_disk_space", &seen), ["store/1 critical"]);
}

#[test]
fn a_store_whose_id_comes_back_with_another_address_is_judged_as_it_is_now() {
    let invariants = tikv_invariants(&Thresholds::default()).unwrap();
    let mut checker = operator_core::InvariantChecker::new(invariants).unwrap();
    let mut look = |address: &str, lost: bool| {
        let mut seen = healthy();
        if lost {
            disconnect(&mut seen, 4, Some(true));
        }
        of(&mut seen, 4).address = address.to_owned();
        let checked = checker.check_after(&seen, Duration::from_secs(90));
        let told = format!("{:?}", checked.transitions);
        let down = checker.violations().into_iter().find(|violation| violation.invariant == "store_down");
        (told.matches("store_down").count(), down.map(|violation| violation.message))
    };
    let (told, message) = look("old:20160", true);
    assert!(told == 1 && message.as_ref().is_some_and(|it| it.contains("old:20160")), "{message:?}");
    // Lost at its new place as well: one violation, which names the place of now (and is critical after its grace).
    let (told, message) = look("new:20160", true);
    assert!(told == 1 && message.as_ref().is_some_and(|it| it.contains("new:20160")), "{message:?}");
    assert_eq!(look("new:20160", true).0, 0);
    // It lives: resolved once it has been well for long enough.
    assert_eq!(look("new:20160", false).0, 0);
    assert_eq!(look("new:20160", false), (1, None));
}

#[test]
fn versions_differ_within_an_engine() {
    let mut seen = healthy();
    of(&mut seen, 5).version = Some("8.5.1".to_owned());
    assert_eq!(found("version_mismatch", &seen), ["cluster info"]);
    let message = &findings(&Thresholds::default(), "version_mismatch", &seen)[0].message;
    assert!(message.contains("8.5.1 on 1 (store 5); 9.0.0 on 2 (store 1, 4)"), "{message}");
    of(&mut seen, 5).labels.insert("engine".to_owned(), "tiflash".to_owned());
    assert_eq!(found("version_mismatch", &seen), Vec::<String>::new());
    of(&mut seen, 5).version = None;
    assert_eq!(found("version_mismatch", &seen), ["store/5 unknown"]);
}

#[test]
fn clocks_differ_either_way() {
    let mut seen = healthy();
    for (offset, expected) in [
        (0.5, &[][..]),
        (0.6, &["cluster warning"]),
        (-0.6, &["cluster warning"]),
        (f64::NAN, &["cluster unknown"]),
    ] {
        set(&mut seen, Regarding::Cluster, signals::CLOCK_OFFSET, offset);
        assert_eq!(found("clock_skew", &seen), expected, "{offset}");
    }
    set(&mut seen, StoreId(4), signals::CLOCK_OFFSET, 3.0);
    assert_eq!(found("clock_skew", &seen), ["store/4 warning"]);
    unset(&mut seen, Regarding::Cluster, signals::CLOCK_OFFSET);
    unset(&mut seen, StoreId(4), signals::CLOCK_OFFSET);
    assert_eq!(found("clock_skew", &seen), ["cluster unknown"]);
}

#[test]
fn what_is_left_behind_is_named() {
    let mut seen = healthy();
    set(&mut seen, StoreId(4), signals::EVICT_LEADER, true);
    assert_eq!(found("forgotten", &seen), ["store/4 info"]);
    set(&mut seen, Regarding::Cluster, signals::PAUSED_SCHEDULER, "balance-leader-scheduler");
    set(&mut seen, Regarding::Cluster, signals::PAUSED_CHECKER, "merge");
    assert_eq!(found("forgotten", &seen), ["store/4 info", "cluster info"]);
    let message = &findings(&Thresholds::default(), "forgotten", &seen)[1].message;
    assert_eq!(message, "paused: balance-leader-scheduler, the merge checker");
    for name in [signals::SCHEDULERS_KNOWN, signals::CHECKERS_KNOWN] {
        let mut seen = healthy();
        set(&mut seen, Regarding::Cluster, name, false);
        assert_eq!(found("forgotten", &seen), ["cluster unknown"]);
    }
}

#[rstest]
// Regions left, MiB/s, seconds left.
#[case(Some(24), Some(1.0), Some(32.0), &[])]
#[case(Some(24), Some(0.0), Some(32.0), &["store/4 warning"])]
#[case(Some(24), Some(1.0), None, &["store/4 warning"])]
#[case(Some(24), None, None, &["store/4 unknown"])]
#[case(None, Some(0.0), None, &["store/4 unknown"])]
#[case(Some(0), None, None, &[])]
fn a_removal_is_stuck(
    #[case] regions: Option<u64>,
    #[case] speed: Option<f64>,
    #[case] left: Option<f64>,
    #[case] expected: &[&str],
) {
    let mut seen = healthy();
    of(&mut seen, 4).state = StoreState::Offline;
    of(&mut seen, 4).region_count = regions;
    for (name, value) in [(signals::REMOVAL_SPEED, speed), (signals::REMOVAL_SECONDS_LEFT, left)] {
        if let Some(value) = value {
            set(&mut seen, StoreId(4), name, value);
        }
    }
    assert_eq!(found("stuck_offline", &seen), expected);
}

#[test]
fn thresholds_are_those_that_are_set() {
    let mut seen = healthy();
    let mut thresholds = Thresholds::default();
    thresholds.latency_p99_seconds = 0.004;
    thresholds.disk_used_warning_ratio = 0.05;
    thresholds.slow_score = 1.0;
    for id in ["high_latency", "low_disk_space", "store_slow"] {
        assert_eq!(found_by(&thresholds, id, &seen).len(), 3, "{id}");
    }
    thresholds.clock_skew_seconds = 10.0;
    set(&mut seen, Regarding::Cluster, signals::CLOCK_OFFSET, 9.0);
    assert_eq!(found_by(&thresholds, "clock_skew", &seen), Vec::<String>::new());
}
