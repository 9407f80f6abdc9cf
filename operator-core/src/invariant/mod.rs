//! What must hold of a subject, and the memory that turns single sights of it into violations with a history.

mod info;
mod finding;
mod limits;
mod violation;
mod history;
mod checker;
mod report;
pub mod common;

use std::fmt::{self, Debug};
use std::sync::Arc;

pub use self::checker::{Checked, CheckerConfig, CheckerState, InvariantChecker};
pub use self::finding::{Finding, Verdict};
pub use self::info::{InvariantInfo, Severity, SeverityGrace};
pub use self::limits::{ascending, within};
pub use self::report::{CheckOutcome, CheckReport};
pub use self::violation::{Transition, Unknown, Violation, ViolationState};
use crate::{Error, Observation};

/// Something that must hold of a subject.
///
/// [`check`](Self::check) is a pure function of one observation: it reads no clock, asks nobody and remembers nothing.
/// Time (grace, keep-firing) is the business of [`InvariantChecker`].
///
/// What is not named in the findings holds, so an invariant that cannot see must say so: [`Finding::unknown`] for one
/// thing, or for [`Regarding::Cluster`](crate::Regarding::Cluster) when it cannot see at all. The latter turns *what is
/// not named holds* into *what is not named is unknown* for this observation; what is named as violated beside it still
/// is.
///
/// ```
/// use std::time::Duration;
/// use operator_core::{Finding, Invariant, InvariantInfo, Regarding, Severity, invariant_fn};
///
/// let info = InvariantInfo::new("too_few_stores", Severity::Warning, Duration::from_secs(60))
///     .description("The cluster has fewer than three stores.")
///     .source("stores");
/// let too_few_stores = invariant_fn(info, |observation| match &observation.stores {
///     None => vec![Finding::unknown(Regarding::Cluster, "the stores could not be listed")],
///     Some(stores) if stores.len() >= 3 => vec![],
///     Some(stores) => vec![
///         Finding::violated(Regarding::Cluster, Severity::Warning, format!("{} stores", stores.len()))
///             .measured(stores.len() as f64, 3.0, "stores"),
///     ],
/// });
/// assert_eq!(too_few_stores.info().id, "too_few_stores");
/// ```
pub trait Invariant: Debug + Send + Sync {
    /// What it is called and how patient it is. Always the same.
    fn info(&self) -> &InvariantInfo;

    /// What is violated or cannot be told in `observation`, in any order; a thing named twice counts as its worst.
    fn check(&self, observation: &Observation) -> Vec<Finding>;

    /// What follows when nothing could be observed, from the error alone: that a control plane has no leader. `None`,
    /// as provided, if nothing does: then everything is unknown.
    fn check_failure(&self, error: &Error) -> Option<Vec<Finding>> {
        let _ = error;
        None
    }
}

impl<I: Invariant + ?Sized> Invariant for Arc<I> {
    fn info(&self) -> &InvariantInfo {
        (**self).info()
    }

    fn check(&self, observation: &Observation) -> Vec<Finding> {
        (**self).check(observation)
    }

    fn check_failure(&self, error: &Error) -> Option<Vec<Finding>> {
        (**self).check_failure(error)
    }
}

/// An invariant made of a function.
pub fn invariant_fn<F>(info: InvariantInfo, check: F) -> InvariantFn<F>
where
    F: Fn(&Observation) -> Vec<Finding> + Send + Sync,
{
    InvariantFn { info, check }
}

/// What [`invariant_fn`] returns.
pub struct InvariantFn<F> {
    info: InvariantInfo,
    check: F,
}

impl<F> Debug for InvariantFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvariantFn").field("info", &self.info).finish_non_exhaustive()
    }
}

impl<F: Fn(&Observation) -> Vec<Finding> + Send + Sync> Invariant for InvariantFn<F> {
    fn info(&self) -> &InvariantInfo {
        &self.info
    }

    fn check(&self, observation: &Observation) -> Vec<Finding> {
        (self.check)(observation)
    }
}
