//! Subjects that fail, hang, hesitate or panic.

use async_trait::async_trait;

use super::*;
use crate::SubjectConfig;

#[tokio::test(start_paused = true)]
async fn a_subject_that_fails_for_an_hour_is_told_once_and_again_when_it_is_back() {
    let subject = subject();
    subject.set_stores(stores(&[3], &[]));
    let mut running = run(monitor(&subject, config()));
    pass(22).await;
    assert_eq!(running.told().len(), 4);

    subject.fail(Operation::Stores, ErrorKind::Unavailable);
    subject.fail(Operation::Members, ErrorKind::Unauthorized);
    pass(3_600).await;
    assert_eq!(running.told(), ["25 unreachable"]);
    {
        let snapshot = running.snapshots.borrow();
        let unreachable = snapshot.unreachable.as_ref().unwrap();
        assert_eq!(unreachable.since, start() + seconds(25));
        assert!(unreachable.error.contains("made to fail"), "{}", unreachable.error);
        // 25, 30, 40, 60, then each 30 s.
        assert_eq!((unreachable.attempts, snapshot.counters.failures), (122, 122));
        assert_eq!(snapshot.counters.ticks_skipped, 0, "what is not asked on purpose is not skipped");
        assert_eq!(snapshot.violations.len(), 2, "nothing is resolved by not knowing");
        assert_eq!(snapshot.unknown.len(), 2);
        assert_eq!(snapshot.observation.as_ref().unwrap().at, start() + seconds(20));
    }

    subject.heal(Operation::Stores);
    subject.heal(Operation::Members);
    pass(60).await;
    let told = running.told();
    // Of its grace of 60 s 20 s were over when the subject failed; the step that ends in sight counts, too.
    assert_eq!(told, ["3630 reachable", "3640 firing not_up cluster info"]);
    let snapshot = running.snapshots.borrow().clone();
    assert!(snapshot.unreachable.is_none() && snapshot.unknown.is_empty());
    let reachable = snapshot.recent.iter().find(|event| event.kind == EventKind::Reachable).unwrap();
    assert_eq!((reachable.lasted_seconds, reachable.since), (Some(3_605.0), Some(start() + seconds(25))));
}

#[tokio::test(start_paused = true)]
async fn a_part_that_stays_away_is_told_once_for_all_invariants() {
    let subject = subject();
    let mut running = run(monitor(&subject, config()));
    pass(2).await;
    subject.fail(Operation::Stores, ErrorKind::Timeout);
    pass(300).await;
    subject.heal(Operation::Stores);
    pass(60).await;
    let expected = [
        "0 started",
        "0 observed",
        "5 observed",
        "65 unobserved cluster",
        "305 observed",
        "305 observed_again cluster",
    ];
    assert_eq!(running.told(), expected);
    let messages: Vec<_> =
        running.snapshots.borrow().recent.iter().map(|event| event.message.clone()).collect();
    assert_eq!(messages[2], "partial: stores: made to fail");
    assert_eq!(messages[3], "store_down, not_up cannot be told: no stores");
    assert_eq!(messages[4], "complete");
}

#[tokio::test(start_paused = true)]
async fn a_slow_subject_skips_ticks_and_says_so_at_most_once_a_minute() {
    let subject = subject();
    let mut running = run(monitor(&subject, config()));
    pass(2).await;
    subject.delay(Operation::Stores, seconds(12));
    pass(120).await;
    subject.heal(Operation::Stores);
    pass(120).await;
    running.stop().await;
    // Looks at 5, 20, 35, … and each costs two ticks.
    assert_eq!(
        running.told()[2..],
        ["17 ticks_skipped", "77 ticks_skipped", "140 ticks_skipped", "242 stopped"]
    );
    let snapshot = running.snapshots.borrow().clone();
    assert_eq!((snapshot.counters.ticks_skipped, snapshot.counters.observations), (16, 33));
    let skipped: Vec<_> = snapshot.recent.iter().filter(|it| it.kind == EventKind::TicksSkipped).collect();
    assert_eq!(skipped[0].message, "2 ticks skipped: an observation took 12s, and one is due every 5s");
    assert_eq!(skipped[2].message, "6 ticks skipped: an observation took 12s, and one is due every 5s");
}

#[tokio::test(start_paused = true)]
async fn every_tick_ends_within_its_deadline() {
    let subject = subject();
    for operation in [Operation::Stores, Operation::Members] {
        subject.delay(operation, seconds(86_400));
    }
    let mut running = run(monitor(&subject, config()));
    pass(21).await;
    assert_eq!(running.snapshots.borrow().took, seconds(20));
    let told = running.told();
    assert_eq!(told[1], "0 unreachable");
}

/// A subject that panics.
#[derive(Debug)]
struct Broken(SubjectConfig);

#[async_trait]
impl Subject for Broken {
    fn config(&self) -> &SubjectConfig {
        &self.0
    }

    async fn stores(&self) -> Result<Vec<Store>> {
        panic!("on the floor")
    }
}

#[tokio::test(start_paused = true)]
async fn a_subject_that_panics_is_unreachable() {
    let broken = Arc::new(Broken(SubjectConfig::new("broken")));
    let mut running = run(Monitor::new(broken, checker(), config()).unwrap());
    pass(600).await;
    assert_eq!(running.told(), ["0 started", "0 unreachable"]);
    let error = running.snapshots.borrow().unreachable.as_ref().unwrap().error.clone();
    assert_eq!(error, "observe: the subject panicked: on the floor");
}
