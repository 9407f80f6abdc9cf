use promql_parser::label::{MatchOp, Matchers};
use promql_parser::parser::{self, Expr as Parsed};
use proptest::prelude::*;

use super::*;

fn selector_of(expr: &Parsed) -> (Option<String>, Matchers) {
    match expr {
        Parsed::VectorSelector(selector) => (selector.name.clone(), selector.matchers.clone()),
        Parsed::MatrixSelector(matrix) => (matrix.vs.name.clone(), matrix.vs.matchers.clone()),
        Parsed::Call(call) => selector_of(call.args.args.last().unwrap()),
        Parsed::Aggregate(aggregate) => selector_of(&aggregate.expr),
        other => panic!("unexpected {other:?}"),
    }
}

fn parsed(promql: &str) -> (Option<String>, Matchers) {
    selector_of(&parser::parse(promql).unwrap_or_else(|error| panic!("{promql}: {error}")))
}

#[test]
fn the_recorded_queries_are_built_exactly() {
    let minute = Duration::from_secs(60);
    let count =
        Selector::metric("tikv_grpc_msg_duration_seconds_count").with(Matcher::not_equal("type", "kv_gc"));
    assert_eq!(
        count.rate(minute).sum_by(["instance"]).to_string(),
        r#"sum by (instance) (rate(tikv_grpc_msg_duration_seconds_count{type!="kv_gc"}[1m]))"#
    );
    assert_eq!(
        Expr::from(Selector::metric("tikv_store_size_bytes")).sum_by(["instance", "type"]).to_string(),
        "sum by (instance, type) (tikv_store_size_bytes)"
    );
}

#[test]
fn names_that_promql_cannot_take_bare_are_quoted() {
    assert_eq!(Selector::metric("inf").to_string(), r#"{__name__="inf"}"#);
    for keyword in KEYWORDS {
        parsed(&Selector::metric(keyword).with(Matcher::equal("a", "b")).to_string());
    }
    assert_eq!(
        Selector::metric("my.metric").with(Matcher::equal("my.label", "x")).to_string(),
        r#"{__name__="my.metric","my.label"="x"}"#
    );
    assert_eq!(Expr::raw("up").sum_by(["a.b", "c"]).to_string(), r#"sum by ("a.b", c) (up)"#);
    let (_, matchers) = parsed(&Selector::metric("x").with(Matcher::equal("my.label", "v")).to_string());
    assert_eq!(matchers.matchers[0].name, "my.label");
}

#[test]
fn no_alternatives_match_nothing() {
    let (_, matchers) = parsed(&Selector::metric("up").with(Matcher::one_of::<&str>("a", [])).to_string());
    assert!(!matchers.matchers[0].is_match("") && !matchers.matchers[0].is_match("x"));
}

#[test]
fn windows_are_written_as_promql_takes_them() {
    for (ms, text) in
        [(60_000, "1m"), (90_000, "1m30s"), (0, "1ms"), (3_600_500, "1h500ms"), (86_400_000, "24h")]
    {
        assert_eq!(Window(Duration::from_millis(ms)).to_string(), text);
    }
}

/// Text with what is dangerous in PromQL, in RE2 and in UTF-8.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[\"'`\\\\{}()\\[\\]|.*+?^$,=~!# \n\r\t\u{0}\u{7f}\u{fffd}\u{2028}]",
        "[a-z0-9:._-]{0,8}",
        Just("\"} or up{x=\"".to_owned()),
        Just("{1,2}".to_owned()),
        Just("\\u0041\\x41\\101".to_owned()),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        metric in "[a-zA-Z_:][a-zA-Z0-9_:]{0,12}",
        label in "[a-zA-Z_][a-zA-Z0-9_]{0,12}",
        first in text(),
        second in text(),
    ) {
        let selector = Selector::metric(&metric)
            .with(Matcher::equal(&label, &first))
            .with(Matcher::not_equal(&label, &second));
        let (name, matchers) = parsed(&selector.to_string());
        if is_plain_metric_name(&metric) {
            prop_assert_eq!(name, Some(metric));
        }
        let found: Vec<_> = matchers.matchers.iter().filter(|matcher| matcher.name == label).collect();
        prop_assert_eq!(found.len(), 2);
        prop_assert!(matches!(found[0].op, MatchOp::Equal) && matches!(found[1].op, MatchOp::NotEqual));
        prop_assert_eq!((&found[0].value, &found[1].value), (&first, &second));
    }

    #[test]
    fn a_set_of_values_matches_these_values_and_no_other(
        values in proptest::collection::vec(text(), 1..4),
        other in text(),
    ) {
        let selector = Selector::metric("m").with(Matcher::one_of("l", &values)).with(Matcher::none_of("k", &values));
        let (_, matchers) = parsed(selector.rate(Duration::from_secs(60)).sum_by(["l"]).as_str());
        prop_assert_eq!(matchers.matchers.len(), 2);
        let (inside, outside) = (&matchers.matchers[0], &matchers.matchers[1]);
        for value in &values {
            prop_assert!(inside.is_match(value), "{inside} {value:?}");
            prop_assert!(!outside.is_match(value), "{outside} {value:?}");
            // One character more or less is another value.
            for near in [format!("{value}x"), value.chars().skip(1).collect(), other.clone()] {
                prop_assert_eq!(inside.is_match(&near), values.contains(&near), "{} {:?}", inside, near);
            }
        }
    }
}
