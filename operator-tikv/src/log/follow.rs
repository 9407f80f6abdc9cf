//! A log as it is written, across rotation by rename and by truncation.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::blocks::LONGEST_LINE;

/// Follows one file. It never waits: whoever polls does that in between.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    file: Option<File>,
    /// Where reading goes on.
    position: u64,
    /// What was read of a line whose end is not there yet.
    partial: Vec<u8>,
    /// The number of the next line, if it is known.
    number: Option<u64>,
    /// Whether the file was ever there: one that appears later is new from its beginning.
    skip_present: bool,
}

impl Follow {
    /// Of a file that may not be there yet. What it holds now is read too, unless `skip_present`.
    pub fn new(path: impl Into<PathBuf>, skip_present: bool) -> Self {
        Self {
            path: path.into(),
            file: None,
            position: 0,
            partial: Vec::new(),
            number: Some(1),
            skip_present,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file was there and could be opened when it was last polled.
    pub fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Whole lines that were written since the last time, about 256 KiB of them at most, with their ends, and the number
    /// of the first; an empty text if there are none now.
    ///
    /// A file that was truncated is read from its beginning again; one that another took the place of is read to its end
    /// before the other. Truncation is seen only while the file is shorter than it was.
    ///
    /// # Errors
    /// What opening or reading it comes to, unless it is not there; the next poll tries again.
    pub fn poll(&mut self) -> io::Result<(Option<u64>, Vec<u8>)> {
        let number = self.number;
        if self.file.is_none() && !self.open()? {
            return Ok((number, Vec::new()));
        }
        let mut lines = std::mem::take(&mut self.partial);
        self.read(&mut lines)?;
        let number = self.number;
        if let Some(end) = memchr::memrchr(b'\n', &lines) {
            self.partial = lines.split_off(end + 1);
        } else if lines.len() < LONGEST_LINE {
            self.partial = std::mem::take(&mut lines);
        }
        if lines.is_empty() && self.is_replaced()? {
            // What has no end now never gets one.
            lines = std::mem::take(&mut self.partial);
            if !lines.is_empty() {
                lines.push(b'\n');
            }
            self.file = None;
            if lines.is_empty() {
                self.number = Some(1);
                return self.poll();
            }
        }
        let count = super::lines::lines(&lines).count() as u64;
        self.number = if self.file.is_none() { Some(1) } else { number.map(|number| number + count) };
        Ok((number, lines))
    }

    fn open(&mut self) -> io::Result<bool> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.skip_present = false;
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        self.position = 0;
        if std::mem::take(&mut self.skip_present) {
            self.position = file.seek(SeekFrom::End(0))?;
            self.number = (self.position == 0).then_some(1);
        }
        self.file = Some(file);
        Ok(true)
    }

    fn read(&mut self, lines: &mut Vec<u8>) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if file.metadata()?.len() < self.position {
            // Truncated: what was half-written is gone with the rest.
            self.position = 0;
            self.number = Some(1);
            lines.clear();
        }
        file.seek(SeekFrom::Start(self.position))?;
        let count = file.take(super::blocks::BUFFER as u64).read_to_end(lines)?;
        self.position += count as u64;
        Ok(())
    }

    /// Whether another file has this name now, or none and the old one is read to its end.
    fn is_replaced(&self) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        match fs::metadata(&self.path) {
            Ok(named) => Ok(!is_same(&named, &file.metadata()?)),
            // Whoever renamed it may go on writing to it until there is a new one.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    a.created().ok() == b.created().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    struct Log(PathBuf);

    impl Log {
        fn append(&self, text: &str) {
            let mut file = OpenOptions::new().create(true).append(true).open(&self.0).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
    }

    /// Everything that there is now, as text, and the number of its first line.
    fn poll(follow: &mut Follow) -> (Option<u64>, String) {
        let (mut first, mut all) = (None, String::new());
        loop {
            let (number, lines) = follow.poll().unwrap();
            if lines.is_empty() {
                return (first, all);
            }
            first = if all.is_empty() { number } else { first };
            all += &String::from_utf8(lines).unwrap();
        }
    }

    #[test]
    fn nothing_is_lost_or_repeated_when_a_file_appears_is_renamed_truncated_and_goes_on() {
        let directory = std::env::temp_dir().join(format!("operator-follow-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let log = Log(directory.join("tikv.log"));
        let mut follow = Follow::new(&log.0, true);
        assert_eq!(poll(&mut follow).1, "");

        log.append("1\n2\nhal");
        assert_eq!(poll(&mut follow), (Some(1), "1\n2\n".to_owned()));
        log.append("f\n");
        assert_eq!(poll(&mut follow), (Some(3), "half\n".to_owned()));

        // Renamed; the writer goes on in the old file for a while, and does not end its last line.
        let old = Log(directory.join("tikv-2026-11-22T02-43-46.081.log"));
        old.append("");
        fs::rename(&log.0, &old.0).unwrap();
        old.append("4\n");
        assert_eq!(poll(&mut follow), (Some(4), "4\n".to_owned()));
        old.append("5\ntorn");
        log.append("a\n");
        assert_eq!(poll(&mut follow), (Some(5), "5\ntorn\na\n".to_owned()));
        log.append("b\n");
        assert_eq!(poll(&mut follow), (Some(2), "b\n".to_owned()));

        // Renamed at the end of a line: the next file counts anew.
        let third = Log(directory.join("tikv-2026-11-22T02-43-47.081.log"));
        fs::rename(&log.0, &third.0).unwrap();
        log.append("c\n");
        assert_eq!(poll(&mut follow), (Some(1), "c\n".to_owned()));

        // Truncated, with a line that was half-written.
        log.append("half of");
        assert_eq!(poll(&mut follow).1, "");
        OpenOptions::new().write(true).open(&log.0).unwrap().set_len(0).unwrap();
        log.append("x\n");
        assert_eq!(poll(&mut follow), (Some(1), "x\n".to_owned()));

        // A lot at once.
        let many: String = (0..200_000).map(|number| format!("{number}\n")).collect();
        log.append(&many);
        assert!(poll(&mut follow) == (Some(2), many), "all of it once");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn what_is_there_is_read_or_skipped() {
        let path = std::env::temp_dir().join(format!("operator-follow-present-{}", std::process::id()));
        let log = Log(path.clone());
        log.append("1\n");
        let (mut all, mut new) = (Follow::new(&path, false), Follow::new(&path, true));
        assert_eq!(poll(&mut all), (Some(1), "1\n".to_owned()));
        assert_eq!(poll(&mut new).1, "");
        log.append("2\n");
        assert_eq!(poll(&mut all), (Some(2), "2\n".to_owned()));
        assert_eq!(poll(&mut new), (None, "2\n".to_owned()));
        fs::remove_file(&path).unwrap();
    }
}
