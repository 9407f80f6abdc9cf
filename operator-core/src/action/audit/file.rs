//! The audit log in a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{AuditLog, AuditRecord, MAX_LINE_BYTES};
use crate::{Error, ErrorKind, Result};

/// An audit log in a file: one JSON object a line, appended in one write and flushed to the disk before an append
/// returns. Several programs may append to one file. If it is moved away or deleted meanwhile, as those who rotate logs do,
/// the next append begins a new one.
///
/// The one place in this crate that touches the machine: what makes acting safe should not be everybody's own.
#[derive(Debug, Clone)]
pub struct FileAuditLog {
    path: PathBuf,
    file: Arc<Mutex<File>>,
}

impl FileAuditLog {
    /// Opens the log at `path` for appending; creates it, readable and writable by its owner only, if it is not there.
    /// Its folder must be there. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`], naming the path, if it cannot be opened, read and appended to.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        match open(&path) {
            Ok(file) => Ok(Self { file: Arc::new(Mutex::new(file)), path }),
            Err(error) => Err(unavailable(&path, "opened", error)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[async_trait]
impl AuditLog for FileAuditLog {
    async fn append(&self, record: &AuditRecord) -> Result<()> {
        let unwritable = |error| unavailable(&self.path, "written", error);
        let mut line = serde_json::to_vec(record).map_err(|error| unwritable(error.into()))?;
        line.push(b'\n');
        if line.len() > MAX_LINE_BYTES {
            let message = format!("a record of {} bytes is too large for the audit log", line.len());
            return Err(Error::new(ErrorKind::TooLarge, "audit", message).at(self.path.display().to_string()));
        }
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        // Not given up when the caller is: what is half written would be worse than what is too much.
        let written = tokio::task::spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if !is_at(&file, &path)? {
                *file = open(&path)?;
            }
            append(&mut file, line)
        });
        written.await.map_err(io::Error::other).and_then(|written| written).map_err(unwritable)
    }
}

fn unavailable(path: &Path, what: &str, error: io::Error) -> Error {
    let message = format!("the audit log {} cannot be {what}: {error}", path.display());
    Error::new(ErrorKind::Unavailable, "audit", message).at(path.display().to_string()).because(error)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.create(true).open(path)?;
    file.sync_all()?;
    // A file that is flushed and not yet in its folder is lost with the machine, too.
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(file)
}

/// Whether what is open is still what the path names: otherwise nobody would ever read what is written.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let named = match path.metadata() {
        Ok(named) => named,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let open = file.metadata()?;
    Ok((open.dev(), open.ino()) == (named.dev(), named.ino()))
}

/// Elsewhere a file that is open stays where it is.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

fn append(file: &mut File, mut line: Vec<u8>) -> io::Result<()> {
    if !ends_a_line(file)? {
        line.insert(0, b'\n');
    }
    file.write_all(&line)?;
    file.sync_data()
}

/// Whether the next line would begin at the beginning of one: not after a crash or a full disk in the midst of the last.
fn ends_a_line(file: &mut File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(length - 1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}
