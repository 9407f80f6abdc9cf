//! PD's `/metrics`: each member's own, most of it only from the leader.

use std::fmt::Write as _;

use super::Pd;
use super::about::{GIT_HASH, VERSION};
use super::memory::StoreState;
use super::statistics::Check;
use super::stores::region_score;
use super::view::View;
use crate::Reply;
use crate::model::{Cluster, RECORD_BYTES};

const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=values";

/// One page of the exposition format.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{text}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

impl Pd {
    pub(crate) fn metrics(&self, cluster: &Cluster, member: usize) -> Reply {
        let mut page = Page::default();
        let leads = self.members.leader == Some(member);
        let gauge = |page: &mut Page, name: &str, help: &str, value: f64| {
            page.family(name, "gauge", help);
            page.sample(name, &[], value);
        };
        let has_leader = f64::from(u8::from(self.members.leader.is_some()));
        gauge(
            &mut page,
            "etcd_server_has_leader",
            "Whether or not a leader exists. 1 is existence, 0 is not.",
            has_leader,
        );
        gauge(
            &mut page,
            "etcd_server_is_leader",
            "Whether or not this member is a leader. 1 if is, 0 otherwise.",
            f64::from(u8::from(leads)),
        );
        if let Some(member) = self.members.list.get(member) {
            let started = member.started_at.timestamp_millis() as f64 / 1_000.0;
            page.family(
                "pd_server_info",
                "gauge",
                "Indicate the pd server info, and the value is the start timestamp (s).",
            );
            page.sample("pd_server_info", &[("hash", GIT_HASH), ("version", VERSION)], started.floor());
            gauge(
                &mut page,
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
                started,
            );
        }
        let view = self.memory.as_ref().map(|memory| View { cluster, pd: self, memory, leader: member });
        match view {
            Some(view) if leads => view.leader_metrics(&mut page),
            // A follower has the series, and they are all zero.
            _ => regions_status(&mut page, |_| 0),
        }
        Reply::new(200, Some(EXPOSITION), page.0)
    }
}

fn regions_status(page: &mut Page, count: impl Fn(Check) -> usize) {
    page.family("pd_regions_status", "gauge", "Status of the regions.");
    let mut samples: Vec<_> = Check::ALL
        .into_iter()
        .map(|check| {
            let name = check.name();
            let suffix = if name.ends_with("-region") { "-count" } else { "-region-count" };
            (format!("{name}{suffix}"), count(check))
        })
        .collect();
    samples.push(("witness-leader-region-count".to_owned(), 0));
    samples.sort();
    for (kind, count) in samples {
        page.sample("pd_regions_status", &[("type", &kind)], count as f64);
    }
}

impl View<'_> {
    fn leader_metrics(&self, page: &mut Page) {
        page.family("service_member_role", "gauge", "The leader/primary of services");
        page.sample("service_member_role", &[("service", "PD")], 1.0);
        regions_status(page, |check| self.in_check(check).count());
        if self.pd.bootstrapped_at.is_none() || !self.is_warm() {
            return;
        }
        page.family("pd_cluster_health_status", "gauge", "Status of the cluster.");
        for (index, member) in self.pd.members.list.iter().enumerate() {
            let healthy = f64::from(u8::from(self.pd.members.is_alive(index)));
            page.sample("pd_cluster_health_status", &[("name", &member.name)], healthy);
        }
        self.cluster_status(page);
        self.store_status(page);
    }

    fn cluster_status(&self, page: &mut Page) {
        let totals = self.totals();
        let named = |wanted: &str| {
            (self.pd.stores.keys()).filter(|id| self.pd.state_name(self.cluster, **id) == wanted).count()
                as f64
        };
        let in_state =
            |wanted: StoreState| self.pd.stores.values().filter(|meta| meta.state == wanted).count() as f64;
        let beats = || self.pd.stores.keys().filter_map(|id| self.pd.beat(*id));
        let silent_for = |id: &u64| self.pd.last_beat(*id).map(|at| self.cluster.now - at);
        let unhealthy = (self.pd.stores.iter())
            .filter(|(_, meta)| meta.state == StoreState::Up)
            .filter(|(id, _)| silent_for(id).is_some_and(|silent| silent > chrono::TimeDelta::minutes(10)))
            .count();
        page.family("pd_cluster_status", "gauge", "Status of the cluster.");
        let mut samples = vec![
            ("leader_count", totals.values().map(|total| total.leaders).sum::<u64>() as f64),
            ("learner_count", totals.values().map(|total| total.learners).sum::<u64>() as f64),
            ("region_count", totals.values().map(|total| total.peers).sum::<u64>() as f64),
            ("storage_capacity", beats().map(|beat| beat.capacity_bytes as f64).sum()),
            ("storage_size", beats().map(|beat| beat.used_bytes as f64).sum()),
            ("store_disconnected_count", named("Disconnected")),
            ("store_down_count", named("Down")),
            (
                "store_low_space_count",
                beats().filter(|b| b.available_bytes < b.capacity_bytes / 5).count() as f64,
            ),
            ("store_offline_count", named("Offline")),
            ("store_preparing_count", 0.0),
            ("store_removed_count", in_state(StoreState::Tombstone)),
            ("store_removing_count", in_state(StoreState::Offline)),
            ("store_serving_count", in_state(StoreState::Up)),
            (
                "store_slow_count",
                beats().filter(|b| b.slow_score >= super::schedule::SLOW_SCORE).count() as f64,
            ),
            ("store_tombstone_count", named("Tombstone")),
            ("store_unhealth_count", unhealthy as f64),
            ("store_up_count", named("Up")),
            ("witness_count", 0.0),
        ];
        samples.sort_by_key(|(name, _)| *name);
        for (kind, value) in samples {
            page.sample("pd_cluster_status", &[("type", kind)], value);
        }
    }

    fn store_status(&self, page: &mut Page) {
        page.family("pd_scheduler_store_status", "gauge", "Store status for schedule");
        for (id, total) in self.totals() {
            let (Some(store), Some(beat)) = (self.cluster.stores.get(&id), self.pd.beat(id)) else {
                continue;
            };
            let (written, read) = (beat.load.written_bytes_per_second, beat.load.read_bytes_per_second);
            let store_id = id.to_string();
            for (kind, value) in [
                ("leader_count", total.leaders as f64),
                ("leader_score", total.leaders as f64),
                ("leader_size", total.leader_mib as f64),
                ("learner_count", total.learners as f64),
                ("region_count", total.peers as f64),
                ("region_score", region_score(Some(beat), total.peer_mib)),
                ("region_size", total.peer_mib as f64),
                ("store_available", beat.available_bytes as f64),
                ("store_capacity", beat.capacity_bytes as f64),
                ("store_read_query_rate", read / RECORD_BYTES),
                ("store_read_rate_bytes", read),
                ("store_read_rate_keys", read / RECORD_BYTES),
                ("store_used", beat.used_bytes as f64),
                ("store_write_query_rate", 0.0),
                ("store_write_rate_bytes", written),
                ("store_write_rate_keys", written / RECORD_BYTES),
                ("witness_count", 0.0),
            ] {
                let labels = [("address", store.address.as_str()), ("store", &store_id), ("type", kind)];
                page.sample("pd_scheduler_store_status", &labels, value);
            }
        }
    }
}
