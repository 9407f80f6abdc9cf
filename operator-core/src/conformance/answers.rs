//! Whether a subject answers, what it does not support, what it does not know, and after it was interrupted.

use std::time::Duration;

use futures::StreamExt;

use super::probe::{Findings, Probe};
use crate::{Error, ErrorKind, Operation, RegionId, RegionQuery, Result, StoreId};

pub(super) async fn declared_answers(probe: Probe<'_>) -> Findings {
    let region = probe.first_region().await;
    let mut findings = Vec::new();
    for operation in probe.operations(true) {
        if let Err(error) = probe.within(probe.call(operation, region)).await {
            findings.push(format!("{operation} is declared and answered {}: {}", error.kind, error.message));
        }
    }
    Ok(findings)
}

pub(super) async fn undeclared_is_unsupported(probe: Probe<'_>) -> Findings {
    let mut findings = Vec::new();
    // That stores is declared is demanded elsewhere.
    for operation in probe.operations(false).filter(|operation| *operation != Operation::Stores) {
        match probe.within(probe.call(operation, Some(RegionId(1)))).await {
            Err(Error { kind: ErrorKind::Unsupported, operation: named, .. })
                if named == operation.as_str() => {}
            Err(Error { kind: ErrorKind::Unsupported, operation: named, .. }) => {
                findings.push(format!("{operation} is not declared, and its error names `{named}`"));
            }
            Err(error) => findings.push(format!("{operation} is not declared and answered {}", error.kind)),
            Ok(()) => findings.push(format!("{operation} is not declared and works")),
        }
    }
    if !probe.subject.config().supports(Operation::Regions) {
        let mut stream = probe.subject.regions(RegionQuery::all()).skip(1);
        if !matches!(probe.within(async { Ok(stream.next().await.is_none()) }).await, Ok(true)) {
            findings.push("the stream of regions goes on after its error".to_owned());
        }
    }
    Ok(findings)
}

pub(super) async fn unknown_ids_are_not_found(probe: Probe<'_>) -> Findings {
    let mut findings = Vec::new();
    let mut judge = |what: &str, id: u64, answer: Result<()>| match answer {
        Err(error) if error.kind == ErrorKind::NotFound => {}
        Err(error) => findings.push(format!("{what} {id}, which does not exist, answered {}", error.kind)),
        Ok(()) => findings.push(format!("{what} {id}, which does not exist, was found")),
    };
    let stores = probe.ask(Operation::Stores, probe.subject.stores()).await?;
    let unknown = |known: &[u64]| (0..u64::MAX).rev().find(|id| !known.contains(id)).unwrap_or(u64::MAX);

    let id = unknown(&stores.iter().map(|store| store.id.0).collect::<Vec<_>>());
    judge("store", id, probe.within(probe.subject.store(StoreId(id))).await.map(drop));
    if probe.answers(Operation::Region).await {
        // Ids are given out in rising order: the highest are those that no region will have.
        let id = unknown(&[]);
        judge("region", id, probe.within(probe.subject.region(RegionId(id))).await.map(drop));
    }
    Ok(findings)
}

/// How often each call is dropped after it was first polled, and then later.
const FIRST_POLLS: u32 = 16;
const LATER: u64 = 8;

pub(super) async fn cancelled_calls_leave_no_trace(probe: Probe<'_>) -> Findings {
    let region = probe.first_region().await;
    let mut findings = Vec::new();
    for operation in probe.operations(true) {
        if probe.within(probe.call(operation, region)).await.is_err() {
            continue;
        }
        for _ in 0..FIRST_POLLS {
            let _ = futures::poll!(probe.call(operation, region));
        }
        for step in 0..LATER {
            // Somewhere between half a millisecond and 64: while connecting, sending, reading.
            let after = Duration::from_micros(500 << step);
            let _ = tokio::time::timeout(after, probe.call(operation, region)).await;
        }
        if let Err(error) = probe.within(probe.call(operation, region)).await {
            findings.push(format!(
                "after calls of {operation} were dropped, it answered {}: {}",
                error.kind, error.message
            ));
        }
    }
    Ok(findings)
}
