//! Runs invariants over one observation after the other and remembers what they found.

use std::borrow::Cow;
use std::iter::Peekable;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::history::{History, Patience, Sight, Step, Whose};
use super::{Finding, Invariant, InvariantInfo, Transition, Unknown, Verdict, Violation};
use crate::{Error, ErrorKind, Observation, Regarding, Result};

/// How an [`InvariantChecker`] works.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckerConfig {
    /// What has been unknown for this long is told as unobserved; 60 s unless told otherwise.
    pub unobserved_after: Duration,
    /// How many histories may be kept at once; 100,000 unless told otherwise. What is found beyond is counted in
    /// [`Checked::not_followed`].
    pub max_histories: usize,
    /// Whether everything fires at first sight.
    pub ignore_grace: bool,
}

impl Default for CheckerConfig {
    fn default() -> Self {
        Self { unobserved_after: Duration::from_secs(60), max_histories: 100_000, ignore_grace: false }
    }
}

impl CheckerConfig {
    /// Tells what has been unknown for this long.
    pub fn unobserved_after(self, unobserved_after: Duration) -> Self {
        Self { unobserved_after, ..self }
    }

    /// Keeps at most this many histories.
    pub fn max_histories(self, max_histories: usize) -> Self {
        Self { max_histories, ..self }
    }

    /// Lets everything fire at first sight, or not.
    pub fn ignore_grace(self, ignore_grace: bool) -> Self {
        Self { ignore_grace, ..self }
    }
}

/// Turns the findings of invariants into violations with a history, one for each invariant and thing.
///
/// The words are Prometheus': a violation is *pending* from when it is first found, *firing* once it has been found
/// without a break for its grace, and *resolved* once it has not been found for `keep_firing`. Each severity counts its
/// grace by itself, from when the thing was first found at it or at a worse one.
///
/// What is *unknown* stands still: nothing starts, advances or ends. Time is counted step by step, from one observation
/// to the next, and a step counts for what was seen at its end; so time that was spent unknown does not count towards a
/// grace, nor towards keep-firing. What stays unknown past a limit is told once as unobserved; time for which something
/// else [tells](Finding::explained) why it is unknown does not count.
///
/// Memory: what is neither violated, kept firing nor unknown is forgotten.
#[derive(Debug)]
pub struct InvariantChecker {
    tracks: Vec<Track>,
    config: CheckerConfig,
    /// When the last observation was begun.
    last: Option<DateTime<Utc>>,
    /// When the last observation before [`restore`](Self::restore) was begun.
    restored: Option<DateTime<Utc>>,
}

/// One invariant and what is remembered under it, in the order of the things.
#[derive(Debug)]
struct Track {
    invariant: Arc<dyn Invariant>,
    info: InvariantInfo,
    patience: Patience,
    histories: Vec<(Regarding, History)>,
}

/// What came of one observation.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
#[must_use = "what has changed is told once"]
pub struct Checked {
    /// What has changed, in the order of the invariants, and then of the things.
    pub transitions: Vec<Transition>,
    /// Set if the observation was older than the one before, begun at this time, and therefore ignored.
    pub older_than: Option<DateTime<Utc>>,
    /// How many things were found that are not followed, because there are [too many](CheckerConfig::max_histories).
    pub not_followed: usize,
}

/// The memory of an [`InvariantChecker`], to be carried over a restart. Its content is the checker's own business and
/// may change with its version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckerState {
    at: Option<DateTime<Utc>>,
    histories: Vec<Saved>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Saved {
    invariant: Cow<'static, str>,
    regarding: Regarding,
    history: History,
}

impl InvariantChecker {
    /// A checker without a past.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if two invariants have the same id, or one's info [makes no
    /// sense](InvariantInfo::validate).
    pub fn new(invariants: impl IntoIterator<Item = Arc<dyn Invariant>>) -> Result<Self> {
        Self::with_config(invariants, CheckerConfig::default())
    }

