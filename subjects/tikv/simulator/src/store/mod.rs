//! The HTTP port of a store: what a TiKV says of itself without PD.

mod metrics;
mod region;

use serde_json::Value;

use crate::model::{Cluster, Store};
use crate::pd::{Pd, path_segments};
use crate::{Reply, Request};

const JSON: &str = "application/json";
const EXPOSITION: &str = "text/plain; version=0.0.4";
/// TiKV's configuration, as it prints it.
const DEFAULTS: &str = include_str!("config.json");
/// How late a store with a slow disk answers.
const SLOW: std::time::Duration = std::time::Duration::from_millis(800);

pub(crate) fn answer(cluster: &Cluster, pd: &Pd, id: u64, request: &Request) -> Reply {
    let Some(store) = cluster.stores.get(&id) else { return Reply::Refused };
    let segments = path_segments(request.path());
    let segments: Vec<_> = segments.iter().map(|segment| String::from_utf8_lossy(segment)).collect();
    let segments: Vec<_> = segments.iter().map(AsRef::as_ref).collect();
    let mut reply = match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["status"]) => Reply::new(200, None, ""),
        ("GET", ["ready"]) => ready(cluster, pd, store, request),
        ("GET", ["config"]) => config(store),
        ("GET", ["region", region]) => match region.parse() {
            Ok(region) => region::answer(cluster, id, region),
            Err(error) => Reply::new(400, None, error.to_string()),
        },
        ("GET", ["metrics"]) => {
            Reply::new(200, Some(EXPOSITION), metrics::page(cluster, store)).gzipped_for(request)
        }
        _ => Reply::new(404, None, "path not found"),
    };
    if let (Reply::Answer { delay, .. }, true) = (&mut reply, store.slow) {
        *delay = SLOW;
    }
    reply
}

fn ready(cluster: &Cluster, pd: &Pd, store: &Store, request: &Request) -> Reply {
    // It connects to PD's members, whoever leads them.
    let connected = (0..pd.members.list.len()).any(|index| pd.members.is_alive(index));
    // Peers catch up within moments of a start.
    let caught_up = (cluster.now - store.started_at).num_seconds() >= 2;
    let status = if connected && caught_up { 200 } else { 500 };
    let verbose = request.path_and_query.split_once('?').is_some_and(|(_, query)| query.contains("verbose"));
    let body = if verbose {
        format!("{{\n  \"connected_to_pd\": {connected},\n  \"raft_peers_caught_up\": {caught_up}\n}}")
    } else {
        String::new()
    };
    Reply::new(status, None, body)
}

fn config(store: &Store) -> Reply {
    let Ok(mut config) = serde_json::from_str::<Value>(DEFAULTS) else {
        return Reply::new(500, None, "the configuration cannot be read");
    };
    if let Some(server) = config.get_mut("server").and_then(Value::as_object_mut) {
        server.insert("advertise-addr".to_owned(), store.address.clone().into());
        server.insert("advertise-status-addr".to_owned(), store.status_address.clone().into());
    }
    Reply::new(200, Some(JSON), config.to_string())
}
