//! `operator logs`: what is in TiKV's and PD's logs.

mod args;
mod told;
pub(super) mod report;

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use operator_tikv::log::{
    Entries, Follow, Group, Merge, Scan, Stats, Summary, leadership_of, log_files, timeline,
};

pub(crate) use self::args::LogsArgs;
pub(super) use self::args::moment;
use self::told::Told;
use crate::error::Failure;
use crate::output::text::{self, escaped};
use crate::output::{Format, Output};
use crate::progress;

/// How often a log that is followed is looked at.
const POLL: Duration = Duration::from_millis(250);

impl LogsArgs {
    /// Returns once everything is read, or nobody reads on; with `--follow` never by itself.
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        let scan = Arc::new(self.scan()?);
        let files = log_files(&self.files);
        let size = size(&files);
        let reading = Reading { args: self, scan: Arc::clone(&scan), output, unread: false };
        let work = tokio::task::spawn_blocking(move || reading.run(&files));
        let told = |_| match (scan.done.load(Ordering::Relaxed), size) {
            (done, Some(size)) => format!(
                "{} of {} read ({})",
                text::bytes(done.min(size)),
                text::bytes(size),
                text::percent(done.min(size), size).unwrap_or_default()
            ),
            (done, None) => format!("{} read", text::bytes(done)),
        };
        // Lines that appear on the terminal tell that it goes on.
        let work = if io::stdout().is_terminal() { work.await } else { progress::showing(told, work).await };
        work.map_err(|panic| Failure::other("the program has a bug and stopped", panic))?
    }
}

/// How many bytes there are to read; unknown if any of it is compressed or a pipe.
fn size(files: &[PathBuf]) -> Option<u64> {
    let is_plain = |path: &Path| !matches!(path.extension().and_then(|end| end.to_str()), Some("gz" | "zst"));
    let size = |path: &PathBuf| {
        path.metadata().ok().filter(|data| data.is_file() && is_plain(path)).map(|data| data.len())
    };
    files.iter().map(size).sum()
}

struct Reading {
    args: LogsArgs,
    scan: Arc<Scan>,
    output: Output,
    /// Whether something could not be read.
    unread: bool,
}

