//! `operator logs` as a process.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use assert_cmd::Command;

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings/logs").join(name)
}

fn logs() -> Command {
    let mut command = Command::cargo_bin("operator").unwrap();
    command.arg("logs");
    command
}

/// Exit code, stdout, stderr.
fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn leadership_is_one_json_object_a_line_whatever_the_threads() {
    let (code, one, _) =
        run(logs().args(["--leadership", "-o", "json", "--threads", "1"]).arg(recorded("tikv3.log.gz")));
    assert_eq!(code, Some(0));
    let events: Vec<serde_json::Value> =
        one.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = &events[0];
    assert_eq!((&first["kind"], &first["line"]), (&"became_follower".into(), &155.into()));
    assert_eq!(first["at"], "2026-11-22T02:53:34.293Z");
    let (_, four, _) =
        run(logs().args(["--leadership", "-o", "json", "--threads", "4"]).arg(recorded("tikv3.log.gz")));
    assert_eq!(one, four);
    // In the order of time, and from the standard input.
    let log = std::fs::read(recorded("tikv3.log.gz")).unwrap();
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&log[..]), &mut plain).unwrap();
    let (_, piped, _) = run(logs().args(["--merge", "--leadership", "-o", "json", "-"]).write_stdin(plain));
    assert_eq!(piped.lines().count(), events.len());
}

