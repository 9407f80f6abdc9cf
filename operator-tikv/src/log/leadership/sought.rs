//! Which lines are worth reading for what they may tell of leadership.

use operator_core::LeadershipChangeKind as Kind;

use crate::log::marks::first;

/// Whether a line can tell of leadership, by a look at where its source and its message stand, which costs nothing
/// beside finding the line's end. A line that looks unlike others is not refused. `votes`: see
/// [`is_vote`](Kind::is_vote).
#[inline(always)]
pub fn may_tell(line: &[u8], votes: bool) -> bool {
    Sought { votes, message: None }.may_be_in(line)
}

/// What lines are looked through for.
#[derive(Debug, Clone, Copy)]
pub(in crate::log) struct Sought {
    votes: bool,
    /// How the raft layer's message begins, where no other tells it.
    message: Option<u64>,
}

impl Sought {
    /// These kinds; any if there are none, and votes only on request.
    pub(in crate::log) fn new(kinds: &[Kind], votes: bool) -> Self {
        let message = match kinds {
            [Kind::BecameLeader] => Some(eight(b"became l")),
            [Kind::BecameFollower] => Some(eight(b"became f")),
            [Kind::BecameCandidate] => Some(eight(b"became c")),
            [Kind::BecamePreCandidate] => Some(eight(b"became p")),
            [Kind::ElectionStarted] => Some(eight(b"starting")),
            _ => None,
        };
        Self { votes: votes || kinds.iter().any(|kind| kind.is_vote()), message }
    }

    /// See [`may_tell`].
    #[inline(always)]
    pub(in crate::log) fn may_be_in(self, line: &[u8]) -> bool {
        match Looks::usual(line) {
            Some(looks) if !self.may_be(looks) => false,
            _ => match Looks::of(line) {
                Some(looks) => self.may_be(looks),
                None => matches!(line.first(), Some(b'[' | b'{')),
            },
        }
    }

    /// Without branches: what the next line is about cannot be predicted.
    #[inline(always)]
    fn may_be(self, Looks { source, message }: Looks) -> bool {
        let unknown = source == eight(b"<unknown");
        let raft = (source == eight(b"raft.rs:")) | unknown;
        let peer = (source == eight(b"peer.rs:")) | unknown;
        let other = (source == eight(b"server.g")) | (source == eight(b"region.g")) | (source as u8 == b'"');

        let begins = |two: &[u8; 2]| message as u16 == u16::from_le_bytes(*two);
        let of_raft = match self.message {
            Some(wanted) => message == wanted,
            None => {
                begins(b"be")
                    | begins(b"st")
                    | begins(b"[t")
                    | (self.votes & (begins(b"br") | begins(b"re") | begins(b"[l")))
            }
        };
        let unclear = message == UNCLEAR;
        (raft & (of_raft | unclear)) | (peer & ((message == eight(b"leader m")) | unclear)) | other
    }
}

/// What stands where nearly every line has its source and its message.
#[derive(Clone, Copy)]
struct Looks {
    /// The first eight bytes.
    source: u64,
    /// The first eight bytes behind the quote, or [`UNCLEAR`].
    message: u64,
}

/// A message that is shorter, or has no quotes.
const UNCLEAR: u64 = 0;

impl Looks {
    /// Of a line with a level of four letters and a source that names a line of four digits, as nearly all have: where
    /// their message stands. Of others it is [`UNCLEAR`].
    #[inline(always)]
    fn usual(line: &[u8]) -> Option<Self> {
        let (level, rest) = line.get(31..)?.split_first_chunk::<10>()?;
        let (source, rest) = rest.split_first_chunk()?;
        let (end, rest) = rest.get(4..)?.split_first_chunk::<4>()?;
        let message = rest.first_chunk()?;
        let message = if end == b"] [\"" { eight(message) } else { UNCLEAR };
        let looks_so = line.starts_with(b"[") & level.starts_with(b"] [") & level.ends_with(b"] [");
        looks_so.then_some(Self { source: eight(source), message })
    }

    /// Of `[2026/11/22 02:43:46.639 +00:00] [INFO] [raft.rs:1271] ["became leader at term 6"]`, also with a level of five
    /// letters and wherever the source ends.
    #[inline(always)]
    fn of(line: &[u8]) -> Option<Self> {
        let level = line.strip_prefix(b"[")?.get(30..)?.strip_prefix(b"] [")?;
        let rest = match level.split_at_checked(4)?.1.split_first_chunk()? {
            (b"] [", rest) => rest,
            (_, _) => level.split_at_checked(5)?.1.strip_prefix(b"] [")?,
        };
        let (source, rest) = rest.split_first_chunk()?;
        let end = first(rest, 0, |some| some.are(b']'));
        let message = match rest.get(end..).and_then(<[u8]>::split_first_chunk) {
            Some((b"] [\"", message)) => message.first_chunk().map_or(UNCLEAR, eight),
            _ => UNCLEAR,
        };
        Some(Self { source: eight(source), message })
    }
}

#[inline(always)]
const fn eight(bytes: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*bytes)
}
