//! What PD knows: what it keeps in etcd, and what only its leader's memory holds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::operator::Operator;
use crate::model::{Cluster, Load, Peer, RECORD_BYTES, Region};
use crate::random::hash;

/// A store's heartbeat comes every 10 s, a region's every 60 s.
pub(crate) const STORE_BEAT: TimeDelta = TimeDelta::seconds(10);
pub(crate) const REGION_BEAT: TimeDelta = TimeDelta::seconds(60);
/// PD writes a store's last heartbeat to etcd no more often than this.
const PERSIST_BEAT: TimeDelta = TimeDelta::minutes(5);
/// A store that was silent for longer is `Disconnected`.
const DISCONNECTED_AFTER: TimeDelta = TimeDelta::seconds(20);
/// Schedulers run once this share of the regions has reported, or after five minutes.
const WARM_SHARE: f64 = 0.9;
const WARM_AT_LAST: TimeDelta = TimeDelta::minutes(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreState {
    Up,
    Offline,
    Tombstone,
}

/// What etcd keeps of a store.
#[derive(Debug, Clone)]
pub(crate) struct StoreMeta {
    pub(crate) state: StoreState,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) persisted_beat: Option<DateTime<Utc>>,
    /// Regions it held when it was taken offline, to tell how far it is.
    pub(crate) regions_to_remove: u64,
    pub(crate) offline_since: Option<DateTime<Utc>>,
    /// It is gone for good, and must not come back.
    pub(crate) destroyed: bool,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) leader_weight: f64,
    pub(crate) region_weight: f64,
    pub(crate) limits: Limits,
    /// Its limits before it was taken offline.
    pub(crate) limits_before: Option<Limits>,
}

/// How many peers a store may get and give away in a minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    pub(crate) add_peer: f64,
    pub(crate) remove_peer: f64,
}

/// What PD means by no limit.
pub(crate) const UNLIMITED: f64 = 100_000_000.0;

/// The last heartbeat of a store.
#[derive(Debug, Clone)]
pub(crate) struct StoreBeat {
    pub(crate) at: DateTime<Utc>,
    pub(crate) capacity_bytes: u64,
    pub(crate) available_bytes: u64,
    pub(crate) used_bytes: u64,
    pub(crate) load: Load,
    pub(crate) slow_score: u64,
    pub(crate) slow: bool,
}

/// A region as PD knows it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// As at its last heartbeat; its leader may be gone since.
    pub(crate) region: Region,
    /// Whether it sent a heartbeat to this leader of PD.
    pub(crate) reported: bool,
    /// What was written and read since the heartbeat before, in bytes.
    pub(crate) written_bytes: u64,
    pub(crate) read_bytes: u64,
    pub(crate) at: DateTime<Utc>,
    /// Peers on stores that do not answer since ten minutes, and for how many seconds.
    pub(crate) down: Vec<(Peer, u64)>,
    /// Peers that lag behind.
    pub(crate) pending: Vec<Peer>,
    /// For how many heartbeats in a row the region was hot.
    pub(crate) hot_writes: u32,
    pub(crate) hot_reads: u32,
}

/// How a new leader of PD came to know the regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Followers keep a copy of the leader's: leaders and flow are known, sizes are not.
    Synced,
    /// From disk after a restart: ranges and peers, no leader.
    Storage,
}

/// The memory of the PD that leads.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) since: DateTime<Utc>,
    pub(crate) source: Source,
    pub(crate) stores: BTreeMap<u64, StoreBeat>,
    pub(crate) regions: BTreeMap<u64, Known>,
    pub(crate) operators: Vec<Operator>,
    /// Those that ended, the last of each region.
    pub(crate) finished: Vec<Operator>,
    /// Schedulers and checkers that pause: since when and until when.
    pub(crate) paused: BTreeMap<String, (DateTime<Utc>, DateTime<Utc>)>,
    /// How many operators there were since it leads, by type and what happened to them.
    pub(crate) operator_counts: BTreeMap<(&'static str, &'static str), u64>,
}

impl Memory {
    pub(crate) fn new(since: DateTime<Utc>, source: Source) -> Self {
        Self {
            since,
            source,
            stores: BTreeMap::new(),
            regions: BTreeMap::new(),
            operators: Vec::new(),
            finished: Vec::new(),
            paused: BTreeMap::new(),
            operator_counts: BTreeMap::new(),
        }
    }

    /// Whether a scheduler, or a checker as `checker/NAME`, pauses.
    pub(crate) fn is_paused(&self, name: &str, now: DateTime<Utc>) -> bool {
        self.paused.get(name).is_some_and(|(_, until)| *until > now)
    }

