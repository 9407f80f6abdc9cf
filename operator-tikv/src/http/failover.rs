//! From member to member until one answers.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::Ordering;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep};

use super::body::Read;
use super::client::{Inner, Want};
use super::endpoint::Endpoint;
use super::pd_error::BodyShape;
use super::transport::{Method, TransportErrorKind};
use crate::Error;

/// Between two rounds over the members: from 100 ms, doubling, up to 1 s, each up to twice that by chance (seeded
/// at random: backon's own seed is the same in every process), so that many clients do not ask in step.
const FIRST_DELAY: Duration = Duration::from_millis(100);
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// What a failure says of the other members.
enum Failure {
    /// They would say the same.
    Final,
    /// PD has no leader yet.
    NoLeader,
    /// This member is out of reach; another may not be.
    Unreachable,
    /// This member will not talk to us however often it is asked; another may.
    Hopeless,
}

impl Inner {
    /// Asks the members for `path` until one answers.
    pub(super) async fn over_members(&self, path: &str, want: Want) -> Result<(Endpoint, u16, Read), Error> {
        let started = Instant::now();
        let mut failures: Vec<Option<Error>> = self.endpoints.iter().map(|_| None).collect();
        let mut tries: u32 = 0;
        let mut no_leader = false;
        let mut delays = delays();
        loop {
            let first = self.last_good.load(Ordering::Relaxed);
            let mut hopeless = true;
            for step in 0..self.endpoints.len() {
                let place = (first + step) % self.endpoints.len();
                let (Some(endpoint), Some(failure)) = (self.endpoints.get(place), failures.get_mut(place))
                else {
                    continue;
                };
                // Each member is tried once, and again only while the budget lasts.
                if failure.is_some() && started.elapsed() >= self.budget(no_leader) {
                    continue;
                }
                tries = tries.saturating_add(1);
                let error = match self.send_once(Method::Get, endpoint, path, want, &self.limits).await {
                    Ok((status, read)) => {
                        self.last_good.store(place, Ordering::Relaxed);
                        return Ok((endpoint.clone(), status, read));
                    }
                    Err(error) => error,
                };
                match classify(&error) {
                    Failure::Final => return Err(error),
                    Failure::NoLeader => (no_leader, hopeless) = (true, false),
                    Failure::Unreachable => hopeless = false,
                    Failure::Hopeless => {}
                }
                *failure = Some(error);
            }
            let left = self.left(no_leader, started);
            if hopeless || left.is_zero() {
                return Err(give_up(failures, no_leader, tries, started.elapsed()));
            }
            sleep(delays.next().unwrap_or(LONGEST_DELAY).min(left)).await;
        }
    }

    /// How long may be waited for the next round: whatever chance says of the delays, the last one comes just before the
    /// budget is spent.
    pub(super) fn left(&self, no_leader: bool, started: Instant) -> Duration {
        self.budget(no_leader).saturating_sub(started.elapsed() + FIRST_DELAY)
    }

    pub(super) fn budget(&self, no_leader: bool) -> Duration {
        if no_leader {
            self.limits.failover_budget.max(self.limits.unreachable_budget)
        } else {
            self.limits.unreachable_budget
        }
    }
}

/// Without end.
pub(super) fn delays() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_DELAY)
        .with_max_delay(LONGEST_DELAY)
        .with_jitter()
        .with_jitter_seed(RandomState::new().build_hasher().finish())
        .without_max_times()
        .build()
}

pub(super) fn give_up(failures: Vec<Option<Error>>, no_leader: bool, tries: u32, waited: Duration) -> Error {
    let mut failures: Vec<Error> = failures.into_iter().flatten().collect();
    match failures.pop() {
        Some(only) if failures.is_empty() && !no_leader => only,
        last => {
            failures.extend(last);
            Error::Unavailable { no_leader, tries, waited, failures }
        }
    }
}

fn classify(error: &Error) -> Failure {
    match error {
        Error::Unreachable { source, .. } if source.kind == TransportErrorKind::Tls => Failure::Hopeless,
        Error::Unreachable { .. } | Error::Timeout { .. } => Failure::Unreachable,
        Error::Status { status, pd, .. } => {
            // The spellings of "no leader" that PD has, and a gateway's when it finds no PD behind it.
            let spelled = ["ErrRedirect", "ErrRedirectNoLeader", "ErrRedirectToNotLeader", "ErrLeaderNil"];
            if pd.shape == BodyShape::Html {
                // Somebody else's page: that no election makes better, but the proxy may be back in a moment.
                Failure::Unreachable
            } else if matches!(status, 502..=504) || spelled.iter().any(|name| pd.is(name)) {
                Failure::NoLeader
            } else if pd.is("ErrNotBootstrapped") {
                // Either it is true, or the member has just become leader and has not loaded the cluster yet.
                Failure::Unreachable
            } else {
                Failure::Final
            }
        }
        _ => Failure::Final,
    }
}
