//! `operator act` and `operator audit` as processes, on a simulated cluster that keeps what it was sent.

use std::collections::BTreeSet;

use chrono::Utc;
use operator_core::{Action, AuditRun, Outcome, OutcomeKind, RunState};
use serde_json::{Value, json};
use tikv_simulator::{Config, Event, NodeId, Received, Scenario, Server};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::program::{PATIENCE, Run, operator, start};
use crate::promtool::Folder;

/// A cluster, an audit log, and the program pointed at both.
struct Bench {
    server: Server,
    folder: Folder,
}

/// A cluster that goes so much faster than the clock, from now on: heartbeats are as old as they look.
async fn started(speed: f64) -> Server {
    Server::start(Config::new(Scenario::Healthy).shown_at(Utc::now()), speed).await.unwrap()
}

impl Bench {
    async fn new(name: &str) -> Self {
        // What takes PD a minute takes this two seconds.
        Self { server: started(30.0).await, folder: Folder::new(name) }
    }

    fn log(&self) -> String {
        self.folder.0.join("audit.jsonl").to_str().unwrap().to_owned()
    }

    async fn act(&self, args: &[&str]) -> Run {
        let (pd, log) = (self.server.pd_urls().join(","), self.log());
        operator([&["--pd", &pd, "act", "--audit-log", &log], args].concat()).await
    }

    async fn audit(&self, args: &[&str]) -> Run {
        operator([&["audit", "--audit-log", &self.log()], args].concat()).await
    }

    fn written(&self) -> Vec<Received> {
        self.server.with(|simulator| simulator.requests().writes().cloned().collect())
    }
}

