//! The live view: what the monitor sees, on a terminal of its own, until somebody leaves.

mod view;
mod findings;
mod stores;
mod screen;
mod summary;
mod terminal;
mod keys;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use operator_core::{Clock, Snapshot};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::keys::Keys;
use self::terminal::Screen;
use self::view::View;
use crate::error::Failure;
use crate::output::Output;

/// How long a change may wait until it is drawn.
const LATENCY: Duration = Duration::from_millis(100);

pub(crate) use self::terminal::give_back;

/// Something that happens to the cluster rather than in it, and when: a story's turn.
pub(super) type Note = (DateTime<Utc>, String);

/// What to show, and where.
pub(super) struct Live {
    /// Takes the summary, once the screen is as it was.
    pub(super) output: Output,
    /// What is watched.
    pub(super) title: String,
    /// How often the monitor looks.
    pub(super) interval: Duration,
}

impl Live {
    /// Shows what the monitor sees until it ends, somebody leaves or `stop` is cancelled; then sums it up. `clock` is
    /// the monitor's. Blocks its thread.
    ///
    /// # Errors
    /// If the terminal cannot be written.
    pub(super) fn show(
        mut self,
        mut snapshots: watch::Receiver<Arc<Snapshot>>,
        notes: &mpsc::Receiver<Note>,
        clock: &Clock,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let mut view = View::new(self.title, self.interval, self.output.style, clock.now());
        let shown = draw(&mut view, &mut snapshots, notes, clock, stop);
        self.output.text(&view.summary(clock.now()))?;
        self.output.flush()?;
        shown
    }
}

fn draw(
    view: &mut View,
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    notes: &mpsc::Receiver<Note>,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let mut screen = Screen::open()?;
    let mut keys = Keys::read()?;
    let mut drawn = None;
    loop {
        // Asked before the last snapshot is taken: nothing comes after it.
        let over = snapshots.has_changed().is_err();
        let changed = view.update(&snapshots.borrow_and_update(), notes.try_iter());
        // Ages are shown to the second.
        let due = Some((clock.now().timestamp(), Screen::size()?));
        if changed || drawn != due {
            screen.draw(view, clock.now())?;
            drawn = due;
        }
        if over || stop.is_cancelled() || keys.leave_within(LATENCY) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
