//! How the stores carry out what PD's operators ask, step by step.

use chrono::TimeDelta;

use crate::OperatorEnd;
use crate::model::{Peer, Region, Role};
use crate::pd::{Operator, Status, Step};
use crate::simulator::{MAX_FAULTS, Simulator, Task};

/// How long an operator that is to be replaced or canceled runs.
const DOOMED_AFTER: TimeDelta = TimeDelta::milliseconds(500);
/// PD looks again after this at an operator that cannot go on.
const LOOKS_AGAIN: TimeDelta = TimeDelta::seconds(2);

/// What became of an operator when it was looked at.
enum Progress {
    /// The next step is due after this.
    Later(TimeDelta),
    Ended(Status),
}

impl Simulator {
    /// An operator begins. Stores do what it asks a little later.
    pub(crate) fn begin(&mut self, mut operator: Operator) {
        let now = self.cluster.now;
        let region = operator.region;
        if self.pd.memory.is_none() {
            return;
        }
        operator.doom = self.dooms.remove(&region);
        operator.due = match operator.doom {
            None => now + self.takes(operator.steps.first()),
            Some(OperatorEnd::TimesOut) => now + operator.timeout(),
            Some(OperatorEnd::Replaced | OperatorEnd::Canceled) => now + DOOMED_AFTER,
        };
        self.later(operator.due - now, Task::Operate);
        self.log_operator(&operator);
        if let Some(memory) = &mut self.pd.memory {
            memory.start(operator);
        }
    }

    /// Decides how an operator of the region ends.
    pub(crate) fn doom(&mut self, region: u64, end: OperatorEnd) {
        let now = self.cluster.now;
        let running = self.pd.memory.as_mut().and_then(|memory| memory.operator(region));
        match running {
            Some(operator) => {
                operator.doom = Some(end);
                let due = match end {
                    OperatorEnd::TimesOut => operator.created_at + operator.timeout(),
                    OperatorEnd::Replaced | OperatorEnd::Canceled => now + DOOMED_AFTER,
                };
                operator.due = due;
                self.later(due - now, Task::Operate);
            }
            None if self.dooms.len() < MAX_FAULTS => {
                self.dooms.insert(region, end);
            }
            None => {}
        }
    }

    /// Every operator that is due does its next step.
    pub(crate) fn operate(&mut self) {
        let now = self.cluster.now;
        let operators = self.pd.memory.iter().flat_map(|memory| &memory.operators);
        let due: Vec<_> = operators.filter(|operator| operator.due <= now).map(|o| o.region).collect();
        for region in due {
            let Some(operator) = self.pd.memory.as_mut().and_then(|memory| memory.operator(region)) else {
                continue;
            };
            let mut operator = operator.clone();
            let progress = self.progress(&mut operator);
            let Some(memory) = &mut self.pd.memory else { return };
            match progress {
                Progress::Later(after) => {
                    operator.due = now + after;
                    if let Some(running) = memory.operator(region) {
                        *running = operator;
                    }
                    self.later(after, Task::Operate);
                }
                Progress::Ended(status) => {
                    if let Some(running) = memory.operator(region) {
                        *running = operator;
                    }
                    memory.finish(region, status, now);
                }
            }
        }
    }

    fn progress(&mut self, operator: &mut Operator) -> Progress {
        let now = self.cluster.now;
        if now - operator.created_at >= operator.timeout() {
            return Progress::Ended(Status::TimedOut);
        }
        match operator.doom {
            None => {}
            Some(OperatorEnd::TimesOut) => {
                return Progress::Later(operator.created_at + operator.timeout() - now);
            }
            Some(OperatorEnd::Replaced) => return Progress::Ended(Status::Replaced),
            Some(OperatorEnd::Canceled) => return Progress::Ended(Status::Canceled),
        }
        if !self.touch(operator.region) {
            return Progress::Ended(Status::Canceled);
        }
        let Some(region) = self.cluster.regions.get(operator.region).map(|region| region.into_owned()) else {
            return Progress::Ended(Status::Canceled);
        };
        // Somebody else changed the peers; a merge also ends when the range changed.
        let merges = operator.related.is_some();
        if region.conf_ver.saturating_sub(operator.conf_ver) > operator.changes
            || merges && region.version > operator.version
        {
            return Progress::Ended(Status::Canceled);
        }
        let alive = |store| self.cluster.is_alive(store);
        if !region.leader.is_some_and(|leader| alive(leader.store)) || !region.has_quorum(alive) {
            return Progress::Later(LOOKS_AGAIN);
        }
        let Some(step) = operator.steps.get(operator.current).cloned() else {
            return Progress::Ended(Status::Success);
        };
        match self.take(operator, &region, &step) {
            Some(Status::Success) => {
                operator.current += 1;
                operator.under_way = false;
                match operator.steps.get(operator.current) {
                    Some(next) => {
                        let next = next.clone();
                        Progress::Later(self.takes(Some(&next)))
                    }
                    None => Progress::Ended(Status::Success),
                }
            }
            Some(ended) => Progress::Ended(ended),
            None if operator.under_way => Progress::Later(TimeDelta::milliseconds(100)),
            None => Progress::Later(LOOKS_AGAIN),
        }
    }

