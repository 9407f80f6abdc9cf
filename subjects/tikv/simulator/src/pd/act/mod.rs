//! Requests that change something: PD's answer to each, and what it does.
//!
//! Answers are those that a real PD v8.5.1 was recorded giving; where it was not asked, those of its source.

mod body;
mod operators;
mod schedulers;
mod settings;
mod stores;
mod members;

use super::answer::{self, Query, not_found, path_segments};
use crate::simulator::Simulator;
use crate::{Reply, Request};

/// The first parts of paths that need TiKV to have joined.
const CLUSTER_SCOPED: [&str; 6] =
    ["operators", "schedulers", "scheduler-config", "checker", "store", "stores"];

impl Simulator {
    /// What a member of PD answers to a request that is no `GET`, once it has done what it says.
    pub(crate) fn act(&mut self, member: usize, request: &Request) -> Reply {
        let segments = path_segments(request.path());
        let segments: Vec<_> = segments.iter().map(|segment| String::from_utf8_lossy(segment)).collect();
        let segments: Vec<_> = segments.iter().map(AsRef::as_ref).collect();
        let ["pd", "api", "v1", path @ ..] = segments.as_slice() else {
            return self.pd.answer(&self.cluster, member, request);
        };
        if let Some(refusal) = self.pd.refuses(member, request, path) {
            return refusal.open_to_all();
        }
        let joined = self.pd.bootstrapped_at.is_some();
        if !joined && path.first().is_some_and(|first| CLUSTER_SCOPED.contains(first)) {
            return answer::not_bootstrapped().open_to_all();
        }
        let query = Query::of(&request.path_and_query);
        let (method, body) = (request.method.as_str(), request.body.as_ref());
        let reply = self
            .act_on_operators(method, path, body)
            .or_else(|| self.act_on_schedulers(method, path, body))
            .or_else(|| self.act_on_settings(method, path, &query, body))
            .or_else(|| self.act_on_stores(method, path, &query, body))
            .or_else(|| self.act_on_members(method, path));
        match reply {
            Some(reply) => reply.open_to_all(),
            // A path that can only be read.
            None => self.pd.answer(&self.cluster, member, request),
        }
    }
}

/// Whether a path is only there to be written to: then it is another method's, not unknown.
pub(crate) fn is_write_only(path: &[&str]) -> bool {
    matches!(
        path,
        ["schedulers", _]
            | ["store", _, "state" | "weight" | "limit" | "label"]
            | ["stores", "remove-tombstone"]
            | ["leader", "resign"]
            | ["leader", "transfer", _]
    )
}

/// The answer to another method on a path that is only written to.
pub(crate) fn wrong_method(path: &[&str]) -> Reply {
    if is_write_only(path) { Reply::new(405, None, "") } else { not_found() }
}
