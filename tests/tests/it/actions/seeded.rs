//! A thousand runs in which anything may go wrong between any two steps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use operator_core::{
    Action, Actor, Approval, InMemoryAuditLog, Outcome, OutcomeKind, Regarding, Region, RegionId,
    RegionQuery, SplitPolicy, StoreId, StoreLimitKind, Subject, SubjectExt,
};
use operator_tests::SimulatedTransport;
use operator_tikv::pd::OperatorState;
use tikv_simulator::{Config, Event, NodeId, OperatorEnd, Scenario, Simulator};

use super::Acting;
use super::unreliable::{Dice, Fate, Unreliable};

const RUNS: u64 = 1_000;

/// One run: what came of it, and whether that is true.
async fn run(seed: u64) -> Option<Outcome> {
    let mut config = Config::new(Scenario::Healthy);
    (config.seed, config.stores, config.regions) = (seed, 4, 12);
    let simulated = SimulatedTransport::new(Simulator::new(config));
    let audit = Arc::new(InMemoryAuditLog::default());
    let network = Unreliable::new(simulated.clone(), Arc::clone(&audit), seed);
    let acting =
        Acting::over(simulated.clone(), network.clone(), audit).with_patience(Duration::from_secs(40));
    let mut dice = Dice::new(!seed);
    let regions: Vec<Region> = acting.actor().regions_flat(RegionQuery::all()).try_collect().await.unwrap();
    let action = action(&mut dice, &regions);

    let region = action.targets().into_iter().find_map(|target| match target {
        Regarding::Region(id) => Some(id),
        _ => None,
    });
    if let (Some(region), 0) = (region, dice.roll(3)) {
        let ends = [OperatorEnd::TimesOut, OperatorEnd::Replaced, OperatorEnd::Canceled];
        let doom = Event::Doom { region: region.0, end: *dice.pick(&ends) };
        simulated.with(|simulator| simulator.apply(doom));
    }
    network.calm(dice.roll(2) == 0);
    let proposal = acting.executor.propose(action.clone()).await.ok()?;
    network.calm(false);
    let outcome = acting.executor.execute(&proposal.token, Approval::by("a test")).await.unwrap();
    network.calm(true);

    let told = format!("seed {seed}: {action}: {outcome:?}, {:?}", network.fates());
    // Sent at most once: nothing follows what may have arrived.
    let fates = network.fates();
    let may_have_arrived = |fate: &Fate| match fate {
        Fate::Refused => false,
        Fate::Lost => true,
        // 503 and these 500s say that it did not get to the point: what comes after is allowed.
        Fate::Answered(status, heard) => *status == 200 || !heard,
    };
    if let Some(first) = fates.iter().position(may_have_arrived) {
        assert_eq!(first + 1, fates.len(), "{told}");
    }
    let done = fates.iter().filter(|fate| matches!(fate, Fate::Answered(200, _))).count();
    assert!(done <= 1, "{told}");
    if outcome.sent == Some(false) {
        assert_eq!(done, 0, "{told}");
    }
    if outcome.outcome == OutcomeKind::Refused {
        assert_eq!(done, 0, "{told}");
    }
    if outcome.outcome != OutcomeKind::Verified || outcome.sent == Some(false) {
        return Some(outcome);
    }
    for member in 0..3 {
        simulated.with(|simulator| simulator.apply(Event::Restart(NodeId::Pd(member))));
    }
    simulated.pass(Duration::from_secs(30)).await;
    let gave_up = match region {
        Some(region) => {
            let status = acting.actor().subject().pd().operator_status(region).await.unwrap();
            status.is_some_and(|status| {
                status.description.starts_with("admin-") && matches!(status.state, OperatorState::Ended(_))
            })
        }
        None => false,
    };
    if done == 0 || gave_up {
        // Then it must be so all the same, because somebody else did it.
        let is_so = match &action {
            Action::SplitRegion { region_id, .. } => {
                let before = region_of(&regions, *region_id).epoch.version;
                acting.actor().region(*region_id).await.unwrap().epoch.version > before
            }
            action => acting.actor().preview(action).await.unwrap().request.is_none(),
        };
        assert!(is_so, "{told}");
    }
    Some(outcome)
}

fn region_of(regions: &[Region], id: RegionId) -> &Region {
    regions.iter().find(|region| region.id == id).unwrap()
}

fn action(dice: &mut Dice, regions: &[Region]) -> Action {
    let region = dice.pick(regions);
    let region_id = region.id;
    let holders: Vec<StoreId> = region.peers.iter().map(|peer| peer.store_id).collect();
    let others: Vec<StoreId> =
        [1, 4, 5, 6].map(StoreId).into_iter().filter(|store| !holders.contains(store)).collect();
    let (holder, other) = (*dice.pick(&holders), *dice.pick(&others));
    let scheduler = "balance-leader-scheduler".to_owned();
    match dice.roll(16) {
        0..3 => Action::TransferLeader { region_id, to_store_id: holder },
        3 => Action::TransferPeer { region_id, from_store_id: holder, to_store_id: other },
        4 => Action::AddPeer { region_id, store_id: other },
        5 => Action::RemovePeer { region_id, store_id: holder },
        6 => Action::SplitRegion { region_id, policy: SplitPolicy::Approximate, keys: Vec::new() },
        7 => Action::MergeRegions { source_region_id: regions[3].id, target_region_id: regions[4].id },
        8 => Action::ScatterRegion { region_id },
        9 => Action::DrainStore { store_id: holder },
        10 => Action::RemoveStore { store_id: other },
        11 => Action::SetStoreWeight { store_id: other, leader_weight: 2.0, region_weight: 1.0 },
        12 => Action::SetStoreLimit { store_id: other, kind: StoreLimitKind::AddPeer, rate_per_minute: 20.0 },
        13 => Action::SetLeaderScheduleLimit { limit: 8, ttl_seconds: None },
        14 => Action::PauseScheduler { scheduler, seconds: 300 },
        _ => Action::TransferPdLeader { member: "pd1".to_owned() },
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_twice_or_unrecorded_or_called_done_that_is_not() {
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..RUNS {
        let key = match run(seed).await {
            Some(outcome) => format!("{} {:?}", outcome.outcome, outcome.sent),
            None => "not proposed".to_owned(),
        };
        *outcomes.entry(key).or_default() += 1;
    }
    println!("{outcomes:?}");
    // Each way it can end must be among them, or the runs prove nothing.
    for way in
        ["verified Some(true)", "verified None", "refused Some(false)", "failed Some(true)", "failed None"]
    {
        assert!(outcomes.get(way).is_some_and(|count| *count >= 10), "{way} is rare: {outcomes:?}");
    }
}
