//! A file read in pieces of whole lines, on several threads, and what comes of them handed over in the file's order.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::blocks::{Blocks, LONGEST_LINE};
use super::files::Input;

/// Where the end of a line is looked for first, in bytes.
const NEAR: usize = 4 * 1024;

/// How many bytes before a piece are read with it, the last of which says whether a line begins there. One would do, but
/// some processors copy two to three times slower to an address that stands in its page up to 31 bytes behind where the
/// copied one stands in its own, and a fresh buffer begins 16 bytes behind the beginning of a page.
const BEFORE: usize = 64;

/// How often a thread looks whether it is its turn before it sleeps, and how long it pauses in between.
const LOOKS: usize = 40;
const PAUSES: usize = 50;

/// Some whole lines.
pub(super) struct Piece<'a> {
    pub(super) lines: &'a [u8],
    turn: &'a dyn Fn(u64) -> Option<u64>,
}

impl Piece<'_> {
    /// The number of its first line, from 1, if it is known. Waits until the lines before are counted, as others wait
    /// for the count of these: whoever gets a piece asks once.
    pub(super) fn number(&self, count: u64) -> Option<u64> {
        (self.turn)(count)
    }
}

/// Where to begin, and with how many threads.
pub(super) struct Plan<'a> {
    /// In bytes; the beginning of a line.
    pub(super) start: u64,
    /// 1 or more.
    pub(super) threads: usize,
    /// How much is read at once, in bytes.
    pub(super) size: usize,
    /// Counts the bytes that were dealt with.
    pub(super) done: &'a AtomicU64,
}

/// Gives every piece to `work`, on any thread, and what it makes of them to `take`, in order, until it breaks. Returns how
/// many lines were cut.
pub(super) fn read<T: Send>(
    input: Input,
    plan: &Plan<'_>,
    work: impl Fn(Piece<'_>) -> T + Sync,
    mut take: impl FnMut(T) -> ControlFlow<()> + Send,
) -> io::Result<u64> {
    let first = (plan.start == 0).then_some(1);
    let file = match input {
        Input::Stream(stream) => {
            let mut blocks = Blocks::new(stream);
            let number = Cell::new(first);
            let turn = |count| {
                let first = number.get();
                number.set(first.map(|first| first + count));
                first
            };
            while let Some(lines) = blocks.next()? {
                plan.done.fetch_add(lines.len() as u64, Ordering::Relaxed);
                if take(work(Piece { lines, turn: &turn })).is_break() {
                    break;
                }
            }
            return Ok(blocks.cut);
        }
        Input::File(file) => file,
    };
    let end = file.metadata()?.len();
    let (next, order) = (AtomicU64::new(0), Order::new(first, plan.threads, take));
    let one_after_another = || {
        let _alarm = Alarm(&order);
        let mut buffer = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let begin = plan.start + index * plan.size as u64;
            if begin >= end {
                return;
            }
            let loaded = load(&file, begin, index == 0, plan.size, &mut buffer);
            plan.done.fetch_add(plan.size as u64, Ordering::Relaxed);
            let asked = Cell::new(false);
            let told = work(Piece {
                lines: buffer.get(loaded.lines).unwrap_or_default(),
                turn: &|count| {
                    debug_assert!(!asked.replace(true), "the others wait for one count");
                    order.number(index, count, loaded.cut)
                },
            });
            debug_assert!(asked.get(), "the others wait for the count");
            if order.hand_over(index, told, loaded.failed).is_break() {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..plan.threads {
            scope.spawn(one_after_another);
        }
        one_after_another();
    });
    let turns = order.turns.into_inner().unwrap_or_else(PoisonError::into_inner);
    turns.failed.map_or(Ok(turns.cut), Err)
}

/// The lines that begin in a piece.
struct Loaded {
    /// Where they stand in the buffer.
    lines: Range<usize>,
    /// How many were cut.
    cut: u64,
    /// Why there are no more.
    failed: Option<io::Error>,
}

/// Reads the lines that begin in a piece into the buffer, which only grows.
fn load(file: &File, begin: u64, is_first: bool, size: usize, buffer: &mut Vec<u8>) -> Loaded {
    let before = if is_first { 0 } else { BEFORE };
    let begin = begin - before as u64;
    let (mut end, mut failed) = fill(file, begin, 0..size + before, buffer);
    let loaded = buffer.get(..end).unwrap_or_default();
    let start = match before.checked_sub(1) {
        None => Some(0),
        Some(last) => memchr::memchr(b'\n', loaded.get(last..).unwrap_or_default()).map(|end| before + end),
    };
    let Some(start) = start.filter(|start| *start < end) else {
        return Loaded { lines: 0..0, cut: 0, failed };
    };
    // The last line goes on in the next piece.
    let last = memchr::memrchr(b'\n', loaded).map_or(start, |end| (end + 1).max(start));
    let mut searched = end;
    while failed.is_none() && last < searched && end - last <= LONGEST_LINE {
        // Nearly always its end is near.
        let more = (end - last).clamp(NEAR, size.max(NEAR));
        (end, failed) = fill(file, begin, end..end + more, buffer);
        let fresh = buffer.get(searched..end).unwrap_or_default();
        if fresh.is_empty() {
            break;
        }
        if let Some(length) = memchr::memchr(b'\n', fresh) {
            // What is behind it is read, and fails, once more.
            (end, failed) = (searched + length + 1, None);
            break;
        }
        searched = end;
    }
    let line = buffer.get(last..end).unwrap_or_default();
    let cut = line.strip_suffix(b"\n").unwrap_or(line).len() > LONGEST_LINE;
    Loaded { lines: start..if cut { last + LONGEST_LINE } else { end }, cut: cut.into(), failed }
}

/// Reads into a part of the buffer what stands as far behind `begin` in the file; up to where there is something, or it
/// fails.
fn fill(file: &File, begin: u64, part: Range<usize>, buffer: &mut Vec<u8>) -> (usize, Option<io::Error>) {
    if buffer.len() < part.end {
        buffer.resize(part.end, 0);
    }
    let mut at = part.start;
    while let Some(space) = buffer.get_mut(at..part.end).filter(|space| !space.is_empty()) {
        match read_at(file, space, begin + at as u64) {
            Ok(0) => break,
            Ok(read) => at += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (at, Some(error)),
        }
    }
    (at, None)
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// Who may number its lines next, and what was made of the pieces before it was their turn.
struct Order<T, K> {
    turns: Mutex<Turns<T, K>>,
    changed: Condvar,
    /// How many pieces may wait: one for each thread.
    most: u64,
}

struct Turns<T, K> {
    numbered: u64,
    number: Option<u64>,
    handed_over: u64,
    early: BTreeMap<u64, (T, Option<io::Error>)>,
    /// Who takes it; none while somebody hands over.
    take: Option<K>,
    /// How many threads wait: nobody is woken where nobody sleeps, which would cost a system call.
    waiting: usize,
    stopped: bool,
    cut: u64,
    failed: Option<io::Error>,
}

/// Ends the waiting of the others if one panics.
struct Alarm<'a, T, K>(&'a Order<T, K>);

impl<T, K> Drop for Alarm<'_, T, K> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut turns = self.0.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.stopped = true;
            self.0.tell(&turns);
        }
    }
}

