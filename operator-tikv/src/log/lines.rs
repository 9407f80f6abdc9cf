//! The lines of a text.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, u8x64};

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
        let rest = self.block.get(self.chunk..).unwrap_or_default();
        let chunk = rest.get(..CHUNK).unwrap_or(rest);
        self.searched += chunk.len();
        self.next = 0;
        self.found = dispatch!(Level::new(), simd => ends(simd, chunk, &mut self.ends));
    }
}

/// Writes down where lines end, and says how many do. The count is kept in a register: each step waits for it.
#[inline(always)]
fn ends<S: Simd>(simd: S, chunk: &[u8], ends: &mut [u16; CHUNK]) -> usize {
    let end = u8x64::splat(simd, b'\n');
    let (blocks, rest) = chunk.as_chunks();
    let mut last = [0; 64];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let mut found = 0;
    let mut at = 0;
    for block in blocks.iter().chain(std::iter::once(&last)) {
        let mut marks = u8x64::from_slice(simd, block).simd_eq(end).to_bitmask();
        // Lines are longer than that, nearly all: there is one, or what was written will be written over.
        put(ends, found, at, marks);
        found += usize::from(marks != 0);
        marks &= marks.wrapping_sub(1);
        while marks != 0 {
            put(ends, found, at, marks);
            found += 1;
            marks &= marks - 1;
        }
        at += 64;
    }
    found
}

#[inline(always)]
fn put(ends: &mut [u16; CHUNK], found: usize, at: u16, marks: u64) {
    if let Some(end) = ends.get_mut(found) {
        *end = at + marks.trailing_zeros() as u16;
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

    #[test]
    fn this_processor_finds_the_ends_that_any_finds() {
        let text: Vec<u8> = (0..CHUNK).map(|at| if at % 67 < at / 256 { b'\n' } else { b'\x8A' }).collect();
        for length in [0, 1, 63, 64, 65, 1_000, CHUNK - 1, CHUNK] {
            let chunk = &text[..length];
            let expected: Vec<_> = (0..length).filter(|at| chunk[*at] == b'\n').collect();
            for level in [Level::baseline(), Level::new()] {
                let mut found = [0; CHUNK];
                let count = dispatch!(level, simd => ends(simd, chunk, &mut found));
                let seen: Vec<_> = found[..count].iter().map(|end| usize::from(*end)).collect();
                assert_eq!(seen, expected, "{level:?}, {length} bytes");
            }
        }
    }
}
