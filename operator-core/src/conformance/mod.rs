//! The suite that any implementer of [`Subject`], or of [`Actor`](crate::Actor), runs against its own.
//!
//! Each [`Rule`] asks the subject some questions and holds the answers against what [`Subject`] and the types promise.
//! The suite reads only, and a subject whose data changes meanwhile is given the benefit of the doubt: a rule that
//! compares two answers asks again before it fails. What a subject does not declare, and what depends on something that
//! did not answer, is skipped; that something declared does not answer is a rule of its own.
//!
//! ```
//! use operator_core::{InMemorySubject, conformance};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let subject = InMemorySubject::new("mine");
//! conformance::check(&subject).await.assert_passed();
//! # }
//! ```

mod probe;
mod answers;
mod config;
mod stores;
mod regions;
mod observation;
mod actor;

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;

pub use self::actor::check_actor;
use self::probe::{Findings, Probe};
use crate::Subject;

/// How long [`check`] waits for each answer: longer than a control plane takes to elect a leader.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Runs every rule, one after the other, waiting [`DEADLINE`] for each answer. Needs a tokio runtime with time.
pub async fn check(subject: &dyn Subject) -> Report {
    check_within(subject, DEADLINE).await
}

/// Runs every rule, waiting `deadline` for each answer.
pub async fn check_within(subject: &dyn Subject, deadline: Duration) -> Report {
    let mut report = Report::default();
    for rule in RULES {
        match rule.check(subject, deadline).await {
            Outcome::Passed => report.passed.push(rule.name),
            Outcome::Skipped(reason) => report.skipped.push(Remark { rule: rule.name, message: reason }),
            Outcome::Failed(messages) => report
                .failures
                .extend(messages.into_iter().map(|message| Remark { rule: rule.name, message })),
        }
    }
    report
}

/// Something that every subject keeps to.
pub struct Rule {
    /// Its name, in `snake_case`.
    pub name: &'static str,
    /// What it demands.
    pub description: &'static str,
    /// How often to ask before it fails.
    attempts: u32,
    check: Check,
}

type Check = for<'a> fn(Probe<'a>) -> BoxFuture<'a, Findings>;

impl Rule {
    const fn new(name: &'static str, description: &'static str, check: Check) -> Self {
        Self { name, description, attempts: 1, check }
    }

    /// For a rule that compares answers, between which a live subject may change.
    const fn patient(self) -> Self {
        Self { attempts: 3, ..self }
    }

    /// Holds `subject` against this rule alone, waiting `deadline` for each answer.
    pub async fn check(&self, subject: &dyn Subject, deadline: Duration) -> Outcome {
        let mut outcome = Outcome::Passed;
        for _ in 0..self.attempts {
            outcome = match (self.check)(Probe::new(subject, deadline)).await {
                Ok(messages) if messages.is_empty() => Outcome::Passed,
                Ok(messages) => Outcome::Failed(shortened(messages)),
                Err(reason) => Outcome::Skipped(reason.0),
            };
            if !matches!(outcome, Outcome::Failed(_)) {
                break;
            }
        }
        outcome
    }
}

/// How many failures of one rule are told.
const TOLD: usize = 8;

/// A subject that does something wrong mostly does it everywhere.
fn shortened(mut messages: Vec<String>) -> Vec<String> {
    let more = messages.len().saturating_sub(TOLD);
    messages.truncate(TOLD);
    if more > 0 {
        messages.push(format!("and {more} more of this kind"));
    }
    messages
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.name).finish()
    }
}

