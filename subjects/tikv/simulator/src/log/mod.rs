//! The logs that the processes write: TiDB's unified format, in the forms that a real cluster was recorded writing.

mod line;
mod tikv;
mod pd;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, Utc};

pub(crate) use line::{Level, Line};
pub(crate) use pd::Stood;

use crate::event::NodeId;
use crate::simulator::Simulator;

/// What was written since it was asked for last.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Lines without a line feed, oldest first.
    pub lines: Vec<String>,
    /// How many more there were, older than these: more than [`Written::LIMIT`] are not kept.
    pub lost: u64,
}

impl Written {
    /// How many lines of one node are kept.
    pub const LIMIT: usize = 10_000;
    /// How many lines of all nodes together are kept.
    pub const LIMIT_IN_ALL: usize = 200_000;
}

/// A region got a leader: what a log is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Led {
    /// When.
    pub at: DateTime<Utc>,
    /// The region.
    pub region: u64,
    /// The peer that leads it.
    pub peer: u64,
    /// The store of that peer.
    pub store: u64,
    /// The term for which it was elected.
    pub term: u64,
}

/// What a store that stopped without dying still believes of its regions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Belief {
    pub(crate) led: bool,
    pub(crate) term: u64,
}

/// The lines of every node, while they are kept.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    nodes: BTreeMap<NodeId, Kept>,
    kept: usize,
    led: VecDeque<Led>,
    /// By hung store, and by region.
    pub(crate) beliefs: BTreeMap<u64, BTreeMap<u64, Belief>>,
    /// Regions whose peers try in vain to elect a leader.
    pub(crate) campaigning: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    lost: u64,
}

impl Logs {
    fn write(&mut self, node: NodeId, line: Line) {
        let log = self.nodes.entry(node).or_default();
        log.lines.push_back(line.into_text());
        self.kept += 1;
        if log.lines.len() > Written::LIMIT || self.kept > Written::LIMIT_IN_ALL {
            log.lines.pop_front();
            log.lost += 1;
            self.kept -= 1;
        }
    }

    fn note(&mut self, led: Led) {
        if self.led.len() == Written::LIMIT_IN_ALL {
            self.led.pop_front();
        }
        self.led.push_back(led);
    }

    fn drain(&mut self, node: NodeId) -> Written {
        let Some(log) = self.nodes.get_mut(&node) else { return Written::default() };
        self.kept -= log.lines.len();
        Written { lines: log.lines.drain(..).collect(), lost: std::mem::take(&mut log.lost) }
    }
}

impl Simulator {
    /// What the node wrote to its log since this was asked last. Nothing unless [`Config::logs`](crate::Config::logs)
    /// is set.
    pub fn drain_log(&mut self, node: NodeId) -> Written {
        self.logs.drain(node)
    }

    /// Every leader that a region got since this was asked last, oldest first, the last 200,000 of them. Nothing unless
    /// [`Config::logs`](crate::Config::logs) is set.
    pub fn drain_leaders(&mut self) -> Vec<Led> {
        self.logs.led.drain(..).collect()
    }

    /// A process that runs writes a line, at this moment.
    pub(crate) fn write(
        &mut self,
        node: NodeId,
        level: Level,
        source: &str,
        message: &str,
        fields: &[(&str, String)],
    ) {
        self.write_at(self.cluster.now, node, level, source, message, fields);
    }

    pub(crate) fn write_at(
        &mut self,
        at: DateTime<Utc>,
        node: NodeId,
        level: Level,
        source: &str,
        message: &str,
        fields: &[(&str, String)],
    ) {
        if self.config.logs {
            let line = Line::new(at, level, source, message);
            self.logs.write(node, fields.iter().fold(line, |line, (key, value)| line.with(key, value)));
        }
    }

    pub(crate) fn note_leader(&mut self, led: Led) {
        if self.config.logs {
            self.logs.note(led);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_what_is_lost_is_counted() {
        let mut logs = Logs::default();
        let line = |n: usize| Line::new(DateTime::UNIX_EPOCH, Level::Info, "x.rs:1", &format!("line{n}"));
        for n in 0..Written::LIMIT + 3 {
            logs.write(NodeId::Store(1), line(n));
        }
        logs.write(NodeId::Pd(0), line(0));
        let written = logs.drain(NodeId::Store(1));
        assert_eq!((written.lines.len(), written.lost), (Written::LIMIT, 3));
        assert!(written.lines[0].ends_with("[line3]"), "{}", written.lines[0]);
        assert_eq!(logs.drain(NodeId::Store(1)), Written::default());
        assert_eq!((logs.kept, logs.drain(NodeId::Pd(0)).lines.len()), (1, 1));
    }
}
