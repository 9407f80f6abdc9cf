//! Which files there are, in which order, and what is in them.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// Where lines come from.
pub(super) enum Input {
    /// A plain file, in which one can jump.
    File(File),
    /// Anything else, which is read from its beginning: compressed, a pipe.
    Stream(Box<dyn Read + Send>),
}

impl Input {
    /// Opens a file; `-` is the standard input. What is compressed is known by its first bytes.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return decoded(io::stdin()).map(Self::Stream);
        }
        let mut file = File::open(path)?;
        let kind = file.metadata()?.file_type();
        if kind.is_dir() {
            // It stays in the list also if not all of it could be listed.
            fs::read_dir(path)?.try_for_each(|entry| entry.map(drop))?;
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "there is no log in this directory (*.log, *.log.1)",
            ));
        }
        if kind.is_file() {
            let encoding = Encoding::of(&magic(&mut file)?);
            file.rewind()?;
            if encoding == Encoding::Plain {
                return Ok(Self::File(file));
            }
        }
        decoded(file).map(Self::Stream)
    }
}

#[derive(PartialEq)]
enum Encoding {
    Plain,
    Gzip,
    Zstd,
    Utf16,
}

impl Encoding {
    fn of(magic: &[u8]) -> Self {
        match magic {
            [0x1F, 0x8B, ..] => Self::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD] => Self::Zstd,
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Self::Utf16,
            _ => Self::Plain,
        }
    }
}

/// The first four bytes, if there are so many.
fn magic(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut magic = Vec::with_capacity(4);
    input.take(4).read_to_end(&mut magic)?;
    Ok(magic)
}

/// The text of what is read from its beginning.
fn decoded(mut input: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let magic = magic(&mut input)?;
    let encoding = Encoding::of(&magic);
    let input = Cursor::new(magic).chain(input);
    Ok(match encoding {
        Encoding::Plain => Box::new(input),
        Encoding::Gzip => Box::new(MultiGzDecoder::new(input)),
        Encoding::Zstd => Box::new(Zstd::Between(BufReader::new(input))),
        Encoding::Utf16 => {
            let why = "it is UTF-16: convert it with `iconv -f UTF-16`";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
    })
}

/// Frames of zstd, one after the other.
enum Zstd<R: Read> {
    Within(Box<ruzstd::decoding::StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
    Between(R),
    Ended,
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            *self = match std::mem::replace(self, Self::Ended) {
                Self::Within(mut frame) => {
                    let count = frame.read(buffer)?;
                    if count > 0 || buffer.is_empty() {
                        *self = Self::Within(frame);
                        return Ok(count);
                    }
                    Self::Between(frame.into_inner())
                }
                Self::Between(mut input) => match input.fill_buf().map(<[u8]>::is_empty) {
                    Ok(true) => return Ok(0),
                    Ok(false) => {
                        let frame =
                            ruzstd::decoding::StreamingDecoder::new(input).map_err(io::Error::other)?;
                        Self::Within(Box::new(frame))
                    }
                    // It may only have been interrupted.
                    Err(error) => {
                        *self = Self::Between(input);
                        return Err(error);
                    }
                },
                Self::Ended => return Ok(0),
            };
        }
    }
}

/// The files that `paths` stand for: of a directory those whose name says that they are logs, rotated ones before those
/// that replaced them. What does not exist, or is a directory that has none or cannot be listed to its end, stays in the
/// list, and is missed when it is opened.
pub fn log_files(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for path in paths {
        let mut listed = Vec::new();
        let whole = fs::read_dir(path).and_then(|mut entries| {
            entries.try_for_each(|entry| {
                listed.push(entry?.path());
                Ok(())
            })
        });
        listed.retain(|path| path.is_file() && Rotated::of(path).is_some());
        if listed.is_empty() || whole.is_err() {
            listed.push(path.clone());
        }
        listed.sort();
        files.extend(listed);
    }
    // Sets in the order in which they were named, each from its oldest file to its newest.
    let mut sets: Vec<(PathBuf, Vec<(Rotated, PathBuf)>)> = Vec::new();
    for file in files {
        let rotated = Rotated::of(&file).unwrap_or_else(|| Rotated { set: file.clone(), age: Age::Current });
        match sets.iter_mut().find(|(set, _)| *set == rotated.set) {
            Some((_, members)) => members.push((rotated, file)),
            None => sets.push((rotated.set.clone(), vec![(rotated, file)])),
        }
    }
    for (_, members) in &mut sets {
        members.sort_by(|(a, _), (b, _)| a.age.cmp(&b.age));
    }
    sets.into_iter().flat_map(|(_, members)| members).map(|(_, file)| file).collect()
}

/// The files that `paths` stand for while they are written: of a directory only those that no other has replaced. What
/// is named and does not exist, or cannot be listed, stays in the list: it may appear.
pub fn current_logs(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut current = Vec::new();
    for path in paths {
        let Ok(listed) = fs::read_dir(path) else {
            current.push(path.clone());
            continue;
        };
        let listed = listed.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let is_current = |path: &PathBuf| {
            let plain = path.extension().is_some_and(|end| end == "log");
            plain && path.is_file() && Rotated::of(path).is_some_and(|rotated| rotated.age == Age::Current)
        };
        let mut listed: Vec<_> = listed.filter(is_current).collect();
        listed.sort();
        current.extend(listed);
    }
    current
}