/// Every rule, in the order in which [`check`] runs them.
pub const RULES: &[Rule] = &[
    Rule::new(
        "config_is_sound",
        "`stores` is declared, nothing is declared twice, objectives have names of their own and finite thresholds",
        |probe| Box::pin(config::config_is_sound(probe)),
    ),
    Rule::new(
        "actions_have_schemas",
        "actions have snake_case names of their own and parameters that are JSON Schema objects",
        |probe| Box::pin(config::actions_have_schemas(probe)),
    ),
    Rule::new("declared_answers", "what is declared answers within the deadline", |probe| {
        Box::pin(answers::declared_answers(probe))
    }),
    Rule::new(
        "undeclared_is_unsupported",
        "what is not declared answers `unsupported`, with the method's name as the operation",
        |probe| Box::pin(answers::undeclared_is_unsupported(probe)),
    ),
    Rule::new(
        "unknown_ids_are_not_found",
        "a store or region that does not exist answers `not_found`",
        |probe| Box::pin(answers::unknown_ids_are_not_found(probe)),
    ),
    Rule::new("cancelled_calls_leave_no_trace", "after calls were dropped half-way, the next is answered", |p| {
        Box::pin(answers::cancelled_calls_leave_no_trace(p))
    }),
    Rule::new("stores_are_distinct", "stores have ids of their own, and none has been removed", |probe| {
        Box::pin(stores::stores_are_distinct(probe))
    }),
    Rule::new("store_agrees_with_stores", "`store(id)` finds each of `stores`", |probe| {
        Box::pin(stores::store_agrees_with_stores(probe))
    })
    .patient(),
    Rule::new(
        "metrics_are_sound",
        "each store has metrics at most once, only known stores have any, and they are finite and not negative",
        |probe| Box::pin(stores::metrics_are_sound(probe)),
    )
    .patient(),
    Rule::new(
        "cluster_metrics_add_up",
        "the states add up to the number of stores, removed ones apart; only known stores lead; health is left empty",
        |probe| Box::pin(stores::cluster_metrics_add_up(probe)),
    )
    .patient(),
    Rule::new("members_are_distinct", "members have names and ids of their own, and at most one leads", |probe| {
        Box::pin(stores::members_are_distinct(probe))
    }),
    Rule::new(
        "regions_are_in_order",
        "regions come in the order of their keys, none twice, without a gap or an overlap that is not reported",
        |probe| Box::pin(regions::regions_are_in_order(probe)),
    ),
    Rule::new(
        "regions_obey_the_query",
        "a stream keeps to the page size, the limit, the range of keys and the store that it was asked for",
        |probe| Box::pin(regions::regions_obey_the_query(probe)),
    )
    .patient(),
    Rule::new(
        "regions_have_their_peers",
        "peers have ids of their own and lie on known stores; leaders, down and pending peers are peers",
        |probe| Box::pin(regions::regions_have_their_peers(probe)),
    )
    .patient(),
    Rule::new(
        "region_agrees_with_regions",
        "`region(id)` finds what `regions` lists, with the same range and peers if the epoch is the same",
        |probe| Box::pin(regions::region_agrees_with_regions(probe)),
    )
    .patient(),
    Rule::new(
        "hot_regions_are_ranked",
        "hot regions are of the kind asked for, the largest flow first, no more than asked for, and finite",
        |probe| Box::pin(regions::hot_regions_are_ranked(probe)),
    ),
    Rule::new(
        "region_health_has_evidence",
        "at most 20 regions are named a kind, none twice, and none where the count is smaller",
        |probe| Box::pin(regions::region_health_has_evidence(probe)),
    ),
    Rule::new("signals_are_sound", "signals have snake_case names, a source, and finite numbers", |probe| {
        Box::pin(observation::signals_are_sound(probe))
    }),
    Rule::new("trust_is_pure", "`trust` says the same of the same observation", |probe| {
        Box::pin(observation::trust_is_pure(probe))
    }),
    Rule::new("json_round_trips", "config, observation and regions come back from JSON as they were", |probe| {
        Box::pin(observation::json_round_trips(probe))
    }),
];

/// What became of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Outcome {
    /// The subject keeps to it.
    Passed,
    /// It does not apply, or depends on something that did not answer: why.
    Skipped(String),
    /// The subject breaks it: how, at least once.
    Failed(Vec<String>),
}

/// What became of the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "failures are in the report: `assert_passed` ends a test with them"]
#[non_exhaustive]
pub struct Report {
    /// The rules that the subject keeps to.
    pub passed: Vec<&'static str>,
    /// The rules that do not apply, and why.
    pub skipped: Vec<Remark>,
    /// The rules that the subject breaks, and how; a rule may be there more than once.
    pub failures: Vec<Remark>,
}

/// A word on one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remark {
    /// The rule's name.
    pub rule: &'static str,
    /// What was seen.
    pub message: String,
}

impl Report {
    /// Ends a test with the whole report unless the subject keeps to every rule.
    ///
    /// # Panics
    /// If there are failures.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.failures.is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    /// A line for the whole, then one for each failure and each rule skipped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, skipped, failures) = (self.passed.len(), self.skipped.len(), self.failures.len());
        write!(f, "conformance: {passed} rules passed, {skipped} skipped, {failures} failures")?;
        for Remark { rule, message } in &self.failures {
            write!(f, "\n  FAILED {rule}: {message}")?;
        }
        for Remark { rule, message } in &self.skipped {
            write!(f, "\n  skipped {rule}: {message}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
