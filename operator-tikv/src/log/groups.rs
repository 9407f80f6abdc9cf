//! The entries of a file with the lines that belong to each, found on several threads.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use super::blocks::LONGEST_LINE;
use super::entries::{Group, Lines};
use super::filter::Filter;
use super::line::{begins_entry, head, without_end};
use super::lines::lines;
use super::pieces::Piece;
use super::scan::{Scan, Scanned};

/// How much is read at once: what is written of it is longer, and waits for its turn.
const PIECE: usize = 128 * 1024;

impl Scan {
    /// Finds the entries of a file that the filter may take, each with the lines that belong to it, and lines that are
    /// no entry. `render` judges and writes each on any thread; `take` gets what it wrote of some, in their order, until
    /// it breaks. `-` is the standard input. [`Scanned::foreign`] says that there is not a single entry.
    ///
    /// # Errors
    /// What reading the file came to; what could be read before was handed over.
    pub fn entries(
        &self,
        path: &Path,
        render: impl Fn(&Group<'_>, &mut Vec<u8>) + Sync,
        mut take: impl FnMut(&[u8]) -> ControlFlow<()> + Send,
    ) -> io::Result<Scanned> {
        let work = |piece: Piece<'_>| {
            let (count, found) = Found::of(piece.lines, &self.filter);
            found.told(piece.lines, piece.number(count), &render)
        };
        // The last entry so far: what belongs to it may go on in the next piece.
        let mut open: Option<Lines> = None;
        let (mut any, mut entries, mut enough) = (false, false, false);
        let mut close = |open: Option<Lines>, more: &[u8]| {
            let mut out = Vec::new();
            open.iter().for_each(|lines| render(&lines.group(), &mut out));
            out.extend_from_slice(more);
            if out.is_empty() { ControlFlow::Continue(()) } else { take(&out) }
        };
        let result = self.pieces(path, PIECE, work, |told: Told| {
            any = true;
            entries |= told.entries;
            match (&mut open, told.leading) {
                (Some(open), Some((_, leading))) => open.add(&leading),
                (open @ None, Some((number, leading))) => *open = Some(Lines::of(&leading, number)),
                (_, None) => {}
            }
            let Some(last) = told.last else { return ControlFlow::Continue(()) };
            let flow = close(open.replace(last), &told.rendered);
            enough = flow.is_break();
            flow
        });
        if !enough {
            // Also before an error.
            let _ = close(open, &[]);
        }
        Ok(Scanned { cut: result?, foreign: any && !entries })
    }
}

/// Where the lines of an entry stand in a piece.
#[derive(Clone, Copy)]
struct Place {
    index: u64,
    start: usize,
    /// Behind the first line.
    head: usize,
    end: usize,
}

/// What stands in a piece.
struct Found {
    /// Lines that go on with what the piece before ended with.
    leading: Option<Place>,
    /// The entries that the filter may take, without the last one.
    wanted: Vec<Place>,
    last: Option<Place>,
    /// Whether any line is an entry.
    entries: bool,
}

impl Found {
    /// With the number of lines.
    fn of(block: &[u8], filter: &Filter) -> (u64, Self) {
        let mut found = Self { leading: None, wanted: Vec::new(), last: None, entries: false };
        let (mut index, mut start) = (0, 0);
        let mut last_may_be_wanted = false;
        for line in lines(block) {
            let end = (start + line.len() + 1).min(block.len());
            let place = Place { index, start, head: end, end };
            if begins_entry(line) {
                let may_be_wanted = match head(without_end(line)) {
                    Ok(entry) => {
                        found.entries = true;
                        filter.may_take(&entry)
                    }
                    Err(_) => true,
                };
                let before = found.last.replace(place).filter(|_| last_may_be_wanted);
                found.wanted.extend(before);
                last_may_be_wanted = may_be_wanted;
            } else {
                let belongs_to = if found.last.is_some() { &mut found.last } else { &mut found.leading };
                belongs_to.get_or_insert(place).end = end;
            }
            (index, start) = (index + 1, end);
        }
        (index, found)
    }

