//! `operator metrics`: how the stores fare.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use operator_core::{Store, StoreId, StoreMetrics};
use operator_tikv::metrics::MetricsReading;

use crate::error::Failure;
use crate::output::history::History;
use crate::output::table::{self, Cell, Column};
use crate::output::text::escaped;
use crate::output::{Format, Output, Style, text};
use crate::session::Session;

/// How many looks the trend of a store shows.
const TREND: usize = 16;

/// Show how the stores fare: requests, latency, disk, CPU, memory
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator metrics
  operator metrics --watch --interval 10s
  operator metrics 4 -o json | jq '.[].latency_p99_seconds'
  operator --pd http://pd0:2379 --prometheus http://prometheus:9090 metrics

Without --prometheus, the Prometheus that PD names is asked; without one, and when it does not answer, the stores
themselves, which takes a second for the rates. P99 is the latency within which 99 of 100 requests are answered, CPU is
in cores, AGE is how old the values are. `-` is a value that is not known; it is not a zero.

With --watch it goes on until Ctrl-C and exits with 0: the table is written again and TREND shows the last 16 QPS of
each store, or with -o json there is one array a line.")]
pub(crate) struct MetricsArgs {
    /// Only this store, by its id
    store: Option<StoreId>,
    /// Look again and again
    #[arg(long)]
    pub(crate) watch: bool,
    /// With --watch: how often to look, 1s or longer
    #[arg(long, value_name = "DURATION", default_value = "5s", requires = "watch")]
    interval: humantime::Duration,
}

impl MetricsArgs {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<(), Failure> {
        if self.watch {
            return self.watch(session, output).await;
        }
        let look = look(session, self.store).await?;
        look.notes().iter().for_each(|note| output.note(note));
        let now = session.clock.now();
        output.show(&*look.metrics, |_, style| look.table(None, now, style))
    }

    /// Looks until it is interrupted. What fails at first fails the command, later it may pass.
    async fn watch(self, session: &Session, output: &mut Output) -> Result<(), Failure> {
        if *self.interval < Duration::from_secs(1) {
            return Err(Failure::Usage("--interval must be 1s or longer: rates need that long".to_owned()));
        }
        let mut trends = BTreeMap::<StoreId, History>::new();
        let mut noted = Vec::new();
        let mut first = true;
        loop {
            match look(session, self.store).await {
                Ok(look) => {
                    // Said again only when it is something else.
                    let notes = look.notes();
                    if notes != noted {
                        notes.iter().for_each(|note| output.note(note));
                        noted = notes;
                    }
                    trends.retain(|id, _| look.stores.iter().any(|store| store.id == *id));
                    for store in &look.stores {
                        let qps = look.of(store).and_then(|metrics| metrics.qps);
                        trends.entry(store.id).or_default().push(qps);
                    }
                    match output.format {
                        Format::Json => output.json_line(&look.metrics)?,
                        Format::Table => {
                            let now = session.clock.now();
                            let table = look.table(Some(&trends), now, output.style);
                            output.text(&format!("{}\n{table}\n", text::time(now)))?;
                        }
                    }
                    output.flush()?;
                }
                Err(failure) if first => return Err(failure),
                Err(failure) => {
                    output.note(failure.report().trim_end());
                    trends.values_mut().for_each(|trend| trend.push(None));
                }
            }
            first = false;
            // Between two looks, not from one to the next: rates of stores that are asked need the time.
            tokio::time::sleep(*self.interval).await;
        }
    }
}

/// Looks at all stores, or at one.
pub(super) async fn look(session: &Session, store: Option<StoreId>) -> Result<Look, Failure> {
    let stores = async {
        match store {
            Some(id) => Ok(vec![session.subject.store(id).await?]),
            None => session.subject.stores().await,
        }
    };
    let question = async { futures::future::try_join(stores, measure(session)).await };
    let (stores, (mut metrics, reading)) = session.ask("store_metrics", question).await?;
    metrics.retain(|metrics| stores.iter().any(|store| store.id == metrics.store_id));
    Ok(Look { stores, metrics, reading })
}

