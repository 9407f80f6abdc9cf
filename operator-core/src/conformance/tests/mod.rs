//! The in-memory subject keeps to every rule, whatever it holds; one that lies breaks the rule that the lie is about.

mod actor;
mod broken;

use std::collections::BTreeSet;

use chrono::DateTime;
use serde_json::json;

use self::broken::{Broken, Lie};
use super::Outcome;
use super::*;
use crate::*;

fn peer(id: u64, store: u64) -> Peer {
    Peer { id: id.into(), store_id: store.into(), role: PeerRole::Voter }
}

fn stores() -> Vec<Store> {
    (1..=3).map(|id| Store::new(id.into(), format!("10.0.0.{id}:20160"), StoreState::Up)).collect()
}

/// Twelve regions on two stores each, over the whole key space.
fn regions() -> Vec<Region> {
    let key = |index: u8| if index.is_multiple_of(12) { Key::default() } else { vec![index * 16].into() };
    let region = |index: u8| {
        let range = KeyRange::new(key(index), key(index + 1));
        let id = u64::from(index) + 1;
        let mut region = Region::new(id.into(), range, Epoch { conf_ver: 1, version: id });
        region.peers = vec![peer(100 + id, 1 + id % 3), peer(200 + id, 1 + (id + 1) % 3)];
        region.leader = Some(region.peers[0]);
        region.pending_peers = vec![region.peers[1]];
        region.down_peers = vec![DownPeer { peer: region.peers[1], down_for: Some(Duration::from_secs(9)) }];
        region
    };
    (0..12).map(region).collect()
}

/// A subject that has everything.
fn full() -> InMemorySubject {
    let at = DateTime::UNIX_EPOCH;
    let metrics = |id: u64| {
        let mut metrics = StoreMetrics::new(id.into(), at);
        metrics.qps = Some(0.5);
        metrics.latency_p99 = Some(Duration::from_micros(1_234));
        metrics
    };
    let mut cluster = ClusterMetrics::from_stores(&stores());
    cluster.leader_count.insert(1.into(), 4);
    let mut health = RegionHealth { no_leader: Some(0), pending_peer: Some(12), ..RegionHealth::default() };
    (1..=12).for_each(|id| health.add_sample(RegionProblem::PendingPeer, id.into()));
    let mut leader = Member::new("pd0", 1.into());
    leader.leader = true;
    let hot = |id: u64, kind| HotRegion::new(id.into(), 1.into(), kind, id as f64, 1.0);
    InMemorySubject::new("full")
        .with_stores(stores())
        .with_metrics((1..=2).map(metrics))
        .with_cluster_metrics(cluster)
        .with_region_health(health)
        .with_members([leader, Member::new("pd1", 2.into())])
        .with_regions(regions())
        .with_hot_regions([hot(1, HotKind::Read), hot(2, HotKind::Write), hot(3, HotKind::Read)])
        .with_signals([Signal::new(StoreId(1), "slow_score", 1.0, at, "/stores")])
        .with_actions([action("transfer_leader", json!({"type": "object", "properties": {}}))])
        .with_slos([slo("low_latency", 0.5)])
}

fn action(name: &str, parameters: serde_json::Value) -> ActionInfo {
    ActionInfo::new(name, "", parameters, Danger::Safe)
}

fn slo(name: &str, threshold: f64) -> Slo {
    Slo::new(name, "", "latency_p99_seconds", Comparison::AtMost, threshold, "s")
}

