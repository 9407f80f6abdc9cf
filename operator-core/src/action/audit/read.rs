//! Reading an audit log, and what became of each run.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, Read};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::{Action, OutcomeKind, PlannedRequest};
use super::{AuditRecord, AuditStep, MAX_LINE_BYTES};

/// The records of an audit log, one by one, in at most one line's memory. See [`read_audit`].
#[derive(Debug)]
pub struct AuditRecords<R> {
    reader: Option<R>,
    line: Vec<u8>,
    number: u64,
}

/// A line of an audit log that is no record, or where reading ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
#[non_exhaustive]
pub struct AuditLineError {
    /// Which line, from 1.
    pub line: u64,
    /// What is the matter with it.
    pub message: String,
}

/// Reads an audit log. What is no record, such as a line that a crash tore, is an error with its number, after which it
/// goes on; when nothing more can be read, it ends after the error. Empty lines are skipped.
///
/// ```
/// let log = r#"{"schema":1,"at":"2026-01-01T00:00:00Z","run":"17","subject":"tikv",
/// "#;
/// let records: Vec<_> = operator_core::read_audit(log.as_bytes()).collect();
/// assert_eq!(records[0].as_ref().unwrap_err().line, 1);
/// ```
pub fn read_audit<R: BufRead>(reader: R) -> AuditRecords<R> {
    AuditRecords { reader: Some(reader), line: Vec::new(), number: 0 }
}

impl<R: BufRead> Iterator for AuditRecords<R> {
    type Item = Result<AuditRecord, AuditLineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let reader = self.reader.as_mut()?;
            self.number += 1;
            self.line.clear();
            let error = |message| Some(Err(AuditLineError { line: self.number, message }));
            let limit = MAX_LINE_BYTES as u64;
            match reader.by_ref().take(limit).read_until(b'\n', &mut self.line) {
                Ok(0) => {
                    self.reader = None;
                    return None;
                }
                Ok(_) => {}
                Err(found) => {
                    self.reader = None;
                    return error(format!("it cannot be read: {found}"));
                }
            }
            let ended = self.line.last() == Some(&b'\n');
            if !ended && self.line.len() >= MAX_LINE_BYTES {
                if reader.skip_until(b'\n').is_err() {
                    self.reader = None;
                }
                return error(format!("it is longer than {MAX_LINE_BYTES} bytes"));
            }
            let line = self.line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            return match serde_json::from_slice::<AuditRecord>(line) {
                Ok(record) if record.schema > AuditRecord::SCHEMA => {
                    let message = format!("it is of the format {}, newer than this program", record.schema);
                    error(message)
                }
                Ok(record) => Some(Ok(record)),
                Err(found) if !ended || found.is_eof() => error(format!("it is torn: {found}")),
                Err(found) => error(format!("it is no record: {found}")),
            };
        }
    }
}

/// What became of one action, as an audit log tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditRun {
    /// The run.
    pub run: String,
    /// The name of the subject.
    pub subject: String,
    /// The action.
    pub action: Action,
    /// When its first record was made.
    pub started_at: DateTime<Utc>,
    /// When its last record was made.
    pub at: DateTime<Utc>,
    /// How far it is.
    pub state: RunState,
    /// Who said yes; `null` if nobody has.
    pub approved_by: Option<String>,
    /// Whether what would have forbidden it was overruled.
    pub forced: bool,
    /// What was sent, or would have been.
    pub request: Option<PlannedRequest>,
    /// Whether it has reached the subject; `null` if that is not known.
    pub sent: Option<bool>,
    /// How it ended; `null` if it has not.
    pub ended: Option<OutcomeKind>,
    /// What the last record says; empty if it says nothing.
    pub message: String,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunState {
    /// Nobody has said yes.
    Proposed,
    /// Somebody has, and nothing was sent.
    Approved,
    /// It may have been sent: it is being sent now, or the program ended while it was.
    MayHaveBeenSent,
    /// The subject has answered; it is being waited for the effect, or the program ended while it was.
    Answered,
    /// It is over.
    Ended,
}

impl AuditRun {
    fn begin(record: &AuditRecord) -> Self {
        Self {
            run: record.run.clone(),
            subject: record.subject.clone(),
            action: record.action.clone(),
            started_at: record.at,
            at: record.at,
            state: RunState::Proposed,
            approved_by: None,
            forced: false,
            request: None,
            sent: Some(false),
            ended: None,
            message: String::new(),
        }
    }

    fn add(&mut self, record: AuditRecord) {
        self.at = record.at;
        match record.step {
            AuditStep::Proposed { request } => self.request = request,
            AuditStep::Approved { by, forced } => {
                (self.state, self.approved_by, self.forced) = (RunState::Approved, Some(by), forced);
            }
            AuditStep::Sending { request } => {
                (self.state, self.request, self.sent) = (RunState::MayHaveBeenSent, Some(request), None);
            }
            AuditStep::Answered { sent, message, .. } => {
                (self.state, self.sent, self.message) = (RunState::Answered, sent, message);
            }
            AuditStep::Ended { outcome, message } => {
                (self.state, self.ended, self.message) = (RunState::Ended, Some(outcome), message);
            }
        }
    }
}

/// The last runs of an audit log.
#[derive(Debug)]
pub struct AuditRuns {
    runs: VecDeque<AuditRun>,
    /// Which of all runs, from 0, each of these is: those left out came before.
    numbers: HashMap<String, u64>,
    max: usize,
    left_out: u64,
}

impl AuditRuns {
    /// Keeps the `max` runs that began last.
    pub fn last(max: usize) -> Self {
        Self { runs: VecDeque::new(), numbers: HashMap::new(), max, left_out: 0 }
    }

    /// Takes in the next record. The records of several runs may be mixed.
    pub fn add(&mut self, record: AuditRecord) {
        let index = self.numbers.get(&record.run).and_then(|number| number.checked_sub(self.left_out));
        if let Some(run) =
            index.and_then(|index| usize::try_from(index).ok()).and_then(|index| self.runs.get_mut(index))
        {
            return run.add(record);
        }
        let mut run = AuditRun::begin(&record);
        run.add(record);
        self.numbers.insert(run.run.clone(), self.left_out + self.runs.len() as u64);
        self.runs.push_back(run);
        if self.runs.len() > self.max
            && let Some(first) = self.runs.pop_front()
        {
            self.numbers.remove(&first.run);
            self.left_out += 1;
        }
    }

    /// How many runs were left out, because others began later.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The runs, in the order in which they began.
    pub fn into_runs(self) -> Vec<AuditRun> {
        self.runs.into()
    }
}
