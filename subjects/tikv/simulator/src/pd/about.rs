//! What PD says of itself: version, members, health, the cluster.

use serde::Serialize;

use super::answer;
use super::members::Member;
use super::text::moment;
use super::view::View;
use crate::Reply;

pub(crate) const VERSION: &str = "v8.5.1";
pub(crate) const GIT_HASH: &str = "5036cc277f";

#[derive(Serialize)]
struct Version {
    version: &'static str,
    build_time: &'static str,
    hash: &'static str,
    branch: &'static str,
}

#[derive(Serialize)]
struct Status {
    build_ts: &'static str,
    version: &'static str,
    git_hash: &'static str,
    start_timestamp: i64,
}

#[derive(Serialize)]
struct Health {
    name: String,
    member_id: u64,
    client_urls: Vec<String>,
    health: bool,
}

#[derive(Serialize)]
struct Header {
    cluster_id: u64,
}

#[derive(Serialize)]
struct Members {
    header: Header,
    members: Vec<MemberJson>,
    leader: Option<MemberJson>,
    etcd_leader: Option<MemberJson>,
}

#[derive(Serialize, Clone)]
struct MemberJson {
    name: String,
    member_id: u64,
    peer_urls: Vec<String>,
    client_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deploy_path: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    git_hash: Option<&'static str>,
}

#[derive(Serialize)]
struct Cluster {
    id: u64,
    max_peer_count: u64,
}

#[derive(Serialize)]
struct ClusterStatus {
    raft_bootstrap_time: String,
    is_initialized: bool,
    replication_status: &'static str,
}

impl MemberJson {
    fn of(member: &Member) -> Self {
        let host = member.authority.rsplit_once(':').map_or(member.authority.as_str(), |(host, _)| host);
        Self {
            name: member.name.clone(),
            member_id: member.id,
            peer_urls: vec![format!("http://{host}:2380")],
            client_urls: vec![format!("http://{}", member.authority)],
            deploy_path: Some("/usr/local/bin"),
            binary_version: Some(VERSION),
            git_hash: Some(GIT_HASH),
        }
    }

    fn without_build(self) -> Self {
        Self { deploy_path: None, binary_version: None, git_hash: None, ..self }
    }
}

impl View<'_> {
    pub(crate) fn about(&self, path: &[&str]) -> Option<Reply> {
        let members = &self.pd.members;
        let leader = members.list.get(self.leader).map(MemberJson::of);
        Some(match path {
            ["ping"] => Reply::new(200, None, ""),
            ["version"] => answer::ok(&Version { version: VERSION, build_time: "", hash: "", branch: "" }),
            ["status"] => answer::ok(&Status {
                build_ts: "None",
                version: VERSION,
                git_hash: GIT_HASH,
                start_timestamp: members
                    .list
                    .get(self.leader)
                    .map_or(0, |member| member.started_at.timestamp()),
            }),
            ["health"] => answer::ok(
                &(members.list.iter().enumerate())
                    .map(|(index, member)| Health {
                        name: member.name.clone(),
                        member_id: member.id,
                        client_urls: vec![format!("http://{}", member.authority)],
                        health: members.is_alive(index),
                    })
                    .collect::<Vec<_>>(),
            ),
            ["members"] => answer::ok(&Members {
                header: Header { cluster_id: self.pd.cluster_id },
                members: members.list.iter().map(MemberJson::of).collect(),
                leader: leader.clone(),
                etcd_leader: leader,
            }),
            ["leader"] => answer::ok(&leader.map(MemberJson::without_build)),
            ["cluster"] => answer::ok(&Cluster { id: self.pd.cluster_id, max_peer_count: 3 }),
            ["cluster", "status"] => {
                let initialized = self.pd.bootstrapped_at.is_some() && self.pd.stores.len() >= 3;
                answer::ok(&ClusterStatus {
                    raft_bootstrap_time: self
                        .pd
                        .bootstrapped_at
                        .map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), moment),
                    is_initialized: initialized,
                    replication_status: "",
                })
            }
            _ => return None,
        })
    }
}
