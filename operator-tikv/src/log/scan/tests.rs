use std::path::PathBuf;
use std::sync::Mutex;

use operator_core::LeadershipChange;

use super::*;

fn temporary(name: &str, text: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("operator-scan-{name}-{}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

fn changes(scan: &Scan, path: &Path) -> Vec<LeadershipChange> {
    let changes = Mutex::new(Vec::new());
    let scanned = scan.leadership(
        path,
        |change, _| changes.lock().unwrap().push(change.to_owned()),
        |_| ControlFlow::Continue(()),
    );
    assert!(!scanned.unwrap().foreign);
    let mut changes = changes.into_inner().unwrap();
    changes.sort_by_key(|change| change.line);
    changes
}

const LEADER: &str = "[2026/11/22 02:44:22.765 +00:00] [INFO] [raft.rs:1271] [\"became leader at term 7\"] [term=7] [raft_id=23] [region_id=6]\n";

#[test]
fn a_log_that_forges_another_in_a_value_or_a_stack_trace_makes_no_event() {
    let forged = LEADER.replace('"', "\\\"").replace('\n', "\\n");
    let text = format!(
        "{LEADER}[2026/11/22 02:44:23.765 +00:00] [ERROR] [peer.rs:1] [boom] [err=\"{forged}\"]\n\
         \t{LEADER} {LEADER}panic: {LEADER}{LEADER}"
    );
    let path = temporary("forged", text.as_bytes());
    let found = changes(&Scan::default(), &path);
    assert_eq!(found.iter().map(|change| change.line).collect::<Vec<_>>(), [Some(1), Some(6)]);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn statistics_are_the_same_on_any_number_of_threads() {
    // Pieces begin within the stack trace.
    let trace = "[frame 1] at foo\n   at bar\n".repeat(20_000);
    let damaged = "{\"time\":\"2026/11/22 02:44:22.765 +00:00\",\"level\":\"LOUD\"}\n";
    let text = format!("rubbish\n{LEADER}{trace}{damaged}{LEADER}{trace}{LEADER}");
    let path = temporary("threads", text.as_bytes());
    let [one, two, eight] = [1, 2, 8].map(|threads| {
        let mut stats = Stats::default();
        Scan { threads, ..Scan::default() }.stats(&path, &mut stats).unwrap();
        stats
    });
    assert_eq!((one.unparsed, one.continuation), (2, 80_000));
    let shown: Vec<_> = one.examples.iter().map(|example| (example.line, example.text.get(..7))).collect();
    assert_eq!(shown, [(Some(1), Some("rubbish")), (Some(40_003), Some("{\"time\""))]);
    assert_eq!((&one, &one), (&two, &eight));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn statistics_tell_entries_from_what_belongs_to_them_and_from_rubbish() {
    let text = format!("rubbish\n{LEADER}   at stack\n\nmore\n{}{LEADER}\0\0\0\n", &LEADER[..60].trim_end())
        .into_bytes();
    let text = [text, b"\n[2026/11/22 02:44:22.765 +00:00] [LOUD] [a:1] [b]".to_vec()].concat();
    let path = temporary("stats", &text);
    let mut stats = Stats::default();
    let scanned = Scan::default().stats(&path, &mut stats).unwrap();
    assert_eq!(scanned, Scanned::default());
    // A damaged line took the next one with it.
    assert_eq!((stats.lines, stats.bytes), (9, text.len() as u64));
    assert_eq!((stats.entries, stats.continuation, stats.unparsed), (1, 5, 3));
    let shown: Vec<_> = stats.examples.iter().map(|example| (example.line, example.text.get(..7))).collect();
    assert_eq!(shown, [(Some(1), Some("rubbish")), (Some(6), Some("[2026/1")), (Some(9), Some("[2026/1"))]);
    assert_eq!(stats.leaders_by_region, BTreeMap::from([(6, 1)]));
    assert_eq!(stats.leaders_by_minute, BTreeMap::from([("2026-11-22T02:44Z".to_owned(), 1)]));
    std::fs::remove_file(path).unwrap();
}

const DAMAGED: &[u8] = b"[2026/11/22 02:43:00.000 +00:00] hello from another program\n";

#[test]
fn what_is_no_log_says_so() {
    let endless = vec![b'x'; 3 * 1024 * 1024];
    for text in [
        &b"\x7fELF\0\0\0\0\n\xFF"[..],
        b"Nov 22 02:44:22 host kernel: x\n",
        &[0; 10_000],
        b"\n\n",
        &endless,
        DAMAGED,
    ] {
        let path = temporary("foreign", text);
        let found = Scan::default().leadership(&path, |_, _| {}, |_| ControlFlow::Continue(())).unwrap();
        let mut stats = Stats::default();
        assert!(found.foreign && Scan::default().stats(&path, &mut stats).unwrap().foreign);
        assert_eq!((stats.entries, stats.unparsed), (0, stats.lines));
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_log_that_begins_within_a_long_stack_trace_is_one() {
    let path = temporary("late", format!("{}{LEADER}", "   0: std::backtrace\n".repeat(70_000)).as_bytes());
    assert_eq!(changes(&Scan::default(), &path).len(), 1);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_window_is_read_from_its_beginning_and_then_lines_are_not_counted() {
    let text: String = (0..20_000)
        .map(|second| {
            let at = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(1_700_000_000 + second);
            LEADER.replace("2026/11/22 02:44:22.765", &at.format("%Y/%m/%d %H:%M:%S%.3f").to_string())
        })
        .collect();
    let path = temporary("window", text.as_bytes());
    let mut scan = Scan { threads: 2, ..Scan::default() };
    scan.filter.since = chrono::DateTime::from_timestamp(1_700_019_000, 0);
    let found = changes(&scan, &path);
    assert_eq!((found.len(), found[0].line), (1_000, None));
    assert!(scan.done.into_inner() < text.len() as u64 / 2);
    std::fs::remove_file(path).unwrap();
}
