//! The shape of JSON: which keys, of which types. Several samples make one shape.

use std::collections::BTreeMap;

use serde_json::Value;

/// What was seen at one place of some JSON documents.
#[derive(Debug, Default, Clone)]
pub(crate) struct Shape {
    null: bool,
    boolean: bool,
    integer: bool,
    float: bool,
    string: bool,
    /// How many objects were seen, and in how many of them each key.
    objects: u64,
    keys: BTreeMap<String, (u64, Shape)>,
    /// The elements of arrays, all of them together.
    array: Option<Box<Shape>>,
    elements: u64,
}

impl Shape {
    pub(crate) fn add(&mut self, value: &Value) {
        match value {
            Value::Null => self.null = true,
            Value::Bool(_) => self.boolean = true,
            Value::Number(number) => {
                let integer = number.is_u64() || number.is_i64();
                self.integer |= integer;
                self.float |= !integer;
            }
            Value::String(_) => self.string = true,
            Value::Array(elements) => {
                let shape = self.array.get_or_insert_default();
                for element in elements {
                    self.elements += 1;
                    shape.add(element);
                }
            }
            Value::Object(object) => {
                self.objects += 1;
                let mut ids = false;
                for (key, value) in object {
                    // Maps from ids: all their values are of one shape.
                    let key = if is_id(key) { "<id>" } else { key };
                    let (count, shape) = self.keys.entry(key.to_owned()).or_default();
                    if key != "<id>" || !ids {
                        *count += 1;
                    }
                    ids |= key == "<id>";
                    shape.add(value);
                }
            }
        }
    }

    /// Says where `self`, what was simulated, differs from what was recorded. A key is optional if it was not in every
    /// object that was recorded there.
    pub(crate) fn differs(&self, recorded: &Shape, at: &str, differences: &mut Vec<String>) {
        let mut only = |seen: bool, known: bool, what: &str| {
            if seen && !known {
                differences.push(format!("{at}: {what} was never recorded"));
            }
        };
        only(self.null, recorded.null, "null");
        only(self.boolean, recorded.boolean, "a boolean");
        only(self.integer, recorded.integer || recorded.float, "a number");
        only(self.float, recorded.float, "a fraction");
        only(self.string, recorded.string, "a string");
        only(self.objects > 0, recorded.objects > 0, "an object");
        only(self.array.is_some(), recorded.array.is_some(), "an array");
        for (key, (_, shape)) in &self.keys {
            match recorded.keys.get(key) {
                Some((_, known)) => shape.differs(known, &format!("{at}.{key}"), differences),
                None if recorded.objects > 0 => differences.push(format!("{at}.{key} was never recorded")),
                None => {}
            }
        }
        for (key, (count, _)) in &recorded.keys {
            let always = *count == recorded.objects;
            let simulated = self.keys.get(key).map_or(0, |(count, _)| *count);
            if always && simulated < self.objects {
                differences.push(format!("{at}.{key} was always recorded and is missing"));
            }
        }
        // What is in an array that was always empty is not known.
        if let (Some(shape), Some(known), true) = (&self.array, &recorded.array, recorded.elements > 0) {
            shape.differs(known, &format!("{at}[]"), differences);
        }
    }
}

fn is_id(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit())
}

#[test]
fn differences_are_found() {
    let shape = |texts: &[&str]| {
        let mut shape = Shape::default();
        for text in texts {
            shape.add(&serde_json::from_str(text).expect("JSON"));
        }
        shape
    };
    let recorded = shape(&[
        r#"{"a": 1, "b": [{"c": "x"}], "m": {"1": 2.5}}"#,
        r#"{"a": 2, "b": [], "d": true, "m": {}}"#,
    ]);
    let differences = |text: &str| {
        let mut found = Vec::new();
        shape(&[text]).differs(&recorded, "", &mut found);
        found
    };
    assert_eq!(differences(r#"{"a": 3, "b": [{"c": "y"}], "m": {"7": 1, "8": 2.5}}"#), [""; 0]);
    assert_eq!(differences(r#"{"b": [], "m": {}}"#), [".a was always recorded and is missing"]);
    assert_eq!(differences(r#"{"a": 1.5, "b": [], "m": {}}"#), [".a: a fraction was never recorded"]);
    assert_eq!(differences(r#"{"a": "1", "b": [], "m": {}}"#), [".a: a string was never recorded"]);
    assert_eq!(differences(r#"{"a": 1, "b": [{}], "m": {}}"#), [".b[].c was always recorded and is missing"]);
    assert_eq!(differences(r#"{"a": 1, "b": [], "m": {}, "e": 1}"#), [".e was never recorded"]);
}
