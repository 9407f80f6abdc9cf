//! Rule files as Prometheus reads them: what `promtool check rules` accepts is accepted, what it refuses is refused.

mod reader;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use promql_parser::parser::Expr;

use self::reader::Reader;
use super::template::Template;
use super::yaml::Document;

/// A file may have so many bytes.
const MAX_BYTES: usize = 16 << 20;
/// A file may have so many rules: an alias can repeat what is written once.
const MAX_RULES: usize = 100_000;

/// The rules of one file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RuleFile {
    /// What the file is called.
    pub name: String,
    /// Its groups, in the order of the file.
    pub groups: Vec<RuleGroup>,
    /// What is accepted and yet hardly meant, such as a rule that stands twice.
    pub remarks: Vec<Problem>,
}

/// Rules that are evaluated one after the other.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RuleGroup {
    /// Unique within the file.
    pub name: String,
    /// The line of the file, from 1, in which it begins.
    pub line: usize,
    /// Between two evaluations; `None` for what Prometheus' configuration says.
    pub interval: Option<Duration>,
    /// How many alerts or series one rule may make before it counts as failed; `None` for no limit.
    pub limit: Option<usize>,
    /// How far in the past the rules are evaluated (Prometheus 2.53 and later).
    pub query_offset: Option<Duration>,
    /// In the order of evaluation.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rule {
    /// Of the alert, or of the series that is recorded.
    pub name: String,
    /// The line of the file, from 1, in which it begins.
    pub line: usize,
    /// PromQL, as it is written.
    pub expr: String,
    /// The line in which `expr` is.
    pub expr_line: usize,
    /// What `expr` means.
    pub ast: Expr,
    /// Added to what it makes, in the order of the file, with those of its group. Of an alert they may be templates.
    pub labels: Vec<(String, Template)>,
    /// What it is for.
    pub kind: RuleKind,
}

/// What a rule is for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RuleKind {
    /// It makes series of its name.
    Recording,
    /// It raises alerts.
    Alerting {
        /// How long an alert is pending before it fires (`for`).
        grace: Duration,
        /// How long it goes on firing when its condition holds no more.
        keep_firing_for: Duration,
        /// Texts for people, in the order of the file.
        annotations: Vec<(String, Template)>,
    },
}

impl Rule {
    /// Whether it raises alerts.
    pub fn is_alerting(&self) -> bool {
        matches!(self.kind, RuleKind::Alerting { .. })
    }
}

/// What is wrong in a rule file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The group, if it is one group's problem.
    pub group: Option<String>,
    /// The rule, if it is one rule's problem.
    pub rule: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some(group) = &self.group {
            write!(f, "group `{group}`: ")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, "rule `{rule}`: ")?;
        }
        f.write_str(&self.message)
    }
}

/// A rule file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleFileError {
    /// What the file is called.
    pub file: String,
    /// Everything that is wrong with it; at least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for RuleFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        for (index, problem) in self.problems.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}: {problem}", self.file)?;
        }
        match self.problems.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n{}: {more} more problems", self.file),
        }
    }
}

impl std::error::Error for RuleFileError {}

impl RuleFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`RuleFileError`] if it cannot be read, and as [`RuleFile::parse`].
    pub fn read(path: &Path) -> Result<Self, RuleFileError> {
        use std::io::Read as _;
        let name = path.display().to_string();
        let mut bytes = Vec::new();
        // One byte more than is allowed is enough to see that it is too long.
        let read = std::fs::File::open(path)
            .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) => Self::parse(name, &bytes),
            Err(error) => Err(refused(name, 1, format!("it cannot be read: {error}"))),
        }
    }

    /// Reads the text of a file; `name` is for messages.
    ///
    /// # Errors
    /// [`RuleFileError`] with everything that is wrong in it.
    pub fn parse(name: impl Into<String>, text: &[u8]) -> Result<Self, RuleFileError> {
        let name = name.into();
        if text.len() > MAX_BYTES {
            return Err(refused(name, 1, format!("it has more than {} MiB", MAX_BYTES >> 20)));
        }
        let text = match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(error) => {
                let before = text.get(..error.valid_up_to()).unwrap_or_default();
                let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
                return Err(refused(name, line, "it is not UTF-8".to_owned()));
            }
        };
        let document = match Document::read(text) {
            Ok(document) => document,
            Err(error) => return Err(refused(name, error.line, error.message)),
        };
        let mut reader = Reader::default();
        let groups = document.root.map(|root| reader.groups(&root)).unwrap_or_default();
        if !reader.problems.is_empty() {
            return Err(RuleFileError { file: name, problems: reader.problems });
        }
        let mut remarks = reader.remarks;
        if let Some(line) = document.second {
            let message = "a second YAML document begins, which Prometheus does not read".to_owned();
            remarks.push(Problem { line, group: None, rule: None, message });
        }
        Ok(Self { name, groups, remarks })
    }

    /// Every rule with its group, in the order of evaluation.
    pub fn rules(&self) -> impl Iterator<Item = (&RuleGroup, &Rule)> {
        self.groups.iter().flat_map(|group| group.rules.iter().map(move |rule| (group, rule)))
    }
}

fn refused(file: String, line: usize, message: String) -> RuleFileError {
    RuleFileError { file, problems: vec![Problem { line, group: None, rule: None, message }] }
}

#[cfg(test)]
mod tests;
