//! How long the alerts of a rule file would have been pending and firing over a past time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt};
use operator_core::{
    CheckerConfig, ErrorKind, Finding, Invariant, InvariantChecker, InvariantInfo, Observation, Regarding,
    Severity, StoreId, Transition, ViolationState, invariant_fn,
};
use serde::Serialize;

use super::recorded::Recorded;
use super::{Rule, RuleFile, RuleKind};
use crate::Error;
use crate::prometheus::{Client, RangeSeries, TimeRange};

/// A rule that makes more alerts than this over the whole time is not followed.
const MAX_ALERTS: usize = 10_000;

/// What became of the alerts of a rule file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HistoryReport {
    /// What the file is called.
    pub file: String,
    /// Who was asked.
    pub prometheus: String,
    /// The first moment at which the rules were evaluated.
    pub from: DateTime<Utc>,
    /// No moment is later.
    pub to: DateTime<Utc>,
    /// From one moment to the next.
    pub step_seconds: f64,
    /// When Prometheus had scraped nothing for five minutes: everything stands still meanwhile.
    pub without_data: Vec<Span>,
    /// The alerts, in the order of the file.
    pub rules: Vec<RuleHistory>,
}

/// From one moment to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Span {
    /// The first moment.
    pub from: DateTime<Utc>,
    /// The last.
    pub to: DateTime<Utc>,
}

/// What became of an alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RuleHistory {
    /// Its name.
    pub rule: String,
    /// Its group.
    pub group: String,
    /// The line of the file, from 1, in which it begins.
    pub line: usize,
    /// How long one of its series, and none worse, was pending.
    pub pending_seconds: f64,
    /// How long one of its series was firing.
    pub firing_seconds: f64,
    /// How often one began to fire.
    pub fired: usize,
    /// What it was about, by labels.
    pub alerts: Vec<AlertHistory>,
    /// Why nothing is known of it.
    pub unknown: Option<String>,
}

/// What became of one series of an alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AlertHistory {
    /// What tells it apart from the others of its rule.
    pub labels: BTreeMap<String, String>,
    /// How long it was pending.
    pub pending_seconds: f64,
    /// How long it was firing.
    pub firing_seconds: f64,
    /// How often it began to fire.
    pub fired: usize,
    /// When it first began to fire.
    pub first_firing: Option<DateTime<Utc>>,
}

/// Evaluates every alert of `file` at each moment of `range` through `prometheus`, one question a rule and four at a
/// time, and takes it through the state machine that live rules go through.
///
/// # Errors
/// As [`Client::query_range`], if the range makes no sense or Prometheus does not answer at all. A rule that alone cannot
/// be evaluated is unknown.
pub async fn history(file: &RuleFile, prometheus: &Client, range: TimeRange) -> Result<HistoryReport, Error> {
    const AT_ONCE: usize = 4;
    let scraped = prometheus.query_range("count(up)", range).await?;
    let moments = moments(range);
    let seen: Vec<bool> = {
        let known: HashSet<i64> =
            scraped.data.iter().flat_map(|series| series.timestamps.iter().copied()).collect();
        moments.iter().map(|at| known.contains(&at.timestamp_millis())).collect()
    };
    let recorded = Recorded::of(std::slice::from_ref(file));
    let read: BTreeSet<_> = file.rules().flat_map(|(_, rule)| recorded.read_by(&rule.ast)).collect();
    let known = if read.is_empty() {
        BTreeSet::new()
    } else {
        let names = format!("{{__name__=~\"{}\"}}", read.into_iter().collect::<Vec<_>>().join("|"));
        let known = prometheus.names_between(Some("__name__"), Some(&names), range.start, range.end).await?;
        known.data.into_iter().collect()
    };
    let replay = Replay { prometheus, range, moments: &moments, seen: &seen, recorded, known };
    // Boxed here: of closures that take references the compiler cannot tell that what they make may be sent.
    let mut replays = Vec::new();
    for (group, rule) in file.rules().filter(|(_, rule)| rule.is_alerting()) {
        replays.push(replay.told(&group.name, rule).boxed());
    }
    let rules: Vec<_> = futures::stream::iter(replays).buffered(AT_ONCE).collect().await;
    Ok(HistoryReport {
        file: file.name.clone(),
        prometheus: prometheus.endpoint().map_or_else(String::new, |endpoint| endpoint.to_string()),
        from: range.start,
        to: range.end,
        step_seconds: range.step.as_secs_f64(),
        without_data: spans(&moments, &seen),
        rules: rules.into_iter().collect::<Result<_, _>>()?,
    })
}