impl<T, K> Order<T, K> {
    fn new(number: Option<u64>, threads: usize, take: K) -> Self {
        let turns = Turns {
            numbered: 0,
            number,
            handed_over: 0,
            early: BTreeMap::new(),
            take: Some(take),
            waiting: 0,
            stopped: false,
            cut: 0,
            failed: None,
        };
        Self { turns: Mutex::new(turns), changed: Condvar::new(), most: threads as u64 }
    }

    fn lock(&self) -> MutexGuard<'_, Turns<T, K>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, until: impl Fn(&Turns<T, K>) -> bool) -> Option<MutexGuard<'_, Turns<T, K>>> {
        let mut turns = self.lock();
        // The others are nearly as far: to sleep and be woken takes longer.
        for _ in 0..LOOKS {
            if turns.stopped || until(&turns) {
                break;
            }
            drop(turns);
            (0..PAUSES).for_each(|_| std::hint::spin_loop());
            turns = self.lock();
        }
        while !turns.stopped && !until(&turns) {
            turns.waiting += 1;
            turns = self.changed.wait(turns).unwrap_or_else(PoisonError::into_inner);
            turns.waiting -= 1;
        }
        Some(turns).filter(|turns| !turns.stopped)
    }

    fn tell(&self, turns: &Turns<T, K>) {
        if turns.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// The number of a piece's first line.
    fn number(&self, index: u64, lines: u64, cut: u64) -> Option<u64> {
        // Once it is over nobody is told what comes of it.
        let mut turns = self.wait(|turns| turns.numbered == index)?;
        let number = turns.number;
        turns.number = number.map(|number| number + lines);
        turns.numbered += 1;
        turns.cut += cut;
        self.tell(&turns);
        number
    }
}

impl<T, K: FnMut(T) -> ControlFlow<()>> Order<T, K> {
    /// Hands over a piece if it is its turn, and those that waited for it; else whoever has that turn does. Nothing comes
    /// after one that failed.
    fn hand_over(&self, index: u64, told: T, failed: Option<io::Error>) -> ControlFlow<()> {
        let Some(mut turns) = self.wait(|turns| index < turns.handed_over + self.most) else {
            return ControlFlow::Break(());
        };
        turns.early.insert(index, (told, failed));
        let Some(mut take) = turns.take.take() else { return ControlFlow::Continue(()) };
        while !turns.stopped
            && let next = turns.handed_over
            && let Some((told, failed)) = turns.early.remove(&next)
        {
            // Others go on meanwhile.
            drop(turns);
            let flow = take(told);
            turns = self.lock();
            turns.handed_over += 1;
            turns.stopped |= flow.is_break() || failed.is_some();
            turns.failed = failed;
            self.tell(&turns);
        }
        turns.take = Some(take);
        if turns.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::lines;
    use super::*;

    const SIZE: usize = 64 * 1024;

    /// Numbers and lengths of all lines, and how many were cut.
    fn seen(input: Input, threads: usize) -> (Vec<(u64, usize)>, u64) {
        let mut all = Vec::new();
        let plan = Plan { start: 0, threads, size: SIZE, done: &AtomicU64::new(0) };
        let work = |piece: Piece<'_>| {
            let lengths: Vec<_> = lines(piece.lines).map(<[u8]>::len).collect();
            let numbers = piece.number(lengths.len() as u64).unwrap()..;
            numbers.zip(lengths).collect::<Vec<_>>()
        };
        let cut = read(input, &plan, work, |some| {
            all.extend(some);
            ControlFlow::Continue(())
        });
        (all, cut.unwrap())
    }

