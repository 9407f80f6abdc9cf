use operator_core::{
    HotKind, HotRegion, Observation, Operation, Region, Store, StoreState, SubjectConfig, TrustVerdict,
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
fn config_tells_what_can_be_asked() {
    let config: SubjectConfig = read("--simulate config");
    assert!(config.supports(Operation::Regions) && !config.supports(Operation::StoreMetrics));
    let table = shown("--simulate config");
    let unseen = table.lines().find_map(|line| line.strip_prefix("Does not observe  ")).unwrap();
    assert!(unseen.split(", ").any(|operation| operation == "store_metrics"), "{table}");
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

/// `simulate` in one process, every command in another.
#[test]
fn a_simulation_is_looked_at_from_another_process() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let mut simulation = Command::new(env!("CARGO_BIN_EXE_operator"))
        .args(["simulate", "-o", "json", "--stores", "4"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(simulation.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    let pd: Vec<_> = told["pd"].as_array().unwrap().iter().map(|url| url.as_str().unwrap()).collect();
    let stores: Vec<Store> = read(&format!("--pd {} stores", pd.join(",")));
    let addresses: Vec<_> = stores.iter().map(|store| store.status_address.as_deref()).collect();
    let told: Vec<_> =
        told["stores"].as_array().unwrap().iter().map(|s| s["status_address"].as_str()).collect();
    simulation.kill().unwrap();
    simulation.wait().unwrap();
    assert_eq!(addresses, told);
    assert_eq!(stores.len(), 4);
}
