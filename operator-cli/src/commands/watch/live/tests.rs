use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use operator_core::{
    ClusterMetrics, ErrorKind, Finding, InMemorySubject, Invariant, InvariantChecker, InvariantInfo, Member,
    Monitor, MonitorConfig, Operation, Part, Regarding, RegionHealth, RegionProblem, Scope, Severity, Store,
    StoreMetrics, StoreState, TrustCode, TrustReason, invariant_fn,
};
use ratatui_core::backend::TestBackend;
use ratatui_core::terminal::Terminal;

use super::*;
use crate::output::Style;

const INTERVAL: Duration = Duration::from_secs(5);

/// Stores 1, 4, 5, … of which all are up but those named.
fn stores(ids: &[u64], down: &[u64]) -> Vec<Store> {
    let store = |id: &u64| {
        let state = if down.contains(id) { StoreState::Down } else { StoreState::Up };
        let mut store =
            Store::new((*id).into(), format!("basic-tikv-{id}.basic-tikv-peer.tidb:20160"), state);
        (store.available_bytes, store.capacity_bytes) = (Some(89), Some(100));
        (store.leader_count, store.region_count) = (Some(16), Some(48));
        store
    };
    ids.iter().map(store).collect()
}

fn metrics(ids: &[u64], factor: f64) -> Vec<StoreMetrics> {
    let metrics = |id: &u64| {
        let mut metrics = StoreMetrics::new((*id).into(), DateTime::UNIX_EPOCH + Duration::from_secs(1_000));
        metrics.qps = Some(*id as f64 * 100.0 * factor);
        metrics.latency_p99 = Some(Duration::from_micros(1_540).mul_f64(factor));
        metrics
    };
    ids.iter().map(metrics).collect()
}

fn subject(ids: &[u64]) -> InMemorySubject {
    let mut leader = Member::new("pd0", 1.into());
    (leader.leader, leader.healthy) = (true, Some(true));
    let mut cluster = ClusterMetrics::default();
    cluster.region_count = Some(48);
    let mut health = RegionHealth::default();
    RegionProblem::ALL.into_iter().for_each(|problem| health.set_count(problem, Some(0)));
    InMemorySubject::new("demo")
        .with_stores(stores(ids, &[]))
        .with_metrics(metrics(ids, 1.0))
        .with_members([leader, Member::new("pd1", 2.into())])
        .with_cluster_metrics(cluster)
        .with_region_health(health)
}

/// Stores that are down are critical at once, few regions are waited for, and metrics can be missing.
fn invariants() -> [Arc<dyn Invariant>; 3] {
    let down = invariant_fn(InvariantInfo::new("store_down", Severity::Critical, Duration::ZERO), |seen| {
        let down = seen.stores.iter().flatten().filter(|store| store.state == StoreState::Down);
        let message = "it was not heard from for so long that its replicas are made anew elsewhere\u{1b}[2J";
        down.map(|store| Finding::violated(store.id, Severity::Critical, message)).collect()
    });
    let few =
        invariant_fn(InvariantInfo::new("few_regions", Severity::Warning, Duration::from_secs(60)), |seen| {
            let few = seen
                .cluster
                .as_ref()
                .and_then(|cluster| cluster.region_count)
                .is_some_and(|count| count < 48);
            if few {
                vec![Finding::violated(Regarding::Cluster, Severity::Warning, "few regions")]
            } else {
                vec![]
            }
        });
    let slow = invariant_fn(InvariantInfo::new("high_latency", Severity::Warning, INTERVAL), |seen| {
        if seen.metrics.is_some() {
            return vec![];
        }
        vec![Finding::unknown(Regarding::Cluster, "the metrics could not be asked")]
    });
    [Arc::new(down), Arc::new(few), Arc::new(slow)]
}

/// A view of a subject on which a monitor looks every 5 s, and time, which stands unless the test lets it pass.
struct Watched {
    subject: Arc<InMemorySubject>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    clock: Clock,
    view: View,
}

impl Watched {
    fn new(subject: InMemorySubject) -> Self {
        let subject = Arc::new(subject);
        let clock = Clock::tokio(DateTime::UNIX_EPOCH + Duration::from_secs(1_000));
        let config =
            MonitorConfig::default().interval(INTERVAL).jitter(0.0).scope(Scope::all().clock(clock.clone()));
        let checker = InvariantChecker::new(invariants()).unwrap();
        let monitor = Monitor::new(Arc::<InMemorySubject>::clone(&subject), checker, config).unwrap();
        let snapshots = monitor.snapshots();
        tokio::spawn(monitor.run(CancellationToken::new()));
        let view = View::new("demo\u{7}".to_owned(), INTERVAL, Style::PLAIN, clock.now());
        Self { subject, snapshots, clock, view }
    }

