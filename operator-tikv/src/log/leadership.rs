//! What a line tells of leadership. Every form is listed with a line of its own in `docs/logs.md`.

mod sought;
mod written;

use std::borrow::Cow;

use operator_core::{LeadershipChange, LeadershipChangeKind as Kind, PeerId, RegionId, StoreId};
use serde::Serialize;

use super::line::{Entry, Fields, head, without_end};
use super::text::{Text, number};
use super::time::Time;

pub(super) use sought::Sought;
pub use sought::may_tell;

/// A [`LeadershipChange`] that borrows from its line, and is the same in JSON: of what is only passed on, nothing is
/// allocated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Leadership<'a> {
    /// When, as the line says.
    pub at: Time,
    /// What happened.
    pub kind: Kind,
    /// The raft group.
    pub region_id: Option<RegionId>,
    /// The peer that says so.
    pub peer_id: Option<PeerId>,
    /// The raft term.
    pub term: Option<u64>,
    /// What the peer was before.
    pub from_role: Option<Text<'a>>,
    /// The peer at the other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_peer_id: Option<PeerId>,
    /// The store that led.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_store: Option<StoreId>,
    /// The store that leads now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_store: Option<StoreId>,
    /// The member of PD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<Cow<'a, str>>,
    /// Where in the program.
    pub source: Text<'a>,
    /// The log file.
    pub file: &'a str,
    /// The line in the file, from 1, if it is known.
    pub line: Option<u64>,
}

impl Leadership<'_> {
    /// The same, to keep.
    pub fn to_owned(&self) -> LeadershipChange {
        let mut change =
            LeadershipChange::new(self.at.utc(), self.kind, self.source.text(), self.file, self.line);
        change.region_id = self.region_id;
        change.peer_id = self.peer_id;
        change.term = self.term;
        change.from_role = self.from_role.map(|role| role.text().into_owned());
        change.other_peer_id = self.other_peer_id;
        change.from_store = self.from_store;
        change.to_store = self.to_store;
        change.member = self.member.clone().map(Cow::into_owned);
        change
    }
}

/// What a line tells of leadership, if it does. `file` and `number` are passed on.
pub fn leadership_of_line<'a>(line: &'a [u8], file: &'a str, number: Option<u64>) -> Option<Leadership<'a>> {
    // The fields are looked at once, and not at all if the message tells nothing.
    leadership_of(&head(without_end(line)).ok()?, file, number)
}

/// What an entry tells of leadership, if it does. `file` and `number` are passed on.
pub fn leadership_of<'a>(entry: &Entry<'a>, file: &'a str, number: Option<u64>) -> Option<Leadership<'a>> {
    let mut told = form(entry)?.begin(entry, file, number);
    told.read(entry.fields())?;
    Some(told)
}

impl<'a> Leadership<'a> {
    /// Adds what the fields say; none if they cannot be read.
    #[inline(always)]
    pub(super) fn read(&mut self, mut fields: Fields<'a>) -> Option<()> {
        loop {
            // What stands in nearly every line of the raft layer, in its order.
            if let Some(role) = fields.next_plain(b" [from_role=") {
                self.from_role = Some(role);
            }
            if let Some(term) = fields.next_number(b" [term=") {
                self.term = Some(term);
            }
            if let Some(id) = fields.next_number(b" [raft_id=") {
                self.peer_id = Some(PeerId(id));
            }
            if let Some(id) = fields.next_number(b" [region_id=") {
                self.region_id = Some(RegionId(id));
            }
            let _ = fields.next_number(b" [thread_id=");
            let Some((name, value)) = fields.try_next().ok()? else { return Some(()) };
            self.take(name, value);
        }
    }

    /// What a field says.
    fn take(&mut self, name: Text<'a>, value: Text<'a>) {
        let is_report = self.kind == Kind::LeaderReported;
        match name.inner() {
            b"region_id" | b"region-id" => self.region_id = value.number().map(RegionId),
            b"raft_id" | b"peer_id" => self.peer_id = value.number().map(PeerId),
            b"term" => self.term = value.number(),
            b"from_role" => self.from_role = Some(value),
            b"from" if is_report => self.from_store = value.number().map(StoreId),
            b"to" if is_report => self.to_store = value.number().map(StoreId),
            b"from" if self.kind.is_vote() => self.other_peer_id = value.number().map(PeerId),
            b"vote" if self.kind == Kind::VoteReceived && value.inner() == b"false" => {
                self.kind = Kind::RefusalReceived;
            }
            b"campaign-leader-name" | b"leader-name" | b"old-pd-leader-name" => {
                self.member = Some(value.text())
            }
            b"pd-leader" => self.member = member_name(&value.text()).map(Cow::Owned),
            _ => {}
        }
    }
}

/// What an entry's message tells.
#[inline(always)]
pub(super) fn form(entry: &Entry<'_>) -> Option<Form> {
    // Only PD's etcd names a logger.
    if entry.logger.is_some() {
        return None;
    }
    let (source, message) = (entry.source.inner(), entry.message.inner());
    match source.first_chunk()? {
        b"raft.rs:" => of_raft(message),
        b"peer.rs:" => of_peer(message),
        b"server.g" if source.starts_with(b"server.go:") => of_pd(message),
        b"region.g" if source.starts_with(b"region.go:") && message == b"leader changed" => {
            Some(Kind::LeaderReported.into())
        }
        b"<unknown" if source == b"<unknown>" => of_raft(message).or_else(|| of_peer(message)),
        _ => None,
    }
}

