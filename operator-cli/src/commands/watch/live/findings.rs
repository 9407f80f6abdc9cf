//! What fires, what is pending, and what cannot be told: the worst first.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use operator_core::{Severity, Snapshot, Unknown, ViolationState};

use super::view::{View, since};
use crate::commands::check::tone;
use crate::output::Tone;
use crate::output::text::{self, escaped};

/// One of them.
pub(super) struct Item {
    /// How bad it is, and since when.
    pub(super) head: String,
    pub(super) tone: Tone,
    /// What it is.
    pub(super) text: String,
}

impl Item {
    fn new(word: &str, age: std::time::Duration, tone: Tone, text: String) -> Self {
        Self { head: format!("{word:<8} {:>5}  ", text::duration(age)), tone, text }
    }

    /// In one line, however long.
    pub(super) fn plain(&self) -> String {
        format!("{}{}", self.head, self.text)
    }
}

/// All of it in a sentence.
pub(super) fn sentence(snapshot: &Snapshot) -> (String, Tone) {
    let count = |state, severity: Option<Severity>| {
        let violations = snapshot.violations.iter().filter(|violation| violation.state == state);
        violations.filter(|it| severity.is_none_or(|severity| severity == it.severity)).count()
    };
    let firing = count(ViolationState::Firing, None);
    let critical = count(ViolationState::Firing, Some(Severity::Critical));
    let pending = count(ViolationState::Pending, None);
    let unknown = snapshot.unknown.len();
    let mut text = match (firing, critical) {
        _ if snapshot.observation.is_none() => return ("Nothing is known yet.".to_owned(), Tone::Doubtful),
        (0, _) => "Nothing fires".to_owned(),
        (_, 0) => format!("{firing} firing"),
        _ => format!("{firing} firing ({critical} critical)"),
    };
    if pending > 0 {
        text.push_str(&format!(", {pending} pending"));
    }
    if unknown > 0 {
        text.push_str(&format!("; {unknown} cannot be told"));
    }
    let tone = match (firing, critical, unknown) {
        (_, 1.., _) => Tone::Bad,
        (0, _, 0) => Tone::Good,
        _ => Tone::Doubtful,
    };
    (text + ".", tone)
}

impl View {
    /// Each of it, the worst first.
    pub(super) fn items(&self, now: DateTime<Utc>) -> Vec<Item> {
        let mut violations: Vec<_> = self.snapshot.violations.iter().collect();
        violations.sort_by_key(|violation| {
            (Reverse((violation.state, violation.severity)), violation.firing_since, violation.since)
        });
        let violations = violations.into_iter().map(|violation| {
            let (word, tone) = match violation.state {
                ViolationState::Firing => (violation.severity.as_str(), tone(violation.severity)),
                state => (state.as_str(), Tone::Title),
            };
            let age = since(violation.firing_since.unwrap_or(violation.since), now);
            let text = format!("{} {}: {}", violation.regarding, violation.invariant, violation.message);
            Item::new(word, age, tone, escaped(&text).into_owned())
        });
        violations.chain(unknown(&self.snapshot.unknown, now)).collect()
    }
}

/// What cannot be told for one reason is one item.
fn unknown(unknown: &[Unknown], now: DateTime<Utc>) -> Vec<Item> {
    let mut groups: Vec<(&str, Vec<&Unknown>)> = Vec::new();
    for unknown in unknown {
        match groups.iter_mut().find(|(reason, _)| *reason == unknown.reason) {
            Some((_, group)) => group.push(unknown),
            None => groups.push((&unknown.reason, vec![unknown])),
        }
    }
    let items = groups.into_iter().map(|(reason, group)| {
        let begun = group.iter().map(|unknown| unknown.since).min().unwrap_or(now);
        let mut text = reason.to_owned();
        let mut regarding = None;
        for unknown in group {
            // What it is about is said where it changes.
            if regarding.replace(&unknown.regarding) == Some(&unknown.regarding) {
                text.push_str(&format!(", {}", unknown.invariant));
            } else {
                text.push_str(&format!("; {} {}", unknown.regarding, unknown.invariant));
            }
        }
        Item::new("unknown", since(begun, now), Tone::Doubtful, escaped(&text).into_owned())
    });
    items.collect()
}
