//! Asks Prometheus for every alert of some rule files at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use operator_core::{ErrorKind, Invariant, Regarding, Signal};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::file::{Rule, RuleFile};
use super::invariant::RuleInvariant;
use super::recorded::Recorded;
use super::template::TemplateData;
use super::things::Things;
use crate::prometheus::{Client, InstantVector, QueryResult};

/// The signal that says how many rules were evaluated, or, as a text, why none was.
pub const RULES: &str = "rules";
/// The signal of a rule, named by its label `rule`, of which it cannot be told whether it found anything; why, as a text.
pub const RULE_UNKNOWN: &str = "rule_unknown";

/// A rule that finds more than this counts as failed.
const MAX_SERIES: usize = 10_000;
/// So many series may be found by all rules together.
const MAX_SERIES_OF_ALL: usize = 100_000;
/// Prometheus itself answers 20 queries at a time, and others ask too.
const AT_ONCE: usize = 8;

/// The alerts of some rule files, to be evaluated together.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Arc<NamedRule>>,
    recorded: Recorded,
}

/// An alert and the id that it has as an invariant.
#[derive(Debug)]
pub(super) struct NamedRule {
    /// `rule/NAME`, and the names of its group and file and its number where that is not enough.
    pub(super) id: String,
    pub(super) rule: Rule,
    /// Where it is written.
    pub(super) place: String,
    limit: Option<usize>,
    query_offset: Duration,
    reads_recorded: BTreeSet<String>,
}

/// A series that a rule found.
#[derive(Debug)]
struct Found {
    /// As the query answered them, the metric's name among them.
    labels: BTreeMap<String, String>,
    /// What tells the alert apart from others of its rule.
    identity: BTreeMap<String, String>,
    value: f64,
}

impl Rules {
    /// The rules of `files`.
    pub fn new(files: &[RuleFile]) -> Self {
        let recorded = Recorded::of(files);
        let alerts = files.iter().flat_map(|file| file.rules().map(move |(group, rule)| (file, group, rule)));
        let alerts: Vec<_> = alerts.filter(|(_, _, rule)| rule.is_alerting()).collect();
        // The shortest name that is one rule's alone.
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (file, group, rule) in &alerts {
            for name in names(file, &group.name, rule) {
                *counts.entry(name).or_default() += 1;
            }
        }
        let mut used: BTreeMap<String, usize> = BTreeMap::new();
        let rules = alerts.into_iter().map(|(file, group, rule)| {
            let [short, _, longest] = names(file, &group.name, rule);
            let alone = |name: &String| counts.get(name) == Some(&1);
            let id = names(file, &group.name, rule).into_iter().find(alone);
            let longest = format!("{longest}:{}", rule.line);
            let mut id = id.unwrap_or(if counts.contains_key(&longest) { short } else { longest });
            // An alias is as often on its line as it is used, and a file can be given twice.
            let times = used.entry(id.clone()).or_default();
            *times += 1;
            if *times > 1 {
                id.push_str(&format!("#{times}"));
            }
            Arc::new(NamedRule {
                id: format!("rule/{id}"),
                place: format!("rule {} in {}:{}", rule.name, file.name, rule.line),
                limit: group.limit,
                query_offset: group.query_offset.unwrap_or_default(),
                reads_recorded: recorded.read_by(&rule.ast),
                rule: rule.clone(),
            })
        });
        Self { rules: rules.collect(), recorded }
    }

    /// How many alerts there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What must hold: nothing that a rule looks for is found. Each reads the signals of [`Rules::evaluate`].
    pub fn invariants(&self) -> Vec<Arc<dyn Invariant>> {
        let invariants = self.rules.iter().map(|rule| Arc::new(RuleInvariant::new(Arc::clone(rule))));
        invariants.map(|invariant| invariant as Arc<dyn Invariant>).collect()
    }

