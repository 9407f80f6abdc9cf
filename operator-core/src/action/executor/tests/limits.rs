//! How much may be done at a time, and who is asked.

use async_trait::async_trait;

use super::*;
use crate::{Approver, Decision};

#[tokio::test(start_paused = true)]
async fn so_many_a_minute_and_no_more_unless_forced() {
    let bench = bench(forcing().max_per_minute(2));
    let ann = || Approval::by("ann");
    for store in [1, 2] {
        assert_eq!(bench.run(drain(store), ann()).await.outcome, OutcomeKind::Verified);
    }
    let outcome = bench.run(drain(3), ann()).await;
    assert_eq!(codes(&outcome.refusals), [RefusalCode::TooOften]);
    assert_eq!(bench.run(drain(3), ann().forced(true)).await.outcome, OutcomeKind::Verified);
    assert_eq!(codes(&bench.run(drain(4), ann()).await.refusals), [RefusalCode::TooOften]);
    tokio::time::advance(MINUTE).await;
    assert_eq!(bench.run(drain(4), ann()).await.outcome, OutcomeKind::Verified);
}

#[tokio::test(start_paused = true)]
async fn what_is_forced_is_what_was_told_and_no_other_of_its_kind() {
    let warm = |message: &str| TrustReason::new(TrustCode::WarmingUp, None, message);
    let old = || TrustReason::new(TrustCode::OutOfDate, None, "3 s old");
    let fails = |message: &str| Precondition::new("quorum_survives", false, message);
    let (told, held) = ([warm("for 3 s"), old()], fails("1 of 2"));
    for (trust, precondition, refused) in [
        (vec![warm("for 5 s"), old()], &held, None),
        (vec![warm("for 5 s")], &held, None),
        (
            vec![warm("for 3 s"), TrustReason::new(TrustCode::PartFailed, None, "no")],
            &held,
            Some(RefusalCode::Trust),
        ),
        (told.to_vec(), &fails("0 of 2"), Some(RefusalCode::Precondition)),
    ] {
        let bench = bench(forcing().allow_forced_preconditions(true));
        bench.subject.set_trust(told.clone());
        bench.subject.set_preconditions([held.clone()]);
        let proposal = bench.executor.propose(drain(4)).await.unwrap();
        bench.subject.set_trust(trust);
        bench.subject.set_preconditions([precondition.clone()]);
        let approval = Approval::by("ann").forced(true);
        let outcome = bench.executor.execute(&proposal.token, approval).await.unwrap();
        assert_eq!(codes(&outcome.refusals), Vec::from_iter(refused), "{outcome:?}");
        assert_eq!(bench.subject.arrived().is_empty(), refused.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_does_not_count() {
    let bench = bench(open().max_per_minute(1));
    bench.subject.fail_previews(0);
    for _ in 0..3 {
        let proposal = bench.executor.propose(drain(4)).await.unwrap();
        bench.subject.fail_previews(1);
        let outcome = bench.executor.execute(&proposal.token, Approval::by("ann")).await.unwrap();
        assert_eq!((outcome.outcome, outcome.sent), (OutcomeKind::Failed, Some(false)), "{outcome:?}");
    }
    assert_eq!(bench.go().await.outcome, OutcomeKind::Verified);
}

#[tokio::test(start_paused = true)]
async fn so_many_at_a_time_and_the_same_never_twice() {
    let bench = bench(forcing().max_running(2));
    bench.subject.react(Reaction::TakeSlowly(20));
    let mut tokens = Vec::new();
    for store in [1, 1, 2, 3] {
        tokens.push(bench.executor.propose(drain(store)).await.unwrap().token);
    }
    let run = |index: usize| {
        let forced = Approval::by("ann").forced(true);
        bench.executor.execute(&tokens[index], forced)
    };
    let (first, same, second, third) = tokio::join!(run(0), run(1), run(2), run(3));
    assert_eq!(first.unwrap().outcome, OutcomeKind::Verified);
    assert_eq!(codes(&same.unwrap().refusals), [RefusalCode::SameRunning]);
    assert_eq!(second.unwrap().outcome, OutcomeKind::Verified);
    // It was not told when it was proposed, so that nobody has forced it.
    assert_eq!(codes(&third.unwrap().refusals), [RefusalCode::TooManyRunning]);
    assert_eq!(bench.subject.arrived(), [drain(1), drain(2)]);
    assert_eq!(bench.run(drain(3), Approval::by("ann")).await.outcome, OutcomeKind::Verified);
}

#[tokio::test(start_paused = true)]
async fn one_token_executed_twice_at_once_is_sent_once() {
    let bench = bench(open());
    bench.subject.react(Reaction::TakeSlowly(5));
    let token = bench.executor.propose(drain(4)).await.unwrap().token;
    let run = || bench.executor.execute(&token, Approval::by("ann"));
    let (one, other) = tokio::join!(run(), run());
    assert!(one.is_ok() && other.is_err());
    assert_eq!(bench.subject.arrived(), [drain(4)]);
}

#[tokio::test(start_paused = true)]
async fn giving_up_frees_the_place_and_leaves_no_end_behind() {
    let bench = bench(open().max_running(1));
    bench.subject.react(Reaction::TakeInVain);
    let token = bench.executor.propose(drain(4)).await.unwrap().token;
    let run = bench.executor.execute(&token, Approval::by("ann"));
    assert!(tokio::time::timeout(MINUTE, run).await.is_err());
    assert_eq!(bench.steps(), ["proposed", "approved", "sending", "answered"]);
    bench.subject.react(Reaction::Take);
    assert_eq!(bench.run(drain(3), Approval::by("ann")).await.outcome, OutcomeKind::Verified);
}

#[tokio::test(start_paused = true)]
async fn waiting_is_reported_and_failing_looks_are_waited_out() {
    let bench = bench(open());
    bench.subject.react(Reaction::TakeSlowly(2));
    bench.subject.fail_looks(9);
    let token = bench.executor.propose(drain(4)).await.unwrap().token;
    let stages = std::sync::Mutex::new(Vec::new());
    let report = |stage| stages.lock().unwrap().push(stage);
    let outcome = bench.executor.execute_reporting(&token, Approval::by("ann"), &report).await.unwrap();
    assert_eq!(outcome.outcome, OutcomeKind::Verified);
    let stages = stages.into_inner().unwrap();
    assert_eq!(stages[..2], [Stage::Checking, Stage::Sending]);
    let waits: Vec<_> = stages[2..]
        .iter()
        .map(|stage| match stage {
            Stage::Verifying { message, waited, deadline } => {
                (message.contains("looked at"), *waited, *deadline)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(waits.iter().filter(|(failed, ..)| *failed).count(), 9);
    assert!(waits.iter().is_sorted_by_key(|(_, waited, _)| *waited));
    assert!(waits.iter().all(|(.., deadline)| *deadline == 10 * MINUTE));
}

/// Says what it was told to say, after a while.
#[derive(Debug)]
struct Says(Decision, Duration);

#[async_trait]
impl Approver for Says {
    async fn decide(&self, preview: &Preview, overruled: &[Refusal], approval: &Approval) -> Decision {
        assert_eq!((&preview.action, overruled, &*approval.by), (&drain(4), &[][..], "ann"));
        tokio::time::sleep(self.1).await;
        self.0.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_to_be_asked_is() {
    let yes = Decision::Approved { by: "é".repeat(300) };
    let no = Decision::Denied { reason: "not on a Friday".to_owned() };
    for (decision, after, refused) in [
        (yes.clone(), MINUTE, None),
        (yes, 6 * MINUTE, Some("not approved within 300s")),
        (no, MINUTE, Some("not on a Friday")),
    ] {
        let bench = bench(open().approver(Arc::new(Says(decision, after))));
        let outcome = bench.go().await;
        match refused {
            None => {
                assert_eq!(outcome.outcome, OutcomeKind::Verified);
                let record = serde_json::to_value(&bench.audit.records()[1]).unwrap();
                assert_eq!(record["by"], "é".repeat(200));
            }
            Some(message) => {
                assert_eq!(codes(&outcome.refusals), [RefusalCode::NotApproved]);
                assert!(outcome.message.contains(message), "{outcome:?}");
                assert!(bench.subject.arrived().is_empty());
            }
        }
    }
}
