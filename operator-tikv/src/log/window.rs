//! Where a span of time begins in a file, without reading what comes before.

use std::io::{self, Read, Seek, SeekFrom};

use chrono::{DateTime, TimeDelta, Utc};

use super::line::parse_line;
use super::lines::lines;

/// How much is read to find a time in it.
const STEP: u64 = 8 * 1024;
/// How far a clock may have gone back without hiding a line: the search is for a moment that much earlier.
const SLACK: TimeDelta = TimeDelta::hours(1);
/// Of lines without a time as much is passed over as one entry may have.
const MOST_STEPS: u64 = 128;

/// Where to begin to read for what happened since `since`: at the beginning of a line, an hour earlier, so that a clock
/// that was set back by less hides nothing. Needs the file to be in the order of time otherwise; reads 8 KiB
/// 2·log2(size / 8 KiB) times at most, where entries are shorter than that.
///
/// # Errors
/// What reading and seeking come to.
pub fn window_start<F: Read + Seek>(file: &mut F, size: u64, since: DateTime<Utc>) -> io::Result<u64> {
    let since = since.checked_sub_signed(SLACK).unwrap_or(DateTime::<Utc>::MIN_UTC);
    let mut buffer = vec![0; STEP as usize];
    // Everything before `low` is too early; `high` is late enough, or the end.
    let (mut low, mut high) = (0, size.div_ceil(STEP));
    let mut start = 0;
    while low < high {
        let middle = low + (high - low) / 2;
        match first_time(file, &mut buffer, middle, high)? {
            Some((at, time)) if time < since => (start, low) = (at, middle + 1),
            _ => high = middle,
        }
    }
    Ok(start)
}

/// The first entry that begins in a step or after, before `end`, and its time.
fn first_time<F: Read + Seek>(
    file: &mut F,
    buffer: &mut [u8],
    step: u64,
    end: u64,
) -> io::Result<Option<(u64, DateTime<Utc>)>> {
    for step in step..end.min(step + MOST_STEPS) {
        file.seek(SeekFrom::Start(step * STEP))?;
        let mut filled = 0;
        while let Some(space) = buffer.get_mut(filled..).filter(|space| !space.is_empty()) {
            match file.read(space) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let block = buffer.get(..filled).unwrap_or_default();
        // Where a block begins is the middle of a line, unless it is the first.
        let mut at = step * STEP;
        for (index, line) in lines(block).enumerate() {
            if index > 0 || step == 0 {
                let time = match parse_line(line) {
                    Ok(entry) => Some(entry.time),
                    // The end of the block may have cut it.
                    Err(_) => line.get(1..31).and_then(super::Time::parse),
                };
                if let Some(time) = time {
                    return Ok(Some((at, time.utc())));
                }
            }
            at += line.len() as u64 + 1;
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Counts what is read.
    struct Counted(Cursor<Vec<u8>>, u32);

    impl Read for Counted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            self.0.read(buffer)
        }
    }

    impl Seek for Counted {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
    }

    fn line(minutes: i64, padding: usize) -> String {
        format!(
            "[{}] [INFO] [a.rs:1] [{}]\n",
            at(minutes).format("%Y/%m/%d %H:%M:%S%.3f +00:00"),
            "x".repeat(padding)
        )
    }

    #[test]
    fn the_beginning_is_found_in_few_reads_and_nothing_is_lost() {
        let text: String = (0..100_000).map(|minute| line(minute, 200)).collect();
        let size = text.len() as u64;
        let most = 2.0 * (size as f64 / STEP as f64).log2();
        for wanted in [-5, 0, 59, 60, 61, 1_000, 54_321, 99_999, 200_000] {
            let mut file = Counted(Cursor::new(text.clone().into_bytes()), 0);
            let start = window_start(&mut file, size, at(wanted)).unwrap();
            assert!(f64::from(file.1) <= most, "{} reads, at most {most}", file.1);
            let rest = text.get(start as usize..).unwrap();
            let first = parse_line(lines(rest.as_bytes()).next().unwrap()).unwrap().time.utc();
            // What is left out is earlier than an hour before, and little more than that is read.
            let slack = at(wanted) - SLACK;
            assert!(first < slack || start == 0, "{wanted}");
            assert!(
                slack - first < TimeDelta::minutes(80) || wanted == 200_000 || start == 0,
                "{wanted}: {first}"
            );
        }
    }

    #[test]
    fn a_clock_that_went_back_hides_nothing_that_came_after() {
        // 100 minutes, back by 40, and on.
        let times: Vec<i64> = (0..10_000).chain(9_960..20_000).collect();
        let text: String = times.iter().map(|minute| line(*minute, 100)).collect();
        for wanted in [9_950, 9_970, 9_999, 10_010] {
            let mut file = Cursor::new(text.clone().into_bytes());
            let start = window_start(&mut file, text.len() as u64, at(wanted)).unwrap();
            let skipped = lines(text.get(..start as usize).unwrap().as_bytes());
            let lost = skipped.filter(|line| parse_line(line).unwrap().time.utc() >= at(wanted)).count();
            assert_eq!(lost, 0, "{wanted}");
        }
    }

    #[test]
    fn what_has_no_times_is_read_from_its_beginning() {
        for text in [String::new(), "x\n".repeat(100_000), "x".repeat(100_000)] {
            let size = text.len() as u64;
            assert_eq!(window_start(&mut Cursor::new(text.into_bytes()), size, at(0)).unwrap(), 0);
        }
    }
}
