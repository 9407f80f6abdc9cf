//! What can go wrong between operator and a TiKV cluster.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use operator_core::ErrorKind;

use crate::http::{
    BodyShape, Endpoint, Method, ParseEndpointError, PdError, TransportError, TransportErrorKind,
};

/// What was asked of whom: named by every error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The server, without user and password.
    pub endpoint: Endpoint,
    /// The path with its query.
    pub path: String,
}

impl Call {
    /// A call of `path` at `endpoint`.
    pub fn new(method: Method, endpoint: Endpoint, path: impl Into<String>) -> Self {
        Self { method, endpoint, path: path.into() }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.endpoint, crate::http::printable(&self.path))
    }
}

/// The errors of this crate. Each message says what happened and, where it helps, what to try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be used.
    #[error("{field}: {message}")]
    Config {
        /// The field of [`TikvConfig`](crate::TikvConfig) or the argument.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// No answer: no connection, or it broke.
    #[error("{call}: {}{}", .source.message, unreachable_hint(.source.kind, .call))]
    Unreachable {
        /// What was asked of whom.
        call: Call,
        /// How it failed.
        source: TransportError,
    },
    /// No answer in time.
    #[error("{call}: {} {}{}", .phase, Seconds(*.after), timeout_hint(*.phase, .call))]
    Timeout {
        /// What was asked of whom.
        call: Call,
        /// What was waited for.
        phase: TimeoutPhase,
        /// How long.
        after: Duration,
    },
    /// A redirect. They are never followed.
    #[error(
        "{call}: answered {status} and points to {location}; redirects are not followed, because PD sends none: \
         give PD's own address instead of that of what stands in front of it"
    )]
    Redirect {
        /// What was asked of whom.
        call: Call,
        /// The status, 300 to 399.
        status: u16,
        /// Where it points to, without query and password.
        location: String,
    },
    /// A status that is neither 2xx nor a redirect.
    #[error("{call}: answered {status}: {pd}{}", status_hint(*.status, .pd))]
    Status {
        /// What was asked of whom.
        call: Call,
        /// The status.
        status: u16,
        /// What the body said.
        pd: Box<PdError>,
        /// The first 200 characters of the body.
        body: String,
    },
    /// Every member was asked, most more than once, and none could answer.
    #[error("{}", unavailable(*.no_leader, *.tries, *.waited, .failures))]
    Unavailable {
        /// Whether a member was there and said that PD has no leader; otherwise none was reached.
        no_leader: bool,
        /// The requests sent.
        tries: u32,
        /// How long it went on.
        waited: Duration,
        /// The last failure of each member, in the order of the configuration.
        failures: Vec<Error>,
    },
    /// A body longer than the limit. The rest was not read.
    #[error(
        "{call}: the body is longer than the limit of {limit_bytes} bytes; raise limits.max_body_bytes if that is right"
    )]
    TooLarge {
        /// What was asked of whom.
        call: Call,
        /// The limit, in decoded bytes.
        limit_bytes: usize,
    },
    /// A 2xx whose body could not be understood.
    #[error("{call}: answered {status}, but {message}{}", beginning(.body))]
    Protocol {
        /// What was asked of whom.
        call: Call,
        /// The status.
        status: u16,
        /// What is wrong with the body.
        message: String,
        /// The first 200 characters of the body.
        body: String,
    },
    /// Prometheus, or what speaks its API, answered with an error.
    #[error("{call}: answered {status}: {}", crate::prometheus::explained(.error_type.as_deref(), .message, *.status))]
    Prometheus {
        /// What was asked of whom.
        call: Call,
        /// The status. An error can come with 200.
        status: u16,
        /// Its own word for the kind: `bad_data`, `execution`, `timeout`, `canceled`, `unavailable`, …; none if what
        /// came was not the API's.
        error_type: Option<String>,
        /// What it says, printable; at most 200 characters if it was not the API's.
        message: String,
    },
    /// Nobody told anything about the stores.
    #[error("{}", no_metrics(.prometheus.as_deref(), *.stores, .failures))]
    NoMetrics {
        /// Why Prometheus did not, if there is one.
        prometheus: Option<String>,
        /// How many stores there are.
        stores: usize,
        /// Why those did not that were asked themselves.
        failures: Vec<Error>,
    },
    /// A 2xx that says that there is no such thing, such as PD's region with `id: 0`.
    #[error("{call}: {message}")]
    NotFound {
        /// What was asked of whom.
        call: Call,
        /// What there is not.
        message: String,
    },
}

/// What was waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeoutPhase {
    /// A connection.
    Connect,
    /// The head of the answer.
    Head,
    /// The next piece of the body.
    Body,
    /// The end of the body, which kept coming.
    Total,
}

impl fmt::Display for TimeoutPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection within",
            Self::Head => "no answer within",
            Self::Body => "the answer stopped in the middle for",
            Self::Total => "the answer was not complete after",
        })
    }
}

