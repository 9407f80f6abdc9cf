mod faults;
mod limits;
mod unwritten;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::{
    Danger, ErrorKind, Finding, InMemoryAuditLog, InMemorySubject, InvariantInfo, Operation, OutcomeKind,
    Precondition, Reaction, RefusalCode, Severity, Store, StoreId, StoreState, TrustCode, TrustReason,
    invariant_fn,
};

const MINUTE: Duration = Duration::from_secs(60);

fn drain(store: u64) -> Action {
    Action::DrainStore { store_id: store.into() }
}

/// An executor on a subject that does everything, and what it acts on.
struct Bench {
    subject: Arc<InMemorySubject>,
    audit: Arc<InMemoryAuditLog>,
    executor: Executor<InMemorySubject>,
}

fn bench(guard: Guard) -> Bench {
    bench_with(guard, |executor| executor)
}

fn bench_with(
    guard: Guard,
    with: impl FnOnce(Executor<InMemorySubject>) -> Executor<InMemorySubject>,
) -> Bench {
    let stores = (1..=4).map(|id| Store::new(id.into(), format!("tikv{id}:20160"), StoreState::Up));
    let subject = InMemorySubject::new("demo").with_stores(stores).with_actions(Action::infos().to_vec());
    let (subject, audit) = (Arc::new(subject), Arc::new(InMemoryAuditLog::default()));
    let clock = Clock::tokio(chrono::DateTime::UNIX_EPOCH);
    let executor = Executor::new(Arc::clone(&subject), guard, audit.clone()).with_clock(clock);
    Bench { subject, audit, executor: with(executor) }
}

fn open() -> Guard {
    Guard::up_to(Danger::Destructive)
}

fn forcing() -> Guard {
    open().allow_force(true)
}

impl Bench {
    async fn run(&self, action: Action, approval: Approval) -> Outcome {
        let proposal = self.executor.propose(action).await.unwrap();
        self.executor.execute(&proposal.token, approval).await.unwrap()
    }

    async fn go(&self) -> Outcome {
        self.run(drain(4), Approval::by("ann")).await
    }

    fn steps(&self) -> Vec<String> {
        let name = |record| serde_json::to_value(record).unwrap()["step"].as_str().unwrap().to_owned();
        self.audit.records().iter().map(name).collect()
    }
}

