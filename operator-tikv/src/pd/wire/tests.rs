use operator_core::{Region, RegionId};
use serde::de::DeserializeSeed;

use super::*;

fn page(text: &str) -> serde_json::Result<RegionPage<Region>> {
    serde_json::from_str(text)
}

#[test]
fn lists_may_be_null_or_empty() {
    for text in [r#"{"count":0,"regions":null}"#, r#"{"regions":[]}"#] {
        assert!(page(text).unwrap().regions.is_empty());
    }
    let text = r#"{"regions":[{"id":18446744073709551615,"peers":null,"leader":null,"pending_peers":null,
        "down_peers":null}]}"#;
    let region = &page(text).unwrap().regions[0];
    assert_eq!((region.id, region.peers.len()), (RegionId(u64::MAX), 0));
    assert!(serde_json::from_str::<Stores>(r#"{"count":0,"stores":null}"#).unwrap().stores.is_empty());
    assert!(serde_json::from_str::<List<String>>("null").unwrap().0.is_empty());
    let hot: HotRegions =
        serde_json::from_str(r#"{"as_peer":null,"as_leader":{"1":{"statistics":null}}}"#).unwrap();
    assert!(hot.as_peer.is_empty() && hot.as_leader["1"].statistics.is_empty());
}

#[test]
fn wrong_types_are_errors_that_say_where() {
    for (text, says) in [
        (r#"{"regions":{}}"#, "expected a list of regions"),
        (r#"{"regions":[{"id":"1"}]}"#, "invalid type: string"),
        (r#"{"regions":[{"id":-1}]}"#, "invalid value: integer `-1`"),
        (r#"{"regions":[{"id":1,"start_key":"7G"}]}"#, "not a hex digit"),
        (r#"{"regions":[{}]}"#, "missing field `id`"),
        (r#"{"regions":[{"id":1"#, "EOF"),
        (r#"{"error":"no"}"#, "missing field `regions`"),
        ("[]", "a page of regions"),
        ("null", "invalid type: null"),
    ] {
        let error = page(text).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("line 1 column"), "{text}: {error}");
    }
}

#[test]
fn nesting_100_000_deep_overflows_no_stack() {
    const DEPTH: usize = 100_000;
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(DEPTH), close.repeat(DEPTH));
        assert!(page(&deep).is_err());
        assert!(page(&format!(r#"{{"regions":{deep}}}"#)).is_err());
        let _ = page(&format!(r#"{{"regions":[{{"id":1,"leader":{deep}}}]}}"#));
        assert!(serde_json::from_str::<Stores>(&deep).is_err());
        assert!(serde_json::from_str::<LooseText>(&deep).is_err());
        // What nobody reads is skipped, however deep, by a reader that does not recurse.
        assert!(page(&format!(r#"{{"new_in_v99":{deep},"regions":null}}"#)).is_ok());
        assert!(page(&format!(r#"{{"new_in_v99":{}"#, open.repeat(DEPTH))).is_err());
    }
}

#[test]
fn ids_are_read_from_a_page_that_breaks_off() {
    let whole = r#"{"count":3,"regions":[{"id":5,"peers":[{"id":1}]},{"id":6},{"id":7}],"more":{"x":[1]}}"#;
    for (text, limit, expected) in [
        (whole, 20, vec![5, 6, 7]),
        (whole, 2, vec![5, 6]),
        (&whole[..60], 20, vec![5, 6]),
        (r#"{"regions":null}"#, 20, vec![]),
    ] {
        let mut ids = Vec::new();
        let _ = RegionIds { ids: &mut ids, limit }.deserialize(&mut serde_json::Deserializer::from_str(text));
        assert_eq!(ids.iter().map(|id| id.0).collect::<Vec<_>>(), expected, "{text}");
    }
}

#[test]
fn a_loose_text_takes_what_the_versions_of_pd_write() {
    for (json, text) in [(r#""true""#, "true"), ("true", "true"), ("512", "512"), ("-1", "-1"), ("null", "")]
    {
        assert_eq!(serde_json::from_str::<LooseText>(json).unwrap().0, text);
    }
}
