//! Rule files as Prometheus reads them: what `promtool check rules` accepts is accepted, what it refuses is refused.

use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use promql_parser::parser::Expr;

use super::duration::parse_duration;
use super::expression;
use super::template::Template;
use super::yaml::{Content, Document, Key, Node};

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

/// Reads nodes, and notes what is wrong with them and in which group and rule.
#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
    remarks: Vec<Problem>,
    group: Option<String>,
    rule: Option<String>,
    rules: usize,
}

impl Reader {
    fn problem(&mut self, line: usize, message: impl Into<String>) {
        let problem = self.at(line, message.into());
        self.problems.push(problem);
    }

    fn at(&self, line: usize, message: String) -> Problem {
        Problem { line, group: self.group.clone(), rule: self.rule.clone(), message }
    }

    fn groups(&mut self, root: &Node) -> Vec<RuleGroup> {
        let mut groups: Vec<RuleGroup> = Vec::new();
        for (key, value) in self.mapping(root, "a rule file") {
            if key.name != "groups" {
                self.problem(key.line, format!("unknown field `{}`: a rule file has `groups`", key.name));
                continue;
            }
            for node in self.list(&value, "groups") {
                let group = self.group(&node);
                if groups.iter().any(|known| known.name == group.name) {
                    self.problem(group.line, format!("group `{}` is there twice", group.name));
                }
                groups.push(group);
            }
        }
        groups
    }

    fn group(&mut self, node: &Node) -> RuleGroup {
        let (line, fields) = (node.line, self.mapping(node, "a group"));
        let mut group = RuleGroup {
            name: String::new(),
            line,
            interval: None,
            limit: None,
            query_offset: None,
            rules: Vec::new(),
        };
        // The name first, so that every problem is told with it.
        if let Some((_, name)) = fields.iter().find(|(key, _)| key.name == "name") {
            group.name = self.string(name, "name");
        }
        if group.name.is_empty() {
            self.problem(line, "a group has no `name`");
        }
        self.group = Some(group.name.clone());
        let (mut rules, mut labels) = (Vec::new(), Vec::new());
        for (key, value) in &fields {
            match key.name.as_str() {
                "name" => {}
                "interval" => group.interval = self.duration(value, "interval"),
                "limit" => group.limit = self.limit(value),
                "query_offset" => group.query_offset = self.duration(value, "query_offset"),
                "labels" => labels = self.strings(value, "labels"),
                "rules" => rules = self.list(value, "rules"),
                name => self.problem(key.line, format!("unknown field `{name}` of a group")),
            }
        }
        for node in rules {
            self.rules += 1;
            if self.rules > MAX_RULES {
                self.problem(node.line, format!("there are more than {MAX_RULES} rules"));
                break;
            }
            if let Some(rule) = self.rule(&node, &labels) {
                group.rules.push(rule);
            }
            self.rule = None;
        }
        self.group = None;
        self.note_duplicates(&group);
        group
    }

    /// `promtool` says so too, and accepts them.
    fn note_duplicates(&mut self, group: &RuleGroup) {
        let mut seen = std::collections::HashMap::new();
        for rule in &group.rules {
            let mut labels: Vec<_> = rule.labels.iter().map(|(name, value)| (name, value.source())).collect();
            labels.sort_unstable();
            if let Some(first) = seen.insert((&rule.name, &rule.expr, labels), rule.line) {
                self.remarks.push(Problem {
                    line: rule.line,
                    group: Some(group.name.clone()),
                    rule: Some(rule.name.clone()),
                    message: format!("the same rule stands in line {first}"),
                });
            }
        }
    }