    /// The stores do a step: it is done, the operator has come to an end, or it has to wait.
    fn take(&mut self, operator: &mut Operator, region: &Region, step: &Step) -> Option<Status> {
        let id = region.id;
        match step {
            Step::TransferLeader { to, .. } => {
                let target = region.peer_on(*to).filter(|peer| peer.role == Role::Voter);
                let Some(target) = target else { return Some(Status::Canceled) };
                if self.pd.state_name(&self.cluster, *to) == "Down" {
                    return Some(Status::Canceled);
                }
                if !self.cluster.is_alive(*to) {
                    return None;
                }
                self.hand_over(id, target);
            }
            Step::AddLearner(peer) => {
                match region.peer_on(peer.store) {
                    Some(there) if there.id != peer.id => return Some(Status::Canceled),
                    Some(_) if region.arriving == Some(peer.id) => return None,
                    Some(_) => return Some(Status::Success),
                    None => {}
                }
                if self.pd.state_name(&self.cluster, peer.store) == "Down" {
                    return Some(Status::Canceled);
                }
                if !self.cluster.is_alive(peer.store) {
                    return None;
                }
                self.change(operator, 1, |region| {
                    region.peers.push(*peer);
                    region.arriving = Some(peer.id);
                });
                if let Some(region) = self.cluster.regions.get(id).map(|region| region.into_owned()) {
                    self.log_learner(&region, *peer);
                }
                operator.under_way = true;
                self.later(snapshot_takes(id), Task::Arrival { region: id, peer: peer.id });
                return None;
            }
            Step::Promote(peer) => self.change(operator, 1, |region| set_role(region, peer, Role::Voter)),
            Step::Enter { promote, demote } => self.change(operator, 2, |region| {
                set_role(region, promote, Role::Voter);
                set_role(region, demote, Role::Learner);
            }),
            Step::Leave { .. } => self.change(operator, 2, |_| ()),
            Step::Remove(peer) => {
                self.change(operator, 1, |region| region.peers.retain(|other| other.id != peer.id));
            }
            Step::Split { keys, .. } => {
                // Split by itself meanwhile: PD sees another range, and takes it for its own doing.
                if region.version == operator.version {
                    self.split_at(id, keys);
                }
            }
            Step::Merge { source, target } => {
                // Both regions have an operator; that of the source does it.
                if id == *target {
                    return None;
                }
                let version = self.cluster.regions.get(*target).map(|region| region.version);
                let expected =
                    self.pd.memory.as_mut().and_then(|memory| memory.operator(*target)).map(|o| o.version);
                if version != expected || !self.merge_into(*source, *target) {
                    return Some(Status::Canceled);
                }
            }
        }
        Some(Status::Success)
    }

    /// Changes the peers of an operator's region, which PD hears at once. A leader that is none of the voters any more
    /// steps down for another.
    fn change(&mut self, operator: &mut Operator, versions: u64, how: impl FnOnce(&mut Region)) {
        let id = operator.region;
        operator.changes += versions;
        let Some(region) = self.cluster.regions.get_mut(id) else { return };
        region.conf_ver += versions;
        how(region);
        let (leader, voters): (_, Vec<Peer>) = (region.leader, region.voters().collect());
        if leader.is_some_and(|leader| !voters.iter().any(|peer| peer.id == leader.id)) {
            let next = voters.into_iter().find(|peer| self.cluster.is_alive(peer.store));
            match next {
                Some(next) => self.hand_over(id, next),
                None => self.lose_leader(id),
            }
        }
        self.report(id, false);
    }

    /// A peer has received its snapshot.
    pub(crate) fn arrive(&mut self, id: u64, peer: u64) {
        if !self.cluster.regions.is_held(id) {
            return;
        }
        if let Some(region) = self.cluster.regions.get_mut(id).filter(|region| region.arriving == Some(peer))
        {
            region.arriving = None;
            self.report(id, false);
            // The operator goes on at once.
            let now = self.cluster.now;
            if let Some(operator) = self.pd.memory.as_mut().and_then(|memory| memory.operator(id))
                && operator.doom.is_none()
            {
                operator.due = now;
                self.later(TimeDelta::zero(), Task::Operate);
            }
        }
    }

    /// How long the stores take for a step once they are told.
    fn takes(&mut self, step: Option<&Step>) -> TimeDelta {
        let (low, high) = match step {
            Some(Step::TransferLeader { .. }) => (8, 90),
            Some(Step::Split { .. }) => (5, 20),
            Some(Step::Merge { .. }) => (200, 900),
            _ => (10, 60),
        };
        TimeDelta::milliseconds(i64::try_from(self.random.between(low, high)).unwrap_or(50))
    }

    /// Leadership moves to the peer on a store, if it can.
    pub(crate) fn transfer(&mut self, region: u64, to_store: u64) {
        if !self.touch(region) {
            return;
        }
        let found = self.cluster.regions.get(region).filter(|found| found.leader.is_some());
        let to = found.and_then(|found| found.voters().find(|peer| peer.store == to_store));
        if let Some(to) = to.filter(|_| self.cluster.is_alive(to_store)) {
            self.hand_over(region, to);
        }
    }
}

/// A snapshot travels for four to nine seconds.
fn snapshot_takes(region: u64) -> TimeDelta {
    TimeDelta::seconds(4 + i64::try_from(region % 6).unwrap_or(0))
}

fn set_role(region: &mut Region, peer: &Peer, role: Role) {
    for held in region.peers.iter_mut().filter(|held| held.id == peer.id) {
        held.role = role;
        if region.arriving == Some(held.id) {
            region.arriving = None;
        }
    }
}
