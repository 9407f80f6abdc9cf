use std::collections::BTreeSet;

use operator_core::{
    ErrorKind, Finding, InMemorySubject, InvariantChecker, Operation, Store, StoreState, invariant_fn,
};
use operator_tikv::scrape::{Sample, Samples};
use tokio_util::sync::CancellationToken;

use super::*;

const INTERVAL: Duration = Duration::from_secs(5);

/// A monitor of one store, whose state is the test's, and what meters it; both run until dropped.
fn metered(subject: &Arc<InMemorySubject>) -> (Arc<Meter>, tokio::task::JoinSet<()>) {
    let info = InvariantInfo::new("store_down", Severity::Warning, Duration::from_secs(8))
        .severity(Severity::Critical, Duration::ZERO);
    let invariant = invariant_fn(info, |observation| {
        let stores = observation.stores.iter().flatten();
        let found = stores.filter_map(|store| match store.state {
            StoreState::Down => Some(Finding::violated(store.id, Severity::Critical, "down")),
            StoreState::Disconnected => Some(Finding::violated(store.id, Severity::Warning, "away")),
            StoreState::Unknown => Some(Finding::unknown(store.id, "who knows")),
            _ => None,
        });
        found.collect()
    });
    let checker = InvariantChecker::new([Arc::new(invariant) as _]).unwrap();
    let config = MonitorConfig::default().interval(INTERVAL).jitter(0.0);
    let monitor = Monitor::new(Arc::clone(subject) as _, checker, config).unwrap();
    let meter = Arc::new(Meter::new(&monitor, vec!["http://pd0:2379".to_owned()]));
    let mut running = tokio::task::JoinSet::new();
    let (following, snapshots) = (Arc::clone(&meter), monitor.snapshots());
    running.spawn(async move { following.follow(snapshots).await });
    running.spawn(async move { drop(monitor.run(CancellationToken::new()).await) });
    (meter, running)
}

fn subject(state: StoreState) -> Arc<InMemorySubject> {
    Arc::new(InMemorySubject::new("demo").with_stores([store(state)]))
}

fn store(state: StoreState) -> Store {
    Store::new(1.into(), "a:20160", state)
}

/// The values of the series that have these labels.
fn values(meter: &Meter, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
    let page = meter.page();
    let has = |sample: &Sample<'_>| {
        labels.iter().all(|(label, text)| sample.labels.get(label).as_deref() == Some(*text))
    };
    let samples = Samples::new(page.as_bytes()).map(Result::unwrap);
    samples.filter(|sample| sample.name == name && has(sample)).map(|sample| sample.value).collect()
}

/// Until the tick of that time is over.
async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds) + Duration::from_millis(10)).await;
}

#[tokio::test(start_paused = true)]
async fn looks_are_counted_by_what_came_of_them() {
    let subject = subject(StoreState::Up);
    let (meter, _running) = metered(&subject);
    assert_eq!(values(&meter, "operator_observations_total", &[]), [0.0; 5]);
    assert!(values(&meter, "operator_last_observation_timestamp_seconds", &[]).is_empty());

    pass(10).await;
    let looks = |verdict| values(&meter, "operator_observations_total", &[("verdict", verdict)]);
    assert_eq!((looks("complete"), looks("unreachable")), (vec![3.0], vec![0.0]));
    assert_eq!(values(&meter, "operator_last_observation_timestamp_seconds", &[]).len(), 1);

    subject.fail(Operation::Stores, ErrorKind::Unavailable);
    pass(5).await;
    assert_eq!((looks("complete"), looks("unreachable")), (vec![3.0], vec![1.0]));
    let failed = |endpoint| values(&meter, "operator_observation_errors_total", &[("endpoint", endpoint)]);
    // Nobody in particular was asked.
    assert_eq!((failed("http://pd0:2379"), failed("unknown")), (vec![0.0], vec![1.0]));
    assert_eq!(values(&meter, "operator_observation_duration_seconds_count", &[]), [4.0]);

    // Seven seconds are more than a tick and less than two.
    subject.heal(Operation::Stores);
    subject.delay(Operation::Stores, Duration::from_secs(7));
    pass(30).await;
    assert!(values(&meter, "operator_ticks_skipped_total", &[])[0] >= 2.0);
    let slow = values(&meter, "operator_observation_duration_seconds_bucket", &[("le", "5")]);
    let all = values(&meter, "operator_observation_duration_seconds_bucket", &[("le", "+Inf")]);
    assert!(slow[0] == 4.0 && all[0] > 5.0, "{slow:?} {all:?}");
}