#[tokio::test(start_paused = true)]
async fn the_in_memory_subject_passes_in_every_shape() {
    let one = |id: u64| Region::new(id.into(), KeyRange::all(), Epoch::default());
    let torn = regions().into_iter().enumerate().filter(|(index, _)| !matches!(index, 0 | 3 | 11));
    let mut claimed_twice = regions();
    claimed_twice[4].end_key = claimed_twice[6].end_key.clone();
    let hesitant = full();
    Operation::ALL.iter().for_each(|operation| hesitant.delay(*operation, Duration::from_secs(5)));

    for (what, subject, skipped) in [
        ("nothing", InMemorySubject::new("nothing"), 11),
        ("stores only", InMemorySubject::new("stores").with_stores(stores()), 11),
        ("one region", InMemorySubject::new("one").with_regions([one(1)]), 7),
        ("no region yet", InMemorySubject::new("none").with_regions([]), 7),
        (
            "with gaps",
            InMemorySubject::new("torn").with_stores(stores()).with_regions(torn.map(|(_, r)| r)),
            7,
        ),
        ("with overlaps", InMemorySubject::new("o").with_stores(stores()).with_regions(claimed_twice), 7),
        ("everything", full(), 0),
        ("slow", hesitant, 0),
    ] {
        let report = check(&subject).await;
        assert!(report.failures.is_empty(), "{what}: {report}");
        assert_eq!(report.passed.len() + report.skipped.len(), RULES.len(), "{what}: {report}");
        assert_eq!(report.skipped.len(), skipped, "{what}: {report}");
    }
}

