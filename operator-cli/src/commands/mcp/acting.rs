//! What clients may do, and the one way in which it is done.

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use operator_core::{
    Action, ActionInfo, AuditLog, AuditRecord, AuditRuns, Danger, Executor, FileAuditLog, Guard,
    InMemoryAuditLog, did_you_mean, read_audit,
};
use operator_tikv::TikvActor;

use super::under_way::UnderWay;
use crate::error::Failure;

/// Every action, on the command line.
pub(super) const ALL: &str = "all";

/// What clients may do.
#[derive(Debug)]
pub(super) struct Acting {
    pub(super) executor: Arc<Executor<TikvActor>>,
    /// Whether a client may overrule what can be overruled.
    pub(super) allow_force: bool,
    pub(super) under_way: Arc<UnderWay>,
    log: Log,
}

/// Where what is done is written down.
#[derive(Debug, Clone)]
pub(super) enum Log {
    File(Arc<FileAuditLog>),
    /// Of a simulated cluster: what was never done to anything real has no place among what was.
    Memory(Arc<InMemoryAuditLog>),
}

impl Log {
    pub(super) fn writer(&self) -> Arc<dyn AuditLog> {
        match self {
            Self::File(log) => Arc::clone(log) as _,
            Self::Memory(log) => Arc::clone(log) as _,
        }
    }
}

impl Acting {
    pub(super) fn new(executor: Executor<TikvActor>, allow_force: bool, log: Log) -> Self {
        Self { executor: Arc::new(executor), allow_force, under_way: Arc::default(), log }
    }

    /// The actions that this server lets clients do.
    pub(super) fn actions(&self) -> Vec<ActionInfo> {
        let guard = self.executor.guard();
        let actions = self.executor.config().actions.iter();
        actions.filter(|info| guard.permits_named(&info.name, info.danger).is_ok()).cloned().collect()
    }

    /// The last `most` runs, or only the one asked for, and how many lines of the log could not be read.
    pub(super) async fn runs(&self, most: usize, only: Option<String>) -> Result<(AuditRuns, u64), Failure> {
        let mut runs = AuditRuns::last(most);
        let is_asked = move |record: &AuditRecord| only.as_ref().is_none_or(|run| *run == record.run);
        match &self.log {
            Log::Memory(log) => {
                log.records().into_iter().filter(is_asked).for_each(|record| runs.add(record));
                Ok((runs, 0))
            }
            Log::File(log) => {
                let path = log.path().to_owned();
                let read = tokio::task::spawn_blocking(move || {
                    let mut unread = 0;
                    for record in read_audit(BufReader::new(File::open(path)?)) {
                        match record {
                            Ok(record) if is_asked(&record) => runs.add(record),
                            Ok(_) => {}
                            Err(_) => unread += 1,
                        }
                    }
                    Ok((runs, unread))
                });
                let read: std::io::Result<_> =
                    read.await.map_err(|panic| Failure::other("reading the audit log failed", panic))?;
                read.map_err(|error| Failure::other(format!("the audit log cannot be read: {error}"), error))
            }
        }
    }
}

/// What `--allow-actions` lets pass.
///
/// # Errors
/// [`Failure::Usage`] if it names what is no action.
pub(super) fn guard(names: &[String], force: bool) -> Result<Guard, Failure> {
    let known = || Action::infos().iter().map(|info| info.name.as_str());
    let is_known = |name: &&String| **name == ALL || known().any(|known| known == **name);
    if let Some(wrong) = names.iter().find(|name| !is_known(name)) {
        return Err(Failure::Usage(format!(
            "--allow-actions: there is no action `{wrong}`{}; `operator act --list` shows them",
            did_you_mean(wrong, known())
        )));
    }
    let guard = if names.iter().any(|name| name == ALL) {
        Guard::up_to(Danger::Destructive)
    } else {
        Guard::only(names)
    };
    Ok(guard.allow_force(force))
}
