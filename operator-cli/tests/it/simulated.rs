use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use operator_core::{
    HotKind, HotRegion, Observation, Operation, Region, Store, StoreMetrics, StoreState, SubjectConfig,
    TrustVerdict,
};
use serde::de::DeserializeOwned;

use crate::{operator, run};

/// What a command that succeeds writes, and nothing on stderr.
fn shown(line: &str) -> String {
    let outcome = run(&mut operator(line));
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{line}");
    outcome.stdout
}

/// The same as JSON, which is the core's type to the last field.
fn read<T: DeserializeOwned + serde::Serialize>(line: &str) -> T {
    let text = shown(&format!("{line} -o json"));
    let value: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"));
    let again: serde_json::Value = serde_json::to_value(&value).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), again, "{line}");
    value
}

#[test]
fn metrics_of_every_store_and_of_one() {
    let metrics: Vec<StoreMetrics> = read("--simulate metrics");
    assert_eq!(metrics.len(), 3);
    assert!(metrics.iter().all(|metrics| metrics.qps.is_some() && metrics.latency_p99.is_some()));
    let table = shown("--simulate metrics");
    assert!(table.ends_with("\nTold by the stores themselves.\n"), "{table}");
    let rows: Vec<_> = table.lines().take_while(|line| !line.is_empty()).collect();
    assert!(rows.len() == 4 && rows.iter().all(|line| line.chars().count() <= 80), "{table}");

    let id = metrics.first().unwrap().store_id;
    let one: Vec<StoreMetrics> = read(&format!("--simulate metrics {id}"));
    assert_eq!(one.iter().map(|metrics| metrics.store_id).collect::<Vec<_>>(), [id]);
    let missing = run(&mut operator("--simulate metrics 999999"));
    assert_eq!((missing.code, &*missing.stdout), (Some(1), ""));
    assert!(missing.stderr.contains("999999"), "{}", missing.stderr);
}

#[test]
fn a_dead_store_and_a_dead_prometheus_are_told_beside_the_numbers() {
    let crashed = run(&mut operator("--simulate=store-crash metrics"));
    assert_eq!(crashed.code, Some(0));
    assert!(crashed.stderr.starts_with("warning: store 4: "), "{}", crashed.stderr);
    assert_eq!(crashed.stdout.lines().filter(|line| line.ends_with('-')).count(), 1, "{}", crashed.stdout);

    let dead = run(&mut operator("--simulate --prometheus http://127.0.0.1:1 metrics -o json"));
    assert_eq!(dead.code, Some(0));
    assert!(dead.stderr.starts_with("note: told by the stores themselves instead of"), "{}", dead.stderr);
    assert!(dead.stderr.contains("127.0.0.1:1"), "{}", dead.stderr);
    assert_eq!(serde_json::from_str::<Vec<StoreMetrics>>(&dead.stdout).unwrap().len(), 3);
    let status: Observation =
        serde_json::from_str(&shown("--simulate --prometheus http://127.0.0.1:1 status -o json")).unwrap();
    let why = status.signals_named("metrics_fallback").next().unwrap();
    assert!(why.value.to_string().contains("127.0.0.1:1"), "{why:?}");
}

#[test]
fn the_environment_does_not_send_a_simulated_cluster_to_a_real_prometheus() {
    let outcome = run(operator("--simulate metrics").env("PROMETHEUS_URL", "http://127.0.0.1:1"));
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""));
}

