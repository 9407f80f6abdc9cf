//! What every command works with: the subject, and how long to wait for it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use operator_core::{Clock, Error, ErrorKind, Invariant, RegionPage, Result, Subject};
use operator_tikv::TikvSubject;

use crate::error::Failure;
use crate::progress;

/// A subject to ask, and the terms.
#[derive(Debug)]
pub(crate) struct Session {
    /// Whom to ask.
    pub(crate) subject: Arc<dyn Subject>,
    /// The same as what it is, where that is known: it tells how it measured.
    pub(crate) tikv: Option<Arc<TikvSubject>>,
    /// Who that is, in a message.
    pub(crate) asked: String,
    /// How long one question may take.
    pub(crate) timeout: Duration,
    /// Tells how old something is.
    pub(crate) clock: Clock,
}

impl Session {
    /// The answer to one question.
    pub(crate) async fn ask<T>(
        &self,
        operation: &'static str,
        question: impl Future<Output = Result<T>>,
    ) -> Result<T, Failure> {
        let answer = tokio::time::timeout(self.timeout, question);
        match progress::waiting(&self.asked, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(self.silent(operation).into()),
        }
    }

    /// What its rules and the alerts of its Prometheus say.
    pub(crate) fn rule_invariants(&self) -> Vec<Arc<dyn Invariant>> {
        self.tikv.as_ref().map(|tikv| tikv.rule_invariants()).unwrap_or_default()
    }

    /// The next page of a stream; each may take as long as a question.
    pub(crate) async fn next_page(
        &self,
        pages: &mut BoxStream<'_, Result<RegionPage>>,
    ) -> Result<Option<RegionPage>, Failure> {
        self.ask("regions", async { pages.next().await.transpose() }).await
    }

    fn silent(&self, operation: &'static str) -> Error {
        let timeout = humantime::format_duration(self.timeout);
        Error::new(ErrorKind::Timeout, operation, format!("no answer within {timeout} from {}", self.asked))
    }
}

#[cfg(test)]
impl Session {
    /// A session with `subject` under generous terms.
    pub(crate) fn over(subject: Arc<dyn Subject>) -> Self {
        Self {
            subject,
            tikv: None,
            asked: "the test".to_owned(),
            timeout: Duration::from_secs(10),
            clock: Clock::system(),
        }
    }
}

#[cfg(test)]
mod tests {
    use operator_core::{InMemorySubject, Operation};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_question_ends_at_its_deadline_and_says_who_was_asked() {
        let subject = InMemorySubject::new("demo");
        subject.delay(Operation::Stores, Duration::from_secs(3_600));
        let session = Session::over(Arc::new(subject));
        let failure = session.ask("stores", session.subject.stores()).await.unwrap_err();
        assert_eq!(failure.to_string(), "stores: no answer within 10s from the test");
    }
}
