//! The lines of a text.

use super::marks::newlines;

/// How much is looked through at once, in bytes.
const CHUNK: usize = 4 * 1024;

/// The lines of a block, without their ends.
///
/// Where they end is written down for many lines at once, with next to no branches: how long a line is cannot be
/// predicted, and a processor that guesses wrong at each loses more time than the search takes.
pub(super) fn lines(block: &[u8]) -> EachLine<'_> {
    EachLine { block, start: 0, ends: [0; CHUNK], chunk: 0, next: 0, found: 0, searched: 0 }
}

/// See [`lines`].
pub(super) struct EachLine<'a> {
    block: &'a [u8],
    /// Of the next line.
    start: usize,
    /// The ends in a chunk that begins here, the next one, and how many were found.
    ends: [u16; CHUNK],
    chunk: usize,
    next: usize,
    found: usize,
    /// Up to where.
    searched: usize,
}

impl<'a> Iterator for EachLine<'a> {
    type Item = &'a [u8];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a [u8]> {
        while self.next == self.found {
            if self.searched == self.block.len() {
                let rest = self.block.get(self.start..).filter(|rest| !rest.is_empty());
                self.start = self.block.len();
                return rest;
            }
            self.search();
        }
        let end = self.chunk + usize::from(*self.ends.get(self.next)?);
        self.next += 1;
        let line = self.block.get(self.start..end);
        self.start = end + 1;
        line
    }
}

impl EachLine<'_> {
    /// Looks through the next chunk.
    fn search(&mut self) {
        self.chunk = self.searched;
        (self.next, self.found) = (0, 0);
        let rest = self.block.get(self.chunk..).unwrap_or_default();
        let chunk = rest.get(..CHUNK).unwrap_or(rest);
        self.searched += chunk.len();
        let (blocks, rest) = chunk.as_chunks();
        let mut at = 0;
        for block in blocks {
            self.note(at, newlines(block));
            at += 64;
        }
        if !rest.is_empty() {
            let mut last = [0; 64];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            self.note(at, newlines(&last));
        }
    }

    /// Writes down the ends in 64 bytes.
    #[inline(always)]
    fn note(&mut self, at: u16, mut ends: u64) {
        // Lines are longer than that, nearly all: there is one, or what was written will be written over.
        self.put(at, ends);
        self.found += usize::from(ends != 0);
        ends &= ends.wrapping_sub(1);
        while ends != 0 {
            self.put(at, ends);
            self.found += 1;
            ends &= ends - 1;
        }
    }

    #[inline(always)]
    fn put(&mut self, at: u16, ends: u64) {
        if let Some(end) = self.ends.get_mut(self.found) {
            *end = at + ends.trailing_zeros() as u16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_comes_whole_wherever_it_ends() {
        let mut texts = vec![Vec::new(), b"\n".to_vec(), b"\n\n\n".repeat(3_000), vec![b'x'; 3 * CHUNK]];
        for length in (0..200).chain([CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 63]) {
            let line = [vec![b'x'; length], b"\n".to_vec()].concat();
            texts.push([&line.repeat(70)[..], b"\n\n", &line, b"no end"].concat());
            texts.push([&b"y\n".repeat(length)[..], &line].concat());
        }
        for text in texts {
            let expected: Vec<_> = text
                .split_inclusive(|byte| *byte == b'\n')
                .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
                .collect();
            let seen: Vec<_> = lines(&text).collect();
            assert!(seen == expected, "{} bytes", text.len());
        }
    }
}
