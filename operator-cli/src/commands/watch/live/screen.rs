//! The screen: how far it can be believed first, then what is wrong, then the cluster, then what happened.

use chrono::{DateTime, Utc};
use operator_core::{Member, Observation, Part, RegionProblem, StoreState};
use ratatui_core::terminal::Frame;
use ratatui_core::text::Line;

use super::findings::{Item, sentence};
use super::view::{View, since};
use crate::commands::status;
use crate::output::Tone;
use crate::output::text::{self, escaped, shortened};

/// From this height on there is room for empty lines.
const ROOMY: usize = 20;
/// Below this height there is none for the cluster in a few lines.
const TIGHT: usize = 14;

impl View {
    /// Draws it as of `now`.
    pub(super) fn draw(&self, frame: &mut Frame<'_>, now: DateTime<Utc>) {
        let area = frame.area();
        let lines = self.lines(now, area.width.into(), area.height.into());
        for (row, line) in (area.top()..area.bottom()).zip(&lines) {
            frame.buffer_mut().set_line(area.left(), row, line, area.width);
        }
    }

    fn lines(&self, now: DateTime<Utc>, width: usize, height: usize) -> Vec<Line<'static>> {
        let mut lines = vec![self.title(now, width)];
        let few = if height < TIGHT { 1 } else { 3 };
        lines.extend(self.sight(now, width, few));
        let blank = usize::from(height >= ROOMY);
        let stores = self.snapshot.observation.as_ref().and_then(|seen| seen.stores.as_ref());
        let stores = stores.map_or(0, |stores| stores.len() + usize::from(!stores.is_empty()));
        let (items, told) = (self.items(now), self.told());
        let overview = if height < TIGHT { Vec::new() } else { self.overview(now, width) };
        let wrapped: usize = items.iter().map(|item| wrap(item, width).len()).sum();
        let rest = height.saturating_sub(lines.len() + 4 * blank);
        // More events fill what the rest leaves.
        let [items_get, stores_get, overview_gets, told_gets] =
            share(rest, [1 + wrapped, stores, overview.len(), told.len().min(few)]);
        let told_gets = rest.saturating_sub(items_get + stores_get + overview_gets).max(told_gets);
        let sections = [
            self.findings(&items, now, width, items_get),
            overview.into_iter().take(overview_gets).collect(),
            self.stores(now, width, stores_get),
            self.last(&told, told_gets, width),
        ];
        for section in sections.into_iter().filter(|section| !section.is_empty()) {
            lines.extend(std::iter::repeat_n(Line::default(), blank));
            lines.extend(section);
        }
        lines
    }

    fn title(&self, now: DateTime<Utc>, width: usize) -> Line<'static> {
        let clock = format!("{}  q quits", now.format("%H:%M:%SZ"));
        let room = width.saturating_sub(clock.len() + 2);
        let title = format!("{}, for {}", escaped(&self.title), text::duration(since(self.begun, now)));
        let title = shortened(&title, room);
        self.line(format!("{title:<room$}  {clock}"), Some(Tone::Title))
    }

    /// How far what is shown can be believed, how old it is, and why; each in at most so many lines.
    fn sight(&self, now: DateTime<Utc>, width: usize, most: usize) -> Vec<Line<'static>> {
        let (word, tone, text, reasons) = self.verdict(now);
        let head = Item { head: format!("{word}  "), tone, text };
        let mut lines = cut(wrap(&head, width), most, width);
        let reasons = reasons.iter().flat_map(|reason| fold(&format!("  {reason}"), width, 4));
        lines.extend(cut(reasons.map(|line| (String::new(), line)).collect(), most, width));
        self.headed(lines, tone)
    }

    /// How far it can be believed: in a word, in a sentence, and why.
    pub(super) fn verdict(&self, now: DateTime<Utc>) -> (String, Tone, String, Vec<String>) {
        let seen = self.snapshot.observation.as_deref();
        let age = seen.map(|seen| format!("seen {}", text::age(seen.at, now)));
        let past =
            age.as_ref().map_or("nothing was seen yet".to_owned(), |age| format!("what is shown was {age}"));
        if let Some(unreachable) = &self.snapshot.unreachable {
            let gone = text::duration(since(unreachable.since, now));
            let error = escaped(&unreachable.error).into_owned();
            let text = format!("for {gone}, {} times; {past}", unreachable.attempts);
            return ("NOT SEEN".to_owned(), Tone::Bad, text, vec![error]);
        }
        if let Some(waited) = self.unseen_for(now) {
            let text = format!("nothing new for {}; {past}", text::duration(waited));
            return ("LATE".to_owned(), Tone::Bad, text, Vec::new());
        }
        let (Some(seen), Some(age)) = (seen, age) else {
            return ("LOOKING".to_owned(), Tone::Doubtful, "for the first time".to_owned(), Vec::new());
        };
        let (tone, meaning) = status::meaning(seen.trust.verdict);
        let word = seen.trust.verdict.as_str().to_uppercase().replace('_', " ");
        let reasons = seen.trust.reasons.iter().map(|reason| {
            let part = reason.part.map_or(String::new(), |part: Part| format!("{part}: "));
            format!("{part}{}", escaped(&reason.message))
        });
        (word, tone, format!("{age}: {meaning}"), reasons.collect())
    }

    fn findings(&self, items: &[Item], now: DateTime<Utc>, width: usize, rows: usize) -> Vec<Line<'static>> {
        let (sentence, tone) = sentence(&self.snapshot);
        let tone = Some(tone).filter(|tone| *tone != Tone::Good || self.reassures(now));
        if rows == 0 {
            return Vec::new();
        }
        let mut lines = vec![self.line(shortened(&sentence, width), tone)];
        let rows = rows.saturating_sub(1);
        let more = items.len().saturating_sub(rows);
        // One line says how many more there are.
        let shown = if more == 0 { items.len() } else { rows.saturating_sub(1) };
        let mut spare = rows - shown;
        for item in items.iter().take(shown) {
            let wrapped = wrap(item, width);
            let gets = wrapped.len().min(1 + if more == 0 { spare } else { 0 });
            spare -= gets - 1;
            lines.extend(self.headed(cut(wrapped, gets, width), item.tone));
        }
        if more > 0 && rows > 0 {
            let others = if shown == 0 { "" } else { " more" };
            lines.push(self.line(format!("… and {}{others}", items.len() - shown), Some(Tone::Doubtful)));
        }
        lines
    }

    /// Lines with what stands before them in a tone.
    fn headed(&self, lines: Vec<(String, String)>, tone: Tone) -> Vec<Line<'static>> {
        let line = |(head, text)| Line::from_iter([self.span(head, Some(tone)), self.span(text, None)]);
        lines.into_iter().map(line).collect()
    }

    /// The cluster in a few lines.
    fn overview(&self, now: DateTime<Utc>, width: usize) -> Vec<Line<'static>> {
        let Some(seen) = self.snapshot.observation.as_deref() else { return Vec::new() };
        let texts = [
            seen.members.as_deref().filter(|members| !members.is_empty()).map(members),
            seen.cluster.as_ref().map(|_| regions(seen)),
            Some(stores(seen)),
        ];
        let (past, reassures) = (self.is_past(now), self.reassures(now));
        let warning = format!("As it was {}:", text::age(seen.at, now));
        let warning = past.then(|| self.line(warning, Some(Tone::Doubtful)));
        let lines = texts.into_iter().flatten().map(|(title, text, tone)| {
            let room = width.saturating_sub(9);
            let tone = tone.filter(|tone| *tone != Tone::Good || reassures);
            let text = shortened(&text, room).into_owned();
            Line::from_iter([self.span(format!("{title:<9}"), Some(Tone::Title)), self.span(text, tone)])
        });
        warning.into_iter().chain(lines).collect()
    }

    /// The last of what was told.
    fn last(
        &self,
        told: &[(DateTime<Utc>, String, Option<Tone>)],
        rows: usize,
        width: usize,
    ) -> Vec<Line<'static>> {
        let last = told.iter().skip(told.len() - rows.min(told.len()));
        let lines = last.map(|(at, text, tone)| {
            let text = format!("{}  {text}", at.format("%H:%M:%S"));
            self.line(shortened(&text, width), *tone)
        });
        lines.collect()
    }
}

