//! Acting over the Model Context Protocol: shown, approved, sent once, seen, written down; or refused.

use serde_json::{Value, json};
use tikv_simulator::{Config, Event, NodeId, Received, Scenario, Server};

use crate::mcp::{Served, text};
use crate::program::operator;
use crate::promtool::Folder;

/// A cluster, an audit log, and a server over both.
struct Bench {
    server: Server,
    folder: Folder,
}

impl Bench {
    async fn new(name: &str) -> Self {
        // What takes PD a minute takes this two seconds.
        let server =
            Server::start(Config::new(Scenario::Healthy).shown_at(chrono::Utc::now()), 30.0).await.unwrap();
        Self { server, folder: Folder::new(name) }
    }

    fn log(&self) -> String {
        self.folder.0.join("audit.jsonl").to_str().unwrap().to_owned()
    }

    async fn serve(&self, args: &[&str]) -> Served {
        let (pd, log) = (self.server.pd_urls().join(","), self.log());
        Served::start(&[&["--pd", &pd, "--audit-log", &log], args].concat()).await
    }

    fn written(&self) -> Vec<Received> {
        self.server.with(|simulator| simulator.requests().writes().cloned().collect())
    }
}

fn drain(store: u64) -> Value {
    json!({"action": "drain_store", "parameters": {"store_id": store}})
}

fn approve(token: &Value) -> Value {
    json!({"token": token, "approved_by": "ann"})
}

#[tokio::test]
async fn an_agent_previews_is_refused_executes_and_sees_it() {
    let bench = Bench::new("mcp-acts").await;
    let served = bench.serve(&["--allow-actions"]).await;
    let tools = served.tools().await;
    assert!(tools.len() <= 15, "{}", tools.len());
    let hints = |name: &str| {
        let tool = tools.iter().find(|tool| tool.name == *name).unwrap_or_else(|| panic!("{name}"));
        let hints = tool.annotations.clone().unwrap();
        (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint)
    };
    assert_eq!(hints("preview_action"), (Some(true), Some(false), Some(false)));
    assert_eq!(hints("execute_action"), (Some(false), Some(true), Some(false)));
    assert_eq!(hints("audit"), (Some(true), Some(false), Some(true)));
    let instructions = served.client.peer_info().unwrap().instructions.clone().unwrap();
    assert!(instructions.contains("`execute_action`"), "{instructions}");
    let config = served.ask("config", json!({})).await;
    assert_eq!(config["actions"].as_array().unwrap().len(), 22);

    let before = served.ask("stores", json!({"store_id": 4})).await;
    assert!(before["stores"][0]["leader_count"].as_u64() > Some(0), "{before}");
    let shown = served.call("preview_action", drain(4)).await;
    let preview = shown.structured_content.clone().unwrap();
    assert_eq!((&preview["refusals"], &preview["preview"]["danger"]), (&json!([]), &json!("disruptive")));
    let token = preview["token"].as_str().unwrap();
    assert!(text(&shown).contains(token), "who sees only the text can go on, too");
    assert!(bench.written().is_empty());

    for (arguments, kind, part) in [
        (json!({"token": "0".repeat(32), "approved_by": "ann"}), "refused", "no proposal"),
        (json!({"token": &token[1..], "approved_by": "ann"}), "refused", "no proposal"),
        (json!({"token": token}), "invalid_input", "`execute_action`: missing field `approved_by`"),
        (json!({"token": token, "approved_by": " "}), "invalid_input", "who says yes"),
        (
            json!({"token": token, "approved_by": "ann", "forced": true}),
            "invalid_input",
            "no parameter `forced`",
        ),
        (json!({"approved_by": "ann"}), "invalid_input", "token"),
    ] {
        let error = served.fail("execute_action", arguments.clone()).await;
        assert_eq!(error["kind"], kind, "{arguments}: {error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{arguments}: {error}");
    }
    assert!(bench.written().is_empty());

    let outcome = served.ask("execute_action", approve(&preview["token"])).await;
    assert_eq!((&outcome["outcome"], &outcome["sent"]), (&json!("verified"), &json!(true)), "{outcome}");
    assert_eq!(outcome["run"], preview["run"]);
    let written = bench.written();
    assert_eq!(written.len(), 1, "{written:?}");
    let request = &preview["preview"]["request"];
    assert_eq!((&json!(written[0].method), &json!(written[0].path)), (&request["method"], &request["path"]));
    assert_eq!(serde_json::from_slice::<Value>(&written[0].body).unwrap(), request["body"]);
    let after = served.ask("stores", json!({"store_id": 4})).await;
    assert_eq!(after["stores"][0]["leader_count"], 0, "{after}");

    let error = served.fail("execute_action", approve(&preview["token"])).await;
    assert!(error["message"].as_str().unwrap().contains("has been used"), "{error}");
    let again = served.ask("preview_action", drain(4)).await;
    assert!(again["preview"]["request"].is_null(), "there is nothing to do: {again}");
    let undo = &outcome["undo"];
    let undo = json!({"action": undo["name"], "parameters": undo["parameters"]});
    let undo = served.ask("preview_action", undo).await;
    let undone = served.ask("execute_action", approve(&undo["token"])).await;
    assert_eq!(undone["outcome"], "verified", "{undone}");
    assert_eq!(bench.written().len(), 2);

    let audit = served.ask("audit", json!({})).await;
    let runs = audit["runs"].as_array().unwrap();
    let states: Vec<_> = runs.iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!((states, &audit["unread"]), (vec!["ended", "proposed", "ended"], &json!(0)), "{audit}");
    assert_eq!(runs[0]["approved_by"], "ann (mcp)");
    let one = served.ask("audit", json!({"run": undone["run"]})).await;
    assert_eq!(one["runs"].as_array().unwrap().len(), 1);
    assert_eq!(served.fail("audit", json!({"run": "0"})).await["kind"], "not_found");
    let last = served.ask("audit", json!({"limit": 1})).await;
    assert_eq!((&last["runs"][0]["run"], &last["left_out"]["runs"]), (&undone["run"], &json!(2)));
    // The same as everybody reads it; and no token is in it.
    let log = std::fs::read_to_string(bench.log()).unwrap();
    assert!(!log.contains(token) && log.lines().count() == 11, "{log}");
}

