//! Entries one after the other, each with the lines that belong to it, of one file or of several in the order of time.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use operator_core::LeadershipChangeKind as Kind;

use super::blocks::{BUFFER, Blocks, LONGEST_LINE};
use super::files::Input;
use super::filter::Filter;
use super::leadership::Sought;
use super::line::{Entry, ParseLineError, begins_entry, head, parse_line, without_end};
use super::scan::start_of;

/// What all files of a merge may take in memory for their buffers.
const BUFFERS: usize = 4 * 1024 * 1024;

const FOREIGN: &str = "it has no line of a TiKV or PD log";

/// The lines of an entry, or lines that belong to none.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Group<'a> {
    /// The number of the first line, from 1, if it is known.
    pub line: Option<u64>,
    /// The first line, without its end.
    pub head: &'a [u8],
    /// Those after it, with their ends.
    pub continuation: &'a [u8],
    /// How many more there are that were not kept, because all of them are longer than
    /// [`LONGEST_LINE`](super::LONGEST_LINE).
    pub left_out: u64,
}

impl<'a> Group<'a> {
    /// Of lines the first of which is that long, with its end.
    pub(super) fn of(lines: &'a [u8], head: usize, line: Option<u64>) -> Self {
        let (head, continuation) = lines.split_at_checked(head).unwrap_or((lines, &[]));
        Self { line, head: head.strip_suffix(b"\n").unwrap_or(head), continuation, left_out: 0 }
    }

    /// The entry.
    ///
    /// # Errors
    /// If the first line begins none.
    pub fn entry(&self) -> Result<Entry<'a>, ParseLineError> {
        parse_line(self.head)
    }
}

/// Reads entries.
pub struct Entries {
    blocks: Blocks<Box<dyn Read + Send>>,
    /// How much of the block was taken, and how long it is.
    at: usize,
    end: usize,
    number: Option<u64>,
    lines: Lines,
    /// Only entries that may tell of this, without what belongs to them.
    sought: Option<Sought>,
    /// Whether there were lines, and whether one of them was an entry.
    has_lines: bool,
    has_entries: bool,
    /// What is told once the entry before it was.
    failed: Option<io::Error>,
}

/// The lines of an entry, or some that belong to none, as they are kept.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// How long the first one is, with its end, and its number.
    head: usize,
    number: Option<u64>,
    left_out: u64,
}

impl Lines {
    pub(super) fn group(&self) -> Group<'_> {
        Group { left_out: self.left_out, ..Group::of(&self.bytes, self.head, self.number) }
    }

    pub(super) fn of(lines: &[u8], number: Option<u64>) -> Self {
        let head = memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
        let mut kept = Self { head, number, ..Self::default() };
        kept.add(lines);
        kept
    }

    pub(super) fn add(&mut self, lines: &[u8]) {
        lines.split_inclusive(|byte| *byte == b'\n').for_each(|line| self.add_line(line));
    }

    /// Of what belongs to an entry not more is kept than of a line.
    fn add_line(&mut self, line: &[u8]) {
        if self.bytes.len() < LONGEST_LINE {
            self.bytes.extend_from_slice(line);
        } else {
            self.left_out += 1;
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.left_out = 0;
    }
}

impl Entries {
    /// Of a file, or of the standard input (`-`); what is earlier than the filter's `since` is left out where that
    /// spares reading it.
    ///
    /// # Errors
    /// If it cannot be opened or is no text.
    pub fn open(path: &Path, filter: &Filter) -> io::Result<Self> {
        Self::with_buffer(path, filter, BUFFER)
    }

    fn with_buffer(path: &Path, filter: &Filter, size: usize) -> io::Result<Self> {
        let mut input = Input::open(path)?;
        let start = start_of(&mut input, filter)?;
        let input: Box<dyn Read + Send> = match input {
            Input::Stream(stream) => stream,
            Input::File(mut file) => {
                file.seek(SeekFrom::Start(start))?;
                Box::new(file)
            }
        };
        Ok(Self::new(input, (start == 0).then_some(1), size))
    }

    /// Of some text whose first line has this number.
    pub fn of(input: impl Read + Send + 'static, number: Option<u64>) -> Self {
        Self::new(Box::new(input), number, BUFFER)
    }

    fn new(input: Box<dyn Read + Send>, number: Option<u64>, size: usize) -> Self {
        Self {
            blocks: Blocks::with_buffer(input, size),
            at: 0,
            end: 0,
            number,
            lines: Lines::default(),
            sought: None,
            has_lines: false,
            has_entries: false,
            failed: None,
        }
    }

