//! Logs that are followed beside the cluster: who leads whom is told among the events, and how often that changes is
//! judged.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use operator_core::{
    Event, EventKind, LeadershipChangeKind as Kind, Regarding, RegionId, Reporter, Severity,
};
use operator_tikv::log::{Churn, Follow, Leadership, current_logs, leadership_of_line, may_tell};
use tokio_util::sync::CancellationToken;

use crate::error::Failure;

/// How often logs are looked at.
const POLL: Duration = Duration::from_millis(250);
/// How often directories are looked at for new ones.
const LIST: Duration = Duration::from_secs(5);
/// Each may hold a line of 1 MiB.
const MOST_LOGS: usize = 256;
/// So many changes are told between two looks at the cluster; of the rest how many there are.
const MOST_TOLD: usize = 20;
/// Of more regions than this it is not counted how many there are.
const MOST_REGIONS: usize = 100_000;

/// What was read and not yet told.
#[derive(Debug, Default)]
struct Waiting {
    events: Vec<Event>,
    more: u64,
    regions: BTreeSet<RegionId>,
    last: Option<DateTime<Utc>>,
}

/// Tells the monitor what the logs say.
pub(super) struct Logs(Arc<Mutex<Waiting>>);

impl Logs {
    /// Follows files, and what is written now in directories, until `stop` is cancelled; counts elections in `churn`.
    ///
    /// # Errors
    /// If the system gives no thread for that.
    pub(super) fn follow(
        paths: Vec<PathBuf>,
        churn: Arc<Churn>,
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let waiting = Arc::default();
        let mut reader =
            Reader { paths, churn, waiting: Arc::clone(&waiting), followed: Vec::new(), listed: None };
        // What is there already has happened before anybody watched.
        reader.list(true);
        reader.poll();
        thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || {
                while !stop.is_cancelled() {
                    reader.list(false);
                    if !reader.poll() {
                        // May return early, then it is looked at early.
                        thread::park_timeout(POLL);
                    }
                }
            })
            .map_err(|error| Failure::other("no thread for --logs", error))?;
        Ok(Self(waiting))
    }
}

impl Reporter for Logs {
    fn report(&mut self) -> Vec<Event> {
        let Waiting { mut events, more, regions, last } = std::mem::take(&mut *lock(&self.0));
        if let Some(at) = last.filter(|_| more > 0) {
            let message = format!("{more} more changes of leadership, in {} regions", regions.len());
            events.push(told(at, Regarding::Cluster, message));
        }
        events
    }
}

struct Reader {
    paths: Vec<PathBuf>,
    churn: Arc<Churn>,
    waiting: Arc<Mutex<Waiting>>,
    followed: Vec<(Follow, Option<String>)>,
    listed: Option<Instant>,
}

impl Reader {
    /// Looks for logs that are not followed yet.
    fn list(&mut self, skip_present: bool) {
        if self.listed.is_some_and(|listed| listed.elapsed() < LIST) {
            return;
        }
        self.listed = Some(Instant::now());
        for path in current_logs(&self.paths) {
            let is_new = self.followed.iter().all(|(follow, _)| follow.path() != path);
            if is_new && self.followed.len() < MOST_LOGS {
                self.followed.push((Follow::new(path, skip_present), None));
            }
        }
    }

    /// Reads what is new; whether there was anything.
    fn poll(&mut self) -> bool {
        let mut any = false;
        for (follow, failed) in &mut self.followed {
            let name = follow.path().to_string_lossy().into_owned();
            let outcome = follow.poll();
            if let Ok((number, lines)) = &outcome {
                any |= !lines.is_empty();
                read(lines, *number, &name, &self.churn, &self.waiting);
            }
            // Told once, until it can be read again.
            let error = outcome.err().map(|error| error.to_string());
            if error != *failed {
                let message = match &error {
                    Some(error) => format!("{name} cannot be read: {error}"),
                    None => format!("{name} can be read again"),
                };
                let mut event = told(Utc::now(), Regarding::Cluster, message);
                event.severity = error.as_ref().map(|_| Severity::Warning);
                keep(&mut lock(&self.waiting), event, None);
                *failed = error;
            }
        }
        let readable = self.followed.iter().filter(|(follow, failed)| follow.is_open() && failed.is_none());
        self.churn.followed(self.followed.len(), readable.count());
        any
    }
}

