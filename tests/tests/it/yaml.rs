//! YAML as far as the files of the local cluster use it.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// Reads one document: every scalar as text, an empty one as null, aliases resolved, and `<<` merged.
pub(crate) fn read(text: &str) -> Value {
    let mut anchors = HashMap::new();
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.unwrap();
        let (value, anchor) = match event {
            Event::MappingStart(anchor, _) => {
                open.push(Open::Mapping(Map::new(), None, anchor));
                continue;
            }
            Event::SequenceStart(anchor, _) => {
                open.push(Open::Sequence(Vec::new(), anchor));
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => match open.pop().unwrap() {
                Open::Mapping(map, _, anchor) => (Value::Object(map), anchor),
                Open::Sequence(list, anchor) => (Value::Array(list), anchor),
            },
            Event::Scalar(text, ScalarStyle::Plain, anchor, _) if text.is_empty() => (Value::Null, anchor),
            Event::Scalar(text, _, anchor, _) => (Value::String(text.into_owned()), anchor),
            Event::Alias(anchor) => (anchors.get(&anchor).cloned().unwrap(), 0),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => continue,
        };
        if anchor > 0 {
            anchors.insert(anchor, value.clone());
        }
        match open.last_mut() {
            None => return value,
            Some(Open::Sequence(list, _)) => list.push(value),
            Some(Open::Mapping(map, key, _)) => match key.take() {
                None => *key = Some(value.as_str().unwrap().to_owned()),
                Some(merge) if merge == "<<" => {
                    for (name, merged) in value.as_object().unwrap() {
                        map.entry(name).or_insert_with(|| merged.clone());
                    }
                }
                Some(name) => {
                    map.insert(name, value);
                }
            },
        }
    }
    panic!("no document")
}

/// What is not closed yet, and its anchor.
enum Open {
    /// With the key whose value comes next.
    Mapping(Map<String, Value>, Option<String>, usize),
    Sequence(Vec<Value>, usize),
}

#[test]
fn what_is_written_once_is_found_wherever_it_is_named() {
    let text = "x: &all\n  a: \"1\"\n  b: [p, q]\none:\n  <<: *all\n  b: &own {c: 2}\ntwo: *own\nnone:\n";
    let read = read(text);
    assert_eq!(read["one"], serde_json::json!({"a": "1", "b": {"c": "2"}}));
    assert_eq!((&read["two"]["c"], &read["none"]), (&Value::from("2"), &Value::Null));
}
