//! PD itself.

use std::sync::Arc;
use std::time::Duration;

use operator_core::{Error, Finding, Invariant, InvariantInfo, Observation, Part, Regarding, Severity};

use super::{PD, Rule, Thresholds, rule, unknown};
use operator_core::common::Sight;

pub(super) fn member_unhealthy(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("pd_member_unhealthy", Severity::Warning, Duration::from_secs(30))
        .keep_firing(Duration::from_secs(30))
        .description("A member of PD does not answer its leader. One more may leave PD without a leader.")
        .look_first("Does its process run? Its log, its disk (etcd's fsync), its way to the other members.")
        .source("GET /pd/api/v1/members and /pd/api/v1/health, where the leader asks every member");
    rule(&[Part::Members], thresholds.patient(info), |sight| {
        let Some(members) = &sight.observation.members else { return unknown(sight.missing(Part::Members)) };
        let judge = |member: &operator_core::Member| {
            let regarding = Regarding::Member(member.name.clone());
            match member.healthy {
                Some(true) => None,
                Some(false) => {
                    let at = member.client_urls.first().map(|url| format!(" ({url})")).unwrap_or_default();
                    let message = format!("member {}{at} of PD fails its health check", member.name);
                    Some(Finding::violated(regarding, Severity::Warning, message))
                }
                None => Some(Finding::unknown(regarding, "the health of PD's members is not known")),
            }
        };
        members.iter().filter_map(judge).collect()
    })
}

pub(super) fn no_leader(thresholds: &Thresholds) -> Rule {
    let info = InvariantInfo::new("pd_no_leader", Severity::Critical, Duration::from_secs(10))
        .keep_firing(Duration::from_secs(10))
        .description(
            "No member of PD leads: clients get no timestamps, nothing is scheduled, and nothing else can be seen.",
        )
        .look_first("How many members run, and whether a majority of them can reach each other; their logs.")
        .source("leader of GET /pd/api/v1/members; ErrRedirect of every member");
    let invariant = NoLeader { info: thresholds.patient(info) };
    Rule { needs: &[Part::Members], invariant: Arc::new(invariant) }
}

/// Not a function of observations alone: without a leader PD answers nothing, and there is no observation.
#[derive(Debug)]
struct NoLeader {
    info: InvariantInfo,
}

impl NoLeader {
    fn found(message: impl Into<String>) -> Vec<Finding> {
        vec![Finding::violated(Regarding::Cluster, Severity::Critical, message)]
    }
}

impl Invariant for NoLeader {
    fn info(&self) -> &InvariantInfo {
        &self.info
    }

    fn check(&self, observation: &Observation) -> Vec<Finding> {
        match &observation.members {
            None => unknown(Sight::of(observation, PD).missing(Part::Members)),
            Some(members) if members.is_empty() || members.iter().any(|member| member.leader) => Vec::new(),
            Some(members) => Self::found(format!("none of the {} members of PD leads", members.len())),
        }
    }

    fn check_failure(&self, error: &Error) -> Option<Vec<Finding>> {
        says_no_leader(error).then(|| Self::found("PD has no leader, as its members say"))
    }
}

/// Whether this crate's error beneath says so; parts of an observation share it.
fn says_no_leader(error: &Error) -> bool {
    let Some(source) = std::error::Error::source(error) else { return false };
    let shared = source.downcast_ref::<Arc<crate::Error>>().map(AsRef::as_ref);
    shared.or_else(|| source.downcast_ref::<crate::Error>()).is_some_and(crate::Error::is_no_leader)
}
