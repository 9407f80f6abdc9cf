//! What the view knows: the monitor's last snapshot, how the stores' load went, and what a story told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use operator_core::{EventKind, Observation, Snapshot, StoreId, StoreMetrics, TrustVerdict};
use ratatui_core::style::{Color, Modifier};
use ratatui_core::text::{Line, Span};

use super::super::teller;
use super::Note;
use crate::output::history::History;
use crate::output::text::escaped;
use crate::output::{Style, Tone};

/// How many of a story's notes are kept.
const NOTES: usize = 100;

/// What the view knows.
pub(super) struct View {
    pub(super) title: String,
    /// When it began.
    pub(super) begun: DateTime<Utc>,
    pub(super) snapshot: Arc<Snapshot>,
    /// Of the stores that are there.
    pub(super) loads: BTreeMap<StoreId, Load>,
    pub(super) interval: Duration,
    style: Style,
    notes: VecDeque<Note>,
}

/// How a store's load went.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) qps: History,
    pub(super) p99: History,
}

impl View {
    pub(super) fn new(title: String, interval: Duration, style: Style, begun: DateTime<Utc>) -> Self {
        Self {
            title,
            begun,
            snapshot: Arc::default(),
            loads: BTreeMap::new(),
            interval,
            style,
            notes: VecDeque::new(),
        }
    }

    /// Takes what is new; whether anything is.
    pub(super) fn update(&mut self, snapshot: &Arc<Snapshot>, notes: impl Iterator<Item = Note>) -> bool {
        let before = self.notes.len();
        self.notes.extend(notes);
        let noted = self.notes.len() > before;
        self.notes.drain(..self.notes.len().saturating_sub(NOTES));
        if Arc::ptr_eq(snapshot, &self.snapshot) {
            return noted;
        }
        // The last snapshot of all follows no look.
        let looks = |snapshot: &Snapshot| snapshot.counters.observations + snapshot.counters.failures;
        let looked = looks(snapshot) > looks(&self.snapshot);
        self.snapshot = Arc::clone(snapshot);
        if looked {
            self.remember();
        }
        true
    }

    /// Adds what the last look has shown of each store to its history.
    fn remember(&mut self) {
        let snapshot = Arc::clone(&self.snapshot);
        let Some(seen) = &snapshot.observation else { return };
        // What was seen before is not seen again.
        let metrics = if snapshot.unreachable.is_some() { BTreeMap::new() } else { by_store(seen) };
        if let Some(stores) = &seen.stores {
            let mut loads = std::mem::take(&mut self.loads);
            self.loads =
                stores.iter().map(|store| (store.id, loads.remove(&store.id).unwrap_or_default())).collect();
        }
        for (id, load) in &mut self.loads {
            let metrics = metrics.get(id);
            load.qps.push(metrics.and_then(|metrics| metrics.qps));
            load.p99.push(metrics.and_then(|metrics| metrics.latency_p99).map(|p99| p99.as_secs_f64()));
        }
    }

    /// For how long nothing has been seen, if that is longer than it should be.
    pub(super) fn unseen_for(&self, now: DateTime<Utc>) -> Option<Duration> {
        let began = self.snapshot.at.unwrap_or(self.begun);
        let waited = now.signed_duration_since(began).to_std().unwrap_or_default();
        (waited > self.interval * 2 + self.snapshot.took).then_some(waited)
    }

    /// Whether what is shown is the past.
    pub(super) fn is_past(&self, now: DateTime<Utc>) -> bool {
        let stale = |seen: &Arc<Observation>| seen.trust.verdict == TrustVerdict::Stale;
        self.snapshot.unreachable.is_some()
            || self.unseen_for(now).is_some()
            || self.snapshot.observation.as_ref().is_some_and(stale)
    }

    /// Whether what looks good now can be believed to be good.
    pub(super) fn reassures(&self, now: DateTime<Utc>) -> bool {
        let believed = |seen: &Arc<Observation>| seen.trust.verdict <= TrustVerdict::Partial;
        !self.is_past(now) && self.snapshot.observation.as_ref().is_some_and(believed)
    }

    /// What was told, oldest first. What is pending has a place of its own.
    pub(super) fn told(&self) -> Vec<(DateTime<Utc>, String, Option<Tone>)> {
        let loud = self.snapshot.recent.iter().filter(|event| event.kind != EventKind::Pending);
        let events = loud.map(|event| {
            let text = format!("{:<11}  {}", event.kind.as_str(), teller::body(event));
            (event.at, text, Some(teller::tone(event)))
        });
        let notes =
            self.notes.iter().map(|(at, note)| (*at, format!("story        {}", escaped(note)), None));
        let mut told: Vec<_> = events.chain(notes).collect();
        told.sort_by_key(|(at, ..)| *at);
        told
    }

    /// Safe text in a tone, if colours are wanted.
    pub(super) fn span(&self, text: impl Into<String>, tone: Option<Tone>) -> Span<'static> {
        let span = Span::raw(text.into());
        match tone.filter(|_| self.style.color) {
            None => span,
            Some(Tone::Good) => span.style(Color::Green),
            Some(Tone::Doubtful) => span.style(Color::Yellow),
            Some(Tone::Bad) => span.style(Color::Red),
            Some(Tone::Title) => span.style(Modifier::BOLD),
        }
    }

    /// A line of it.
    pub(super) fn line(&self, text: impl Into<String>, tone: Option<Tone>) -> Line<'static> {
        Line::from(self.span(text, tone))
    }
}

/// The metrics of each store.
pub(super) fn by_store(seen: &Observation) -> BTreeMap<StoreId, &StoreMetrics> {
    seen.metrics.iter().flatten().map(|metrics| (metrics.store_id, metrics)).collect()
}

/// How long it is since then; nothing if clocks were set back.
pub(super) fn since(then: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    now.signed_duration_since(then).max(TimeDelta::zero()).to_std().unwrap_or_default()
}