impl Reading {
    fn run(mut self, files: &[PathBuf]) -> Result<ExitCode, Failure> {
        if self.args.stats {
            self.stats(files)?;
        } else if self.args.summary {
            self.summary(files)?;
        } else if self.args.follow {
            self.follow(files)?;
        } else if self.args.merge {
            self.merge(files)?;
        } else {
            for file in files {
                if self.args.leadership() { self.leadership(file)? } else { self.entries(file)? }
            }
        }
        self.output.flush()?;
        Ok(if self.unread { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Says what could not be read.
    fn missed(&mut self, file: &Path, why: &str) {
        self.unread = true;
        let _ = self.output.flush();
        self.output.note(&format!("{}: {}", escaped(&file.to_string_lossy()), escaped(why)));
    }

    fn missed_lines(&mut self, file: &Path, cut: u64) {
        if cut > 0 {
            self.missed(file, &format!("{cut} lines are longer than 1 MiB, of which the rest was skipped"));
        }
    }

    fn left_out(&mut self, file: &Path, lines: u64) {
        if lines > 0 {
            self.missed(
                file,
                &format!("{lines} lines were left out, because of what belongs to one entry 1 MiB is shown"),
            );
        }
    }

    fn scanned(&mut self, file: &Path, scanned: io::Result<operator_tikv::log::Scanned>) {
        match scanned {
            Ok(scanned) => {
                self.missed_lines(file, scanned.cut);
                if scanned.foreign {
                    self.missed(file, "it has no line of a TiKV or PD log");
                }
            }
            Err(error) => self.missed(file, &error.to_string()),
        }
    }

    fn leadership(&mut self, file: &Path) -> Result<(), Failure> {
        let told = Told::new(&self.output, self.args.files.len() > 1);
        let mut written = Ok(());
        let take = writing(&mut self.output, file, &mut written);
        let scanned = self.scan.leadership(file, |change, out| told.change(change, out), take);
        written?;
        self.scanned(file, scanned);
        Ok(())
    }

    fn entries(&mut self, file: &Path) -> Result<(), Failure> {
        let told = Told::new(&self.output, self.args.files.len() > 1);
        let (name, filter, wants_all) = (file.to_string_lossy(), &self.scan.filter, self.args.wants_all());
        let left_out = AtomicU64::new(0);
        let render = |group: &Group<'_>, out: &mut Vec<u8>| {
            match group.entry() {
                Ok(entry) if filter.takes(&entry) => told.entry(&entry, group, &name, out),
                Err(_) if wants_all => told.unparsed(group, &name, out),
                _ => return,
            }
            left_out.fetch_add(group.left_out, Ordering::Relaxed);
        };
        let mut written = Ok(());
        let scanned = self.scan.entries(file, render, writing(&mut self.output, file, &mut written));
        written?;
        self.left_out(file, left_out.into_inner());
        self.scanned(file, scanned);
        Ok(())
    }

    fn merge(&mut self, files: &[PathBuf]) -> Result<(), Failure> {
        let Scan { filter, kinds, votes, .. } = &*self.scan;
        let mut merge = if self.args.leadership() {
            Merge::leadership(files, filter, kinds, *votes)
        } else {
            Merge::open(files, filter)
        };
        let mut wanted = false;
        while merge.advance() {
            if let Some((file, group)) = merge.group() {
                self.tell(file, &group, &mut wanted)?;
            }
            self.scan.done.store(merge.read(), Ordering::Relaxed);
        }
        self.merged(&merge);
        Ok(())
    }

    fn merged(&mut self, merge: &Merge) {
        for (file, error) in merge.failed() {
            self.missed(file, &error.to_string());
        }
        for (file, cut) in merge.cut() {
            self.missed_lines(file, cut);
        }
    }

    fn summary(&mut self, files: &[PathBuf]) -> Result<(), Failure> {
        let mut merge = Merge::leadership(files, &self.scan.filter, &[], false);
        let mut summary = Summary::default();
        while merge.advance() {
            if let Some((file, group)) = merge.group()
                && let Ok(entry) = group.entry()
                && let Some(change) = leadership_of(&entry, &file.to_string_lossy(), group.line)
                && self.scan.filter.takes(&entry)
            {
                summary.add(&change.to_owned());
            }
            self.scan.done.store(merge.read(), Ordering::Relaxed);
        }
        self.merged(&merge);
        if let Some(path) = &self.args.svg {
            std::fs::write(path, timeline(&summary))
                .map_err(|error| Failure::other(format!("{} could not be written", path.display()), error))?;
        }
        let regions = summary.regions();
        match self.output.format {
            Format::Json => regions.iter().try_for_each(|region| self.output.json_line(region)),
            Format::Table => {
                let text = report::summary(&summary, self.output.style);
                self.output.text(&text)
            }
        }
    }

    fn follow(&mut self, files: &[PathBuf]) -> Result<(), Failure> {
        let mut followed: Vec<_> =
            files.iter().map(|file| (Follow::new(file, false), false, String::new())).collect();
        loop {
            let mut idle = true;
            for (follow, wanted, failed) in &mut followed {
                let path = follow.path().to_owned();
                match follow.poll() {
                    Ok((_, lines)) if lines.is_empty() => {}
                    Ok((number, lines)) => {
                        idle = false;
                        failed.clear();
                        let mut entries = Entries::of(io::Cursor::new(lines), number);
                        while entries.advance()? {
                            self.tell(&path, &entries.group(), wanted)?;
                        }
                    }
                    // Told once, until it can be read again.
                    Err(error) if *failed == error.to_string() => {}
                    Err(error) => {
                        *failed = error.to_string();
                        self.missed(&path, failed);
                    }
                }
            }
            if idle {
                self.output.flush()?;
                // May return early, then it is looked at early.
                std::thread::park_timeout(POLL);
            }
        }
    }

    /// Writes an entry with what belongs to it, if it is wanted; `wanted`: whether the last one was.
    fn tell(&mut self, file: &Path, group: &Group<'_>, wanted: &mut bool) -> Result<(), Failure> {
        let told = Told::new(&self.output, self.args.files.len() > 1);
        let name = file.to_string_lossy();
        let mut out = Vec::new();
        match group.entry() {
            Ok(entry) if self.args.leadership() => {
                if let Some(change) = leadership_of(&entry, &name, group.line)
                    && self.scan.takes(change.kind)
                    && self.scan.filter.takes(&entry)
                {
                    told.change(&change, &mut out);
                }
            }
            Ok(entry) => {
                *wanted = self.scan.filter.takes(&entry);
                if *wanted {
                    told.entry(&entry, group, &name, &mut out);
                }
            }
            Err(error) => {
                // What follows an entry in the next lines of a log that is followed belongs to it.
                let belongs = self.args.follow && *wanted && !error.has_time;
                if !self.args.leadership() && (belongs || self.args.wants_all()) {
                    told.unparsed(group, &name, &mut out);
                }
            }
        }
        if out.is_empty() {
            return Ok(());
        }
        self.output.lines(&out)?;
        self.left_out(file, group.left_out);
        Ok(())
    }

    fn stats(&mut self, files: &[PathBuf]) -> Result<(), Failure> {
        let mut stats = Stats::default();
        for file in files {
            let scanned = self.scan.stats(file, &mut stats);
            self.scanned(file, scanned);
        }
        match self.output.format {
            Format::Json => self.output.json_line(&stats),
            Format::Table => {
                let text = report::stats(&stats, self.output.style);
                self.output.text(&text)
            }
        }
    }
}

/// Writes until it fails, and then says why.
fn writing(
    output: &mut Output,
    file: &Path,
    written: &mut Result<(), Failure>,
) -> impl FnMut(&[u8]) -> ControlFlow<()> {
    // Who writes to the standard input may do so for hours.
    let is_live = file == Path::new("-");
    move |lines| match output.lines(lines).and_then(|()| if is_live { output.flush() } else { Ok(()) }) {
        Ok(()) => ControlFlow::Continue(()),
        Err(failure) => {
            *written = Err(failure);
            ControlFlow::Break(())
        }
    }
}