    /// What the rules find by Prometheus' own clock: all at one moment, whatever they take; what is not answered within
    /// `patience` is unknown.
    ///
    /// One request for the time, one for what is recorded if a rule reads that, and one a rule, eight at a time.
    pub async fn evaluate(&self, prometheus: &Client, things: &Things, patience: Duration) -> Vec<Signal> {
        let until = Instant::now() + patience;
        let now = match timeout_at(until, prometheus.query("time()")).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return vec![self.unevaluated(error.to_string())],
            Err(_) => {
                return vec![
                    self.unevaluated(format!("Prometheus did not tell the time within {patience:?}")),
                ];
            }
        };
        let QueryResult::Scalar(now) = now.data else {
            return vec![self.unevaluated("Prometheus does not tell its time".to_owned())];
        };
        match now.at() {
            Some(at) => self.evaluate_at(prometheus, things, at, patience).await,
            None => vec![self.unevaluated("Prometheus does not tell its time".to_owned())],
        }
    }

    /// The same at a moment of one's own.
    pub async fn evaluate_at(
        &self,
        prometheus: &Client,
        things: &Things,
        at: DateTime<Utc>,
        patience: Duration,
    ) -> Vec<Signal> {
        let evaluation = Evaluation {
            rules: self,
            prometheus,
            at,
            until: Instant::now() + patience,
            turns: Semaphore::new(AT_ONCE),
            gone: Mutex::default(),
        };
        let known = evaluation.known().await;
        let outcomes = join_all(self.rules.iter().map(|rule| evaluation.rule(rule, &known))).await;
        let mut signals =
            vec![Signal::new(Regarding::Cluster, RULES, self.rules.len() as f64, at, "the rule files")];
        let mut room = MAX_SERIES_OF_ALL;
        for (rule, outcome) in self.rules.iter().zip(outcomes) {
            let outcome = outcome.and_then(|found| {
                room = room
                    .checked_sub(found.len())
                    .ok_or_else(|| format!("all rules together find more than {MAX_SERIES_OF_ALL} series"))?;
                Ok(found)
            });
            match outcome {
                Ok(found) => signals.extend(series(rule, found, things, at)),
                Err(why) => {
                    let mut signal =
                        Signal::new(Regarding::Cluster, RULE_UNKNOWN, why, at, rule.place.as_str());
                    signal.labels.insert("rule".to_owned(), rule.id.clone());
                    signals.push(signal);
                }
            }
        }
        signals
    }

    /// That nothing is known of any rule, and why.
    pub fn unevaluated(&self, why: String) -> Signal {
        Signal::new(Regarding::Cluster, RULES, why, Utc::now(), "the rule files")
    }
}

/// From the shortest to the longest.
fn names(file: &RuleFile, group: &str, rule: &Rule) -> [String; 3] {
    [rule.name.clone(), format!("{group}/{}", rule.name), format!("{}/{group}/{}", file.name, rule.name)]
}

fn series(rule: &NamedRule, found: Vec<Found>, things: &Things, at: DateTime<Utc>) -> Vec<Signal> {
    let identities: Vec<_> = found.iter().map(|found| found.identity.clone()).collect();
    let regarding = things.regarding(&identities);
    let signals = found.into_iter().zip(regarding).map(|(found, regarding)| {
        let mut signal = Signal::new(regarding, rule.id.as_str(), 0.0, at, rule.place.as_str());
        // What is not finite is no number in JSON.
        signal.value = if found.value.is_finite() { found.value.into() } else { text_of(found.value).into() };
        signal.labels = found.labels;
        signal
    });
    signals.collect()
}

fn text_of(value: f64) -> &'static str {
    match value {
        f64::INFINITY => "+Inf",
        f64::NEG_INFINITY => "-Inf",
        _ => "NaN",
    }
}

/// One round over all rules.
struct Evaluation<'a> {
    rules: &'a Rules,
    prometheus: &'a Client,
    at: DateTime<Utc>,
    until: Instant,
    turns: Semaphore,
    /// Why Prometheus does not answer any more: nobody asks it again in this round.
    gone: Mutex<Option<String>>,
}

