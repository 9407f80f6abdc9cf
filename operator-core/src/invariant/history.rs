//! The state machine of one thing under one invariant: what Prometheus does for one alert, for each severity.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Finding, InvariantInfo, Severity, SeverityGrace, Transition, Unknown, Violation, ViolationState,
};
use crate::Regarding;

const LEVELS: usize = Severity::ALL.len();

/// How patient a checker is with one invariant.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    /// The grace of each severity that the invariant lists, mildest first.
    graces: [Option<Duration>; LEVELS],
    keep_firing: Duration,
    unobserved_after: Duration,
}

impl Patience {
    pub(super) fn new(info: &InvariantInfo, ignore_grace: bool, unobserved_after: Duration) -> Self {
        let grace_at = |severity: Severity| {
            let listed = |listed: &&SeverityGrace| listed.severity == severity;
            let grace = info.severities.iter().find(listed)?.grace;
            Some(if ignore_grace { Duration::ZERO } else { grace })
        };
        Self { graces: Severity::ALL.map(grace_at), keep_firing: info.keep_firing, unobserved_after }
    }

    /// The listed severity that `severity` counts as: the next milder one, or else the mildest.
    fn counts_as(&self, severity: Option<Severity>) -> Option<Severity> {
        let listed = || Severity::ALL.into_iter().zip(&self.graces).filter(|(_, grace)| grace.is_some());
        let milder = listed().rev().find(|(listed, _)| Some(*listed) <= severity);
        milder.or_else(|| listed().next()).map(|(severity, _)| severity)
    }
}

/// From the observation before to this one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// When this observation was begun.
    pub(super) at: DateTime<Utc>,
    /// What counts towards graces and limits.
    pub(super) counted: Duration,
    /// What counts towards how long a violation lasted: also the time in which nobody was looking.
    pub(super) passed: Duration,
    /// Whether somebody else tells that nothing can be seen, so that it is not to be told of each invariant.
    pub(super) silent: bool,
}

/// What one observation says of one thing.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// The worst that was found.
    pub(super) found: Option<Finding>,
    /// Why it cannot be told whether there is more.
    pub(super) unknown: Option<String>,
    /// Whether something else tells why.
    pub(super) explained: bool,
    /// Whether the invariant cannot see what it does not name.
    pub(super) hidden: bool,
}

/// What is remembered of one thing under one invariant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct History {
    active: Option<Active>,
    blind: Option<Blind>,
}

/// A violation that is pending or firing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Active {
    levels: [Level; LEVELS],
    since: DateTime<Utc>,
    firing_since: Option<DateTime<Utc>>,
    lasted: Duration,
    /// What was last found.
    finding: Finding,
}

/// Where one severity stands: an alert of Prometheus whose condition is "found at this severity or a worse one".
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    #[default]
    Inactive,
    /// Found for this long.
    Pending(Duration),
    /// Fires, and has not been found for this long.
    Firing(Option<Duration>),
}

/// A time without a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Blind {
    since: DateTime<Utc>,
    lasted: Duration,
    reason: String,
    /// Whether something else told why when it was last looked at; `lasted` is zero then.
    #[serde(default)]
    silent: bool,
    told: bool,
}

/// Whose history it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whose<'a> {
    pub(super) info: &'a InvariantInfo,
    pub(super) regarding: &'a Regarding,
}

impl History {
    /// Takes in one observation and adds what is to be told of it.
    pub(super) fn advance(
        &mut self,
        whose: Whose<'_>,
        patience: &Patience,
        sight: Sight,
        step: Step,
        told: &mut Vec<Transition>,
    ) {
        let seen = sight.unknown.is_none() && (sight.found.is_some() || !sight.hidden);
        if seen {
            if let Some(blind) = self.blind.take_if(|blind| blind.told) {
                told.push(Transition::ObservedAgain(blind.unknown(whose)));
            }
            self.blind = None;
        } else {
            let step = Step { silent: step.silent || sight.explained, ..step };
            self.stay_blind(whose, patience, sight.unknown, step, told);
        }

        if let Some(active) = &mut self.active {
            active.lasted = active.lasted.saturating_add(step.passed);
        }
        // What cannot be seen neither starts, advances nor ends anything.
        if sight.found.is_some() || seen {
            self.judge(whose, patience, sight.found, step, told);
        }
    }

