//! Asks a store itself whether it lives, where PD's word is not enough.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use operator_core::{Store, StoreId};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Error;
use crate::http::{Endpoint, HttpClient, Limits, TransportErrorKind};

/// `GET /status` of a store's status port answers 200 and nothing else, without a certificate's name being checked.
const STATUS: &str = "/status";

/// A store that lives answers at once.
const DEADLINE: Duration = Duration::from_secs(2);

/// How many stores are asked at the same time.
const AT_ONCE: usize = 64;

/// What came of asking a store at its status port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Probe {
    /// Something answers there, whatever it says: the process lives.
    Answers,
    /// Nobody listens.
    Refused,
    /// No answer in time: it hangs, or packets are lost.
    Silent,
    /// It could not be asked: there is no address that can be reached from here.
    Unknown,
}

impl Probe {
    /// The name, as in signals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Refused => "refused",
            Self::Silent => "silent",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Asks `stores` at their status ports, at most 64 at a time, each for at most 2 s.
pub(crate) async fn probe<'a>(
    http: &HttpClient,
    stores: impl IntoIterator<Item = &'a Store>,
) -> BTreeMap<StoreId, Probe> {
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut found = BTreeMap::new();
    // Dropped with this future, it takes the requests with it.
    let mut running = JoinSet::new();
    for store in stores {
        let Some(endpoint) = status_endpoint(http, store) else {
            found.insert(store.id, Probe::Unknown);
            continue;
        };
        let (http, at_once, id) = (http.clone(), Arc::clone(&at_once), store.id);
        running.spawn(async move {
            // Nobody closes the semaphore.
            let _permit = at_once.acquire_owned().await;
            (id, judge(http.get_from(&endpoint, STATUS, &limits(&http)).await.err()))
        });
    }
    while let Some(probed) = running.join_next().await {
        if let Ok((id, probe)) = probed {
            found.insert(id, probe);
        }
    }
    found
}

/// What bounds a question to a store.
pub(crate) fn limits(http: &HttpClient) -> Limits {
    let limits = http.limits().clone();
    limits
        .with_connect_timeout(DEADLINE)
        .with_read_timeout(DEADLINE)
        .with_total_timeout(DEADLINE)
        .with_max_body_bytes(1 << 20)
}

/// Where the store answers about itself, if that can be known: a store that was not told what to announce announces
/// `0.0.0.0`, or the loopback address of its own machine.
pub(crate) fn status_endpoint(http: &HttpClient, store: &Store) -> Option<Endpoint> {
    let address = store.status_address.as_deref()?;
    let scheme = if http.endpoints().iter().any(Endpoint::is_https) { "https" } else { "http" };
    let address = if address.contains("://") { address.to_owned() } else { format!("{scheme}://{address}") };
    let endpoint: Endpoint = address.parse().ok()?;
    let host = host_of(&endpoint.authority());
    let elsewhere = !is_loopback(&host_of(&store.address));
    let means_another = is_unspecified(&host) || is_loopback(&host) && elsewhere;
    (!means_another).then_some(endpoint)
}

