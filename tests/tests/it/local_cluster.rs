//! The local cluster of `subjects/tikv`: whether its files agree with each other. There is no container engine here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

use crate::yaml;

/// `subjects/tikv`.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../subjects/tikv").canonicalize().unwrap()
}

pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn compose() -> Value {
    yaml::read(&text("docker-compose.yaml"))
}

fn services(compose: &Value) -> BTreeMap<&str, &Value> {
    compose["services"].as_object().unwrap().iter().map(|(name, service)| (name.as_str(), service)).collect()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().map_or_else(Vec::new, |list| list.iter().map(|one| one.as_str().unwrap()).collect())
}

/// The value of `--option=value` on a service's command line.
fn option<'a>(service: &'a Value, option: &str) -> &'a str {
    let given =
        strings(&service["command"]).into_iter().find_map(|arg| arg.strip_prefix(option)?.strip_prefix('='));
    given.unwrap_or_else(|| panic!("{option} is not in {}", service["command"]))
}

fn called<'a>(services: &BTreeMap<&'a str, &'a Value>, prefix: &str) -> Vec<(&'a str, &'a Value)> {
    let of_kind = services.iter().filter(|(name, _)| name.starts_with(prefix));
    of_kind.map(|(name, service)| (*name, *service)).collect()
}

/// An instruction of a Dockerfile, with its continued lines, without its name.
fn instruction(dockerfile: &str, name: &str) -> String {
    let whole = text(dockerfile).replace("\\\n", " ");
    let mut found = whole.lines().rev().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.next().unwrap_or_else(|| panic!("{dockerfile} has no {name}")).to_owned()
}

/// What the image of `operator` is told by a variable.
fn told_operator(variable: &str) -> String {
    let env = instruction("Dockerfile.operator", "ENV");
    let told = env.split_whitespace().find_map(|pair| pair.strip_prefix(variable)?.strip_prefix('='));
    told.unwrap_or_else(|| panic!("{variable} is not in {env}")).to_owned()
}

#[test]
fn ten_services_wait_for_services_that_say_when_they_are_healthy() {
    let compose = compose();
    let services = services(&compose);
    let names: Vec<_> = services.keys().copied().collect();
    let ten = ["grafana", "operator", "pd0", "pd1", "pd2", "prometheus", "tikv0", "tikv1", "tikv2", "ycsb"];
    assert_eq!(names, ten);

    let pds: Vec<_> = called(&services, "pd").into_iter().map(|(name, _)| name).collect();
    let tikvs: Vec<_> = called(&services, "tikv").into_iter().map(|(name, _)| name).collect();
    for (name, service) in &services {
        let awaited: Vec<_> = service["depends_on"].as_object().into_iter().flatten().collect();
        for (other, how) in &awaited {
            assert_eq!(how["condition"], "service_healthy", "{name} waits for {other}");
            let other = services
                .get(other.as_str())
                .unwrap_or_else(|| panic!("{name} waits for {other}, which is not"));
            assert!(other["healthcheck"]["test"].is_array(), "{name} waits for {other}");
        }
        let awaited: Vec<_> = awaited.iter().map(|(other, _)| other.as_str()).collect();
        let expected = match *name {
            name if name.starts_with("pd") => vec![],
            name if name.starts_with("tikv") => pds.clone(),
            "grafana" => vec!["prometheus"],
            _ => tikvs.clone(),
        };
        assert_eq!(awaited, expected, "{name}");
    }
    let asked_for: Vec<_> = services.iter().filter(|(_, service)| service["profiles"].is_array()).collect();
    assert!(matches!(asked_for[..], [(&"ycsb", ycsb)] if strings(&ycsb["profiles"]) == ["bench"]));
}

