use std::io::{self, BufRead, Read};
use std::path::PathBuf;

use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::Error;

/// A folder of a test's own, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("operator-audit-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn log(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn record(run: u64, step: AuditStep) -> AuditRecord {
    AuditRecord {
        schema: AuditRecord::SCHEMA,
        at: DateTime::UNIX_EPOCH,
        run: run.to_string(),
        subject: "demo".to_owned(),
        action: Action::DrainStore { store_id: run.into() },
        step,
    }
}

/// All that can be said of an action, in order.
fn steps() -> [AuditStep; 5] {
    let request = PlannedRequest::new("POST", "/drain").with_body(serde_json::json!({"store_id": u64::MAX}));
    [
        AuditStep::Proposed { request: Some(request.clone()) },
        AuditStep::Approved { by: "ann\n\"b\"".to_owned(), forced: true },
        AuditStep::Sending { request },
        AuditStep::Answered { sent: None, error: Some(ErrorKind::Timeout), message: "no answer".to_owned() },
        AuditStep::Ended { outcome: OutcomeKind::Failed, message: "not seen".to_owned() },
    ]
}

#[tokio::test]
async fn what_is_appended_is_read_again_and_runs_are_put_together() {
    let folder = Folder::new("whole");
    let log = FileAuditLog::open(folder.log()).unwrap();
    // Two programs, and two runs, in turn.
    let other = FileAuditLog::open(folder.log()).unwrap();
    let mut written = Vec::new();
    for step in steps() {
        for (log, run) in [(&log, 1), (&other, 2)] {
            written.push(record(run, step.clone()));
            log.append(&written[written.len() - 1]).await.unwrap();
        }
    }
    let read = || read_audit(std::fs::read(folder.log()).map(io::Cursor::new).unwrap());
    assert_eq!(read().collect::<Result<Vec<_>, _>>().unwrap(), written);

    let states = [
        (RunState::Proposed, Some(false)),
        (RunState::Approved, Some(false)),
        (RunState::MayHaveBeenSent, None),
        (RunState::Answered, None),
        (RunState::Ended, None),
    ];
    for (index, state) in states.into_iter().enumerate() {
        let mut runs = AuditRuns::last(10);
        read().take(2 * index + 1).for_each(|record| runs.add(record.unwrap()));
        let runs = runs.into_runs();
        assert_eq!((runs[0].state, runs[0].sent), state);
        assert_eq!(runs[0].approved_by.is_some(), index >= 1);
        assert_eq!(runs[0].ended, (index == 4).then_some(OutcomeKind::Failed));
    }
    let mut runs = AuditRuns::last(1);
    read().take(2).for_each(|record| runs.add(record.unwrap()));
    assert_eq!((runs.left_out(), runs.into_runs().remove(0).run), (1, "2".to_owned()));
}

#[cfg(unix)]
#[tokio::test]
async fn a_log_that_is_moved_away_or_deleted_begins_anew() {
    let folder = Folder::new("rotated");
    let log = FileAuditLog::open(folder.log()).unwrap();
    let runs = |path: PathBuf| -> Vec<String> {
        let bytes = std::fs::read(path).unwrap();
        read_audit(&*bytes).map(|record| record.unwrap().run).collect()
    };
    let append = async |run| log.append(&record(run, steps()[0].clone())).await;
    append(1).await.unwrap();
    let moved = folder.0.join("audit.jsonl.1");
    std::fs::rename(folder.log(), &moved).unwrap();
    append(2).await.unwrap();
    append(3).await.unwrap();
    assert_eq!(
        (runs(moved), runs(folder.log())),
        (vec!["1".to_owned()], vec!["2".to_owned(), "3".to_owned()])
    );
    std::fs::remove_file(folder.log()).unwrap();
    append(4).await.unwrap();
    assert_eq!(runs(folder.log()), ["4"]);
    // Somebody else has made another one.
    std::fs::rename(folder.log(), folder.0.join("audit.jsonl.2")).unwrap();
    std::fs::write(folder.log(), "").unwrap();
    append(5).await.unwrap();
    assert_eq!(runs(folder.log()), ["5"]);
    // There is nowhere to write: nobody is told that it was written.
    std::fs::remove_dir_all(&folder.0).unwrap();
    assert_eq!(append(6).await.unwrap_err().kind, ErrorKind::Unavailable);
}

