use operator_core::{
    InMemorySubject, Outcome, Precondition, Reaction, Store, StoreState, Subject, TrustCode, TrustReason,
};
use serde_json::{Value, json};

use super::*;
use crate::output::Style;
use crate::output::tests::{Written, closed};

fn subject() -> Arc<InMemorySubject> {
    let stores = [Store::new(4.into(), "tikv4:20160", StoreState::Up)];
    Arc::new(InMemorySubject::new("demo").with_stores(stores).with_actions(Action::infos().to_vec()))
}

fn args(yes: bool, force: bool) -> ActArgs {
    let audit_log = AuditLogArg { audit_log: None };
    let by = Some("ann".to_owned());
    ActArgs { name: None, parameters: Vec::new(), list: false, yes, force, by, wait: None, audit_log }
}

const DRAIN: Action = Action::DrainStore { store_id: operator_core::StoreId(4) };

/// The exit code and what was written.
async fn run(subject: &Arc<InMemorySubject>, args: ActArgs, format: Format) -> (ExitCode, String) {
    let written = Written::default();
    let code = run_into(subject, args, written.output(format)).await;
    (code.unwrap(), written.text())
}

async fn run_into(
    subject: &Arc<InMemorySubject>,
    args: ActArgs,
    mut output: Output,
) -> Result<ExitCode, Failure> {
    let guard = Guard::up_to(Danger::Destructive).allow_force(true);
    let executor = Executor::new(Arc::clone(subject), guard, Arc::new(InMemoryAuditLog::default()));
    match args.yes {
        true => args.execute(&executor, DRAIN, true, "the test", &mut output).await,
        false => args.preview(&executor, &DRAIN, "the test", &mut output).await,
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_is_done_and_ends_as_it_ends() {
    use std::io::ErrorKind::{BrokenPipe, StorageFull};
    for format in [Format::Table, Format::Json] {
        for why in [BrokenPipe, StorageFull] {
            let (taken, lost) = (subject(), subject());
            let code = run_into(&taken, args(true, false), closed(format, why)).await.unwrap();
            assert_eq!((code, taken.arrived().len()), (ExitCode::SUCCESS, 1));
            lost.react(Reaction::LoseRequest);
            let code = run_into(&lost, args(true, false), closed(format, why)).await.unwrap();
            assert_eq!(code, ExitCode::FAILURE);
            lost.set_trust([TrustReason::new(TrustCode::WarmingUp, None, "PD has just begun to lead")]);
            let code = run_into(&lost, args(true, false), closed(format, why)).await.unwrap();
            assert_eq!(code, ExitCode::from(REFUSED));
        }
        let subject = subject();
        let preview = || run_into(&subject, args(false, false), closed(format, BrokenPipe));
        assert_eq!(preview().await.unwrap(), ExitCode::SUCCESS);
        subject.set_trust([TrustReason::new(TrustCode::WarmingUp, None, "PD has just begun to lead")]);
        assert_eq!(preview().await.unwrap(), ExitCode::from(REFUSED));
        assert!(subject.arrived().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_preview_shows_everything_and_sends_nothing() {
    let subject = subject();
    subject.set_preconditions([Precondition::unknown("quorum_survives", "store 2 does\nnot answer")]);
    let (code, shown) = run(&subject, args(false, false), Format::Table).await;
    assert_eq!(code, ExitCode::from(REFUSED));
    let expected = "\
Does drain_store store_id=4. (disruptive)

Action         drain_store store_id=4
Request        POST /drain_store {\"name\":\"drain_store\",\"parameters\":{\"store_id\":4}}
Taken back by  operator act undrain_store store_id=4

MUST HOLD        HOLDS    WHAT WAS SEEN
target_exists    yes      store/4 exists
quorum_survives  unknown  store 2 does\\nnot answer

Refused:
  quorum_survives: store 2 does\\nnot answer

Nothing was sent, and nothing would be.
";
    assert_eq!(shown, expected);
    assert!(subject.arrived().is_empty());

    subject.set_preconditions([]);
    let (code, shown) = run(&subject, args(false, false), Format::Json).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!((&shown["action"]["name"], &shown["refusals"]), (&json!("drain_store"), &json!([])));
    assert_eq!(shown["request"]["method"], "POST");
    assert!(subject.arrived().is_empty());
}

#[tokio::test(start_paused = true)]
async fn force_overrules_doubt_and_says_so() {
    let subject = subject();
    subject.set_trust([TrustReason::new(TrustCode::WarmingUp, None, "PD has just begun to lead")]);
    let (code, shown) = run(&subject, args(false, true), Format::Table).await;
    assert!(shown.contains("Overruled by --force:\n  the observation is warming_up"), "{shown}");
    assert_eq!(code, ExitCode::SUCCESS);
    let (code, shown) = run(&subject, args(false, false), Format::Table).await;
    assert!(shown.ends_with("Nothing was sent. --force overrules what it is refused for.\n"), "{shown}");
    assert_eq!(code, ExitCode::from(REFUSED));
    let (code, shown) = run(&subject, args(true, false), Format::Table).await;
    assert!(shown.contains("--force overrules it."), "{shown}");
    assert!(shown.contains("refused: the observation is warming_up: PD has just begun to lead"), "{shown}");
    assert_eq!((code, subject.arrived().len()), (ExitCode::from(REFUSED), 0));
    let (code, _) = run(&subject, args(true, true), Format::Table).await;
    assert_eq!((code, subject.arrived().len()), (ExitCode::SUCCESS, 1));
}

#[tokio::test(start_paused = true)]
async fn the_exit_code_tells_how_it_ended() {
    for (reaction, kind, code) in [
        (Reaction::TakeSlowly(3), OutcomeKind::Verified, 0),
        (Reaction::TakeInVain, OutcomeKind::Accepted, 0),
        (Reaction::Refuse("no".to_owned()), OutcomeKind::Refused, 4),
        (Reaction::GiveUp("superseded".to_owned()), OutcomeKind::Failed, 1),
        (Reaction::LoseRequest, OutcomeKind::Failed, 1),
    ] {
        let subject = subject();
        subject.react(reaction);
        let (ended, shown) = run(&subject, args(true, false), Format::Json).await;
        let outcome: Outcome = serde_json::from_str(&shown).unwrap();
        assert_eq!((ended, outcome.outcome), (ExitCode::from(code), kind), "{shown}");
        assert_eq!((outcome.subject, outcome.action), (subject.config().name.clone(), DRAIN));
    }
}

#[test]
fn what_can_be_done_fits_a_terminal_and_says_everything() {
    let shown = shown::list(Action::infos(), Style::PLAIN);
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    let drain =
        "drain_store                 disruptive   store_id=…\n    Moves all leaders away from a store,";
    assert!(shown.starts_with("ACTION ") && shown.contains(drain), "{shown}");
    let told: Vec<_> = shown.split_whitespace().collect();
    let told = told.join(" ");
    for info in Action::infos() {
        let all = format!("{} {} {} {}", info.name, info.danger, info.usage(), info.description);
        assert!(told.contains(&all), "{all}");
    }
    let colored = shown::list(Action::infos(), Style { color: true });
    assert_eq!(colored.lines().count(), shown.lines().count());
}

#[test]
fn what_is_taken_back_can_be_typed() {
    let labels = [("zone".to_owned(), "it's".to_owned())].into();
    let mut preview = operator_core::Preview::new("demo", chrono::DateTime::UNIX_EPOCH, DRAIN, "Drains.");
    preview.undo = Some(Action::SetStoreLabels { store_id: 4.into(), labels });
    let shown = shown::preview(&preview, Style::PLAIN);
    assert!(
        shown.contains(r#"operator act set_store_labels 'labels={"zone":"it'\''s"}' store_id=4"#),
        "{shown}"
    );
    assert!(shown.contains("Request        none: that is asked for already"), "{shown}");
}

#[test]
fn waiting_fits_a_line() {
    let stage = Stage::Verifying {
        message: "x\u{1b}".repeat(99),
        waited: Duration::from_millis(3_600),
        deadline: Duration::from_secs(600),
    };
    assert!(told(&stage).len() < 90 && told(&stage).ends_with("(waiting 3s of 10m)"), "{}", told(&stage));
}