/// What the subject tells, and how, if it says that.
async fn measure(
    session: &Session,
) -> operator_core::Result<(Vec<StoreMetrics>, Option<Arc<MetricsReading>>)> {
    match &session.tikv {
        Some(tikv) => tikv.measure().await.map(|reading| (reading.metrics.clone(), Some(reading))),
        None => Ok((session.subject.store_metrics().await?, None)),
    }
}

/// What was seen at once.
pub(super) struct Look {
    stores: Vec<Store>,
    pub(super) metrics: Vec<StoreMetrics>,
    /// How it was measured, if the subject says that.
    pub(super) reading: Option<Arc<MetricsReading>>,
}

impl Look {
    /// What has to be known of the numbers, whichever way they are written.
    pub(super) fn notes(&self) -> Vec<String> {
        let Some(reading) = &self.reading else { return Vec::new() };
        let fallback = reading
            .fallback
            .iter()
            .map(|why| format!("note: told by {} instead of Prometheus: {}", reading.origin, escaped(why)));
        fallback.chain(reading.warnings.iter().map(|why| format!("warning: {}", escaped(why)))).collect()
    }

    fn of(&self, store: &Store) -> Option<&StoreMetrics> {
        self.metrics.iter().find(|metrics| metrics.store_id == store.id)
    }

    /// The table, and who told it.
    pub(super) fn table(
        &self,
        trends: Option<&BTreeMap<StoreId, History>>,
        now: DateTime<Utc>,
        style: Style,
    ) -> String {
        let origin = self.reading.as_ref().map(|reading| format!("\nTold by {}.\n", reading.origin));
        self.rows(trends, now, style) + &origin.unwrap_or_default()
    }

    fn rows(&self, trends: Option<&BTreeMap<StoreId, History>>, now: DateTime<Utc>, style: Style) -> String {
        let columns = [
            Column::Right("ID"),
            Column::Left("ADDRESS"),
            Column::Right("QPS"),
            Column::Right("P99"),
            Column::Right("DISK"),
            Column::Right("CPU"),
            Column::Right("MEMORY"),
            Column::Right("AGE"),
            // Last, where it takes no room if there is none.
            Column::Right(if trends.is_some() { "TREND" } else { "" }),
        ];
        if self.stores.is_empty() {
            return "no stores\n".to_owned();
        }
        let rows = self.stores.iter().map(|store| {
            let known = self.of(store);
            let of = |value: fn(&StoreMetrics) -> Option<String>| text::known(known.and_then(value));
            let trend = trends.and_then(|trends| trends.get(&store.id));
            let trend = trend.map(|trend| trend.bars(TREND, trend.max(TREND)));
            [
                Cell::from(store.id.to_string()),
                Cell::from(&store.address),
                qps(known).into(),
                p99(known).into(),
                of(disk).into(),
                of(|metrics| metrics.cpu_cores.map(text::rate)).into(),
                of(|metrics| metrics.memory_bytes.map(text::bytes)).into(),
                text::known(known.map(|metrics| text::age(metrics.at, now))).into(),
                trend.unwrap_or_default().into(),
            ]
        });
        table::render(columns, rows, style)
    }
}

/// Requests a second.
pub(crate) fn qps(metrics: Option<&StoreMetrics>) -> String {
    text::known(metrics.and_then(|metrics| metrics.qps).map(text::rate))
}

/// The 99th percentile of the latency.
pub(crate) fn p99(metrics: Option<&StoreMetrics>) -> String {
    text::known(metrics.and_then(|metrics| metrics.latency_p99).map(text::latency))
}

