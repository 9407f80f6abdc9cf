//! One view of a subject at one moment, and how far it can be believed.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Clock, ClusterMetrics, Error, ErrorKind, Member, Operation, PartError, Result, Signal, Store,
    StoreMetrics, StoreState, Subject,
};

/// What a subject looked like at one moment, as far as it could be seen.
///
/// A part that is `None` was not asked for, is not supported, or failed; in the last case `errors` says why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Observation {
    /// When it was begun: nothing in it is older, but for what carries a time of its own.
    pub at: DateTime<Utc>,
    /// How far it can be believed.
    pub trust: Trust,
    /// The stores.
    pub stores: Option<Vec<Store>>,
    /// The stores' metrics.
    pub metrics: Option<Vec<StoreMetrics>>,
    /// The subject as a whole.
    pub cluster: Option<ClusterMetrics>,
    /// The control plane.
    pub members: Option<Vec<Member>>,
    /// What only this kind of subject knows.
    pub signals: Option<Vec<Signal>>,
    /// The parts that failed, and why.
    pub errors: Vec<PartError>,
}

impl Observation {
    /// An observation in which nothing has been seen.
    pub fn empty(at: DateTime<Utc>) -> Self {
        Self {
            at,
            trust: Trust::default(),
            stores: None,
            metrics: None,
            cluster: None,
            members: None,
            signals: None,
            errors: Vec::new(),
        }
    }

    /// The signals of one name.
    pub fn signals_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Signal> {
        self.signals.iter().flatten().filter(move |signal| signal.name == name)
    }
}

/// Which parts to observe, and for how long to wait.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Scope {
    /// What to ask for.
    pub parts: BTreeSet<Part>,
    /// How long each part may take; they run together.
    pub part_deadline: Duration,
    /// Metrics, and the stores' newest heartbeat, that are older than this make the observation stale.
    pub stale_after: Duration,
    /// Tells when the observation was made, and what is old.
    pub clock: Clock,
}

impl Scope {
    /// Every part. A part may take 25 s, more than an election of PD; what is older than 60 s is stale.
    pub fn all() -> Self {
        Self::of(Part::ALL)
    }

    /// Some of the parts.
    pub fn of(parts: impl IntoIterator<Item = Part>) -> Self {
        Self {
            parts: parts.into_iter().collect(),
            part_deadline: Duration::from_secs(25),
            stale_after: Duration::from_secs(60),
            clock: Clock::system(),
        }
    }

    /// Waits for each part this long.
    pub fn part_deadline(self, part_deadline: Duration) -> Self {
        Self { part_deadline, ..self }
    }

    /// Calls an observation stale whose newest data is older than this.
    pub fn stale_after(self, stale_after: Duration) -> Self {
        Self { stale_after, ..self }
    }

    /// Reads the time from `clock`.
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self::all()
    }
}

/// A part of an observation: one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// [`Observation::stores`]
    Stores,
    /// [`Observation::metrics`]
    Metrics,
    /// [`Observation::cluster`]
    Cluster,
    /// [`ClusterMetrics::region_health`]
    RegionHealth,
    /// [`Observation::members`]
    Members,
    /// [`Observation::signals`]
    Signals,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 6] =
        [Self::Stores, Self::Metrics, Self::Cluster, Self::RegionHealth, Self::Members, Self::Signals];

    /// The question that answers it.
    pub fn operation(self) -> Operation {
        match self {
            Self::Stores => Operation::Stores,
            Self::Metrics => Operation::StoreMetrics,
            Self::Cluster => Operation::ClusterMetrics,
            Self::RegionHealth => Operation::RegionHealth,
            Self::Members => Operation::Members,
            Self::Signals => Operation::Signals,
        }
    }

    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stores => "stores",
            Self::Metrics => "metrics",
            Self::Cluster => "cluster",
            Self::RegionHealth => "region_health",
            Self::Members => "members",
            Self::Signals => "signals",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far an observation can be believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trust {
    /// The worst of the reasons' verdicts.
    pub verdict: TrustVerdict,
    /// Why it is not complete; empty if it is.
    pub reasons: Vec<TrustReason>,
}

/// How far an observation can be believed, best first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TrustVerdict {
    /// It shows everything that was asked for.
    #[default]
    Complete,
    /// Something is missing; what is there is right.
    Partial,
    /// The control plane has not yet heard from everybody: it shows live stores as gone and problems as absent.
    WarmingUp,
    /// It shows the past.
    Stale,
}

impl TrustVerdict {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::WarmingUp => "warming_up",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for TrustVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why an observation cannot be believed entirely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrustReason {
    /// What kind of reason it is.
    pub code: TrustCode,
    /// The part it concerns; `null` for all.
    pub part: Option<Part>,
    /// What was seen.
    pub message: String,
}

impl TrustReason {
    /// A reason that concerns one part, or all.
    pub fn new(code: TrustCode, part: Option<Part>, message: impl Into<String>) -> Self {
        Self { code, part, message: message.into() }
    }
}

/// The kinds of reason why an observation cannot be believed entirely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TrustCode {
    /// A part failed.
    PartFailed,
    /// A part answered, and something in it is missing.
    PartIncomplete,
    /// The control plane has not heard from everybody since it started or changed its leader.
    WarmingUp,
    /// The data is older than the scope allows.
    OutOfDate,
}

