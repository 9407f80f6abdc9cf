//! A request and its answer, without a socket.

use std::collections::VecDeque;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// An HTTP request as a node receives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, … in upper case.
    pub method: String,
    /// Path with query, percent-encoded as on the wire: `/pd/api/v1/stores?state=1`.
    pub path_and_query: String,
    /// Header names (compared without case) and values.
    pub headers: Vec<(String, String)>,
    /// The body; empty for `GET`.
    pub body: Bytes,
}

impl Request {
    /// A `GET` without headers.
    pub fn get(path_and_query: impl Into<String>) -> Self {
        Self::new("GET", path_and_query)
    }

    /// A request without headers and body.
    pub fn new(method: impl Into<String>, path_and_query: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            path_and_query: path_and_query.into(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    fn accepts_gzip(&self) -> bool {
        let named = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("accept-encoding"));
        named.flat_map(|(_, value)| value.split(',')).any(|coding| {
            let (coding, weight) = coding.split_once(';').unwrap_or((coding, ""));
            coding.trim().eq_ignore_ascii_case("gzip") && !matches!(weight.trim(), "q=0" | "q=0.0")
        })
    }

    pub(crate) fn path(&self) -> &str {
        self.path_and_query.split_once('?').map_or(self.path_and_query.as_str(), |(path, _)| path)
    }
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The node answered.
    Answer {
        /// HTTP status code.
        status: u16,
        /// Header names and values, as the node spells them.
        headers: Vec<(String, String)>,
        /// The body.
        body: Bytes,
        /// How long the node takes before it answers.
        delay: Duration,
    },
    /// Nothing listens there: the process is dead, or there is no such node.
    Refused,
    /// The connection is accepted and nothing ever comes back: the process hangs.
    Silent,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: Option<&str>, body: impl Into<Bytes>) -> Self {
        Self::Answer {
            status,
            headers: content_type
                .map(|value| ("Content-Type".to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
            body: body.into(),
            delay: Duration::ZERO,
        }
    }

    /// With the header that PD gives every answer.
    pub(crate) fn open_to_all(mut self) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push(("Access-Control-Allow-Origin".to_owned(), "*".to_owned()));
        }
        self
    }

    /// Compressed, if the request allows it: TiKV and PD compress their metrics.
    pub(crate) fn gzipped_for(mut self, request: &Request) -> Self {
        if let Self::Answer { headers, body, .. } = &mut self
            && request.accepts_gzip()
        {
            let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
            // Writing to memory does not fail; if it did, the page would go as it is.
            if encoder.write_all(body).is_ok()
                && let Ok(compressed) = encoder.finish()
            {
                *body = compressed.into();
                headers.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
            }
        }
        self
    }

    /// The status, or `None` when no answer came.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } => Some(*status),
            Self::Refused | Self::Silent => None,
        }
    }

    /// The body; empty when no answer came.
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Answer { body, .. } => body,
            Self::Refused | Self::Silent => &[],
        }
    }

    /// The value of a header, its name compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self {
            Self::Answer { headers, .. } => {
                headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
            }
            Self::Refused | Self::Silent => None,
        }
    }
}

/// One request that a node received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `GET`, `POST`, …
    pub method: String,
    /// `host:port` it was sent to.
    pub authority: String,
    /// The path without its query.
    pub path: String,
    /// The query without its `?`; empty when there was none.
    pub query: String,
    /// The body, of a request that is no `GET`.
    pub body: Bytes,
}

/// The last [`RequestLog::LIMIT`] requests, oldest first, and how many there were in all. Those that are no `GET` are kept
/// apart as well, so that reading does not push them out.
#[derive(Debug, Default)]
pub struct RequestLog {
    recent: VecDeque<Received>,
    total: u64,
    writes: VecDeque<Received>,
    body_bytes: usize,
}

impl RequestLog {
    /// How many requests are kept, and how many that are no `GET`.
    pub const LIMIT: usize = 10_000;
    /// How many bytes of bodies are kept, in all.
    pub const BODY_LIMIT: usize = 16 << 20;

    /// The requests that are kept, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &Received> {
        self.recent.iter()
    }

    /// The requests that are kept and are no `GET`, oldest first.
    pub fn writes(&self) -> impl Iterator<Item = &Received> {
        self.writes.iter()
    }

    /// How many requests were received, also those no longer kept.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many of the kept requests have this path.
    pub fn count(&self, path: &str) -> usize {
        self.recent.iter().filter(|request| request.path == path).count()
    }

    /// Forgets everything, so that a test can count from here.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn note(&mut self, authority: &str, request: &Request) {
        self.total += 1;
        let (path, query) =
            request.path_and_query.split_once('?').unwrap_or((request.path_and_query.as_str(), ""));
        let is_write = request.method != "GET";
        let received = Received {
            method: request.method.clone(),
            authority: authority.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: if is_write { request.body.clone() } else { Bytes::new() },
        };
        if self.recent.len() == Self::LIMIT {
            self.recent.pop_front();
        }
        if is_write {
            self.body_bytes += received.body.len();
            self.writes.push_back(received.clone());
            while self.writes.len() > Self::LIMIT || self.body_bytes > Self::BODY_LIMIT {
                let Some(oldest) = self.writes.pop_front() else { break };
                self.body_bytes -= oldest.body.len();
                // Its body may still be held by the other list.
                if let Some(same) = self.recent.iter_mut().find(|other| **other == oldest) {
                    same.body = Bytes::new();
                }
            }
        }
        self.recent.push_back(received);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_still_counts() {
        let mut log = RequestLog::default();
        for n in 0..RequestLog::LIMIT + 5 {
            log.note("a:1", &Request::get(format!("/x?n={n}")));
        }
        assert_eq!(log.recent().count(), RequestLog::LIMIT);
        assert_eq!(log.total(), RequestLog::LIMIT as u64 + 5);
        assert_eq!(log.count("/x"), RequestLog::LIMIT);
        assert_eq!(log.recent().next().map(|r| r.query.as_str()), Some("n=5"));
    }

    #[test]
    fn writes_are_kept_with_their_bodies_within_a_limit() {
        let mut log = RequestLog::default();
        let mut write = Request::new("POST", "/x?force");
        write.body = Bytes::from_static(b"{}");
        log.note("a:1", &write);
        for _ in 0..RequestLog::LIMIT {
            log.note("a:1", &Request::get("/y"));
        }
        let kept: Vec<_> = log.writes().collect();
        assert_eq!(
            (kept.len(), kept[0].query.as_str(), kept[0].body.as_ref()),
            (1, "force", b"{}".as_slice())
        );

        write.body = Bytes::from(vec![0; RequestLog::BODY_LIMIT / 4]);
        for _ in 0..8 {
            log.note("a:1", &write);
        }
        let bytes = |kept: &mut dyn Iterator<Item = &Received>| kept.map(|r| r.body.len()).sum::<usize>();
        assert_eq!(bytes(&mut log.writes()), RequestLog::BODY_LIMIT);
        assert_eq!(bytes(&mut log.recent()), RequestLog::BODY_LIMIT);
    }
}