#[test]
fn entries_are_filtered_and_shown_as_they_stand() {
    let (code, shown, _) =
        run(logs().args(["--level", "error", "--grep", "heap (prof|x)"]).arg(recorded("tikv0.log.gz")));
    assert_eq!(code, Some(0));
    assert!(
        shown.starts_with(
            "[2026/11/22 02:43:46.082 +00:00] [ERROR] [mod.rs:3544] [\"failed to enable heap profiling\"]"
        ),
        "{shown}"
    );
    let (_, json, _) = run(logs()
        .args(["-o", "json", "--source", "raft.rs:1271", "--region", "2"])
        .arg(recorded("tikv0.log.gz")));
    let entry: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&entry["message"], &entry["fields"]["raft_id"]),
        (&"became leader at term 6".into(), &"3".into())
    );
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_read_all_the_same() {
    let foreign = std::env::temp_dir().join(format!("operator-foreign-{}", std::process::id()));
    std::fs::write(&foreign, "Nov 22 02:44:22 host kernel: x\n").unwrap();
    let [binary, utf16] = ["binary", "utf16"].map(|name| foreign.with_extension(name));
    std::fs::write(&binary, b"\x7FELF\x02\x01\0\0\n\0\xFF\n").unwrap();
    std::fs::write(&utf16, b"\xFF\xFE[\x002\x000\x00").unwrap();
    for first in [recorded("missing.log"), foreign.clone(), binary.clone(), utf16.clone()] {
        let files = [first, recorded("tikv3.log.gz")];
        for mode in [&["--leadership"][..], &["--stats"], &["--merge", "--leadership"], &["--summary"], &[]] {
            let (code, shown, told) = run(logs().args(mode).args(&files));
            assert_eq!(code, Some(1), "{mode:?}: {told}");
            assert!(shown.lines().count() > 10 || mode == ["--stats"], "{mode:?}: {shown}");
            assert!(told.contains(files[0].to_str().unwrap()), "{mode:?}: {told}");
        }
    }
    for file in [foreign, binary, utf16] {
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_summary_can_be_drawn() {
    let svg = std::env::temp_dir().join(format!("operator-svg-{}.svg", std::process::id()));
    let files: Vec<_> = (0..4).map(|node| recorded(&format!("tikv{node}.log.gz"))).collect();
    let (code, shown, _) = run(logs().args(["--summary", "--svg"]).arg(&svg).args(&files));
    assert_eq!(code, Some(0));
    assert!(
        shown.contains("54 regions") && shown.contains("tikv2.log.gz > tikv1.log.gz (2 times)"),
        "{shown}"
    );
    assert!(std::fs::read_to_string(&svg).unwrap().ends_with("</svg>\n"));
    std::fs::remove_file(svg).unwrap();
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    for args in [
        &["--level", "loud"][..],
        &["--since", "soon"],
        &["--grep", "("],
        &["--svg", "x"],
        &["--kind", "x"],
        &["--follow", "-"],
        &[],
    ] {
        let command = &mut logs();
        let (code, _, told) = run(if args.is_empty() { command } else { command.args(args).arg("x.log") });
        assert_eq!(code, Some(64), "{args:?}: {told}");
    }
}

#[test]
fn of_what_belongs_to_an_entry_a_mebibyte_is_shown_and_the_rest_told() {
    let path = std::env::temp_dir().join(format!("operator-logs-trace-{}.log", std::process::id()));
    let entry = |level: &str| format!("[2026/11/22 02:44:22.765 +00:00] [{level}] [a.rs:1] [boom]\n");
    let text = entry("ERROR") + &"  0123456789: frame\n".repeat(100_000) + &entry("INFO");
    std::fs::write(&path, text).unwrap();
    let ways = [&["--threads", "1"][..], &["--threads", "2"], &["--merge"]];
    let [one, two, merged] = ways.map(|args| run(logs().args(args).arg(&path)));
    assert_eq!((one.0, &one.1), (Some(1), &two.1));
    assert_eq!(one.1, merged.1);
    assert!(one.1.len() > 1024 * 1024 && one.1.ends_with(&entry("INFO")));
    let left_out = 100_002 - one.1.lines().count();
    for (_, _, told) in [one, two, merged] {
        assert!(told.contains(&format!("{left_out} lines were left out")), "{told}");
    }
    // Of an entry that is not shown nothing is missed.
    let (code, shown, told) = run(logs().args(["--source", "b.rs"]).arg(&path));
    assert_eq!((code, &*shown, &*told), (Some(0), "", ""));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn what_comes_through_a_pipe_is_told_as_it_comes() {
    let mut process = std::process::Command::new(assert_cmd::cargo::cargo_bin("operator"))
        .args(["logs", "--leadership", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = process.stdin.take().unwrap();
    let line = b"[2026/11/22 02:44:22.765 +00:00] [INFO] [raft.rs:1271] [\"became leader at term 7\"] [term=7] [raft_id=23] [region_id=6]\n";
    pipe.write_all(line).unwrap();
    // Returns although the pipe stays open.
    let mut told = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.contains("became_leader"), "{told}");
    drop(pipe);
    assert!(process.wait().unwrap().success());
}

/// A process that follows a log, and what it has written so far.
struct Followed {
    process: std::process::Child,
    lines: mpsc::Receiver<serde_json::Value>,
}

impl Followed {
    fn start(file: &Path) -> Self {
        let mut process = std::process::Command::new(assert_cmd::cargo::cargo_bin("operator"))
            .args(["logs", "--follow", "-o", "json"])
            .arg(file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (told, lines) = mpsc::channel();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            lines.map(|line| serde_json::from_str(&line).unwrap()).try_for_each(|line| told.send(line))
        });
        Self { process, lines }
    }

    /// The next messages and the numbers of their lines.
    fn expect(&self, expected: &[(&str, u64)]) {
        for (message, number) in expected {
            let line =
                self.lines.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("no {message}"));
            assert_eq!((&line["message"], &line["line"]), (&(*message).into(), &(*number).into()));
        }
    }

    /// Nothing more comes while it looks again a few times.
    fn expect_nothing(&self) {
        assert_eq!(self.lines.recv_timeout(Duration::from_secs(1)), Err(mpsc::RecvTimeoutError::Timeout));
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_log_is_followed_through_rotation_and_truncation_without_a_line_lost_or_repeated() {
    let directory = std::env::temp_dir().join(format!("operator-followed-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (log, old) = (directory.join("tikv.log"), directory.join("tikv-2026-11-22T02-43-46.081.log"));
    let line = |message: &str| format!("[2026/11/22 02:43:46.081 +00:00] [INFO] [a.rs:1] [{message}]\n");
    let append = |path: &Path, text: &str| {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };

    // It appears later.
    let followed = Followed::start(&log);
    followed.expect_nothing();
    append(&log, &(line("a1") + &line("a2")));
    followed.expect(&[("a1", 1), ("a2", 2)]);

    // Half of a line, and its other half.
    let (half, rest) = (&line("a3")[..40], &line("a3")[40..]);
    append(&log, half);
    followed.expect_nothing();
    append(&log, rest);
    followed.expect(&[("a3", 3)]);

    // Rotated, while the writer still writes to the old file.
    std::fs::rename(&log, &old).unwrap();
    append(&old, &line("a4"));
    followed.expect(&[("a4", 4)]);
    append(&old, &line("a5"));
    append(&log, &(line("b1") + &line("b2")));
    followed.expect(&[("a5", 5), ("b1", 1), ("b2", 2)]);

    // Truncated, and written anew.
    OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    followed.expect_nothing();
    append(&log, &line("c1"));
    followed.expect(&[("c1", 1)]);

    // A lot of it at once, and rotated at once.
    let many: Vec<String> = (0..20_000).map(|number| format!("d{number}")).collect();
    append(&log, &many.iter().map(|message| line(message)).collect::<String>());
    std::fs::rename(&log, &old).unwrap();
    append(&log, &line("e1"));
    let numbers = (2..).zip(&many).map(|(number, message)| (message.as_str(), number));
    followed.expect(&numbers.collect::<Vec<_>>());
    followed.expect(&[("e1", 1)]);
    followed.expect_nothing();
    drop(followed);
    std::fs::remove_dir_all(directory).unwrap();
}
