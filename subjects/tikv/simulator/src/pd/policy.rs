//! What PD keeps in etcd of how it is to schedule: its configuration, what stands in for some of it for a time, and the
//! stores that are to lead nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::text::duration;

/// PD v8.5.1's configuration with its defaults, as it prints it.
const DEFAULTS: &str = include_str!("config.json");
/// The items that can be set for a time.
const TEMPORARY: [&str; 12] = [
    "max-snapshot-count",
    "max-merge-region-size",
    "max-pending-peer-count",
    "max-merge-region-keys",
    "leader-schedule-limit",
    "region-schedule-limit",
    "replica-schedule-limit",
    "merge-schedule-limit",
    "hot-region-schedule-limit",
    "scheduler-max-waiting-operator",
    "enable-location-replacement",
    "enable-tikv-split-region",
];
/// PD keeps nothing for a shorter time.
const SHORTEST: TimeDelta = TimeDelta::seconds(5);

#[derive(Debug)]
pub(crate) struct Policy {
    config: Map<String, Value>,
    /// Values by item of `schedule`, each with its end.
    temporary: BTreeMap<String, (Value, DateTime<Utc>)>,
    /// The stores of `evict-leader-scheduler`, which is there as long as there is one.
    pub(crate) evicted: BTreeSet<u64>,
    /// `max-store-down-time`, which is asked for at every look at a store.
    pub(crate) max_store_down: TimeDelta,
}

impl Policy {
    pub(crate) fn new() -> Self {
        Self {
            // The file is part of the program; a test reads it.
            config: serde_json::from_str(DEFAULTS).unwrap_or_default(),
            temporary: BTreeMap::new(),
            evicted: BTreeSet::new(),
            max_store_down: TimeDelta::minutes(30),
        }
    }

    /// All of it, as it is set for good: PD does not show what stands in for a time.
    pub(crate) fn config(&self) -> &Map<String, Value> {
        &self.config
    }

    fn item(&self, section: &str, item: &str) -> Option<&Value> {
        self.config.get(section)?.get(item)
    }

    /// A number of `schedule` that is in force.
    pub(crate) fn number(&self, item: &str, now: DateTime<Utc>) -> f64 {
        let temporary = self.temporary.get(item).filter(|(_, until)| *until > now).map(|(value, _)| value);
        let number = |value: &Value| value.as_f64();
        temporary.and_then(number).or_else(|| self.item("schedule", item).and_then(number)).unwrap_or(0.0)
    }

    /// How many replicas a region is to have.
    pub(crate) fn replicas(&self) -> usize {
        let replicas = self.item("replication", "max-replicas").and_then(Value::as_u64);
        replicas.and_then(|replicas| usize::try_from(replicas).ok()).unwrap_or(3)
    }

    pub(crate) fn set_max_store_down(&mut self, span: TimeDelta) {
        self.max_store_down = span;
        if let Some(Value::Object(schedule)) = self.config.get_mut("schedule") {
            schedule.insert("max-store-down-time".to_owned(), duration(span).into());
        }
    }

    /// Sets an item, with or without its section in front. The error is PD's text.
    pub(crate) fn set(&mut self, key: &str, value: &Value, now: DateTime<Utc>) -> Result<(), String> {
        let (section, item) = match key.split_once('.') {
            Some((section, rest)) => (section.to_owned(), rest.rsplit('.').next().unwrap_or(rest).to_owned()),
            None => {
                let found = SECTIONS.iter().find(|(section, _)| self.item(section, key).is_some());
                let (section, _) = found.ok_or_else(|| format!("config item {key} not found"))?;
                ((*section).to_owned(), key.to_owned())
            }
        };
        let Some((_, struct_name)) = SECTIONS.iter().find(|(name, _)| *name == section) else {
            return Err(format!("config prefix {section} not found"));
        };
        if section == "schedule" && self.temporary.get(&item).is_some_and(|(_, until)| *until > now) {
            return Err(format!("need to clean up TTL first for schedule.{item}"));
        }
        let old = self.item(&section, &item).ok_or_else(|| format!("config item {item} not found"))?.clone();
        let new = decode(&old, &item, value, struct_name)?;
        let Some(Value::Object(items)) = self.config.get_mut(&section) else { return Ok(()) };
        items.insert(item.clone(), new);
        if let Err(message) = validate(items) {
            items.insert(item, old);
            return Err(message);
        }
        if item == "max-store-down-time"
            && let Some(Ok(span)) = self.item("schedule", &item).and_then(Value::as_str).map(parse_duration)
        {
            self.max_store_down = span;
        }
        Ok(())
    }

