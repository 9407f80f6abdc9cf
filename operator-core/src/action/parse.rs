//! Actions from names and parameters, and what there is to choose from.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::Action;
use super::kind::{danger, reversed_by};
use crate::{ActionInfo, Error, ErrorKind, Result, did_you_mean};

static INFOS: LazyLock<Vec<ActionInfo>> = LazyLock::new(infos);

impl Action {
    /// Everything that there is, with the parameters as JSON Schema, in the order of [`Action`].
    pub fn infos() -> &'static [ActionInfo] {
        &INFOS
    }

    /// The action `name` with `parameters`, a JSON object (or `null` for none).
    ///
    /// ```
    /// use operator_core::Action;
    /// use serde_json::json;
    ///
    /// let action = Action::parse("drain_store", json!({"store_id": 4}))?;
    /// assert_eq!(action, Action::DrainStore { store_id: 4.into() });
    /// let error = Action::parse("drain_stor", json!({"store_id": 4})).unwrap_err();
    /// assert!(error.message.contains("`drain_store`"), "{error}");
    /// # Ok::<(), operator_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] naming what is unknown, missing or of the wrong type, and what was probably meant.
    pub fn parse(name: &str, parameters: Value) -> Result<Self> {
        let info = info(name)?;
        let parameters = match parameters {
            Value::Null => Map::new(),
            Value::Object(parameters) => parameters,
            other => return Err(invalid(format!("the parameters of {name} are an object, not {other}"))),
        };
        for parameter in parameters.keys() {
            schema(info, parameter)?;
        }
        let json = Value::from_iter([("name", Value::from(name)), ("parameters", parameters.into())]);
        serde_json::from_value(json)
            .map_err(|error| invalid(format!("{name}: {error}; it takes {}", info.usage())).because(error))
    }

    /// The action `name` with parameters as a person types them: `("store_id", "4")`. A list or an object is JSON.
    ///
    /// # Errors
    /// As [`Action::parse`]; also for a parameter given twice.
    pub fn parse_texts<'a>(
        name: &str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self> {
        let info = info(name)?;
        let mut json = Map::new();
        for (parameter, text) in parameters {
            let schema = schema(info, parameter)?;
            // A choice of texts has no type of its own.
            let is_text =
                schema.get("type").is_some_and(|kind| kind == "string") || schema.get("oneOf").is_some();
            let value = if is_text {
                Value::from(text)
            } else {
                // What is no JSON is a text, and the error then says what was expected.
                serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
            };
            if json.insert(parameter.to_owned(), value).is_some() {
                return Err(invalid(format!("{name}: {parameter} is given twice")));
            }
        }
        Self::parse(name, json.into())
    }
}

fn info(name: &str) -> Result<&'static ActionInfo> {
    Action::infos().iter().find(|info| info.name == name).ok_or_else(|| {
        let nearest = did_you_mean(name, Action::infos().iter().map(|info| info.name.as_str()));
        invalid(format!("there is no action `{name}`{nearest}"))
    })
}

/// The schema of one parameter.
fn schema<'a>(info: &'a ActionInfo, parameter: &str) -> Result<&'a Value> {
    let properties = info.parameters.get("properties").and_then(Value::as_object);
    properties.and_then(|properties| properties.get(parameter)).ok_or_else(|| {
        let names = properties.into_iter().flat_map(Map::keys).map(String::as_str);
        let nearest = did_you_mean(parameter, names);
        invalid(format!("{} has no parameter `{parameter}`{nearest}; it takes {}", info.name, info.usage()))
    })
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "action", message)
}

/// From the schema of [`Action`]: one description for the code, the program and agents.
fn infos() -> Vec<ActionInfo> {
    let mut settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let schema = settings.into_generator().into_root_schema_for::<Action>();
    let variants = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    variants
        .filter_map(|variant| {
            let properties = variant.get("properties")?;
            let name = properties.get("name")?.get("const")?.as_str()?;
            let description = variant.get("description")?.as_str()?;
            let mut parameters = properties.get("parameters")?.clone();
            fold(&mut parameters);
            let info = ActionInfo::new(name, folded(description), parameters, danger(name));
            Some(match reversed_by(name) {
                Some(other) => info.reversed_by(other),
                None => info,
            })
        })
        .collect()
}