const LIES: &[(&str, &str, Lie)] = &[
    ("config_is_sound", "no name", Lie::Config(|config| config.name.clear())),
    ("config_is_sound", "declared twice", Lie::Config(|config| config.observations.push(Operation::Region))),
    ("config_is_sound", "two objectives", Lie::Config(|config| config.slos.push(slo("low_latency", 1.0)))),
    ("config_is_sound", "camel case", Lie::Config(|config| config.slos.push(slo("LowLatency", 1.0)))),
    ("config_is_sound", "no threshold", Lie::Config(|config| config.slos.push(slo("fast", f64::NAN)))),
    (
        "actions_have_schemas",
        "no schema",
        Lie::Config(|config| config.actions.push(action("a", json!(null)))),
    ),
    (
        "actions_have_schemas",
        "a list",
        Lie::Config(|c| c.actions.push(action("a", json!({"type": "array"})))),
    ),
    ("actions_have_schemas", "two", Lie::Config(|config| config.actions.extend(config.actions.clone()))),
    ("actions_have_schemas", "a name with a dash", Lie::Config(|c| c.actions[0].name = "move-leader".into())),
    ("declared_answers", "stores fail", Lie::Fails(Operation::Stores, ErrorKind::Unavailable)),
    ("declared_answers", "members unsupported", Lie::Fails(Operation::Members, ErrorKind::Unsupported)),
    ("declared_answers", "regions fail", Lie::Fails(Operation::Regions, ErrorKind::Protocol)),
    ("declared_answers", "region fails", Lie::Fails(Operation::Region, ErrorKind::Timeout)),
    ("declared_answers", "signals hang", Lie::Hangs(Operation::Signals)),
    ("declared_answers", "regions hang", Lie::Hangs(Operation::Regions)),
    ("undeclared_is_unsupported", "works", Lie::Hidden(Operation::Members, None)),
    ("undeclared_is_unsupported", "stream works", Lie::Hidden(Operation::Regions, None)),
    (
        "undeclared_is_unsupported",
        "another name",
        Lie::Hidden(Operation::StoreMetrics, Some(|| Error::unsupported("metrics"))),
    ),
    (
        "undeclared_is_unsupported",
        "another kind",
        Lie::Hidden(Operation::HotRegions, Some(|| Error::new(ErrorKind::NotFound, "hot_regions", ""))),
    ),
    ("unknown_ids_are_not_found", "store", Lie::Unknown(Operation::Stores, ErrorKind::Protocol)),
    ("unknown_ids_are_not_found", "region", Lie::Unknown(Operation::Region, ErrorKind::Unavailable)),
    ("unknown_ids_are_not_found", "invented", Lie::InventsRegions),
    ("cancelled_calls_leave_no_trace", "stores", Lie::Sensitive(Operation::Stores)),
    ("cancelled_calls_leave_no_trace", "regions", Lie::Sensitive(Operation::Regions)),
    ("stores_are_distinct", "twice", Lie::Stores(|stores| stores.extend(stores.clone()))),
    ("stores_are_distinct", "removed", Lie::Stores(|stores| stores[0].state = StoreState::Tombstone)),
    ("store_agrees_with_stores", "always the first", Lie::Store(|store| store.id = 1.into())),
    ("store_agrees_with_stores", "other address", Lie::Store(|store| store.address.clear())),
    ("store_agrees_with_stores", "not found", Lie::Stores(|stores| stores.push(unheard_of(9)))),
    ("metrics_are_sound", "twice", Lie::Metrics(|metrics| metrics.extend(metrics.clone()))),
    ("metrics_are_sound", "no such store", Lie::Metrics(|metrics| metrics[0].store_id = 9.into())),
    ("metrics_are_sound", "negative", Lie::Metrics(|metrics| metrics[0].cpu_cores = Some(-1.0))),
    ("metrics_are_sound", "not a number", Lie::Metrics(|metrics| metrics[0].qps = Some(f64::NAN))),
    ("cluster_metrics_add_up", "miscounted", Lie::Cluster(|cluster| cluster.store_count = Some(2))),
    ("cluster_metrics_add_up", "who?", Lie::Cluster(|c| c.leader_count.extend([(9.into(), 1)]))),
    ("cluster_metrics_add_up", "health", Lie::Cluster(|c| c.region_health = Some(RegionHealth::default()))),
    ("members_are_distinct", "one name", Lie::Members(|members| members[1].name = "pd0".into())),
    ("members_are_distinct", "one id", Lie::Members(|members| members[1].id = 1.into())),
    ("members_are_distinct", "two leaders", Lie::Members(|members| members[1].leader = true)),
    (
        "regions_are_in_order",
        "backwards",
        Lie::Pages(|pages| pages.iter_mut().for_each(|page| page.regions.reverse())),
    ),
    ("regions_are_in_order", "twice", Lie::Regions(|regions| regions[3].id = regions[2].id)),
    ("regions_are_in_order", "hidden gap", Lie::Hides(|regions| drop(regions.remove(3)))),
    ("regions_are_in_order", "hidden gap behind", Lie::Hides(|regions| drop(regions.pop()))),
    (
        "regions_are_in_order",
        "hidden overlap",
        Lie::Hides(|regions| regions[3].end_key = regions[4].end_key.clone()),
    ),
    (
        "regions_are_in_order",
        "invented gap",
        Lie::Pages(|pages| pages.iter_mut().for_each(|page| page.gaps.push(KeyRange::all()))),
    ),
    ("regions_are_in_order", "never ends", Lie::NeverEnds),
    (
        "regions_obey_the_query",
        "page size",
        Lie::Query(|query| query.page_size = RegionQuery::DEFAULT_PAGE_SIZE),
    ),
    ("regions_obey_the_query", "limit", Lie::Query(|query| query.limit = None)),
    (
        "regions_obey_the_query",
        "less than the limit",
        Lie::Query(|q| q.limit = q.limit.map(|limit| limit - 1)),
    ),
    ("regions_obey_the_query", "start", Lie::Query(|query| query.start_key = Key::default())),
    ("regions_obey_the_query", "end", Lie::Query(|query| query.end_key = Key::default())),
    ("regions_obey_the_query", "store", Lie::Query(|query| query.store = None)),
    ("regions_have_their_peers", "leader", Lie::Regions(|regions| regions[3].leader = Some(peer(999, 1)))),
    ("regions_have_their_peers", "down", Lie::Regions(|r| r[3].down_peers[0].peer = peer(999, 1))),
    ("regions_have_their_peers", "pending", Lie::Regions(|r| r[3].pending_peers = vec![peer(999, 1)])),
    ("regions_have_their_peers", "one id", Lie::Regions(|regions| regions[3].peers.push(peer(101, 1)))),
    ("regions_have_their_peers", "no such store", Lie::Regions(|r| r[3].peers.push(peer(999, 9)))),
    ("region_agrees_with_regions", "always the first", Lie::Region(|region| region.id = 1.into())),
    ("region_agrees_with_regions", "range", Lie::Region(|region| region.end_key = vec![0xFF].into())),
    ("region_agrees_with_regions", "peers", Lie::Region(|region| region.peers.truncate(1))),
    ("hot_regions_are_ranked", "coolest first", Lie::Hot(|hot| hot.reverse())),
    ("hot_regions_are_ranked", "too many", Lie::HotQuery(|query| query.top = 100)),
    ("hot_regions_are_ranked", "any kind", Lie::HotQuery(|query| query.kind = None)),
    (
        "hot_regions_are_ranked",
        "negative",
        Lie::Hot(|hot| hot.iter_mut().for_each(|h| h.keys_per_second = -1.0)),
    ),
    ("region_health_has_evidence", "too much", Lie::Health(|h| add(h, RegionProblem::MissPeer, 1..22))),
    ("region_health_has_evidence", "of nothing", Lie::Health(|h| add(h, RegionProblem::NoLeader, 1..2))),
    ("region_health_has_evidence", "twice", Lie::Health(|h| add(h, RegionProblem::PendingPeer, 1..2))),
    ("signals_are_sound", "name", Lie::Signals(|signals| signals[0].name = "slow score".into())),
    ("signals_are_sound", "source", Lie::Signals(|signals| signals[0].source.clear())),
    ("signals_are_sound", "infinite", Lie::Signals(|signals| signals[0].value = f64::INFINITY.into())),
    ("trust_is_pure", "another word each time", Lie::Fickle),
    (
        "json_round_trips",
        "about a nameless member",
        Lie::Signals(|signals| signals[0].regarding = Regarding::Member(String::new())),
    ),
    (
        "json_round_trips",
        "half a second",
        Lie::Regions(|r| r[3].down_peers[0].down_for = Some(Duration::from_millis(1_500))),
    ),
];

