//! A program that is killed while it acts leaves an audit log that tells how far it came.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use operator_core::{
    Action, Actor, Approval, AuditLog, AuditRecord, AuditRun, AuditRuns, Danger, Executor, FileAuditLog,
    Guard, InMemorySubject, Preview, Progress, Result, RunState, Sent, Store, StoreState, Subject,
    SubjectConfig, read_audit,
};

/// Where a child works, and at which of its steps it waits to be killed.
const FOLDER: &str = "OPERATOR_TEST_KILLED_FOLDER";
const STEP: &str = "OPERATOR_TEST_KILLED_STEP";

/// What the child says when it waits.
const WAITING: &str = "waiting to be killed";

/// Counts the steps, and waits at one.
#[derive(Debug, Clone)]
struct Steps {
    passed: Arc<AtomicUsize>,
    fatal: usize,
}

impl Steps {
    async fn pass(&self) {
        if self.passed.fetch_add(1, Ordering::SeqCst) == self.fatal {
            println!("\n{WAITING}");
            std::future::pending::<()>().await;
        }
    }
}

/// Appends to a file what arrives: the world outside, which no kill takes back.
#[derive(Debug)]
struct Outside {
    inner: InMemorySubject,
    steps: Steps,
    folder: PathBuf,
}

#[async_trait]
impl Subject for Outside {
    fn config(&self) -> &SubjectConfig {
        self.inner.config()
    }

    async fn stores(&self) -> Result<Vec<Store>> {
        self.inner.stores().await
    }
}

#[async_trait]
impl Actor for Outside {
    async fn preview(&self, action: &Action) -> Result<Preview> {
        self.steps.pass().await;
        self.inner.preview(action).await
    }

    async fn send(&self, preview: &Preview) -> Sent {
        self.steps.pass().await;
        let file = OpenOptions::new().create(true).append(true).open(self.folder.join("sent"));
        writeln!(file.unwrap(), "{}", preview.action).unwrap();
        self.steps.pass().await;
        self.inner.send(preview).await
    }

    async fn progress(&self, preview: &Preview) -> Result<Progress> {
        self.steps.pass().await;
        self.inner.progress(preview).await
    }
}

/// Dies before an append, in its midst, and after it.
#[derive(Debug)]
struct Dying {
    inner: FileAuditLog,
    steps: Steps,
}

#[async_trait]
impl AuditLog for Dying {
    async fn append(&self, record: &AuditRecord) -> Result<()> {
        self.steps.pass().await;
        if self.steps.passed.load(Ordering::SeqCst) == self.steps.fatal {
            // As far as the disk came.
            let line = serde_json::to_string(record).unwrap();
            let mut file = OpenOptions::new().append(true).open(self.inner.path()).unwrap();
            file.write_all(&line.as_bytes()[..line.len() / 2]).unwrap();
        }
        self.steps.pass().await;
        self.inner.append(record).await?;
        self.steps.pass().await;
        Ok(())
    }
}

/// Not a test of its own: what the tests below start and kill.
#[tokio::test]
async fn child() {
    let (Some(folder), Ok(step)) = (std::env::var_os(FOLDER), std::env::var(STEP)) else { return };
    let folder = PathBuf::from(folder);
    let steps = Steps { passed: Arc::default(), fatal: step.parse().unwrap() };
    let inner = InMemorySubject::new("demo")
        .with_stores([Store::new(4.into(), "tikv4:20160", StoreState::Up)])
        .with_actions(Action::infos().to_vec());
    let audit = FileAuditLog::open(folder.join("audit.jsonl")).unwrap();
    let actor = Outside { inner, steps: steps.clone(), folder };
    let guard = Guard::up_to(Danger::Disruptive);
    let executor = Executor::new(Arc::new(actor), guard, Arc::new(Dying { inner: audit, steps }));
    let proposal = executor.propose(Action::DrainStore { store_id: 4.into() }).await.unwrap();
    executor.execute(&proposal.token, Approval::by("ann")).await.unwrap();
}

/// Runs a child until it waits at `step`, kills it, and tells whether it came so far.
fn kill_at(step: usize, folder: &Path) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child", "--nocapture"])
        .env(FOLDER, folder)
        .env(STEP, step.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let waits = lines.map_while(std::result::Result::ok).any(|line| line == WAITING);
    // On Unix this is SIGKILL.
    let _ = child.kill();
    assert_eq!(child.wait().unwrap().success(), !waits, "step {step}");
    waits
}

