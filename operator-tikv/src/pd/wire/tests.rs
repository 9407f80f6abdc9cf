use operator_core::{Region, RegionId};
use serde::de::DeserializeSeed;

use super::*;
use crate::pd::recorded::{Recorded, STATES};

/// As `RegionPage::read` reads it, which is as serde_json does.
fn page(text: &str) -> serde_json::Result<RegionPage<Region>> {
    let slow = serde_json::from_str::<RegionPage<Region>>(text);
    if let Some(fast) = compact::regions::<Region>(text.as_bytes()) {
        assert_eq!(fast, slow.as_ref().unwrap().regions, "{text}");
    }
    slow
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

#[test]
fn every_recorded_page_is_read_the_fast_way_and_alike() {
    let mut read = 0;
    for state in STATES {
        let recorded = Recorded::load(state);
        for path in
            ["/pd/api/v1/regions", "/pd/api/v1/regions/check/pending-peer", "/pd/api/v1/regions/store/1"]
        {
            let Some((200, body)) = recorded.body(path) else { continue };
            let slow: RegionPage<Region> = serde_json::from_slice(&body).unwrap();
            assert_eq!(compact::regions::<Region>(&body).as_ref(), Some(&slow.regions), "{state} {path}");
            read += slow.regions.len();
        }
    }
    assert!(read > 1_000, "{read}");
}

#[test]
fn what_is_not_as_pd_writes_it_is_left_to_the_slow_way() {
    for text in [
        "",
        r#"{"count":1,"regions":[]"#,
        r#"{"count":1,"regions":[]}}"#,
        r#"{"count":1,"regions":[{"id":1},]}"#,
        r#"{"count":1,"regions":[{"id":1}{"id":2}]}"#,
        r#"{"count":1,"regions":[{"id":01}]}"#,
        r#"{"count":1,"regions":[{"id":1.5}]}"#,
        r#"{"count":1,"regions":[{"id":1e3}]}"#,
        r#"{"count":1,"regions":[{"id":-1}]}"#,
        r#"{"count":1,"regions":[{"id":99999999999999999999}]}"#,
        r#"{"count":1,"regions":[{"start_key":"00"}]}"#,
        r#"{"count":1,"regions":[{"id":1,"start_key":"7"}]}"#,
        r#"{"count":1,"regions":[{"id":1,"start_key":"\u0030\u0030"}]}"#,
        r#"{"count":1,"regions":[{"id":1,"peers":null}]}"#,
        r#"{"count":1,"regions":[{"id":1,"new":{"id":2}}]}"#,
        r#"{"count":1,"regions":[{"id":1,"leader":{"new":[]}}]}"#,
        r#"{"count":1,"regions":[{"id":18446744073709551615}]}"#,
        r#"{"count":1, "regions":[]}"#,
        r#"{"regions":[],"count":0}"#,
        r#"{"count":0,"regions":null}"#,
    ] {
        assert!(compact::regions::<Region>(text.as_bytes()).is_none(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn a_page_with_a_wrong_byte_is_never_read_otherwise_than_the_slow_way(at in 0_usize..700, to: u8) {
        let mut body = br#"{"count":2,"regions":[{"id":40,"start_key":"7A","end_key":"7B01","epoch":{"conf_ver":5,"version":15},"peers":[{"role_name":"Voter","id":41,"store_id":1},{"role_name":"Learner","id":42,"store_id":4,"role":1,"is_learner":true}],"leader":{"role_name":"Voter","id":41,"store_id":1},"down_peers":[{"peer":{"role_name":"Learner","id":42,"store_id":4},"down_seconds":601}],"pending_peers":[{"role_name":"Learner","id":42,"store_id":4}],"cpu_usage":0,"written_bytes":235577,"read_bytes":473271,"written_keys":420,"read_keys":437,"approximate_size":2,"approximate_keys":0},{"id":41,"start_key":"7B01","end_key":"","leader":{"role_name":""}}]}"#.to_vec();
        proptest::prop_assert!(compact::regions::<Region>(&body).is_some());
        let at = at % body.len();
        body[at] = to;
        if let Some(fast) = compact::regions::<Region>(&body) {
            // A name that has become another one's is told twice: serde_json refuses that.
            match serde_json::from_slice::<RegionPage<Region>>(&body) {
                Ok(slow) => proptest::prop_assert_eq!(fast, slow.regions),
                Err(error) => proptest::prop_assert!(error.to_string().contains("duplicate field"), "{}", error),
            }
        }
    }
}