    /// Lets time pass.
    async fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.view.update(&self.snapshots.borrow_and_update(), std::iter::empty());
        }
    }

    fn screen(&self, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| self.view.draw(frame, self.clock.now())).unwrap();
        let buffer = terminal.backend().buffer();
        let rows = buffer.content().chunks(usize::from(width).max(1));
        let row =
            |row: &[ratatui_core::buffer::Cell]| row.iter().map(|cell| cell.symbol()).collect::<String>();
        let rows: Vec<_> = rows.map(|cells| row(cells).trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_healthy_cluster_fits_a_common_terminal() {
    let mut watched = Watched::new(subject(&[1, 4, 5]));
    watched.pass(12).await;
    assert_eq!(
        watched.screen(80, 24),
        "\
demo\\u{7}, for 12s                                            00:16:52Z  q quits
COMPLETE  seen 2s ago: everything that was asked for is here

Nothing fires.

Members  pd1 -, pd0 leader healthy
Regions  48, all as they should be
Stores   3 Up

ID  STATE  ADDRESS                   QPS  over 40s     P99  over 40s  FREE  SEEN
 1  Up     basic-tikv-1.ba…db:20160  100       ▂▂▂  1.54ms       ███   89%     -
 4  Up     basic-tikv-4.ba…db:20160  400       ▇▇▇  1.54ms       ███   89%     -
 5  Up     basic-tikv-5.ba…db:20160  500       ███  1.54ms       ███   89%     -

00:16:40  started      3 invariants, every 5s
00:16:40  observed     complete"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_comes_first_the_worst_of_it_first_and_what_is_missing_is_no_zero() {
    let mut watched = Watched::new(subject(&[1, 4, 5]));
    watched.pass(7).await;
    watched.subject.set_stores(stores(&[1, 4, 5], &[4]));
    watched.subject.set_metrics(metrics(&[1, 5], 2.0));
    let mut cluster = ClusterMetrics::default();
    cluster.region_count = Some(47);
    watched.subject.set_cluster_metrics(cluster);
    watched.pass(10).await;
    watched.subject.fail(Operation::StoreMetrics, ErrorKind::Unavailable);
    watched.pass(5).await;
    assert_eq!(
        watched.screen(80, 24),
        "\
demo\\u{7}, for 22s                                            00:17:02Z  q quits
PARTIAL  seen 2s ago: something is missing; what is here is right
  metrics: made to fail

1 firing (1 critical), 1 pending; 1 cannot be told.
critical   12s  store/4 store_down: it was not heard from for so long that its
                replicas are made anew elsewhere\\u{1b}[2J
pending    12s  cluster few_regions: few regions
unknown     2s  the metrics could not be asked; cluster high_latency

Members  pd1 -, pd0 leader healthy
Regions  47, all as they should be
Stores   2 Up, 1 Down

ID  STATE  ADDRESS                      QPS  over 40s  P99  over 40s  FREE  SEEN
 1  Up     basic-tikv-1.basi…idb:20160    -     ▂▂▂▂-    -     ▅▅██-   89%     -
 4  Down   basic-tikv-4.basi…idb:20160    -     ▄▄---    -     ▅▅---   89%     -
 5  Up     basic-tikv-5.basi…idb:20160    -     ▅▅██-    -     ▅▅██-   89%     -

00:16:40  started      3 invariants, every 5s
00:16:40  observed     complete
00:16:50  firing       critical  store/4  store_down: it was not heard from for…
00:17:00  observed     partial: metrics: made to fail"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_seen_any_more_is_told_at_once_and_what_is_shown_says_how_old_it_is() {
    let mut watched = Watched::new(subject(&[1, 4, 5]));
    watched.pass(7).await;
    Operation::ALL.iter().for_each(|operation| watched.subject.fail(*operation, ErrorKind::Unavailable));
    watched.pass(20).await;
    assert_eq!(
        watched.screen(80, 24),
        "\
demo\\u{7}, for 27s                                            00:17:07Z  q quits
NOT SEEN  for 17s, 3 times; what is shown was seen 22s ago
  stores: made to fail

Nothing fires; 3 cannot be told.
unknown    17s  the subject does not answer; cluster store_down, few_regions,
                high_latency

As it was 22s ago:
Members  pd1 -, pd0 leader healthy
Regions  48, all as they should be
Stores   3 Up

ID  STATE  ADDRESS                   QPS  over 40s     P99  over 40s  FREE  SEEN
 1  Up     basic-tikv-1.ba…db:20160  100     ▂▂---  1.54ms     ██---   89%     -
 4  Up     basic-tikv-4.ba…db:20160  400     ▇▇---  1.54ms     ██---   89%     -
 5  Up     basic-tikv-5.ba…db:20160  500     ██---  1.54ms     ██---   89%     -

00:16:40  started      3 invariants, every 5s
00:16:40  observed     complete
00:16:50  unreachable  stores: made to fail"
    );
}

#[tokio::test(start_paused = true)]
async fn a_look_that_does_not_end_is_late() {
    let mut watched = Watched::new(subject(&[1, 4, 5]));
    watched.pass(7).await;
    watched.subject.delay(Operation::Stores, Duration::from_secs(3_600));
    watched.pass(9).await;
    assert_eq!(
        watched.screen(80, 24),
        "\
demo\\u{7}, for 16s                                            00:16:56Z  q quits
LATE  nothing new for 11s; what is shown was seen 11s ago

Nothing fires.

As it was 11s ago:
Members  pd1 -, pd0 leader healthy
Regions  48, all as they should be
Stores   3 Up

ID  STATE  ADDRESS                   QPS  over 40s     P99  over 40s  FREE  SEEN
 1  Up     basic-tikv-1.ba…db:20160  100        ▂▂  1.54ms        ██   89%     -
 4  Up     basic-tikv-4.ba…db:20160  400        ▇▇  1.54ms        ██   89%     -
 5  Up     basic-tikv-5.ba…db:20160  500        ██  1.54ms        ██   89%     -

00:16:40  started      3 invariants, every 5s
00:16:40  observed     complete"
    );
}

#[tokio::test(start_paused = true)]
async fn of_more_than_fits_the_worst_is_shown_and_the_rest_is_counted() {
    let ids: Vec<_> = (1..=1_000).collect();
    let mut watched = Watched::new(subject(&ids));
    watched.subject.set_stores(stores(&ids, &[700, 900]));
    let reason = TrustReason::new(TrustCode::WarmingUp, Some(Part::Stores), "PD has led for 12 s");
    watched.subject.set_trust([reason]);
    watched.pass(7).await;
    assert_eq!(
        watched.screen(40, 10),
        "\
demo\\u{7}, for 7s     00:16:47Z  q quits
WARMING UP  seen 2s ago: live stores ma…
  stores: PD has led for 12 s
2 firing (2 critical).
critical    7s  store/700 store_down: i…
critical    7s  store/900 store_down: i…
 ID  STATE    QPS     P99  over 40s
700  Down   70000  1.54ms        ██
… and 999 more stores
00:16:40  firing       critical  store/…"
    );
    assert_eq!(
        watched.screen(80, 24),
        "\
demo\\u{7}, for 7s                                             00:16:47Z  q quits
WARMING UP  seen 2s ago: live stores may look gone, and problems absent
  stores: PD has led for 12 s

2 firing (2 critical).
critical    7s  store/700 store_down: it was not heard from for so long that its
                replicas are made anew elsewhere\\u{1b}[2J
critical    7s  store/900 store_down: it was not heard from for so long that its
                replicas are made anew elsewhere\\u{1b}[2J

Members  pd1 -, pd0 leader healthy
Regions  48, all as they should be
Stores   998 Up, 2 Down

 ID  STATE  ADDRESS                  QPS  over 40s     P99  over 40s  FREE  SEEN
700  Down   basic-tikv-70…b:20160  70000        ▆▆  1.54ms        ██   89%     -
900  Down   basic-tikv-90…b:20160  90000        ██  1.54ms        ██   89%     -
  1  Up     basic-tikv-1.…b:20160    100        ▁▁  1.54ms        ██   89%     -
  2  Up     basic-tikv-2.…b:20160    200        ▁▁  1.54ms        ██   89%     -
… and 996 more stores

00:16:40  observed     warming_up: stores: PD has led for 12 s
00:16:40  firing       critical  store/700  store_down: it was not heard from f…
00:16:40  firing       critical  store/900  store_down: it was not heard from f…"
    );
    // No size makes it panic.
    for (width, height) in [(0, 0), (1, 1), (3, 2), (20, 5), (500, 3), (10, 200)] {
        let _ = watched.screen(width, height);
    }
}

#[tokio::test(start_paused = true)]
async fn what_stays_tells_what_fires_and_how_long_was_watched() {
    let mut watched = Watched::new(subject(&[1, 4, 5]));
    watched.subject.set_stores(stores(&[1, 4, 5], &[4]));
    watched.pass(7).await;
    let note = (watched.clock.now(), "now store 4 is started again".to_owned());
    watched.view.update(&watched.snapshots.borrow_and_update(), std::iter::once(note));
    assert_eq!(watched.view.summary(watched.clock.now()).trim_end(), "\
Watched demo\\u{7} for 7s: 2 looks, 0 in vain.
COMPLETE  seen 2s ago: everything that was asked for is here
1 firing (1 critical).
  critical    7s  store/4 store_down: it was not heard from for so long that its replicas are made anew elsewhere\\u{1b}[2J
Last events:
  1970-01-01T00:16:40Z  started      3 invariants, every 5s
  1970-01-01T00:16:40Z  observed     complete
  1970-01-01T00:16:40Z  firing       critical  store/4  store_down: it was not heard from for so long that its replicas are made anew elsewhere\\u{1b}[2J
  1970-01-01T00:16:47Z  story        now store 4 is started again");
}
