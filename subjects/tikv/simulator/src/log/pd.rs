//! What the members of PD write: who leads them, and what its leader hears and orders.

use chrono::{DateTime, Utc};

use super::Level;
use crate::event::NodeId;
use crate::pd::Operator;
use crate::simulator::Simulator;

/// Why a leader of PD leads no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stood {
    /// Its process stopped: it says nothing.
    Stopped,
    /// It handed over.
    Resigned,
    /// Too few other members answer.
    Alone,
}

impl Simulator {
    fn member_line(&mut self, member: usize, source: &str, message: &str, fields: &[(&str, String)]) {
        self.write_at(self.cluster.now, NodeId::Pd(member), Level::Info, source, message, fields);
    }

    /// The members that run.
    fn members(&self) -> Vec<(usize, String)> {
        let members = &self.pd.members;
        let all = members.list.iter().enumerate().filter(|(index, _)| members.is_alive(*index));
        all.map(|(index, member)| (index, member.name.clone())).collect()
    }

    pub(crate) fn log_pd_start(&mut self, member: usize) {
        let Some(started_at) = self.pd.members.list.get(member).map(|member| member.started_at) else {
            return;
        };
        for (source, message, fields) in [
            ("versioninfo.go:98", "Welcome to Placement Driver (PD)", vec![]),
            ("versioninfo.go:99", "PD", vec![("release-version", crate::pd::VERSION.to_owned())]),
            ("versioninfo.go:100", "PD", vec![("edition", "Community".to_owned())]),
        ] {
            self.write_at(started_at, NodeId::Pd(member), Level::Info, source, message, &fields);
        }
    }

    /// The member that led leads no more, and those that run notice.
    pub(crate) fn log_pd_leader_lost(&mut self, leader: usize, why: Stood) {
        if !self.config.logs {
            return;
        }
        // etcd's counter of changes, which only grows.
        let age = self.pd.bootstrapped_at.map_or(0, |at| (self.cluster.now - at).num_seconds());
        let revision = ("revision", (12 + age).to_string());
        let key = ("leader-key", format!("/pd/{}/leader", self.pd.cluster_id));
        for (member, name) in self.members() {
            if member == leader {
                match why {
                    Stood::Stopped => {}
                    Stood::Resigned => {
                        let fields = [("old-pd-leader-name", name)];
                        self.member_line(
                            member,
                            "server.go:1792",
                            "etcd leader changed, resigns pd leadership",
                            &fields,
                        );
                    }
                    Stood::Alone => self.member_line(
                        member,
                        "server.go:1780",
                        "no longer a leader because lease has expired, pd leader will step down",
                        &[],
                    ),
                }
                continue;
            }
            let fields = [revision.clone(), key.clone(), ("purpose", "leader election".to_owned())];
            self.member_line(member, "leadership.go:390", "current leadership is deleted", &fields);
            self.member_line(
                member,
                "server.go:1652",
                "pd leader has changed, try to re-campaign a pd leader",
                &[],
            );
        }
    }

    /// A member leads since this moment, and the others follow.
    pub(crate) fn log_pd_leader(&mut self, at: DateTime<Utc>) {
        let Some(leader) = self.pd.members.leader.filter(|_| self.config.logs) else { return };
        let Some(found) = self.pd.members.list.get(leader) else { return };
        let name = found.name.clone();
        let about = format!(
            "name:\"{name}\" member_id:{} peer_urls:\"http://{name}:2380\" client_urls:\"http://{}\" ",
            found.id, found.authority
        );
        let info = |simulator: &mut Self, member, source, message, key, value: &String| {
            let fields = [(key, value.clone())];
            simulator.write_at(at, NodeId::Pd(member), Level::Info, source, message, &fields);
        };
        for (member, _) in self.members() {
            if member == leader {
                let campaign = "campaign-leader-name";
                info(self, member, "server.go:1691", "start to campaign PD leader", campaign, &name);
                info(self, member, "server.go:1717", "campaign PD leader ok", campaign, &name);
                info(self, member, "server.go:1768", "PD leader is ready to serve", "leader-name", &name);
            } else {
                info(self, member, "server.go:1648", "start to watch pd leader", "pd-leader", &about);
            }
        }
    }

    /// PD's leader hears that a region is led from another store.
    pub(crate) fn log_pd_hears(&mut self, region: u64, from: u64, to: u64) {
        if let Some(leader) = self.pd.members.leader.filter(|_| self.config.logs) {
            let fields =
                [("region-id", region.to_string()), ("from", from.to_string()), ("to", to.to_string())];
            self.member_line(leader, "region.go:765", "leader changed", &fields);
        }
    }

    pub(crate) fn log_operator(&mut self, operator: &Operator) {
        if !self.config.logs {
            return;
        }
        let since = self.pd.memory.as_ref().map_or(self.cluster.now, |memory| memory.since);
        if let Some(leader) = self.pd.members.leader {
            // The prose is quoted once as JSON by PD, and once more by its logger.
            let fields = [
                ("region-id", operator.region.to_string()),
                ("operator", serde_json::Value::from(operator.prose(since)).to_string()),
                ("additional-info", String::new()),
            ];
            self.member_line(leader, "operator_controller.go:510", "add operator", &fields);
        }
    }
}