    /// The share of the regions that have reported.
    pub(crate) fn reported_share(&self, cluster: &Cluster) -> f64 {
        let reported = self.regions.values().filter(|known| known.reported).count() as f64
            + cluster.regions.calm_count() as f64 * self.calm_share(cluster.now);
        reported / (cluster.regions.count() as f64).max(1.0)
    }

    /// The share of the calm regions that have reported: their heartbeats are spread evenly over a minute.
    pub(crate) fn calm_share(&self, now: DateTime<Utc>) -> f64 {
        ((now - self.since).as_seconds_f64() / REGION_BEAT.as_seconds_f64()).clamp(0.0, 1.0)
    }

    /// Whether schedulers run and statistics are kept.
    pub(crate) fn is_warm(&self, cluster: &Cluster) -> bool {
        cluster.now - self.since >= WARM_AT_LAST || self.reported_share(cluster) >= WARM_SHARE
    }

    /// What PD knows of a region.
    pub(crate) fn known<'a>(&'a self, cluster: &Cluster, region: Cow<'_, Region>) -> Cow<'a, Known> {
        match self.regions.get(&region.id) {
            Some(known) => Cow::Borrowed(known),
            None => Cow::Owned(self.calm(cluster, region.into_owned())),
        }
    }

    /// A calm region reports every minute and nothing else ever happens to it.
    fn calm(&self, cluster: &Cluster, region: Region) -> Known {
        let period = REGION_BEAT.num_milliseconds();
        let phase = i64::try_from(hash(cluster.seed, region.id, 21) % period.unsigned_abs()).unwrap_or(0);
        let now = cluster.now.timestamp_millis();
        let at =
            DateTime::from_timestamp_millis(now - (now - phase).rem_euclid(period)).unwrap_or(cluster.now);
        if at > self.since {
            Known::from_beat(region, cluster.seed, at)
        } else {
            Known::from_beat(region, cluster.seed, at).forget(self.source)
        }
    }
}

impl Known {
    pub(crate) fn from_beat(region: Region, seed: u64, at: DateTime<Utc>) -> Self {
        let seconds = REGION_BEAT.as_seconds_f64();
        let load = region.load.in_minute(seed, region.id, at.timestamp().div_euclid(60)).scaled(seconds);
        Self {
            region,
            reported: true,
            written_bytes: load.written_bytes_per_second as u64,
            read_bytes: load.read_bytes_per_second as u64,
            at,
            down: Vec::new(),
            pending: Vec::new(),
            hot_writes: 0,
            hot_reads: 0,
        }
    }

    /// What is left of it in a PD that has just become leader.
    pub(crate) fn forget(mut self, source: Source) -> Self {
        self.reported = false;
        self.region.size_bytes = 0.0;
        self.down.clear();
        self.pending.clear();
        self.hot_writes = 0;
        self.hot_reads = 0;
        if source == Source::Storage {
            self.region.leader = None;
            self.written_bytes = 0;
            self.read_bytes = 0;
        }
        self
    }

    pub(crate) fn written_keys(&self) -> u64 {
        (self.written_bytes as f64 / RECORD_BYTES) as u64
    }

    pub(crate) fn read_keys(&self) -> u64 {
        (self.read_bytes as f64 / RECORD_BYTES) as u64
    }

    /// MiB, at least one once the region has reported.
    pub(crate) fn size_mib(&self) -> u64 {
        if self.reported { ((self.region.size_bytes / 1_048_576.0) as u64).max(1) } else { 0 }
    }
}

impl StoreMeta {
    pub(crate) fn new(started_at: DateTime<Utc>) -> Self {
        Self {
            state: StoreState::Up,
            started_at,
            persisted_beat: None,
            regions_to_remove: 0,
            offline_since: None,
            destroyed: false,
            labels: Vec::new(),
            leader_weight: 1.0,
            region_weight: 1.0,
            limits: Limits { add_peer: 15.0, remove_peer: 15.0 },
            limits_before: None,
        }
    }

    pub(crate) fn note_beat(&mut self, at: DateTime<Utc>) {
        if self.persisted_beat.is_none_or(|last| at - last >= PERSIST_BEAT || last < self.started_at) {
            self.persisted_beat = Some(at);
        }
    }

    /// What PD calls the store, given its last heartbeat.
    pub(crate) fn state_name(&self, silent: TimeDelta, max_down: TimeDelta) -> &'static str {
        match self.state {
            StoreState::Offline => "Offline",
            StoreState::Tombstone => "Tombstone",
            StoreState::Up if silent > max_down => "Down",
            StoreState::Up if silent > DISCONNECTED_AFTER => "Disconnected",
            StoreState::Up => "Up",
        }
    }
}