impl TrustCode {
    /// What the reason makes of an observation.
    pub fn verdict(self) -> TrustVerdict {
        match self {
            Self::PartFailed | Self::PartIncomplete => TrustVerdict::Partial,
            Self::WarmingUp => TrustVerdict::WarmingUp,
            Self::OutOfDate => TrustVerdict::Stale,
        }
    }
}

/// Asks the parts of `scope` together: see [`SubjectExt::observe`](crate::SubjectExt::observe).
pub(crate) async fn observe<S: Subject + ?Sized>(subject: &S, scope: &Scope) -> Result<Observation> {
    if scope.parts.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "observe", "the scope has no parts"));
    }
    let at = scope.clock.now();
    // What is not declared is not asked, so that "unsupported" from a declared part is a failure like any other: a
    // server in which a path is missing must not look like a subject without the part.
    let asked = |part: Part| scope.parts.contains(&part) && subject.config().supports(part.operation());
    let (stores, metrics, cluster, health, members, signals) = tokio::join!(
        ask(asked(Part::Stores), scope, Part::Stores, subject.stores()),
        ask(asked(Part::Metrics), scope, Part::Metrics, subject.store_metrics()),
        ask(asked(Part::Cluster), scope, Part::Cluster, subject.cluster_metrics()),
        ask(asked(Part::RegionHealth), scope, Part::RegionHealth, subject.region_health()),
        ask(asked(Part::Members), scope, Part::Members, subject.members()),
        ask(asked(Part::Signals), scope, Part::Signals, subject.signals(scope)),
    );

    let mut gaps = Gaps::default();
    let mut observation = Observation {
        stores: gaps.keep(Part::Stores, stores),
        metrics: gaps.keep(Part::Metrics, metrics),
        cluster: gaps.keep(Part::Cluster, cluster),
        members: gaps.keep(Part::Members, members),
        signals: gaps.keep(Part::Signals, signals),
        ..Observation::empty(at)
    };
    if let Some(health) = gaps.keep(Part::RegionHealth, health) {
        let stores = observation.stores.as_deref();
        let cluster = observation
            .cluster
            .get_or_insert_with(|| stores.map_or_else(Default::default, ClusterMetrics::from_stores));
        cluster.region_health = Some(health);
    }
    if let Observation { stores: Some(stores), metrics: Some(metrics), cluster: Some(cluster), .. } =
        &mut observation
    {
        cluster.add_up_disks(stores, metrics);
    }
    if gaps.answered == 0 {
        return Err(gaps.first.unwrap_or_else(|| Error::unsupported("observe")));
    }
    observation.errors = gaps.errors;
    observation.trust = judge(subject, scope, &observation);
    Ok(observation)
}

/// The answer to one part's question, `None` if it is not asked.
async fn ask<T>(
    asked: bool,
    scope: &Scope,
    part: Part,
    question: impl Future<Output = Result<T>>,
) -> Option<Result<T>> {
    if !asked {
        return None;
    }
    Some(tokio::time::timeout(scope.part_deadline, question).await.unwrap_or_else(|_| {
        let message = format!("no answer within {:?}", scope.part_deadline);
        Err(Error::new(ErrorKind::Timeout, part.operation().as_str(), message))
    }))
}

/// What failed while an observation was put together.
#[derive(Default)]
struct Gaps {
    answered: usize,
    errors: Vec<PartError>,
    first: Option<Error>,
}

impl Gaps {
    fn keep<T>(&mut self, part: Part, answer: Option<Result<T>>) -> Option<T> {
        match answer? {
            Ok(value) => {
                self.answered += 1;
                Some(value)
            }
            Err(error) => {
                self.errors.push(PartError::new(part, &error));
                self.first.get_or_insert(error);
                None
            }
        }
    }
}

fn judge<S: Subject + ?Sized>(subject: &S, scope: &Scope, observation: &Observation) -> Trust {
    let mut reasons = subject.trust(observation);
    reasons.extend(
        observation
            .errors
            .iter()
            .map(|error| TrustReason::new(TrustCode::PartFailed, Some(error.part), &*error.message)),
    );
    let stale_after = TimeDelta::from_std(scope.stale_after).unwrap_or(TimeDelta::MAX);
    let out_of_date = |part: Part, what: &str, newest: Option<DateTime<Utc>>| {
        // A time ahead of ours means that the clocks differ, not that the data is old.
        let age = observation.at.signed_duration_since(newest?);
        (age > stale_after).then(|| {
            TrustReason::new(
                TrustCode::OutOfDate,
                Some(part),
                format!("{what} is {} s old", age.num_seconds()),
            )
        })
    };
    let stores = observation.stores.iter().flatten().filter(|store| store.state == StoreState::Up);
    let metrics = observation.metrics.iter().flatten();
    reasons.extend(out_of_date(
        Part::Stores,
        "the newest heartbeat of any store",
        stores.filter_map(|s| s.last_heartbeat).max(),
    ));
    reasons.extend(out_of_date(Part::Metrics, "the newest metric of any store", metrics.map(|m| m.at).max()));
    Trust { verdict: reasons.iter().map(|reason| reason.code.verdict()).max().unwrap_or_default(), reasons }
}

#[cfg(test)]
mod tests;
