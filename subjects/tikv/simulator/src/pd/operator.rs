//! One change of one region that PD asks for: its steps, its end, and the prose in which PD tells of it.

use chrono::{DateTime, TimeDelta, Utc};

use super::text::{duration, prose_moment};
use crate::OperatorEnd;
use crate::model::{Peer, Role};

/// What an operator is for, as PD's bits.
pub(crate) mod kind {
    pub(crate) const ADMIN: u64 = 1;
    pub(crate) const MERGE: u64 = 1 << 1;
    pub(crate) const REPLICA: u64 = 1 << 3;
    pub(crate) const SPLIT: u64 = 1 << 4;
    pub(crate) const REGION: u64 = 1 << 6;
    pub(crate) const LEADER: u64 = 1 << 7;
    /// Every bit's name, in the order in which PD lists them.
    pub(crate) const NAMES: [(u64, &str); 8] = [
        (ADMIN, "admin"),
        (MERGE, "merge"),
        (1 << 2, "range"),
        (REPLICA, "replica"),
        (SPLIT, "split"),
        (1 << 5, "hot-region"),
        (REGION, "region"),
        (LEADER, "leader"),
    ];
}

/// What the stores are asked to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    TransferLeader {
        from: u64,
        to: u64,
    },
    AddLearner(Peer),
    Promote(Peer),
    /// Joint consensus begins: the learner becomes a voter and the voter a learner.
    Enter {
        promote: Peer,
        demote: Peer,
    },
    /// And ends.
    Leave {
        promote: Peer,
        demote: Peer,
    },
    Remove(Peer),
    /// The keys, or the middle.
    Split {
        policy: &'static str,
        keys: Vec<Vec<u8>>,
    },
    Merge {
        source: u64,
        target: u64,
    },
}

/// How far an operator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    Success,
    Canceled,
    Replaced,
    TimedOut,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Success => "SUCCESS",
            Self::Canceled => "CANCEL",
            Self::Replaced => "REPLACE",
            Self::TimedOut => "TIMEOUT",
        }
    }

    /// The number in the object form.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Running => 1,
            Self::Success => 2,
            Self::Canceled => 3,
            Self::Replaced => 4,
            Self::TimedOut => 6,
        }
    }

    /// The event under which PD's metrics count it.
    pub(crate) fn event(self) -> &'static str {
        match self {
            Self::Running => "create",
            Self::Success => "finish",
            Self::Canceled => "cancel",
            Self::Replaced => "replace",
            Self::TimedOut => "timeout",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operator {
    pub(crate) region: u64,
    /// The region's epoch when it was made.
    pub(crate) conf_ver: u64,
    pub(crate) version: u64,
    pub(crate) desc: &'static str,
    pub(crate) brief: String,
    pub(crate) kind: u64,
    /// Nothing replaces it: an administrator's, or one that evicts leaders.
    pub(crate) urgent: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) current: usize,
    /// The current step is on its way: a learner was added, its snapshot travels.
    pub(crate) under_way: bool,
    /// By how much its own steps raised the region's `conf_ver`.
    pub(crate) changes: u64,
    /// When something happens to it next.
    pub(crate) due: DateTime<Utc>,
    pub(crate) size_mib: u64,
    pub(crate) created_at: DateTime<Utc>,
    /// Not started when it was refused at once.
    pub(crate) started: bool,
    pub(crate) status: Status,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    /// The region that is merged with this one; its operator ends with this one.
    pub(crate) related: Option<u64>,
    /// How a test wants it to end.
    pub(crate) doom: Option<OperatorEnd>,
}

impl Operator {
    pub(crate) fn timeout(&self) -> TimeDelta {
        self.steps.iter().map(|step| step.timeout(self.size_mib)).sum()
    }

    /// The store to which a peer is on its way.
    pub(crate) fn target(&self) -> Option<u64> {
        self.steps.iter().find_map(|step| match step {
            Step::AddLearner(peer) => Some(peer.store),
            _ => None,
        })
    }

    /// Whether the peer that it adds is in the region already.
    pub(crate) fn has_added(&self) -> bool {
        self.current > 0 || self.under_way
    }