fn runs(log: &Path) -> (Vec<AuditRun>, usize) {
    let (mut runs, mut torn) = (AuditRuns::last(10), 0);
    for line in read_audit(BufReader::new(fs::File::open(log).unwrap())) {
        match line {
            Ok(record) => runs.add(record),
            Err(_) => torn += 1,
        }
    }
    (runs.into_runs(), torn)
}

#[test]
fn what_was_sent_is_written_down_wherever_the_program_is_killed() {
    let folder = std::env::temp_dir().join(format!("operator-killed-{}", std::process::id()));
    let mut states = Vec::new();
    for step in 0.. {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let killed = kill_at(step, &folder);
        let log = folder.join("audit.jsonl");
        let (written, torn) = runs(&log);
        assert!(torn <= 1 && written.len() <= 1, "step {step}: {written:?}");

        let sent = fs::read_to_string(folder.join("sent")).unwrap_or_default();
        assert!(sent.is_empty() || sent == "drain_store store_id=4\n", "step {step}: {sent}");
        let state = written.first().map(|run| run.state);
        if !sent.is_empty() {
            let may_be = [RunState::MayHaveBeenSent, RunState::Answered, RunState::Ended];
            assert!(state.is_some_and(|state| may_be.contains(&state)), "step {step}: {written:?}");
            assert_ne!(written[0].sent, Some(false), "step {step}");
        }
        states.push((state, !sent.is_empty()));
        if !killed {
            break;
        }
        // The next program goes on in the same file, whatever the last one left in it.
        assert!(!kill_at(usize::MAX, &folder));
        let (after, torn_after) = runs(&log);
        assert_eq!((after.len(), torn_after), (written.len() + 1, torn), "step {step}");
        assert_eq!(after[after.len() - 1].state, RunState::Ended);
    }
    let _ = fs::remove_dir_all(&folder);
    // All of them have been seen, the dangerous one with and without a request on its way.
    for expected in [
        (None, false),
        (Some(RunState::Proposed), false),
        (Some(RunState::Approved), false),
        (Some(RunState::MayHaveBeenSent), false),
        (Some(RunState::MayHaveBeenSent), true),
        (Some(RunState::Answered), true),
        (Some(RunState::Ended), true),
    ] {
        assert!(states.contains(&expected), "{expected:?} not in {states:?}");
    }
}

#[test]
fn two_programs_acting_at_once_share_a_log() {
    let folder = std::env::temp_dir().join(format!("operator-both-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let log = folder.join("audit.jsonl");
    let stores = (1..=40).map(|id| Store::new(id.into(), format!("tikv{id}:20160"), StoreState::Up));
    let subject = InMemorySubject::new("demo").with_stores(stores).with_actions(Action::infos().to_vec());
    let subject = Arc::new(subject);
    let program = |stores: std::ops::Range<u64>| {
        let (subject, audit) = (Arc::clone(&subject), FileAuditLog::open(&log).unwrap());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                let guard = Guard::up_to(Danger::Disruptive).max_per_minute(100);
                let executor = Executor::new(subject, guard, Arc::new(audit));
                for store in stores {
                    let drain = Action::DrainStore { store_id: store.into() };
                    let proposal = executor.propose(drain).await.unwrap();
                    executor.execute(&proposal.token, Approval::by("ann")).await.unwrap();
                }
            });
        })
    };
    // In the midst both want the same.
    let programs = [program(1..25), program(16..41)];
    programs.into_iter().for_each(|program| program.join().unwrap());
    let lines: Vec<_> = read_audit(BufReader::new(fs::File::open(&log).unwrap())).collect();
    let mut runs = AuditRuns::last(100);
    lines.into_iter().for_each(|line| runs.add(line.unwrap()));
    let runs = runs.into_runs();
    assert_eq!(runs.len(), 24 + 25);
    assert!(runs.iter().all(|run| run.state == RunState::Ended));
    // Whatever the order was, what is written down as sent is what has arrived.
    let sent = runs.iter().filter(|run| run.sent == Some(true)).count();
    assert!((40..=49).contains(&sent), "{sent}");
    assert_eq!(subject.arrived().len(), sent);
    let _ = fs::remove_dir_all(&folder);
}