    fn stay_blind(
        &mut self,
        whose: Whose<'_>,
        patience: &Patience,
        reason: Option<String>,
        step: Step,
        told: &mut Vec<Transition>,
    ) {
        match (&mut self.blind, reason) {
            (Some(blind), reason) => {
                // What was told otherwise until now gets its time to come into view again.
                blind.lasted = match step.silent || blind.silent {
                    true => Duration::ZERO,
                    false => blind.lasted.saturating_add(step.counted),
                };
                blind.silent = step.silent;
                blind.reason = reason.unwrap_or_else(|| std::mem::take(&mut blind.reason));
            }
            (blind @ None, Some(reason)) => {
                *blind = Some(Blind {
                    since: step.at,
                    lasted: Duration::ZERO,
                    reason,
                    silent: step.silent,
                    told: false,
                });
            }
            (None, None) => {}
        }
        let due = |blind: &&mut Blind| !blind.told && blind.lasted >= patience.unobserved_after;
        if let Some(blind) = self.blind.as_mut().filter(|_| !step.silent).filter(due) {
            blind.told = true;
            told.push(Transition::Unobserved(blind.unknown(whose)));
        }
    }

    fn judge(
        &mut self,
        whose: Whose<'_>,
        patience: &Patience,
        found: Option<Finding>,
        step: Step,
        told: &mut Vec<Transition>,
    ) {
        let before = self.active.as_ref().and_then(Active::firing);
        let is_new = self.active.is_none();
        let found_at = found.as_ref().and_then(|finding| patience.counts_as(finding.severity));
        let settled = found.as_ref().is_some_and(|finding| finding.settled);
        match (&mut self.active, found) {
            (Some(active), Some(finding)) => active.finding = finding,
            (active @ None, Some(finding)) => *active = Some(Active::new(step.at, finding)),
            (Some(_), None) => {}
            (None, None) => return,
        }
        let Some(active) = &mut self.active else { return };
        active.step(patience, found_at, settled, step.counted);

        let after = active.firing();
        if after.is_some() {
            active.firing_since.get_or_insert(step.at);
        }
        match (before, after) {
            (before, Some(severity)) if before != after => {
                let violation = active.violation(whose, severity, ViolationState::Firing);
                told.push(Transition::Firing { violation, previous_severity: before });
            }
            (Some(severity), None) => {
                let mut violation = active.violation(whose, severity, ViolationState::Resolved);
                violation.lasted = Some(active.lasted);
                told.push(Transition::Resolved(violation));
            }
            (None, None) if is_new => {
                told.extend(active.current(whose).map(Transition::Pending));
            }
            _ => {}
        }
        self.active.take_if(|active| active.is_over());
    }

    /// Whether there is nothing left to remember.
    pub(super) fn is_over(&self) -> bool {
        self.active.is_none() && self.blind.is_none()
    }

    /// The violation, if there is one.
    pub(super) fn violation(&self, whose: Whose<'_>) -> Option<Violation> {
        self.active.as_ref()?.current(whose)
    }

    /// What cannot be seen, if it cannot.
    pub(super) fn unknown(&self, whose: Whose<'_>) -> Option<Unknown> {
        self.blind.as_ref().map(|blind| blind.unknown(whose))
    }

    /// Made to fit an invariant that may have been configured anew since this was saved: a severity that is no longer
    /// listed goes on as the one it counts as.
    pub(super) fn fit(&mut self, patience: &Patience) {
        if let Some(active) = &mut self.active {
            let mut levels = [Level::Inactive; LEVELS];
            for (severity, level) in Severity::ALL.into_iter().zip(active.levels) {
                let target = patience.counts_as(Some(severity));
                for (listed, fitted) in Severity::ALL.into_iter().zip(&mut levels) {
                    if Some(listed) == target && level.weight() > fitted.weight() {
                        *fitted = level;
                    }
                }
            }
            active.levels = levels;
        }
        self.active.take_if(|active| active.is_over());
    }
}

