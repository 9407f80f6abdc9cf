//! Where in a text the first byte of some kinds stands, looked for in sixteen bytes at once.
//!
//! The names and values of a log are short: a search that prepares itself, as those for whole files do, takes longer than
//! they do.

use wide::u8x16;

/// Sixteen bytes of a text.
#[derive(Clone, Copy)]
pub(super) struct Sixteen(u8x16);

/// Which of them are looked for.
#[derive(Clone, Copy)]
pub(super) struct Marked(u8x16);

impl Sixteen {
    /// Those that are this one.
    #[inline(always)]
    pub(super) fn are(self, byte: u8) -> Marked {
        Marked(self.0.simd_eq(u8x16::splat(byte)))
    }

    /// Those that are this one or less.
    #[inline(always)]
    pub(super) fn at_most(self, byte: u8) -> Marked {
        Marked(self.0.min(u8x16::splat(byte)).simd_eq(self.0))
    }

    /// Those that are this one or more.
    #[inline(always)]
    pub(super) fn at_least(self, byte: u8) -> Marked {
        Marked(self.0.max(u8x16::splat(byte)).simd_eq(self.0))
    }
}

impl std::ops::BitOr for Marked {
    type Output = Self;

    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Where the first byte stands that `is` finds, at or behind `from`; the line's length if there is none.
#[inline(always)]
pub(super) fn first(line: &[u8], from: usize, is: impl Fn(Sixteen) -> Marked) -> usize {
    let mut at = from;
    while let Some(sixteen) = line.get(at..).and_then(<[u8]>::first_chunk) {
        let found = is(Sixteen(u8x16::new(*sixteen))).0.to_bitmask();
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += 16;
    }
    let left = line.len().saturating_sub(at);
    if left == 0 {
        return line.len();
    }
    // The last sixteen, without those that were passed already.
    let (last, passed) = match line.last_chunk() {
        Some(last) => (*last, 16 - left),
        None => (padded(line), at),
    };
    let found = is(Sixteen(u8x16::new(last))).0.to_bitmask() >> passed;
    (at + found.trailing_zeros() as usize).min(line.len())
}

/// What stands behind the text is not looked at.
#[cold]
fn padded(text: &[u8]) -> [u8; 16] {
    let mut padded = [0; 16];
    padded.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    padded
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn the_first_is_found_wherever_it_stands() {
        for length in 0..70 {
            for from in 0..=length + 1 {
                for at in 0..=length {
                    let mut line = vec![b'a'; length];
                    line.iter_mut().skip(at).for_each(|byte| *byte = b']');
                    let expected = at.max(from).min(length);
                    assert_eq!(first(&line, from, |some| some.are(b']')), expected, "{length} {from} {at}");
                    line.iter_mut().take(at).for_each(|byte| *byte = b' ');
                    assert_eq!(
                        first(&line, from, |some| some.at_least(b'!')),
                        expected,
                        "{length} {from} {at}"
                    );
                    line.iter_mut().skip(at).for_each(|byte| *byte = 0xFF);
                    assert_eq!(first(&line, from, |some| some.are(b']') | some.at_least(0x7F)), expected);
                    line.iter_mut().skip(at).for_each(|byte| *byte = 0x1F);
                    assert_eq!(first(&line, from, |some| some.at_most(0x1F) | some.are(b'"')), expected);
                }
            }
        }
    }
}
