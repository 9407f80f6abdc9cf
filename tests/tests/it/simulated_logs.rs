//! What the simulated stores and PDs write to their logs, read as the program reads logs, against what the model did.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use operator_core::{LeadershipChange, LeadershipChangeKind as Kind};
use operator_tikv::log::{leadership_of_line, may_tell, parse_line};
use tikv_simulator::{Config, Event, Led, NodeId, OperatorEnd, Request, Scenario, Simulator};

/// What every node wrote, by its name.
type Logs = BTreeMap<String, Vec<String>>;

fn simulator(scenario: Scenario) -> Simulator {
    let mut config = Config::new(scenario);
    config.logs = true;
    Simulator::new(config)
}

fn drain(simulator: &mut Simulator) -> Logs {
    let nodes = simulator.nodes();
    let mut logs = Logs::new();
    for node in nodes {
        let written = simulator.drain_log(node.id);
        assert_eq!(written.lost, 0, "{}", node.name);
        logs.insert(node.name, written.lines);
    }
    logs
}

/// What the lines tell, each with the node that wrote it, in the order of time.
fn told(logs: &Logs) -> Vec<(&str, LeadershipChange)> {
    let mut told = Vec::new();
    for (node, lines) in logs {
        for line in lines {
            let parsed = parse_line(line.as_bytes());
            assert!(parsed.is_ok(), "{line}: {:?}", parsed.err());
            if let Some(change) = leadership_of_line(line.as_bytes(), node, None) {
                let change = change.to_owned();
                assert!(may_tell(line.as_bytes(), change.kind.is_vote()), "it would be passed over: {line}");
                told.push((node.as_str(), change));
            }
        }
    }
    told.sort_by_key(|(_, change)| change.at);
    told
}

/// When, region, peer, term and the store's name.
type Leader = (DateTime<Utc>, Option<u64>, Option<u64>, Option<u64>, String);

fn leaders(told: &[(&str, LeadershipChange)]) -> Vec<Leader> {
    let leaders = told.iter().filter(|(_, change)| change.kind == Kind::BecameLeader);
    let mut leaders: Vec<_> = leaders
        .map(|(node, change)| {
            (
                change.at,
                change.region_id.map(|id| id.0),
                change.peer_id.map(|id| id.0),
                change.term,
                (*node).to_owned(),
            )
        })
        .collect();
    leaders.sort();
    leaders
}

/// The same from the model, to the millisecond.
fn truth(simulator: &Simulator, led: &[Led]) -> Vec<Leader> {
    let name = |store: u64| {
        let node = simulator.nodes().into_iter().find(|node| node.id == NodeId::Store(store));
        node.map(|node| node.name).unwrap_or_default()
    };
    let mut leaders: Vec<_> = led
        .iter()
        .map(|led| {
            let at = DateTime::from_timestamp_millis(led.at.timestamp_millis()).unwrap();
            (at, Some(led.region), Some(led.peer), Some(led.term), name(led.store))
        })
        .collect();
    leaders.sort();
    leaders
}

/// The peer that leads the region and its term, as the stores say it themselves.
fn by_the_stores(simulator: &mut Simulator, region: u64) -> Option<(u64, u64)> {
    let authorities: Vec<_> = simulator.nodes().into_iter().map(|node| node.authority).collect();
    authorities.iter().filter(|authority| authority.ends_with(":20180")).find_map(|authority| {
        let reply = simulator.answer(authority, &Request::get(format!("/region/{region}")));
        let status = serde_json::from_slice::<serde_json::Value>(reply.body()).ok()?["raft_status"].clone();
        let leads = status["soft_state"]["raft_state"] == "Leader";
        leads.then(|| Some((status["id"].as_u64()?, status["hard_state"]["term"].as_u64()?))).flatten()
    })
}

/// Every leader that the model made stands in the log of its store, no other does, and terms rise.
fn check(simulator: &mut Simulator, logs: &Logs) -> usize {
    let led = simulator.drain_leaders();
    let told = told(logs);
    let leaders = leaders(&told);
    assert_eq!(leaders, truth(simulator, &led));
    let mut last: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for (at, region, peer, term, node) in &leaders {
        let (region, peer, term) = (region.unwrap(), peer.unwrap(), term.unwrap());
        let before = last.insert(region, (peer, term));
        assert!(
            before.is_none_or(|(_, before)| before < term),
            "{at} region {region} on {node}: {before:?}, {term}"
        );
    }
    for (region, (peer, term)) in last {
        // Unless it lost that leader again, or was merged away.
        if let Some(now) = by_the_stores(simulator, region) {
            assert_eq!(now, (peer, term), "region {region}");
        }
    }
    leaders.len()
}