type Summed = (&'static str, String, Option<Tone>);

/// The members of the control plane, those in doubt first.
fn members(members: &[Member]) -> Summed {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|member| {
        (member.healthy.map_or(1, |healthy| if healthy { 2 } else { 0 }), !member.leader)
    });
    let mut texts: Vec<_> = members
        .iter()
        .map(|member| {
            let role = if member.leader { " leader" } else { "" };
            let health = match member.healthy {
                Some(true) => "healthy",
                Some(false) => "NOT HEALTHY",
                None => text::UNKNOWN,
            };
            format!("{}{role} {health}", escaped(&member.name))
        })
        .collect();
    let leads = members.iter().any(|member| member.leader);
    if !leads {
        texts.insert(0, "NO LEADER".to_owned());
    }
    let tone = if !leads || members.iter().any(|member| member.healthy == Some(false)) {
        Tone::Bad
    } else if members.iter().any(|member| member.healthy.is_none()) {
        Tone::Doubtful
    } else {
        Tone::Good
    };
    ("Members", texts.join(", "), Some(tone))
}

/// How many regions there are, and how many are not as they should be.
fn regions(seen: &Observation) -> Summed {
    let cluster = seen.cluster.as_ref();
    let mut text = text::known(cluster.and_then(|cluster| cluster.region_count));
    let Some(health) = cluster.and_then(|cluster| cluster.region_health.as_ref()) else {
        return ("Regions", text + ", whether they are as they should be is not known", Some(Tone::Doubtful));
    };
    let counts = RegionProblem::ALL.map(|problem| (problem, health.count(problem)));
    // The gravest, which stand last, first.
    let found: Vec<_> =
        counts.iter().rev().filter_map(|(problem, count)| Some((problem, (*count)?))).collect();
    let found: Vec<_> = found.into_iter().filter(|(_, count)| *count > 0).collect();
    let bad =
        |problem: &RegionProblem| matches!(problem, RegionProblem::QuorumLost | RegionProblem::NoLeader);
    let unknown: Vec<_> =
        counts.iter().filter(|(_, count)| count.is_none()).map(|(it, _)| it.as_str()).collect();
    let tone = match (found.iter().any(|(problem, _)| bad(problem)), found.len() + unknown.len()) {
        (true, _) => Tone::Bad,
        (false, 0) => Tone::Good,
        (false, _) => Tone::Doubtful,
    };
    if found.is_empty() && unknown.is_empty() {
        text.push_str(", all as they should be");
    }
    for (problem, count) in found {
        text.push_str(&format!(", {problem} {count}"));
    }
    if !unknown.is_empty() {
        text.push_str(&format!("; not known: {}", status::most(&unknown)));
    }
    ("Regions", text, Some(tone))
}

