//! What is under way, and what was begun in the last minute.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::super::{Action, Guard, Refusal, RefusalCode};

const MINUTE: Duration = Duration::from_secs(60);

/// What is under way, and what was begun in the last minute. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    last: u64,
    running: Vec<(u64, Action)>,
    /// Bounded by what the guard lets pass in a minute, and by what is forced.
    begun: VecDeque<(u64, Instant)>,
}

/// A place among what is under way, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    id: u64,
    sent: bool,
}

impl Slots {
    /// What speaks against beginning `action` now.
    pub(super) fn refusals(&self, guard: &Guard, action: &Action, now: Instant) -> Vec<Refusal> {
        self.with(|state| state.refusals(guard, action, now))
    }

    /// Takes a place, unless something speaks against it that is not `overruled`.
    pub(super) fn begin(
        &self,
        guard: &Guard,
        action: &Action,
        now: Instant,
        overruled: impl Fn(&Refusal) -> bool,
    ) -> Result<Slot, Vec<Refusal>> {
        self.with(|state| {
            let refusals = state.refusals(guard, action, now);
            if !refusals.iter().all(overruled) {
                return Err(refusals);
            }
            state.last += 1;
            state.running.push((state.last, action.clone()));
            state.begun.push_back((state.last, now));
            Ok(Slot { slots: self.clone(), id: state.last, sent: false })
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn refusals(&mut self, guard: &Guard, action: &Action, now: Instant) -> Vec<Refusal> {
        while self.begun.front().is_some_and(|(_, at)| now.saturating_duration_since(*at) >= MINUTE) {
            self.begun.pop_front();
        }
        let mut refusals = Vec::new();
        if self.running.iter().any(|(_, running)| running == action) {
            refusals.push(Refusal::new(RefusalCode::SameRunning, "the same action is under way"));
        }
        if self.running.len() >= guard.max_running {
            let message = format!("{} actions are under way, and no more may be", self.running.len());
            let refusal = Refusal::new(RefusalCode::TooManyRunning, message);
            refusals.push(refusal.unless_forced(guard.allow_force));
        }
        if self.begun.len() >= guard.max_per_minute {
            let message =
                format!("{} actions were begun in the last minute, and no more may be", self.begun.len());
            let refusal = Refusal::new(RefusalCode::TooOften, message);
            refusals.push(refusal.unless_forced(guard.allow_force));
        }
        refusals
    }
}

impl Slot {
    /// From here on it counts among what was begun, whatever comes of it.
    pub(super) fn sending(&mut self) {
        self.sent = true;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let (id, sent) = (self.id, self.sent);
        self.slots.with(|state| {
            state.running.retain(|(other, _)| *other != id);
            if !sent {
                state.begun.retain(|(other, _)| *other != id);
            }
        });
    }
}
