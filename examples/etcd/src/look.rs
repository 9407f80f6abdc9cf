//! One look at every member, and what follows from it.

use chrono::Utc;
use futures::future::{join_all, select_ok};
use futures::{FutureExt, join};
use operator_core::{Error, ErrorKind, Result, StoreState};

use crate::gateway::Gateway;
use crate::metrics::Page;
use crate::wire::{Member, Status};

/// A member, and what it says of itself.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) member: Member,
    pub(crate) status: Result<Status>,
    pub(crate) page: Option<Page>,
}

/// Every member of a cluster.
#[derive(Debug)]
pub(crate) struct Look(pub(crate) Vec<Seen>);

impl Look {
    /// Asks the first of `urls` that answers who the members are, and then each of them.
    pub(crate) async fn at(gateway: &Gateway, urls: &[String]) -> Result<Self> {
        let asked = urls.iter().map(|url| gateway.members(url).boxed());
        if urls.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "members", "no member's URL was given"));
        }
        let (list, _) = select_ok(asked).await?;
        Ok(Self(join_all(list.members.into_iter().map(|member| Seen::ask(gateway, member))).await))
    }

    /// The member that leads, by the word of those that answer in the latest term.
    pub(crate) fn leader(&self) -> Option<u64> {
        let said = self.0.iter().filter_map(|seen| seen.status.as_ref().ok());
        let leader = said.max_by_key(|status| status.raft_term).map(|status| status.leader)?;
        // It may be dead: the others notice after an election's timeout, and its own silence comes first.
        let alive = self
            .0
            .iter()
            .any(|seen| seen.member.id == leader && self.state(seen) != StoreState::Disconnected);
        (leader != 0 && alive).then_some(leader)
    }

    /// Whether the leader has a connection to this member; `None` if there is none to say it.
    fn leader_hears(&self, member: u64) -> Option<bool> {
        let leads = |seen: &&Seen| seen.status.as_ref().is_ok_and(|status| status.leader == seen.member.id);
        self.0.iter().find(leads)?.page.as_ref()?.peers.get(&member).copied()
    }

    pub(crate) fn state(&self, seen: &Seen) -> StoreState {
        match &seen.status {
            Ok(_) => StoreState::Up,
            // It was added, and has yet to start.
            Err(_) if seen.member.client_urls.is_empty() => StoreState::Unknown,
            // Out of our reach, and not out of its leader's.
            Err(_) if self.leader_hears(seen.member.id) == Some(true) => StoreState::Unknown,
            Err(_) => StoreState::Disconnected,
        }
    }

    pub(crate) fn voters(&self) -> impl Iterator<Item = &Seen> {
        self.0.iter().filter(|seen| !seen.member.is_learner)
    }

    /// Whether most voters are lost.
    pub(crate) fn quorum_is_lost(&self) -> bool {
        let lost = self.voters().filter(|seen| self.state(seen) == StoreState::Disconnected).count();
        2 * lost >= self.voters().count()
    }
}

impl Seen {
    async fn ask(gateway: &Gateway, member: Member) -> Self {
        let Some(url) = member.client_urls.first() else {
            let error = Error::new(ErrorKind::Unavailable, "status", "the member has not started yet");
            return Self { member, status: Err(error), page: None };
        };
        let (status, page) = join!(gateway.status(url), gateway.metrics(url));
        let page = page.ok().and_then(|page| Page::read(&page, Utc::now()));
        Self { status, page, member }
    }
}