impl Error {
    /// What was asked of whom, if a single request failed.
    pub fn call(&self) -> Option<&Call> {
        match self {
            Self::Unreachable { call, .. }
            | Self::Timeout { call, .. }
            | Self::Redirect { call, .. }
            | Self::Status { call, .. }
            | Self::TooLarge { call, .. }
            | Self::Protocol { call, .. }
            | Self::Prometheus { call, .. }
            | Self::NotFound { call, .. } => Some(call),
            Self::Config { .. } | Self::Unavailable { .. } | Self::NoMetrics { .. } => None,
        }
    }

    /// What PD's body said, if it answered with an error.
    pub fn pd(&self) -> Option<&PdError> {
        match self {
            Self::Status { pd, .. } => Some(pd),
            _ => None,
        }
    }

    /// The status, if an answer came.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Redirect { status, .. }
            | Self::Status { status, .. }
            | Self::Protocol { status, .. }
            | Self::Prometheus { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether PD says that no store has joined yet. A PD that is becoming leader says so too, for a moment;
    /// [`HttpClient::get`](crate::http::HttpClient::get) has waited for that to pass.
    pub fn is_not_bootstrapped(&self) -> bool {
        match self {
            Self::Unavailable { no_leader: false, failures, .. } => {
                !failures.is_empty() && failures.iter().all(Self::is_not_bootstrapped)
            }
            _ => self.pd().is_some_and(|pd| pd.is("ErrNotBootstrapped")),
        }
    }

    /// Whether a member of PD said that PD has no leader, and went on saying so.
    pub fn is_no_leader(&self) -> bool {
        matches!(self, Self::Unavailable { no_leader: true, .. })
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config { .. } => ErrorKind::InvalidInput,
            Self::Unreachable { source, .. } => match source.kind {
                TransportErrorKind::Tls => ErrorKind::Unauthorized,
                TransportErrorKind::ConnectTimeout => ErrorKind::Timeout,
                _ => ErrorKind::Unavailable,
            },
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Redirect { .. } | Self::Protocol { .. } => ErrorKind::Protocol,
            Self::Status { call, status, pd, .. } => status_kind(call.method, *status, pd),
            Self::Unavailable { no_leader: true, .. } => ErrorKind::Unavailable,
            Self::Unavailable { failures, .. } | Self::NoMetrics { failures, .. } => {
                let mut kinds = failures.iter().map(Self::kind);
                match kinds.next() {
                    Some(first) if kinds.all(|kind| kind == first) => first,
                    _ => ErrorKind::Unavailable,
                }
            }
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::Prometheus { status, error_type, .. } => {
                crate::prometheus::error_kind(error_type.as_deref(), *status)
            }
            Self::NotFound { .. } => ErrorKind::NotFound,
        }
    }

    /// What to try, where that helps: the message says it as well, at its end.
    pub fn hint(&self) -> Option<&'static str> {
        let hint = match self {
            Self::Unreachable { call, source } => unreachable_hint(source.kind, call),
            Self::Timeout { call, phase, .. } => timeout_hint(*phase, call),
            Self::Status { status, pd, .. } => status_hint(*status, pd),
            _ => "",
        };
        hint.strip_prefix("; ")
    }

    /// Whether the same question may be answered later without anybody changing it.
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }

    /// As an error of the core, of the method `operation`.
    pub fn during(self, operation: impl Into<Cow<'static, str>>) -> operator_core::Error {
        self.described(operation).because(self)
    }

    /// As [`Error::during`], of an error that several parts share.
    pub(crate) fn shared_during(
        self: std::sync::Arc<Self>,
        operation: impl Into<Cow<'static, str>>,
    ) -> operator_core::Error {
        self.described(operation).because(self)
    }

    fn described(&self, operation: impl Into<Cow<'static, str>>) -> operator_core::Error {
        let error = operator_core::Error::new(self.kind(), operation, self.to_string());
        match self {
            Self::Unavailable { failures, .. } => {
                let asked: Vec<_> = failures
                    .iter()
                    .filter_map(|failure| Some(failure.call()?.endpoint.to_string()))
                    .collect();
                if asked.is_empty() { error } else { error.at(asked.join(",")) }
            }
            _ => match self.call() {
                Some(call) => error.at(call.endpoint.to_string()),
                None => error,
            },
        }
    }
}

impl From<Error> for operator_core::Error {
    fn from(error: Error) -> Self {
        error.during("tikv")
    }
}

impl From<ParseEndpointError> for Error {
    fn from(error: ParseEndpointError) -> Self {
        Self::Config { field: "endpoints", message: error.to_string() }
    }
}

fn status_kind(method: Method, status: u16, pd: &PdError) -> ErrorKind {
    if pd.is("ErrNotBootstrapped") {
        return ErrorKind::Unavailable;
    }
    if pd.code.as_ref().is_some_and(|code| code.name.ends_with("NotFound")) {
        return ErrorKind::NotFound;
    }
    match status {
        401 | 403 | 407 => ErrorKind::Unauthorized,
        // A router that does not know the path, not a handler that does not know the thing.
        404 if pd.message == "404 page not found" => ErrorKind::Unsupported,
        404 if pd.shape == BodyShape::Html => ErrorKind::Protocol,
        404 | 410 => ErrorKind::NotFound,
        405 | 501 => ErrorKind::Unsupported,
        400 | 422 => ErrorKind::InvalidInput,
        408 | 504 => ErrorKind::Timeout,
        413 => ErrorKind::TooLarge,
        429 | 502 | 503 => ErrorKind::Unavailable,
        400..=499 => ErrorKind::Refused,
        // PD refuses an action by 500; a question it cannot answer for the moment.
        500..=599 if method.is_safe() => ErrorKind::Unavailable,
        500..=599 => ErrorKind::Refused,
        _ => ErrorKind::Protocol,
    }
}

