//! A preview as it is being made.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use operator_core::{Action, ErrorKind, Precondition, Preview, StoreId};
use serde_json::Value;

use super::request;
use crate::Error;
use crate::pd::{PdClient, StoreInfo};

/// A preview, and whom to ask for what it needs.
pub(super) struct Draft<'a> {
    pub(super) pd: &'a PdClient,
    preview: Preview,
    stores: Option<Stores>,
}

/// All stores but removed ones, or why PD did not tell.
pub(super) type Stores = Result<Arc<[StoreInfo]>, Arc<Error>>;

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
        Ok(Self { pd, preview, stores: None })
    }

    pub(super) fn finish(self) -> Preview {
        self.preview
    }

    /// The stores, asked for once: what is judged by them is judged by one look, and a PD that does not answer is waited
    /// for once.
    pub(super) async fn stores(&mut self) -> Stores {
        if let Some(stores) = &self.stores {
            return stores.clone();
        }
        let stores = self.pd.stores().await.map(Arc::from).map_err(Arc::new);
        self.stores.insert(stores).clone()
    }

    /// One of the stores, if they have been asked for and it is among them.
    pub(super) fn seen_store(&self, id: StoreId) -> Option<StoreInfo> {
        self.stores.as_ref()?.as_ref().ok()?.iter().find(|info| info.store.id == id).cloned()
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
