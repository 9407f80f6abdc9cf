//! Which entries are wanted.

use chrono::{DateTime, Utc};
use regex::bytes::Regex;

use super::level::Level;
use super::line::Entry;
use super::text::Text;

/// Which entries are wanted: those that meet every condition that is set.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Filter {
    /// This grave or graver.
    pub level: Option<Level>,
    /// At this moment or later.
    pub since: Option<DateTime<Utc>>,
    /// Before this moment. Clocks go back: what follows an entry that is too late is looked at all the same.
    pub until: Option<DateTime<Utc>>,
    /// A field `region_id` or `region-id` has this value.
    pub region: Option<u64>,
    /// A field whose name ends in `store_id` or `store-id`, or is `store` or `to_store`, has this value.
    pub store: Option<u64>,
    /// The source begins with this: `raft.rs`, or `raft.rs:1271`.
    pub source: Option<String>,
    /// Is found in the message.
    pub message: Option<Regex>,
}

impl Filter {
    /// Whether an entry is wanted.
    #[inline]
    pub fn takes(&self, entry: &Entry<'_>) -> bool {
        let has = |wanted: Option<u64>, is_name: fn(&[u8]) -> bool| {
            wanted.is_none_or(|wanted| {
                let is_it = |(name, value): (Text<'_>, Text<'_>)| {
                    is_name(name.inner()) && value.number() == Some(wanted)
                };
                entry.fields().any(is_it)
            })
        };
        self.may_take(entry)
            && has(self.region, |name| matches!(name, b"region_id" | b"region-id"))
            && has(self.store, |name| {
                matches!(name, b"store" | b"to_store")
                    || name.ends_with(b"store_id")
                    || name.ends_with(b"store-id")
            })
    }

    /// Whether an entry is wanted as far as can be told without its fields.
    #[inline]
    pub(super) fn may_take(&self, entry: &Entry<'_>) -> bool {
        self.level.is_none_or(|level| entry.level <= level)
            && self.source.as_ref().is_none_or(|source| entry.source.bytes().starts_with(source.as_bytes()))
            && self.takes_time(entry)
            && self.message.as_ref().is_none_or(|pattern| pattern.is_match(&entry.message.bytes()))
    }

    fn takes_time(&self, entry: &Entry<'_>) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let at = entry.time.utc();
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::parse_line;
    use super::*;

    type Set = fn(&mut Filter);

    #[test]
    fn every_condition_must_be_met() {
        let line = br#"[2026/11/22 02:43:46.639 +00:00] [WARN] [raft.rs:1271] ["say \"it\""] [region_id=2] [to_store=4] [x=9]"#;
        let entry = parse_line(line).unwrap();
        let time = |text: &str| Some(text.parse().unwrap());
        let conditions: [(Set, bool); 14] = [
            (|_| {}, true),
            (|filter| filter.level = Some(Level::Info), true),
            (|filter| filter.level = Some(Level::Error), false),
            (|filter| filter.region = Some(2), true),
            (|filter| filter.region = Some(4), false),
            (|filter| filter.store = Some(4), true),
            (|filter| filter.store = Some(9), false),
            (|filter| filter.source = Some("raft.rs".into()), true),
            (|filter| filter.source = Some("peer.rs".into()), false),
            (|filter| filter.message = Some(Regex::new("\"it\"$").unwrap()), true),
            (|filter| filter.message = Some(Regex::new("region_id").unwrap()), false),
            (|filter| filter.since = Some(DateTime::<Utc>::MAX_UTC), false),
            (|filter| filter.until = Some(DateTime::UNIX_EPOCH), false),
            (|filter| filter.until = Some(DateTime::<Utc>::MAX_UTC), true),
        ];
        for (index, (set, taken)) in conditions.into_iter().enumerate() {
            let mut filter = Filter::default();
            set(&mut filter);
            assert_eq!(filter.takes(&entry), taken, "{index}");
        }
        let exactly = time("2026-11-22T02:43:46.639Z");
        assert!(Filter { since: exactly, ..Filter::default() }.takes(&entry));
        assert!(!Filter { until: exactly, ..Filter::default() }.takes(&entry));
    }
}
