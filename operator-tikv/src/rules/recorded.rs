//! Alerts that read what a rule of their own file records, where Prometheus does not record it.
//!
//! What is recorded can be asked for in its place only where nothing but its name stands: `job:x:rate5m > 1` is
//! `(sum(…)) > 1`, but `rate(job:x:rate5m[5m])` or `job:x:rate5m{job="a"}` need the series itself.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use promql_parser::parser::{Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};

use super::expression;
use super::file::{Rule, RuleFile};

/// A recorded series may be made of recorded series, so many times.
const MAX_DEPTH: usize = 8;

/// What the files record, by name.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    expressions: BTreeMap<String, Vec<Rule>>,
}

impl Recorded {
    pub(super) fn of(files: &[RuleFile]) -> Self {
        let mut recorded = Self::default();
        for (_, rule) in files.iter().flat_map(RuleFile::rules).filter(|(_, rule)| !rule.is_alerting()) {
            recorded.expressions.entry(rule.name.clone()).or_default().push(rule.clone());
        }
        recorded
    }

    /// Which recorded series `expr` reads.
    pub(super) fn read_by(&self, expr: &Expr) -> BTreeSet<String> {
        let names = selectors(expr).into_iter().filter_map(|selector| selector.name);
        names.filter(|name| self.expressions.contains_key(name)).collect()
    }

    /// The text of `rule` with what is recorded in the place of its names, but for those that are `known`.
    pub(super) fn put_in(&self, rule: &Rule, known: &BTreeSet<String>) -> Result<String, String> {
        self.put(&rule.expr, &rule.ast, known, 0)
    }

    fn put(&self, text: &str, ast: &Expr, known: &BTreeSet<String>, depth: usize) -> Result<String, String> {
        let mut text = text.to_owned();
        for name in self.read_by(ast).difference(known) {
            let refused = |why: &str| {
                format!(
                    "Prometheus has no `{name}`, which the file records, and it cannot be asked for in its place: {why}"
                )
            };
            if depth >= MAX_DEPTH {
                return Err(refused("it is made of itself"));
            }
            let Some([rule]) = self.expressions.get(name).map(Vec::as_slice) else {
                return Err(refused("several rules record it"));
            };
            let made_of = self.put(&rule.expr, &rule.ast, known, depth + 1)?;
            let mut made_of = format!("({made_of}\n)");
            for (label, value) in &rule.labels {
                let quoted = serde_json::Value::from(value.source().replace('$', "$$")).to_string();
                made_of = format!("label_replace({made_of}, \"{label}\", {quoted}, \"\", \"\")");
            }
            let used =
                selectors(ast).into_iter().filter(|selector| selector.name.as_ref() == Some(name)).count();
            let (replaced, places) = replace(&text, name, &made_of);
            let bare = |selector: &VectorSelector| {
                selector.matchers.matchers.is_empty() && selector.offset.is_none() && selector.at.is_none()
            };
            let all_bare =
                bare_selectors(ast).into_iter().filter(|s| s.name.as_ref() == Some(name) && bare(s)).count();
            if places != used || all_bare != used {
                return Err(refused("more than its name stands there"));
            }
            expression::parse(&replaced).map_err(|why| refused(&why))?;
            text = replaced;
        }
        Ok(text)
    }
}

/// Every selector, those of ranges too.
pub(super) fn selectors(expr: &Expr) -> Vec<VectorSelector> {
    collect(expr, true)
}

fn bare_selectors(expr: &Expr) -> Vec<VectorSelector> {
    collect(expr, false)
}

fn collect(expr: &Expr, ranges: bool) -> Vec<VectorSelector> {
    struct Collector(Vec<VectorSelector>, bool);

    impl ExprVisitor for Collector {
        type Error = Infallible;

        fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
            match expr {
                Expr::VectorSelector(selector) => self.0.push(selector.clone()),
                Expr::MatrixSelector(matrix) if self.1 => self.0.push(matrix.vs.clone()),
                _ => {}
            }
            Ok(true)
        }
    }

    let mut collector = Collector(Vec::new(), ranges);
    let _ = walk_expr(&mut collector, expr);
    collector.0
}

/// Puts `by` where the word `name` stands, but not in texts and remarks; and how often that was.
fn replace(text: &str, name: &str, by: &str) -> (String, usize) {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.');
    let (mut replaced, mut places, mut rest) = (String::new(), 0, text);
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' | '\'' | '`' => {
                let mut escaped = false;
                let mut chars = rest.char_indices().skip(1);
                let end = chars.find(|(_, c)| {
                    let ends = *c == first && (first == '`' || !escaped);
                    escaped = *c == '\\' && !escaped;
                    ends
                });
                end.map_or(rest.len(), |(end, _)| end + 1)
            }
            '#' => rest.find('\n').unwrap_or(rest.len()),
            c if is_part(c) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (piece, after) = rest.split_at(end);
        if piece == name {
            replaced.push_str(by);
            places += 1;
        } else {
            replaced.push_str(piece);
        }
        rest = after;
    }
    (replaced, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
groups:
- name: g
  rules:
  - {record: 'a:up', expr: sum(up) by (job) # all}
  - {record: 'b:up', expr: 'a:up * 2', labels: {team: 'x$1'}}
  - {record: 'c:up', expr: 'c:up'}
  - {record: 'd:up', expr: up}
  - {record: 'd:up', expr: down}
  - {alert: A, expr: EXPR}
";

    fn put_in(expr: &str, known: &[&str]) -> Result<String, String> {
        let text = FILE.replace("# all", "").replace("EXPR", &serde_json::Value::from(expr).to_string());
        let file = RuleFile::parse("r.yml", text.as_bytes()).unwrap();
        let recorded = Recorded::of(std::slice::from_ref(&file));
        let rule = file.groups[0].rules.last().unwrap();
        recorded.put_in(rule, &known.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn what_is_recorded_stands_in_the_place_of_its_name() {
        assert_eq!(put_in("a:up > 1 # a:up", &[]).unwrap(), "(sum(up) by (job)\n) > 1 # a:up");
        assert_eq!(put_in("a:up > 1", &["a:up"]).unwrap(), "a:up > 1");
        let b = "label_replace(((sum(up) by (job)\n) * 2\n), \"team\", \"x$$1\", \"\", \"\")";
        assert_eq!(put_in("b:up + b:up", &[]).unwrap(), format!("{b} + {b}"));
        assert_eq!(put_in("up > 1", &[]).unwrap(), "up > 1");
    }

    #[test]
    fn what_cannot_is_said() {
        for expr in ["b:up{}", "rate(a:up[5m])", "a:up{job=\"x\"}", "a:up offset 5m", "c:up", "d:up"] {
            let put = put_in(expr, &[]);
            let why = put.as_ref().err();
            assert!(why.is_some_and(|why| why.contains("cannot be asked for")), "{expr}: {put:?}");
        }
    }
}