    /// `first`: the number of the first line.
    fn told(self, block: &[u8], first: Option<u64>, render: impl Fn(&Group<'_>, &mut Vec<u8>)) -> Told {
        let number = |place: Place| first.map(|first| first + place.index);
        let bytes = |place: Place| block.get(place.start..place.end).unwrap_or_default();
        let mut rendered = Vec::new();
        for place in self.wanted {
            let lines = bytes(place);
            if lines.len() > LONGEST_LINE {
                render(&Lines::of(lines, number(place)).group(), &mut rendered);
            } else {
                render(&Group::of(lines, place.head - place.start, number(place)), &mut rendered);
            }
        }
        Told {
            leading: self.leading.map(|place| (number(place), bytes(place).to_vec())),
            rendered,
            last: self.last.map(|place| Lines::of(bytes(place), number(place))),
            entries: self.entries,
        }
    }
}

/// What a piece comes to.
struct Told {
    /// The number of the first one, and all of them.
    leading: Option<(Option<u64>, Vec<u8>)>,
    rendered: Vec<u8>,
    last: Option<Lines>,
    entries: bool,
}

#[cfg(test)]
mod tests {
    use super::super::entries::Entries;
    use super::super::level::Level;
    use super::*;

    fn rendered(group: &Group<'_>, out: &mut Vec<u8>) {
        let message = group.entry().map(|entry| entry.message.text().into_owned());
        let more = String::from_utf8_lossy(group.continuation);
        let (length, count) = (more.len(), more.lines().count() as u64 + group.left_out);
        out.extend_from_slice(format!("{:?} {message:?} {length} {count}\n", group.line).as_bytes());
    }

    fn text() -> Vec<u8> {
        let mut text = b"torn\n   of another\n".to_vec();
        for index in 0..6_000_usize {
            let level = ["INFO", "WARN", "ERROR"][index % 3];
            let line = format!(
                "[2026/11/22 02:43:{:02}.000 +00:00] [{level}] [a.rs:1] [{index}] [x=y]\n",
                index / 100
            );
            text.extend_from_slice(line.as_bytes());
            // Some have a stack trace that is longer than a piece, and one is longer than what is kept.
            let trace = match index {
                100 | 101 => 40_000,
                200 => 60_000,
                _ if index % 7 == 0 => index % 5,
                _ => 0,
            };
            text.extend_from_slice(&b"   0: std::backtrace\n".repeat(trace));
            if index % 50 == 0 {
                text.extend_from_slice(b"[2026/11/22 02:43:00.000 +00:00] [INFO] [broken\n");
            }
        }
        text.extend_from_slice(b"   1: without an end");
        text
    }

    #[test]
    fn they_are_what_one_reader_finds_on_any_number_of_threads() {
        let path = std::env::temp_dir().join(format!("operator-groups-{}", std::process::id()));
        for text in [text(), b"no log\nat all".to_vec(), Vec::new()] {
            std::fs::write(&path, &text).unwrap();
            for level in [None, Some(Level::Error)] {
                let filter = Filter { level, ..Filter::default() };
                let wants = |group: &Group<'_>| {
                    group.entry().is_ok_and(|entry| filter.takes(&entry)) || level.is_none()
                };
                let mut entries = Entries::open(&path, &filter).unwrap();
                let mut expected = Vec::new();
                while entries.advance().unwrap() {
                    if wants(&entries.group()) {
                        rendered(&entries.group(), &mut expected);
                    }
                }
                for threads in [1, 2, 5] {
                    let scan = Scan { threads, filter: filter.clone(), ..Scan::default() };
                    let render = |group: &Group<'_>, out: &mut Vec<u8>| {
                        if wants(group) {
                            rendered(group, out);
                        }
                    };
                    let mut seen = Vec::new();
                    let scanned = scan.entries(&path, render, |some| {
                        seen.extend_from_slice(some);
                        ControlFlow::Continue(())
                    });
                    assert!(seen == expected, "{threads} threads, {level:?}");
                    assert_eq!(scanned.unwrap().foreign, text.starts_with(b"no"));
                }
            }
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn whoever_has_enough_ends_it() {
        let path = std::env::temp_dir().join(format!("operator-groups-end-{}", std::process::id()));
        std::fs::write(&path, text()).unwrap();
        let mut times = 0;
        let scan = Scan { threads: 2, ..Scan::default() };
        let ended = scan.entries(&path, rendered, |_| {
            times += 1;
            ControlFlow::Break(())
        });
        assert!(ended.is_ok());
        assert_eq!(times, 1);
        std::fs::remove_file(&path).unwrap();
    }
}
