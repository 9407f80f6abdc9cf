//! Which operators run, and which ended and how: one at a time for each region.

use chrono::{DateTime, TimeDelta, Utc};

use super::memory::{Known, Memory};
use super::operator::{Operator, Status, Step, kind};
use super::schedule::EVICT_LEADER;

/// How long PD remembers operators that ended.
const REMEMBERED: TimeDelta = TimeDelta::minutes(10);

impl Memory {
    /// The operator that runs on a region.
    pub(crate) fn operator(&mut self, region: u64) -> Option<&mut Operator> {
        self.operators.iter_mut().find(|operator| operator.region == region)
    }

    /// An operator starts. What ran on its region is replaced by it.
    pub(crate) fn start(&mut self, operator: Operator) {
        self.finish(operator.region, Status::Replaced, operator.created_at);
        *self.operator_counts.entry((operator.desc, Status::Running.event())).or_default() += 1;
        self.operators.push(operator);
    }

    /// An operator ends, and the one of the region that is merged with its own.
    pub(crate) fn finish(&mut self, region: u64, status: Status, now: DateTime<Utc>) {
        let Some(at) = self.operators.iter().position(|operator| operator.region == region) else { return };
        let mut operator = self.operators.swap_remove(at);
        let related = operator.related.take();
        operator.end(status, now);
        self.bury(operator, now);
        if let Some(related) = related {
            let status = if status == Status::Success { status } else { Status::Canceled };
            self.finish(related, status, now);
        }
    }

    /// Remembers one that ended; of each region the last.
    pub(crate) fn bury(&mut self, operator: Operator, now: DateTime<Utc>) {
        *self.operator_counts.entry((operator.desc, operator.status.event())).or_default() += 1;
        self.forget(now);
        self.finished.retain(|other| other.region != operator.region);
        self.finished.push(operator);
    }

    /// Forgets those that ended long ago.
    pub(crate) fn forget(&mut self, now: DateTime<Utc>) {
        self.finished.retain(|operator| operator.ended_at.is_some_and(|at| now - at < REMEMBERED));
    }
}

impl Operator {
    /// A new one of a region that PD knows.
    pub(crate) fn new(
        known: &Known,
        desc: &'static str,
        brief: String,
        kind: u64,
        steps: Vec<Step>,
        now: DateTime<Utc>,
    ) -> Self {
        let moves = |step: &Step| matches!(step, Step::AddLearner(_) | Step::Remove(_) | Step::Promote(_));
        let leads = |step: &Step| matches!(step, Step::TransferLeader { .. });
        let kind = kind
            | if steps.iter().any(moves) { kind::REGION } else { 0 }
            | if steps.iter().any(leads) { kind::LEADER } else { 0 };
        Self {
            region: known.region.id,
            conf_ver: known.region.conf_ver,
            version: known.region.version,
            desc,
            brief,
            urgent: kind & kind::ADMIN != 0 || desc == EVICT_LEADER,
            kind,
            steps,
            current: 0,
            under_way: false,
            changes: 0,
            due: now,
            size_mib: known.size_mib(),
            created_at: now,
            started: true,
            status: Status::Running,
            ended_at: None,
            related: None,
            doom: None,
        }
    }
}
