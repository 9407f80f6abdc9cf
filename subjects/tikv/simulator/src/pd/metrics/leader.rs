//! What only the member shows that leads: the cluster as PD knows it.

use super::super::memory::StoreState;
use super::super::stores::{Removal, region_score};
use super::super::view::View;
use super::regions_status;
use crate::exposition::Page;
use crate::model::RECORD_BYTES;

/// In the order of their names.
const SCHEDULERS: [&str; 4] = [
    "balance-hot-region-scheduler",
    "balance-leader-scheduler",
    "balance-region-scheduler",
    "evict-slow-store-scheduler",
];

/// One number of how far a store is.
type Value = fn(&Removal) -> f64;

impl View<'_> {
    pub(super) fn leader_metrics(&self, page: &mut Page) {
        page.family("service_member_role", "gauge", "The leader/primary of services");
        page.sample(&[("service", "PD")], 1.0);
        regions_status(page, |check| self.in_check(check).count());
        if self.pd.bootstrapped_at.is_none() || !self.is_warm() {
            return;
        }
        page.family("pd_cluster_health_status", "gauge", "Status of the cluster.");
        for (index, member) in self.pd.members.list.iter().enumerate() {
            let healthy = f64::from(u8::from(self.pd.members.is_alive(index)));
            page.sample(&[("name", &member.name)], healthy);
        }
        self.cluster_status(page);
        self.store_status(page);
        self.hot_status(page);
        self.progress_status(page);
        self.scheduling(page);
        self.timestamps(page);
    }

    /// The regions that are hot on each store, and what flows through them.
    fn hot_status(&self, page: &mut Page) {
        page.family("pd_hotspot_status", "gauge", "Status of the hotspot.");
        for (id, flows) in self.hot_flows() {
            let Some(store) = self.cluster.stores.get(&id) else { continue };
            let id = id.to_string();
            for (kind, value) in flows {
                page.sample(&[("address", &store.address), ("store", &id), ("type", &kind)], value);
            }
        }
    }

    /// How far the stores are that leave.
    fn progress_status(&self, page: &mut Page) {
        let leaving: Vec<_> = (self.pd.stores.iter())
            .filter(|(_, meta)| meta.state == StoreState::Offline)
            .filter_map(|(id, meta)| Some((self.cluster.stores.get(id)?, self.removal(*id, meta))))
            .collect();
        if leaving.is_empty() {
            return;
        }
        let families: [(_, _, Value); 3] = [
            ("pd_cluster_eta", "The ETA of corresponding action", |removal| removal.left_seconds),
            ("pd_cluster_progress", "The current progress of corresponding action", |removal| {
                removal.progress
            }),
            ("pd_cluster_speed", "The current speed of corresponding action", |removal| removal.speed),
        ];
        for (name, help, value) in families {
            page.family(name, "gauge", help);
            for (store, removal) in &leaving {
                let labels =
                    [("action", "removing"), ("address", &*store.address), ("store", &*store.id.to_string())];
                page.sample(&labels, value(removal));
            }
        }
    }

    fn scheduling(&self, page: &mut Page) {
        page.family("pd_scheduling_allowance_status", "gauge", "Status of the scheduling allowance.");
        page.sample(&[("kind", "halt-scheduling")], 0.0);
        page.family("pd_scheduler_status", "gauge", "Status of the scheduler.");
        for kind in SCHEDULERS {
            page.sample(&[("kind", kind), ("type", "allow")], 1.0);
        }
        page.family("pd_schedule_operators_count", "counter", "Counter of schedule operators.");
        for ((kind, event), count) in &self.memory.operator_counts {
            page.sample(&[("event", event), ("type", kind)], *count as f64);
        }
        page.family("pd_regions_label_level", "gauge", "Number of regions in the different label level.");
        page.sample(&[("type", "none")], self.cluster.regions.count() as f64);
    }

    fn timestamps(&self, page: &mut Page) {
        let leads_for = (self.cluster.now - self.memory.since).as_seconds_f64().max(0.0);
        page.family(
            "pd_tso_role",
            "gauge",
            "Indicate the PD server role info, whether it's a TSO allocator.",
        );
        page.sample(&[("dc", "global"), ("group", "0")], 1.0);
        page.family("pd_cluster_tso", "gauge", "Record of tso metadata.");
        let now = self.cluster.now.timestamp_millis() as f64;
        page.sample(&[("dc", "global"), ("group", "0"), ("type", "tso")], now);
        page.family("pd_tso_events", "counter", "Counter of tso events");
        // A window of timestamps is saved every three seconds.
        for (kind, count) in [("save", leads_for / 3.0), ("sync", 1.0), ("sync_ok", 1.0)] {
            page.sample(&[("dc", "global"), ("group", "0"), ("type", kind)], count.floor());
        }
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
                beats().filter(|b| b.slow_score >= super::super::schedule::SLOW_SCORE).count() as f64,
            ),
            ("store_tombstone_count", named("Tombstone")),
            ("store_unhealth_count", unhealthy as f64),
            ("store_up_count", named("Up")),
            ("witness_count", 0.0),
        ];
        samples.sort_by_key(|(name, _)| *name);
        for (kind, value) in samples {
            page.sample(&[("type", kind)], value);
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
                page.sample(&labels, value);
            }
        }
    }
}