/// How many stores are in which state.
fn stores(seen: &Observation) -> Summed {
    let Some(stores) = &seen.stores else {
        return ("Stores", text::UNKNOWN.to_owned(), Some(Tone::Doubtful));
    };
    let mut states = std::collections::BTreeMap::<StoreState, usize>::new();
    stores.iter().for_each(|store| *states.entry(store.state).or_default() += 1);
    let texts: Vec<_> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let text = if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
    let down = states.contains_key(&StoreState::Down);
    let up = states.keys().all(|state| matches!(state, StoreState::Up | StoreState::Tombstone));
    let tone = if down {
        Tone::Bad
    } else if up {
        Tone::Good
    } else {
        Tone::Doubtful
    };
    ("Stores", text, Some(tone))
}

/// Shares rows out: each section gets what it wants as far as there is room, the first ones sooner; what is short falls
/// on those that want most.
fn share<const N: usize>(mut rows: usize, wants: [usize; N]) -> [usize; N] {
    let mut gets = [0; N];
    while rows > 0 && gets != wants {
        for (gets, wants) in gets.iter_mut().zip(wants) {
            if *gets < wants && rows > 0 {
                *gets += 1;
                rows -= 1;
            }
        }
    }
    gets
}

/// An item in lines no longer than `width`, each with what stands before it.
fn wrap(item: &Item, width: usize) -> Vec<(String, String)> {
    let indent = item.head.chars().count();
    let mut lines = fold(&item.text, width.saturating_sub(indent), 0).into_iter();
    let first = (item.head.clone(), lines.next().unwrap_or_default());
    std::iter::once(first).chain(lines.map(|line| (" ".repeat(indent), line))).collect()
}

/// At most `most` of the lines; into the last one goes as much of the rest as fits.
fn cut(mut lines: Vec<(String, String)>, most: usize, width: usize) -> Vec<(String, String)> {
    if lines.len() > most {
        let rest = lines.split_off(most.saturating_sub(1));
        let mut rest = rest.into_iter();
        if let Some((head, mut text)) = rest.next().filter(|_| most > 0) {
            rest.for_each(|(_, more)| text.push_str(&format!(" {}", more.trim_start())));
            text = shortened(&text, width.saturating_sub(head.chars().count())).into_owned();
            lines.push((head, text));
        }
    }
    lines
}

/// Text in lines no longer than `width`, broken between words where there are any; all but the first are indented.
fn fold(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split_inclusive(' ') {
        let long = word.trim_end().chars().count();
        if length + long > width && length > indent {
            lines.push(" ".repeat(indent));
            length = indent;
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(word);
        }
        length += word.chars().count();
    }
    // A word that is longer than a line is cut.
    lines.iter().map(|line| shortened(line.trim_end(), width.max(1)).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_shared_fairly_and_none_is_lost() {
        assert_eq!(share(10, [2, 3, 1]), [2, 3, 1]);
        assert_eq!(share(7, [9, 9, 1]), [3, 3, 1]);
        assert_eq!(share(2, [9, 9, 9]), [1, 1, 0]);
        assert_eq!(share(0, [9, 9]), [0, 0]);
    }

    #[test]
    fn what_is_cut_fills_its_last_line_and_says_so() {
        let item = Item { head: "ab  ".to_owned(), tone: Tone::Bad, text: "one two three".to_owned() };
        let lines = |most| cut(wrap(&item, 12), most, 12).into_iter().map(|(head, text)| head + &text);
        assert_eq!(lines(0).count(), 0);
        assert_eq!(lines(1).collect::<Vec<_>>(), ["ab  one two…"]);
        assert_eq!(lines(2).collect::<Vec<_>>(), ["ab  one two", "    three"]);
    }

    #[test]
    fn text_is_broken_between_words_and_words_are_cut() {
        assert_eq!(fold("one two three", 8, 2), ["one two", "  three"]);
        assert_eq!(fold("abcdefgh", 4, 2), ["abc…"]);
        assert_eq!(fold("", 4, 0), [""]);
    }
}