fn read(lines: &[u8], number: Option<u64>, name: &str, churn: &Churn, waiting: &Mutex<Waiting>) {
    // Held for all of them: what was written together is told together.
    let mut waiting = lock(waiting);
    for (line, count) in lines.split(|byte| *byte == b'\n').zip(0_u64..) {
        if !may_tell(line, false) {
            continue;
        }
        let number = number.map(|number| number + count);
        let Some(change) = leadership_of_line(line, name, number) else { continue };
        if let (Kind::BecameLeader, Some(region)) = (change.kind, change.region_id) {
            churn.elected(region);
        }
        if let Some(message) = message(&change) {
            let at = change.at.utc();
            let regarding = match (&change.member, change.region_id) {
                (Some(member), _) => format!("member/{member}").parse().unwrap_or(Regarding::Cluster),
                (None, Some(region)) => region.into(),
                (None, None) => Regarding::Cluster,
            };
            keep(&mut waiting, told(at, regarding, message), change.region_id);
        }
    }
}

/// What a change means for whoever watches: who leads, and who does no more. How an election went is left to
/// `operator logs`.
fn message(change: &Leadership<'_>) -> Option<String> {
    let peer = change.peer_id.map_or("a peer".to_owned(), |peer| format!("peer {peer}"));
    let term = change.term.map(|term| format!(" at term {term}")).unwrap_or_default();
    let what = match change.kind {
        Kind::BecameLeader => format!("{peer} became leader{term}"),
        Kind::BecameFollower if change.from_role.is_some_and(|role| role.is("Leader")) => {
            format!("{peer} leads no more{term}")
        }
        Kind::QuorumLost => format!("{peer} leads no more: too few of the others answer"),
        Kind::LeaderMissing => format!("{peer} has had no leader for too long"),
        Kind::PdLeaderElected => "it leads PD".to_owned(),
        Kind::PdLeaderResigned => "it leads PD no more".to_owned(),
        _ => return None,
    };
    let file = Path::new(change.file).file_name().map_or(change.file.into(), |name| name.to_string_lossy());
    let line = change.line.map(|line| format!(":{line}")).unwrap_or_default();
    Some(format!("{what} ({file}{line})"))
}

fn told(at: DateTime<Utc>, regarding: Regarding, message: String) -> Event {
    let mut event = Event::new(0, at, EventKind::Log, "", message);
    event.regarding = Some(regarding);
    event
}

fn keep(waiting: &mut Waiting, event: Event, region: Option<RegionId>) {
    if waiting.events.len() < MOST_TOLD {
        return waiting.events.push(event);
    }
    waiting.more += 1;
    waiting.last = Some(event.at);
    if let Some(region) = region.filter(|_| waiting.regions.len() < MOST_REGIONS) {
        waiting.regions.insert(region);
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether what `--logs` names can ever be read: a name that ends nowhere is more likely a slip than a log to come.
pub(super) fn check(paths: &[PathBuf]) -> Result<(), Failure> {
    for path in paths {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
            let error =
                io::Error::new(io::ErrorKind::NotFound, format!("{} is no directory", parent.display()));
            return Err(Failure::Usage(format!("--logs {}: {error}", path.display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, rest: &str) -> String {
        format!("[2026/11/22 02:44:22.765 +00:00] [INFO] [raft.rs:1271] [\"{kind}\"] {rest}\n")
    }

    #[test]
    fn who_leads_is_told_and_what_is_too_much_is_summed_up() {
        let (churn, waiting) = (Churn::default(), Arc::<Mutex<Waiting>>::default());
        let mut text =
            line("became follower at term 7", "[from_role=Leader] [term=7] [raft_id=9] [region_id=6]");
        text +=
            &line("became follower at term 7", "[from_role=Candidate] [term=7] [raft_id=9] [region_id=6]");
        text += "  continued [raft.rs:1271] [\"became leader at term 7\"] [region_id=6]\n";
        for region in 1..=50 {
            let ids = format!("[term=7] [raft_id=23] [region_id={region}]");
            text += &line("became leader at term 7", &ids);
        }
        read(text.as_bytes(), Some(1), "/logs/tikv0.log", &churn, &waiting);
        let mut logs = Logs(waiting);
        let events = logs.report();
        assert_eq!(events.len(), MOST_TOLD + 1);
        let told = |event: &Event| format!("{} {}", event.regarding.as_ref().unwrap(), event.message);
        assert_eq!(told(&events[0]), "region/6 peer 9 leads no more at term 7 (tikv0.log:1)");
        assert_eq!(told(&events[1]), "region/1 peer 23 became leader at term 7 (tikv0.log:4)");
        assert_eq!(told(&events[20]), "cluster 31 more changes of leadership, in 31 regions");
        assert_eq!((churn.last_minute().elections, churn.last_minute().regions), (50, 50));
        assert!(logs.report().is_empty(), "nothing is told twice");
    }
}
