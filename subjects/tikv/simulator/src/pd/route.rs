//! Who answers a request to a member, and which handler.

use super::answer::{self, Query, not_found, path_segments};
use super::view::View;
use super::{Pd, act};
use crate::model::Cluster;
use crate::{Reply, Request};

/// Paths that need TiKV to have joined; a follower that is told to answer them itself says it has not.
const CLUSTER_SCOPED: [&str; 10] = [
    "stores",
    "store",
    "region",
    "regions",
    "schedulers",
    "operators",
    "hotspot",
    "stats",
    "checker",
    "trend",
];

impl Pd {
    pub(crate) fn answer(&self, cluster: &Cluster, member: usize, request: &Request) -> Reply {
        self.dispatch(cluster, member, request).open_to_all()
    }

    /// The answer to a request that would change something, if it must not: nobody leads, or the member is told not to
    /// ask who does.
    pub(crate) fn refuses(&self, member: usize, request: &Request, path: &[&str]) -> Option<Reply> {
        let leads = self.members.leader == Some(member);
        if !leads
            && request.has_header("PD-Allow-follower-handle")
            && path.first().is_some_and(|first| CLUSTER_SCOPED.contains(first))
        {
            return Some(answer::not_bootstrapped());
        }
        if !leads && request.has_header("PD-Redirector") {
            return Some(redirected_to_follower());
        }
        (self.members.leader.is_none() || self.memory.is_none()).then(redirect_failed)
    }

    fn dispatch(&self, cluster: &Cluster, member: usize, request: &Request) -> Reply {
        let segments = path_segments(request.path());
        let Some(segments) = segments.iter().map(|s| std::str::from_utf8(s).ok()).collect::<Option<Vec<_>>>()
        else {
            // Keys in paths need not be text.
            return self.forward(cluster, member, request, &[], &segments);
        };
        match segments.as_slice() {
            ["metrics"] if request.method == "GET" => self.metrics(cluster, member, request),
            ["pd", "api", "v1", rest @ ..] => {
                let raw: Vec<_> = segments.iter().map(|s| s.as_bytes().to_vec()).collect();
                self.forward(cluster, member, request, rest, &raw)
            }
            ["pd", "api", "v2", ..] if self.members.leader.is_none() => redirect_failed(),
            // Nothing of the new API is part of the model.
            ["pd", "api", "v2", ..] => Reply::new(404, Some("text/plain"), "404 page not found"),
            _ => not_found(),
        }
    }

    /// A follower asks the leader; nobody else is allowed to answer.
    fn forward(
        &self,
        cluster: &Cluster,
        member: usize,
        request: &Request,
        path: &[&str],
        raw: &[Vec<u8>],
    ) -> Reply {
        let leads = self.members.leader == Some(member);
        if !leads && request.has_header("PD-Allow-follower-handle") {
            match path {
                ["members"] if self.members.leader.is_none() => return Reply::Silent,
                ["hotspot", "stores"] => return answer::panicked("GetHotStores"),
                [first, ..] if CLUSTER_SCOPED.contains(first) => return answer::not_bootstrapped(),
                _ => {}
            }
            // Followers know the members and the configuration as well as the leader does.
            if let Some(view) = self.view(cluster, self.members.leader.unwrap_or(member)) {
                return view.handle(request, path, raw);
            }
        }
        if !leads && request.has_header("PD-Redirector") {
            return redirected_to_follower();
        }
        match self.members.leader.and_then(|leader| self.view(cluster, leader)) {
            Some(view) => view.handle(request, path, raw),
            None => redirect_failed(),
        }
    }

    pub(crate) fn view<'a>(&'a self, cluster: &'a Cluster, leader: usize) -> Option<View<'a>> {
        self.memory.as_ref().map(|memory| View { cluster, pd: self, memory, leader })
    }
}

/// What a member says that knows of no leader, or cannot reach it.
fn redirect_failed() -> Reply {
    answer::text(500, "[PD:apiutil:ErrRedirect]redirect failed\n")
}

fn redirected_to_follower() -> Reply {
    answer::text(500, "[PD:apiutil:ErrRedirectToNotLeader]redirect to not leader\n")
}

impl View<'_> {
    fn handle(&self, request: &Request, path: &[&str], raw: &[Vec<u8>]) -> Reply {
        let query = Query::of(&request.path_and_query);
        let joined = self.pd.bootstrapped_at.is_some();
        let reply = self.about(path).or_else(|| self.settings(path, joined));
        let reply = reply.or_else(|| match path {
            ["hotspot", "stores" | "buckets"] if !joined => Some(answer::panicked("GetHotStores")),
            ["scheduler-config"] if !joined => Some(answer::error(406, answer::NOT_BOOTSTRAPPED)),
            _ => {
                let reply = self
                    .stores(path, &query)
                    .or_else(|| self.regions(path, &query, raw))
                    .or_else(|| self.statistics(path))
                    .or_else(|| self.hotspot(path, &query))
                    .or_else(|| self.operators(path, &query))?;
                Some(if joined { reply } else { answer::not_bootstrapped() })
            }
        });
        match reply {
            None => act::wrong_method(path),
            Some(_) if request.method != "GET" => Reply::new(405, None, ""),
            Some(reply) => reply,
        }
    }
}
