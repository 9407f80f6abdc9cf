//! An audit log for tests: it holds what it was given, and fails when told to.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{AuditLog, AuditRecord};
use crate::{Error, ErrorKind, Result};

/// An audit log that survives nothing: for tests, where it also fails when told to.
#[derive(Debug, Default)]
pub struct InMemoryAuditLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    records: Vec<AuditRecord>,
    fails: bool,
}

impl InMemoryAuditLog {
    /// What was appended, in order.
    pub fn records(&self) -> Vec<AuditRecord> {
        self.state().records.clone()
    }

    /// Fails every append from now on, or no longer.
    pub fn fail(&self, fails: bool) {
        self.state().fails = fails;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while holding the lock left whole records behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AuditLog for InMemoryAuditLog {
    async fn append(&self, record: &AuditRecord) -> Result<()> {
        let mut state = self.state();
        if state.fails {
            return Err(Error::new(ErrorKind::Unavailable, "audit", "made to fail"));
        }
        state.records.push(record.clone());
        Ok(())
    }
}