#[test]
fn many_runs_are_put_together_and_counted_in_little_time() {
    const MOST: u64 = 10_000;
    let begun = std::time::Instant::now();
    let mut runs = AuditRuns::last(10_000);
    // Each with the last step of the one before among its own.
    for run in 0..5 * MOST {
        runs.add(record(run, steps()[0].clone()));
        if let Some(before) = run.checked_sub(1) {
            runs.add(record(before, steps()[4].clone()));
        }
    }
    assert_eq!(runs.left_out(), 4 * MOST);
    let runs = runs.into_runs();
    assert_eq!((runs.len(), &*runs[0].run, &*runs[9_999].run), (10_000, "40000", "49999"));
    assert!(runs[..9_999].iter().all(|run| run.state == RunState::Ended && run.request.is_some()));
    // One after the other it takes minutes without optimization.
    assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("mode");
    let log = FileAuditLog::open(folder.log()).unwrap();
    assert_eq!(std::fs::metadata(log.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_torn_line_is_told_and_takes_nothing_else_along() {
    let folder = Folder::new("torn");
    let whole = serde_json::to_string(&record(1, steps()[0].clone())).unwrap();
    for cut in 1..whole.len() {
        std::fs::write(folder.log(), &whole[..cut]).unwrap();
        let log = FileAuditLog::open(folder.log()).unwrap();
        log.append(&record(2, steps()[1].clone())).await.unwrap();
        log.append(&record(2, steps()[2].clone())).await.unwrap();
        let bytes = std::fs::read(folder.log()).unwrap();
        let lines: Vec<_> = read_audit(&*bytes).collect();
        let error = lines[0].as_ref().unwrap_err();
        assert_eq!(error.line, 1);
        assert!(error.message.contains("torn"), "{error}");
        assert_eq!(lines.len(), 3);
        assert!(lines[1..].iter().all(|line| line.as_ref().is_ok_and(|record| record.run == "2")));
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_an_error_that_names_the_file() {
    let folder = Folder::new("unwritable");
    let named = |error: Error| {
        assert_eq!((error.kind, &*error.operation), (ErrorKind::Unavailable, "audit"));
        error.to_string()
    };
    let missing = folder.0.join("no/such/folder");
    let error = named(FileAuditLog::open(&missing).unwrap_err());
    assert!(error.contains("no/such/folder") && error.contains("opened"), "{error}");
    assert!(FileAuditLog::open(&folder.0).is_err());
    #[cfg(target_os = "linux")]
    {
        let log = FileAuditLog::open("/dev/full").unwrap();
        for _ in 0..2 {
            let error = named(log.append(&record(1, steps()[0].clone())).await.unwrap_err());
            assert!(error.contains("/dev/full") && error.contains("written"), "{error}");
        }
    }
    let log = FileAuditLog::open(folder.log()).unwrap();
    let long = AuditStep::Ended { outcome: OutcomeKind::Failed, message: "x".repeat(MAX_LINE_BYTES) };
    assert_eq!(log.append(&record(1, long)).await.unwrap_err().kind, ErrorKind::TooLarge);
    assert_eq!(std::fs::metadata(folder.log()).unwrap().len(), 0);
}

#[test]
fn what_is_no_record_is_told_by_its_line() {
    let good = serde_json::to_string(&record(7, steps()[4].clone())).unwrap();
    let newer = good.replace(r#""schema":1"#, r#""schema":2"#);
    let more = good.replace(r#""schema":1"#, r#""schema":1,"later":[1]"#);
    let long = "x".repeat(MAX_LINE_BYTES + 5);
    let text = format!("{good}\n\nrubbish\n{long}\n{newer}\n\u{0}\n{more}\r\n{{}}\n{good}");
    let lines: Vec<_> = read_audit(text.as_bytes()).collect();
    let told: Vec<_> = lines.iter().map(|line| line.as_ref().map_err(|error| error.line).err()).collect();
    assert_eq!(told, [None, Some(3), Some(4), Some(5), Some(6), None, Some(8), None]);
}

#[test]
fn what_cannot_be_read_ends_it() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    impl BufRead for Broken {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            Err(io::Error::other("the disk is gone"))
        }
        fn consume(&mut self, _: usize) {}
    }
    let lines: Vec<_> = read_audit(Broken).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].as_ref().unwrap_err().to_string().contains("the disk is gone"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic_and_good_lines_among_them_are_found(
        rubbish in prop::collection::vec("[^\n]{0,40}", 0..8),
        at in 0_usize..8,
    ) {
        let good = serde_json::to_string(&record(7, steps()[2].clone())).unwrap();
        let mut lines = rubbish;
        lines.insert(at.min(lines.len()), good);
        let text = lines.join("\n");
        let found = read_audit(text.as_bytes()).filter(|line| line.is_ok()).count();
        prop_assert_eq!(found, 1);
    }
}