/// Which set of files a log belongs to, and how old it is in there.
#[derive(Debug, PartialEq, Eq)]
struct Rotated {
    set: PathBuf,
    age: Age,
}

/// In the order of time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    /// `tikv.log.2`: the greater, the older.
    Numbered(std::cmp::Reverse<u64>),
    /// `tikv-2026-11-22T02-43-46.081.log`
    Dated(String),
    Current,
}

impl Rotated {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
        let (stem, age) = match plain.strip_suffix(".log") {
            Some(stem) => match dated_at(stem) {
                Some(at) => (stem.get(..at)?, Age::Dated(stem.get(at + 1..)?.to_owned())),
                None => (stem, Age::Current),
            },
            None => {
                let (stem, number) = plain.rsplit_once(".log.")?;
                (stem, Age::Numbered(std::cmp::Reverse(number.parse().ok()?)))
            }
        };
        Some(Self { set: path.with_file_name(format!("{stem}.log")), age })
    }
}

/// Where a hyphen stands before something like a date.
fn dated_at(stem: &str) -> Option<usize> {
    stem.match_indices('-').map(|(at, _)| at).find(|at| stem.get(at + 1..).is_some_and(is_date))
}

/// `2026-11-22T02-43-46.081`, or with other separators.
fn is_date(text: &str) -> bool {
    let shape = "dddd-dd-dd";
    text.len() >= shape.len()
        && text.chars().zip(shape.chars()).all(|(char, shape)| match shape {
            'd' => char.is_ascii_digit(),
            _ => char == shape,
        })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn rotated_files_come_from_the_oldest_to_the_newest() {
        let names = [
            "pd.log",
            "tikv.log",
            "tikv-2026-11-22T02-43-46.081.log",
            "my-tikv.log",
            "tikv-2026-11-21T23-00-00.000.log.gz",
            "tikv.log.1",
            "tikv.log.10.zst",
            "my-tikv-2026-11-21T23-00-00.000.log",
        ];
        let files = log_files(&names.map(PathBuf::from));
        let expected = [
            "pd.log",
            "tikv.log.10.zst",
            "tikv.log.1",
            "tikv-2026-11-21T23-00-00.000.log.gz",
            "tikv-2026-11-22T02-43-46.081.log",
            "tikv.log",
            "my-tikv-2026-11-21T23-00-00.000.log",
            "my-tikv.log",
        ];
        assert_eq!(files, expected.map(PathBuf::from));
    }

    #[test]
    fn a_directory_without_a_log_is_missed_and_the_others_are_read() {
        let directory = std::env::temp_dir().join(format!("operator-no-logs-{}", std::process::id()));
        let [empty, full] = ["empty", "full"].map(|name| directory.join(name));
        fs::create_dir_all(&empty).unwrap();
        fs::create_dir_all(&full).unwrap();
        fs::write(empty.join("x.txt"), "").unwrap();
        fs::write(full.join("tikv.log"), "").unwrap();
        let files = log_files(&[empty.clone(), full.clone()]);
        assert_eq!(files, [empty.clone(), full.join("tikv.log")]);
        let why = Input::open(&empty).err().map(|error| error.to_string());
        assert!(why.is_some_and(|why| why.contains("no log in this directory")));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn only_what_is_still_written_is_followed() {
        let directory = std::env::temp_dir().join(format!("operator-current-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        for name in
            ["tikv.log", "tikv-2026-11-22T02-43-46.081.log", "tikv.log.1", "old.log.gz", "x.txt", "pd.log"]
        {
            fs::write(directory.join(name), "").unwrap();
        }
        let missing = directory.join("tikv-2026-11-21T23-00-00.000.log");
        let expected = [directory.join("pd.log"), directory.join("tikv.log"), missing.clone()];
        assert_eq!(current_logs(&[directory.clone(), missing]), expected);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn compressed_files_are_known_by_their_bytes_and_may_have_several_parts() {
        let path = std::env::temp_dir().join(format!("operator-files-{}", std::process::id()));
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let text = match Input::open(&path) {
                Ok(Input::File(file)) => io::read_to_string(file),
                Ok(Input::Stream(stream)) => io::read_to_string(stream),
                Err(error) => Err(error),
            };
            // A pipe gives the same.
            let piped = decoded(Cursor::new(bytes.to_vec())).and_then(io::read_to_string);
            assert_eq!(text.as_ref().ok(), piped.as_ref().ok());
            text
        };
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"one\n").unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(read(&[gzip.clone(), gzip.clone()].concat()).unwrap(), "one\none\n");
        assert!(read(&gzip[..gzip.len() - 4]).is_err());
        let zstd =
            ruzstd::encoding::compress_to_vec(&b"two\n"[..], ruzstd::encoding::CompressionLevel::Fastest);
        assert_eq!(read(&[zstd.clone(), zstd.clone()].concat()).unwrap(), "two\ntwo\n");
        assert!(read(&zstd[..zstd.len() - 2]).is_err());
        assert_eq!(read(b"three\n").unwrap(), "three\n");
        assert_eq!(read(b"").unwrap(), "");
        assert!(read(b"\xFF\xFEx\0").unwrap_err().to_string().contains("UTF-16"));
        fs::remove_file(&path).unwrap();
    }
}