/// A message that was recognised, and what it says beside the fields.
pub(super) struct Form {
    kind: Kind,
    term: Option<u64>,
    other: Option<u64>,
}

impl Form {
    /// Whether it can come to one of these kinds: a field tells whether a vote is one.
    pub(super) fn may_be(&self, wanted: impl Fn(Kind) -> bool) -> bool {
        wanted(self.kind) || (self.kind == Kind::VoteReceived && wanted(Kind::RefusalReceived))
    }

    /// With what stands before the fields.
    #[inline(always)]
    pub(super) fn begin<'a>(self, entry: &Entry<'a>, file: &'a str, line: Option<u64>) -> Leadership<'a> {
        Leadership {
            at: entry.time,
            kind: self.kind,
            region_id: None,
            peer_id: None,
            term: self.term,
            from_role: None,
            other_peer_id: self.other.map(PeerId),
            from_store: None,
            to_store: None,
            member: None,
            source: entry.source,
            file,
            line,
        }
    }
}

impl From<Kind> for Form {
    fn from(kind: Kind) -> Self {
        Self { kind, term: None, other: None }
    }
}

/// The raft layer's own messages (raft-rs, `raft.rs`).
fn of_raft(message: &[u8]) -> Option<Form> {
    const BECAME: [(&[u8], Kind); 4] = [
        (b"follower at term ", Kind::BecameFollower),
        (b"pre-candidate at term ", Kind::BecamePreCandidate),
        (b"candidate at term ", Kind::BecameCandidate),
        (b"leader at term ", Kind::BecameLeader),
    ];
    const TO: (&[u8], Kind) = (b"starts to transfer leadership to ", Kind::TransferStarted);
    const ABORTED: (&[u8], Kind) = (b"abort previous transferring leadership to ", Kind::TransferAborted);
    const FROM: (&[u8], Kind) = (b"received MsgTimeoutNow from ", Kind::TransferReceived);
    const HIGHER: &[u8] = b"received a message with higher term from ";

    if let Some(became) = message.strip_prefix(b"became ") {
        let (kind, term) =
            BECAME.iter().find_map(|(role, kind)| Some((*kind, became.strip_prefix(*role)?)))?;
        return Some(Form { term: Some(number(term)?), ..kind.into() });
    }
    if let Some(rest) = message.strip_prefix(b"[term ") {
        let (term, rest) = any_leading_number(rest)?;
        let rest = rest.strip_prefix(b"] ")?;
        return [TO, ABORTED, FROM].into_iter().find_map(|(words, kind)| {
            let (other, rest) = any_leading_number(rest.strip_prefix(words)?)?;
            let complete =
                rest.is_empty() || (kind == Kind::TransferReceived && rest.starts_with(b" and starts"));
            complete.then_some(Form { kind, term: Some(term), other: Some(other) })
        });
    }
    if message.starts_with(b"[logterm: ") {
        return [
            (&b"] cast vote for "[..], Kind::VoteGranted),
            (b"] rejected vote from ", Kind::VoteRefused),
            (b"] ignored vote from ", Kind::VoteIgnored),
        ]
        .into_iter()
        .find_map(|(words, kind)| {
            let at = memchr::memmem::find(message, words)?;
            let (other, _) = any_leading_number(message.get(at + words.len()..)?)?;
            Some(Form { other: Some(other), ..kind.into() })
        });
    }
    Some(match message {
        b"starting a new election" => Kind::ElectionStarted.into(),
        b"stepped down to follower since quorum is not active" => Kind::QuorumLost.into(),
        b"broadcasting vote request" => Kind::VotesRequested.into(),
        b"received votes response" => Kind::VoteReceived.into(),
        _ => Form { other: Some(number(message.strip_prefix(HIGHER)?)?), ..Kind::HigherTermSeen.into() },
    })
}

/// The messages of a peer (raftstore, `peer.rs`).
fn of_peer(message: &[u8]) -> Option<Form> {
    let missing = message.strip_prefix(b"leader missing longer than ")?;
    let known = missing.starts_with(b"abnormal_leader_missing_duration")
        || missing.starts_with(b"max_leader_missing_duration");
    known.then_some(Kind::LeaderMissing.into())
}

/// PD's messages about its own leadership (`server.go`).
fn of_pd(message: &[u8]) -> Option<Form> {
    Some(Form::from(match message {
        b"campaign PD leader ok" | b"campaign pd leader ok" => Kind::PdLeaderElected,
        b"PD leader is ready to serve" => Kind::PdLeaderReady,
        b"etcd leader changed, resigns pd leadership"
        | b"no longer a leader because lease has expired, pd leader will step down" => Kind::PdLeaderResigned,
        b"start to watch pd leader" => Kind::PdLeaderFollowed,
        b"pd leader has changed, try to re-campaign a pd leader" => Kind::PdLeaderLost,
        _ => return None,
    }))
}

/// Also one of 19 or 20 digits.
fn any_leading_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(digits)?;
    Some((number(digits)?, rest))
}

/// `pd0` of `name:"pd0" member_id:…`
fn member_name(member: &str) -> Option<String> {
    let name = member.strip_prefix("name:\"")?;
    name.split_once('"').map(|(name, _)| name.to_owned())
}

#[cfg(test)]
mod tests;
