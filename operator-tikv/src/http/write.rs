//! Requests that change something: sent at most once.
//!
//! A request is sent again only where it is certain that the first has changed nothing: no connection was made, or PD
//! says that it did not get to the point of doing it. `ErrRedirect` does not say that, although it mostly means that PD
//! has no leader: a follower answers so whenever forwarding failed, also when the leader broke off *after* it had done
//! what was asked.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use reqwest::header::HeaderValue;
use tokio::time::{Instant, sleep};

use super::body::Read;
use super::client::{Answer, Content, HttpClient, MAX_ERROR_BODY_BYTES, Want};
use super::failover::{LONGEST_DELAY, delays, give_up};
use super::pd_error::{BodyShape, PdError};
use super::text::excerpt;
use super::transport::{Method, TransportErrorKind};
use crate::{Call, Error, TimeoutPhase};

/// What became of a request that changes something.
#[derive(Debug)]
#[non_exhaustive]
pub enum Written {
    /// The server has done it, or has taken it: a 2xx.
    Taken(Answer),
    /// The server said no, and has changed nothing.
    Refused(Error),
    /// It has not reached the server, or the server has not looked at it.
    NotSent(Error),
    /// It may have been done or not, or may be done yet.
    Unknown(Error),
}

/// What the end of one try says.
enum Verdict {
    Refused,
    Unknown,
    /// It did not arrive there; another member may take it.
    NotArrived,
    /// It did not arrive anywhere, and PD has no leader that it could go to.
    NoLeader,
    /// Nobody else would take it either.
    NotSent,
}

impl HttpClient {
    /// Sends what changes something: at most one member executes it, and at most once.
    ///
    /// `body` is JSON. Members are tried in turn, as [`HttpClient::get`] does, for as long as each proves that it has
    /// not done anything.
    pub async fn write(&self, method: Method, path_and_query: &str, body: Option<Bytes>) -> Written {
        let inner = &*self.inner;
        let content: Option<Content> = body.map(|body| (HeaderValue::from_static("application/json"), body));
        let started = Instant::now();
        let mut failures: Vec<Option<Error>> = inner.endpoints.iter().map(|_| None).collect();
        let (mut tries, mut no_leader, mut delays) = (0_u32, false, delays());
        loop {
            let first = inner.last_good.load(Ordering::Relaxed);
            for step in 0..inner.endpoints.len() {
                let place = (first + step) % inner.endpoints.len();
                let (Some(endpoint), Some(failure)) = (inner.endpoints.get(place), failures.get_mut(place))
                else {
                    continue;
                };
                if failure.is_some() && started.elapsed() >= inner.budget(no_leader) {
                    continue;
                }
                tries = tries.saturating_add(1);
                let call = Call::new(method, endpoint.clone(), path_and_query);
                let want = Want::Prefix(MAX_ERROR_BODY_BYTES.min(inner.limits.max_body_bytes));
                let error = match inner.send(&call, content.clone(), want, &inner.limits).await {
                    Ok((status, read)) => {
                        inner.last_good.store(place, Ordering::Relaxed);
                        return taken(call, status, read);
                    }
                    Err(error) => error,
                };
                match verdict(&error) {
                    Verdict::Refused => return Written::Refused(error),
                    Verdict::Unknown => return Written::Unknown(error),
                    Verdict::NotSent => return Written::NotSent(error),
                    Verdict::NoLeader => no_leader = true,
                    Verdict::NotArrived => {}
                }
                *failure = Some(error);
            }
            let left = inner.left(no_leader, started);
            if left.is_zero() {
                return Written::NotSent(give_up(failures, no_leader, tries, started.elapsed()));
            }
            sleep(delays.next().unwrap_or(LONGEST_DELAY).min(left)).await;
        }
    }
}

/// A 2xx that a proxy's page comes with is not PD's word.
fn taken(call: Call, status: u16, read: Read) -> Written {
    match PdError::decode(&read.bytes).shape {
        BodyShape::Html | BodyShape::Panic => {
            let (message, body) = ("that is no answer of PD".to_owned(), excerpt(&read.bytes));
            Written::Unknown(Error::Protocol { call, status, message, body })
        }
        _ => {
            let Call { endpoint, path, .. } = call;
            Written::Taken(Answer { endpoint, path, status, body: read.bytes, date: read.date })
        }
    }
}

