//! How many regions PD counts with each problem: `pd_regions_status` on its leader's `/metrics`.

use operator_core::{Member, RegionHealth, RegionProblem};

use super::PdClient;
use crate::Error;
use crate::http::Endpoint;
use crate::scrape::{Samples, Wanted};

const METRICS: &str = "/metrics";
const ROLE: &str = "service_member_role";
const STORES: &str = "pd_cluster_status";
const REGIONS: &str = "pd_regions_status";

/// The counts of PD's leader; `None` if nobody shows any that can be believed.
///
/// Each PD answers for itself, and one that does not lead shows zeros. The leader is asked at the addresses that it
/// announces; if it cannot be reached there, the configured endpoints are asked which of them leads.
pub(super) async fn of_leader(pd: &PdClient, leader: Option<&Member>) -> Result<Option<RegionHealth>, Error> {
    let configured = pd.http().endpoints();
    let announced: Vec<Endpoint> = leader
        .into_iter()
        .flat_map(|leader| &leader.client_urls)
        .filter_map(|url| url.parse().ok())
        .collect();
    // Where it is configured it has been reached before.
    let known = configured.iter().filter(|endpoint| announced.contains(endpoint));
    let others = configured.iter().filter(|endpoint| !announced.contains(endpoint));
    let strangers = announced.iter().filter(|endpoint| !configured.contains(endpoint));
    let mut failure = None;
    let mut answered = false;
    for endpoint in known.chain(strangers).chain(others) {
        match pd.http().get_from(endpoint, METRICS, pd.http().limits()).await {
            Ok(answer) => {
                answered = true;
                if let Some(counts) = read(&answer.body) {
                    return Ok(Some(counts));
                }
            }
            Err(error) => {
                tracing::debug!(%error, "no metrics of PD");
                failure = Some(error);
            }
        }
    }
    match failure {
        Some(failure) if !answered => Err(failure),
        _ => Ok(None),
    }
}

/// The counts on a page of metrics, if it is the leader's. Lines that cannot be read do not count.
fn read(page: &[u8]) -> Option<RegionHealth> {
    let wanted = Wanted::new([ROLE, STORES, REGIONS]);
    let mut leads = false;
    let mut health = RegionHealth::default();
    for sample in Samples::new(page).only(&wanted).flatten() {
        let label = |name| sample.labels.get(name).unwrap_or_default();
        match sample.name {
            ROLE => leads |= label("service") == "PD" && sample.value == 1.0,
            // Older versions show no role; only a leader counts stores.
            STORES => leads = true,
            _ => {
                let countable = sample.value.is_finite() && sample.value >= 0.0;
                if let Some(problem) = problem(&label("type")).filter(|_| countable) {
                    health.set_count(problem, Some(sample.value as u64));
                }
            }
        }
    }
    (leads && RegionProblem::ALL.iter().any(|problem| health.count(*problem).is_some())).then_some(health)
}

/// What PD calls it in `pd_regions_status`.
fn problem(kind: &str) -> Option<RegionProblem> {
    Some(match kind {
        "miss-peer-region-count" => RegionProblem::MissPeer,
        "extra-peer-region-count" => RegionProblem::ExtraPeer,
        "down-peer-region-count" => RegionProblem::DownPeer,
        "pending-peer-region-count" => RegionProblem::PendingPeer,
        "offline-peer-region-count" => RegionProblem::OfflinePeer,
        "learner-peer-region-count" => RegionProblem::LearnerPeer,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pd::recorded::Recorded;

    fn recorded(state: &str) -> Option<RegionHealth> {
        let (_, page) = Recorded::load(state).body("/metrics").unwrap();
        read(&page)
    }

    #[test]
    fn a_leader_counts() {
        let health = recorded("store-down").unwrap();
        assert_eq!((health.pending_peer, health.miss_peer, health.down_peer), (Some(23), Some(0), Some(0)));
        let health = recorded("store-offline").unwrap();
        assert_eq!(
            (health.extra_peer, health.learner_peer, health.offline_peer, health.pending_peer),
            (Some(5), Some(5), Some(9), Some(5))
        );
        assert_eq!((health.no_leader, health.quorum_lost), (None, None));
    }

    #[test]
    fn zeros_of_one_that_does_not_lead_are_no_counts() {
        for state in ["two-stores-lost", "pd-warm-again", "not-bootstrapped"] {
            assert_eq!(recorded(state), None, "{state}");
        }
    }

    #[test]
    fn rubbish_is_no_count() {
        let leads = "service_member_role{service=\"PD\"} 1\n";
        for page in ["", "<html>", leads, "pd_regions_status{type=\"miss-peer-region-count\"} 3\n"] {
            assert_eq!(read(page.as_bytes()), None, "{page}");
        }
        for value in ["NaN", "-1", "+Inf", "", "x"] {
            let page = format!("{leads}pd_regions_status{{type=\"miss-peer-region-count\"}} {value}\n");
            assert_eq!(read(page.as_bytes()), None, "{page}");
        }
        let page = format!(
            "{leads}pd_regions_status{{a=\"}}\",type=\"down-peer-region-count\"}} 1e+03 1795315667\n"
        );
        assert_eq!(read(page.as_bytes()).unwrap().down_peer, Some(1000));
    }
}
