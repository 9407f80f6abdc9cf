//! What `operator logs` takes.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use operator_core::LeadershipChangeKind;
use operator_tikv::log::{Filter, Level, Scan, Time};
use regex::bytes::RegexBuilder;

use crate::error::Failure;

/// More threads than this gain nothing, and each has its own buffer.
const MOST_THREADS: usize = 8;

/// Read logs of TiKV and PD: what happened, and when leadership moved
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator logs --leadership tikv.log                   when leadership moved, and why
  operator logs --leadership --region 204 -o json /var/log/tikv/
  operator logs --merge --level warn --since 15m tikv*.log pd*.log
  operator logs --grep 'slow|busy' --until '2026-11-22 03:00' tikv.log.gz
  operator logs --stats tikv.log                        how much there is of what, and what is no log
  operator logs --summary --svg leadership.svg tikv0.log tikv1.log tikv2.log
  operator logs --follow --leadership /var/log/tikv/tikv.log

Files may be compressed with gzip or zstd; `-` is the standard input; a directory stands for the logs
in it, rotated ones before those that replaced them. With -o json each entry or event is one object a
line. A line without a time belongs to the entry before it.

Exit codes: 0 everything was read, 1 something was not (stderr says what), 64 the command line makes
no sense.")]
pub(crate) struct LogsArgs {
    /// Files, directories, or - for the standard input
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Only what tells of leadership, as events
    #[arg(long)]
    leadership: bool,
    /// Votes, too: why an election went as it did
    #[arg(long)]
    votes: bool,
    /// Only events of this kind, such as became_leader; can be given again
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind(), hide_possible_values = true)]
    kind: Vec<LeadershipChangeKind>,
    /// Only what is this grave or graver: fatal, error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL")]
    level: Option<Level>,
    /// Only from then on: 15m ago, or 2026-11-22T02:43:46Z, or `2026-11-22 02:43` in UTC, or as in the log
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<DateTime<Utc>>,
    /// Only before then, given as --since
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<DateTime<Utc>>,
    /// Only what names this region
    #[arg(long, value_name = "ID")]
    region: Option<u64>,
    /// Only what names this store
    #[arg(long, value_name = "ID")]
    store: Option<u64>,
    /// Only what was logged here: raft.rs, or raft.rs:1271
    #[arg(long, value_name = "FILE")]
    source: Option<String>,
    /// Only if the message matches this regular expression
    #[arg(long, value_name = "PATTERN")]
    grep: Option<String>,
    /// The pattern is no regular expression, but stands in the message as it is
    #[arg(long, short = 'F', requires = "grep")]
    fixed_strings: bool,
    /// Go on as the files are written, also when they are rotated
    #[arg(long, short = 'f', conflicts_with_all = ["merge", "stats"])]
    pub(super) follow: bool,
    /// All files together, in the order of time
    #[arg(long)]
    pub(super) merge: bool,
    /// Count what there is instead: lines, levels, changes of leadership by region and minute
    #[arg(long, conflicts_with_all = ["merge", "leadership"])]
    pub(super) stats: bool,
    /// Add up leadership instead, region by region: how often it moved, between whom, how long nobody led
    #[arg(long, conflicts_with_all = ["follow", "stats"])]
    pub(super) summary: bool,
    /// Draw it, too: who led which region when
    #[arg(long, value_name = "FILE", requires = "summary")]
    pub(super) svg: Option<PathBuf>,
    /// How many threads read one file [default: as many as there are processors, up to 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=64))]
    threads: Option<u64>,
}

impl LogsArgs {
    /// Whether events are asked for, not entries.
    pub(super) fn leadership(&self) -> bool {
        self.leadership || self.votes || !self.kind.is_empty()
    }

    /// Whether no entry is left out.
    pub(super) fn wants_all(&self) -> bool {
        let times = self.since.is_none() && self.until.is_none();
        let ids = self.region.is_none() && self.store.is_none();
        times && ids && self.level.is_none() && self.source.is_none() && self.grep.is_none()
    }

    /// How to read the files.
    pub(super) fn scan(&self) -> Result<Scan, Failure> {
        if self.follow && self.files.iter().any(|file| file.as_os_str() == "-") {
            let why = "--follow is for files: the standard input (-) is told as it comes without it";
            return Err(Failure::Usage(why.to_owned()));
        }
        let mut filter = Filter::default();
        (filter.level, filter.since, filter.until) = (self.level, self.since, self.until);
        (filter.region, filter.store) = (self.region, self.store);
        filter.source.clone_from(&self.source);
        if let Some(pattern) = &self.grep {
            let pattern = if self.fixed_strings { regex::escape(pattern) } else { pattern.clone() };
            let regex = RegexBuilder::new(&pattern).build();
            filter.message = Some(regex.map_err(|error| Failure::Usage(format!("--grep: {error}")))?);
        }
        let mut scan = Scan::default();
        scan.filter = filter;
        scan.votes = self.votes;
        scan.kinds.clone_from(&self.kind);
        let available = || std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        scan.threads =
            self.threads.and_then(|threads| usize::try_from(threads).ok()).unwrap_or_else(available);
        Ok(scan)
    }
}

fn kind() -> impl TypedValueParser<Value = LeadershipChangeKind> {
    let all = LeadershipChangeKind::ALL;
    PossibleValuesParser::new(all.map(LeadershipChangeKind::as_str))
        .try_map(move |name| all.into_iter().find(|kind| kind.as_str() == name).ok_or("no such kind"))
}

/// A moment, or how long ago it was.
pub(in crate::commands) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        let ago = TimeDelta::from_std(ago).map_err(|error| error.to_string())?;
        return Utc::now().checked_sub_signed(ago).ok_or_else(|| "that is too long ago".to_owned());
    }
    let in_utc = || {
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
            .into_iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    };
    let written = || Time::parse(text.as_bytes()).map(Time::utc);
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .ok()
        .or_else(written)
        .or_else(|| in_utc().map(|time| time.and_utc()))
        .ok_or_else(|| "expected 15m, 2026-11-22T02:43:46Z, or '2026-11-22 02:43' in UTC".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_given_in_several_ways() {
        for text in [
            "2026-11-22T02:43:00Z",
            "2026-11-22T10:43:00+08:00",
            "2026-11-22 02:43",
            "2026-11-22 02:43:00",
            "2026-11-22T02:43",
            "2026/11/22 02:43:00.000 +00:00",
        ] {
            assert_eq!(moment(text).unwrap().to_rfc3339(), "2026-11-22T02:43:00+00:00", "{text}");
        }
        let then = moment("15m").unwrap();
        let ago = Utc::now() - then;
        assert!((TimeDelta::minutes(15)..TimeDelta::minutes(16)).contains(&ago));
        assert!(moment("yesterday").is_err() && moment("02:43").is_err());
    }
}
