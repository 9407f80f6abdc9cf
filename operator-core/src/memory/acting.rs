//! Acting on a subject in memory: it does what it is told to do with what is sent.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use super::{InMemorySubject, State};
use crate::action::reversed_by;
use crate::{
    Action, Actor, Clock, Error, ErrorKind, Operation, PlannedRequest, Precondition, Preview, Progress,
    Regarding, Result, Sent, Subject,
};

/// What an [`InMemorySubject`] does with what is sent to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reaction {
    /// Takes it, and the effect is there at once: the default.
    #[default]
    Take,
    /// Takes it, and the effect is there after so many looks.
    TakeSlowly(usize),
    /// Takes it, and nothing happens.
    TakeInVain,
    /// Takes it, and gives it up for this reason.
    GiveUp(String),
    /// Says no, for this reason.
    Refuse(String),
    /// Cannot be reached.
    Unreachable,
    /// The request is lost, and nobody knows.
    LoseRequest,
    /// Takes it, the effect is there after so many looks, and the answer is lost.
    LoseAnswer(usize),
}

#[derive(Debug, Default)]
pub(super) struct Acting {
    reaction: Reaction,
    preconditions: Vec<Precondition>,
    basis: BTreeMap<String, Value>,
    /// What has arrived, in order.
    arrived: Vec<Action>,
    in_effect: Vec<Action>,
    under_way: Vec<(Action, Course)>,
    failing_previews: usize,
    failing_looks: usize,
}

/// What becomes of something that was taken.
#[derive(Debug)]
enum Course {
    /// It is in effect after so many looks.
    After(usize),
    /// It never is, for this reason.
    Never(String),
}

/// Acting. Every declared action is one request, undone by the action that reverses it with the same parameters.
impl InMemorySubject {
    /// Does this with what is sent from now on.
    pub fn react(&self, reaction: Reaction) {
        self.state().acting.reaction = reaction;
    }

    /// Previews say this of what must hold from now on.
    pub fn set_preconditions(&self, preconditions: impl IntoIterator<Item = Precondition>) {
        self.state().acting.preconditions = preconditions.into_iter().collect();
    }

    /// Previews rest on this from now on.
    pub fn set_basis(&self, name: impl Into<String>, value: impl Into<Value>) {
        self.state().acting.basis.insert(name.into(), value.into());
    }

    /// Fails the next so many previews.
    pub fn fail_previews(&self, count: usize) {
        self.state().acting.failing_previews = count;
    }

    /// Fails the next so many looks at what became of an action.
    pub fn fail_looks(&self, count: usize) {
        self.state().acting.failing_looks = count;
    }

    /// What was sent and has arrived, in order, refused or not.
    pub fn arrived(&self) -> Vec<Action> {
        self.state().acting.arrived.clone()
    }

    /// What has taken effect and was not taken back, in order.
    pub fn in_effect(&self) -> Vec<Action> {
        self.state().acting.in_effect.clone()
    }
}

impl InMemorySubject {
    /// Whether what the action is done to is there, as far as that kind of thing is held at all.
    fn existence(&self, state: &State, action: &Action) -> Vec<Precondition> {
        let exists = |target: &Regarding| match target {
            Regarding::Store(id) => Some(state.stores.iter().any(|store| store.id == *id)),
            Regarding::Region(id) => {
                let held = self.config().supports(Operation::Region);
                held.then(|| state.regions.iter().any(|region| region.id == *id))
            }
            Regarding::Member(name) => {
                let held = self.config().supports(Operation::Members);
                held.then(|| state.members.iter().any(|member| member.name == *name))
            }
            _ => None,
        };
        let targets = action.targets();
        let known = targets.iter().filter_map(|target| Some((target, exists(target)?)));
        known
            .map(|(target, exists)| {
                let message = format!("{target} {}", if exists { "exists" } else { "does not exist" });
                Precondition::new("target_exists", exists, message)
            })
            .collect()
    }
}

impl Acting {
    /// Whether asking for it once more is needless, which does not mean that it is in effect.
    fn is_asked_for(&self, action: &Action) -> bool {
        let comes =
            |(other, course): &(Action, Course)| other == action && matches!(course, Course::After(_));
        self.in_effect.contains(action) || self.under_way.iter().any(comes)
    }

