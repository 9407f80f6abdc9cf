//! From YAML to rules, noting everything that is wrong on the way.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use super::{MAX_RULES, Problem, Rule, RuleGroup, RuleKind};
use crate::rules::duration::parse_duration;
use crate::rules::expression;
use crate::rules::template::Template;
use crate::rules::yaml::{Content, Key, Node};

/// Reads nodes, and notes what is wrong with them and in which group and rule.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
    pub(super) remarks: Vec<Problem>,
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

    pub(super) fn groups(&mut self, root: &Node) -> Vec<RuleGroup> {
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
        let mut seen = HashMap::new();
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
