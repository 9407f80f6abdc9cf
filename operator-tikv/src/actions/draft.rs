//! A preview as it is being made.

use chrono::{DateTime, Utc};
use operator_core::{Action, ErrorKind, Precondition, Preview};
use serde_json::Value;

use super::request;
use crate::Error;
use crate::pd::PdClient;

/// A preview, and whom to ask for what it needs.
pub(super) struct Draft<'a> {
    pub(super) pd: &'a PdClient,
    preview: Preview,
}

impl<'a> Draft<'a> {
    /// Begins with the request that `action` stands for.
    pub(super) fn new(
        pd: &'a PdClient,
        subject: &str,
        at: DateTime<Utc>,
        action: &Action,
    ) -> Result<Self, Error> {
        let mut preview = Preview::new(subject, at, action.clone(), format!("{action} is not possible"));
        preview.request = Some(request::of(action)?);
        Ok(Self { pd, preview })
    }

    pub(super) fn finish(self) -> Preview {
        self.preview
    }

    /// What will happen.
    pub(super) fn say(&mut self, summary: impl Into<String>) {
        self.preview.summary = summary.into();
    }

    /// It is as wanted, and nothing is sent.
    pub(super) fn already(&mut self, summary: impl Into<String>) {
        self.preview.summary = summary.into();
        self.preview.request = None;
    }

    pub(super) fn require(&mut self, name: &str, holds: bool, message: impl Into<String>) {
        self.preview.preconditions.push(Precondition::new(name, holds, message));
    }

    /// A precondition that cannot be told, because this could not be asked.
    pub(super) fn unknown(&mut self, name: &str, why: impl ToString) {
        self.preview.preconditions.push(Precondition::unknown(name, why.to_string()));
    }

    pub(super) fn warn(&mut self, message: impl Into<String>) {
        self.preview.warnings.push(message.into());
    }

    /// The action depends on this; if it changes, it has to be looked at anew.
    pub(super) fn depends_on(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.preview.basis.insert(name.into(), value.into());
    }

    /// What was seen, for telling it from what comes later.
    pub(super) fn note(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.preview.notes.insert(name.into(), value.into());
    }

    pub(super) fn undo(&mut self, action: Action) {
        self.preview.undo = Some(action);
    }
}

/// `None` for what there is not.
pub(super) fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
