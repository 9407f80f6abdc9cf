//! One store: a process with a disk.

use chrono::{DateTime, TimeDelta, Utc};

use super::work::Work;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    Running,
    /// Stopped without dying: connections are accepted and never answered.
    Hung,
    Dead,
}

/// What is true of a store.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// Where clients speak gRPC to it; nothing listens there in the model.
    pub(crate) address: String,
    /// Its HTTP port.
    pub(crate) status_address: String,
    pub(crate) process: Process,
    pub(crate) started_at: DateTime<Utc>,
    /// When it stopped answering.
    pub(crate) stopped_at: Option<DateTime<Utc>>,
    pub(crate) capacity_bytes: u64,
    /// What is on the disk besides the regions: TiKV's reserved space, other programs.
    pub(crate) other_bytes: f64,
    pub(crate) filling: Option<Filling>,
    pub(crate) slow: bool,
    /// 1 is fast, 100 the slowest; PD calls a store slow from 80 on.
    pub(crate) slow_score: f64,
    pub(crate) work: Work,
}

/// A disk that fills between two moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filling {
    pub(crate) from: DateTime<Utc>,
    pub(crate) over: TimeDelta,
    pub(crate) from_bytes: f64,
}

impl Store {
    pub(crate) fn is_alive(&self) -> bool {
        self.process == Process::Running
    }

    /// Once a heartbeat, every 10 s: a slow disk reaches 80 within 100 s, a good one recovers.
    pub(crate) fn update_slow_score(&mut self) {
        let factor = if self.slow { 1.6 } else { 0.7 };
        self.slow_score = (self.slow_score * factor).clamp(1.0, 100.0);
    }

    /// Bytes that are free, given what its regions hold.
    pub(crate) fn available_bytes(&self, used: u64, now: DateTime<Utc>) -> u64 {
        let capacity = self.capacity_bytes as f64;
        let other = self.filling.map_or(self.other_bytes, |filling| {
            let full = capacity * 0.99 - used as f64;
            let done = (now - filling.from).as_seconds_f64() / filling.over.as_seconds_f64().max(1.0);
            filling.from_bytes + (full - filling.from_bytes).max(0.0) * done.clamp(0.0, 1.0)
        });
        (capacity - used as f64 - other).max(0.0) as u64
    }
}
