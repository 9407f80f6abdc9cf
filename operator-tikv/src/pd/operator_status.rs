//! What PD says of a step of scheduling, in its prose.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use operator_core::Epoch;

use crate::http::printable;

/// What PD does to a region, or did to it last.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperatorStatus {
    /// How far it is.
    pub state: OperatorState,
    /// The region's epoch when PD made it.
    pub epoch: Option<Epoch>,
    /// Who made it: a scheduler's or checker's name, `admin-…` if a person.
    pub description: String,
    /// What it does: `transfer leader: store 1 to 4`.
    pub brief: Option<String>,
    /// When PD made it, by PD's clock.
    pub created_at: Option<DateTime<Utc>>,
}

/// How far a step of scheduling is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperatorState {
    /// It runs.
    Running,
    /// It is done.
    Success,
    /// It ended otherwise, in PD's word: `TIMEOUT`, `CANCEL`, `REPLACE`, `EXPIRED`.
    Ended(String),
}

impl OperatorStatus {
    /// Whether PD is at it.
    pub fn is_running(&self) -> bool {
        self.state == OperatorState::Running
    }

    fn of(state: OperatorState, operator: &str) -> Self {
        let (head, details) = operator.split_once(" (kind:").unwrap_or((operator, ""));
        let (description, brief) = match head.split_once(" {") {
            Some((description, brief)) => (description, Some(brief.strip_suffix('}').unwrap_or(brief))),
            None => (head, None),
        };
        Self {
            state,
            epoch: details.split_once("region:").and_then(|(_, text)| epoch(text)),
            description: printable(description.trim()).into_owned(),
            brief: brief.map(|brief| printable(brief).into_owned()),
            created_at: details.split_once("createAt:").and_then(|(_, text)| go_time(text)),
        }
    }

    /// `admin-transfer-leader {transfer leader: store 1 to 4}`.
    pub fn what(&self) -> String {
        match &self.brief {
            Some(brief) => format!("{} {{{brief}}}", self.description),
            None => self.description.clone(),
        }
    }
}

/// `status: SUCCESS, operator: admin-transfer-leader {transfer leader: store 1 to 4} (kind:admin,leader, …,
/// createAt:2026-11-22 02:53:48.137459551 +0000 UTC m=+607.2, …) finished`.
impl FromStr for OperatorStatus {
    type Err = ();

    fn from_str(prose: &str) -> Result<Self, ()> {
        let rest = prose.trim().strip_prefix("status: ").ok_or(())?;
        let (state, operator) = rest.split_once(", operator: ").ok_or(())?;
        let state = match state {
            "RUNNING" | "STARTED" | "CREATED" => OperatorState::Running,
            "SUCCESS" => OperatorState::Success,
            other => OperatorState::Ended(printable(other).into_owned()),
        };
        Ok(Self::of(state, operator))
    }
}

/// The beginning of `text`: the region's id, version and configuration version, `192(15, 5)`.
fn epoch(text: &str) -> Option<Epoch> {
    let (_, text) = text.split_once('(')?;
    let (version, text) = text.split_once(", ")?;
    let (conf_ver, _) = text.split_once(')')?;
    Some(Epoch { conf_ver: conf_ver.parse().ok()?, version: version.parse().ok()? })
}

/// The beginning of `text`, as Go prints a time: `2026-11-22 02:53:48.137459551 +0000 UTC m=+607.2`.
fn go_time(text: &str) -> Option<DateTime<Utc>> {
    let mut words = text.splitn(4, ' ');
    let time = [words.next()?, words.next()?, words.next()?].join(" ");
    DateTime::parse_from_str(&time, "%Y-%m-%d %H:%M:%S%.f %z").ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pd::recorded;

    #[test]
    fn recorded_status_of_a_transferred_leader() {
        let answers = recorded::actions("actions");
        let answer = answers.iter().find(|answer| answer.path == "/pd/api/v1/operators/192").unwrap();
        let prose: String = serde_json::from_str(&answer.answer).unwrap();
        let status: OperatorStatus = prose.parse().unwrap();
        assert_eq!(status.state, OperatorState::Success);
        assert_eq!(status.epoch, Some(Epoch { conf_ver: 5, version: 15 }));
        assert_eq!(status.what(), "admin-transfer-leader {transfer leader: store 1 to 4}");
        assert_eq!(status.created_at.unwrap().to_rfc3339(), "2026-11-22T02:53:48.137459551+00:00");
    }

    #[test]
    fn by_reference_other_states() {
        let status = |word: &str| {
            let prose = format!(
                "status: {word}, operator: balance-leader {{transfer leader: store 1 to 4}} (kind:leader, region:2(1, 2))"
            );
            prose.parse::<OperatorStatus>().unwrap()
        };
        assert!(status("RUNNING").is_running());
        for word in ["TIMEOUT", "CANCEL", "REPLACE", "EXPIRED"] {
            assert_eq!(status(word).state, OperatorState::Ended(word.to_owned()));
        }
        assert_eq!(status("CANCEL").created_at, None);
    }

    proptest! {
        #[test]
        fn every_text_is_read_or_refused(text in "(status: )?(RUNNING|, operator: |\\{|\\}| \\(kind:|createAt:|\\PC){0,20}") {
            let _ = text.parse::<OperatorStatus>();
        }
    }
}