fn outcome(run: &Run) -> Outcome {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

#[tokio::test]
async fn what_is_shown_is_what_is_sent_and_the_log_tells_of_it() {
    let bench = Bench::new("act").await;
    let preview = bench.act(&["drain_store", "store_id=4", "-o", "json"]).await.json();
    assert_eq!((&preview["danger"], &preview["refusals"]), (&json!("disruptive"), &json!([])), "{preview}");
    assert!(bench.written().is_empty() && !std::path::Path::new(&bench.log()).exists());
    let shown = bench.act(&["drain_store", "store_id=4"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(
        shown.stdout.contains("give the same with --yes")
            && shown.stdout.contains("undrain_store store_id=4")
    );
    assert!(bench.written().is_empty());

    let run = bench.act(&["drain_store", "store_id=4", "--yes", "--by", "ann", "-o", "json"]).await;
    let done = outcome(&run);
    assert_eq!((run.code, done.outcome, done.sent), (Some(0), OutcomeKind::Verified, Some(true)), "{run:?}");
    let written = bench.written();
    assert_eq!(written.len(), 1, "{written:?}");
    let request = &preview["request"];
    let path = if written[0].query.is_empty() {
        written[0].path.clone()
    } else {
        format!("{}?{}", written[0].path, written[0].query)
    };
    assert_eq!((&json!(written[0].method), &json!(path)), (&request["method"], &request["path"]));
    let body: Value = serde_json::from_slice(&written[0].body).unwrap();
    assert_eq!(body, request["body"]);
    assert_eq!(serde_json::to_value(&done.request).unwrap(), *request);

    // Again there is nothing to do, and it is said so.
    let again = outcome(&bench.act(&["drain_store", "store_id=4", "--yes", "-o", "json"]).await);
    assert_eq!((again.outcome, again.sent), (OutcomeKind::Verified, Some(false)));
    // What would take it back does.
    let undo = done.undo.unwrap().to_string();
    let undo: Vec<_> = undo.split(' ').chain(["--yes"]).collect();
    let run = bench.act(&undo).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("verified: ") && run.stdout.contains("Request "), "{run:?}");
    assert_eq!(bench.written().len(), 2);

    let runs: Vec<AuditRun> = bench
        .audit(&["-o", "json"])
        .await
        .json_lines()
        .into_iter()
        .map(|run| serde_json::from_value(run).unwrap())
        .collect();
    let ids: BTreeSet<_> = runs.iter().map(|run| &*run.run).collect();
    assert_eq!((runs.len(), ids.len(), &runs[0].run), (3, 3, &done.run));
    assert!(runs.iter().all(|run| run.ended == Some(OutcomeKind::Verified) && run.state == RunState::Ended));
    assert_eq!(runs[0].approved_by.as_deref(), Some("ann"));
    let steps = bench.audit(&["--run", &done.run, "-o", "json"]).await.json_lines();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["proposed", "approved", "sending", "answered", "ended"]);
    let table = bench.audit(&["--limit", "2"]).await;
    assert!(
        table.stdout.contains("undrain_store store_id=4") && table.stdout.contains("verified"),
        "{table:?}"
    );
    assert!(table.stderr.contains("1 earlier"), "{table:?}");
    bench.audit(&["--run", "nobody"]).await.failed(1, &["no run nobody"]);
    bench.audit(&["--run", &done.run, "--limit", "1"]).await.failed(64, &["--limit"]);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_is_sent() {
    let bench = Bench::new("act-refused").await;
    for (line, code, parts) in [
        (&["drain", "store_id=4"][..], 64, &["`drain`", "`drain_store`", "act --list"][..]),
        (&["drain_store", "store=4"], 64, &["`store`", "`store_id`"]),
        (&["drain_store"], 64, &["missing field `store_id`"]),
        (&["drain_store", "store_id=tikv1"], 64, &["tikv1"]),
        (&["drain_store", "4"], 64, &["KEY=VALUE"]),
        (&[], 64, &["<NAME>"]),
        (&["drain_store", "store_id=4", "--by", "ann"], 64, &["--yes"]),
        (&["drain_store", "store_id=4", "--yes", "--by", " "], 64, &["--by"]),
    ] {
        for yes in [false, true] {
            if yes && (line.contains(&"--by") || line.contains(&"--yes")) {
                continue;
            }
            bench.act(&[line, if yes { &["--yes"] } else { &[] }].concat()).await.failed(code, parts);
        }
    }
    // There is no such store, and no such region: shown as what does not hold, or said.
    for line in
        [&["drain_store", "store_id=999"][..], &["transfer_leader", "region_id=999999", "to_store_id=4"]]
    {
        let run = bench.act(line).await;
        assert!(matches!(run.code, Some(1 | 4)), "{run:?}");
        let run = bench.act(&[line, &["--yes", "--force"]].concat()).await;
        assert!(matches!(run.code, Some(1 | 4)), "{run:?}");
    }
    assert!(bench.written().is_empty());
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_sent() {
    let bench = Bench::new("act-unwritten").await;
    let pd = bench.server.pd_urls().join(",");
    let act = ["--pd", &pd, "act", "drain_store", "store_id=4", "--yes", "--audit-log"];
    let missing = bench.folder.0.join("no/folder/audit.jsonl");
    let mut places = vec![missing.to_str().unwrap(), bench.folder.0.to_str().unwrap()];
    if cfg!(target_os = "linux") {
        places.push("/dev/full");
    }
    for place in places {
        operator([&act[..], &[place]].concat()).await.failed(1, &["audit log", place]);
    }
    assert!(bench.written().is_empty());
}

#[tokio::test]
async fn pd_that_warms_up_is_not_acted_on_unless_forced() {
    let bench = Bench::new("act-warming").await;
    // Slowly, so that it is not over before it was asked three times.
    let server = started(0.4).await;
    server.with(|simulator| simulator.apply(Event::ResignPdLeader));
    let (pd, log) = (server.pd_urls().join(","), bench.log());
    let act = |more: &[&'static str]| {
        let line = ["--pd", &pd, "act", "--audit-log", &log, "set_leader_schedule_limit", "limit=7"];
        operator(line.iter().chain(more).map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    };
    let run = act(&["-o", "json"]).await;
    let preview: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &preview["refusals"][0]["code"]), (Some(4), &json!("trust")), "{run:?}");
    let run = act(&["--yes"]).await;
    assert_eq!(run.code, Some(4), "{run:?}");
    assert!(run.stdout.contains("refused: the observation is warming_up"), "{run:?}");
    assert!(run.stdout.contains("--force overrules it"), "{run:?}");
    assert_eq!(server.with(|simulator| simulator.requests().writes().count()), 0);
    let run = act(&["--yes", "--force", "-o", "json"]).await;
    assert_eq!((run.code, outcome(&run).outcome), (Some(0), OutcomeKind::Verified), "{run:?}");
    assert_eq!(server.with(|simulator| simulator.requests().writes().count()), 1);
    let runs = operator(["audit", "--audit-log", &log, "-o", "json"]).await.json_lines();
    assert_eq!((runs.len(), &runs[0]["ended"], &runs[1]["forced"]), (2, &json!("refused"), &json!(true)));
}

#[tokio::test]
async fn a_reader_that_leaves_hides_no_end() {
    let bench = Bench::new("act-unread").await;
    let (pd, log) = (bench.server.pd_urls().join(","), bench.log());
    let code = async |line: &[&str]| {
        let mut child = start([&["--pd", &*pd, "act", "--audit-log", &*log], line].concat());
        drop(child.stdout.take());
        tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap().code()
    };
    assert_eq!(code(&["drain_store", "store_id=4", "--yes"]).await, Some(0));
    assert_eq!(bench.written().len(), 1);
    let runs = bench.audit(&["-o", "json"]).await.json_lines();
    assert_eq!((runs.len(), &runs[0]["ended"]), (1, &json!("verified")), "{runs:?}");
    for yes in [&[][..], &["--yes"]] {
        assert_eq!(code(&[&["drain_store", "store_id=999"], yes].concat()).await, Some(4), "{yes:?}");
    }
    assert_eq!(bench.written().len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_ends_the_waiting_and_the_log_tells_how_far_it_came() {
    let bench = Bench::new("act-interrupted").await;
    // So slow that nobody sees the leaders go.
    let server = started(0.01).await;
    let (pd, log) = (server.pd_urls().join(","), bench.log());
    let mut child = start(["--pd", &pd, "act", "drain_store", "store_id=4", "--yes", "--audit-log", &log]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it waits").unwrap().unwrap();
    assert!(line.contains("Ctrl-C") && line.contains(&log), "{line}");
    let id = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(130));
    let runs = bench.audit(&["-o", "json"]).await.json_lines();
    assert_eq!(
        (&runs[0]["state"], &runs[0]["sent"], &runs[0]["ended"]),
        (&json!("answered"), &json!(true), &Value::Null)
    );
    let table = bench.audit(&[]).await;
    assert!(table.stdout.contains("sent, no end"), "{table:?}");
    assert_eq!(server.with(|simulator| simulator.requests().writes().count()), 1);
}

#[tokio::test]
async fn a_torn_log_is_read_around_and_says_where() {
    let bench = Bench::new("act-torn").await;
    let log = bench.folder.write("audit.jsonl", r#"{"schema":1,"at":"2026-01-01T00:00:00Z","run":"1"#);
    let run = bench.act(&["set_leader_schedule_limit", "limit=7", "--yes"]).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    let read = bench.audit(&["-o", "json"]).await;
    assert_eq!((read.code, read.stdout.lines().count()), (Some(1), 1), "{read:?}");
    assert!(read.stderr.contains(&log) && read.stderr.contains("line 1: it is torn"), "{read:?}");
}

#[tokio::test]
async fn a_simulated_cluster_in_the_process_is_acted_on_and_leaves_no_log() {
    let folder = Folder::new("act-simulated");
    let listed = operator(["act", "--list", "-o", "json"]).await.json();
    assert_eq!(listed.as_array().unwrap().len(), Action::infos().len());
    let table = operator(["act", "--list"]).await;
    assert!(table.stdout.contains("drain_store") && table.stdout.contains("[ttl_seconds=…]"), "{table:?}");

    let line = ["--simulate", "act", "transfer_pd_leader", "member=pd1", "--yes", "-o", "json"];
    let run = operator(line).await;
    assert_eq!((run.code, outcome(&run).outcome), (Some(0), OutcomeKind::Verified), "{run:?}");
    let nothing = folder.0.join("audit.jsonl");
    operator(["audit", "--audit-log", nothing.to_str().unwrap()])
        .await
        .failed(1, &["audit.jsonl", "operator act --yes"]);
}

#[tokio::test]
async fn what_was_never_begun_is_nothing_and_what_cannot_be_read_is_not() {
    let folder = Folder::new("act-fresh");
    let audit = async |more: &[&str]| {
        let mut command = crate::program::command([&["audit"], more].concat());
        command.env("XDG_STATE_HOME", &folder.0).stdin(std::process::Stdio::null());
        tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").unwrap()
    };
    let fresh = audit(&[]).await;
    assert_eq!((fresh.status.code(), &*fresh.stdout), (Some(0), &b"nothing was done yet\n"[..]), "{fresh:?}");
    let fresh = audit(&["-o", "json"]).await;
    assert_eq!((fresh.status.code(), &*fresh.stdout), (Some(0), &b""[..]), "{fresh:?}");
    let no_file = audit(&["--audit-log", folder.0.to_str().unwrap()]).await;
    assert_eq!((no_file.status.code(), &*no_file.stdout), (Some(1), &b""[..]), "{no_file:?}");
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_not_acted_on() {
    let bench = Bench::new("act-silent").await;
    for pd in 0..3 {
        bench.server.with(|simulator| simulator.apply(Event::Crash(NodeId::Pd(pd))));
    }
    let run = bench.act(&["drain_store", "store_id=4", "--yes", "--timeout", "3s"]).await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("error: "), "{run:?}");
}
