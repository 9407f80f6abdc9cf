//! What whole files tell: of leadership, and in numbers.

use std::collections::BTreeMap;
use std::io::{self, Seek};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use operator_core::LeadershipChangeKind as Kind;
use serde::Serialize;

use super::blocks::BUFFER;
use super::files::Input;
use super::filter::Filter;
use super::leadership::{Leadership, Sought, form, leadership_of};
use super::level::Level;
use super::line::{ParseLineError, head, parse_line, without_end};
use super::lines::lines;
use super::pieces::{self, Piece, Plan};
use super::window::window_start;

/// How much is read at once where next to nothing is done with it: the more, the faster the kernel copies each byte.
const LARGE_PIECE: usize = 1024 * 1024;

/// About how long a change is that was written, in bytes.
const USUAL_LENGTH: usize = 256;

/// How to read files.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Scan {
    /// Which entries are wanted. With [`Filter::since`] what is earlier is not read where that can be spared.
    pub filter: Filter,
    /// Also tell of [votes](Kind::is_vote).
    pub votes: bool,
    /// Tell only of these kinds, if there are any here.
    pub kinds: Vec<Kind>,
    /// On how many threads; 0 is as 1.
    pub threads: usize,
    /// Counts the bytes that were read, for whoever shows progress.
    pub done: AtomicU64,
}

/// How a file was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scanned {
    /// How many lines were longer than [`LONGEST_LINE`](super::LONGEST_LINE), so that their rest was skipped.
    pub cut: u64,
    /// Whether there are lines, and none of them is one of a TiKV or PD log.
    pub foreign: bool,
}

impl Scan {
    /// Whether a change is wanted.
    pub fn takes(&self, kind: Kind) -> bool {
        if self.kinds.is_empty() { self.votes || !kind.is_vote() } else { self.kinds.contains(&kind) }
    }

    /// Finds what a file tells of leadership. `render` writes each change on any thread; `take` gets what it wrote of
    /// some lines, in their order, until it breaks. `-` is the standard input.
    ///
    /// # Errors
    /// What reading the file came to; what could be read before was handed over.
    pub fn leadership(
        &self,
        path: &Path,
        render: impl Fn(&Leadership<'_>, &mut Vec<u8>) + Sync,
        mut take: impl FnMut(&[u8]) -> ControlFlow<()> + Send,
    ) -> io::Result<Scanned> {
        let (name, sought) = (path.to_string_lossy(), Sought::new(&self.kinds, self.votes));
        let work = |piece: Piece<'_>| {
            let (mut count, mut at, mut found) = (0, 0, Vec::new());
            for line in lines(piece.lines) {
                if sought.may_be_in(line) {
                    found.push((count, at..at + line.len()));
                }
                count += 1;
                at += line.len() + 1;
            }
            let first = piece.number(count);
            let mut told = Vec::with_capacity(found.len() * USUAL_LENGTH);
            for (index, line) in found {
                let line = piece.lines.get(line).unwrap_or_default();
                if let Some(mut change) = self.change(line, &name) {
                    change.line = first.map(|first| first + index);
                    render(&change, &mut told);
                }
            }
            (count > 0, is_log(piece.lines), told)
        };
        let (mut has_lines, mut has_entries) = (false, false);
        let cut = self.pieces(path, LARGE_PIECE, work, |(lines, entries, told)| {
            has_lines |= lines;
            has_entries |= entries;
            if told.is_empty() { ControlFlow::Continue(()) } else { take(&told) }
        })?;
        Ok(Scanned { cut, foreign: has_lines && !has_entries })
    }

    /// What a line tells, if it is wanted.
    #[inline(always)]
    fn change<'a>(&self, line: &'a [u8], file: &'a str) -> Option<Leadership<'a>> {
        let entry = head(without_end(line)).ok()?;
        let mut change =
            form(&entry).filter(|form| form.may_be(|kind| self.takes(kind)))?.begin(&entry, file, None);
        change.read(entry.fields())?;
        (self.takes(change.kind) && self.filter.takes(&entry)).then_some(change)
    }

    /// Counts what is in a file: every field of every line is parsed.
    ///
    /// # Errors
    /// As [`leadership`](Self::leadership); `stats` has what could be read before.
    pub fn stats(&self, path: &Path, stats: &mut Stats) -> io::Result<Scanned> {
        let name = path.to_string_lossy();
        let mut of_file = Stats::default();
        let work = |piece: Piece<'_>| {
            let mut stats = Stats::of(piece.lines, &name, &self.filter);
            let first = piece.number(stats.lines);
            for example in stats.examples.iter_mut().chain(&mut stats.leading_examples) {
                example.line = first.zip(example.line).map(|(first, line)| first + line);
            }
            stats
        };
        let result = self.pieces(path, BUFFER, work, |piece| {
            of_file.add(piece);
            ControlFlow::Continue(())
        });
        let foreign = of_file.lines > 0 && of_file.entries == 0;
        of_file.end();
        stats.add(of_file);
        let cut = result?;
        stats.cut += cut;
        Ok(Scanned { cut, foreign })
    }

    /// `size`: how much one or two threads read at once, in bytes.
    pub(super) fn pieces<T: Send>(
        &self,
        path: &Path,
        size: usize,
        work: impl Fn(Piece<'_>) -> T + Sync,
        take: impl FnMut(T) -> ControlFlow<()> + Send,
    ) -> io::Result<u64> {
        let mut input = Input::open(path)?;
        let start = start_of(&mut input, &self.filter)?;
        let threads = self.threads.max(1);
        // Up to eight threads take no more memory than two. Whole pages, or reading is slower: see `pieces::BEFORE`.
        let size = (2 * size / threads).clamp(size / 4, size) / 4096 * 4096;
        pieces::read(input, &Plan { start, threads, size, done: &self.done }, work, take)
    }
}

