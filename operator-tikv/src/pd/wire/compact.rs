//! Reads pages of regions in the one form in which PD writes them: compact, in JSON's simplest means.
//!
//! Pages are most of what is read of PD, and this takes a fraction of the time of a reader for any JSON. It knows no
//! errors: whatever it does not expect (blanks, escapes, `null`, a field that holds more than a number) makes it give
//! up, and the page is read again by serde_json, which decides. Both are held to the same results by tests.

use operator_core::Key;

use super::region::{DownPeer, Epoch, Peer, Region};

/// The regions of a page, each turned into an `R`; `None` if it must be read by serde_json.
pub(super) fn regions<R: From<Region>>(page: &[u8]) -> Option<Vec<R>> {
    let mut text = Compact(page);
    text.skip(br#"{"count":"#)?;
    let count = text.number()?;
    text.skip(br#","regions":["#)?;
    let mut regions = Vec::with_capacity(usize::try_from(count).ok()?.min(super::LARGEST_PAGE));
    text.list(|text| {
        regions.push(text.region()?.into());
        Some(())
    })?;
    text.skip(b"}")?;
    text.0.iter().all(u8::is_ascii_whitespace).then_some(regions)
}

/// What is left to read.
struct Compact<'a>(&'a [u8]);

impl<'a> Compact<'a> {
    fn skip(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let length = self.0.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.0.split_at_checked(length)?;
        // Nothing else begins with a zero but zero itself; 19 digits always fit, what is longer is rare.
        if digits.is_empty() || digits.len() > 19 || (digits.len() > 1 && digits.starts_with(b"0")) {
            return None;
        }
        self.0 = rest;
        Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit & 0x0F)))
    }

    /// A text without escapes, behind its opening quote.
    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.0.iter().position(|byte| *byte == b'"')?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        self.skip(b"\"")?;
        (!text.iter().any(|byte| *byte == b'\\' || !byte.is_ascii() || byte.is_ascii_control()))
            .then_some(text)
    }

    fn key(&mut self) -> Option<Key> {
        self.skip(b"\"")?;
        std::str::from_utf8(self.text()?).ok()?.parse().ok()
    }

    /// The elements of a list behind its opening bracket, up to its end.
    fn list(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.skip(b"]").is_some() {
            return Some(());
        }
        loop {
            element(self)?;
            match self.byte()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// The fields of an object; `field` reads the value of the one whose name it is given.
    fn object(&mut self, mut field: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.skip(b"{")?;
        if self.skip(b"}").is_some() {
            return Some(());
        }
        loop {
            self.skip(b"\"")?;
            let name = self.text()?;
            self.skip(b":")?;
            field(self, name)?;
            match self.byte()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn region(&mut self) -> Option<Region> {
        let mut id = None;
        let mut region = Region::default();
        self.object(|text, name| {
            match name {
                b"id" => id = Some(text.number()?),
                b"start_key" => region.start_key = text.key()?,
                b"end_key" => region.end_key = text.key()?,
                b"epoch" => region.epoch = text.epoch()?,
                b"peers" => region.peers = text.peers()?,
                b"leader" => region.leader = text.peer()?,
                b"down_peers" => region.down_peers = text.down_peers()?,
                b"pending_peers" => region.pending_peers = text.peers()?,
                b"written_bytes" => region.written_bytes = Some(text.number()?),
                b"read_bytes" => region.read_bytes = Some(text.number()?),
                b"written_keys" => region.written_keys = Some(text.number()?),
                b"read_keys" => region.read_keys = Some(text.number()?),
                b"approximate_size" => region.approximate_size = Some(i64::try_from(text.number()?).ok()?),
                b"approximate_keys" => region.approximate_keys = Some(i64::try_from(text.number()?).ok()?),
                _ => drop(text.number()?),
            }
            Some(())
        })?;
        region.id = id?;
        Some(region)
    }

    fn epoch(&mut self) -> Option<Epoch> {
        let mut epoch = Epoch::default();
        self.object(|text, name| {
            let number = text.number()?;
            match name {
                b"conf_ver" => epoch.conf_ver = number,
                b"version" => epoch.version = number,
                _ => {}
            }
            Some(())
        })?;
        Some(epoch)
    }

    fn peers(&mut self) -> Option<Vec<Peer>> {
        self.skip(b"[")?;
        let mut peers = Vec::new();
        self.list(|text| {
            peers.push(text.peer()?);
            Some(())
        })?;
        Some(peers)
    }

    fn peer(&mut self) -> Option<Peer> {
        let mut peer = Peer::default();
        self.object(|text, name| {
            match name {
                b"role_name" => {
                    text.skip(b"\"")?;
                    text.text()?;
                }
                b"id" => peer.id = text.number()?,
                b"store_id" => peer.store_id = text.number()?,
                b"role" => peer.role = text.number()?,
                b"is_learner" | b"is_witness" => text.skip(b"true").or_else(|| text.skip(b"false"))?,
                _ => return None,
            }
            Some(())
        })?;
        Some(peer)
    }

    fn down_peers(&mut self) -> Option<Vec<DownPeer>> {
        self.skip(b"[")?;
        let mut peers = Vec::new();
        self.list(|text| {
            let mut down = DownPeer::default();
            text.object(|text, name| {
                match name {
                    b"peer" => down.peer = text.peer()?,
                    b"down_seconds" => down.down_seconds = Some(text.number()?),
                    _ => return None,
                }
                Some(())
            })?;
            peers.push(down);
            Some(())
        })?;
        Some(peers)
    }
}
