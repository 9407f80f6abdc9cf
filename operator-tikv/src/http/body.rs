//! Reading a body without letting it take the memory or the time.

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::limits::Limits;
use super::transport::TransportError;
use crate::TimeoutPhase;

/// How much is reserved before the first bytes come: a declared length is not believed.
const FIRST_RESERVATION_BYTES: usize = 8 << 10;

/// The body as far as it was read.
pub(super) struct Read {
    pub(super) bytes: Bytes,
    /// Whether that is all of it.
    pub(super) complete: bool,
    /// The server's clock, to the second, if it said; not read from the body.
    pub(super) date: Option<DateTime<Utc>>,
}

/// Why a body was not read.
pub(super) enum Broken {
    Transport(TransportError),
    Timeout(TimeoutPhase),
}

/// Reads at most `max_bytes`; dropping the rest closes the connection.
pub(super) async fn read(
    mut body: BoxStream<'static, Result<Bytes, TransportError>>,
    max_bytes: usize,
    limits: &Limits,
    deadline: Instant,
) -> Result<Read, Broken> {
    let mut bytes = BytesMut::new();
    loop {
        let silence = Instant::now() + limits.read_timeout;
        let (until, phase) =
            if silence < deadline { (silence, TimeoutPhase::Body) } else { (deadline, TimeoutPhase::Total) };
        let piece = match timeout_at(until, body.next()).await {
            Ok(None) => return Ok(Read { bytes: bytes.freeze(), complete: true, date: None }),
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) => return Err(Broken::Transport(error)),
            Err(_) => return Err(Broken::Timeout(phase)),
        };
        // A stream that is always ready never lets a timer fire.
        if Instant::now() >= deadline {
            return Err(Broken::Timeout(TimeoutPhase::Total));
        }
        let room = max_bytes - bytes.len();
        if piece.len() > room {
            bytes.extend_from_slice(piece.get(..room).unwrap_or(&piece));
            return Ok(Read { bytes: bytes.freeze(), complete: false, date: None });
        }
        if bytes.is_empty() {
            bytes.reserve(FIRST_RESERVATION_BYTES.max(piece.len()).min(max_bytes));
        }
        bytes.extend_from_slice(&piece);
    }
}