/// Where to begin to read, in bytes.
pub(super) fn start_of(input: &mut Input, filter: &Filter) -> io::Result<u64> {
    let (Input::File(file), Some(since)) = (input, filter.since) else { return Ok(0) };
    let size = file.metadata()?.len();
    let start = window_start(file, size, since)?;
    file.rewind()?;
    Ok(start)
}

/// Whether a line is one of TiKV or PD; nearly always the first one is.
fn is_log(block: &[u8]) -> bool {
    lines(block).any(|line| head(without_end(line)).is_ok())
}

/// What is in some files, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Files that could be opened.
    pub files: u64,
    /// Lines.
    pub lines: u64,
    /// Bytes, uncompressed.
    pub bytes: u64,
    /// Lines that begin an entry.
    pub entries: u64,
    /// Of these, the ones that the filter takes, by their level.
    pub levels: BTreeMap<Level, u64>,
    /// Lines that belong to the entry before.
    pub continuation: u64,
    /// Lines that do not.
    pub unparsed: u64,
    /// Lines that were cut.
    pub cut: u64,
    /// The first few that could not be parsed.
    pub examples: Vec<Unparsed>,
    /// Changes of leadership, by their kind, as far as the filter takes them.
    pub leadership: BTreeMap<Kind, u64>,
    /// How often a region got a leader, by its id.
    pub leaders_by_region: BTreeMap<u64, u64>,
    /// The same by the minute, as TiKV writes it.
    pub leaders_by_minute: BTreeMap<String, u64>,
    /// Lines without a time that no entry precedes, yet, and the first few of them.
    #[serde(skip)]
    leading: u64,
    #[serde(skip)]
    leading_examples: Vec<Unparsed>,
}

/// A line that could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unparsed {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u64>,
    /// The byte in it, from 0.
    pub at: usize,
    /// What should be there.
    pub expected: &'static str,
    /// How the line begins.
    pub text: String,
}

impl Stats {
    /// How many lines that could not be parsed are shown.
    pub const EXAMPLES: usize = 5;

    /// Of some lines; the numbers of the examples count from 0.
    fn of(block: &[u8], file: &str, filter: &Filter) -> Self {
        let mut stats = Self { bytes: block.len() as u64, ..Self::default() };
        let mut levels = Level::ALL.map(|level| (level, 0));
        for line in lines(block) {
            let number = Some(stats.lines);
            stats.lines += 1;
            let entry = match parse_line(line) {
                Ok(entry) => entry,
                Err(error) => {
                    stats.count_unparsed(error, line, file, number);
                    continue;
                }
            };
            stats.entries += 1;
            if !filter.takes(&entry) {
                continue;
            }
            if let Some((_, count)) = levels.get_mut(entry.level as usize) {
                *count += 1;
            }
            let Some(change) = leadership_of(&entry, file, None) else { continue };
            *stats.leadership.entry(change.kind).or_default() += 1;
            if let (Kind::BecameLeader, Some(region)) = (change.kind, change.region_id) {
                *stats.leaders_by_region.entry(region.0).or_default() += 1;
                let minute = change.at.utc().format("%Y-%m-%dT%H:%MZ").to_string();
                *stats.leaders_by_minute.entry(minute).or_default() += 1;
            }
        }
        stats.levels = levels.into_iter().filter(|(_, count)| *count > 0).collect();
        stats
    }

    fn count_unparsed(&mut self, error: ParseLineError, line: &[u8], file: &str, number: Option<u64>) {
        let examples = if error.has_time {
            self.unparsed += 1;
            &mut self.examples
        } else if self.entries == 0 {
            self.leading += 1;
            &mut self.leading_examples
        } else {
            self.continuation += 1;
            return;
        };
        if examples.len() < Self::EXAMPLES {
            let start = line.get(..line.len().min(120)).unwrap_or_default();
            examples.push(Unparsed {
                file: file.to_owned(),
                line: number,
                at: error.at,
                expected: error.what,
                text: String::from_utf8_lossy(start).into_owned(),
            });
        }
    }

    /// Of a whole file: the next one begins anew, and its first lines continue nothing.
    fn end(&mut self) {
        self.files = 1;
        self.unparsed += std::mem::take(&mut self.leading);
        self.examples.append(&mut self.leading_examples);
        self.examples.sort_by_key(|example| example.line);
        self.examples.truncate(Self::EXAMPLES);
    }

    /// Adds what comes after.
    fn add(&mut self, next: Self) {
        if self.entries > 0 && self.files == 0 {
            self.continuation += next.leading;
        } else {
            self.leading += next.leading;
            self.leading_examples.extend(next.leading_examples);
            self.leading_examples.truncate(Self::EXAMPLES);
        }
        self.examples.extend(next.examples);
        self.examples.truncate(Self::EXAMPLES);
        self.files += next.files;
        self.lines += next.lines;
        self.bytes += next.bytes;
        self.entries += next.entries;
        self.continuation += next.continuation;
        self.unparsed += next.unparsed;
        self.cut += next.cut;
        sum(&mut self.levels, next.levels);
        sum(&mut self.leadership, next.leadership);
        sum(&mut self.leaders_by_region, next.leaders_by_region);
        sum(&mut self.leaders_by_minute, next.leaders_by_minute);
    }
}

fn sum<K: Ord>(all: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    for (key, count) in more {
        *all.entry(key).or_default() += count;
    }
}

#[cfg(test)]
mod tests;
