//! Walks an expression from its selectors upwards: what is made of nothing is nothing.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use promql_parser::label::{Labels, MatchOp};
use promql_parser::parser::{AggregateExpr, BinaryExpr, Expr, LabelModifier, VectorSelector};

use super::facts::Facts;
use super::join::join;
use super::look::{look, metric, text};
use super::range::Range;
use super::shape::{Fate, Seen};
use crate::rules::{Rule, RuleFile};

/// What is recorded may be made of what is recorded, so many times.
const MAX_DEPTH: usize = 8;

/// Judges the rules of a file.
pub(super) struct Judge<'a> {
    pub(super) facts: &'a Facts<'a>,
    /// What the file itself records, by name.
    recorded: BTreeMap<&'a str, Vec<&'a Rule>>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(facts: &'a Facts<'a>, file: &'a RuleFile) -> Self {
        let mut recorded: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (_, rule) in file.rules().filter(|(_, rule)| !rule.is_alerting()) {
            recorded.entry(rule.name.as_str()).or_default().push(rule);
        }
        Self { facts, recorded }
    }

    pub(super) async fn rule(&self, rule: &Rule) -> Seen {
        self.expr(&rule.ast, 0).await
    }

    pub(super) fn expr<'e>(&'e self, expr: &'e Expr, depth: usize) -> BoxFuture<'e, Seen> {
        async move {
            match expr {
                Expr::NumberLiteral(number) => Seen::number(Range::only(number.val)),
                Expr::StringLiteral(_) | Expr::Extension(_) => Seen::number(Range::ALL),
                Expr::Paren(inner) => self.expr(&inner.expr, depth).await,
                Expr::Unary(inner) => {
                    let inner = self.expr(&inner.expr, depth).await;
                    let range = inner.range.negated();
                    inner.within(range)
                }
                Expr::Subquery(inner) => self.expr(&inner.expr, depth).await,
                Expr::VectorSelector(selector) => self.selector(selector, depth).await,
                Expr::MatrixSelector(matrix) => self.selector(&matrix.vs, depth).await,
                Expr::Aggregate(aggregate) => self.aggregate(aggregate, depth).await,
                Expr::Call(call) => self.call(call, depth).await,
                Expr::Binary(binary) => self.binary(binary, depth).await,
            }
        }
        .boxed()
    }

    async fn selector(&self, selector: &VectorSelector, depth: usize) -> Seen {
        let name = metric(selector);
        let rules = name.and_then(|name| self.recorded.get(name)).filter(|_| depth < MAX_DEPTH);
        if let (Some(rules), Ok(metrics), Some(name)) = (rules, &self.facts.metrics, name)
            && !metrics.contains(name)
        {
            return self.recorded(name, rules, depth).await;
        }
        let labels = match look(self.facts, selector).await {
            Ok(labels) => labels,
            Err(fate) => return Seen::series(fate),
        };
        let matchers = selector.matchers.matchers.iter();
        let fixed = matchers.filter(|matcher| matcher.op == MatchOp::Equal && labels.contains(&matcher.name));
        let fixed = fixed.map(|matcher| (matcher.name.clone(), matcher.value.clone())).collect();
        let kind = name.and_then(|name| self.facts.kind(name));
        let is_of =
            |suffixes: &[&str]| name.is_some_and(|name| suffixes.iter().any(|end| name.ends_with(end)));
        let counts = kind == Some("counter") || kind.is_none() && is_of(&["_bucket", "_count", "_total"]);
        Seen {
            labels: Some(labels),
            fixed,
            origins: vec![text(selector)],
            range: match name {
                Some("up") => Range::BIT,
                _ if counts => Range::NOT_NEGATIVE,
                _ => Range::ALL,
            },
            counter: name.filter(|_| kind == Some("counter")).map(str::to_owned),
            ..Seen::series(Fate::Live)
        }
    }

    /// What Prometheus does not record yet because the file is not loaded.
    async fn recorded(&self, name: &str, rules: &[&Rule], depth: usize) -> Seen {
        let mut whole: Option<Seen> = None;
        for rule in rules {
            let mut seen = self.expr(&rule.ast, depth + 1).await;
            if !matches!(seen.fate, Fate::Live) {
                let why: Vec<_> = seen
                    .fate
                    .reasons()
                    .iter()
                    .map(|why| format!("`{name}` is not recorded: {why}"))
                    .collect();
                seen.fate =
                    if matches!(seen.fate, Fate::Dead(_)) { Fate::Dead(why) } else { Fate::Unknown(why) };
            }
            for (label, _) in &rule.labels {
                seen = seen.with_made(label);
            }
            whole = Some(match whole {
                Some(before) => either(before, seen),
                None => seen,
            });
        }
        whole.unwrap_or_else(|| Seen::series(Fate::Live))
    }

    async fn aggregate(&self, aggregate: &AggregateExpr, depth: usize) -> Seen {
        let mut inner = self.expr(&aggregate.expr, depth).await;
        if let Some(param) = &aggregate.param {
            inner = inner.needs(&self.expr(param, depth).await);
        }
        let operator = aggregate.op.to_string();
        if let Some(LabelModifier::Include(by)) = &aggregate.modifier {
            for label in &by.labels {
                if inner.has(label) == Some(false) {
                    let of = short(&aggregate.expr);
                    inner.remark(format!("`by ({label})`: `{of}` has no such label"));
                }
            }
        }
        let range = match operator.as_str() {
            "sum" => inner.range.summed(),
            "count" | "count_values" => Range::COUNT,
            "group" => Range::ONE,
            "stddev" | "stdvar" => Range::NOT_NEGATIVE,
            _ => inner.range,
        };
        let inner = inner.within(range);
        if matches!(operator.as_str(), "topk" | "bottomk" | "limitk" | "limit_ratio") {
            return inner;
        }
        let seen = match &aggregate.modifier {
            None => inner.with_labels(|_| false),
            Some(LabelModifier::Include(by)) => {
                let known = inner.labels.is_some();
                let mut seen = inner.with_labels(|label| has(by, label));
                if !known {
                    seen.origins.clear();
                }
                seen
            }
            Some(LabelModifier::Exclude(without)) => inner.with_labels(|label| !has(without, label)),
        };
        match (operator.as_str(), aggregate.param.as_deref()) {
            ("count_values", Some(Expr::StringLiteral(label))) => seen.with_made(&label.val),
            _ => seen,
        }
    }

    async fn binary(&self, binary: &BinaryExpr, depth: usize) -> Seen {
        let left = self.expr(&binary.lhs, depth).await;
        let right = self.expr(&binary.rhs, depth).await;
        let operator = binary.op.to_string();
        if operator == "or" {
            return either(left, right);
        }
        let modifier = binary.modifier.as_ref();
        if operator == "unless" {
            let mut left = left;
            left.remark_all(&right);
            if let Fate::Dead(why) = &right.fate {
                left.remark(format!("`unless` takes nothing away: {}", why.join("; ")));
            }
            return left;
        }
        let (left_range, right_range) = (left.range, right.range);
        let mut seen = if left.scalar || right.scalar {
            let counted = if binary.op.is_comparison_operator() {
                left.counter.clone().zip(number(&binary.rhs))
            } else {
                None
            };
            let (mut main, other) = if left.scalar { (right, left) } else { (left, right) };
            if let Some((counter, threshold)) = counted.filter(|_| matches!(operator.as_str(), ">" | ">=")) {
                main.remark(format!(
                    "`{counter}` is a counter: once above {threshold} it stays there until its process restarts; \
                     rate or increase is meant"
                ));
            }
            main.needs(&other)
        } else {
            join(self.facts, binary, left, right).await
        };
        if operator == "and" {
            return seen;
        }
        if !binary.op.is_comparison_operator() {
            return seen.within(left_range.calculated(&operator, right_range));
        }
        if modifier.is_some_and(|modifier| modifier.return_bool) || seen.scalar {
            return seen.within(Range::BIT);
        }
        if matches!(seen.fate, Fate::Live) && !left_range.can_be(&operator, right_range) {
            let (side, range) = match number(&binary.lhs) {
                Some(_) => (&binary.rhs, right_range),
                None => (&binary.lhs, left_range),
            };
            seen.fate = Fate::dead(format!(
                "`{} {operator} {}` is never true: `{}` is {range}",
                short(&binary.lhs),
                short(&binary.rhs),
                short(side)
            ));
        }
        let range = if matches!(&*binary.lhs, Expr::NumberLiteral(_)) { right_range } else { left_range };
        seen.within(range)
    }
}

