//! The tools, in the order in which they are listed.

mod judge;
mod look;
mod ask;
mod logs;
mod acts;

use std::num::NonZeroU32;

use super::answer::MOST;
use super::context::Context;
use super::tool::Entry;

/// The tools that are there only if clients may act.
pub(super) const ACTING: [&str; 3] = ["preview_action", "execute_action", "audit"];

/// What this server offers.
pub(super) fn all(context: &Context) -> Vec<Entry> {
    let mut tools = vec![
        Entry::of::<judge::Check>(),
        Entry::of::<judge::Violations>(),
        Entry::of::<judge::Events>(),
        Entry::of::<look::Status>(),
        Entry::of::<look::Stores>(),
        Entry::of::<look::Metrics>(),
        Entry::of::<look::Regions>(),
        Entry::of::<look::HotRegions>(),
        Entry::of::<ask::Doctor>(),
        Entry::of::<ask::Config>(),
    ];
    if !context.logs.is_empty() {
        tools.push(Entry::of::<logs::Logs>());
    }
    if context.has_prometheus {
        tools.push(Entry::of::<ask::Query>());
    }
    if let Some(acting) = &context.acting {
        let names = acting.actions().into_iter().map(|info| info.name).collect();
        tools.push(Entry::of::<acts::PreviewAction>().choosing("action", names));
        let execute = Entry::of::<acts::ExecuteAction>();
        tools.push(if acting.allow_force { execute } else { execute.without("forced") });
        tools.push(Entry::of::<acts::Audit>());
    }
    tools
}

/// How many entries of a list are asked for.
fn limit(asked: Option<NonZeroU32>, usual: usize) -> usize {
    asked.and_then(|limit| usize::try_from(limit.get()).ok()).unwrap_or(usual).min(MOST)
}