    fn take(&mut self, action: &Action, course: Course) {
        if matches!(course, Course::After(0)) {
            self.in_effect.retain(|other| opposite(other).as_ref() != Some(action));
            self.in_effect.push(action.clone());
        } else {
            self.under_way.push((action.clone(), course));
        }
    }

    fn look(&mut self, action: &Action) -> Progress {
        let done = || Progress::Done("it is in effect".to_owned());
        if self.in_effect.contains(action) {
            return done();
        }
        match self.under_way.iter_mut().find(|(other, _)| other == action) {
            None => Progress::Running("nothing is to be seen of it".to_owned()),
            Some((_, Course::Never(why))) => Progress::Failed(why.clone()),
            Some((_, Course::After(looks))) if *looks > 1 => {
                *looks -= 1;
                Progress::Running(format!("{looks} more looks"))
            }
            Some(_) => {
                self.under_way.retain(|(other, _)| other != action);
                self.take(action, Course::After(0));
                done()
            }
        }
    }
}

/// The action that takes `action` back, if one does with the same parameters.
fn opposite(action: &Action) -> Option<Action> {
    let parameters = serde_json::to_value(action).ok()?.get_mut("parameters").map(Value::take)?;
    let other = Action::parse(reversed_by(action.name())?, parameters).ok()?;
    (other != *action).then_some(other)
}

#[async_trait]
impl Actor for InMemorySubject {
    async fn preview(&self, action: &Action) -> Result<Preview> {
        let config = self.config();
        let declared = |action: &Action| config.actions.iter().any(|info| info.name == action.name());
        if !declared(action) {
            return Err(Error::unsupported(action.name()));
        }
        let mut state = self.state();
        let existence = self.existence(&state, action);
        let acting = &mut state.acting;
        if acting.failing_previews > 0 {
            acting.failing_previews -= 1;
            return Err(Error::new(ErrorKind::Unavailable, "preview", "made to fail"));
        }
        let mut preview =
            Preview::new(&*config.name, Clock::system().now(), action.clone(), format!("Does {action}."));
        if !acting.is_asked_for(action) {
            let body = serde_json::to_value(action).ok();
            let request = PlannedRequest::new("POST", format!("/{}", action.name()));
            preview.request = Some(PlannedRequest { body, ..request });
        }
        preview.preconditions = existence.into_iter().chain(acting.preconditions.iter().cloned()).collect();
        preview.basis = acting.basis.clone();
        preview.undo = opposite(action).filter(declared);
        Ok(preview)
    }

    async fn send(&self, preview: &Preview) -> Sent {
        let mut state = self.state();
        let acting = &mut state.acting;
        let action = &preview.action;
        let lost = || Error::new(ErrorKind::Timeout, "send", "no answer came");
        let reaction = acting.reaction.clone();
        match reaction {
            Reaction::Unreachable => {
                return Sent::NotSent(Error::new(ErrorKind::Unavailable, "send", "made to fail"));
            }
            Reaction::LoseRequest => return Sent::Unknown(lost()),
            _ => acting.arrived.push(action.clone()),
        }
        let answer = match &reaction {
            Reaction::LoseAnswer(_) => Sent::Unknown(lost()),
            _ => Sent::Accepted("taken".to_owned()),
        };
        match reaction {
            Reaction::Refuse(why) => return Sent::Refused(why),
            Reaction::TakeSlowly(looks) | Reaction::LoseAnswer(looks) => {
                acting.take(action, Course::After(looks))
            }
            Reaction::GiveUp(why) => acting.take(action, Course::Never(why)),
            Reaction::TakeInVain => {}
            _ => acting.take(action, Course::After(0)),
        }
        answer
    }

    async fn progress(&self, preview: &Preview) -> Result<Progress> {
        let mut state = self.state();
        let acting = &mut state.acting;
        if acting.failing_looks > 0 {
            acting.failing_looks -= 1;
            return Err(Error::new(ErrorKind::Unavailable, "progress", "made to fail"));
        }
        Ok(acting.look(&preview.action))
    }
}
