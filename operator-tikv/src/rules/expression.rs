//! PromQL as rules have it, read by `promql-parser` within bounds.

use std::convert::Infallible;

use promql_parser::parser::{self, Expr};
use promql_parser::util::{ExprVisitor, walk_expr};

/// An expression may have so many characters, and be nested so deep: the parser's tree is walked by recursion.
const MAX_CHARS: usize = 16_384;
const MAX_DEPTH: usize = 100;

/// Reads an expression: what Prometheus 2.42 takes, and of what came later the new functions, quoted names and durations
/// as numbers.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(text: &str) -> Result<Expr, String> {
    if text.len() > MAX_CHARS {
        return Err(format!("it has more than {MAX_CHARS} characters"));
    }
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(format!("it is nested more than {MAX_DEPTH} deep"));
        }
    }
    let read = match parser::parse(text) {
        // Its name before Prometheus 3.
        Err(_) if text.contains("holt_winters") => {
            parser::parse(&text.replace("holt_winters", "double_exponential_smoothing"))
        }
        read => read,
    }?;
    let mut alternatives = Alternatives(false);
    let _ = walk_expr(&mut alternatives, &read);
    // The parser's own addition.
    if alternatives.0 { Err("Prometheus knows no `or` between matchers".to_owned()) } else { Ok(read) }
}

/// Whether a selector has `or` between its matchers.
struct Alternatives(bool);

impl ExprVisitor for Alternatives {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        let selector = match expr {
            Expr::VectorSelector(selector) => Some(selector),
            Expr::MatrixSelector(matrix) => Some(&matrix.vs),
            _ => None,
        };
        self.0 |= selector.is_some_and(|selector| !selector.matchers.or_matchers.is_empty());
        Ok(true)
    }
}
