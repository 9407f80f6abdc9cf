//! What is wrong, in plain words, as far as one observation shows.

use chrono::{DateTime, Utc};
use operator_core::{Observation, RegionHealth, RegionProblem, Store, StoreState, TrustVerdict};

use crate::output::Tone;
use crate::output::text::{self, escaped};

/// PD's default `low-space-ratio` is 0.8: with less than this part free it moves no more data to a store.
const LOW_SPACE: f64 = 0.2;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

/// The problems an observation shows, the control plane's first.
pub(crate) fn of(observation: &Observation) -> Vec<Problem> {
    let mut problems = members(observation);
    let warming_up = observation.trust.verdict == TrustVerdict::WarmingUp;
    for store in observation.stores.iter().flatten() {
        problems.extend(state(store, observation.at, warming_up));
        problems.extend(disk(store));
    }
    if let Some(health) = observation.cluster.as_ref().and_then(|cluster| cluster.region_health.as_ref()) {
        problems.extend(regions(health));
    }
    problems
}

fn members(observation: &Observation) -> Vec<Problem> {
    let Some(members) = &observation.members else { return Vec::new() };
    let mut problems: Vec<_> = members
        .iter()
        .filter(|member| member.healthy == Some(false))
        .map(|member| Problem {
            tone: Tone::Bad,
            text: format!("member {} does not pass its health check", escaped(&member.name)),
        })
        .collect();
    if !members.is_empty() && !members.iter().any(|member| member.leader) {
        problems.push(Problem { tone: Tone::Bad, text: "no member of the control plane leads".to_owned() });
    }
    problems
}

fn state(store: &Store, now: DateTime<Utc>, warming_up: bool) -> Option<Problem> {
    let mut text = format!("store {} ({}) ", store.id, escaped(&store.address));
    let tone = match store.state {
        StoreState::Up | StoreState::Tombstone => return None,
        StoreState::Offline => {
            text.push_str("is being removed (Offline)");
            if let Some(left) = store.region_count {
                text.push_str(&format!(": {left} regions left on it"));
            }
            Tone::Doubtful
        }
        state if warming_up => {
            text.push_str(&format!("is shown as {state}, but PD is warming up: it may be alive"));
            Tone::Doubtful
        }
        StoreState::Down => {
            text.push_str("is Down");
            Tone::Bad
        }
        state => {
            text.push_str(&format!("is {state}"));
            Tone::Doubtful
        }
    };
    if store.state != StoreState::Offline
        && let Some(at) = store.last_heartbeat
    {
        text.push_str(&format!("; last heard from {}", text::age(at, now)));
    }
    Some(Problem { tone, text })
}

fn disk(store: &Store) -> Option<Problem> {
    let (available, capacity) = (store.available_bytes?, store.capacity_bytes?);
    let low = store.state != StoreState::Tombstone && (available as f64) < capacity as f64 * LOW_SPACE;
    low.then(|| Problem {
        tone: Tone::Doubtful,
        text: format!(
            "store {} ({}) has {} of {} free ({}): below 20% PD moves no more data to it by default",
            store.id,
            escaped(&store.address),
            text::bytes(available),
            text::bytes(capacity),
            text::known(text::percent(available, capacity)),
        ),
    })
}

fn regions(health: &RegionHealth) -> impl Iterator<Item = Problem> {
    RegionProblem::ALL.into_iter().rev().filter_map(|problem| {
        let count = health.count(problem).filter(|count| *count > 0)?;
        let (tone, one, many) = match problem {
            RegionProblem::QuorumLost => (
                Tone::Bad,
                "has lost the majority of its replicas: it cannot be read or written",
                "have lost the majority of their replicas: they cannot be read or written",
            ),
            RegionProblem::NoLeader => {
                (Tone::Bad, "has no leader that is alive", "have no leader that is alive")
            }
            RegionProblem::DownPeer => {
                (Tone::Doubtful, "has a replica that is down", "have a replica that is down")
            }
            RegionProblem::MissPeer => (Tone::Doubtful, "has too few replicas", "have too few replicas"),
            // The rest comes and goes with PD's scheduling.
            _ => return None,
        };
        let text = if count == 1 { format!("1 region {one}") } else { format!("{count} regions {many}") };
        Some(Problem { tone, text })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use operator_core::{ClusterMetrics, Member};

    use super::*;

    fn observation() -> Observation {
        Observation::empty(DateTime::UNIX_EPOCH + Duration::from_secs(1_000))
    }

    fn texts(observation: &Observation) -> Vec<String> {
        of(observation).into_iter().map(|problem| problem.text).collect()
    }

    fn disconnected(at: DateTime<Utc>) -> Store {
        let mut store = Store::new(4.into(), "tikv1:20160", StoreState::Disconnected);
        store.last_heartbeat = Some(at - Duration::from_secs(45));
        store
    }

    #[test]
    fn a_healthy_cluster_has_no_problems() {
        let mut seen = observation();
        let mut member = Member::new("pd1", 1.into());
        (member.leader, member.healthy) = (true, Some(true));
        seen.members = Some(vec![member]);
        let mut store = Store::new(1.into(), "tikv0:20160", StoreState::Up);
        (store.available_bytes, store.capacity_bytes) = (Some(20), Some(100));
        seen.stores = Some(vec![store, Store::new(2.into(), "gone:1", StoreState::Tombstone)]);
        assert_eq!(of(&seen), []);
    }

    #[test]
    fn a_store_in_doubt_is_told_and_not_believed_while_pd_warms_up() {
        let mut seen = observation();
        seen.stores = Some(vec![disconnected(seen.at)]);
        assert_eq!(texts(&seen), ["store 4 (tikv1:20160) is Disconnected; last heard from 45s ago"]);
        seen.trust.verdict = TrustVerdict::WarmingUp;
        assert!(texts(&seen).first().unwrap().contains("but PD is warming up: it may be alive"));
    }

    #[test]
    fn members_disks_and_regions_are_told() {
        let mut seen = observation();
        let mut member = Member::new("pd\u{1b}1", 1.into());
        member.healthy = Some(false);
        seen.members = Some(vec![member]);
        let mut full = Store::new(3.into(), "tikv2:20160", StoreState::Up);
        (full.available_bytes, full.capacity_bytes) = (Some(4 << 30), Some(100 << 30));
        seen.stores = Some(vec![full]);
        let mut health = RegionHealth::default();
        health.set_count(RegionProblem::MissPeer, Some(12));
        health.set_count(RegionProblem::QuorumLost, Some(1));
        health.set_count(RegionProblem::PendingPeer, Some(7));
        let mut cluster = ClusterMetrics::default();
        cluster.region_health = Some(health);
        seen.cluster = Some(cluster);
        let expected = [
            "member pd\\u{1b}1 does not pass its health check",
            "no member of the control plane leads",
            "store 3 (tikv2:20160) has 4GiB of 100GiB free (4%): below 20% PD moves no more data to it by default",
            "1 region has lost the majority of its replicas: it cannot be read or written",
            "12 regions have too few replicas",
        ];
        assert_eq!(texts(&seen), expected);
    }
}