impl Active {
    fn new(at: DateTime<Utc>, finding: Finding) -> Self {
        Self {
            levels: [Level::Inactive; LEVELS],
            since: at,
            firing_since: None,
            lasted: Duration::ZERO,
            finding,
        }
    }

    fn step(&mut self, patience: &Patience, found_at: Option<Severity>, settled: bool, step: Duration) {
        // Once it has alarmed at a severity, the milder ones need no grace of their own.
        let mut worse_fires = false;
        let levels = Severity::ALL.into_iter().zip(&patience.graces).zip(&mut self.levels);
        for ((severity, grace), level) in levels.rev() {
            let Some(grace) = grace else { continue };
            let grace = if settled || worse_fires { Duration::ZERO } else { *grace };
            *level = if found_at.is_some_and(|found| severity <= found) {
                level.found(grace, step)
            } else {
                level.gone(patience.keep_firing, step)
            };
            worse_fires |= level.fires();
        }
    }

    /// The worst severity that fires.
    fn firing(&self) -> Option<Severity> {
        self.worst(|level| level.fires())
    }

    fn worst(&self, wanted: impl Fn(&Level) -> bool) -> Option<Severity> {
        Severity::ALL.into_iter().zip(&self.levels).rev().find(|(_, level)| wanted(level)).map(|(at, _)| at)
    }

    fn is_over(&self) -> bool {
        self.levels.iter().all(|level| *level == Level::Inactive)
    }

    fn current(&self, whose: Whose<'_>) -> Option<Violation> {
        if let Some(severity) = self.firing() {
            return Some(self.violation(whose, severity, ViolationState::Firing));
        }
        let severity = self.worst(|level| *level != Level::Inactive)?;
        Some(self.violation(whose, severity, ViolationState::Pending))
    }

    fn violation(&self, whose: Whose<'_>, severity: Severity, state: ViolationState) -> Violation {
        Violation {
            invariant: whose.info.id.clone(),
            regarding: whose.regarding.clone(),
            severity,
            state,
            since: self.since,
            firing_since: self.firing_since,
            observed: self.finding.observed,
            threshold: self.finding.threshold,
            unit: self.finding.unit.clone(),
            message: self.finding.message.clone(),
            lasted: None,
        }
    }
}

impl Level {
    fn found(self, grace: Duration, step: Duration) -> Self {
        let found_for = match self {
            Self::Inactive => Duration::ZERO,
            Self::Pending(found_for) => found_for.saturating_add(step),
            Self::Firing(_) => return Self::Firing(None),
        };
        if found_for >= grace { Self::Firing(None) } else { Self::Pending(found_for) }
    }

    fn gone(self, keep_firing: Duration, step: Duration) -> Self {
        let Self::Firing(gone_for) = self else { return Self::Inactive };
        let gone_for = gone_for.map_or(Duration::ZERO, |gone_for| gone_for.saturating_add(step));
        if gone_for >= keep_firing { Self::Inactive } else { Self::Firing(Some(gone_for)) }
    }

    fn fires(self) -> bool {
        matches!(self, Self::Firing(_))
    }

    /// Which of two is further on.
    fn weight(self) -> (u8, Duration) {
        match self {
            Self::Inactive => (0, Duration::ZERO),
            Self::Pending(found_for) => (1, found_for),
            // The longer it has been gone, the sooner it is over.
            Self::Firing(gone_for) => (2, Duration::MAX - gone_for.unwrap_or_default()),
        }
    }
}

impl Blind {
    fn unknown(&self, whose: Whose<'_>) -> Unknown {
        Unknown::new(whose.info.id.clone(), whose.regarding.clone(), self.since, self.reason.clone())
    }
}