#[test]
fn the_logs_of_a_crash_tell_every_leader_that_was_elected() {
    let mut simulator = simulator(Scenario::StoreCrash);
    let led_before = simulator.truth().stores[&4].leaders;
    simulator.advance(Duration::from_secs(75));
    let logs = drain(&mut simulator);
    assert_eq!(check(&mut simulator, &logs) as u64, led_before, "one for each region that it led");
    let told = told(&logs);
    let count = |kind| told.iter().filter(|(_, change)| change.kind == kind).count() as u64;
    for kind in [Kind::ElectionStarted, Kind::BecamePreCandidate, Kind::BecameCandidate, Kind::LeaderReported]
    {
        assert_eq!(count(kind), led_before, "{kind:?}");
    }
    // The third peer of each follows. Nobody steps down: what led is dead and says nothing.
    assert_eq!(count(Kind::BecameFollower), led_before);
    let stepped_down = |change: &LeadershipChange| change.from_role.as_deref() == Some("Leader");
    assert!(!told.iter().any(|(_, change)| stepped_down(change)));
    let crash = simulator.config().start + Duration::from_secs(30);
    assert!(!logs["tikv1"].is_empty());
    assert!(logs["tikv1"].iter().all(|line| parse_line(line.as_bytes()).unwrap().time.utc() < crash));

    // It comes back, and leadership is balanced back to it: handed over, each time by a leader that steps down.
    simulator.apply(Event::Restart(NodeId::Store(4)));
    simulator.advance(Duration::from_secs(180));
    let logs = drain(&mut simulator);
    let moved = check(&mut simulator, &logs);
    assert!(moved >= 10, "{moved}");
    let told = self::told(&logs);
    let count = |kind| told.iter().filter(|(_, change)| change.kind == kind).count();
    assert_eq!((count(Kind::TransferStarted), count(Kind::TransferReceived)), (moved, moved));
    assert_eq!(told.iter().filter(|(_, change)| stepped_down(change)).count(), moved);
    assert!(logs["tikv1"][0].ends_with("[\"Welcome to TiKV\"] [thread_id=1]"), "{}", logs["tikv1"][0]);
}

#[test]
fn every_scenarios_logs_tell_what_happened() {
    for scenario in Scenario::ALL.into_iter().filter(|scenario| *scenario != Scenario::Big) {
        let mut simulator = simulator(scenario);
        simulator.advance(Duration::from_secs(5 * 60));
        let logs = drain(&mut simulator);
        check(&mut simulator, &logs);
        // PD's members agree with the model on who led last.
        let elected = told(&logs).into_iter().filter(|(_, change)| change.kind == Kind::PdLeaderElected);
        let last = elected.map(|(node, _)| node.to_owned()).next_back();
        if let Some(leader) = simulator.truth().pd_leader {
            assert_eq!(last, Some(leader), "{scenario}");
        }
    }
}

/// A linear congruential generator.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[test]
fn whatever_happens_logs_tell_the_truth() {
    for seed in 0..4 {
        let mut config = Config::new(Scenario::StoreOffline);
        (config.seed, config.logs) = (seed, true);
        let mut simulator = Simulator::new(config);
        let mut dice = Dice(seed);
        let mut moved = 0;
        for _ in 0..60 {
            let stores: Vec<_> = simulator.truth().stores.into_keys().collect();
            let store = stores[usize::try_from(dice.below(stores.len() as u64)).unwrap()];
            let pd = NodeId::Pd(usize::try_from(dice.below(3)).unwrap());
            let region = dice.below(200);
            simulator.apply(match dice.below(12) {
                0 => Event::Crash(NodeId::Store(store)),
                1 | 2 => Event::Hang(NodeId::Store(store)),
                3..=5 => Event::Restart(NodeId::Store(store)),
                6 => Event::Crash(pd),
                7 => Event::Restart(pd),
                8 => Event::ResignPdLeader,
                9 => Event::Split(region),
                10 => Event::MergeWithNext(region),
                _ => Event::Doom { region, end: OperatorEnd::TimesOut },
            });
            simulator.advance(Duration::from_millis(dice.below(40_000)));
            let logs = drain(&mut simulator);
            moved += check(&mut simulator, &logs);
        }
        assert!(moved > 50, "{moved}");
    }
}

#[test]
fn a_store_without_a_quorum_says_so_and_goes_on_trying() {
    let mut simulator = simulator(Scenario::TwoStoresLost);
    simulator.advance(Duration::from_secs(120));
    let logs = drain(&mut simulator);
    let told = told(&logs);
    let of = |kind| told.iter().filter(move |(node, change)| *node == "tikv0" && change.kind == kind).count();
    let led = 16;
    assert_eq!(of(Kind::QuorumLost), led);
    assert_eq!(of(Kind::BecameLeader), 0);
    assert!(of(Kind::ElectionStarted) >= 48 * 3, "{}", of(Kind::ElectionStarted));
    // Only a quorum ends it.
    simulator.apply(Event::Restart(NodeId::Store(4)));
    simulator.advance(Duration::from_secs(60));
    let logs = drain(&mut simulator);
    assert!(check(&mut simulator, &logs) >= 48);
    simulator.advance(Duration::from_secs(60));
    let logs = drain(&mut simulator);
    assert_eq!(
        self::told(&logs).iter().filter(|(_, change)| change.kind == Kind::ElectionStarted).count(),
        check(&mut simulator, &logs)
    );
}

#[test]
fn a_leader_that_hung_learns_that_it_leads_no_more() {
    let mut simulator = simulator(Scenario::Healthy);
    let led = usize::try_from(simulator.truth().stores[&4].leaders).unwrap();
    simulator.apply(Event::Hang(NodeId::Store(4)));
    simulator.advance(Duration::from_secs(60));
    drain(&mut simulator);
    simulator.apply(Event::Restart(NodeId::Store(4)));
    let logs = drain(&mut simulator);
    let stepped_down = told(&logs);
    let stepped_down = stepped_down.iter().filter(|(node, change)| {
        *node == "tikv1"
            && change.kind == Kind::BecameFollower
            && change.from_role.as_deref() == Some("Leader")
    });
    assert_eq!(stepped_down.count(), led);
}
