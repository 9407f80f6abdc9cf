//! Every action there is, by `operator act` and by an agent, on one simulated cluster: shown, sent as shown, seen.

use std::collections::BTreeSet;

use chrono::Utc;
use operator_core::{Action, Region, StoreId};
use serde_json::{Value, json};
use tikv_simulator::{Config, Event, OperatorEnd, Received, Request, Scenario, Server};

use crate::mcp::Served;
use crate::program::operator;
use crate::promtool::Folder;

/// Who acts.
#[derive(Debug, Clone, Copy)]
enum By {
    Program,
    Agent,
}

struct Cluster {
    server: Server,
    pd: String,
    log: String,
    agent: Served,
    done: BTreeSet<&'static str>,
    _folder: Folder,
}

impl Cluster {
    async fn new(name: &str) -> Self {
        let mut config = Config::new(Scenario::Healthy).shown_at(Utc::now());
        // One more than a region has replicas.
        config.stores = 4;
        let server = Server::start(config, 30.0).await.unwrap();
        // PD's rules would take a fourth replica away again before anybody could see it, and what PD moves for balance
        // nobody else may touch.
        let first = server.pd_urls().first().unwrap().trim_start_matches("http://").to_owned();
        for path in [
            "checker/rule",
            "schedulers/balance-leader-scheduler",
            "schedulers/balance-region-scheduler",
            "schedulers/balance-hot-region-scheduler",
        ] {
            let mut pause = Request::new("POST", format!("/pd/api/v1/{path}"));
            pause.body = r#"{"delay": 36000}"#.into();
            let paused = server.with(|simulator| simulator.answer(&first, &pause));
            assert_eq!(paused.status(), Some(200), "{path}: {paused:?}");
        }
        // What was begun before ends in time.
        let operators = Request::get("/pd/api/v1/operators");
        let runs =
            || server.with(|simulator| simulator.answer(&first, &operators).body().trim_ascii() != b"[]");
        while runs() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let (pd, folder) = (server.pd_urls().join(","), Folder::new(name));
        let log = folder.0.join("audit.jsonl").to_str().unwrap().to_owned();
        let agent = Served::start(&["--pd", &pd, "--audit-log", &log, "--allow-actions"]).await;
        Self { server, pd, log, agent, done: BTreeSet::new(), _folder: folder }
    }

    async fn regions(&self) -> Vec<Region> {
        let run = operator(["--pd", &self.pd, "regions", "-o", "json"]).await;
        run.json_lines().into_iter().map(|region| serde_json::from_value(region).unwrap()).collect()
    }

    /// A store that does not lead the region but holds it, and one that does not hold it.
    fn stores(region: &Region) -> (StoreId, StoreId) {
        let leader = region.leader.unwrap().store_id;
        let held: Vec<_> = region.peers.iter().map(|peer| peer.store_id).collect();
        let follower = held.iter().copied().find(|store| *store != leader).unwrap();
        let free = [1, 4, 5, 6].map(StoreId).into_iter().find(|store| !held.contains(store));
        (follower, free.unwrap_or_else(|| panic!("{held:?}")))
    }

    fn written(&self) -> Vec<Received> {
        self.server.with(|simulator| simulator.requests().writes().cloned().collect())
    }

    /// Shows it and has it done; what was sent must be what was shown, and its effect must be seen.
    async fn act(&mut self, by: By, action: Action) {
        let before = self.written().len();
        let (shown, outcome) = match by {
            By::Program => {
                let text = action.to_string();
                let line = ["--pd", &self.pd, "-o", "json", "act", "--audit-log", &self.log];
                let line: Vec<_> = line.into_iter().chain(text.split(' ')).collect();
                let shown = operator(&line).await.json();
                assert_eq!(self.written().len(), before, "{action}: showing it sent something");
                (shown["request"].clone(), operator(line.into_iter().chain(["--yes"])).await.json())
            }
            By::Agent => {
                let action = serde_json::to_value(&action).unwrap();
                let arguments = json!({"action": action["name"], "parameters": action["parameters"]});
                let shown = self.agent.ask("preview_action", arguments).await;
                assert_eq!(self.written().len(), before, "{action}: showing it sent something");
                let approval = json!({"token": shown["token"], "approved_by": "ann"});
                let outcome = self.agent.ask("execute_action", approval).await;
                (shown["preview"]["request"].clone(), outcome)
            }
        };
        assert_eq!(outcome["outcome"], "verified", "{by:?} {action}: {outcome}");
        let sent: Vec<_> = self.written().split_off(before).iter().map(sent).collect();
        assert_eq!(sent, [shown], "{by:?} {action}");
        self.done.insert(action.name());
    }
}

