//! `operator logs` as a process.

use std::path::{Path, PathBuf};

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
    for files in
        [[recorded("missing.log"), recorded("tikv3.log.gz")], [foreign.clone(), recorded("tikv3.log.gz")]]
    {
        for mode in [&["--leadership"][..], &["--stats"], &["--merge", "--leadership"], &["--summary"], &[]] {
            let (code, shown, told) = run(logs().args(mode).args(&files));
            let is_plain_merge =
                files[0] == foreign && matches!(mode.first(), Some(&("--merge" | "--summary")));
            assert_eq!(code, Some(i32::from(!is_plain_merge)), "{mode:?}: {told}");
            assert!(shown.lines().count() > 10 || mode == ["--stats"], "{mode:?}: {shown}");
            assert!(is_plain_merge || told.contains(files[0].to_str().unwrap()), "{mode:?}: {told}");
        }
    }
    std::fs::remove_file(foreign).unwrap();
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
        &[],
    ] {
        let command = &mut logs();
        let (code, _, told) = run(if args.is_empty() { command } else { command.args(args).arg("x.log") });
        assert_eq!(code, Some(64), "{args:?}: {told}");
    }
}