    /// The same, working as `config` says.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_config(
        invariants: impl IntoIterator<Item = Arc<dyn Invariant>>,
        config: CheckerConfig,
    ) -> Result<Self> {
        let mut tracks: Vec<Track> = Vec::new();
        for invariant in invariants {
            let info = invariant.info().clone();
            info.validate()?;
            if tracks.iter().any(|track| track.info.id == info.id) {
                let message = format!("id: there are two invariants `{}`", info.id);
                return Err(Error::new(ErrorKind::InvalidInput, "invariant", message));
            }
            let patience = Patience::new(&info, config.ignore_grace, config.unobserved_after);
            tracks.push(Track { invariant, info, patience, histories: Vec::new() });
        }
        Ok(Self { tracks, config, last: None, restored: None })
    }

    /// What the invariants are called and how patient they are, in their order.
    pub fn infos(&self) -> impl ExactSizeIterator<Item = &InvariantInfo> {
        self.tracks.iter().map(|track| &track.info)
    }

    /// Takes in an observation; the time since the one before is the difference of their times.
    ///
    /// One that is older than the one before is ignored. Where the clock may be set while this runs, measure the time
    /// and use [`check_after`](Self::check_after): no wall clock can tell a jump from a long wait.
    pub fn check(&mut self, observation: &Observation) -> Checked {
        let elapsed = match self.last {
            Some(last) if observation.at < last => {
                return Checked { older_than: Some(last), ..Checked::default() };
            }
            Some(last) => (observation.at - last).to_std().unwrap_or_default(),
            None => Duration::ZERO,
        };
        self.check_after(observation, elapsed)
    }

    /// Takes in an observation that was begun this long after the one before, by a clock that is never set. The
    /// observation's own time only dates what is told, so it may jump either way. For the first observation `elapsed`
    /// means nothing.
    pub fn check_after(&mut self, observation: &Observation, elapsed: Duration) -> Checked {
        self.run(observation.at, elapsed, false, |invariant| {
            let findings = catch_unwind(AssertUnwindSafe(|| invariant.check(observation)));
            // One invariant that is broken must not silence the others.
            findings.unwrap_or_else(|_| vec![Finding::unknown(Regarding::Cluster, "the invariant panicked")])
        })
    }

    /// Takes in that nothing could be observed, this long after the observation before: everything stands still, and
    /// is unknown. It is for the caller to tell that the subject does not answer: nothing is told as unobserved until
    /// it does and something still cannot be seen for as long as that takes.
    pub fn blind_after(&mut self, at: DateTime<Utc>, elapsed: Duration, reason: &str) -> Checked {
        self.run(at, elapsed, true, |_| vec![Finding::unknown(Regarding::Cluster, reason)])
    }

    /// The same for a subject that failed with `error`, from which some invariants may still tell something.
    pub fn failed_after(
        &mut self,
        at: DateTime<Utc>,
        elapsed: Duration,
        error: &Error,
        reason: &str,
    ) -> Checked {
        self.run(at, elapsed, true, |invariant| {
            let findings = catch_unwind(AssertUnwindSafe(|| invariant.check_failure(error)));
            let told = findings.ok().flatten();
            told.unwrap_or_else(|| vec![Finding::unknown(Regarding::Cluster, reason)])
        })
    }

    fn run(
        &mut self,
        at: DateTime<Utc>,
        elapsed: Duration,
        silent: bool,
        findings: impl Fn(&dyn Invariant) -> Vec<Finding>,
    ) -> Checked {
        let counted = if self.last.is_some() { elapsed } else { Duration::ZERO };
        let away = self.restored.take().and_then(|restored| (at - restored).to_std().ok());
        let passed = counted.saturating_add(away.unwrap_or_default());
        let step = Step { at, counted, passed, silent };
        self.last = Some(at);

        let mut checked = Checked::default();
        let mut room = self.config.max_histories.saturating_sub(self.history_count());
        for track in &mut self.tracks {
            track.take_in(findings(&track.invariant), step, &mut room, &mut checked);
        }
        checked
    }

    /// What is pending or firing, in the order of the invariants, and then of the things.
    pub fn violations(&self) -> Vec<Violation> {
        self.histories().filter_map(|(whose, history)| history.violation(whose)).collect()
    }

    /// What cannot be told, in the same order.
    pub fn unknown(&self) -> Vec<Unknown> {
        self.histories().filter_map(|(whose, history)| history.unknown(whose)).collect()
    }

    /// How many things are remembered.
    pub fn history_count(&self) -> usize {
        self.tracks.iter().map(|track| track.histories.len()).sum()
    }

    fn histories(&self) -> impl Iterator<Item = (Whose<'_>, &History)> {
        self.tracks.iter().flat_map(|Track { info, histories, .. }| {
            histories.iter().map(move |(regarding, history)| (Whose { info, regarding }, history))
        })
    }

    /// A copy of the memory, for [`restore`](Self::restore).
    pub fn save(&self) -> CheckerState {
        let saved = self.histories().map(|(whose, history)| Saved {
            invariant: whose.info.id.clone(),
            regarding: whose.regarding.clone(),
            history: history.clone(),
        });
        CheckerState { at: self.last, histories: saved.collect() }
    }

    /// Goes on from a saved memory instead of its own: what was pending stays so, what was told is not told again. The
    /// time in between counts towards no grace, since nobody was looking.
    ///
    /// Returns how many histories were left out: of invariants that are no longer there, and beyond the limit.
    pub fn restore(&mut self, state: CheckerState) -> usize {
        self.tracks.iter_mut().for_each(|track| track.histories.clear());
        (self.last, self.restored) = (None, state.at);
        let mut left_out = 0;
        let mut room = self.config.max_histories;
        for Saved { invariant, regarding, mut history } in state.histories {
            let track = self.tracks.iter_mut().find(|track| track.info.id == invariant);
            let Some(track) = track.filter(|_| room > 0) else {
                left_out += 1;
                continue;
            };
            history.fit(&track.patience);
            if !history.is_over() {
                room -= 1;
                track.histories.push((regarding, history));
            }
        }
        for track in &mut self.tracks {
            track.histories.sort_by(|(a, _), (b, _)| a.cmp(b));
            track.histories.dedup_by(|(a, _), (b, _)| a == b);
        }
        left_out
    }
}

