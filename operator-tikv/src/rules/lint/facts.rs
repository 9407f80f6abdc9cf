//! What a Prometheus has, each thing asked for once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use operator_core::ErrorKind;
use tokio::sync::OnceCell;

use super::LintConfig;
use crate::Error;
use crate::prometheus::{Answer, Client, Labels, Matcher, QueryResult, Selector, TimeRange};

/// Names or values, or why they are not known.
pub(super) type Told = Result<Arc<BTreeSet<String>>, String>;

/// What has been told of names and values, or is being asked; by selector, and by label if it is values.
type Asked = Mutex<HashMap<(String, Option<String>), Arc<OnceCell<Told>>>>;

/// How often a job is scraped is taken from so long.
const RECENT: Duration = Duration::from_secs(600);
/// Of so many jobs.
const MAX_JOBS: usize = 200;
/// How far back Prometheus watched is looked up at so many moments.
const MOMENTS: u32 = 300;

/// What is scraped under one name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Job {
    /// How long ago the first of its targets was up; zero if none was.
    pub(super) watched: Duration,
    /// From one scrape to the next, if there were two.
    pub(super) interval: Option<Duration>,
}

/// What a Prometheus has.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    prometheus: &'a Client,
    config: LintConfig,
    from: DateTime<Utc>,
    /// Of every metric, or why they are not known.
    pub(super) metrics: Told,
    pub(super) jobs: BTreeMap<String, Job>,
    /// What metrics say that they are: `counter`, `gauge`, `histogram`, ….
    kinds: BTreeMap<String, String>,
    asked: Asked,
    requests: AtomicUsize,
    /// Why it does not answer any more.
    gone: Mutex<Option<Error>>,
}

impl<'a> Facts<'a> {
    /// Asks what every rule needs: the metrics, the jobs, and the kinds of metrics if they can be told.
    pub(super) async fn ask(prometheus: &'a Client, config: LintConfig) -> Result<Self, Error> {
        let since = TimeDelta::from_std(config.since).ok();
        let from =
            since.and_then(|since| config.at.checked_sub_signed(since)).unwrap_or(DateTime::UNIX_EPOCH);
        let whole = |answer: Answer<Vec<String>>| {
            partial(&answer).map(|()| Arc::new(answer.data.into_iter().collect()))
        };
        let metrics = whole(prometheus.names_between(Some("__name__"), None, from, config.at).await?);
        let jobs = jobs(prometheus, from, config).await?;
        // Not every server has these, and those that were imported have none.
        let kinds = prometheus.metadata(None, 100_000).await.map(|answer| answer.data).unwrap_or_default();
        let kinds = kinds.into_iter().filter_map(|(name, said)| {
            let mut kinds = said.into_iter().map(|said| said.kind);
            let first = kinds.next()?;
            kinds.all(|kind| kind == first).then_some((name, first))
        });
        Ok(Self {
            prometheus,
            config,
            from,
            metrics,
            jobs,
            kinds: kinds.collect(),
            asked: Mutex::default(),
            requests: AtomicUsize::new(5),
            gone: Mutex::default(),
        })
    }

    /// How many questions were asked.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// # Errors
    /// Why Prometheus stopped to answer, if it did.
    pub(super) fn answered(self) -> Result<(), Error> {
        match self.gone.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// How long any target has been watched.
    pub(super) fn watched(&self) -> Duration {
        self.jobs.values().map(|job| job.watched).max().unwrap_or_default()
    }

    /// Whether what is missing under these jobs, or under any, may only not have come yet; and how long they are watched.
    pub(super) fn too_young(&self, is_meant: impl Fn(&str) -> bool) -> Option<Duration> {
        let meant = self.jobs.iter().filter(|(name, _)| is_meant(name));
        let watched = meant.map(|(_, job)| job.watched).max();
        // A job that does not exist has nothing that could come.
        let watched = watched.unwrap_or_else(|| self.watched());
        (watched < self.config.young).then_some(watched)
    }

    /// What a metric says that it is.
    pub(super) fn kind(&self, metric: &str) -> Option<&str> {
        self.kinds.get(metric).map(String::as_str)
    }

    /// The names of the labels of the series that match, `__name__` among them; none if no series matches.
    pub(super) async fn labels(&self, selector: &str) -> Told {
        self.told(selector, None).await
    }

    /// The values of a label among the series that match.
    pub(super) async fn values(&self, selector: &str, label: &str) -> Told {
        self.told(selector, Some(label)).await
    }

    async fn told(&self, selector: &str, label: Option<&str>) -> Told {
        let key = (selector.to_owned(), label.map(str::to_owned));
        let cell = Arc::clone(locked(&self.asked).entry(key).or_default());
        cell.get_or_init(|| self.question(selector, label)).await.clone()
    }

    async fn question(&self, selector: &str, label: Option<&str>) -> Told {
        if let Some(error) = &*locked(&self.gone) {
            return Err(error.to_string());
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self.prometheus.names_between(label, Some(selector), self.from, self.config.at).await;
        match answer {
            Ok(answer) => partial(&answer).map(|()| Arc::new(answer.data.into_iter().collect())),
            Err(error) => {
                let why = error.to_string();
                if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Unauthorized) {
                    locked(&self.gone).get_or_insert(error);
                }
                Err(why)
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is missing from an answer that is partial may exist.
fn partial<T>(answer: &Answer<T>) -> Result<(), String> {
    match answer.warnings.first() {
        Some(warning) => Err(format!("Prometheus' answer may be partial: {warning}")),
        None => Ok(()),
    }
}

/// Every job with targets, since when one was up, and how often it is scraped.
async fn jobs(
    prometheus: &Client,
    from: DateTime<Utc>,
    config: LintConfig,
) -> Result<BTreeMap<String, Job>, Error> {
    let step = (config.since / MOMENTS).max(Duration::from_secs(1));
    let up = prometheus.query_range("max by (job) (up)", TimeRange::new(from, config.at, step)).await?;
    let mut jobs = BTreeMap::new();
    for series in &up.data {
        let first = series.samples().find(|sample| sample.value == 1.0).and_then(|sample| sample.at());
        let watched = first.and_then(|first| (config.at - first).to_std().ok()).unwrap_or_default();
        jobs.insert(job_of(&series.labels), Job { watched, interval: None });
    }
    // One target of each job stands for all.
    let examples = prometheus.query_at("topk by (job) (1, up)", config.at).await?;
    let QueryResult::Vector(examples) = examples.data else { return Ok(jobs) };
    let instances = examples.samples.iter().filter_map(|one| one.labels.value("instance")).take(MAX_JOBS);
    let scrapes = Selector::metric("up").with(Matcher::one_of("instance", instances));
    let scrapes = prometheus.query_at(format!("{scrapes}[{}s]", RECENT.as_secs()), config.at).await?;
    let QueryResult::Matrix(scrapes) = scrapes.data else { return Ok(jobs) };
    for series in scrapes {
        let Some(job) = jobs.get_mut(&job_of(&series.labels)) else { continue };
        let mut apart: Vec<_> = series
            .timestamps
            .windows(2)
            .map(|pair| pair.iter().rev().copied().reduce(|later, earlier| later - earlier))
            .collect();
        apart.sort_unstable();
        // The usual one: scrapes may have been missed.
        let usual = apart.get(apart.len() / 2).copied().flatten().and_then(|ms| u64::try_from(ms).ok());
        let usual = usual.map(Duration::from_millis);
        job.interval = job.interval.into_iter().chain(usual).min();
    }
    Ok(jobs)
}

fn job_of(labels: &Labels) -> String {
    labels.value("job").unwrap_or_default().to_owned()
}
