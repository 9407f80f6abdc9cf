//! Each simulated story from its beginning to its end, under a monitor: exactly which events come, and when.
//!
//! PD calls a store `Disconnected` 20 s after its last heartbeat, at most 10 s before its death; looks come every 5 s: the
//! first event follows a fault within 25 s.

use std::time::Duration;

use tikv_simulator::{Config, Event, NodeId, Scenario, Simulator};

use crate::watched::{Watched, short};

/// What a monitor tells that looks every 5 s, with the second of each event; `acts` happen at their seconds.
async fn story(scenario: Scenario, seconds: u64, acts: &[(u64, Event)]) -> Vec<String> {
    // Not at the very moment at which something happens: what comes first then is chance.
    let watched = Watched::begin(Config::new(scenario), Duration::from_secs(2), Duration::from_secs(5)).await;
    let (began, mut now) = (watched.began(), 2);
    for (at, event) in acts {
        watched.pass(Duration::from_secs(at - now)).await;
        now = *at;
        watched.act(|simulator: &mut Simulator| simulator.apply(event.clone()));
    }
    watched.pass(Duration::from_secs(seconds - now)).await;
    let (told, _) = watched.end().await;
    // Some events come after what a look waited for, of which a retry's share is chance: they count as the look's.
    let look = |event| Watched::seconds(began, event) - (Watched::seconds(began, event) - 2) % 5;
    let lines = told.iter().map(|event| format!("{} {}", look(event), short(event)));
    // That it began and ended is the same in every story.
    lines.filter(|line| !line.ends_with(" started") && !line.ends_with(" stopped")).collect()
}

/// A story: what happens besides the scenario, for how long it is watched, and what is told.
struct Story {
    scenario: Scenario,
    acts: &'static [(u64, Event)],
    seconds: u64,
    /// When that happens which the cluster can know of, and what is told of it.
    fault: Option<(i64, &'static str)>,
    told: &'static [&'static str],
}

/// PD's heartbeat timeout and a tick.
const TOLD_WITHIN_SECONDS: i64 = 20 + 5;

const STORIES: [Story; 13] = [
    Story {
        scenario: Scenario::Healthy,
        acts: &[],
        seconds: 600,
        fault: None,
        told: &["2 observed complete"],
    },
    // It dies at 30 s. PD does not hear from it for 20 s after its last heartbeat; it is started again at 303 s.
    Story {
        scenario: Scenario::StoreCrash,
        acts: &[(303, Event::Restart(NodeId::Store(4)))],
        seconds: 400,
        fault: Some((30, "store_down store/4")),
        told: &[
            "2 observed complete",
            "32 observed partial",
            "32 pending pending_peer cluster warning",
            "32 pending store_unobserved store/4 warning",
            "42 observed complete",
            "42 firing store_down store/4 warning",
            "42 pending no_leader cluster critical",
            "102 firing store_down store/4 critical after warning",
            "367 resolved store_down store/4 critical",
        ],
    },
    // From 10 s on; PD waits for several heartbeats that say so.
    Story {
        scenario: Scenario::SlowStore,
        acts: &[(203, Event::Fast(4))],
        seconds: 500,
        fault: Some((10, "high_latency store/4")),
        told: &[
            "2 observed complete",
            "12 pending high_latency store/4 warning",
            "17 pending store_busy store/4 warning",
            "72 firing high_latency store/4 warning",
            "77 firing store_busy store/4 warning",
            "102 pending store_slow store/4 warning",
            "162 firing store_slow store/4 warning",
            "187 resolved store_busy store/4 warning",
            "262 resolved high_latency store/4 warning",
            "272 resolved store_slow store/4 warning",
        ],
    },
    // A full disk makes a high score.
    Story {
        scenario: Scenario::DiskFull,
        acts: &[(123, Event::Empty(4))],
        seconds: 250,
        fault: None,
        told: &[
            "2 observed complete",
            "52 firing low_disk_space store/4 warning",
            "72 firing low_disk_space store/4 critical after warning",
            "192 resolved low_disk_space store/4 critical",
        ],
    },
    Story {
        scenario: Scenario::HotRegion,
        acts: &[],
        seconds: 300,
        fault: None,
        told: &["2 observed complete"],
    },
    // A minute without an election would be no good sign: here it takes 13 s, and then PD warms up.
    Story {
        scenario: Scenario::PdLeaderLoss,
        acts: &[(153, Event::Restart(NodeId::Pd(0)))],
        seconds: 250,
        fault: Some((30, "pd_member_unhealthy")),
        told: &[
            "2 observed complete",
            "32 observed warming_up",
            "32 pending pd_member_unhealthy member/pd0 warning",
            "42 ticks_skipped",
            "62 firing pd_member_unhealthy member/pd0 warning",
            "87 observed complete",
            "187 resolved pd_member_unhealthy member/pd0 warning",
        ],
    },
    // Each look takes the 20 s that an election may take. PD is elected 3 s after it is started, and heard of within 2 s
    // more, by chance: within the same 5 s.
    Story {
        scenario: Scenario::NoQuorum,
        acts: &[(105, Event::Restart(NodeId::Pd(0))), (105, Event::Restart(NodeId::Pd(1)))],
        seconds: 300,
        fault: Some((30, "pd_no_leader")),
        told: &[
            "2 observed complete",
            "32 unreachable",
            "32 pending pd_no_leader cluster critical",
            "52 firing pd_no_leader cluster critical",
            "92 reachable",
            "92 observed warming_up",
            "107 ticks_skipped",
            "112 resolved pd_no_leader cluster critical",
            "152 observed complete",
        ],
    },
    Story {
        scenario: Scenario::TwoStoresLost,
        acts: &[(153, Event::Restart(NodeId::Store(4))), (153, Event::Restart(NodeId::Store(5)))],
        seconds: 400,
        fault: Some((30, "quorum_lost")),
        told: &[
            "2 observed complete",
            "32 observed partial",
            "32 pending store_unobserved store/4 warning",
            "32 pending store_unobserved store/5 warning",
            "42 firing store_down store/4 warning",
            "42 pending no_leader cluster critical",
            "47 observed partial",
            "47 firing store_down store/5 warning",
            "47 pending quorum_lost cluster critical",
            "57 firing quorum_lost cluster critical",
            "72 firing no_leader cluster critical",
            "102 firing store_down store/4 critical after warning",
            "107 firing store_down store/5 critical after warning",
            "157 observed complete",
            "187 resolved no_leader cluster critical",
            "187 resolved quorum_lost cluster critical",
            "217 resolved store_down store/4 critical",
            "217 resolved store_down store/5 critical",
        ],
    },
    // No store is accused. The last regions report when nine of ten already have.
    Story {
        scenario: Scenario::PdRestart,
        acts: &[],
        seconds: 200,
        fault: Some((30, "warming_up")),
        told: &[
            "2 observed complete",
            "32 observed warming_up",
            "87 observed complete",
            "87 pending no_leader cluster critical",
        ],
    },
    Story {
        scenario: Scenario::StoreOffline,
        acts: &[],
        seconds: 600,
        fault: None,
        told: &[
            "2 observed complete",
            "32 pending pending_peer cluster warning",
            "32 pending offline_peer cluster warning",
            "32 pending extra_peer cluster warning",
            "32 pending learner_peer cluster warning",
            "32 pending stuck_offline store/6 warning",
        ],
    },
    // Each region that moves has one replica too many for a while, which is no reason to tell anybody.
    Story {
        scenario: Scenario::ScaleOut,
        acts: &[],
        seconds: 250,
        fault: None,
        told: &[
            "2 observed complete",
            "32 observed warming_up",
            "42 observed complete",
            "42 pending pending_peer cluster warning",
            "42 pending extra_peer cluster warning",
            "42 pending learner_peer cluster warning",
            "132 pending pending_peer cluster warning",
            "132 pending extra_peer cluster warning",
            "132 pending learner_peer cluster warning",
            "157 pending pending_peer cluster warning",
            "157 pending extra_peer cluster warning",
            "157 pending learner_peer cluster warning",
        ],
    },
    Story {
        scenario: Scenario::NotBootstrapped,
        acts: &[],
        seconds: 100,
        fault: None,
        told: &["2 observed partial", "62 unobserved cluster"],
    },
    Story { scenario: Scenario::Big, acts: &[], seconds: 6, fault: None, told: &["2 observed complete"] },
];