    pub(crate) fn end(&mut self, status: Status, now: DateTime<Utc>) {
        self.status = status;
        self.ended_at = Some(now);
    }

    pub(crate) fn kind_names(&self) -> String {
        let names: Vec<_> =
            kind::NAMES.iter().filter(|(bit, _)| self.kind & bit != 0).map(|(_, name)| *name).collect();
        if names.is_empty() { "unknown".to_owned() } else { names.join(",") }
    }

    /// As PD prints it. `since` is when its process started to count.
    pub(crate) fn prose(&self, since: DateTime<Utc>) -> String {
        let steps: Vec<_> =
            self.steps.iter().enumerate().map(|(n, step)| format!("{n}:{{{}}}", step.prose())).collect();
        let created = prose_moment(self.created_at, since);
        let started = if self.started { created.as_str() } else { "0001-01-01 00:00:00 +0000 UTC" };
        let suffix = match self.status {
            Status::Success => " finished",
            Status::TimedOut => " timeout",
            _ => "",
        };
        format!(
            "{desc} {{{brief}}} (kind:{kind}, region:{region}({version}, {conf_ver}), createAt:{created}, startAt:{started}, \
             currentStep:{current}, size:{size}, steps:[{steps}], timeout:[{timeout}]){suffix}",
            desc = self.desc,
            brief = self.brief,
            kind = self.kind_names(),
            region = self.region,
            version = self.version,
            conf_ver = self.conf_ver,
            current = self.current,
            size = self.size_mib,
            steps = steps.join(", "),
            timeout = duration(self.timeout()),
        )
    }

    /// The prose of one that ended, with when.
    pub(crate) fn record(&self, since: DateTime<Utc>) -> String {
        let Some(at) = self.ended_at else { return self.prose(since) };
        // One that never started ran since the year 1, and Go's spans end before that.
        let ran =
            if self.started { duration(at - self.created_at) } else { "2562047h47m16.854775807s".to_owned() };
        format!("{} (finishAt:{}, duration:{ran})", self.prose(since), prose_moment(at, since))
    }
}

impl Step {
    /// Seconds for each MiB, and no less than a minute; ten times that where data moves.
    fn timeout(&self, size_mib: u64) -> TimeDelta {
        let bounded =
            |seconds: u64| TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::from(i32::MAX)));
        let fast = bounded((size_mib * 6 / 10).max(60));
        match self {
            Self::TransferLeader { .. } | Self::Promote(_) | Self::Remove(_) | Self::Split { .. } => fast,
            Self::AddLearner(_) => bounded((size_mib * 6).max(600)),
            // One for each peer, and one.
            Self::Enter { .. } | Self::Leave { .. } => fast * 3,
            Self::Merge { .. } => fast * 10,
        }
    }

    fn prose(&self) -> String {
        let joint = |what: &str, promote: &Peer, demote: &Peer| {
            format!(
                "{what}, promote learner peer {} on store {} to voter, demote voter peer {} on store {} to learner",
                promote.id, promote.store, demote.id, demote.store
            )
        };
        match self {
            Self::TransferLeader { from, to } => format!("transfer leader from store {from} to store {to}"),
            Self::AddLearner(peer) => format!("add learner peer {} on store {}", peer.id, peer.store),
            Self::Promote(peer) => {
                format!("promote learner peer {} on store {} to voter", peer.id, peer.store)
            }
            Self::Enter { promote, demote } => joint("use joint consensus", promote, demote),
            Self::Leave { promote, demote } => joint("leave joint state", promote, demote),
            Self::Remove(peer) => format!("remove peer on store {}", peer.store),
            Self::Split { policy, .. } => format!("split region with policy {policy}"),
            Self::Merge { source, target } => format!("merge region {source} into region {target}"),
        }
    }
}