#[tokio::test]
async fn what_is_not_possible_is_shown_as_such_and_refused() {
    let bench = Bench::new("mcp-refused").await;
    let served =
        bench.serve(&["--allow-actions=drain_store,transfer_leader", "--approve-within", "1s"]).await;
    let config = served.ask("config", json!({})).await;
    let names: Vec<_> = config["actions"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["transfer_leader", "drain_store"]);
    for (arguments, part) in [
        (
            json!({"action": "remove_store", "parameters": {"store_id": 4}}),
            "there are transfer_leader, drain_store",
        ),
        (json!({"action": "drain_stor", "parameters": {"store_id": 4}}), "did you mean `drain_store`"),
        (json!({"action": "drain_store", "parameters": {"store": 4}}), "did you mean `store_id`"),
        (json!({"action": "drain_store", "parameters": {"store": 4}}), "`config` lists"),
        (json!({"action": "drain_store", "parameters": {"store_id": "x"}}), "x"),
        (json!({"action": "drain_store", "parameters": 4}), "parameters: "),
        (json!({"action": "drain_store"}), "missing field `store_id`"),
        (json!({"parameters": {"store_id": 4}}), "missing field `action`"),
    ] {
        let error = served.fail("preview_action", arguments.clone()).await;
        assert_eq!(error["kind"], "invalid_input", "{arguments}: {error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{arguments}: {error}");
    }
    let nobody = served.ask("preview_action", drain(99)).await;
    assert_eq!(nobody["refusals"][0]["code"], "precondition", "{nobody}");
    let refused = served.ask("execute_action", approve(&nobody["token"])).await;
    assert_eq!((&refused["outcome"], &refused["sent"]), (&json!("refused"), &json!(false)), "{refused}");

    let late = served.ask("preview_action", drain(4)).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    let error = served.fail("execute_action", approve(&late["token"])).await;
    assert!(error["message"].as_str().unwrap().contains("expired"), "{error}");

    // The store dies between being shown and being approved.
    let served = bench.serve(&["--allow-actions=drain_store"]).await;
    let shown = served.ask("preview_action", drain(4)).await;
    bench.server.with(|simulator| simulator.apply(Event::Crash(NodeId::Store(4))));
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let refused = served.ask("execute_action", approve(&shown["token"])).await;
    assert_eq!(refused["outcome"], "refused", "{refused}");
    let code = &refused["refusals"][0]["code"];
    assert!(code == "critical_violation" || code == "precondition", "{refused}");
    assert!(bench.written().is_empty());
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_sent() {
    let bench = Bench::new("mcp-full").await;
    let pd = bench.server.pd_urls().join(",");
    for log in ["/no/such/folder/audit.jsonl", "/"] {
        let run = operator(["mcp", "--pd", &pd, "--allow-actions", "--audit-log", log]).await;
        run.failed(1, &[log]);
    }
    operator(["mcp", "--pd", &pd, "--allow-actions=drain"]).await.failed(64, &["`drain`", "`drain_store`"]);
    operator(["mcp", "--pd", &pd, "--allow-actions=all,drain"])
        .await
        .failed(64, &["`drain`", "`drain_store`"]);
    let log = bench.log();
    operator(["mcp", "--pd", &pd, "--allow-actions", "--audit-log", &log, "--approve-within", "0s"])
        .await
        .failed(64, &["--approve-within"]);
    operator(["mcp", "--pd", &pd, "--allow-force"]).await.failed(64, &["--allow-actions"]);
    if std::path::Path::new("/dev/full").exists() {
        let served = Served::start(&["--pd", &pd, "--allow-actions", "--audit-log", "/dev/full"]).await;
        let error = served.fail("preview_action", drain(4)).await;
        assert_eq!(error["kind"], "unavailable", "{error}");
    }
    assert!(bench.written().is_empty());
}

#[tokio::test]
async fn doubt_refuses_and_force_overrules_it_only_where_that_is_allowed() {
    let slower = json!({"action": "set_leader_schedule_limit", "parameters": {"limit": 3}});
    for (args, can_be_forced, ended) in [
        (&["--allow-actions"][..], false, "refused"),
        (&["--allow-actions", "--allow-force"], true, "verified"),
    ] {
        let served = Served::start(&[&["--simulate=pd-restart"], args].concat()).await;
        let tools = served.tools().await;
        let execute = tools.iter().find(|tool| tool.name == "execute_action").unwrap();
        assert_eq!(execute.input_schema["properties"].get("forced").is_some(), can_be_forced);
        let shown = served.ask("preview_action", slower.clone()).await;
        let refusal = &shown["refusals"][0];
        assert_eq!(
            (&refusal["code"], &refusal["can_be_forced"]),
            (&json!("trust"), &json!(can_be_forced)),
            "{shown}"
        );
        let refused = served.ask("execute_action", approve(&shown["token"])).await;
        assert_eq!((&refused["outcome"], &refused["sent"]), (&json!("refused"), &json!(false)), "{refused}");
        let shown = served.ask("preview_action", slower.clone()).await;
        let mut forced = approve(&shown["token"]);
        if can_be_forced {
            forced["forced"] = json!(true);
        }
        assert_eq!(served.ask("execute_action", forced).await["outcome"], ended);
    }
}

#[tokio::test]
async fn what_takes_long_goes_on_without_whoever_began_it() {
    let served = Served::start(&["--simulate", "--allow-actions"]).await;
    let shown = served.ask("preview_action", drain(4)).await;
    let mut impatient = approve(&shown["token"]);
    impatient["wait_seconds"] = json!(1);
    let outcome = served.ask("execute_action", impatient).await;
    assert_eq!((&outcome["outcome"], &outcome["run"]), (&json!("running"), &shown["run"]), "{outcome}");
    let begun = std::time::Instant::now();
    loop {
        let audit = served.ask("audit", json!({"run": shown["run"]})).await;
        if audit["runs"][0]["state"] == "ended" {
            assert_eq!(audit["runs"][0]["ended"], "verified", "{audit}");
            break;
        }
        assert!(begun.elapsed() < crate::program::PATIENCE, "{audit}");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
}

/// Begins what takes longer than anybody waits for it.
async fn begun(speed: f64, name: &str) -> (Bench, Served) {
    let config = Config::new(Scenario::Healthy).shown_at(chrono::Utc::now());
    let bench = Bench { server: Server::start(config, speed).await.unwrap(), folder: Folder::new(name) };
    let served = bench.serve(&["--allow-actions"]).await;
    let shown = served.ask("preview_action", drain(4)).await;
    let mut impatient = approve(&shown["token"]);
    impatient["wait_seconds"] = json!(1);
    let outcome = served.ask("execute_action", impatient).await;
    assert_eq!((&outcome["outcome"], &outcome["run"]), (&json!("running"), &shown["run"]), "{outcome}");
    (bench, served)
}

#[tokio::test]
async fn what_was_begun_is_seen_to_its_end_when_the_client_goes() {
    let (bench, served) = begun(8.0, "mcp-eof").await;
    let Served { client, child } = served;
    drop(client);
    let ended = tokio::time::timeout(crate::program::PATIENCE, child.wait_with_output()).await;
    let ended = ended.expect("it ends").unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(
        ended.status.success() && told.contains("waiting up to 60 s for drain_store store_id=4"),
        "{told}"
    );
    let runs = operator(["audit", "--audit-log", &bench.log(), "-o", "json"]).await.json_lines();
    assert_eq!((runs.len(), &runs[0]["ended"]), (1, &json!("verified")), "{runs:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_waits_for_what_was_begun_and_ctrl_c_again_does_not() {
    use tokio::io::{AsyncBufReadExt, BufReader};

    // So slow that nobody sees the leaders go.
    let (bench, mut served) = begun(0.01, "mcp-interrupted").await;
    let mut lines = BufReader::new(served.child.stderr.take().unwrap()).lines();
    let id = served.child.id().unwrap().to_string();
    let interrupt = || std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success();
    assert!(interrupt());
    let line = tokio::time::timeout(crate::program::PATIENCE, lines.next_line()).await;
    let line = line.expect("it says that it waits").unwrap().unwrap();
    assert!(line.contains("drain_store store_id=4"), "{line}");
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    assert!(served.child.try_wait().unwrap().is_none(), "it still waits");
    assert!(interrupt());
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), served.child.wait()).await;
    assert!(ended.expect("it ends at once").unwrap().success());
    let runs = operator(["audit", "--audit-log", &bench.log(), "-o", "json"]).await.json_lines();
    assert_eq!((&runs[0]["state"], &runs[0]["ended"]), (&json!("answered"), &Value::Null), "{runs:?}");
}