    #[test]
    fn every_line_comes_once_in_order_and_numbered_on_any_number_of_threads() {
        let path = std::env::temp_dir().join(format!("operator-pieces-{}", std::process::id()));
        // Lines that end at, before and behind the ends of pieces, longer than a piece, and too long.
        let mut text = Vec::new();
        for length in
            [SIZE - 1, SIZE, SIZE + 1, 0, 3 * SIZE, LONGEST_LINE, LONGEST_LINE + 1, 5 * LONGEST_LINE, 7]
        {
            text.extend(std::iter::repeat_n(b'x', length));
            text.push(b'\n');
            text.extend_from_slice(&b"short\n".repeat(length % 11 * 5_000));
        }
        text.extend_from_slice(b"last");
        for text in [&text[..], b"", b"\n", b"a", &text[..SIZE], &text[..2 * SIZE + 1]] {
            std::fs::write(&path, text).unwrap();
            let expected = seen(Input::Stream(Box::new(std::io::Cursor::new(text.to_vec()))), 1);
            for threads in [1, 2, 5] {
                // Not shown if it differs: it is long.
                assert!(
                    seen(Input::File(File::open(&path).unwrap()), threads) == expected,
                    "{threads} threads"
                );
            }
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn whoever_has_enough_ends_it() {
        let path = std::env::temp_dir().join(format!("operator-pieces-end-{}", std::process::id()));
        std::fs::write(&path, "x\n".repeat(10 * SIZE)).unwrap();
        let mut taken = 0;
        let plan = Plan { start: 0, threads: 3, size: SIZE, done: &AtomicU64::new(0) };
        let input = Input::File(File::open(&path).unwrap());
        let work = |piece: Piece<'_>| {
            piece.number(lines(piece.lines).count() as u64);
        };
        let ended = read(input, &plan, work, |()| {
            taken += 1;
            if taken == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((ended.unwrap(), taken), (0, 4));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_said_and_nobody_waits() {
        let path = std::env::temp_dir().join(format!("operator-pieces-failed-{}", std::process::id()));
        std::fs::write(&path, "x\n".repeat(5 * SIZE)).unwrap();
        for threads in [1, 2, 5] {
            // It is open for writing only.
            let input = Input::File(File::options().write(true).open(&path).unwrap());
            let plan = Plan { start: 0, threads, size: SIZE, done: &AtomicU64::new(0) };
            let work = |piece: Piece<'_>| piece.number(lines(piece.lines).count() as u64);
            let mut taken = Vec::new();
            let failed = read(input, &plan, work, |number| {
                taken.push(number);
                ControlFlow::Continue(())
            });
            assert_eq!((failed.is_err(), taken), (true, vec![Some(1)]), "{threads} threads");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