fn codes(refusals: &[Refusal]) -> Vec<RefusalCode> {
    refusals.iter().map(|refusal| refusal.code).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_approved_is_sent_once_seen_and_written_down() {
    let bench = bench(open());
    bench.subject.react(Reaction::TakeSlowly(3));
    let proposal = bench.executor.propose(drain(4)).await.unwrap();
    assert_eq!((proposal.token.len(), &*proposal.refusals), (32, &[][..]));
    assert_eq!(proposal.expires_at, chrono::DateTime::UNIX_EPOCH + 5 * MINUTE);
    assert!(bench.subject.arrived().is_empty());

    let outcome = bench.executor.execute(&proposal.token, Approval::by("ann")).await.unwrap();
    assert_eq!((outcome.outcome, outcome.sent), (OutcomeKind::Verified, Some(true)), "{outcome:?}");
    assert_eq!((&outcome.request, &outcome.run), (&proposal.preview.request, &proposal.run));
    assert_eq!(outcome.undo, Some(Action::UndrainStore { store_id: 4.into() }));
    assert!(outcome.at > outcome.started_at);
    assert_eq!(bench.subject.arrived(), [drain(4)]);
    assert_eq!(bench.steps(), ["proposed", "approved", "sending", "answered", "ended"]);
    for record in bench.audit.records() {
        assert_eq!((record.run, record.action), (proposal.run.clone(), drain(4)));
        assert_ne!(record.subject, proposal.token);
    }
    assert!(!format!("{:?}", bench.executor).contains(&proposal.token));
}

#[rstest]
#[case::taken(Reaction::Take, OutcomeKind::Verified, Some(true), "in effect")]
#[case::in_vain(Reaction::TakeInVain, OutcomeKind::Accepted, Some(true), "not seen within 10m")]
#[case::given_up(Reaction::GiveUp("superseded".into()), OutcomeKind::Failed, Some(true), "superseded")]
#[case::refused(Reaction::Refuse("no such store".into()), OutcomeKind::Refused, Some(true), "no such store")]
#[case::unreachable(Reaction::Unreachable, OutcomeKind::Failed, Some(false), "nothing was sent")]
#[case::lost(Reaction::LoseRequest, OutcomeKind::Failed, None, "not known whether it was sent")]
#[case::answer_lost(Reaction::LoseAnswer(2), OutcomeKind::Verified, None, "in effect")]
#[tokio::test(start_paused = true)]
async fn every_answer_ends_as_it_should(
    #[case] reaction: Reaction,
    #[case] kind: OutcomeKind,
    #[case] sent: Option<bool>,
    #[case] message: &str,
) {
    let bench = bench(open());
    bench.subject.react(reaction);
    let outcome = bench.go().await;
    assert_eq!((outcome.outcome, outcome.sent), (kind, sent), "{outcome:?}");
    assert!(outcome.message.contains(message), "{}", outcome.message);
    assert!(bench.subject.arrived().len() <= 1);
    assert_eq!(bench.steps(), ["proposed", "approved", "sending", "answered", "ended"]);
    assert_eq!(outcome.undo.is_some(), kind != OutcomeKind::Refused && sent != Some(false));
    assert_eq!(outcome.request.is_some(), sent != Some(false));
    let json = serde_json::to_value(&outcome).unwrap();
    assert_eq!(serde_json::from_value::<Outcome>(json).unwrap(), outcome);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_already_is_verified_without_sending() {
    let bench = bench(open());
    bench.go().await;
    let outcome = bench.go().await;
    assert_eq!((outcome.outcome, outcome.sent, outcome.undo), (OutcomeKind::Verified, Some(false), None));
    assert_eq!(bench.subject.arrived().len(), 1);
    assert_eq!(bench.steps()[5..], ["proposed", "approved", "ended"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_before_is_waited_for_and_not_called_done() {
    for (looks, kind, message) in
        [(20, OutcomeKind::Verified, "nothing was sent"), (9_999, OutcomeKind::Accepted, "not seen within")]
    {
        let bench = bench(open());
        bench.subject.react(Reaction::TakeSlowly(looks));
        let token = bench.executor.propose(drain(4)).await.unwrap().token;
        let run = bench.executor.execute(&token, Approval::by("ann"));
        assert!(tokio::time::timeout(Duration::from_secs(2), run).await.is_err());
        let outcome = bench.go().await;
        assert_eq!((outcome.outcome, outcome.sent, outcome.undo), (kind, Some(false), None));
        assert!(outcome.message.contains(message), "{}", outcome.message);
        assert!(outcome.at > outcome.started_at);
        assert_eq!(!bench.subject.in_effect().is_empty(), kind == OutcomeKind::Verified);
        assert_eq!(bench.subject.arrived(), [drain(4)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_good_says_why() {
    let bench = bench_with(open(), |executor| executor.with_max_open(2));
    let why = async |token: &str| {
        let error = bench.executor.execute(token, Approval::by("ann")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        *std::error::Error::source(&error).unwrap().downcast_ref::<TokenError>().unwrap()
    };
    let propose = async |store| bench.executor.propose(drain(store)).await.unwrap().token;

    for forged in ["", "0", &"0".repeat(32)] {
        assert_eq!(why(forged).await, TokenError::Unknown);
    }
    let used = propose(1).await;
    assert!(bench.executor.execute(&used, Approval::by("ann")).await.is_ok());
    assert_eq!(why(&used).await, TokenError::Used);

    let (oldest, _, newest) = (propose(2).await, propose(3).await, propose(4).await);
    assert_eq!(why(&oldest).await, TokenError::Expired);
    tokio::time::advance(5 * MINUTE).await;
    assert_eq!(why(&newest).await, TokenError::Expired);
    assert_eq!(bench.subject.arrived(), [drain(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_execution_uses_the_token_up() {
    let bench = bench(Guard::read_only());
    let proposal = bench.executor.propose(drain(4)).await.unwrap();
    assert_eq!(codes(&proposal.refusals), [RefusalCode::ReadOnly]);
    let forced = Approval::by("ann").forced(true);
    let outcome = bench.executor.execute(&proposal.token, forced.clone()).await.unwrap();
    assert_eq!(
        (outcome.outcome, codes(&outcome.refusals)),
        (OutcomeKind::Refused, vec![RefusalCode::ReadOnly])
    );
    assert!(bench.executor.execute(&proposal.token, forced).await.is_err());
    assert_eq!(bench.steps(), ["proposed", "ended"]);
    assert!(bench.subject.arrived().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_changed_since_it_was_proposed_is_not_sent() {
    let bench = bench(forcing());
    bench.subject.set_basis("region/17 epoch", json!({"version": 3}));
    let proposal = bench.executor.propose(drain(4)).await.unwrap();
    bench.subject.set_basis("region/17 epoch", json!({"version": 4}));
    let forced = Approval::by("ann").forced(true);
    let outcome = bench.executor.execute(&proposal.token, forced).await.unwrap();
    assert_eq!(codes(&outcome.refusals), [RefusalCode::Changed]);
    assert!(
        outcome.message.contains(r#"region/17 epoch was {"version":3} and is {"version":4}"#),
        "{outcome:?}"
    );
    assert!(bench.subject.arrived().is_empty());
}

#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    Precondition,
    WarmingUp,
    Blind,
    Critical,
}

#[rstest]
#[case(Trouble::Precondition, RefusalCode::Precondition, false)]
#[case(Trouble::WarmingUp, RefusalCode::Trust, true)]
#[case(Trouble::Blind, RefusalCode::Trust, true)]
#[case(Trouble::Critical, RefusalCode::CriticalViolation, true)]
#[tokio::test(start_paused = true)]
async fn what_speaks_against_it_forbids_it_unless_forced(
    #[case] trouble: Trouble,
    #[case] code: RefusalCode,
    #[case] can_be_forced: bool,
) {
    // Told with the proposal or found only afterwards, with and without force, allowed and not.
    for (told, allowed, forced) in [
        (true, true, true),
        (true, true, false),
        (true, false, true),
        (false, true, true),
        (false, true, false),
    ] {
        let critical = Arc::new(AtomicBool::new(false));
        let is_critical = Arc::clone(&critical);
        let info = InvariantInfo::new("store_ill", Severity::Critical, MINUTE);
        let invariant = invariant_fn(info, move |_| {
            // What is the matter with another store does not count.
            let ill = [(3, true), (4, is_critical.load(Ordering::Relaxed))];
            let ill = ill.into_iter().filter(|(_, ill)| *ill);
            ill.map(|(id, _)| Finding::violated(StoreId(id), Severity::Critical, "it burns")).collect()
        });
        let bench = bench_with(open().allow_force(allowed), |executor| {
            executor.with_invariants(vec![Arc::new(invariant)])
        });
        let make = || match trouble {
            Trouble::Precondition => {
                bench.subject.set_preconditions([Precondition::unknown("quorum_survives", "nobody knows")]);
            }
            Trouble::WarmingUp => {
                bench.subject.set_trust([TrustReason::new(TrustCode::WarmingUp, None, "PD warms up")]);
            }
            Trouble::Blind => bench.subject.fail(Operation::Stores, ErrorKind::Unavailable),
            Trouble::Critical => critical.store(true, Ordering::Relaxed),
        };
        if told {
            make();
        }
        let proposal = bench.executor.propose(drain(4)).await.unwrap();
        assert_eq!(codes(&proposal.refusals), if told { vec![code] } else { vec![] });
        if !told {
            make();
        }
        let approval = Approval::by("ann").forced(forced);
        let outcome = bench.executor.execute(&proposal.token, approval).await.unwrap();
        if told && allowed && forced && can_be_forced {
            assert_eq!(outcome.outcome, OutcomeKind::Verified, "{outcome:?}");
            assert!(serde_json::to_string(&bench.audit.records()[1]).unwrap().contains(r#""forced":true"#));
        } else {
            assert_eq!(codes(&outcome.refusals), [code], "{outcome:?}");
            assert_eq!(outcome.refusals[0].can_be_forced, can_be_forced && allowed);
            assert!(bench.subject.arrived().is_empty());
            assert_eq!(bench.steps(), ["proposed", "approved", "ended"]);
        }
    }
}