fn moments(range: TimeRange) -> Vec<DateTime<Utc>> {
    let next = |at: &DateTime<Utc>| at.checked_add_signed(chrono::TimeDelta::from_std(range.step).ok()?);
    std::iter::successors(Some(range.start), next).take_while(|at| *at <= range.end).collect()
}

/// Where nothing was seen.
fn spans(moments: &[DateTime<Utc>], seen: &[bool]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut before = true;
    for (&at, &is_seen) in moments.iter().zip(seen) {
        match spans.last_mut().filter(|_| !before) {
            Some(span) if !is_seen => span.to = at,
            _ if !is_seen => spans.push(Span { from: at, to: at }),
            _ => {}
        }
        before = is_seen;
    }
    spans
}

/// Why there is no history.
enum Untold {
    /// Of this rule.
    Rule(String),
    /// Of any.
    All(Error),
}

struct Replay<'a> {
    prometheus: &'a Client,
    range: TimeRange,
    moments: &'a [DateTime<Utc>],
    /// Whether there was anything to be seen, at each moment.
    seen: &'a [bool],
    /// What the file records, and which of that Prometheus has.
    recorded: Recorded,
    known: BTreeSet<String>,
}

impl Replay<'_> {
    async fn told(&self, group: &str, rule: &Rule) -> Result<RuleHistory, Error> {
        let mut told = RuleHistory {
            rule: rule.name.clone(),
            group: group.to_owned(),
            line: rule.line,
            pending_seconds: 0.0,
            firing_seconds: 0.0,
            fired: 0,
            alerts: Vec::new(),
            unknown: None,
        };
        match self.rule(rule, &mut told).await {
            Ok(()) => {}
            Err(Untold::Rule(why)) => told.unknown = Some(why),
            Err(Untold::All(error)) => return Err(error),
        }
        Ok(told)
    }

    async fn rule(&self, rule: &Rule, told: &mut RuleHistory) -> Result<(), Untold> {
        let RuleKind::Alerting { grace, keep_firing_for, .. } = &rule.kind else { return Ok(()) };
        let query = self.recorded.put_in(rule, &self.known).map_err(Untold::Rule)?;
        let answer =
            self.prometheus.query_range(query, self.range).await.map_err(|error| match error.kind() {
                ErrorKind::Unavailable | ErrorKind::Unauthorized | ErrorKind::Timeout => Untold::All(error),
                _ => Untold::Rule(error.to_string()),
            })?;
        if let Some(warning) = answer.warnings.first() {
            return Err(Untold::Rule(format!("the answer may be partial: {warning}")));
        }
        let (mut alerts, found) = found(rule, answer.data)?;

        let info = InvariantInfo::new("rule", Severity::Warning, *grace).keep_firing(*keep_firing_for);
        let findings = Arc::new(Mutex::new(Vec::new()));
        let given = Arc::clone(&findings);
        let invariant = invariant_fn(info, move |_: &Observation| {
            given.lock().unwrap_or_else(PoisonError::into_inner).clone()
        });
        let config = CheckerConfig::default().max_histories(MAX_ALERTS);
        let mut checker = InvariantChecker::with_config([Arc::new(invariant) as Arc<dyn Invariant>], config)
            .map_err(|error| Untold::Rule(error.to_string()))?;

        let step = self.range.step;
        for (&at, &is_seen) in self.moments.iter().zip(self.seen) {
            let checked = if is_seen {
                let now = found.get(&at.timestamp_millis());
                *findings.lock().unwrap_or_else(PoisonError::into_inner) = now.cloned().unwrap_or_default();
                checker.check_after(&Observation::empty(at), step)
            } else {
                checker.blind_after(at, step, "Prometheus has no data")
            };
            for transition in &checked.transitions {
                if let Transition::Firing { violation, previous_severity: None } = transition
                    && let Some(alert) = of(&mut alerts, &violation.regarding)
                {
                    alert.fired += 1;
                    alert.first_firing.get_or_insert(at);
                }
            }
            let (mut pending, mut firing) = (false, false);
            for violation in checker.violations() {
                let Some(alert) = of(&mut alerts, &violation.regarding) else { continue };
                if violation.state == ViolationState::Firing {
                    firing = true;
                    alert.firing_seconds += step.as_secs_f64();
                } else {
                    pending = true;
                    alert.pending_seconds += step.as_secs_f64();
                }
            }
            match (firing, pending) {
                (true, _) => told.firing_seconds += step.as_secs_f64(),
                (false, true) => told.pending_seconds += step.as_secs_f64(),
                (false, false) => {}
            }
        }
        told.fired = alerts.iter().map(|alert| alert.fired).sum();
        told.alerts = alerts;
        Ok(())
    }
}

