//! What is wrong, in plain words, as far as one observation shows.

use operator_core::{
    Observation, Regarding, RegionHealth, RegionProblem, SignalValue, Store, StoreState, TrustVerdict,
};
use operator_tikv::signals;

use crate::output::Tone;
use crate::output::text::{self, escaped};

/// PD's default `low-space-ratio` is 0.8: with less than this part free it moves no more data to a store.
const LOW_SPACE: f64 = 0.2;

/// The slow score from which PD takes a store for slow.
const SLOW: f64 = 80.0;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

/// The problems an observation shows, the control plane's first.
pub(crate) fn of(observation: &Observation) -> Vec<Problem> {
    let mut problems = members(observation);
    for store in observation.stores.iter().flatten() {
        problems.extend(state(store, observation));
        problems.extend(load(store, observation));
        problems.extend(disk(store));
    }
    problems.extend(schedulers(observation));
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

fn state(store: &Store, observation: &Observation) -> Option<Problem> {
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
        state => {
            text.push_str(&format!("is {state}"));
            if let Some(at) = store.last_heartbeat {
                text.push_str(&format!("; last heard from {}", text::age(at, observation.at)));
            }
            if state == StoreState::Down { Tone::Bad } else { Tone::Doubtful }
        }
    };
    let signal = |name| signal(observation, store, name);
    let lost = signal(signals::LOST).and_then(SignalValue::as_bool);
    let tone = if lost == Some(true) { Tone::Bad } else { tone };
    text.push_str(match signal(signals::PROBE).and_then(SignalValue::as_text) {
        Some("answers") => "; its status port answers: it is alive",
        Some("refused") => "; its status port refuses: it is dead",
        Some("silent") => "; its status port is silent: it hangs or is cut off",
        _ if observation.trust.verdict == TrustVerdict::WarmingUp => "; PD is warming up: it may be alive",
        _ => "",
    });
    Some(Problem { tone, text })
}

/// What a store says of itself.
fn load(store: &Store, observation: &Observation) -> Vec<Problem> {
    let named = |text: &str| Problem {
        tone: Tone::Doubtful,
        text: format!("store {} ({}) {text}", store.id, escaped(&store.address)),
    };
    let signal = |name| signal(observation, store, name);
    let slow = signal(signals::SLOW_SCORE).and_then(SignalValue::as_number).filter(|score| *score >= SLOW);
    let slow =
        slow.map(|score| named(&format!("is slow: it scores {score} of 100, PD takes {SLOW} for slow")));
    let busy = signal(signals::BUSY).and_then(SignalValue::as_bool).filter(|busy| *busy);
    let busy = busy.map(|_| named("says that it is too busy"));
    slow.into_iter().chain(busy).collect()
}

fn signal<'a>(observation: &'a Observation, store: &Store, name: &str) -> Option<&'a SignalValue> {
    let regarding = Regarding::Store(store.id);
    let mut signals = observation.signals.iter().flatten();
    signals.find(|signal| signal.name == name && signal.regarding == regarding).map(|signal| &signal.value)
}

fn schedulers(observation: &Observation) -> impl Iterator<Item = Problem> {
    let paused =
        observation.signals_named(signals::PAUSED_SCHEDULER).filter_map(|signal| signal.value.as_text());
    paused.map(|name| Problem {
        tone: Tone::Doubtful,
        text: format!("PD's scheduler {} is paused", escaped(name)),
    })
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

    use chrono::{DateTime, Utc};
    use operator_core::{ClusterMetrics, Member, Signal, StoreId};

    use super::*;

    fn observation() -> Observation {
        Observation::empty(DateTime::UNIX_EPOCH + Duration::from_secs(1_000))
    }

    fn texts(observation: &Observation) -> Vec<String> {
        of(observation).into_iter().map(|problem| problem.text).collect()
    }

    fn about_store(id: u64, name: &str, value: impl Into<SignalValue>) -> Signal {
        Signal::new(StoreId(id), name, value, DateTime::UNIX_EPOCH, "test")
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
        assert!(texts(&seen).first().unwrap().ends_with("; PD is warming up: it may be alive"));
    }

    #[test]
    fn a_probe_decides_what_the_heartbeats_leave_open() {
        for (probe, told) in [
            ("answers", "; its status port answers: it is alive"),
            ("refused", "; its status port refuses: it is dead"),
            ("silent", "; its status port is silent: it hangs or is cut off"),
        ] {
            let mut seen = observation();
            seen.stores = Some(vec![disconnected(seen.at)]);
            seen.trust.verdict = TrustVerdict::WarmingUp;
            seen.signals =
                Some(vec![about_store(4, signals::PROBE, probe), about_store(5, signals::PROBE, "x")]);
            assert!(texts(&seen).first().unwrap().ends_with(told), "{:?}", texts(&seen));
        }
    }

    #[test]
    fn what_a_store_says_of_itself_and_paused_schedulers_are_told() {
        let mut seen = observation();
        seen.stores = Some([1, 4].map(|id: u64| Store::new(id.into(), "tikv:1", StoreState::Up)).to_vec());
        let paused = Signal::new(
            Regarding::Cluster,
            signals::PAUSED_SCHEDULER,
            "balance-leader\u{7}",
            seen.at,
            "test",
        );
        seen.signals = Some(vec![
            about_store(1, signals::SLOW_SCORE, 79.0),
            about_store(1, signals::BUSY, false),
            about_store(4, signals::SLOW_SCORE, 100.0),
            about_store(4, signals::BUSY, true),
            paused,
        ]);
        let expected = [
            "store 4 (tikv:1) is slow: it scores 100 of 100, PD takes 80 for slow",
            "store 4 (tikv:1) says that it is too busy",
            "PD's scheduler balance-leader\\u{7} is paused",
        ];
        assert_eq!(texts(&seen), expected);
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
