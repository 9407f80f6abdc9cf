mod sinks;
mod trouble;

use tokio::task::JoinHandle;

use super::*;
use crate::{
    CheckerConfig, Clock, Finding, InMemorySubject, Invariant, InvariantInfo, Operation, Scope, Severity,
    Store, StoreState, TrustCode, TrustReason, invariant_fn,
};

const ZERO: Duration = Duration::ZERO;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn start() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// Ticks of 5 s without jitter, dated by tokio's clock.
fn config() -> MonitorConfig {
    let scope = Scope::all().part_deadline(seconds(20)).clock(Clock::tokio(start()));
    MonitorConfig::default().jitter(0.0).scope(scope)
}

fn store(id: u64, state: StoreState) -> Store {
    Store::new(id.into(), format!("10.0.0.{id}:20160"), state)
}

/// Three stores, those in `down` down and those in `away` disconnected.
fn stores(away: &[u64], down: &[u64]) -> Vec<Store> {
    let state = |id| match () {
        () if down.contains(&id) => StoreState::Down,
        () if away.contains(&id) => StoreState::Disconnected,
        () => StoreState::Up,
    };
    (1..=3).map(|id| store(id, state(id))).collect()
}

fn subject() -> Arc<InMemorySubject> {
    Arc::new(InMemorySubject::new("demo").with_stores(stores(&[], &[])).with_members([]))
}

/// A warning at once for what is disconnected, critical after a minute of being down.
fn store_down() -> Arc<dyn Invariant> {
    let info = InvariantInfo::new("store_down", Severity::Warning, ZERO)
        .severity(Severity::Critical, seconds(60))
        .keep_firing(seconds(20));
    Arc::new(invariant_fn(info, |observation| {
        let Some(stores) = &observation.stores else {
            return vec![Finding::unknown(Regarding::Cluster, "no stores")];
        };
        let finding = |store: &Store| match store.state {
            StoreState::Disconnected => Some(Finding::violated(store.id, Severity::Warning, "away")),
            StoreState::Down => Some(Finding::violated(store.id, Severity::Critical, "down")),
            _ => None,
        };
        stores.iter().filter_map(finding).collect()
    }))
}

/// Patient for a minute with any store that is not up.
fn not_up() -> Arc<dyn Invariant> {
    let info = InvariantInfo::new("not_up", Severity::Info, seconds(60));
    Arc::new(invariant_fn(info, |observation| match &observation.stores {
        None => vec![Finding::unknown(Regarding::Cluster, "no stores")],
        Some(stores) if stores.iter().all(|store| store.state == StoreState::Up) => vec![],
        Some(_) => vec![Finding::violated(Regarding::Cluster, Severity::Info, "not all stores are up")],
    }))
}

fn checker() -> InvariantChecker {
    InvariantChecker::new([store_down(), not_up()]).unwrap()
}

fn monitor(subject: &Arc<InMemorySubject>, config: MonitorConfig) -> Monitor {
    Monitor::new(Arc::clone(subject) as _, checker(), config).unwrap()
}

/// A monitor that runs.
struct Running {
    events: Events,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    stop: CancellationToken,
    task: JoinHandle<InvariantChecker>,
}

fn run(mut monitor: Monitor) -> Running {
    let (events, snapshots) = (monitor.events("test", 10_000), monitor.snapshots());
    let stop = CancellationToken::new();
    Running { events, snapshots, task: tokio::spawn(monitor.run(stop.clone())), stop }
}

impl Running {
    /// What has been told so far: `second type [invariant] [regarding] [severity]`.
    fn told(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.events.try_recv()).map(|delivery| brief(&delivery.event)).collect()
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }
}

fn brief(event: &Event) -> String {
    let mut text = format!("{} {}", (event.at - start()).num_seconds(), event.kind);
    text.extend(event.invariant.iter().map(|id| format!(" {id}")));
    text.extend(event.regarding.iter().map(|regarding| format!(" {regarding}")));
    text.extend(event.severity.iter().map(|severity| format!(" {severity}")));
    text.extend(event.previous_severity.iter().map(|severity| format!(" < {severity}")));
    text
}