    fn rule(&mut self, node: &Node, of_group: &[(String, Rc<Node>)]) -> Option<Rule> {
        const FIELDS: [&str; 7] =
            ["record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"];
        let before = self.problems.len();
        let fields = self.mapping(node, "a rule");
        let field = |name: &str| fields.iter().find(|(key, _)| key.name == name).map(|(_, value)| value);
        // Prometheus takes these as they are written, also what YAML reads as nothing; what is not text is missing.
        let raw = |name| field(name).and_then(|node| node.text()).filter(|text| !text.is_empty());
        let (alert, record) = (raw("alert"), raw("record"));
        self.rule = alert.or(record).map(str::to_owned);
        for (key, _) in fields.iter().filter(|(key, _)| !FIELDS.contains(&key.name.as_str())) {
            self.problem(key.line, format!("unknown field `{}` of a rule", key.name));
        }
        if alert.is_some() == record.is_some() {
            let which =
                if alert.is_some() { "both `alert` and `record`" } else { "neither `alert` nor `record`" };
            self.problem(node.line, format!("a rule has {which}: it needs one of them"));
        }
        let expr_line = field("expr").map_or(node.line, |expr| expr.line);
        let ast = match raw("expr").map(expression::parse) {
            None => {
                self.problem(expr_line, "a rule has no `expr`");
                None
            }
            Some(Err(why)) => {
                self.problem(expr_line, format!("`expr` does not parse: {why}"));
                None
            }
            Some(Ok(ast)) => Some(ast),
        };
        let [grace, keep_firing_for] = ["for", "keep_firing_for"]
            .map(|name| field(name).and_then(|node| self.duration(node, name)).unwrap_or_default());
        let mut strings = |name| field(name).map(|node| self.strings(node, name)).unwrap_or_default();
        let (own, annotations) = (strings("labels"), strings("annotations"));
        let inherited = of_group.iter().filter(|(name, _)| own.iter().all(|(known, _)| known != name));
        let labels: Vec<_> = inherited.chain(&own).cloned().collect();
        for (name, value) in &labels {
            if !is_label_name(name) || name == "__name__" {
                self.problem(value.line, format!("`{name}` cannot be the name of a label"));
            }
        }
        for (name, value) in annotations.iter().filter(|(name, _)| !is_label_name(name)) {
            self.problem(value.line, format!("`{name}` cannot be the name of an annotation"));
        }
        let kind = match (alert, record) {
            (None, Some(record)) => {
                if !is_metric_name(record) {
                    self.problem(node.line, format!("`{record}` cannot be the name of a metric"));
                }
                let given = [
                    ("for", !grace.is_zero()),
                    ("keep_firing_for", !keep_firing_for.is_zero()),
                    ("annotations", !annotations.is_empty()),
                ];
                for (name, _) in given.into_iter().filter(|(_, given)| *given) {
                    self.problem(node.line, format!("`{name}` belongs to an alert, not to what is recorded"));
                }
                RuleKind::Recording
            }
            _ => {
                let annotations = self.templates(&annotations);
                RuleKind::Alerting { grace, keep_firing_for, annotations }
            }
        };
        let labels = match &kind {
            RuleKind::Alerting { .. } => self.templates(&labels),
            RuleKind::Recording => {
                labels.iter().map(|(name, value)| (name.clone(), Template::plain(string_of(value)))).collect()
            }
        };
        let name = alert.or(record)?.to_owned();
        let expr = raw("expr")?.to_owned();
        (self.problems.len() == before).then_some(Rule {
            name,
            line: node.line,
            expr,
            expr_line,
            ast: ast?,
            labels,
            kind,
        })
    }

    fn templates(&mut self, texts: &[(String, Rc<Node>)]) -> Vec<(String, Template)> {
        let mut templates = Vec::with_capacity(texts.len());
        for (name, node) in texts {
            match Template::parse(string_of(node)) {
                Ok(template) => templates.push((name.clone(), template)),
                Err(why) => {
                    self.problem(node.line, format!("the template of `{name}` does not parse: {why}"))
                }
            }
        }
        templates
    }

    /// The entries of a mapping; none of what stands for nothing.
    fn mapping(&mut self, node: &Node, what: &str) -> Vec<(Key, Rc<Node>)> {
        match &node.content {
            Content::Mapping(entries) => entries.clone(),
            Content::Scalar { null: true, .. } => Vec::new(),
            _ => {
                self.problem(node.line, format!("{what} is a mapping, not {}", node.kind()));
                Vec::new()
            }
        }
    }

    fn list(&mut self, node: &Node, what: &str) -> Vec<Rc<Node>> {
        match &node.content {
            // Prometheus passes over what stands for nothing.
            Content::Sequence(list) => list.iter().filter(|node| !node.is_null()).cloned().collect(),
            Content::Scalar { null: true, .. } => Vec::new(),
            _ => {
                self.problem(node.line, format!("`{what}` is a list, not {}", node.kind()));
                Vec::new()
            }
        }
    }

    fn string(&mut self, node: &Node, what: &str) -> String {
        if node.text().is_none() {
            self.problem(node.line, format!("`{what}` is a text, not {}", node.kind()));
        }
        string_of(node).to_owned()
    }

    /// Texts by name; what else is there is a problem.
    fn strings(&mut self, node: &Node, what: &str) -> Vec<(String, Rc<Node>)> {
        let entries = self.mapping(node, &format!("`{what}`"));
        for (key, value) in &entries {
            self.string(value, &key.name);
        }
        entries.into_iter().map(|(key, value)| (key.name, value)).collect()
    }

    fn duration(&mut self, node: &Node, what: &str) -> Option<Duration> {
        if node.is_null() {
            return None;
        }
        match node.text().map(parse_duration) {
            Some(Ok(duration)) => Some(duration),
            Some(Err(why)) => {
                self.problem(node.line, format!("`{what}`: {why}"));
                None
            }
            None => {
                self.problem(node.line, format!("`{what}` is a duration, not {}", node.kind()));
                None
            }
        }
    }

    fn limit(&mut self, node: &Node) -> Option<usize> {
        if node.is_null() {
            return None;
        }
        let quoted = matches!(node.content, Content::Scalar { quoted: true, .. });
        match node.text().filter(|_| !quoted).and_then(|text| text.parse::<i64>().ok()) {
            // Not above zero is no limit.
            Some(limit) => usize::try_from(limit).ok().filter(|limit| *limit > 0),
            None => {
                self.problem(node.line, "`limit` is a whole number");
                None
            }
        }
    }
}

/// The text of a scalar; empty for what stands for nothing, or is no scalar.
fn string_of(node: &Node) -> &str {
    if node.is_null() { "" } else { node.text().unwrap_or_default() }
}

fn is_label_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_metric_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

#[cfg(test)]
mod tests;
