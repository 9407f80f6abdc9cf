//! The small answers.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};

use super::or_default;

/// `/members`.
#[derive(Debug, Deserialize)]
pub(crate) struct Members {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) header: Header,
    #[serde(deserialize_with = "or_default")]
    pub(crate) members: Vec<Member>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) leader: Member,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) etcd_leader: Member,
}

/// `/config`, of which the rest does not matter.
#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    #[serde(default, rename = "pd-server", deserialize_with = "or_default")]
    pub(crate) pd_server: PdServerConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct PdServerConfig {
    #[serde(deserialize_with = "or_default")]
    pub(crate) metric_storage: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Header {
    pub(crate) cluster_id: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// 0 if there is none.
    pub(crate) member_id: u64,
    #[serde(deserialize_with = "or_default")]
    pub(crate) client_urls: Vec<String>,
}

/// One of `/health`.
#[derive(Debug, Deserialize)]
pub(crate) struct Health {
    pub(crate) member_id: u64,
    pub(crate) health: bool,
}

/// `/status`.
#[derive(Debug, Deserialize)]
pub(crate) struct Status {
    #[serde(default)]
    pub(crate) version: String,
    /// Seconds since 1970.
    #[serde(default)]
    pub(crate) start_timestamp: i64,
}

/// `/version`.
#[derive(Debug, Deserialize)]
pub(crate) struct Version {
    pub(crate) version: String,
}

/// `/cluster`.
#[derive(Debug, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) id: u64,
}

/// `/cluster/status`.
#[derive(Debug, Deserialize)]
pub(crate) struct ClusterStatus {
    #[serde(default)]
    pub(crate) raft_bootstrap_time: String,
    #[serde(default)]
    pub(crate) is_initialized: bool,
}

/// `/regions/count`.
#[derive(Debug, Deserialize)]
pub(crate) struct RegionCount {
    pub(crate) count: u64,
}

/// `/config/replicate`; booleans are texts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ReplicateConfig {
    pub(crate) max_replicas: u64,
    /// Separated by commas.
    #[serde(default)]
    pub(crate) location_labels: String,
    #[serde(default)]
    pub(crate) isolation_level: String,
    #[serde(default)]
    pub(crate) strictly_match_label: LooseText,
    #[serde(default)]
    pub(crate) enable_placement_rules: LooseText,
}

/// `/config/schedule`, of which the rest does not matter.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ScheduleConfig {
    pub(crate) leader_schedule_limit: u64,
    pub(crate) region_schedule_limit: u64,
    pub(crate) replica_schedule_limit: u64,
    pub(crate) low_space_ratio: f64,
    pub(crate) high_space_ratio: Option<f64>,
}

/// One of `/stores/limit`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct StoreLimit {
    #[serde(default)]
    pub(crate) add_peer: f64,
    #[serde(default)]
    pub(crate) remove_peer: f64,
}

/// `/checker/{name}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Checker {
    pub(crate) paused: bool,
}

/// `/scheduler-config/evict-leader-scheduler/list`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct EvictLeader {
    /// By the store's id.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) store_id_ranges: BTreeMap<u64, IgnoredAny>,
}

/// `/stores/progress?…`.
#[derive(Debug, Deserialize)]
pub(crate) struct Progress {
    /// MiB a second.
    #[serde(default)]
    pub(crate) current_speed: f64,
    /// `1.7976931348623157e308` if that is not known.
    #[serde(default)]
    pub(crate) left_seconds: f64,
}

/// One of `/operators?object=true`.
#[derive(Debug, Deserialize)]
pub(crate) struct SchedulingOperator {
    #[serde(default)]
    pub(crate) desc: String,
    #[serde(default)]
    pub(crate) brief: String,
    pub(crate) region_id: u64,
    #[serde(default)]
    pub(crate) kind: LooseText,
    #[serde(default)]
    pub(crate) timeout: LooseText,
    #[serde(default)]
    pub(crate) status: LooseText,
}

/// A text, or a number or boolean as text: PD's versions do not agree on which it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LooseText(pub(crate) String);

impl<'de> Deserialize<'de> for LooseText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Loose;
        impl Visitor<'_> for Loose {
            type Value = LooseText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number or a boolean")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<LooseText, E> {
                Ok(LooseText(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<LooseText, E> {
                Ok(LooseText(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<LooseText, E> {
                Ok(LooseText(number.to_string()))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<LooseText, E> {
                Ok(LooseText(value.to_string()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<LooseText, E> {
                Ok(LooseText::default())
            }
        }
        deserializer.deserialize_any(Loose)
    }
}
