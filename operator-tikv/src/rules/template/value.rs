//! What a template computes with.

use std::collections::BTreeMap;

use super::format::shortest;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Whole(i64),
    Number(f64),
    Text(String),
    Map(BTreeMap<String, String>),
    /// What `.` is: the labels and the value.
    Data,
}

impl Value {
    /// Whether `if` takes it for true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Whole(value) => *value != 0,
            Self::Number(value) => *value != 0.0,
            Self::Text(value) => !value.is_empty(),
            Self::Map(value) => !value.is_empty(),
            Self::Data => true,
        }
    }

    /// Go's name of its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Whole(_) => "int",
            Self::Number(_) => "float64",
            Self::Text(_) => "string",
            Self::Map(_) => "map[string]string",
            Self::Data => "struct",
        }
    }

    /// As Go's `%v` writes it; `None` for what nobody means to print.
    pub(super) fn shown(&self) -> Option<String> {
        Some(match self {
            Self::Nil => "<nil>".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Whole(value) => value.to_string(),
            Self::Number(value) => shortest(*value),
            Self::Text(value) => value.clone(),
            Self::Map(map) => {
                let entries: Vec<_> = map.iter().map(|(name, value)| format!("{name}:{value}")).collect();
                format!("map[{}]", entries.join(" "))
            }
            Self::Data => return None,
        })
    }
}
