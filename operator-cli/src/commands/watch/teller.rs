//! Events as lines: for people, or as JSON.

use std::fmt::Write as _;

use operator_core::{Delivery, Event, EventKind, Severity};

use crate::error::Failure;
use crate::output::text::{self, escaped};
use crate::output::{Format, Output, Style, Tone};

/// Writes each event as a line, and hands it over at once.
pub(super) struct Teller {
    output: Output,
    /// Whether people are told what is pending; programs are told everything.
    pending: bool,
}

impl Teller {
    pub(super) fn new(output: Output, pending: bool) -> Self {
        Self { output, pending }
    }

    /// Writes an event.
    ///
    /// # Errors
    /// If it cannot be written: the reader has gone, or the disk is full.
    pub(super) fn tell(&mut self, delivery: &Delivery) -> Result<(), Failure> {
        if delivery.missed > 0 {
            let count = delivery.missed;
            self.note(&format!("{count} events before the next one were lost: they were not read in time"));
        }
        match self.output.format {
            Format::Json => self.output.json_line(&*delivery.event)?,
            Format::Table if delivery.event.kind == EventKind::Pending && !self.pending => {}
            Format::Table => {
                let line = line(&delivery.event, self.output.style);
                self.output.text(&line)?;
            }
        }
        self.output.flush()
    }

    /// Says something beside the events.
    pub(super) fn note(&mut self, text: &str) {
        self.output.note(text);
    }
}

/// When, what kind, how bad, about what, and the message.
fn line(event: &Event, style: Style) -> String {
    let kind = format!("{:<9}", event.kind.as_str());
    format!("{}  {}  {}\n", text::time(event.at), style.paint(tone(event), &kind), body(event))
}

/// How bad, about what, and the message, safe to print.
pub(super) fn body(event: &Event) -> String {
    let mut body = String::new();
    if let Some(severity) = event.severity {
        let _ = write!(body, "{severity:<8}  ");
    }
    if let Some(regarding) = &event.regarding {
        let _ = write!(body, "{}  ", escaped(&regarding.to_string()));
    }
    if let Some(invariant) = &event.invariant {
        let _ = write!(body, "{}: ", escaped(invariant));
    }
    let _ = write!(body, "{}", escaped(&event.message));
    if let Some(previous) = event.previous_severity {
        let _ = write!(body, " (was {previous})");
    }
    body
}

pub(super) fn tone(event: &Event) -> Tone {
    match event.kind {
        EventKind::Firing if event.severity == Some(Severity::Critical) => Tone::Bad,
        EventKind::Unreachable => Tone::Bad,
        EventKind::Resolved | EventKind::Reachable | EventKind::ObservedAgain => Tone::Good,
        EventKind::Firing | EventKind::Pending | EventKind::Unobserved | EventKind::TicksSkipped => {
            Tone::Doubtful
        }
        _ => Tone::Title,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn event(kind: EventKind, message: &str) -> Event {
        Event::new(1, DateTime::UNIX_EPOCH, kind, "demo", message)
    }

    #[test]
    fn a_line_has_what_a_person_needs_and_nothing_that_a_terminal_obeys() {
        let mut firing = event(EventKind::Firing, "store 4 is lost\u{1b}[2J");
        firing.invariant = Some("store_down".into());
        firing.regarding = Some("store/4".parse().unwrap());
        firing.severity = Some(Severity::Critical);
        firing.previous_severity = Some(Severity::Warning);
        let expected = "1970-01-01T00:00:00Z  firing     critical  store/4  store_down: store 4 is lost\\u{1b}[2J \
                        (was warning)\n";
        assert_eq!(line(&firing, Style::PLAIN), expected);
        let started = event(EventKind::Started, "18 invariants, every 5 s");
        assert_eq!(
            line(&started, Style::PLAIN),
            "1970-01-01T00:00:00Z  started    18 invariants, every 5 s\n"
        );
    }
}