impl Evaluation<'_> {
    /// Which of the recorded series that are read Prometheus has.
    async fn known(&self) -> Result<BTreeSet<String>, String> {
        let read: BTreeSet<_> = self.rules.rules.iter().flat_map(|rule| &rule.reads_recorded).collect();
        if read.is_empty() {
            return Ok(BTreeSet::new());
        }
        let read: Vec<_> = read.into_iter().map(String::as_str).collect();
        let query = format!("group by (__name__) ({{__name__=~\"{}\"}})", read.join("|"));
        let found = self.vector(&query, self.at).await?;
        let names = found.samples.iter().filter_map(|sample| sample.labels.metric_name());
        Ok(names.map(str::to_owned).collect())
    }

    async fn rule(
        &self,
        rule: &NamedRule,
        known: &Result<BTreeSet<String>, String>,
    ) -> Result<Vec<Found>, String> {
        let query = match (rule.reads_recorded.is_empty(), known) {
            (true, _) => rule.rule.expr.clone(),
            (false, Ok(known)) => self.rules.recorded.put_in(&rule.rule, known)?,
            (false, Err(why)) => return Err(why.clone()),
        };
        let offset = TimeDelta::from_std(rule.query_offset).unwrap_or_default();
        let vector = self.vector(&query, self.at.checked_sub_signed(offset).unwrap_or(self.at)).await?;
        if !vector.histograms.is_empty() {
            return Err("it finds native histograms, which are no numbers".to_owned());
        }
        let found = vector.samples.len();
        match rule.limit {
            Some(limit) if found > limit => {
                return Err(format!("it finds {found} series, more than the limit of its group, {limit}"));
            }
            _ if found > MAX_SERIES => {
                return Err(format!(
                    "it finds {found} series, of which more than {MAX_SERIES} are not followed"
                ));
            }
            _ => {}
        }
        let mut seen = BTreeSet::new();
        let mut series = Vec::with_capacity(found);
        for sample in vector.samples {
            let labels: BTreeMap<_, _> =
                sample.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let value = sample.sample.value;
            let identity = identity(rule, &labels, value);
            if !seen.insert(identity.clone()) {
                return Err("it finds several series with the labels of one alert".to_owned());
            }
            series.push(Found { labels, identity, value });
        }
        Ok(series)
    }

    async fn vector(&self, query: &str, at: DateTime<Utc>) -> Result<InstantVector, String> {
        let late = || "there was no time left to ask Prometheus".to_owned();
        let _turn = timeout_at(self.until, self.turns.acquire()).await.map_err(|_| late())?;
        if let Some(why) = &*self.gone.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(why.clone());
        }
        let answer = timeout_at(self.until, self.prometheus.query_at(query, at)).await.map_err(|_| late())?;
        let answer = answer.map_err(|error| {
            let why = error.to_string();
            if error.kind() == ErrorKind::Unavailable {
                *self.gone.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
            }
            why
        })?;
        if let Some(warning) = answer.warnings.first() {
            return Err(format!("the answer may be partial: {warning}"));
        }
        match answer.data {
            QueryResult::Vector(vector) => Ok(vector),
            QueryResult::Scalar(sample) => Ok(InstantVector {
                samples: vec![crate::prometheus::InstantSample { labels: Default::default(), sample }],
                histograms: Vec::new(),
            }),
            other => {
                Err(format!("the expression makes a {}, neither a vector nor a number", other.type_name()))
            }
        }
    }
}

/// The labels of the alert that come from the series: not what the rule says of each alert alike.
fn identity(rule: &NamedRule, labels: &BTreeMap<String, String>, value: f64) -> BTreeMap<String, String> {
    let mut identity = labels.clone();
    identity.remove("__name__");
    for (name, template) in &rule.rule.labels {
        identity.remove(name);
        if !template.is_constant() {
            let text = template.expand(TemplateData::new(labels, value)).text;
            if !text.is_empty() {
                identity.insert(name.clone(), text);
            }
        }
    }
    identity
}

#[cfg(test)]
mod tests;