fn verdict(error: &Error) -> Verdict {
    match error {
        Error::Config { .. } | Error::Redirect { .. } => Verdict::NotSent,
        Error::Timeout { phase: TimeoutPhase::Connect, .. } => Verdict::NotArrived,
        Error::Unreachable { source, .. } => match source.kind {
            TransportErrorKind::Dns | TransportErrorKind::Connect | TransportErrorKind::ConnectTimeout => {
                Verdict::NotArrived
            }
            // With TLS 1.3 a handshake can fail after the request was written.
            _ => Verdict::Unknown,
        },
        Error::Status { status, pd, .. } => of_status(*status, pd),
        _ => Verdict::Unknown,
    }
}

fn of_status(status: u16, pd: &PdError) -> Verdict {
    let is_one_of = |names: &[&str]| names.iter().any(|name| pd.is(name));
    if is_one_of(&["ErrRedirectNoLeader", "ErrRedirectToNotLeader", "ErrLeaderNil"]) {
        return Verdict::NoLeader;
    }
    if pd.is("ErrNotBootstrapped") {
        // It may just have become leader, and not have loaded the cluster yet.
        return Verdict::NotArrived;
    }
    match status {
        // Too slow, so nobody knows how far it came.
        408 => Verdict::Unknown,
        400..=499 => Verdict::Refused,
        // A gateway's words, or none, or those of a handler that died on the way.
        502..=504 => Verdict::Unknown,
        _ if matches!(pd.shape, BodyShape::Empty | BodyShape::Html | BodyShape::Panic) => Verdict::Unknown,
        500 if pd.is("ErrRedirect") || is_storage_in_doubt(pd) => Verdict::Unknown,
        500 => Verdict::Refused,
        _ => Verdict::Unknown,
    }
}

/// Whether PD's own store did not say in time whether it has kept the change.
fn is_storage_in_doubt(pd: &PdError) -> bool {
    pd.code.as_ref().is_some_and(|code| code.class == "etcd")
        || ["context deadline exceeded", "context canceled", "etcdserver:"]
            .iter()
            .any(|sign| pd.message.contains(sign))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(400, "\"missing region id\"\n", "refused")]
    #[case(404, "null\n", "refused")]
    #[case(410, "\"[PD:core:ErrStoreRemoved]the store 4 has been removed\"", "refused")]
    #[case(429, "Too Many Requests\n", "refused")]
    #[case(500, "\"region has no voter in store 216\"\n", "refused")]
    #[case(500, "\"\\\"[PD:core:ErrStoreNotFound]store 999999 not found\\\"\\n\"\n", "refused")]
    #[case(503, "[PD:apiutil:ErrRedirectNoLeader]redirect finds no leader", "no leader")]
    #[case(500, "[PD:apiutil:ErrRedirectToNotLeader]redirect to not leader", "no leader")]
    #[case(500, "\"[PD:cluster:ErrNotBootstrapped]TiKV cluster not bootstrapped\"", "not arrived")]
    #[case(500, "[PD:apiutil:ErrRedirect]redirect failed\n", "unknown")]
    #[case(500, "\"[PD:etcd:ErrEtcdTxnInternal]internal etcd transaction error\"", "unknown")]
    #[case(500, "\"etcdserver: request timed out\"", "unknown")]
    #[case(500, "", "unknown")]
    #[case(500, "PANIC: runtime error\ngoroutine 12 [running]:", "unknown")]
    #[case(502, "bad gateway", "unknown")]
    #[case(503, "no service", "unknown")]
    #[case(504, "<html><title>Gateway Timeout</title>", "unknown")]
    fn what_an_answer_proves(#[case] status: u16, #[case] body: &str, #[case] expected: &str) {
        let verdict = match of_status(status, &PdError::decode(body.as_bytes())) {
            Verdict::Refused => "refused",
            Verdict::Unknown => "unknown",
            Verdict::NotArrived => "not arrived",
            Verdict::NoLeader => "no leader",
            Verdict::NotSent => "not sent",
        };
        assert_eq!(verdict, expected);
    }
}