/// A request as a preview shows it.
fn sent(received: &Received) -> Value {
    let query = if received.query.is_empty() { String::new() } else { format!("?{}", received.query) };
    let mut request = json!({"method": received.method, "path": format!("{}{query}", received.path)});
    if !received.body.is_empty() {
        request["body"] = serde_json::from_slice(&received.body).unwrap();
    }
    request
}

#[tokio::test]
async fn every_action_works_from_the_command_line_and_for_an_agent() {
    let mut cluster = Cluster::new("every-action").await;
    let mut regions = cluster.regions().await;
    // PD scatters no hot region.
    regions.sort_by_key(|region| region.written_bytes.max(region.read_bytes));
    let pick = |by, number: usize| &regions[2 * number + usize::from(matches!(by, By::Agent))];
    for by in [By::Program, By::Agent] {
        let region_id = |number| pick(by, number).id;
        let stores = |number| Cluster::stores(pick(by, number));
        cluster.act(by, Action::TransferLeader { region_id: region_id(0), to_store_id: stores(0).0 }).await;
        let (from_store_id, to_store_id) = stores(1);
        let transfer = Action::TransferPeer { region_id: region_id(1), from_store_id, to_store_id };
        cluster.act(by, transfer).await;
        cluster.act(by, Action::AddPeer { region_id: region_id(2), store_id: stores(2).1 }).await;
        cluster.act(by, Action::RemovePeer { region_id: region_id(3), store_id: stores(3).0 }).await;
        cluster.act(by, Action::ScatterRegion { region_id: region_id(4) }).await;

        let split = pick(by, 5);
        let (policy, keys) = Default::default();
        cluster.act(by, Action::SplitRegion { region_id: split.id, policy, keys }).await;
        let now = cluster.regions().await;
        let part = now.iter().find(|part| part.id != split.id && split.key_range().contains(&part.start_key));
        let target_region_id = part.unwrap().id;
        cluster.act(by, Action::MergeRegions { source_region_id: split.id, target_region_id }).await;

        // What never ends by itself can be cancelled.
        let (from_store_id, to_store_id) = stores(6);
        let region = region_id(6);
        let doom = Event::Doom { region: region.0, end: OperatorEnd::TimesOut };
        cluster.server.with(|simulator| simulator.apply(doom));
        let transfer = Action::TransferPeer { region_id: region, from_store_id, to_store_id }.to_string();
        let line = ["--pd", &cluster.pd, "act", "--audit-log", &cluster.log, "--yes", "--wait", "1s"];
        operator(line.into_iter().chain(transfer.split(' '))).await;
        cluster.act(by, Action::CancelSchedulingOperator { region_id: region }).await;
    }

    let scheduler = || "evict-slow-store-scheduler".to_owned();
    for (by, store_id) in [(By::Program, StoreId(4)), (By::Agent, StoreId(5))] {
        let agent = matches!(by, By::Agent);
        let or = |program: u64, other: u64| if agent { other } else { program };
        let [leader_weight, region_weight] = if agent { [1.0, 1.0] } else { [2.0, 0.5] };
        let labels = [("zone".to_owned(), format!("z{store_id}"))].into_iter().collect();
        for action in [
            Action::DrainStore { store_id },
            Action::UndrainStore { store_id },
            Action::SetStoreWeight { store_id: 4.into(), leader_weight, region_weight },
            Action::parse(
                "set_store_limit",
                json!({"store_id": store_id, "kind": "add_peer", "rate_per_minute": 20}),
            )
            .unwrap(),
            Action::SetStoreLabels { store_id, labels },
            Action::SetLeaderScheduleLimit { limit: or(8, 4), ttl_seconds: None },
            Action::SetRegionScheduleLimit { limit: or(16, 2_048), ttl_seconds: None },
            Action::SetReplicaScheduleLimit { limit: or(32, 64), ttl_seconds: None },
            Action::SetLowSpaceThreshold { used_ratio: if agent { 0.8 } else { 0.85 } },
            Action::PauseScheduler { scheduler: scheduler(), seconds: 3_600 },
            Action::ResumeScheduler { scheduler: scheduler() },
            Action::RemoveStore { store_id },
            Action::CancelRemoveStore { store_id },
        ] {
            cluster.act(by, action).await;
        }
    }

    cluster.act(By::Program, Action::TransferPdLeader { member: "pd1".to_owned() }).await;
    // Until the new leader has heard from everybody, nobody acts.
    let back = json!({"action": "transfer_pd_leader", "parameters": {"member": "pd2"}});
    while cluster.agent.ask("preview_action", back.clone()).await["refusals"] != json!([]) {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    cluster.act(By::Agent, Action::TransferPdLeader { member: "pd2".to_owned() }).await;

    let all: BTreeSet<_> = Action::infos().iter().map(|info| &*info.name).collect();
    assert_eq!(cluster.done, all);
}