    /// Goes on to the next entry, which [`group`](Self::group) then is; whether there is one.
    ///
    /// # Errors
    /// What reading comes to; what was read before has been told.
    pub fn advance(&mut self) -> io::Result<bool> {
        self.lines.clear();
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        loop {
            if self.at >= self.end {
                // What comes before an error is told first.
                match self.blocks.next() {
                    Ok(Some(block)) => (self.at, self.end) = (0, block.len()),
                    Ok(None) => return Ok(!self.lines.bytes.is_empty()),
                    Err(error) if !self.lines.bytes.is_empty() => {
                        self.failed = Some(error);
                        return Ok(true);
                    }
                    Err(error) => return Err(error),
                }
            }
            let rest = self.blocks.block().get(self.at..self.end).unwrap_or_default();
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let line = rest.get(..length).unwrap_or_default();
            let is_sought = self.sought.is_none_or(|sought| sought.may_be_in(line));
            // Of others it only counts that there is one.
            let begins = (is_sought || !self.has_entries) && begins_entry(line);
            self.has_lines = true;
            self.has_entries |= begins && (self.has_entries || head(without_end(line)).is_ok());
            if self.sought.is_none() || (is_sought && begins) {
                if self.lines.bytes.is_empty() {
                    self.lines.head = length;
                    self.lines.number = self.number;
                } else if begins {
                    return Ok(true);
                }
                self.lines.add_line(line);
            }
            self.at += length;
            self.number = self.number.map(|number| number + 1);
        }
    }

    /// The entry that [`advance`](Self::advance) went to.
    pub fn group(&self) -> Group<'_> {
        self.lines.group()
    }
}

/// Several files, whose entries come in the order of time. Within a file they keep their order, whatever its clock did.
pub struct Merge {
    files: Vec<Merged>,
    current: Option<usize>,
    failed: Vec<(PathBuf, io::Error)>,
}

struct Merged {
    path: PathBuf,
    entries: Entries,
    /// Of the entry that waits; none at the end.
    time: Option<DateTime<Utc>>,
}

impl Merge {
    /// Opens all of them; those that cannot be opened are told by [`failed`](Self::failed).
    pub fn open(paths: &[PathBuf], filter: &Filter) -> Self {
        Self::sought(paths, filter, None)
    }

    /// The same with only those entries that may tell of leadership, without the lines that belong to them, several times
    /// as fast: all that may be of these kinds, or of any if there are none, and of [votes](Kind::is_vote) only on request.
    /// Others may be among them.
    pub fn leadership(paths: &[PathBuf], filter: &Filter, kinds: &[Kind], votes: bool) -> Self {
        Self::sought(paths, filter, Some(Sought::new(kinds, votes)))
    }

    fn sought(paths: &[PathBuf], filter: &Filter, sought: Option<Sought>) -> Self {
        let size = (BUFFERS / paths.len().max(1)).clamp(4 * 1024, BUFFER);
        let mut merge = Self { files: Vec::new(), current: None, failed: Vec::new() };
        for path in paths {
            match Entries::with_buffer(path, filter, size) {
                Ok(entries) => {
                    let entries = Entries { sought, ..entries };
                    merge.files.push(Merged { path: path.clone(), entries, time: None });
                    merge.advance_file(merge.files.len() - 1);
                }
                Err(error) => merge.failed.push((path.clone(), error)),
            }
        }
        merge
    }

    fn advance_file(&mut self, index: usize) {
        let Some(file) = self.files.get_mut(index) else { return };
        match file.entries.advance() {
            // Lines without a time follow what came before them.
            Ok(true) => {
                let time = file.entries.group().entry().map(|entry| entry.time.utc()).ok();
                file.time = time.or(file.time).or(Some(DateTime::<Utc>::MIN_UTC));
            }
            Ok(false) => {
                file.time = None;
                if file.entries.has_lines && !file.entries.has_entries {
                    self.failed.push((file.path.clone(), io::Error::new(ErrorKind::InvalidData, FOREIGN)));
                }
            }
            Err(error) => {
                file.time = None;
                self.failed.push((file.path.clone(), error));
            }
        }
    }

    /// Goes on to the next entry; whether there is one.
    pub fn advance(&mut self) -> bool {
        if let Some(index) = self.current {
            self.advance_file(index);
        }
        let waiting = self.files.iter().enumerate().filter_map(|(index, file)| Some((file.time?, index)));
        self.current = waiting.min().map(|(_, index)| index);
        self.current.is_some()
    }

    /// The entry that [`advance`](Self::advance) went to, and the file in which it stands.
    pub fn group(&self) -> Option<(&Path, Group<'_>)> {
        let file = self.files.get(self.current?)?;
        Some((&file.path, file.entries.group()))
    }

    /// What could not be opened or read to its end, so far, and what was read to its end and is no log.
    pub fn failed(&self) -> &[(PathBuf, io::Error)] {
        &self.failed
    }