#[tokio::test(start_paused = true)]
async fn each_story_is_told_exactly() {
    let mut wrong = Vec::new();
    for Story { scenario, acts, seconds, fault, told } in STORIES {
        let heard = story(scenario, seconds, acts).await;
        if let Some((at, what)) = fault {
            let first = heard.iter().find(|line| line.contains(what)).and_then(|line| line.split_once(' '));
            let first = first.and_then(|(second, _)| second.parse().ok());
            let in_time = first.is_some_and(|first| (at..=at + TOLD_WITHIN_SECONDS).contains(&first));
            assert!(in_time, "{scenario}: {what} too late or never: {heard:?}");
        }
        if heard != told {
            wrong.push(format!("{scenario}:\n    {}", heard.join("\n    ")));
        }
    }
    assert!(wrong.is_empty(), "told otherwise:\n{}", wrong.join("\n"));
    assert_eq!(STORIES.map(|story| story.scenario), Scenario::ALL);
}

/// PD does not notice that a store was away for less than 20 s; of a longer restart there is a warning at most.
#[tokio::test(start_paused = true)]
async fn a_restart_is_a_warning_at_most() {
    for (seconds, expected) in
        [(15, &[][..]), (45, &["firing store_down store/4 warning", "resolved store_down store/4 warning"])]
    {
        let acts = [(32, Event::Crash(NodeId::Store(4))), (32 + seconds, Event::Restart(NodeId::Store(4)))];
        let told = story(Scenario::Healthy, 300, &acts).await;
        let told: Vec<_> =
            told.iter().filter_map(|line| line.split_once(' ')).map(|(_, line)| line).collect();
        let fired: Vec<_> =
            told.iter().filter(|line| line.starts_with("firing") || line.starts_with("resolved")).collect();
        assert_eq!(fired, expected.iter().collect::<Vec<_>>(), "{seconds} s: {told:?}");
    }
}

/// A store that comes and goes is one violation, not one each time.
#[tokio::test(start_paused = true)]
async fn a_flapping_store_is_one_violation() {
    let mut acts = Vec::new();
    for turn in 0..8 {
        acts.push((32 + turn * 60, Event::Crash(NodeId::Store(4))));
        acts.push((32 + turn * 60 + 45, Event::Restart(NodeId::Store(4))));
    }
    let told = story(Scenario::Healthy, 800, &acts).await;
    let about: Vec<_> = told
        .iter()
        .filter(|line| line.contains("store_down"))
        .filter_map(|line| line.split_once(' '))
        .collect();
    let kinds: Vec<_> = about.iter().map(|(_, line)| *line).collect();
    assert_eq!(
        kinds,
        ["firing store_down store/4 warning", "resolved store_down store/4 warning"],
        "{told:?}"
    );
}
