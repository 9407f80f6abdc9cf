//! A thousand runs in which anything may go wrong between any two steps.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::{
    AuditRecord, AuditRuns, AuditStep, Error, Outcome, Progress, RunState, Sent, Subject, SubjectConfig,
};

const SEEDS: u64 = 1_000;

/// Numbers that look random and are the same for a seed (SplitMix64).
#[derive(Debug, Clone)]
struct Dice(Arc<Mutex<u64>>);

impl Dice {
    fn below(&self, end: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn one_in(&self, chance: u64) -> bool {
        self.below(chance) == 0
    }

    /// Takes no time, a little, or too much.
    async fn wait(&self) {
        let milliseconds = match self.below(24) {
            0..12 => return,
            12..23 => self.below(2_000),
            _ => 90_000,
        };
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    fn trip(&self, operation: &'static str, chance: u64) -> Result<()> {
        let kind = [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Protocol][self.below(3) as usize];
        if self.one_in(chance) { Err(Error::new(kind, operation, "bad luck")) } else { Ok(()) }
    }
}

/// A subject, and what can go wrong on the way to it.
#[derive(Debug)]
struct Faulty {
    inner: InMemorySubject,
    audit: Arc<FaultyLog>,
    dice: Dice,
}

#[async_trait]
impl Subject for Faulty {
    fn config(&self) -> &SubjectConfig {
        self.inner.config()
    }

    async fn stores(&self) -> Result<Vec<Store>> {
        self.dice.wait().await;
        self.dice.trip("stores", 20)?;
        self.inner.stores().await
    }

    fn trust(&self, _: &crate::Observation) -> Vec<TrustReason> {
        let warm = self.dice.one_in(20);
        warm.then(|| TrustReason::new(TrustCode::WarmingUp, None, "warm")).into_iter().collect()
    }
}

#[async_trait]
impl Actor for Faulty {
    async fn preview(&self, action: &Action) -> Result<Preview> {
        self.dice.wait().await;
        self.dice.trip("preview", 20)?;
        if self.dice.one_in(20) {
            self.inner.set_basis("leader", self.dice.below(1_000));
        }
        self.inner.preview(action).await
    }

    async fn send(&self, preview: &Preview) -> Sent {
        assert!(self.audit.is_sending(&preview.action), "sent and not written down: {preview:?}");
        self.dice.wait().await;
        self.inner.react(match self.dice.below(8) {
            0 => Reaction::TakeInVain,
            1 => Reaction::GiveUp("superseded".to_owned()),
            2 => Reaction::Refuse("no".to_owned()),
            3 => Reaction::Unreachable,
            4 => Reaction::LoseRequest,
            5 => Reaction::LoseAnswer(self.dice.below(9) as usize),
            6 => Reaction::TakeSlowly(self.dice.below(9) as usize),
            _ => Reaction::Take,
        });
        let sent = self.inner.send(preview).await;
        self.dice.wait().await;
        sent
    }

    async fn progress(&self, preview: &Preview) -> Result<Progress> {
        self.dice.wait().await;
        self.dice.trip("progress", 4)?;
        self.inner.progress(preview).await
    }
}

#[derive(Debug)]
struct FaultyLog {
    inner: InMemoryAuditLog,
    dice: Dice,
}

impl FaultyLog {
    fn is_sending(&self, action: &Action) -> bool {
        let sending = |record: &AuditRecord| {
            matches!(record.step, AuditStep::Sending { .. }) && record.action == *action
        };
        self.inner.records().iter().any(sending)
    }
}

#[async_trait]
impl AuditLog for FaultyLog {
    async fn append(&self, record: &AuditRecord) -> Result<()> {
        self.dice.wait().await;
        self.dice.trip("audit", 30)?;
        self.inner.append(record).await?;
        // Written, and nobody hears of it.
        self.dice.trip("audit", 60)?;
        self.dice.wait().await;
        Ok(())
    }
}

/// How the runs of one seed ended, by name.
async fn live_through(seed: u64) -> BTreeMap<String, u64> {
    let dice = Dice(Arc::new(Mutex::new(seed)));
    let audit = Arc::new(FaultyLog { inner: InMemoryAuditLog::default(), dice: dice.clone() });
    let stores = (1..=3).map(|id| Store::new(id.into(), format!("tikv{id}:20160"), StoreState::Up));
    let inner = InMemorySubject::new("demo").with_stores(stores).with_actions(Action::infos().to_vec());
    let actor = Arc::new(Faulty { inner, audit: Arc::clone(&audit), dice: dice.clone() });
    let executor = Executor::new(Arc::clone(&actor), open(), audit.clone());

    // Each has an action of its own, so that what arrives tells whose it is; all go on at once.
    let run = async |store: u64| -> (&'static str, Option<Outcome>) {
        let action = drain(store);
        dice.wait().await;
        let Ok(proposal) = executor.propose(action.clone()).await else { return ("not_proposed", None) };
        dice.wait().await;
        let run = executor.execute(&proposal.token, Approval::by("ann"));
        let outcome = match dice.one_in(5) {
            // Gives up somewhere in the midst.
            true => {
                let patience = Duration::from_millis(dice.below(5_000));
                tokio::time::timeout(patience, run).await.map_err(|_| "given_up")
            }
            false => Ok(run.await),
        };
        // Whatever came of it, the token is used up.
        assert!(executor.execute(&proposal.token, Approval::by("bob")).await.is_err());
        match outcome {
            Err(name) => (name, None),
            Ok(Err(error)) => panic!("{error}"),
            Ok(Ok(outcome)) => {
                let effect = actor.inner.in_effect().contains(&action);
                assert!(outcome.outcome != OutcomeKind::Verified || effect, "seed {seed}: {outcome:?}");
                (outcome.outcome.as_str(), Some(outcome))
            }
        }
    };
    let (one, two, three) = tokio::join!(run(1), run(2), run(3));

    let mut runs = AuditRuns::last(10);
    audit.inner.records().into_iter().for_each(|record| runs.add(record));
    let runs = runs.into_runs();
    let mut ends = BTreeMap::new();
    for (store, (name, outcome)) in (1..).zip([one, two, three]) {
        let arrived = actor.inner.arrived().iter().filter(|action| **action == drain(store)).count();
        assert!(arrived <= 1, "seed {seed}: sent {arrived} times");
        let written = runs.iter().find(|run| run.action == drain(store));
        if arrived == 1 {
            let state = written.unwrap().state;
            assert!(!matches!(state, RunState::Proposed | RunState::Approved), "seed {seed}: {state:?}");
        }
        if let Some(outcome) = outcome {
            assert!(outcome.sent.is_none_or(|sent| sent == (arrived == 1)), "seed {seed}: {outcome:?}");
            let ended = written.and_then(|run| run.ended);
            assert!(ended.is_none_or(|ended| ended == outcome.outcome), "seed {seed}: {outcome:?}");
            *ends.entry(format!("sent {:?}", outcome.sent)).or_default() += 1;
        }
        *ends.entry(name.to_owned()).or_default() += 1;
    }
    ends
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_twice_or_unwritten_or_told_as_verified_without_being_done() {
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..SEEDS {
        for (name, count) in live_through(seed).await {
            *ends.entry(name).or_default() += count;
        }
    }
    println!("{ends:?}");
    // All that can happen has happened.
    for name in [
        "verified",
        "accepted",
        "refused",
        "failed",
        "not_proposed",
        "given_up",
        "sent None",
        "sent Some(true)",
    ] {
        assert!(ends.get(name).is_some_and(|count| *count >= 20), "{name}: {ends:?}");
    }
}
