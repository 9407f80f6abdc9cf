//! Whole lines out of anything that can be read, through one buffer.

use std::io::{self, ErrorKind, Read};

/// How much is read at once.
pub(super) const BUFFER: usize = 256 * 1024;
/// A line that is longer is cut here, and the rest of it skipped.
pub const LONGEST_LINE: usize = 1024 * 1024;

/// Reads blocks of whole lines. The last line of all may lack its end, and so does one that was cut.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    input: R,
    buffer: Vec<u8>,
    /// What was handed out, and how much is filled.
    taken: usize,
    filled: usize,
    /// What was read of a line that is not complete yet: it is not searched again.
    searched: usize,
    skipping: bool,
    ended: bool,
    failed: Option<io::Error>,
    /// How many lines were cut.
    pub(super) cut: u64,
    /// How many bytes were read.
    pub(super) bytes: u64,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(input: R) -> Self {
        Self::with_buffer(input, BUFFER)
    }

    pub(super) fn with_buffer(input: R, size: usize) -> Self {
        Self {
            input,
            buffer: vec![0; size.max(1)],
            taken: 0,
            filled: 0,
            searched: 0,
            skipping: false,
            ended: false,
            failed: None,
            cut: 0,
            bytes: 0,
        }
    }

    /// The next lines; none at the end. What was read before an error comes before it.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        self.searched = self.searched.min(self.filled);
        let end = loop {
            if self.skipping {
                self.skip();
            }
            let fresh = self.buffer.get(self.searched..self.filled).unwrap_or_default();
            if let Some(end) = memchr::memrchr(b'\n', fresh) {
                break self.searched + end + 1;
            }
            self.searched = self.filled;
            if self.ended {
                break self.filled;
            }
            if self.filled > LONGEST_LINE {
                self.cut += 1;
                self.skipping = true;
                self.filled = LONGEST_LINE;
                break LONGEST_LINE;
            }
            self.read();
        };
        self.taken = end;
        self.searched = 0;
        if end > 0 {
            return Ok(self.buffer.get(..end));
        }
        self.failed.take().map_or(Ok(None), Err)
    }

    /// The lines that `next` told.
    pub(super) fn block(&self) -> &[u8] {
        self.buffer.get(..self.taken).unwrap_or_default()
    }

    /// Lets go of the rest of a line that was cut, as far as it was read.
    fn skip(&mut self) {
        let filled = self.buffer.get(..self.filled).unwrap_or_default();
        match memchr::memchr(b'\n', filled) {
            Some(end) => {
                self.skipping = false;
                self.buffer.copy_within(end + 1..self.filled, 0);
                self.filled -= end + 1;
            }
            None => self.filled = 0,
        }
        self.searched = 0;
    }

    fn read(&mut self) {
        if self.filled == self.buffer.len() {
            self.buffer.resize((self.filled * 2).min(LONGEST_LINE + 1), 0);
        }
        let space = self.buffer.get_mut(self.filled..).unwrap_or_default();
        match self.input.read(space) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                self.filled += count;
                self.bytes += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => (self.ended, self.failed) = (true, Some(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::lines;
    use super::*;

    /// Gives a few bytes at a time, and fails in the end.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::Error::other("the disk is gone"));
            }
            let count = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    #[test]
    fn lines_come_whole_whatever_the_reads_and_before_an_error() {
        let text = b"one\n\ntwo three\nfour";
        for (drop, buffer) in [(1, 1), (3, 4), (100, 100), (7, 2)] {
            let mut blocks = Blocks::with_buffer(Drops(text, drop), buffer);
            let mut seen = Vec::new();
            let error = loop {
                match blocks.next() {
                    Ok(Some(block)) => seen.extend(lines(block).map(<[u8]>::to_vec)),
                    Ok(None) => panic!("the error is lost"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.to_string(), "the disk is gone");
            assert_eq!(seen, [&b"one"[..], b"", b"two three", b"four"]);
            assert!(blocks.next().unwrap().is_none());
        }
    }

    #[test]
    fn a_line_without_end_is_cut_and_costs_no_more_memory() {
        let text = [b"a\n".to_vec(), vec![b'x'; 5 * LONGEST_LINE], b"\nb\n".to_vec()].concat();
        let mut blocks = Blocks::new(&text[..]);
        let mut lengths = Vec::new();
        while let Some(block) = blocks.next().unwrap() {
            lengths.extend(lines(block).map(<[u8]>::len));
        }
        assert_eq!((lengths, blocks.cut), (vec![1, LONGEST_LINE, 1], 1));
        assert!(blocks.buffer.len() <= 2 * LONGEST_LINE);
        assert_eq!(blocks.bytes, text.len() as u64);
    }
}
