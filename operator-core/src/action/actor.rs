//! The trait of a subject that can be acted on.

use async_trait::async_trait;

use super::{Action, Preview};
use crate::{Error, Result, Subject};

/// A subject that can be changed. A type of its own, so that what holds a [`Subject`] can never change anything.
///
/// These are primitives, each one step: an executor composes them with a guard and the audit log,
/// and is what programs call.
#[async_trait]
pub trait Actor: Subject {
    /// What `action` would do to the subject as it is now. Reads, and changes nothing.
    ///
    /// An action that must not be sent is a preview with [objections](Preview::objections), so that a person sees all of
    /// them at once.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for an action that is not in the subject's
    /// [`actions`](crate::SubjectConfig::actions),
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for parameters that never make sense, and what went wrong when
    /// the subject was asked.
    async fn preview(&self, action: &Action) -> Result<Preview>;

    /// Sends [`Preview::request`], at most once whatever happens: nothing is tried again, unless it is certain that it
    /// had not arrived.
    async fn send(&self, preview: &Preview) -> Sent;

    /// Looks whether what was sent has taken effect. Reads, and changes nothing; asked again until it is seen. Asked, too,
    /// where a preview has no [request](Preview::request): what was asked for before may not be there yet.
    ///
    /// # Errors
    /// If the subject could not be asked; that says nothing of the effect.
    async fn progress(&self, preview: &Preview) -> Result<Progress>;
}

/// What became of a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Sent {
    /// The subject has taken it, which does not yet mean that it is done. With the subject's own words.
    Accepted(String),
    /// The subject said no, and has done nothing. With the subject's own words.
    Refused(String),
    /// It has not reached the subject, for certain.
    NotSent(Error),
    /// It may or may not have reached the subject: no answer came, or none that can be understood. Only looking tells.
    Unknown(Error),
}

/// How far the effect of an action can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// It is there. With what was seen.
    Done(String),
    /// Not yet. With how far it is.
    Running(String),
    /// Nobody can see whether it is there, now or later. With why, as a clause: `PD does not show it`.
    Unseeable(String),
    /// It will not come any more: the subject gave it up, or put something else in its place. With why.
    Failed(String),
}
