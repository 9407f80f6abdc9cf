//! Debian's `promtool`, which says what Prometheus takes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// A folder that goes when it is dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("operator-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What `promtool` writes to stdout and to stderr; `None`, and said so, on a machine without it.
pub(crate) fn promtool(args: &[&str]) -> Option<(String, String)> {
    match Command::new("promtool").args(args).output() {
        Ok(output) => {
            let text = |bytes| String::from_utf8(bytes).unwrap();
            Some((text(output.stdout), text(output.stderr)))
        }
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("CI installs promtool, but: {error}")
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "SKIPPED: no `promtool` here: {error}");
            None
        }
    }
}

/// Whether `promtool check rules` accepts each of `files`, by file, and what it says of those that it refuses.
pub(crate) fn check_rules(files: &[String]) -> Option<(BTreeMap<String, bool>, String)> {
    let args: Vec<&str> =
        ["check", "rules", "--lint=none"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let (said, refused) = promtool(&args)?;
    let verdicts = said.split("Checking ").skip(1).map(|part| {
        let (file, verdict) = part.split_once('\n').unwrap();
        (file.to_owned(), verdict.contains("SUCCESS:"))
    });
    let verdicts: BTreeMap<_, _> = verdicts.collect();
    assert_eq!(verdicts.len(), files.len(), "{said}");
    Some((verdicts, refused))
}
