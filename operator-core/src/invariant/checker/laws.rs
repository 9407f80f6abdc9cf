//! What holds for every sequence of findings and clocks.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::{Scripted, brief, found};
use super::*;
use crate::{Severity, StoreId};

const STORES: u64 = 3;

/// What an observation says of one store.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Look {
    Holds,
    Found(Severity),
    Unknown,
}

/// One observation.
#[derive(Debug, Clone)]
struct Tick {
    /// Since the one before, in seconds.
    elapsed: u64,
    /// What the wall clock says.
    wall: i64,
    /// Whether the invariant cannot see what it does not name.
    hidden: bool,
    looks: Vec<Look>,
}

impl Tick {
    fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (store, look) in (1..).zip(&self.looks) {
            match look {
                Look::Holds => {}
                Look::Found(severity) => findings.push(found(store, *severity)),
                Look::Unknown => findings.push(Finding::unknown(StoreId(store), "not seen")),
            }
        }
        if self.hidden {
            findings.push(Finding::unknown(Regarding::Cluster, "no stores"));
        }
        findings
    }

    /// What is known of a store, if anything is.
    fn known(&self, store: u64) -> Option<Option<Severity>> {
        match self.looks[store as usize - 1] {
            Look::Found(severity) => Some(Some(severity)),
            Look::Holds if !self.hidden => Some(None),
            Look::Holds | Look::Unknown => None,
        }
    }

    fn wall(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.wall, 0).unwrap()
    }
}

#[derive(Debug, Clone)]
struct Rules {
    warning: u64,
    critical: u64,
    keep_firing: u64,
}

impl Rules {
    fn grace(&self, severity: Severity) -> u64 {
        if severity == Severity::Critical { self.critical } else { self.warning }
    }

    fn start(&self) -> Scripted {
        let info = InvariantInfo::new("bad", Severity::Warning, Duration::from_secs(self.warning))
            .severity(Severity::Critical, Duration::from_secs(self.critical))
            .keep_firing(Duration::from_secs(self.keep_firing));
        Scripted::new(info, CheckerConfig::default())
    }

    fn run(&self, ticks: &[Tick]) -> Vec<Vec<Transition>> {
        let mut scripted = self.start();
        ticks.iter().map(|tick| step(&mut scripted, tick)).collect()
    }
}

fn step(scripted: &mut Scripted, tick: &Tick) -> Vec<Transition> {
    scripted.see_at(tick.wall(), Duration::from_secs(tick.elapsed), tick.findings())
}

const SEVERITIES: [Severity; 2] = [Severity::Warning, Severity::Critical];

/// One alert as Prometheus evaluates it (`AlertingRule.Eval`), by time stamps and for known observations only: where
/// it fires after each.
fn prometheus(rules: &Rules, severity: Severity, store: u64, ticks: &[Tick]) -> Vec<bool> {
    let (mut active_at, mut fires, mut keep_firing_since) = (None, false, None);
    let mut now = 0;
    let mut fired = Vec::new();
    for (index, tick) in ticks.iter().enumerate() {
        if let Some(known) = tick.known(store) {
            now += if index == 0 { 0 } else { tick.elapsed };
            if known >= Some(severity) {
                keep_firing_since = None;
                let active_at = *active_at.get_or_insert(now);
                fires |= now - active_at >= rules.grace(severity);
            } else {
                let kept = fires && now - *keep_firing_since.get_or_insert(now) < rules.keep_firing;
                if !kept {
                    (active_at, fires, keep_firing_since) = (None, false, None);
                }
            }
        }
        fired.push(fires);
    }
    fired
}

fn look() -> impl Strategy<Value = Look> {
    prop_oneof![
        4 => Just(Look::Holds),
        4 => Just(Look::Found(Severity::Warning)),
        4 => Just(Look::Found(Severity::Critical)),
        2 => Just(Look::Unknown),
    ]
}

fn ticks() -> impl Strategy<Value = Vec<Tick>> {
    let tick = (
        0..40_u64,
        -1_000_000..1_000_000_i64,
        prop::bool::weighted(0.1),
        prop::collection::vec(look(), STORES as usize),
    )
        .prop_map(|(elapsed, wall, hidden, looks)| Tick { elapsed, wall, hidden, looks });
    // A tick that is repeated makes for graces that end.
    let repeated = (tick, 1..6_usize).prop_map(|(tick, times)| vec![tick; times]);
    prop::collection::vec(repeated, 1..25).prop_map(|ticks| ticks.concat())
}

fn rules() -> impl Strategy<Value = Rules> {
    let span = || prop_oneof![Just(0), 1..100_u64];
    (span(), span(), span()).prop_map(|(warning, critical, keep_firing)| Rules {
        warning,
        critical,
        keep_firing,
    })
}