impl Track {
    fn take_in(&mut self, mut findings: Vec<Finding>, step: Step, room: &mut usize, checked: &mut Checked) {
        findings.iter_mut().for_each(Finding::clean);
        findings.sort_by(|a, b| a.regarding.cmp(&b.regarding).then_with(|| a.by_weight(b)));
        let blind = |finding: &Finding| finding.regarding == Regarding::Cluster && !finding.is_violated();
        let hidden = findings.iter().any(blind);

        // Both are in the order of the things: one walk over both.
        let (info, patience) = (&self.info, &self.patience);
        let mut findings = findings.into_iter().peekable();
        let mut begun = Vec::new();
        let mut begin = |findings: &mut Findings, checked: &mut Checked| {
            let Some(regarding) = findings.peek().map(|finding| finding.regarding.clone()) else { return };
            let sight = sight_of(&regarding, findings, hidden);
            if *room == 0 {
                checked.not_followed += 1;
                return;
            }
            *room -= 1;
            let (whose, mut history) = (Whose { info, regarding: &regarding }, History::default());
            history.advance(whose, patience, sight, step, &mut checked.transitions);
            begun.push((regarding, history));
        };
        for (regarding, history) in &mut self.histories {
            while findings.peek().is_some_and(|finding| finding.regarding < *regarding) {
                begin(&mut findings, checked);
            }
            let sight = sight_of(regarding, &mut findings, hidden);
            history.advance(Whose { info, regarding }, patience, sight, step, &mut checked.transitions);
        }
        while findings.peek().is_some() {
            begin(&mut findings, checked);
        }
        self.histories.retain(|(_, history)| !history.is_over());
        if !begun.is_empty() {
            self.histories.append(&mut begun);
            self.histories.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
    }
}

/// In the order of the things, and for each of their weight.
type Findings = Peekable<std::vec::IntoIter<Finding>>;

/// What the next findings say of `regarding`, if they are about it.
fn sight_of(regarding: &Regarding, findings: &mut Findings, hidden: bool) -> Sight {
    let mut sight = Sight { hidden, ..Sight::default() };
    while let Some(finding) = findings.next_if(|finding| finding.regarding == *regarding) {
        match finding.verdict {
            Verdict::Violated => sight.found = Some(finding),
            Verdict::Unknown(reason) => {
                sight.unknown = Some(reason);
                sight.explained = finding.explained;
            }
        }
    }
    sight
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod laws;