/// Lets this many seconds pass, and what is due happen, before anything else.
async fn pass(time: u64) {
    tokio::time::sleep(seconds(time)).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_faults_is_told_in_a_moment() {
    let real = std::time::Instant::now();
    let subject = subject();
    let mut running = run(monitor(&subject, config()));
    pass(602).await;
    assert_eq!(running.told(), ["0 started", "0 observed"], "nothing in ten healthy minutes");

    subject.set_stores(stores(&[2], &[]));
    pass(100).await;
    subject.set_stores(stores(&[], &[2]));
    pass(100).await;
    subject.set_stores(stores(&[1], &[2]));
    pass(4).await;
    subject.set_stores(stores(&[], &[]));
    pass(4).await;
    subject.set_stores(stores(&[1], &[]));
    pass(5).await;
    subject.set_stores(stores(&[], &[]));
    pass(3_600).await;
    running.stop().await;
    let expected = [
        "605 firing store_down store/2 warning",
        "605 pending not_up cluster info",
        "665 firing not_up cluster info",
        "765 firing store_down store/2 critical < warning",
        "805 firing store_down store/1 warning",
        "810 resolved not_up cluster info",
        "815 pending not_up cluster info",
        "830 resolved store_down store/2 critical",
        // It has flapped, and is one violation.
        "840 resolved store_down store/1 warning",
        "4415 stopped",
    ];
    assert_eq!(running.told(), expected);
    assert!(real.elapsed() < seconds(1), "{:?}", real.elapsed());
}

#[tokio::test(start_paused = true)]
async fn events_are_numbered_dated_and_complete() {
    let subject = subject();
    let mut running = run(monitor(&subject, config()));
    pass(7).await;
    subject.set_stores(stores(&[2], &[]));
    pass(5).await;
    subject.set_stores(stores(&[], &[]));
    pass(30).await;
    running.stop().await;
    let events: Vec<_> = std::iter::from_fn(|| running.events.try_recv()).map(|told| told.event).collect();
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), (1..=6).collect::<Vec<_>>());
    let firing = serde_json::to_value(&*events[2]).unwrap();
    let expected = serde_json::json!({
        "schema": 1, "sequence": 3, "at": "2026-03-01T12:00:10Z", "type": "firing", "subject": "demo",
        "invariant": "store_down", "regarding": "store/2", "severity": "warning",
        "since": "2026-03-01T12:00:10Z", "message": "away",
    });
    assert_eq!(firing, expected);
    let resolved = &events[4];
    assert_eq!((resolved.kind, resolved.lasted_seconds), (EventKind::Resolved, Some(25.0)));
    assert_eq!(resolved.message, "gone after 25s; last seen: away");
    assert_eq!(events[5].message, "9 observations, 0 failures, 0 ticks skipped");
}

#[tokio::test(start_paused = true)]
async fn trust_is_told_when_its_reasons_change_and_not_when_their_wording_does() {
    let subject = subject();
    let mut running = run(monitor(&subject, config()));
    for age in 0..20 {
        pass(5).await;
        let reason = TrustReason::new(TrustCode::WarmingUp, None, format!("elected {age} ticks ago"));
        subject.set_trust([reason]);
    }
    subject.set_trust([]);
    pass(5).await;
    assert_eq!(running.told(), ["0 started", "0 observed", "10 observed", "105 observed"]);
}

#[tokio::test(start_paused = true)]
async fn jitter_moves_ticks_and_loses_none() {
    let subject = subject();
    let mut times = Vec::new();
    for seed in [1, 1, 2] {
        let mut running = run(monitor(&subject, config().jitter(0.4).seed(seed)));
        let mut at = Vec::new();
        while running.snapshots.borrow().counters.observations < 720 {
            running.snapshots.changed().await.unwrap();
            at.push(running.snapshots.borrow().at.unwrap());
        }
        let base = at[0];
        at.iter_mut().for_each(|at| *at = start() + (*at - base).to_std().unwrap());
        assert_eq!((at[719] - start()).num_seconds() / 5, 719);
        assert_eq!(running.snapshots.borrow().counters.ticks_skipped, 0);
        times.push(at);
        running.stop().await;
    }
    assert_eq!(times[0], times[1]);
    assert_ne!(times[0], times[2]);
}

