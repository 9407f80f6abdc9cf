//! What has changed, as events.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::seconds::spoken;
use crate::{Event, EventKind, Part, Transition, Trust, TrustCode, TrustVerdict, Unknown, Violation};

/// What is to be told of one observation: an event for each transition, except that what several invariants cease, or
/// begin again, to see of one thing is told once. Whose events they are and their numbers are for the caller to say.
pub(super) fn of(at: DateTime<Utc>, transitions: Vec<Transition>) -> Vec<Event> {
    let mut events: Vec<(Event, Vec<Unknown>)> = Vec::new();
    for transition in transitions {
        let (kind, unknown) = match transition {
            Transition::Pending(violation) => {
                events.push((of_violation(at, EventKind::Pending, violation), vec![]));
                continue;
            }
            Transition::Firing { violation, previous_severity } => {
                let event = of_violation(at, EventKind::Firing, violation);
                events.push((Event { previous_severity, ..event }, vec![]));
                continue;
            }
            Transition::Resolved(violation) => {
                events.push((of_violation(at, EventKind::Resolved, violation), vec![]));
                continue;
            }
            Transition::Unobserved(unknown) => (EventKind::Unobserved, unknown),
            Transition::ObservedAgain(unknown) => (EventKind::ObservedAgain, unknown),
        };
        let same = |(event, group): &&mut (Event, Vec<Unknown>)| {
            let reason =
                kind == EventKind::ObservedAgain || group.iter().all(|it| it.reason == unknown.reason);
            event.kind == kind && event.regarding.as_ref() == Some(&unknown.regarding) && reason
        };
        if let Some((_, group)) = events.iter_mut().find(same) {
            group.push(unknown);
        } else {
            let mut event = Event::new(0, at, kind, "", "");
            event.regarding = Some(unknown.regarding.clone());
            events.push((event, vec![unknown]));
        }
    }
    events.into_iter().map(|(event, group)| of_unknowns(event, group)).collect()
}

fn of_violation(at: DateTime<Utc>, kind: EventKind, violation: Violation) -> Event {
    let message = match violation.lasted {
        Some(lasted) => format!("gone after {}; last seen: {}", spoken(lasted), violation.message),
        None => violation.message,
    };
    Event {
        invariant: Some(violation.invariant),
        regarding: Some(violation.regarding),
        severity: Some(violation.severity),
        since: Some(violation.since),
        lasted_seconds: violation.lasted.map(|lasted| lasted.as_secs_f64()),
        observed: violation.observed,
        threshold: violation.threshold,
        unit: violation.unit,
        ..Event::new(0, at, kind, "", message)
    }
}

fn of_unknowns(mut event: Event, group: Vec<Unknown>) -> Event {
    event.since = event.since.or_else(|| group.iter().map(|unknown| unknown.since).min());
    let names: Vec<_> = group.iter().map(|unknown| &*unknown.invariant).collect();
    let names = names.join(", ");
    match (event.kind, group.first()) {
        (EventKind::Unobserved, Some(first)) => {
            event.message = format!("{names} cannot be told: {}", first.reason);
        }
        (EventKind::ObservedAgain, Some(_)) => event.message = format!("{names} can be told again"),
        _ => {}
    }
    if let [unknown] = &group[..] {
        event.invariant = Some(unknown.invariant.clone());
    }
    event
}

/// What makes a difference in how far an observation can be believed: not the wording of its reasons.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TrustKey(TrustVerdict, BTreeSet<(TrustCode, Option<Part>)>);

pub(super) fn trust_key(trust: &Trust) -> TrustKey {
    TrustKey(trust.verdict, trust.reasons.iter().map(|reason| (reason.code, reason.part)).collect())
}

/// How far an observation can be believed, in a sentence.
pub(super) fn spoken_trust(trust: &Trust) -> String {
    let mut text = trust.verdict.to_string();
    for (index, reason) in trust.reasons.iter().enumerate() {
        text += if index == 0 { ": " } else { "; " };
        if let Some(part) = reason.part {
            text += part.as_str();
            text += ": ";
        }
        text += &reason.message;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Regarding, StoreId, TrustReason};

    fn unknown(invariant: &'static str, regarding: Regarding, reason: &str) -> Unknown {
        Unknown::new(invariant, regarding, DateTime::UNIX_EPOCH, reason)
    }

    fn told(transitions: Vec<Transition>) -> Vec<(Option<String>, String)> {
        let events = of(DateTime::UNIX_EPOCH, transitions);
        events.into_iter().map(|event| (event.invariant.map(String::from), event.message)).collect()
    }

    #[test]
    fn several_invariants_that_cannot_see_for_one_reason_are_told_once() {
        let lost = |invariant| Transition::Unobserved(unknown(invariant, Regarding::Cluster, "no stores"));
        let other = unknown("low_disk", Regarding::Cluster, "no metrics");
        let store = unknown("a", StoreId(1).into(), "no stores");
        let told =
            told(vec![lost("a"), Transition::Unobserved(other), lost("b"), Transition::Unobserved(store)]);
        let expected = [
            (None, "a, b cannot be told: no stores"),
            (Some("low_disk"), "low_disk cannot be told: no metrics"),
            (Some("a"), "a cannot be told: no stores"),
        ];
        assert_eq!(told, expected.map(|(id, text)| (id.map(str::to_owned), text.to_owned())));
    }

    #[test]
    fn several_that_see_again_are_told_once_whatever_the_reason_was() {
        let again =
            |invariant, reason| Transition::ObservedAgain(unknown(invariant, Regarding::Cluster, reason));
        let told = told(vec![again("a", "x"), again("b", "y")]);
        assert_eq!(told, [(None, "a, b can be told again".to_owned())]);
    }

    #[test]
    fn only_new_kinds_of_reasons_make_a_difference() {
        let trust = |message: &str, part| Trust {
            verdict: TrustVerdict::Partial,
            reasons: vec![TrustReason::new(TrustCode::PartFailed, Some(part), message)],
        };
        assert_eq!(trust_key(&trust("a", Part::Stores)), trust_key(&trust("b", Part::Stores)));
        assert_ne!(trust_key(&trust("a", Part::Stores)), trust_key(&trust("a", Part::Members)));
        assert_eq!(spoken_trust(&trust("no answer", Part::Stores)), "partial: stores: no answer");
        assert_eq!(spoken_trust(&Trust::default()), "complete");
    }
}
