//! A network and a cluster on which nothing can be relied, by a seed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use operator_core::{AuditStep, InMemoryAuditLog};
use operator_tests::SimulatedTransport;
use operator_tikv::http::{HttpRequest, HttpResponse, Method, Transport, TransportError, TransportErrorKind};
use tikv_simulator::{Event, NodeId, OperatorEnd};

/// Numbers that a seed decides.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    /// Below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.roll(of.len() as u64)).unwrap()]
    }
}

/// What became of one request that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It certainly did not arrive, and the sender can know.
    Refused,
    /// The simulator did not get it, and the sender cannot know.
    Lost,
    /// The simulator answered this, whether or not the sender heard.
    Answered(u16, bool),
}

/// Loses requests and answers, and lets things happen before each request.
#[derive(Debug, Clone)]
pub(super) struct Unreliable {
    inner: SimulatedTransport,
    audit: Arc<InMemoryAuditLog>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    dice: Dice,
    calm: bool,
    fates: Vec<Fate>,
}

impl Unreliable {
    pub(super) fn new(inner: SimulatedTransport, audit: Arc<InMemoryAuditLog>, seed: u64) -> Self {
        let shared = Shared { dice: Dice::new(seed), calm: true, fates: Vec::new() };
        Self { inner, audit, shared: Arc::new(Mutex::new(shared)) }
    }

    /// From now on nothing goes wrong, or things do.
    pub(super) fn calm(&self, calm: bool) {
        self.shared.lock().unwrap().calm = calm;
    }

    pub(super) fn fates(&self) -> Vec<Fate> {
        self.shared.lock().unwrap().fates.clone()
    }

    /// What goes wrong with the request, and before it.
    fn rolls(&self, is_write: bool) -> u64 {
        let mut shared = self.shared.lock().unwrap();
        if shared.calm {
            return u64::MAX;
        }
        if shared.dice.roll(20) == 0 {
            let event = event(&mut shared.dice);
            self.inner.with(|simulator| simulator.apply(event));
        }
        shared.dice.roll(if is_write { 8 } else { 60 })
    }

    fn note(&self, fate: Fate) {
        self.shared.lock().unwrap().fates.push(fate);
    }
}

fn event(dice: &mut Dice) -> Event {
    let stores = [1, 4, 5, 6];
    let store = NodeId::Store(*dice.pick(&stores));
    let pd = NodeId::Pd(usize::try_from(dice.roll(3)).unwrap());
    let region = *dice.pick(&[2, 8, 10, 12, 14, 16]);
    match dice.roll(10) {
        0 => Event::Crash(pd),
        1 | 2 => Event::Restart(pd),
        3 => Event::ResignPdLeader,
        4 => Event::Crash(store),
        5 => Event::Restart(store),
        6 => Event::Split(region),
        7 => Event::Doom { region, end: OperatorEnd::TimesOut },
        8 => Event::Doom { region, end: OperatorEnd::Canceled },
        _ => Event::Doom { region, end: OperatorEnd::Replaced },
    }
}

fn broken(kind: TransportErrorKind) -> TransportError {
    TransportError::new(kind, "as the dice fell")
}

#[async_trait]
impl Transport for Unreliable {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let is_write = request.method != Method::Get;
        let roll = self.rolls(is_write);
        if !is_write {
            return match roll {
                0 => Err(broken(TransportErrorKind::Reset)),
                _ => self.inner.send(request).await,
            };
        }
        // On disk before it leaves.
        let path = request.path_and_query().to_owned();
        let is_recorded = self
            .audit
            .records()
            .iter()
            .any(|record| matches!(&record.step, AuditStep::Sending { request } if request.path == path));
        assert!(is_recorded, "{path} is sent and the audit log does not say so");
        match roll {
            0 => {
                self.note(Fate::Refused);
                return Err(broken(TransportErrorKind::Connect));
            }
            1 => {
                self.note(Fate::Lost);
                return Err(broken(TransportErrorKind::Reset));
            }
            _ => {}
        }
        match self.inner.send(request).await {
            Ok(answer) => {
                let heard = roll > 3;
                self.note(Fate::Answered(answer.status, heard));
                match roll {
                    2 => Err(broken(TransportErrorKind::Reset)),
                    3 => {
                        tokio::time::sleep(Duration::from_secs(3_600)).await;
                        Err(broken(TransportErrorKind::Reset))
                    }
                    _ => Ok(answer),
                }
            }
            Err(error) => {
                let sure = error.kind == TransportErrorKind::Connect;
                self.note(if sure { Fate::Refused } else { Fate::Lost });
                Err(error)
            }
        }
    }
}