#[test]
fn every_file_that_is_mounted_or_built_from_exists_and_every_volume_is_used_once() {
    let compose = compose();
    let mut used = Vec::new();
    for (name, service) in services(&compose) {
        for mount in strings(&service["volumes"]) {
            let source = mount.split(':').next().unwrap();
            if source.starts_with('.') {
                assert!(folder().join(source).exists(), "{name} mounts {source}");
                assert!(mount.ends_with(":ro"), "{name} could write to {source}");
            } else {
                used.push(source);
            }
        }
        let build = &service["build"];
        if let (Some(context), Some(dockerfile)) = (build["context"].as_str(), build["dockerfile"].as_str()) {
            assert!(folder().join(context).join(dockerfile).is_file(), "{name} is built from {dockerfile}");
        }
    }
    used.sort_unstable();
    let declared: Vec<_> = compose["volumes"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((used.len(), used), (8, declared));

    let workload = instruction("Dockerfile.ycsb", "ENV");
    let workload = workload.split_once("WORKLOAD=").unwrap().1;
    assert!(folder().join(format!("workloads/{workload}.properties")).is_file(), "{workload}");
}

#[test]
fn it_is_open_to_this_machine_only_pinned_and_fits_in_eight_gigabytes() {
    let compose = compose();
    let published = Regex::new(r"^127\.0\.0\.1:\$\{[A-Z]+_PORT:-([0-9]+)\}:([0-9]+)$").unwrap();
    let image = Regex::new(r"^\$\{[A-Z]+_IMAGE:-[a-z/-]+:(v?[0-9]+\.[0-9]+\.[0-9]+|local)\}$").unwrap();
    let mut ports = Vec::new();
    let mut mebibytes = 0;
    for (name, service) in services(&compose) {
        for port in strings(&service["ports"]) {
            let matched = published.captures(port).unwrap_or_else(|| panic!("{name} publishes {port}"));
            assert_eq!(matched[1], matched[2], "{name}");
            ports.push((name, matched[1].to_owned()));
        }
        let tag = service["image"].as_str().unwrap();
        let pinned = image.captures(tag).unwrap_or_else(|| panic!("{name} runs {tag}"));
        assert_eq!(&pinned[1] == "local", service["build"].is_object(), "{name}");
        let limit = service["mem_limit"].as_str().and_then(|limit| limit.strip_suffix('m'));
        mebibytes += limit.unwrap_or_else(|| panic!("{name} may use any memory")).parse::<u32>().unwrap();
    }
    let ports: Vec<_> = ports.iter().map(|(name, port)| (*name, port.as_str())).collect();
    assert_eq!(ports, [("grafana", "3000"), ("pd0", "2379"), ("prometheus", "9090")]);
    assert!(mebibytes < 8 * 1024, "{mebibytes} MiB");
}

#[test]
fn every_node_goes_by_its_name_and_knows_all_pds() {
    let compose = compose();
    let services = services(&compose);
    let pds: Vec<_> = called(&services, "pd").into_iter().map(|(name, _)| name).collect();
    let all = |form: &dyn Fn(&str) -> String| pds.iter().map(|pd| form(pd)).collect::<Vec<_>>().join(",");
    for (name, pd) in called(&services, "pd") {
        assert_eq!(option(pd, "--name"), name);
        assert_eq!(option(pd, "--advertise-client-urls"), format!("http://{name}:2379"));
        assert_eq!(option(pd, "--advertise-peer-urls"), format!("http://{name}:2380"));
        assert_eq!(option(pd, "--client-urls"), "http://0.0.0.0:2379");
        assert_eq!(option(pd, "--initial-cluster"), all(&|pd| format!("{pd}=http://{pd}:2380")));
        assert!(pd["healthcheck"].to_string().contains("http://127.0.0.1:2379/pd/api/v1/health"));
    }
    for (name, tikv) in called(&services, "tikv") {
        assert_eq!(option(tikv, "--pd"), all(&|pd| format!("{pd}:2379")));
        assert_eq!(option(tikv, "--advertise-addr"), format!("{name}:20160"));
        assert_eq!(option(tikv, "--advertise-status-addr"), format!("{name}:20180"));
        assert_eq!(option(tikv, "--status-addr"), "0.0.0.0:20180");
        assert!(tikv["healthcheck"].to_string().contains("http://127.0.0.1:20180/status"));
        let files = &tikv["ulimits"]["nofile"];
        assert_eq!((&files["soft"], &files["hard"]), (&"1000000".into(), &"1000000".into()));
    }
    for (name, node) in called(&services, "pd").into_iter().chain(called(&services, "tikv")) {
        // What is kept is kept in the volume, and what is configured is what is mounted.
        let mounts = strings(&node["volumes"]);
        assert!(mounts.contains(&&*format!("{name}:{}", option(node, "--data-dir"))), "{mounts:?}");
        let config = option(node, "--config");
        assert!(mounts.iter().any(|mount| mount.ends_with(&format!(":{config}:ro"))), "{config}: {mounts:?}");
    }
    assert_eq!(told_operator("PD_ENDPOINT"), all(&|pd| format!("http://{pd}:2379")));
    let load = instruction("Dockerfile.ycsb", "ENV");
    assert!(load.contains(&format!("PD_ADDRESSES={} ", all(&|pd| format!("{pd}:2379")))), "{load}");
}

#[test]
fn prometheus_scrapes_every_node_and_grafana_and_operator_ask_prometheus() {
    let compose = compose();
    let services = services(&compose);
    let config = yaml::read(&text("config/prometheus.yml"));
    let jobs = config["scrape_configs"].as_array().unwrap().iter();
    let mut scraped: BTreeMap<_, Vec<_>> = jobs
        .map(|job| (job["job_name"].as_str().unwrap(), strings(&job["static_configs"][0]["targets"])))
        .collect();
    let pds: Vec<_> = called(&services, "pd").into_iter().map(|(name, _)| format!("{name}:2379")).collect();
    assert_eq!(scraped.remove("pd").unwrap(), pds);
    // A store's series are found by its status address.
    let stores = called(&services, "tikv").into_iter();
    let stores: Vec<_> = stores.map(|(_, tikv)| option(tikv, "--advertise-status-addr")).collect();
    assert_eq!(scraped.remove("tikv").unwrap(), stores);
    let port = instruction("Dockerfile.operator", "EXPOSE");
    assert_eq!(scraped.remove("operator").unwrap(), [format!("operator:{port}")]);
    assert!(instruction("Dockerfile.operator", "CMD").contains(&format!("0.0.0.0:{port}")));
    assert!(instruction("Dockerfile.operator", "HEALTHCHECK").contains(&format!("127.0.0.1:{port}")));
    assert_eq!(scraped, BTreeMap::new());

    let prometheus = "http://prometheus:9090";
    assert_eq!(told_operator("PROMETHEUS_URL"), prometheus);
    let sources = yaml::read(&text("config/grafana/datasources/prometheus.yaml"));
    let [source] = &sources["datasources"].as_array().unwrap()[..] else { panic!("{sources}") };
    assert_eq!((&source["url"], &source["isDefault"]), (&prometheus.into(), &"true".into()));
    assert_eq!(source["jsonData"]["timeInterval"], config["global"]["scrape_interval"]);

    // What Grafana is told to provide lies where it is mounted.
    let grafana = services["grafana"];
    let mounts = strings(&grafana["volumes"]);
    let provider = yaml::read(&text("config/grafana/dashboards/provider.yaml"));
    let dashboards = provider["providers"][0]["options"]["path"].as_str().unwrap();
    assert!(mounts.contains(&&*format!("./config/grafana/dashboards:{dashboards}:ro")), "{mounts:?}");
    let home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str().unwrap();
    assert_eq!(home, format!("{dashboards}/tikv.json"));
}

/// The keys of a TOML file of tables and plain values, each with its table.
fn keys(toml: &str) -> Vec<String> {
    let mut table = String::new();
    let mut keys = Vec::new();
    for line in toml.lines() {
        if let Some(name) = line.strip_prefix('[') {
            table = format!("/{}", name.trim_end_matches(']').replace('.', "/"));
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            keys.push(format!("{table}/{key}"));
        }
    }
    keys
}

#[test]
fn tikv_and_pd_know_every_setting() {
    // A misspelt one keeps them from starting. What they know is what they were recorded to be configured with.
    for (file, recorded) in [
        ("config/tikv.toml", "simulator/src/store/config.json"),
        ("config/pd.toml", "simulator/src/pd/config.json"),
    ] {
        let known: Value = serde_json::from_str(&text(recorded)).unwrap();
        let keys = keys(&text(file));
        assert!(!keys.is_empty(), "{file}");
        for key in keys {
            assert!(known.pointer(&key).is_some(), "{file}: {key}");
        }
    }
}

#[test]
fn panels_lie_beside_each_other_and_ask_the_source_that_is_provided() {
    let sources = yaml::read(&text("config/grafana/datasources/prometheus.yaml"));
    let source = &sources["datasources"][0]["uid"];
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels() {
        let title = panel["title"].as_str().unwrap();
        let number = |value: &Value| value.as_u64().unwrap();
        assert!(ids.insert(number(&panel["id"])), "{title}: its id is another's");
        let place = &panel["gridPos"];
        for x in number(&place["x"])..number(&place["x"]) + number(&place["w"]) {
            for y in number(&place["y"])..number(&place["y"]) + number(&place["h"]) {
                assert!(x < 24 && taken.insert((x, y)), "{title} lies on another panel");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(&panel["datasource"]["uid"], source, "{title}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            assert_eq!(&target["datasource"]["uid"], source, "{title}");
        }
    }
}

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&text("config/grafana/dashboards/tikv.json")).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

/// What the dashboard's panels ask Prometheus: the panel's title, and the query.
pub(crate) fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for panel in panels() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let written = |value: &Value| value.as_str().unwrap().to_owned();
            queries.push((written(&panel["title"]), written(&target["expr"])));
        }
    }
    queries
}