fn host_of(authority: &str) -> String {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

fn is_unspecified(host: &str) -> bool {
    host.is_empty() || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn judge(error: Option<Error>) -> Probe {
    match error {
        Some(Error::Timeout { .. }) => Probe::Silent,
        Some(Error::Unreachable { source, .. }) => match source.kind {
            TransportErrorKind::Connect => Probe::Refused,
            TransportErrorKind::ConnectTimeout => Probe::Silent,
            // Only somebody who lives fails to agree on TLS, or breaks off in the middle.
            TransportErrorKind::Tls | TransportErrorKind::Body => Probe::Answers,
            // A name that is not known here, or a connection that something in between ended.
            _ => Probe::Unknown,
        },
        Some(Error::Config { .. } | Error::Unavailable { .. }) => Probe::Unknown,
        // An answer, if not the one asked for.
        Some(_) | None => Probe::Answers,
    }
}

#[cfg(test)]
mod tests {
    use operator_core::StoreState;
    use rstest::rstest;

    use super::*;
    use crate::TikvConfig;
    use crate::http::{HttpRequest, HttpResponse, Transport, TransportError};

    /// Each host does what its name says.
    #[derive(Debug)]
    struct Hosts;

    #[async_trait::async_trait]
    impl Transport for Hosts {
        async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
            let fails = |kind| Err(TransportError::new(kind, "as told"));
            match request.url.host_str().unwrap_or_default() {
                "well" => Ok(HttpResponse::whole(200, "")),
                "angry" => Ok(HttpResponse::whole(500, "no")),
                "dead" => fails(TransportErrorKind::Connect),
                "filtered" => fails(TransportErrorKind::ConnectTimeout),
                "hung" => std::future::pending().await,
                "other-tls" => fails(TransportErrorKind::Tls),
                "reset" => fails(TransportErrorKind::Reset),
                _ => fails(TransportErrorKind::Dns),
            }
        }
    }

    fn http(pd: &str) -> HttpClient {
        pd.parse::<TikvConfig>().unwrap().client_over(Hosts).unwrap()
    }

    fn store(id: u64, address: &str, status_address: &str) -> Store {
        let mut store = Store::new(id.into(), address, StoreState::Disconnected);
        store.status_address = Some(status_address.to_owned());
        store
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_is_judged_by_what_it_does() {
        let hosts = [
            ("well", Probe::Answers),
            ("angry", Probe::Answers),
            ("other-tls", Probe::Answers),
            ("dead", Probe::Refused),
            ("filtered", Probe::Silent),
            ("hung", Probe::Silent),
            ("reset", Probe::Unknown),
            ("nowhere", Probe::Unknown),
            ("0.0.0.0", Probe::Unknown),
        ];
        let stores: Vec<_> = (1..)
            .zip(hosts)
            .map(|(id, (host, _))| store(id, &format!("{host}:20160"), &format!("{host}:20180")))
            .collect();
        let started = tokio::time::Instant::now();
        let found = probe(&http("pd:2379"), &stores).await;
        for (store, (host, expected)) in stores.iter().zip(hosts) {
            assert_eq!(found[&store.id], expected, "{host}");
        }
        assert!(started.elapsed() <= DEADLINE + Duration::from_millis(10), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_are_silent_are_asked_in_groups() {
        let stores: Vec<_> = (1..=200).map(|id| store(id, "hung:20160", "hung:20180")).collect();
        let started = tokio::time::Instant::now();
        let found = probe(&http("pd:2379"), &stores).await;
        assert!(found.len() == 200 && found.values().all(|probe| *probe == Probe::Silent));
        // 200 by 64 at a time: four rounds.
        assert_eq!(started.elapsed().as_secs(), 4 * DEADLINE.as_secs());
    }

    #[rstest]
    #[case("pd:1", "tikv0:20160", "tikv0:20180", Some("http://tikv0:20180"))]
    #[case("https://pd:1", "tikv0:20160", "tikv0:20180", Some("https://tikv0:20180"))]
    #[case("pd:1", "127.0.0.1:20160", "127.0.0.1:20180", Some("http://127.0.0.1:20180"))]
    #[case("pd:1", "[::1]:20160", "localhost:20180", Some("http://localhost:20180"))]
    #[case("pd:1", "10.0.0.7:20160", "127.0.0.1:20180", None)]
    #[case("pd:1", "tikv0:20160", "[::]:20180", None)]
    #[case("pd:1", "tikv0:20160", "", None)]
    #[case("pd:1", "tikv0:20160", "not an address", None)]
    fn an_address_that_means_another_machine_is_not_asked(
        #[case] pd: &str,
        #[case] address: &str,
        #[case] status_address: &str,
        #[case] expected: Option<&str>,
    ) {
        let endpoint = status_endpoint(&http(pd), &store(1, address, status_address));
        assert_eq!(endpoint.map(|endpoint| endpoint.to_string()).as_deref(), expected);
    }
}