fn status_hint(status: u16, pd: &PdError) -> &'static str {
    if pd.is("ErrNotBootstrapped") {
        return "; PD runs, but no TiKV store has joined it yet";
    }
    match (status, pd.shape) {
        (_, BodyShape::Html) => "; PD sends no web pages: is this a proxy's address?",
        (401 | 403 | 407, _) => "; check the user and password, the token or the client certificate",
        (404, _) if pd.message == "404 page not found" => {
            "; is this PD's client address (port 2379), and does this version of PD know the path?"
        }
        (429, _) => "; PD limits the rate: ask less often",
        _ => "",
    }
}

fn beginning(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!("; the body begins with: {body}") }
}

fn timeout_hint(phase: TimeoutPhase, call: &Call) -> &'static str {
    match phase {
        TimeoutPhase::Connect if call.endpoint.is_https() => {
            "; check host and port, that a firewall lets the connection through, and that the port speaks TLS"
        }
        TimeoutPhase::Connect => "; check host and port, and that a firewall lets the connection through",
        _ => "",
    }
}

fn unreachable_hint(kind: TransportErrorKind, call: &Call) -> &'static str {
    match kind {
        TransportErrorKind::Dns => "; check the host name",
        TransportErrorKind::Connect => "; check host and port, and that the server runs",
        TransportErrorKind::Tls => {
            "; check that the port speaks TLS, the CA (--cacert), the names in the server's certificate, and the \
             client certificate (--cert, --key)"
        }
        TransportErrorKind::Reset if !call.endpoint.is_https() => {
            "; if the server speaks TLS, write https:// or give --cacert"
        }
        _ => "",
    }
}

fn no_metrics(prometheus: Option<&str>, stores: usize, failures: &[Error]) -> String {
    const NAMED: usize = 5;
    let prometheus = prometheus.map(|why| format!("{why} | ")).unwrap_or_default();
    if failures.is_empty() {
        return format!(
            "{prometheus}PD lists no status address that can be asked, for none of {stores} stores"
        );
    }
    let mut each = told_once(failures);
    let more = each.len().saturating_sub(NAMED);
    each.truncate(NAMED);
    let more = if more > 0 { format!(" | {more} more like these") } else { String::new() };
    format!("{prometheus}no store told its metrics: {}{more}", each.join(" | "))
}

fn unavailable(no_leader: bool, tries: u32, waited: Duration, failures: &[Error]) -> String {
    let members = failures.len();
    let what = if no_leader {
        "PD has no leader: an election takes about 15 s; without a majority of its members there is none"
    } else {
        "no member could answer"
    };
    let each = told_once(failures).join(" | ");
    format!("{what} (asked {members} members {tries} times in {}): {each}", Seconds(waited))
}

/// What failed; members that failed alike are told together.
fn told_once(failures: &[Error]) -> Vec<String> {
    struct Told {
        whole: String,
        but_endpoint: String,
        endpoints: Vec<String>,
    }
    let mut told: Vec<Told> = Vec::new();
    for failure in failures {
        let endpoint = failure.call().map(|call| call.endpoint.to_string()).unwrap_or_default();
        let whole = failure.to_string();
        let but_endpoint = whole.replacen(&endpoint, "", 1);
        match told.iter_mut().find(|told| told.but_endpoint == but_endpoint) {
            Some(told) => told.endpoints.push(endpoint),
            None => told.push(Told { whole, but_endpoint, endpoints: vec![endpoint] }),
        }
    }
    told.into_iter()
        .map(|told| match told.endpoints.len() {
            0 | 1 => told.whole,
            _ => format!("{} (each of {})", told.but_endpoint, told.endpoints.join(", ")),
        })
        .collect()
}

/// A duration as a person says it.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(1) {
            write!(f, "{} ms", self.0.as_millis())
        } else {
            write!(f, "{:.1} s", self.0.as_secs_f64())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_fail_alike_are_told_together() {
        let failure = |endpoint: &str, message: &str| Error::Unreachable {
            call: Call::new(Method::Get, endpoint.parse().unwrap(), "/pd/api/v1/stores"),
            source: TransportError::new(TransportErrorKind::Other, message),
        };
        let (a, b, c) = ("http://pd0:2379", "http://pd1:2379", "http://pd2:2379");
        let failures = [failure(a, "gone"), failure(b, "reset"), failure(c, "gone")];
        assert_eq!(
            told_once(&failures),
            [
                "GET /pd/api/v1/stores: gone (each of http://pd0:2379, http://pd2:2379)",
                "GET http://pd1:2379/pd/api/v1/stores: reset",
            ]
        );
    }
}
