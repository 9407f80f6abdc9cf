//! Each PD by itself, and whether they are one cluster.

use std::collections::BTreeMap;

use futures::future::join_all;
use operator_core::Member;
use operator_tikv::http::Endpoint;
use operator_tikv::pd::{Members, PdClient};
use operator_tikv::{Error, TikvConfig};

use super::report::Check;
use super::{DEADLINE, among};

/// What was found of the PDs that were named.
pub(super) struct Pds {
    pub(super) checks: Vec<Check>,
    pub(super) answering: Vec<Pd>,
    pub(super) failed: Vec<Endpoint>,
}

/// A PD that answers.
pub(super) struct Pd {
    pub(super) endpoint: Endpoint,
    version: String,
    members: Members,
}

impl Pd {
    /// Under which addresses it and the other members may be known.
    pub(super) fn authorities(&self) -> impl Iterator<Item = String> {
        let members = self.members.members.iter().flat_map(authorities);
        members.chain([self.endpoint.authority()])
    }
}

/// The addresses under which a member says that it answers.
fn authorities(member: &Member) -> impl Iterator<Item = String> {
    let urls = member.client_urls.iter().filter_map(|url| url.parse::<Endpoint>().ok());
    urls.map(|url| url.authority())
}

pub(super) async fn examine(config: &TikvConfig) -> Pds {
    let endpoints = config.endpoints.iter().cloned();
    let endpoints: Vec<_> = match config.tls {
        Some(_) => endpoints.map(Endpoint::prefer_https).collect(),
        None => endpoints.collect(),
    };
    let asked = endpoints.into_iter().map(|endpoint| async move {
        let answer = tokio::time::timeout(DEADLINE, ask(config, &endpoint)).await;
        (endpoint, answer)
    });
    let mut pds = Pds { checks: Vec::new(), answering: Vec::new(), failed: Vec::new() };
    for (endpoint, answer) in join_all(asked).await {
        let name = format!("pd {endpoint}");
        let (check, answered) = match answer {
            Ok(Ok((version, members))) => (good(name, &version, &members), Some((version, members))),
            Ok(Err(error)) => (Check::failed(name, &error), None),
            Err(_) => (Check::silent(name), None),
        };
        pds.checks.push(check);
        match answered {
            Some((version, members)) => pds.answering.push(Pd { endpoint, version, members }),
            None => pds.failed.push(endpoint),
        }
    }
    let together = |first: &Pd| [agreement(&pds.answering), members(&first.members.members, &pds)];
    let together = pds.answering.first().map(together);
    pds.checks.extend(together.into_iter().flatten());
    pds
}

/// A follower passes questions on to the leader: who answers reaches the leader, too.
async fn ask(config: &TikvConfig, endpoint: &Endpoint) -> Result<(String, Members), Error> {
    let client = PdClient::new(&among(config, vec![endpoint.clone()]))?;
    tokio::try_join!(client.version(), client.members())
}

fn good(name: String, version: &str, members: &Members) -> Check {
    let cluster = members.cluster_id;
    match members.leader() {
        Some(leader) => {
            Check::good(name, format!("version {version}, cluster {cluster}, {} leads", leader.name))
        }
        None => Check::bad(name, format!("version {version}, cluster {cluster}, nobody leads"))
            .hint("an election takes about 15 s; without a majority of the members there is no leader"),
    }
}

/// Whether all serve the same cluster, by the same version.
fn agreement(pds: &[Pd]) -> Check {
    let name = "pd cluster";
    let clusters = by(pds, |pd| format!("cluster {}", pd.members.cluster_id));
    let versions = by(pds, |pd| format!("version {}", pd.version));
    if clusters.len() > 1 {
        let message = format!("different clusters answer: {}", spoken(&clusters));
        return Check::bad(name, message).hint("name the PDs of one cluster only");
    }
    if versions.len() > 1 {
        let message = format!("PDs run different versions: {}", spoken(&versions));
        return Check::bad(name, message).hint("finish the upgrade, or look for the PD that it left out");
    }
    Check::good(name, clusters.into_keys().chain(versions.into_keys()).collect::<Vec<_>>().join(", "))
}

fn by(pds: &[Pd], key: impl Fn(&Pd) -> String) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for pd in pds {
        groups.entry(key(pd)).or_default().push(pd.endpoint.to_string());
    }
    groups
}

fn spoken(groups: &BTreeMap<String, Vec<String>>) -> String {
    let groups = groups.iter().map(|(what, pds)| format!("{what} at {}", pds.join(", ")));
    groups.collect::<Vec<_>>().join("; ")
}

/// What PD says of its members, but for those who were asked and did not answer: that is told already.
fn members(members: &[Member], pds: &Pds) -> Check {
    let name = "pd members";
    let is_at = |member: &Member, endpoint: &Endpoint| {
        authorities(member).any(|authority| authority == endpoint.authority())
    };
    let told = |member: &&Member| pds.failed.iter().any(|endpoint| is_at(member, endpoint));
    let sick: Vec<_> =
        members.iter().filter(|member| member.healthy != Some(true) && !told(member)).collect();
    if !sick.is_empty() {
        let spoken = sick.iter().map(|member| match member.healthy {
            Some(false) => format!("{} does not pass PD's health check", member.name),
            _ => format!("of {} PD does not say whether it is healthy", member.name),
        });
        return Check::bad(name, spoken.collect::<Vec<_>>().join("; "))
            .hint("see whether it runs, what its log says, and whether the other members reach it");
    }
    let asked = |member: &&Member| pds.answering.iter().any(|pd| is_at(member, &pd.endpoint));
    let others: Vec<_> = members.iter().filter(|member| !told(member) && !asked(member)).collect();
    let healthy = if pds.failed.is_empty() { "all healthy" } else { "all others healthy" };
    let found = format!("{}, {healthy}", members.len());
    if others.is_empty() {
        return Check::good(name, found);
    }
    let names: Vec<_> = others.iter().map(|member| member.name.as_str()).collect();
    let urls: Vec<_> = others.iter().filter_map(|member| member.client_urls.first()).cloned().collect();
    Check::good(name, format!("{found}; not named here: {}", names.join(", ")))
        .hint(format!("name them, too, for when the others are away: --pd {}", urls.join(",")))
}