fn unheard_of(id: u64) -> Store {
    Store::new(id.into(), "10.0.0.9:20160", StoreState::Up)
}

fn add(health: &mut RegionHealth, problem: RegionProblem, ids: std::ops::Range<u64>) {
    health.sample.entry(problem).or_default().extend(ids.map(RegionId));
}

#[tokio::test(start_paused = true)]
async fn each_lie_breaks_the_rule_it_is_about_and_no_other() {
    let mut wrong = String::new();
    for (rule, lie, how) in LIES {
        let report = check(&Broken::new(how)).await;
        let broken: BTreeSet<_> = report.failures.iter().map(|failure| failure.rule).collect();
        if broken != BTreeSet::from([*rule]) {
            wrong += &format!("{rule}: {lie}: {report}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_rule_is_broken_by_some_lie_and_has_its_own_name() {
    let broken: BTreeSet<_> = LIES.iter().map(|(rule, ..)| *rule).collect();
    let names: BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(broken, names);
    assert_eq!(names.len(), RULES.len());
}

#[tokio::test(start_paused = true)]
async fn a_rule_can_be_checked_alone_and_a_report_names_every_failure() {
    let subject = InMemorySubject::new("bare");
    let members = RULES.iter().find(|rule| rule.name == "members_are_distinct").unwrap();
    let outcome = members.check(&subject, DEADLINE).await;
    assert_eq!(outcome, Outcome::Skipped("members is not declared".to_owned()));

    subject.fail(Operation::Stores, ErrorKind::Unavailable);
    let report = check(&subject).await;
    let text = report.to_string();
    assert!(text.contains("FAILED declared_answers: stores is declared and answered unavailable"), "{text}");
    assert!(text.contains("skipped members_are_distinct: members is not declared"), "{text}");
    let told = std::panic::catch_unwind(|| report.assert_passed()).unwrap_err();
    assert_eq!(told.downcast_ref(), Some(&text));
}
