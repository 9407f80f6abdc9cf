//! The terminal: taken for the view, and given back as it was, however the view ends.

use std::io::{self, BufWriter, Stdout, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use chrono::{DateTime, Utc};
use ratatui_core::layout::Size;
use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::cursor::Show;
use ratatui_crossterm::crossterm::execute;
use ratatui_crossterm::crossterm::terminal::{
    self, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::view::View;

/// Whether the view has the terminal.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// What panicked meanwhile.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A screen of the view's own. Dropped, it leaves the terminal as it was.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    /// Dropped last, when all that was drawn is written.
    _taken: Taken,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// If it cannot be set or written; then it is as it was.
    pub(super) fn open() -> io::Result<Self> {
        keep_panics();
        TAKEN.store(true, Ordering::Relaxed);
        let taken = Taken;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen)?;
        let backend = CrosstermBackend::new(BufWriter::with_capacity(64 * 1024, io::stdout()));
        Ok(Self { terminal: Terminal::new(backend)?, _taken: taken })
    }

    /// How large it is now.
    ///
    /// # Errors
    /// If the terminal has gone.
    pub(super) fn size() -> io::Result<Size> {
        terminal::size().map(Size::from)
    }

    /// Shows the view as of `now`.
    ///
    /// # Errors
    /// If the terminal cannot be written.
    pub(super) fn draw(&mut self, view: &View, now: DateTime<Utc>) -> io::Result<()> {
        self.terminal.draw(|frame| view.draw(frame, now)).map(|_| ())
    }
}

struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
        // A terminal that has gone needs nothing.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
        TAKEN.store(false, Ordering::Relaxed);
        for panic in PANICS.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = writeln!(io::stderr(), "{panic}");
        }
    }
}

/// Makes the terminal work by lines again, if it does not. Waits for nobody, not even for a terminal that takes no more
/// output, so that the program can end in spite of it.
pub(crate) fn give_back() {
    let _ = disable_raw_mode();
}

/// While the view has the terminal, what a panic says would be drawn over: it is kept until the terminal is given back.
fn keep_panics() {
    const KEPT: usize = 20;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !TAKEN.load(Ordering::Relaxed) {
                return usual(panic);
            }
            let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
            if panics.len() < KEPT {
                panics.push(panic.to_string());
            }
        }));
    });
}