/// The steps that change who holds a region, as PD builds them: with joint consensus only where a voter takes the place
/// of another. `transfer` names the stores between which leadership moves before that.
pub(crate) fn change_peers(
    add: Option<Peer>,
    remove: Option<Peer>,
    transfer: Option<(u64, u64)>,
) -> Vec<Step> {
    let promote = add.filter(|peer| peer.role == Role::Voter);
    let demote = remove.filter(|peer| peer.role == Role::Voter);
    let transfer = transfer.map(|(from, to)| Step::TransferLeader { from, to });
    let mut steps = Vec::new();
    steps.extend(add.map(|peer| Step::AddLearner(Peer { role: Role::Learner, ..peer })));
    match (promote, demote) {
        (Some(promote), Some(demote)) => {
            // Where the newcomer is to lead, it can only once it is a voter.
            let newcomer = matches!(transfer, Some(Step::TransferLeader { to, .. }) if to == promote.store);
            let (before, between) = if newcomer { (None, transfer) } else { (transfer, None) };
            steps.extend(before);
            steps.push(Step::Enter { promote, demote });
            steps.extend(between);
            steps.push(Step::Leave { promote, demote });
        }
        (promote, _) => {
            steps.extend(transfer);
            steps.extend(promote.map(Step::Promote));
        }
    }
    steps.extend(remove.map(Step::Remove));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(id: u64, store: u64) -> Peer {
        Peer { id, store, role: Role::Voter }
    }

    /// The texts of the recorded PD.
    #[test]
    fn prose_is_as_recorded() {
        let since = DateTime::from_timestamp(1_795_315_421, 0).expect("in range");
        let mut operator = Operator {
            region: 192,
            conf_ver: 5,
            version: 15,
            desc: "admin-transfer-leader",
            brief: "transfer leader: store 1 to 4".to_owned(),
            kind: kind::ADMIN | kind::LEADER,
            urgent: true,
            steps: change_peers(None, None, Some((1, 4))),
            current: 1,
            under_way: false,
            changes: 0,
            due: since,
            size_mib: 1,
            created_at: since + TimeDelta::milliseconds(607_237),
            started: true,
            status: Status::Success,
            ended_at: None,
            related: None,
            doom: None,
        };
        assert_eq!(
            operator.prose(since),
            "admin-transfer-leader {transfer leader: store 1 to 4} (kind:admin,leader, region:192(15, 5), \
             createAt:2026-11-22 02:53:48.237000000 +0000 UTC m=+607.237000000, \
             startAt:2026-11-22 02:53:48.237000000 +0000 UTC m=+607.237000000, currentStep:1, size:1, \
             steps:[0:{transfer leader from store 1 to store 4}], timeout:[1m0s]) finished"
        );
        operator.steps = change_peers(Some(peer(2_037, 4)), Some(peer(1_005, 216)), Some((216, 5)));
        operator.kind = kind::REPLICA | kind::REGION | kind::LEADER;
        let text = operator.prose(since);
        assert!(text.contains("(kind:replica,region,leader, "), "{text}");
        assert!(
            text.contains(
                "steps:[0:{add learner peer 2037 on store 4}, 1:{transfer leader from store 216 to store 5}, \
                 2:{use joint consensus, promote learner peer 2037 on store 4 to voter, demote voter peer 1005 on store 216 to learner}, \
                 3:{leave joint state, promote learner peer 2037 on store 4 to voter, demote voter peer 1005 on store 216 to learner}, \
                 4:{remove peer on store 216}], timeout:[18m0s])"
            ),
            "{text}"
        );
        operator.steps = change_peers(Some(peer(22, 5)), None, None);
        let text = operator.prose(since);
        assert!(
            text.contains(
                "steps:[0:{add learner peer 22 on store 5}, 1:{promote learner peer 22 on store 5 to voter}], timeout:[11m0s])"
            ),
            "{text}"
        );
    }

    #[test]
    fn large_regions_get_more_time() {
        assert_eq!(Step::Remove(peer(1, 1)).timeout(50), TimeDelta::minutes(1));
        assert_eq!(Step::Remove(peer(1, 1)).timeout(140), TimeDelta::seconds(84));
        assert_eq!(Step::AddLearner(peer(1, 1)).timeout(140), TimeDelta::seconds(840));
    }
}