    /// How many bytes were read.
    pub fn read(&self) -> u64 {
        self.files.iter().map(|file| file.entries.blocks.bytes).sum()
    }

    /// How many lines were cut, in which files, so far.
    pub fn cut(&self) -> impl Iterator<Item = (&Path, u64)> {
        let all = self.files.iter().map(|file| (&*file.path, file.entries.blocks.cut));
        all.filter(|(_, cut)| *cut > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u32, message: &str) -> String {
        format!("[2026/11/22 02:43:{second:02}.000 +00:00] [INFO] [a.rs:1] [{message}]\n")
    }

    #[test]
    fn what_belongs_to_an_entry_comes_with_it() {
        let text = format!(
            "torn\n{}  at a\n\n{}{}[2026/11/22 02:43:01.000 +00:00] [broken",
            line(1, "a"),
            line(2, "b"),
            line(3, "c")
        );
        let mut entries = Entries::new(Box::new(io::Cursor::new(text.into_bytes())), Some(1), 10);
        let mut seen = Vec::new();
        while entries.advance().unwrap() {
            let group = entries.group();
            let message = group.entry().map(|entry| entry.message.text().into_owned()).ok();
            seen.push((group.line, message, String::from_utf8_lossy(group.continuation).into_owned()));
        }
        let expected = [
            (1, None, ""),
            (2, Some("a"), "  at a\n\n"),
            (5, Some("b"), ""),
            (6, Some("c"), ""),
            (7, None, ""),
        ];
        let expected =
            expected.map(|(line, message, more)| (Some(line), message.map(str::to_owned), more.to_owned()));
        assert_eq!(seen, expected);
    }

    /// A directory of its own, and what writes a file into it.
    fn written(test: &str) -> (PathBuf, impl Fn(&str, String) -> PathBuf) {
        let directory = std::env::temp_dir().join(format!("operator-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let within = directory.clone();
        let path = move |name: &str, text: String| {
            let path = within.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        (directory, path)
    }

    #[test]
    fn files_are_merged_by_time_and_each_keeps_its_order() {
        let (directory, path) = written("merge");
        // The clock of the second went back.
        let paths = [
            path("a", line(1, "a1") + "  more\n" + &line(4, "a4") + &line(9, "a9")),
            path("b", line(2, "b2") + &line(7, "b7") + &line(3, "b3") + &line(8, "b8")),
            directory.join("missing"),
        ];
        let mut merge = Merge::open(&paths, &Filter::default());
        let mut seen = Vec::new();
        while merge.advance() {
            let (_, group) = merge.group().unwrap();
            seen.push(group.entry().unwrap().message.text().into_owned());
        }
        assert_eq!(seen, ["a1", "b2", "a4", "b7", "b3", "b8", "a9"]);
        assert_eq!(merge.failed().len(), 1);
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn of_leadership_only_what_may_tell_of_it_is_merged_and_what_is_no_log_is_said() {
        let (directory, path) = written("merge-led");
        let event = |second, term| {
            line(second, "x")
                .replace("[a.rs:1] [x]", &format!("[raft.rs:1271] [\"became leader at term {term}\"]"))
        };
        let forged = format!("  {}", event(5, 9));
        let paths = [
            path("a", event(1, 1) + &forged + &line(2, "noise") + &event(3, 3) + &line(4, "noise")),
            path("b", line(1, "noise") + &event(2, 2)),
            path("quiet", line(1, "noise")),
            path("other", "not\na log\n[2026/11/22 02:43:00.000 +00:00] of ours\n".to_owned()),
        ];
        let mut merge = Merge::leadership(&paths, &Filter::default(), &[], false);
        let mut seen = Vec::new();
        while merge.advance() {
            let (_, group) = merge.group().unwrap();
            // A damaged line may tell of anything.
            let Ok(entry) = group.entry() else { continue };
            seen.push((group.line, entry.message.text().into_owned(), group.continuation.len()));
        }
        let expected = [(1, 1), (2, 2), (4, 3)];
        assert_eq!(
            seen,
            expected.map(|(line, term)| (Some(line), format!("became leader at term {term}"), 0))
        );
        let failed: Vec<_> = merge.failed().iter().map(|(path, _)| path).collect();
        assert_eq!(failed, [&paths[3]]);
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn an_error_comes_after_the_entry_that_was_read_before_it() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        for text in [line(1, "a") + &line(2, "b") + "  more\n", String::new()] {
            let count = text.matches("[INFO]").count();
            let mut entries = Entries::of(io::Cursor::new(text.into_bytes()).chain(Fails), Some(1));
            for _ in 0..count {
                assert!(entries.advance().unwrap());
            }
            assert_eq!(entries.advance().unwrap_err().to_string(), "the disk is gone");
            assert!(!entries.advance().unwrap());
        }
    }
}