/// Without the line breaks of the source.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn fold(schema: &mut Value) {
    match schema {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| match value {
            Value::String(text) if name == "description" => *text = folded(text),
            other => fold(other),
        }),
        Value::Array(items) => items.iter_mut().for_each(fold),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_action_is_described_and_has_one_name() {
        let infos = Action::infos();
        assert_eq!(infos.len(), 22);
        for info in infos {
            assert_eq!(info.parameters["type"], "object", "{}", info.name);
            assert_eq!(info.parameters["additionalProperties"], false, "{}", info.name);
            let json = serde_json::to_string(info).unwrap();
            assert!(!json.contains("\\n"), "{json}");
            assert!(info.description.ends_with('.'), "{}: {}", info.name, info.description);
            for (name, schema) in info.parameters["properties"].as_object().unwrap() {
                assert!(schema["description"].is_string(), "{} {name}: {schema}", info.name);
            }
            if let Some(other) = &info.reversed_by {
                assert!(infos.iter().any(|info| info.name == *other), "{other}");
            }
        }
    }

    #[test]
    fn json_comes_back_and_names_agree() {
        for (name, parameters) in [
            ("transfer_leader", json!({"region_id": 17, "to_store_id": u64::MAX})),
            ("split_region", json!({"region_id": 17, "policy": "keys", "keys": ["7480FF"]})),
            ("split_region", json!({"region_id": 17})),
            ("set_store_labels", json!({"store_id": 1, "labels": {"zone": "z1"}})),
            ("set_leader_schedule_limit", json!({"limit": 4, "ttl_seconds": 60})),
            ("transfer_pd_leader", json!({"member": "pd1"})),
        ] {
            let action = Action::parse(name, parameters).unwrap();
            assert_eq!(action.name(), name);
            let json = serde_json::to_value(&action).unwrap();
            assert_eq!(json["name"], name);
            assert_eq!(serde_json::from_value::<Action>(json).unwrap(), action);
        }
    }

    #[test]
    fn texts_become_what_the_schema_wants() {
        let parse =
            |name, texts: &[(&'static str, &'static str)]| Action::parse_texts(name, texts.iter().copied());
        let action = parse("split_region", &[("region_id", "17"), ("policy", "keys"), ("keys", r#"["74"]"#)]);
        assert_eq!(action.unwrap().to_string(), r#"split_region keys=["74"] policy=keys region_id=17"#);
        // A name that looks like a number stays a name.
        assert_eq!(
            parse("transfer_pd_leader", &[("member", "12")]).unwrap(),
            Action::TransferPdLeader { member: "12".to_owned() }
        );
        assert_eq!(
            parse("set_leader_schedule_limit", &[("limit", "4"), ("ttl_seconds", "60")]).unwrap(),
            Action::SetLeaderScheduleLimit { limit: 4, ttl_seconds: Some(60) }
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let parse = |name, texts: &[(&'static str, &'static str)]| {
            let error = Action::parse_texts(name, texts.iter().copied()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput);
            error.message
        };
        for (message, parts) in [
            (parse("drain", &[]), &["`drain`", "`drain_store`"][..]),
            (parse("DRAIN_STORE", &[]), &["no action `DRAIN_STORE`; did you mean `drain_store`?"]),
            (parse("make_coffee", &[]), &["no action `make_coffee`"]),
            (parse("drain_store", &[("store", "4")]), &["`store`", "did you mean `store_id`", "store_id=…"]),
            (parse("drain_store", &[("store_id", "4"), ("store_id", "5")]), &["twice"]),
            (parse("drain_store", &[]), &["missing field `store_id`", "store_id=…"]),
            (parse("drain_store", &[("store_id", "tikv1")]), &["\"tikv1\"", "u64"]),
            (parse("drain_store", &[("store_id", "-1")]), &["-1"]),
            (parse("drain_store", &[("store_id", "18446744073709551616")]), &["drain_store"]),
            (parse("split_region", &[("region_id", "1"), ("policy", "half")]), &["`half`", "`approximate`"]),
            (parse("split_region", &[("region_id", "1"), ("keys", r#"["7"]"#)]), &["digits"]),
            (Action::parse("drain_store", json!([4])).unwrap_err().message, &["object"]),
        ] {
            for part in parts {
                assert!(message.contains(part), "{message:?} lacks {part:?}");
            }
        }
    }
}