#[tokio::test(start_paused = true)]
async fn cancelled_it_finishes_the_tick_that_runs() {
    let subject = subject();
    subject.delay(Operation::Stores, seconds(3));
    let mut running = run(monitor(&subject, config()));
    pass(6).await;
    subject.set_stores(stores(&[1], &[]));
    running.stop().await;
    let told = running.told();
    assert_eq!(
        told[2..],
        ["5 firing store_down store/1 warning", "5 pending not_up cluster info", "8 stopped"]
    );
    assert_eq!(running.events.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn cancelled_before_it_begins_it_looks_at_nothing() {
    let subject = subject();
    let monitor = monitor(&subject, config());
    let stop = CancellationToken::new();
    stop.cancel();
    let mut monitor = monitor;
    let mut events = monitor.events("test", 10);
    monitor.run(stop).await;
    let told: Vec<_> = std::iter::from_fn(|| events.try_recv()).map(|told| brief(&told.event)).collect();
    assert_eq!(told, ["0 started", "0 stopped"]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_loses_nothing_that_was_pending() {
    let subject = subject();
    subject.set_stores(stores(&[1], &[]));
    let running = run(monitor(&subject, config()));
    pass(41).await;
    let crashed = running.snapshots.borrow().state.clone();
    running.stop.cancel();
    let stopped = running.task.await.unwrap().save();
    assert_eq!(crashed, stopped);

    tokio::time::sleep(seconds(59)).await;
    let mut checker = checker();
    let state = serde_json::to_string(&stopped).unwrap();
    assert_eq!(checker.restore(serde_json::from_str(&state).unwrap()), 0);
    let config = MonitorConfig { scope: running_scope(100), ..config() };
    let mut running = run(Monitor::new(subject, checker, config).unwrap());
    pass(60).await;
    // 40 of its 60 s were over; what fires already is not told again.
    assert_eq!(running.told(), ["100 started", "100 observed", "120 firing not_up cluster info"]);
}

/// A scope whose clock is this many seconds after the start.
fn running_scope(second: u64) -> Scope {
    Scope::all().clock(Clock::tokio(start() + seconds(second)))
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_changes_nothing_but_the_dates() {
    let subject = subject();
    subject.set_stores(stores(&[], &[1]));
    let clock = Clock::manual(start());
    let scope = Scope::all().clock(clock.clone());
    let mut running = run(monitor(&subject, config().scope(scope)));
    let kinds = |running: &mut Running| {
        std::iter::from_fn(|| running.events.try_recv()).map(|told| told.event.kind).collect::<Vec<_>>()
    };
    pass(2).await;
    assert_eq!(kinds(&mut running).len(), 4);
    for jump in [86_400, 0, 604_800, 3_600] {
        clock.set(start() + seconds(jump));
        pass(12).await;
        assert_eq!(kinds(&mut running), []);
    }
    clock.set(start() - seconds(86_400));
    pass(10).await;
    assert_eq!(kinds(&mut running), [EventKind::Firing, EventKind::Firing]);
}

#[tokio::test(start_paused = true)]
async fn what_is_found_beyond_the_limit_is_told() {
    let subject = subject();
    subject.set_stores(stores(&[1, 2], &[]));
    let checker =
        InvariantChecker::with_config([store_down()], CheckerConfig::default().max_histories(1)).unwrap();
    let mut running = run(Monitor::new(Arc::clone(&subject) as _, checker, config()).unwrap());
    pass(20).await;
    subject.set_stores(stores(&[], &[]));
    pass(5).await;
    let told = running.told();
    let expected =
        ["0 unobserved cluster", "0 firing store_down store/1 warning", "25 observed_again cluster"];
    assert_eq!(told[2..], expected);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_tells_the_same_story() {
    let mut stories = Vec::new();
    for _ in 0..2 {
        let subject = subject();
        let mut running = run(monitor(&subject, config().jitter(0.3).seed(42)));
        for round in 0..40_u64 {
            subject.set_stores(stores(&[1 + round % 3], if round % 4 == 0 { &[2] } else { &[] }));
            if round % 7 == 0 {
                subject.fail(Operation::Stores, ErrorKind::Timeout);
            } else {
                subject.heal(Operation::Stores);
            }
            pass(37).await;
        }
        running.stop().await;
        let told = std::iter::from_fn(|| running.events.try_recv());
        stories.push(told.map(|told| serde_json::to_string(&*told.event).unwrap()).collect::<Vec<_>>());
    }
    assert!(stories[0].len() > 40);
    assert_eq!(stories[0], stories[1]);
}
