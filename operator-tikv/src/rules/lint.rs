//! Which rules can never fire, held against what a Prometheus really has.
//!
//! `promtool` knows the grammar; only the Prometheus that is to evaluate a rule knows whether there is anything to
//! evaluate. Each name is asked about once: the metrics' names in one request, the labels of each selector in one, and
//! the values of a label only where one of its values seems to be missing, or two sides are to be matched by it. All of
//! that is in Prometheus' index: no samples are read but those of `up`.

mod facts;
mod judge;
mod call;
mod join;
mod look;
mod nearest;
mod range;
mod shape;

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt};
use serde::Serialize;

use self::facts::Facts;
use self::judge::Judge;
use self::shape::Fate;
use super::{Rule, RuleFile};
use crate::Error;
use crate::prometheus::Client;

/// How a rule file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LintConfig {
    /// The end of the time that counts; now, unless told otherwise.
    pub at: DateTime<Utc>,
    /// How long before that what exists counts as existing; an hour. Prometheus' index knows whole blocks of two hours
    /// and more, so that what has gone may count for longer.
    pub since: Duration,
    /// Of a Prometheus that has watched for less than this, what is missing says nothing; five minutes.
    pub young: Duration,
}

impl Default for LintConfig {
    fn default() -> Self {
        Self { at: Utc::now(), since: Duration::from_secs(3_600), young: Duration::from_secs(300) }
    }
}

impl LintConfig {
    /// Looks at what was there before this moment.
    pub fn at(self, at: DateTime<Utc>) -> Self {
        Self { at, ..self }
    }

    /// Counts as existing what has existed within this time.
    pub fn since(self, since: Duration) -> Self {
        Self { since, ..self }
    }

    /// Takes a Prometheus that has watched for less than this for too young to tell what is missing.
    pub fn young(self, young: Duration) -> Self {
        Self { young, ..self }
    }
}

/// Whether a rule can ever find anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// What it reads does not exist, or what it compares can never be true.
    CannotFire,
    /// What it reads does not exist, and may yet come; or Prometheus did not answer in full.
    CannotSay,
    /// Nothing speaks against it.
    CanFire,
}

impl Verdict {
    /// As people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CannotFire => "cannot fire",
            Self::CannotSay => "cannot say",
            Self::CanFire => "can fire",
        }
    }
}

/// What there is to say of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleVerdict {
    /// Of the alert, or of the series that is recorded.
    pub rule: String,
    /// Its group.
    pub group: String,
    /// The line of the file, from 1, in which it begins.
    pub line: usize,
    /// Whether it can fire; of a recording rule, whether it can record anything.
    pub verdict: Verdict,
    /// Why it cannot, or why that cannot be told; empty if it can.
    pub reasons: Vec<String>,
    /// What is odd about it all the same.
    pub remarks: Vec<String>,
}

/// What there is to say of a rule file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LintReport {
    /// What the file is called.
    pub file: String,
    /// Whom it was held against.
    pub prometheus: String,
    /// The end of the time that counts.
    pub at: DateTime<Utc>,
    /// How long Prometheus had been watching by then, as far back as was looked.
    pub watched_seconds: f64,
    /// How many questions Prometheus was asked.
    pub requests: usize,
    /// In the order of the file.
    pub rules: Vec<RuleVerdict>,
}

impl LintReport {
    /// How many rules have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rules.iter().filter(|rule| rule.verdict == verdict).count()
    }
}

/// Holds every rule of `file` against what `prometheus` has, eight questions at a time.
///
/// A rule cannot fire if a metric or a label's value is missing, if `=` stands where a regular expression was meant, if
/// `histogram_quantile` has no buckets, if a window holds less than two scrapes, if the two sides of an operator have
/// nothing in common, or if a comparison can never be true. An unanswered or partial answer makes that *cannot say*, as
/// do metrics that TiKV is known to show only once something has happened.
///
/// # Errors
/// As [`Client::query`], if Prometheus does not answer at all, or no longer.
pub async fn lint(file: &RuleFile, prometheus: &Client, config: LintConfig) -> Result<LintReport, Error> {
    const AT_ONCE: usize = 8;
    let facts = Facts::ask(prometheus, config).await?;
    let judge = Judge::new(&facts, file);
    // Boxed here: of closures that take references the compiler cannot tell that what they make may be sent.
    let mut verdicts = Vec::new();
    for (group, rule) in file.rules() {
        verdicts.push(judged(&judge, &group.name, rule).boxed());
    }
    let rules = futures::stream::iter(verdicts).buffered(AT_ONCE).collect().await;
    let asked = prometheus.endpoint().map_or_else(String::new, |endpoint| endpoint.to_string());
    let (requests, watched) = (facts.requests(), facts.watched().as_secs_f64());
    facts.answered()?;
    Ok(LintReport {
        file: file.name.clone(),
        prometheus: asked,
        at: config.at,
        watched_seconds: watched,
        requests,
        rules,
    })
}

async fn judged(judge: &Judge<'_>, group: &str, rule: &Rule) -> RuleVerdict {
    let seen = judge.rule(rule).await;
    let (verdict, reasons) = match seen.fate {
        Fate::Live => (Verdict::CanFire, Vec::new()),
        Fate::Unknown(reasons) => (Verdict::CannotSay, reasons),
        Fate::Dead(reasons) => (Verdict::CannotFire, reasons),
    };
    RuleVerdict {
        rule: rule.name.clone(),
        group: group.to_owned(),
        line: rule.line,
        verdict,
        reasons,
        remarks: seen.remarks,
    }
}

#[cfg(test)]
mod tests;
