//! What is told beside what the subject shows.

use std::fmt;

use crate::Event;

/// Somebody who sees something of the subject that no observation has, such as what its logs say.
pub trait Reporter: Send + 'static {
    /// What is to be told since it was last asked: once a tick, before the subject is, whether that answers or not.
    /// Their `sequence` and `subject` are set by the monitor. Must not block; and because all of it is told, must sum
    /// up what is more than anybody reads.
    fn report(&mut self) -> Vec<Event>;
}

impl fmt::Debug for dyn Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reporter")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{EventKind, InMemorySubject, InvariantChecker, Monitor, MonitorConfig, Subject};

    struct Counts(u64);

    impl Reporter for Counts {
        fn report(&mut self) -> Vec<Event> {
            self.0 += 1;
            vec![Event::new(0, DateTime::UNIX_EPOCH, EventKind::Log, "", format!("report {}", self.0))]
        }
    }

    #[tokio::test(start_paused = true)]
    async fn reports_are_told_with_each_tick_and_numbered_among_the_others() {
        let subject = Arc::new(InMemorySubject::new("demo").with_stores([]));
        let name = subject.config().name.clone();
        let mut monitor =
            Monitor::new(subject, InvariantChecker::new([]).unwrap(), MonitorConfig::default()).unwrap();
        monitor.reporter(Counts(0));
        let (mut events, stop) = (monitor.events("test", 100), CancellationToken::new());
        let running = tokio::spawn(monitor.run(stop.clone()));
        let (mut reports, mut last) = (Vec::new(), 0);
        while let Some(delivery) = events.recv().await {
            let event = delivery.event;
            assert_eq!((event.sequence, &event.subject), (last + 1, &name));
            last = event.sequence;
            if event.kind == EventKind::Log {
                reports.push(event.message.clone());
            }
            if reports.len() == 3 {
                stop.cancel();
            }
        }
        running.await.unwrap();
        assert_eq!(reports, ["report 1", "report 2", "report 3"]);
    }
}