    /// Sets items for a time, or ends that where it is zero. Nothing is checked but their names.
    pub(crate) fn set_for(
        &mut self,
        items: &Map<String, Value>,
        span: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<(), String> {
        let name = |key: &str| {
            key.strip_prefix("schedule.").filter(|item| TEMPORARY.contains(item)).map(str::to_owned)
        };
        if let Some(key) = items.keys().find(|key| name(key).is_none()) {
            return Err(format!("unsupported ttl config {key}"));
        }
        for (key, value) in items {
            let Some(item) = name(key) else { continue };
            if span.is_zero() {
                self.temporary.remove(&item);
            } else {
                let until = now.checked_add_signed(span.max(SHORTEST)).unwrap_or(DateTime::<Utc>::MAX_UTC);
                self.temporary.insert(item, (value.clone(), until));
            }
        }
        Ok(())
    }
}

/// The sections that can be changed, and what Go calls them.
const SECTIONS: [(&str, &str); 3] =
    [("schedule", "ScheduleConfig"), ("replication", "ReplicationConfig"), ("pd-server", "PDServerConfig")];

/// The value in the form of the old one, or what Go's decoder says.
fn decode(old: &Value, item: &str, new: &Value, struct_name: &str) -> Result<Value, String> {
    let wrong = |what: &str, expected: &str| {
        Err(format!(
            "json: cannot unmarshal {what} into Go struct field {struct_name}.{item} of type {expected}"
        ))
    };
    let kind = match new {
        Value::Null => return Ok(old.clone()),
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match old {
        Value::Number(number) => {
            let expected = match item {
                _ if item.ends_with("-ratio") || item.ends_with("-threshold") && number.is_f64() => "float64",
                "gc-tuner-threshold" | "server-memory-limit" | "server-memory-limit-gc-trigger" => "float64",
                "max-movable-hot-peer-size" => "int64",
                "patrol-region-worker-count" | "flow-round-by-digit" => "int",
                _ => "uint64",
            };
            match new {
                Value::Number(given) => {
                    let fits = match expected {
                        "float64" => true,
                        "uint64" => given.is_u64(),
                        _ => given.is_i64(),
                    };
                    if fits { Ok(new.clone()) } else { wrong(&format!("number {given}"), expected) }
                }
                _ => wrong(kind, expected),
            }
        }
        Value::String(text) if text == "true" || text == "false" => match new {
            Value::String(given) if given == "true" || given == "false" => Ok(new.clone()),
            Value::String(given) => Err(format!(
                "json: invalid use of ,string struct tag, trying to unmarshal {given:?} into bool"
            )),
            _ => Err("json: invalid use of ,string struct tag, trying to unmarshal unquoted value into bool"
                .to_owned()),
        },
        Value::String(text) if parse_duration(text).is_ok() => match new {
            Value::String(given) => parse_duration(given).map(|span| duration(span).into()),
            _ => Err("invalid syntax".to_owned()),
        },
        Value::String(_) => match new {
            Value::String(_) => Ok(new.clone()),
            _ => wrong(kind, "string"),
        },
        _ if std::mem::discriminant(old) == std::mem::discriminant(new) => Ok(new.clone()),
        _ => wrong(kind, "map"),
    }
}

fn validate(items: &Map<String, Value>) -> Result<(), String> {
    let number = |item: &str| items.get(item).and_then(Value::as_f64);
    let outside = |item: &str| number(item).is_some_and(|ratio| !(0.0..=1.0).contains(&ratio));
    if number("tolerant-size-ratio").is_some_and(|ratio| ratio < 0.0) {
        return Err("tolerant-size-ratio should be non-negative".to_owned());
    }
    if outside("low-space-ratio") {
        return Err("low-space-ratio should between 0 and 1".to_owned());
    }
    if outside("high-space-ratio") {
        return Err("high-space-ratio should between 0 and 1".to_owned());
    }
    if let (Some(low), Some(high)) = (number("low-space-ratio"), number("high-space-ratio"))
        && low <= high
    {
        return Err("low-space-ratio should be larger than high-space-ratio".to_owned());
    }
    if let Some(policy) = items.get("leader-schedule-policy").and_then(Value::as_str)
        && !matches!(policy, "count" | "size")
    {
        return Err(format!("leader-schedule-policy {policy} is invalid"));
    }
    if number("slow-store-evicting-affected-store-ratio-threshold") == Some(0.0) {
        return Err("slow-store-evicting-affected-store-ratio-threshold is not set".to_owned());
    }
    if number("patrol-region-worker-count").is_some_and(|count| !(1.0..=8.0).contains(&count)) {
        return Err("patrol-region-worker-count should be between 1 and 8".to_owned());
    }
    Ok(())
}

/// Reads a span as Go does: `1h2m3.5s`, `40s`, `10ms`. The error is Go's text.
fn parse_duration(text: &str) -> Result<TimeDelta, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    if text == "0" {
        return Ok(TimeDelta::zero());
    }
    let mut rest = text;
    let mut nanos = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(|| format!("time: missing unit in duration {text:?}"))?;
        let (number, unit) = rest.split_at(digits);
        let end = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
        let (unit, after) = unit.split_at(end);
        let each = match unit {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3_600e9,
            _ => return Err(invalid()),
        };
        nanos += number.parse::<f64>().map_err(|_| invalid())? * each;
        rest = after;
    }
    if text.is_empty() || nanos >= i64::MAX as f64 {
        return Err(invalid());
    }
    Ok(TimeDelta::nanoseconds(nanos as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    #[test]
    fn the_defaults_can_be_read() {
        let policy = Policy::new();
        assert_eq!(policy.number("leader-schedule-limit", now()), 4.0);
        assert_eq!(policy.replicas(), 3);
        assert_eq!(policy.max_store_down, TimeDelta::minutes(30));
    }

    #[test]
    fn values_are_refused_in_gos_words() {
        let mut policy = Policy::new();
        for (key, value, message) in [
            (
                "replica-schedule-limit",
                json!(1.5),
                "json: cannot unmarshal number 1.5 into Go struct field ScheduleConfig.replica-schedule-limit of type uint64",
            ),
            (
                "enable-witness",
                json!(true),
                "json: invalid use of ,string struct tag, trying to unmarshal unquoted value into bool",
            ),
            ("schedule.max-store-down-time", json!("soon"), "time: invalid duration \"soon\""),
            ("schedule.nothing", json!(1), "config item nothing not found"),
            ("cheese.limit", json!(1), "config prefix cheese not found"),
            ("low-space-ratio", json!(0.5), "low-space-ratio should be larger than high-space-ratio"),
            (
                "max-replicas",
                json!("3"),
                "json: cannot unmarshal string into Go struct field ReplicationConfig.max-replicas of type uint64",
            ),
        ] {
            assert_eq!(policy.set(key, &value, now()), Err(message.to_owned()), "{key}");
        }
        assert_eq!(policy.set("schedule.max-store-down-time", &json!("40s"), now()), Ok(()));
        assert_eq!(policy.max_store_down, TimeDelta::seconds(40));
    }

    #[test]
    fn what_is_set_for_a_time_ends_and_cannot_be_set_for_good_meanwhile() {
        let mut policy = Policy::new();
        let items = |key: &str| Map::from_iter([(key.to_owned(), json!(0))]);
        let limit = items("schedule.leader-schedule-limit");
        assert_eq!(
            policy.set_for(&items("leader-schedule-limit"), TimeDelta::minutes(1), now()),
            Err("unsupported ttl config leader-schedule-limit".to_owned())
        );
        assert_eq!(policy.set_for(&limit, TimeDelta::minutes(1), now()), Ok(()));
        assert_eq!(policy.number("leader-schedule-limit", now()), 0.0);
        assert_eq!(policy.config()["schedule"]["leader-schedule-limit"], 4, "it is not shown");
        assert_eq!(
            policy.set("leader-schedule-limit", &json!(8), now()),
            Err("need to clean up TTL first for schedule.leader-schedule-limit".to_owned())
        );
        let later = now() + TimeDelta::minutes(1);
        assert_eq!(policy.number("leader-schedule-limit", later), 4.0);
        assert_eq!(policy.set("leader-schedule-limit", &json!(8), later), Ok(()));
        assert_eq!(policy.set_for(&limit, TimeDelta::minutes(1), later), Ok(()));
        assert_eq!(policy.set_for(&limit, TimeDelta::zero(), later), Ok(()));
        assert_eq!(policy.number("leader-schedule-limit", later), 8.0);
    }

    #[test]
    fn spans_are_read_as_go_writes_them() {
        for text in ["30m0s", "1h2m3.5s", "10ms", "0s", "48h0m0s"] {
            assert!(parse_duration(text).is_ok(), "{text}");
        }
        for text in ["", "5", "x", "1d", "1.2.3s", "999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