/// `used/capacity`, as far as known.
fn disk(metrics: &StoreMetrics) -> Option<String> {
    let (used, capacity) = (metrics.disk_used_bytes, metrics.disk_capacity_bytes);
    let shown = |bytes: Option<u64>| text::known(bytes.map(text::bytes));
    used.or(capacity).map(|_| format!("{}/{}", shown(used), shown(capacity)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use operator_core::{ErrorKind, InMemorySubject, Operation, StoreState};

    use super::*;
    use crate::output::tests::Written;

    #[test]
    fn what_is_not_known_is_a_dash_and_the_table_fits_a_terminal() {
        let now = DateTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let stores =
            [1_u64, 4, 5].map(|id| Store::new(id.into(), format!("127.0.0.1:2016{id}"), StoreState::Up));
        let mut whole = StoreMetrics::new(1.into(), now - Duration::from_secs(3));
        whole.qps = Some(1_234.4);
        whole.latency_p99 = Some(Duration::from_micros(1_540));
        whole.disk_used_bytes = Some(41_446_232_064);
        whole.disk_capacity_bytes = Some(500 << 30);
        whole.cpu_cores = Some(0.0);
        whole.memory_bytes = Some(1 << 30);
        let mut half = StoreMetrics::new(4.into(), now);
        half.disk_capacity_bytes = Some(500 << 30);
        let look = Look { stores: stores.into(), metrics: vec![whole, half], reading: None };
        let text = look.table(None, now, Style::PLAIN);
        let expected = "\
ID  ADDRESS           QPS     P99            DISK  CPU  MEMORY     AGE
 1  127.0.0.1:20161  1234  1.54ms  38.6GiB/500GiB    0    1GiB  3s ago
 4  127.0.0.1:20164     -       -        -/500GiB    -       -  0s ago
 5  127.0.0.1:20165     -       -               -    -       -       -
";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.len() <= 80));
    }

    fn measuring(qps: f64) -> InMemorySubject {
        let mut metrics = StoreMetrics::new(1.into(), DateTime::UNIX_EPOCH);
        metrics.qps = Some(qps);
        let stores = [1_u64, 4].map(|id| Store::new(id.into(), format!("tikv{id}:20160"), StoreState::Up));
        InMemorySubject::new("demo").with_stores(stores).with_metrics([metrics])
    }

    fn watching() -> MetricsArgs {
        MetricsArgs { store: None, watch: true, interval: Duration::from_secs(5).into() }
    }

    /// What is written and noted until the time is up.
    async fn watched(session: &Session, format: Format, time: Duration) -> (String, String) {
        let (written, notes) = (Written::default(), Written::default());
        let mut output = written.output(format).with_notes(&notes);
        let watch = tokio::time::timeout(time, watching().run(session, &mut output));
        assert!(watch.await.is_err(), "it goes on until it is interrupted");
        (written.text(), notes.text())
    }

    #[tokio::test(start_paused = true)]
    async fn watching_shows_a_trend_with_a_gap_where_nothing_was_known() {
        let subject = Arc::new(measuring(100.0));
        let mut session = Session::over(Arc::<InMemorySubject>::clone(&subject));
        session.clock = operator_core::Clock::manual(DateTime::UNIX_EPOCH + Duration::from_secs(3));
        let later = async {
            tokio::time::sleep(Duration::from_secs(7)).await;
            subject.fail(Operation::StoreMetrics, ErrorKind::Unavailable);
            tokio::time::sleep(Duration::from_secs(5)).await;
            subject.heal(Operation::StoreMetrics);
        };
        let ((text, notes), ()) =
            tokio::join!(watched(&session, Format::Table, Duration::from_secs(17)), later);
        let last = text.split("1970-01-01T00:00:03Z\n").last().unwrap();
        let expected = "\
ID  ADDRESS      QPS  P99  DISK  CPU  MEMORY     AGE             TREND
 1  tikv1:20160  100    -     -    -       -  3s ago              ██-█
 4  tikv4:20160    -    -     -    -       -       -              ----

";
        assert_eq!(last, expected, "{text}");
        assert!(notes.starts_with("error: store_metrics"), "{notes}");
    }

    #[tokio::test(start_paused = true)]
    async fn watching_writes_an_array_a_line_and_a_first_failure_ends_it() {
        let session = Session::over(Arc::new(measuring(100.0)));
        let (text, _) = watched(&session, Format::Json, Duration::from_secs(12)).await;
        let lines: Vec<Vec<StoreMetrics>> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|metrics| metrics.len() == 1), "{text}");

        let subject = measuring(1.0);
        subject.fail(Operation::StoreMetrics, ErrorKind::Unavailable);
        let session = Session::over(Arc::new(subject));
        let mut output = Written::default().output(Format::Table);
        assert!(watching().run(&session, &mut output).await.is_err());
    }
}
