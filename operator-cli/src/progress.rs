//! A line on the terminal that tells what is waited for, and disappears with its end.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use crate::output::text::shortened;

/// What takes no longer than this is not worth a line.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs `work`; once it takes long, and if stderr is a terminal, says so every second until it ends.
pub(crate) async fn waiting<T>(what: &str, work: impl Future<Output = T>) -> T {
    showing(|elapsed| told(what, elapsed), work).await
}

/// Runs `work`; once it takes long, and if stderr is a terminal, shows every second how far it is, in a short line.
pub(crate) async fn showing<T>(told: impl Fn(Duration) -> String, work: impl Future<Output = T>) -> T {
    if !io::stderr().is_terminal() {
        return work.await;
    }
    tokio::pin!(work);
    let begun = Instant::now();
    let mut ticks = tokio::time::interval_at(begun + PATIENCE, Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut line = Line { shown: false };
    loop {
        tokio::select! {
            biased;
            result = &mut work => return result,
            _ = ticks.tick() => line.show(&told(begun.elapsed())),
        }
    }
}

/// In one line of any terminal: what wraps cannot be cleared.
fn told(what: &str, elapsed: Duration) -> String {
    format!("waiting for {} ({} s)", shortened(what, 50), elapsed.as_secs())
}

/// Clears itself, also when the work is cancelled.
struct Line {
    shown: bool,
}

impl Line {
    fn show(&mut self, text: &str) {
        self.shown = true;
        let mut stderr = io::stderr().lock();
        // Whether the line can be shown or not makes no difference to the work.
        let _ = write!(stderr, "\r\u{1b}[K{text}").and_then(|()| stderr.flush());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.shown {
            let mut stderr = io::stderr().lock();
            let _ = write!(stderr, "\r\u{1b}[K").and_then(|()| stderr.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_fits_a_terminal_whatever_is_waited_for() {
        assert_eq!(
            told("PD at http://a", Duration::from_millis(12_900)),
            "waiting for PD at http://a (12 s)"
        );
        assert!(told(&"PD".repeat(1_000), Duration::from_secs(86_400)).chars().count() < 80);
    }
}
