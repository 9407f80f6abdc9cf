//! Whoever takes events, however badly.

use std::error::Error as StdError;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::*;

/// What a sink does with each event.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Takes,
    Hangs,
    Fails,
    FailsOnce,
    Panics,
}

struct Ill {
    manner: Manner,
    offered: Arc<AtomicU64>,
    /// Sequence and `missed` of what was taken.
    taken: Arc<Mutex<Vec<(u64, u64)>>>,
}

type BoxError = Box<dyn StdError + Send + Sync>;

#[async_trait]
impl Sink for Ill {
    async fn tell(&mut self, event: &Event, missed: u64) -> Result<(), BoxError> {
        let offered = self.offered.fetch_add(1, Ordering::Relaxed);
        match self.manner {
            Manner::Takes => {}
            Manner::Hangs => std::future::pending().await,
            Manner::Fails => return Err("disk full".into()),
            Manner::FailsOnce if offered == 1 => return Err("interrupted".into()),
            Manner::FailsOnce => {}
            Manner::Panics => panic!("sink"),
        }
        self.taken.lock().unwrap().push((event.sequence, missed));
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn sinks_that_hang_fail_panic_or_are_dropped_hold_up_nobody() {
    let subject = subject();
    let mut monitor = monitor(&subject, config());
    let manners = [Manner::Takes, Manner::Hangs, Manner::Fails, Manner::FailsOnce, Manner::Panics];
    let mut taken = Vec::new();
    for manner in manners {
        let sink = Ill { manner, offered: Arc::default(), taken: Arc::default() };
        taken.push(Arc::clone(&sink.taken));
        monitor.sink(format!("{manner:?}"), if manner == Manner::Hangs { 2 } else { 100 }, sink);
    }
    drop(monitor.events("dropped", 2));
    let mut never_read = monitor.events("never read", 2);
    let mut running = run(monitor);
    for round in 0..50 {
        subject.set_stores(stores(if round % 2 == 0 { &[1] } else { &[] }, &[]));
        pass(30).await;
    }
    let snapshot = running.snapshots.borrow().clone();
    assert_eq!((snapshot.counters.ticks_skipped, snapshot.counters.observations), (0, 301));
    let stopping = Instant::now();
    running.stop().await;
    assert!(stopping.elapsed() <= seconds(5), "{:?}", stopping.elapsed());

    let told: Vec<_> = std::iter::from_fn(|| running.events.try_recv()).map(|it| it.event.sequence).collect();
    let count = told.len() as u64;
    assert!(count > 75);
    assert_eq!(told, (1..=count).collect::<Vec<_>>());
    let taken: Vec<_> = taken.iter().map(|taken| taken.lock().unwrap().clone()).collect();
    assert_eq!(taken[0], (1..=count).map(|sequence| (sequence, 0)).collect::<Vec<_>>());
    // The second event failed, and the third one says so.
    assert_eq!(taken[3][..3], [(1, 0), (3, 1), (4, 0)]);
    assert_eq!(taken[3].len() as u64, count - 1);
    assert!(taken[1].is_empty() && taken[2].is_empty() && taken[4].is_empty());

    let status =
        |name: &str| running.snapshots.borrow().sinks.iter().find(|it| it.name == name).unwrap().clone();
    assert_eq!((status("Takes").missed, status("Takes").error), (0, None));
    assert_eq!(status("Fails").error.as_deref(), Some("disk full"));
    assert_eq!(status("Hangs").error.as_deref(), Some("it took longer than 5s"));
    assert!(status("Hangs").missed > 0 && !status("Hangs").closed);
    assert!(status("Panics").closed && status("dropped").closed);
    // Two were kept, the rest counted.
    assert_eq!(status("never read").missed, count - 2);
    assert_eq!(never_read.missed(), count - 2);
    let kept: Vec<_> = std::iter::from_fn(|| never_read.try_recv()).map(|it| it.event.sequence).collect();
    assert_eq!(kept, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_is_said_with_the_next_event_that_arrives() {
    let subject = subject();
    let mut monitor = monitor(&subject, config());
    let mut slow = monitor.events("slow", 2);
    let mut running = run(monitor);
    pass(2).await;
    subject.set_stores(stores(&[1, 2, 3], &[]));
    pass(5).await;
    assert_eq!((slow.recv().await.unwrap().missed, slow.recv().await.unwrap().missed), (0, 0));
    running.stop().await;
    let last = slow.recv().await.unwrap();
    assert_eq!((last.event.kind, last.missed, last.event.sequence), (EventKind::Stopped, 4, 7));
}
