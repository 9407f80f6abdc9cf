//! `operator watch --logs` as a process.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::{operator, run};

/// A process whose standard output is JSON, an object a line.
struct Process(Child, mpsc::Receiver<Value>);

impl Process {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("operator"))
            .args(args)
            .args(["-o", "json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            lines.map(|line| serde_json::from_str(&line).unwrap()).try_for_each(|line| told.send(line))
        });
        Self(child, lines)
    }

    fn next(&self) -> Value {
        self.1.recv_timeout(Duration::from_secs(60)).expect("a line within a minute")
    }

    fn next_that(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        std::iter::repeat_with(|| self.next()).find(is_it).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn elected(region: u64) -> String {
    format!(
        "[2026/11/22 02:44:22.765 +00:00] [INFO] [raft.rs:1271] [\"became leader at term 7\"] [term=7] [raft_id=23] \
         [region_id={region}] [thread_id=83]\n"
    )
}

#[test]
fn changes_of_leadership_are_told_among_the_events_and_too_many_are_a_violation() {
    let directory = std::env::temp_dir().join(format!("operator-watch-logs-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let log = directory.join("tikv.log");
    append(&log, &elected(1));

    let cluster = Process::start(&["simulate"]);
    let pd = cluster.next()["pd"][0].as_str().unwrap().to_owned();
    let watch =
        Process::start(&["watch", "--pd", &pd, "--interval", "1s", "--logs", directory.to_str().unwrap()]);
    watch.next_that(|event| event["type"] == "observed");
    append(&log, &elected(2));
    // What was there before is past; and what comes later is found where it comes.
    let told = watch.next_that(|event| event["type"] == "log");
    assert_eq!((&told["regarding"], &told["at"]), (&"region/2".into(), &"2026-11-22T02:44:22.765Z".into()));
    assert_eq!(told["message"], "peer 23 became leader at term 7 (tikv.log)");

    append(&directory.join("tikv1.log"), &(1..=150).map(elected).collect::<String>());
    // What is read while it looks is judged before it is told.
    let (mut summary, mut churn) = (None, None);
    while summary.is_none() || churn.is_none() {
        let event = watch.next();
        if event["type"] == "log" && event["regarding"] == "cluster" {
            assert_eq!(event["message"], "130 more changes of leadership, in 130 regions");
            summary = Some(event);
        } else if event["invariant"] == "leadership_churn" {
            assert_eq!((&event["type"], &event["observed"]), (&"pending".into(), &151.0.into()), "{event}");
            churn = Some(event);
        }
    }
    drop((watch, cluster));
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn logs_that_cannot_be_or_that_nobody_writes_are_refused() {
    for (args, named) in [
        ("watch --pd http://127.0.0.1:1 --logs /nowhere/at/all/tikv.log", "/nowhere/at/all"),
        ("watch --simulate --logs tikv.log", "--logs"),
    ] {
        let outcome = run(&mut operator(args));
        assert_eq!(outcome.code, Some(64), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(named), "{}", outcome.stderr);
    }
}
