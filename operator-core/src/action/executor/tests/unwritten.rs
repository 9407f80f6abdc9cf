//! What cannot be written down is not sent.

use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;

use super::*;
use crate::{AuditRecord, Error, FileAuditLog};

/// Fails one append, or lets it hang.
#[derive(Debug)]
struct FailsAt {
    inner: InMemoryAuditLog,
    append: usize,
    hangs: bool,
    appended: AtomicUsize,
}

#[async_trait]
impl AuditLog for FailsAt {
    async fn append(&self, record: &AuditRecord) -> Result<()> {
        if self.appended.fetch_add(1, Ordering::Relaxed) != self.append {
            return self.inner.append(record).await;
        }
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Err(Error::new(ErrorKind::Unavailable, "audit", "no space left"))
    }
}

#[tokio::test(start_paused = true)]
async fn an_append_that_fails_stops_what_has_not_been_sent() {
    for (append, hangs) in (0..5).flat_map(|append| [(append, false), (append, true)]) {
        let Bench { subject, .. } = bench(open());
        let (inner, appended) = (InMemoryAuditLog::default(), AtomicUsize::new(0));
        let audit = Arc::new(FailsAt { inner, append, hangs, appended });
        let executor = Executor::new(Arc::clone(&subject), open(), audit.clone());
        let said = if hangs { "not written within" } else { "no space left" };

        let proposal = match executor.propose(drain(4)).await {
            Ok(proposal) => proposal,
            Err(error) => {
                assert_eq!(append, 0);
                assert!(error.message.contains(said), "{error}");
                assert!(subject.arrived().is_empty());
                continue;
            }
        };
        let outcome = executor.execute(&proposal.token, Approval::by("ann")).await.unwrap();
        assert!(outcome.message.contains(said), "{outcome:?}");
        if append <= 2 {
            assert_eq!((outcome.outcome, outcome.sent), (OutcomeKind::Failed, Some(false)));
            assert_eq!((subject.arrived(), outcome.undo, outcome.request), (vec![], None, None));
        } else {
            // Too late to stop: it was sent, and what is not written down is told.
            assert_eq!((outcome.outcome, outcome.sent), (OutcomeKind::Verified, Some(true)));
            assert_eq!(subject.arrived(), [drain(4)]);
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn on_a_full_disk_nothing_is_sent() {
    let Bench { subject, .. } = bench(open());
    let audit = Arc::new(FileAuditLog::open("/dev/full").unwrap());
    let executor = Executor::new(Arc::clone(&subject), open(), audit);
    let error = executor.propose(drain(4)).await.unwrap_err();
    assert!(error.to_string().contains("/dev/full"), "{error}");
    assert!(subject.arrived().is_empty());
    // Looking needs no log.
    assert!(executor.assess(&drain(4)).await.is_ok());
}