#[tokio::test(start_paused = true)]
async fn violations_are_counted_by_invariant_severity_and_state_and_are_zero_without_any() {
    let subject = subject(StoreState::Up);
    let (meter, _running) = metered(&subject);
    let violations = |severity, state| {
        let labels = [("invariant", "store_down"), ("severity", severity), ("state", state)];
        values(&meter, "operator_violations", &labels)
    };
    let all = || {
        ["warning", "critical"]
            .map(|severity| ["pending", "firing"].map(|state| violations(severity, state)[0]))
    };
    assert_eq!(all(), [[0.0; 2]; 2]);

    subject.set_stores([store(StoreState::Disconnected)]);
    pass(0).await;
    assert_eq!(all(), [[1.0, 0.0], [0.0, 0.0]]);
    pass(10).await;
    assert_eq!(all(), [[0.0, 1.0], [0.0, 0.0]]);
    subject.set_stores([store(StoreState::Down)]);
    pass(5).await;
    assert_eq!(all(), [[0.0, 0.0], [0.0, 1.0]]);

    subject.set_stores([store(StoreState::Up)]);
    pass(5).await;
    assert_eq!(values(&meter, "operator_unknown", &[("invariant", "store_down")]), [0.0]);
    subject.set_stores([store(StoreState::Unknown)]);
    pass(5).await;
    assert_eq!(values(&meter, "operator_unknown", &[("invariant", "store_down")]), [1.0]);
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_while_something_is_seen_and_well_while_it_looks() {
    let subject = subject(StoreState::Up);
    let (meter, mut running) = metered(&subject);
    assert_eq!(meter.ready().unwrap_err(), "nothing has been observed yet");
    pass(5).await;
    assert_eq!((meter.ready(), meter.healthy()), (Ok(()), Ok(())));

    subject.fail(Operation::Stores, ErrorKind::Unavailable);
    pass(10).await;
    assert_eq!(meter.ready(), Ok(()), "one or two failures are nothing");
    pass(300).await;
    let why = meter.ready().unwrap_err();
    assert!(why.starts_with("the last observation was 5m ago: stores: "), "{why}");
    assert_eq!(meter.healthy(), Ok(()), "it looks, if less often");

    subject.heal(Operation::Stores);
    pass(30).await;
    assert_eq!(meter.ready(), Ok(()));

    // Slow looks are looks, once one is over.
    subject.delay(Operation::Stores, Duration::from_secs(20));
    pass(30).await;
    for _ in 0..20 {
        pass(10).await;
        assert_eq!((meter.ready(), meter.healthy()), (Ok(()), Ok(())));
    }
    running.shutdown().await;
    pass(120).await;
    let why = meter.healthy().unwrap_err();
    assert!(why.starts_with("the last tick was 2m ago"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn endpoints_are_counted_each_and_have_a_bound() {
    let (meter, _running) = metered(&subject(StoreState::Up));
    {
        let mut state = meter.lock();
        state.failed(Some("http://pd0:2379,http://pd1:2379"));
        for nr in 0..1_000 {
            state.failed(Some(&format!("http://tikv{nr}:20180")));
        }
        state.failed(None);
    }
    let failed = |endpoint| values(&meter, "operator_observation_errors_total", &[("endpoint", endpoint)]);
    assert_eq!((failed("http://pd0:2379"), failed("http://pd1:2379")), (vec![1.0], vec![1.0]));
    let all = values(&meter, "operator_observation_errors_total", &[]);
    assert_eq!((all.len(), all.iter().sum::<f64>()), (MOST_ENDPOINTS + 1, 1_003.0));
    let page = meter.page();
    let series: Vec<_> = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect();
    assert_eq!(series.iter().collect::<BTreeSet<_>>().len(), series.len(), "each series once");
}
