//! What stays on the screen when the view is gone.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::findings::sentence;
use super::view::{View, since};
use crate::output::text;

/// How many findings, and how many of the last events are told.
const TOLD: usize = 10;

impl View {
    /// How long was watched, where it stands, and what happened last; in plain text.
    pub(super) fn summary(&self, now: DateTime<Utc>) -> String {
        let counters = self.snapshot.counters;
        let mut text = format!(
            "Watched {} for {}: {} looks, {} in vain.\n",
            text::escaped(&self.title),
            text::duration(since(self.begun, now)),
            counters.observations + counters.failures,
            counters.failures,
        );
        let (word, _, sentence_of_it, reasons) = self.verdict(now);
        let _ = writeln!(text, "{word}  {sentence_of_it}");
        reasons.iter().take(TOLD).for_each(|reason| text.push_str(&format!("  {reason}\n")));
        text.push_str(&sentence(&self.snapshot).0);
        text.push('\n');
        let items = self.items(now);
        items.iter().take(TOLD).for_each(|item| text.push_str(&format!("  {}\n", item.plain())));
        if items.len() > TOLD {
            let _ = writeln!(text, "  … and {} more", items.len() - TOLD);
        }
        let told = self.told();
        let last = told.iter().skip(told.len().saturating_sub(TOLD));
        text.push_str("Last events:\n");
        for (at, event, _) in last {
            let _ = writeln!(text, "  {}  {event}", text::time(*at));
        }
        text
    }
}