/// What tells the alerts apart, and what was found at each moment, in milliseconds since 1970; of the alerts by number.
type Found = (Vec<AlertHistory>, HashMap<i64, Vec<Finding>>);

fn found(rule: &Rule, series: Vec<RangeSeries>) -> Result<Found, Untold> {
    if series.len() > MAX_ALERTS {
        let count = series.len();
        return Err(Untold::Rule(format!(
            "it finds {count} series, of which more than {MAX_ALERTS} are not followed"
        )));
    }
    let mut alerts = Vec::with_capacity(series.len());
    let mut found: HashMap<i64, Vec<Finding>> = HashMap::new();
    for (number, one) in series.into_iter().enumerate() {
        if !one.histograms.is_empty() {
            return Err(Untold::Rule("it finds native histograms, which are no numbers".to_owned()));
        }
        let own = |name: &str| rule.labels.iter().any(|(known, _)| known == name);
        let labels = one.labels.iter().filter(|(name, _)| *name != "__name__" && !own(name));
        alerts.push(AlertHistory {
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            pending_seconds: 0.0,
            firing_seconds: 0.0,
            fired: 0,
            first_firing: None,
        });
        for at in one.timestamps {
            let regarding = Regarding::Store(StoreId(number as u64));
            found.entry(at).or_default().push(Finding::violated(regarding, Severity::Warning, ""));
        }
    }
    Ok((alerts, found))
}

/// The alert that a thing of the checker stands for.
fn of<'a>(alerts: &'a mut [AlertHistory], regarding: &Regarding) -> Option<&'a mut AlertHistory> {
    let Regarding::Store(StoreId(number)) = regarding else { return None };
    alerts.get_mut(usize::try_from(*number).ok()?)
}

/// A step with which `length` has at most as many moments as one answer may have, a second at least.
pub fn usual_step(length: Duration) -> Duration {
    const MOMENTS: u32 = 5_000;
    Duration::from_secs((length / MOMENTS).as_secs() + 1).max(Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn moments_end_within_the_range_and_gaps_are_spans() {
        let range = TimeRange::new(at(0), at(29), Duration::from_secs(5));
        let moments = moments(range);
        assert_eq!(moments, [0, 5, 10, 15, 20, 25].map(at));
        let spans = spans(&moments, &[false, true, false, false, true, false]);
        let expected = [(0, 0), (10, 15), (25, 25)].map(|(from, to)| Span { from: at(from), to: at(to) });
        assert_eq!(spans, expected);
    }

    #[test]
    fn a_day_and_a_year_have_a_step_of_their_own() {
        assert_eq!(usual_step(Duration::from_secs(3_600)), Duration::from_secs(5));
        assert!(usual_step(Duration::from_secs(86_400)) <= Duration::from_secs(20));
        assert!(
            Duration::from_secs(365 * 86_400).as_secs()
                / usual_step(Duration::from_secs(365 * 86_400)).as_secs()
                < 11_000
        );
    }
}