/// Of a violation or an unknown.
fn regarding(transition: &Transition) -> &Regarding {
    match transition {
        Transition::Pending(violation)
        | Transition::Firing { violation, .. }
        | Transition::Resolved(violation) => &violation.regarding,
        Transition::Unobserved(unknown) | Transition::ObservedAgain(unknown) => &unknown.regarding,
    }
}

proptest! {
    /// Each severity is an alert of Prometheus that does not know of unknown observations. What has begun to fire
    /// falls through the milder severities without their grace, so it can only be worse than Prometheus says.
    #[test]
    fn it_begins_and_ends_as_prometheus_would(rules in rules(), ticks in ticks()) {
        let mut scripted = rules.start();
        let alerts: Vec<_> = (1..=STORES)
            .map(|store| SEVERITIES.map(|severity| prometheus(&rules, severity, store, &ticks)))
            .collect();
        let mut fired_before = BTreeMap::new();
        for (index, tick) in ticks.iter().enumerate() {
            step(&mut scripted, tick);
            let violations = scripted.checker.violations();
            for (store, alerts) in (1..).zip(&alerts) {
                let due = SEVERITIES.into_iter().zip(alerts).filter(|(_, fires)| fires[index]).map(|(at, _)| at).max();
                let fires = violations
                    .iter()
                    .find(|it| it.regarding == StoreId(store).into() && it.firing_since.is_some())
                    .map(|it| it.severity);
                prop_assert!(fires >= due, "tick {index}, store {store}: {fires:?}, due {due:?}");
                if fired_before.insert(store, fires).flatten().is_none() {
                    prop_assert_eq!(fires, due, "tick {}, store {}", index, store);
                }
            }
        }
    }

    /// With one severity there is nothing to fall through: no difference at all.
    #[test]
    fn with_one_severity_it_is_prometheus_alert(rules in rules(), ticks in ticks()) {
        let info = InvariantInfo::new("bad", Severity::Warning, Duration::from_secs(rules.warning))
            .keep_firing(Duration::from_secs(rules.keep_firing));
        let mut scripted = Scripted::new(info, CheckerConfig::default());
        let alerts: Vec<_> =
            (1..=STORES).map(|store| prometheus(&rules, Severity::Warning, store, &ticks)).collect();
        for (index, tick) in ticks.iter().enumerate() {
            step(&mut scripted, tick);
            let violations = scripted.checker.violations();
            for (store, alert) in (1..).zip(&alerts) {
                let fires = violations
                    .iter()
                    .any(|it| it.regarding == StoreId(store).into() && it.firing_since.is_some());
                prop_assert_eq!(fires, alert[index], "tick {}, store {}", index, store);
            }
        }
    }

    #[test]
    fn it_never_fires_before_its_grace(rules in rules(), ticks in ticks()) {
        for (index, told) in rules.run(&ticks).iter().enumerate() {
            for transition in told {
                let Transition::Firing { violation, previous_severity: None } = transition else { continue };
                let Regarding::Store(StoreId(store)) = violation.regarding else { unreachable!() };
                // How long it has been seen without a break at the severity that fires.
                let known = ticks[..=index].iter().rev().filter_map(|tick| Some((tick.elapsed, tick.known(store)?)));
                let run: Vec<_> = known.take_while(|(_, known)| *known >= Some(violation.severity)).collect();
                let seen_for: u64 = run.iter().map(|(elapsed, _)| elapsed).sum::<u64>() - run.last().unwrap().0;
                prop_assert!(seen_for >= rules.grace(violation.severity), "tick {index}: after {seen_for} s");
            }
        }
    }

    #[test]
    fn an_unknown_changes_nothing(rules in rules(), ticks in ticks()) {
        for (tick, told) in ticks.iter().zip(rules.run(&ticks)) {
            for transition in &told {
                let store = match regarding(transition) {
                    Regarding::Store(StoreId(store)) => *store,
                    _ => continue,
                };
                match transition {
                    Transition::Unobserved(_) => prop_assert_eq!(tick.known(store), None),
                    Transition::Resolved(_) => prop_assert_eq!(tick.known(store), Some(None)),
                    Transition::Pending(_) => prop_assert!(tick.known(store).flatten().is_some()),
                    _ => prop_assert!(tick.known(store).is_some()),
                }
            }
        }
    }

    #[test]
    fn what_is_always_so_is_told_once(
        rules in rules(),
        gaps in prop::collection::vec((0..200_u64, any::<i32>(), prop::bool::weighted(0.2)), 2..60),
    ) {
        let ticks: Vec<_> = gaps
            .into_iter()
            .map(|(elapsed, wall, hidden)| {
                let look = if hidden { Look::Unknown } else { Look::Found(Severity::Warning) };
                Tick { elapsed, wall: wall.into(), hidden: false, looks: vec![look; 3] }
            })
            .collect();
        let told: Vec<_> = rules.run(&ticks).concat();
        let firing = told.iter().filter(|it| matches!(it, Transition::Firing { .. })).count();
        let ended = told.iter().filter(|it| matches!(it, Transition::Resolved(_))).count();
        let fires = prometheus(&rules, Severity::Warning, 1, &ticks).last() == Some(&true);
        prop_assert_eq!((firing, ended), (if fires { STORES as usize } else { 0 }, 0));
    }

    #[test]
    fn what_is_told_of_a_thing_makes_a_story(rules in rules(), ticks in ticks()) {
        let mut fires: BTreeMap<Regarding, Severity> = BTreeMap::new();
        let mut unobserved = BTreeSet::new();
        for transition in rules.run(&ticks).concat() {
            let regarding = regarding(&transition).clone();
            match transition {
                Transition::Pending(_) => prop_assert!(!fires.contains_key(&regarding)),
                Transition::Firing { violation, previous_severity } => {
                    let before = fires.insert(regarding, violation.severity);
                    prop_assert!(before == previous_severity && before != Some(violation.severity));
                }
                Transition::Resolved(violation) => {
                    prop_assert_eq!(fires.remove(&regarding), Some(violation.severity));
                }
                Transition::Unobserved(_) => prop_assert!(unobserved.insert(regarding)),
                Transition::ObservedAgain(_) => prop_assert!(unobserved.remove(&regarding)),
            }
        }
    }

    #[test]
    fn the_order_of_findings_does_not_matter(rules in rules(), ticks in ticks(), turns in any::<u64>()) {
        let (mut one, mut other) = (rules.start(), rules.start());
        for (index, tick) in ticks.iter().enumerate() {
            let mut findings = tick.findings();
            // Things named twice, differently.
            findings.push(found(1 + index as u64 % 2, SEVERITIES[index % 2]).measured(index as f64, 0.0, "s"));
            let mut turned = findings.clone();
            turned.reverse();
            let middle = (turns as usize).wrapping_mul(index) % turned.len();
            turned.rotate_left(middle);
            let elapsed = Duration::from_secs(tick.elapsed);
            prop_assert_eq!(one.see_at(tick.wall(), elapsed, findings), other.see_at(tick.wall(), elapsed, turned));
            prop_assert_eq!(one.checker.violations(), other.checker.violations());
            prop_assert_eq!(one.checker.unknown(), other.checker.unknown());
        }
    }

    #[test]
    fn the_wall_clock_decides_nothing(rules in rules(), ticks in ticks()) {
        let mut steady = ticks.clone();
        steady.iter_mut().for_each(|tick| tick.wall = 0);
        for (jumping, steady) in rules.run(&ticks).iter().zip(rules.run(&steady)) {
            prop_assert_eq!(brief(jumping), brief(&steady));
        }
    }

    #[test]
    fn memory_is_bounded_by_what_is_alive(rules in rules(), ticks in ticks()) {
        let mut scripted = rules.start();
        for tick in &ticks {
            step(&mut scripted, tick);
            let checker = &scripted.checker;
            let alive: BTreeSet<_> = checker.violations().into_iter().map(|it| it.regarding)
                .chain(checker.unknown().into_iter().map(|it| it.regarding))
                .collect();
            prop_assert_eq!(checker.history_count(), alive.len());
        }
        let well = Tick { elapsed: 100, wall: 0, hidden: false, looks: vec![Look::Holds; 3] };
        step(&mut scripted, &well);
        step(&mut scripted, &well);
        prop_assert_eq!(scripted.checker.history_count(), 0);
    }

    #[test]
    fn a_restart_at_any_moment_changes_nothing_but_the_time_away(
        rules in rules(),
        mut ticks in ticks(),
        moment in any::<prop::sample::Index>(),
    ) {
        // The first step after a restart counts for nothing: in the run without one it takes no time.
        let moment = moment.index(ticks.len());
        ticks[moment].elapsed = 0;
        ticks.iter_mut().for_each(|tick| tick.wall = 0);
        let mut scripted = rules.start();
        let mut told = Vec::new();
        for (index, tick) in ticks.iter().enumerate() {
            if index == moment {
                let state = serde_json::to_string(&scripted.checker.save()).unwrap();
                scripted = rules.start();
                scripted.checker.restore(serde_json::from_str(&state).unwrap());
            }
            told.push(step(&mut scripted, tick));
        }
        prop_assert_eq!(told, rules.run(&ticks));
    }

    /// By the wall clock alone: what is older is ignored as if it had never been.
    #[test]
    fn observations_from_the_past_leave_no_trace(rules in rules(), ticks in ticks()) {
        let (mut one, mut other) = (rules.start(), rules.start());
        let mut newest = i64::MIN;
        for tick in &ticks {
            let seen = one.see_by_wall_clock(tick.wall(), tick.findings());
            if tick.wall >= newest {
                newest = tick.wall;
                prop_assert_eq!(seen, other.see_by_wall_clock(tick.wall(), tick.findings()));
            } else {
                prop_assert!(seen.older_than.is_some() && seen.transitions.is_empty());
            }
            prop_assert_eq!(one.checker.save(), other.checker.save());
        }
    }
}