fn regions(line: &str) -> Vec<Region> {
    shown(&format!("{line} -o json")).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn stores_and_one_of_them() {
    let stores: Vec<Store> = read("--simulate stores");
    assert_eq!(stores.len(), 3);
    assert!(stores.iter().all(|store| store.state == StoreState::Up && store.capacity_bytes.is_some()));
    let table = shown("--simulate stores");
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(!table.contains('\u{1b}'));

    let id = stores.first().unwrap().id;
    let store: Store = read(&format!("--simulate store {id}"));
    assert_eq!(store.id, id);
    assert!(shown(&format!("--simulate store {id}")).starts_with(&format!("Store            {id}\n")));
}

#[test]
fn regions_and_one_of_them_by_id_and_by_key() {
    let all = regions("--simulate regions");
    assert_eq!(all.len(), 48);
    assert_eq!(regions("regions --simulate --limit 5").len(), 5);
    let store = all.first().unwrap().peers.first().unwrap().store_id;
    let held = regions(&format!("--simulate regions --store {store}"));
    assert!(!held.is_empty());
    assert!(held.iter().all(|region| region.peers.iter().any(|peer| peer.store_id == store)));
    assert_eq!(shown("--simulate regions").lines().count(), 49);

    let wanted = all.get(7).unwrap();
    let by_id: Region = read(&format!("--simulate region {}", wanted.id));
    assert_eq!((by_id.id, by_id.key_range()), (wanted.id, wanted.key_range()));
    let by_key: Region = read(&format!("--simulate region --with-key {}", wanted.start_key));
    assert_eq!(by_key.id, wanted.id);
    let inside: Region = read(&format!("--simulate region --with-key {}00", wanted.start_key));
    assert_eq!(inside.id, wanted.id);
    assert!(shown(&format!("--simulate region {}", wanted.id)).contains("PEER  STORE  ROLE"));
}

#[test]
fn what_is_not_there_is_a_failure_that_says_so() {
    for line in ["--simulate store 999999", "--simulate region 999999999"] {
        let outcome = run(&mut operator(line));
        assert_eq!((outcome.code, &*outcome.stdout), (Some(1), ""), "{line}");
        assert!(outcome.stderr.contains("999999"), "{line}: {}", outcome.stderr);
    }
}

#[test]
fn hot_regions_are_ranked_by_flow() {
    let hot: Vec<HotRegion> = read("--simulate=hot-region hot --top 5");
    assert!(!hot.is_empty() && hot.len() <= 5);
    assert!(hot.is_sorted_by(|a, b| a.bytes_per_second >= b.bytes_per_second));
    let written: Vec<HotRegion> = read("--simulate=hot-region hot --by write");
    assert!(!written.is_empty() && written.iter().all(|hot| hot.kind == HotKind::Write));
    assert!(shown("--simulate=hot-region hot").contains("/s"));
}

#[test]
fn status_is_the_observation() {
    let healthy: Observation = read("--simulate status");
    assert_eq!(healthy.trust.verdict, TrustVerdict::Complete, "{:?}", healthy.trust);
    let table = shown("--simulate status");
    assert!(table.starts_with("complete ("), "{table}");
    assert!(table.ends_with("Nothing is wrong, as far as this shows.\n"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");

    let crashed: Observation = read("--simulate=store-crash status");
    let states: Vec<_> = crashed.stores.iter().flatten().map(|store| store.state).collect();
    assert!(states.contains(&StoreState::Disconnected), "{states:?}");
    let table = shown("--simulate=store-crash status");
    assert!(
        table.contains("What is wrong:") && table.contains("is Disconnected; last heard from"),
        "{table}"
    );
}

#[test]
fn status_tells_what_is_wrong_in_each_scenario() {
    let told = [
        ("store-crash", "its status port refuses: it is dead"),
        ("two-stores-lost", "48 regions have lost the majority of their replicas"),
        ("slow-store", " is slow: it scores "),
        ("disk-full", "PD moves no more data to it"),
        ("store-offline", " is being removed (Offline)"),
        ("pd-leader-loss", "member pd0 does not pass its health check"),
        ("not-bootstrapped", "no TiKV store has joined it yet"),
    ];
    for (scenario, words) in told {
        let table = shown(&format!("--simulate={scenario} status"));
        assert!(table.contains(words), "{scenario}: {table}");
    }
}

#[test]
fn a_pd_that_warms_up_is_not_believed() {
    let warming_up: Observation = read("--simulate=pd-restart status");
    assert_eq!(warming_up.trust.verdict, TrustVerdict::WarmingUp, "{:?}", warming_up.trust);
    assert!(shown("--simulate=pd-restart status").starts_with("warming_up ("));
}

#[test]
fn nothing_to_see_is_a_failure_that_says_why() {
    let outcome = run(&mut operator("--simulate=no-quorum --timeout 3s status -o json"));
    assert_eq!((outcome.code, &*outcome.stdout), (Some(1), ""));
    assert!(outcome.stderr.contains("PD has no leader"), "{}", outcome.stderr);
}

#[test]
fn config_tells_what_can_be_asked() {
    let config: SubjectConfig = read("--simulate config");
    assert!(config.supports(Operation::Regions) && config.supports(Operation::StoreMetrics));
    let table = shown("--simulate config");
    let seen = table.lines().find_map(|line| line.strip_prefix("Observes ")).unwrap();
    assert!(seen.split(", ").any(|operation| operation == "store_metrics"), "{table}");
}

#[test]
fn the_scenarios_are_listed() {
    let names: Vec<serde_json::Value> = serde_json::from_str(&shown("simulate --list -o json")).unwrap();
    let table = shown("simulate --list");
    assert!(names.len() >= 13);
    for name in names {
        assert!(table.contains(name["name"].as_str().unwrap()));
    }
}

/// `operator simulate` in a process of its own, ended with this.
struct Simulation {
    process: Child,
    told: serde_json::Value,
}

impl Simulation {
    fn start(options: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_operator"))
            .args(["simulate", "-o", "json"])
            .args(options.split_whitespace())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, told: serde_json::from_str(&line).unwrap() }
    }

    fn pd(&self) -> Vec<&str> {
        self.told["pd"].as_array().unwrap().iter().map(|url| url.as_str().unwrap()).collect()
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_simulation_is_looked_at_from_another_process() {
    let simulation = Simulation::start("--stores 4");
    let stores: Vec<Store> = read(&format!("--pd {} stores", simulation.pd().join(",")));
    assert_eq!(stores.len(), 4);
    let addresses: Vec<_> = stores.iter().map(|store| store.status_address.as_deref()).collect();
    let told = simulation.told["stores"].as_array().unwrap();
    assert_eq!(addresses, told.iter().map(|store| store["status_address"].as_str()).collect::<Vec<_>>());
}

#[test]
fn the_death_of_the_leading_pd_is_survived() {
    // It dies after a second, and the election takes less.
    let simulation = Simulation::start("--scenario pd-leader-loss --speed 30");
    let pd = simulation.pd();
    let leader = pd.first().unwrap().trim_start_matches("http://");
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(leader).is_ok() {
        assert!(Instant::now() < deadline, "the leader does not die");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let stores: Vec<Store> = read(&format!("--pd {} stores", pd.join(",")));
    assert_eq!(stores.len(), 3);
}

#[test]
fn a_simulations_logs_tell_of_its_leaders() {
    let directory = std::env::temp_dir().join(format!("operator-log-dir-{}", std::process::id()));
    let path = directory.to_str().unwrap();
    let simulation = Simulation::start(&format!("--scenario store-crash --speed 100 --log-dir {path}"));
    assert_eq!(simulation.told["log_dir"], path);
    let leaders = || {
        let output = Command::new(env!("CARGO_BIN_EXE_operator"))
            .args(["logs", "--leadership", "--kind", "became_leader", "-o", "json", path])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    // The second store led sixteen of the regions, and dies after 30 s. Each look takes a while, so nothing has to wait.
    let started = std::time::Instant::now();
    while leaders() < 16 {
        assert!(started.elapsed().as_secs() < 30, "{} leaders", leaders());
    }
    drop(simulation);
    std::fs::remove_dir_all(&directory).unwrap();
}
