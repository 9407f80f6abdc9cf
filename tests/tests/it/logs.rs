//! What the recorded logs tell, against what a plain and slow script read in them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use operator_core::{LeadershipChange, LeadershipChangeKind as Kind};
use operator_tikv::log::{Filter, Merge, Scan, Stats, log_files};
use serde::Deserialize;

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/logs").join(name)
}

fn scan(votes: bool) -> Scan {
    let mut scan = Scan::default();
    scan.votes = votes;
    scan
}

fn told(scan: &Scan, name: &str) -> Vec<LeadershipChange> {
    let told = Mutex::new(Vec::new());
    let keep = |change: &operator_tikv::log::Leadership<'_>, _: &mut Vec<u8>| {
        told.lock().unwrap().push(change.to_owned());
    };
    let scanned = scan.leadership(&recorded(name), keep, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((scanned.cut, scanned.foreign), (0, false));
    told.into_inner().unwrap()
}

/// As the script wrote it.
#[derive(Debug, Deserialize, PartialEq)]
struct Listed {
    line: u64,
    at: String,
    kind: Kind,
    region_id: Option<u64>,
    peer_id: Option<u64>,
    term: Option<u64>,
    from_role: Option<String>,
}

#[test]
fn every_recorded_change_is_told_and_no_other() {
    const LISTED: [Kind; 5] = [
        Kind::BecameLeader,
        Kind::BecameFollower,
        Kind::BecameCandidate,
        Kind::BecamePreCandidate,
        Kind::ElectionStarted,
    ];
    for (node, expected) in [("tikv0", 703), ("tikv1", 578), ("tikv2", 506), ("tikv3", 102)] {
        let listed = std::fs::read_to_string(recorded(&format!("{node}.leadership.jsonl"))).unwrap();
        let listed: Vec<Listed> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for votes in [false, true] {
            let told = told(&scan(votes), &format!("{node}.log.gz")).into_iter();
            let told: Vec<_> = told.filter(|change| LISTED.contains(&change.kind)).collect();
            assert_eq!((told.len(), listed.len()), (expected, expected));
            for (told, listed) in told.iter().zip(&listed) {
                let at = DateTime::parse_from_str(&listed.at, "%Y/%m/%d %H:%M:%S%.f %z").unwrap();
                assert_eq!(told.at, at.with_timezone(&Utc), "{listed:?}");
                assert_eq!((told.line, told.kind), (Some(listed.line), listed.kind), "{listed:?}");
                assert_eq!(told.region_id.map(|id| id.0), listed.region_id, "{listed:?}");
                assert_eq!(told.peer_id.map(|id| id.0), listed.peer_id, "{listed:?}");
                assert_eq!((told.term, &told.from_role), (listed.term, &listed.from_role), "{listed:?}");
            }
        }
    }
}

#[test]
fn other_forms_are_told_as_often_as_they_stand_there() {
    let count =
        |changes: &[LeadershipChange], kind| changes.iter().filter(|change| change.kind == kind).count();
    let stores: Vec<_> = (0..4).flat_map(|node| told(&scan(true), &format!("tikv{node}.log.gz"))).collect();
    for (kind, expected) in [
        (Kind::TransferStarted, 63),
        (Kind::TransferReceived, 63),
        (Kind::VotesRequested, 459),
        (Kind::VoteGranted, 564),
        (Kind::VoteIgnored, 66),
        (Kind::VoteReceived, 338),
        (Kind::HigherTermSeen, 491),
        (Kind::PdLeaderElected, 0),
    ] {
        assert_eq!(count(&stores, kind), expected, "{kind}");
    }
    let pd = told(&scan(false), "pd2.log.gz");
    for (kind, expected) in [
        (Kind::PdLeaderElected, 2),
        (Kind::PdLeaderReady, 2),
        (Kind::PdLeaderResigned, 1),
        (Kind::PdLeaderFollowed, 7),
        (Kind::PdLeaderLost, 4),
        (Kind::LeaderReported, 5),
    ] {
        assert_eq!(count(&pd, kind), expected, "{kind}");
    }
    assert!(stores.iter().all(|change| change.region_id.is_some() && change.peer_id.is_some()));
}

#[test]
fn every_recorded_line_is_an_entry_and_is_written_as_it_was_read() {
    let files = log_files(&[recorded("")]);
    assert_eq!(files.len(), 7);
    let mut stats = Stats::default();
    for file in &files {
        scan(false).stats(file, &mut stats).unwrap();
    }
    assert_eq!((stats.files, stats.lines), (7, 36_759));
    assert_eq!((stats.entries, stats.unparsed, &stats.examples[..]), (stats.lines, 0, &[][..]));

    let mut merge = Merge::open(&files, &Filter::default());
    let (mut entries, mut last, mut written) = (0, None, Vec::new());
    while merge.advance() {
        let (path, group) = merge.group().unwrap();
        let entry = group.entry().unwrap();
        written.clear();
        entry.write(&mut written);
        // PD writes empty fields, and quotes less than TiKV.
        if path.to_string_lossy().contains("tikv") {
            assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(group.head));
        }
        let again = operator_tikv::log::parse_line(&written).unwrap();
        let texts = |entry: &operator_tikv::log::Entry<'_>| {
            let fields = entry
                .fields()
                .flat_map(|(name, value)| [name.text().into_owned(), value.text().into_owned()]);
            fields.chain([entry.message.text().into_owned()]).collect::<Vec<_>>()
        };
        assert_eq!((again.time, texts(&again)), (entry.time, texts(&entry)));
        let at = Some(entry.time.utc());
        // Writers put lines in order a few milliseconds late.
        assert!(last <= at.map(|at| at + chrono::TimeDelta::seconds(1)), "{last:?} {at:?}");
        last = at;
        entries += 1;
    }
    assert_eq!((entries, merge.failed().len()), (stats.entries, 0));
}