/// Of what is one or the other.
fn either(left: Seen, right: Seen) -> Seen {
    let fate = match (&left.fate, &right.fate) {
        (Fate::Dead(one), Fate::Dead(other)) => Fate::Dead([one.as_slice(), other].concat()),
        (Fate::Live, _) | (_, Fate::Live) => Fate::Live,
        (Fate::Unknown(why), _) | (_, Fate::Unknown(why)) => Fate::Unknown(why.clone()),
    };
    let mut seen = Seen::series(fate.clone());
    seen.remark_all(&left);
    seen.remark_all(&right);
    if fate == Fate::Live {
        for side in [&left, &right] {
            side.fate
                .reasons()
                .iter()
                .for_each(|why| seen.remark(format!("one side of `or` finds nothing: {why}")));
        }
    }
    // What is dead makes no series.
    match (&left.fate, &right.fate) {
        (Fate::Dead(_), Fate::Live) => Seen { remarks: seen.remarks, fate, ..right },
        (Fate::Live, Fate::Dead(_)) => Seen { remarks: seen.remarks, fate, ..left },
        _ => {
            let same = left.labels.is_some() && left.labels == right.labels;
            seen.labels = left.labels.filter(|_| same);
            seen.range = left.range.or(right.range);
            seen
        }
    }
}

fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::NumberLiteral(number) => Some(number.val),
        Expr::Paren(inner) => number(&inner.expr),
        _ => None,
    }
}

fn has(labels: &Labels, label: &str) -> bool {
    labels.labels.iter().any(|known| known == label)
}

/// An expression as it fits into a sentence.
pub(super) fn short(expr: &Expr) -> String {
    const MAX_CHARS: usize = 80;
    let text = expr.to_string();
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
