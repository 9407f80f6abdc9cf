//! JSON that is sent to PD, read as Go reads it.

use serde_json::{Map, Value};

use crate::Reply;
use crate::pd::answer;

/// An object, or the answer that it is none.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Reply> {
    match value(body)? {
        Value::Object(object) => Ok(object),
        Value::Null => Ok(Map::new()),
        other => Err(answer::input_error(&format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            kind(&other)
        ))),
    }
}

/// Any JSON, or the answer that it is none.
pub(super) fn value(body: &[u8]) -> Result<Value, Reply> {
    serde_json::from_slice(body).map_err(|error| answer::input_error(&wrong(body, &error)))
}

/// What Go says of text that is no JSON: at least that it ends too early, or where it goes wrong.
pub(super) fn wrong(body: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let lines = body.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    let at = lines.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1);
    let found = body.get(at).copied().map_or(' ', char::from);
    format!("invalid character {found:?} looking for beginning of value")
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A number as an id: Go takes any number there, and cuts its fraction off.
pub(super) fn id(input: &Map<String, Value>, key: &str) -> Option<u64> {
    input.get(key)?.as_f64().map(|id| id as u64)
}
