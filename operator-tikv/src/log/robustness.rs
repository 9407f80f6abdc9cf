//! Whatever stands in a file: nothing panics, hangs or takes more than its share of time, and what is read can be
//! written and read again. The corpus is recorded lines, changed at random, always in the same way.

use super::leadership::{Sought, leadership_of, may_tell};
use super::line::{Entry, parse_line};

const LINES: [&[u8]; 8] = [
    br#"[2026/11/22 02:46:04.081 +00:00] [INFO] [raft.rs:1162] ["became follower at term 8"] [from_role=Leader] [term=8] [raft_id=23] [region_id=6] [thread_id=82]"#,
    br#"[2026/11/22 02:44:22.741 +00:00] [INFO] [raft.rs:2400] ["[term 6] received MsgTimeoutNow from 7 and starts an election to get leadership."] [from=7] [term=6] [raft_id=23] [region_id=6] [thread_id=83]"#,
    br#"[2026/11/22 02:48:28.257 +00:00] [INFO] [raft.rs:1366] ["[logterm: 6, index: 439, vote: 191] ignored vote from 189 [logterm: 6, index: 439]: lease is not expired"] [leader_id=191] ["msg type"=MsgRequestPreVote] ["remaining ticks"=7] [term=6]"#,
    br#"[2026/11/22 02:43:45.545 +00:00] [INFO] [allocator_manager.go:455] ["delete the dc-location key"] [] [resp="{\"a\":[\"\\u00e9\",1]}"]"#,
    br#"[2026/11/22 02:43:42.968 +00:00] [INFO] [raft] [zap_raft.go:77] ["e3589da502d44cf6 became follower at term 0"]"#,
    br#"{"time":"2026/11/22 02:44:22.765 +00:00","level":"INFO","caller":"raft.rs:1271","message":"became leader at term 7","term":7,"raft_id":23,"region_id":6}"#,
    br#"[2019/01/15 13:40:60.619 +08:00] [FATAL] [<unknown>] [] ["a b"="\n\t\"\\"] [c=d e]"#,
    b"   0: std::backtrace::Backtrace::create",
];

/// What is found at random.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).unwrap()
    }
}

fn texts(entry: &Entry<'_>) -> Vec<Vec<u8>> {
    let header = entry.logger.into_iter().chain([entry.source, entry.message]);
    let fields = entry.fields().flat_map(|(name, value)| [name, value]);
    header.chain(fields).map(|text| text.bytes().into_owned()).collect()
}

/// Also what the fuzz targets ask.
fn examine(line: &[u8]) {
    let entry = match parse_line(line) {
        Ok(entry) => entry,
        Err(error) => return assert!(error.at <= line.len(), "{error}"),
    };
    if let Some(change) = leadership_of(&entry, "a.log", None) {
        assert!(may_tell(line, change.kind.is_vote()), "{}", line.escape_ascii());
        assert!(Sought::new(&[change.kind], false).may_be_in(line), "{}", line.escape_ascii());
        let mut json = Vec::new();
        let printable = change.write_json(&mut json);
        assert!(!printable || json.iter().all(|byte| matches!(byte, b' '..=b'~')));
        assert_eq!(json, serde_json::to_vec(&change).unwrap());
        assert_eq!(json, serde_json::to_vec(&change.to_owned()).unwrap());
    }
    let mut written = Vec::new();
    entry.write(&mut written);
    let again = parse_line(&written).unwrap_or_else(|error| panic!("{error}: {}", written.escape_ascii()));
    assert_eq!((again.time.utc(), again.level), (entry.time.utc(), entry.level), "{}", line.escape_ascii());
    assert_eq!(texts(&again), texts(&entry), "{} {}", line.escape_ascii(), written.escape_ascii());
    let mut twice = Vec::new();
    again.write(&mut twice);
    assert_eq!(written, twice);
}

#[test]
fn changed_lines_are_read_or_refused_and_what_is_read_is_stable() {
    const BYTES: &[u8] = b"[]\"\\=:,{} \t\r\n\0\x7f\x80\xc3\xff019az-+/.u";
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    let mut entries = 0;
    for round in 0..60_000 {
        let mut line = LINES[round % LINES.len()].to_vec();
        for _ in 0..chance.below(4) {
            let at = chance.below(line.len() + 1);
            match chance.below(5) {
                0 if at < line.len() => line[at] = BYTES[chance.below(BYTES.len())],
                1 => line.insert(at, BYTES[chance.below(BYTES.len())]),
                2 => line.truncate(at),
                3 => {
                    let other = LINES[chance.below(LINES.len())];
                    let tail = other.get(chance.below(other.len())..).unwrap_or_default();
                    line.splice(at.., tail.iter().copied());
                }
                _ => {
                    let end = line.len().min(at + chance.below(9));
                    line.drain(at..end);
                }
            }
        }
        entries += usize::from(parse_line(&line).is_ok());
        examine(&line);
    }
    assert!((15_000..45_000).contains(&entries), "{entries} are entries: too many or too few to mean much");
}

#[test]
fn a_line_of_a_megabyte_takes_a_time_in_proportion() {
    // Quadratic, each of them would take minutes.
    let header = &b"[2026/11/22 02:43:45.545 +00:00] [INFO] [a.rs:1] [m]"[..];
    for piece in [
        &b" [a=\"\\n\"]"[..],
        b" []",
        b" [",
        b"\"",
        b"\\",
        b"[",
        b" [\"",
        b"a",
        b" [a=[",
        b"\xFF",
        b"{\"a\":[",
        b"\0",
    ] {
        for start in
            [header, &b""[..], b"{\"time\":", b"[2026/11/22 02:43:45.545 +00:00] [INFO] [raft.rs:1] [\""]
        {
            let line = [start, &piece.repeat(1_000_000 / piece.len())].concat();
            examine(&line);
            let _ = may_tell(&line, true);
        }
    }
}
