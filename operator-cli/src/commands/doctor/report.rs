//! What was found, and how it is shown.

use operator_tikv::http::TransportErrorKind;
use operator_tikv::{Error, TimeoutPhase};
use serde::Serialize;

use super::DEADLINE;
use crate::output::table::{self, Cell, Column};
use crate::output::{Style, Tone};

/// Everything that was checked.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Report {
    /// Whether all of it is as it should be.
    pub(in crate::commands) ok: bool,
    pub(in crate::commands) checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Check {
    /// What it is: `pd http://pd0:2379`, `store 4`, `prometheus`, …
    pub(super) name: String,
    /// Whether it is as it should be.
    pub(in crate::commands) ok: bool,
    /// What was found.
    pub(super) message: String,
    /// What to do: to mend it, or to have it better than it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
}

impl Check {
    pub(super) fn good(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), ok: true, message: message.into(), hint: None }
    }

    pub(super) fn bad(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), ok: false, message: message.into(), hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Somebody who did not answer as asked.
    pub(super) fn failed(name: impl Into<String>, error: &Error) -> Self {
        Self::bad(name, told(error)).hint(error.hint().unwrap_or(LOOK))
    }

    /// Somebody who did not answer in time.
    pub(super) fn silent(name: impl Into<String>) -> Self {
        Self::bad(name, format!("HTTP: no answer within {DEADLINE:?}")).hint(LOOK)
    }
}

/// What to try where nothing better is known.
const LOOK: &str = "see whether this is its address, whether it hangs, and what its log says";

/// On which step of the way it failed, and how; what to try is not in it.
pub(super) fn told(error: &Error) -> String {
    let text = error.to_string();
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{}: {}", step(error), text.strip_suffix(&hint).unwrap_or(&text))
}

fn step(error: &Error) -> &'static str {
    match error {
        Error::Timeout { phase: TimeoutPhase::Connect, .. } => "TCP",
        Error::Unreachable { source, .. } => match source.kind {
            TransportErrorKind::Dns => "DNS",
            TransportErrorKind::Connect | TransportErrorKind::ConnectTimeout => "TCP",
            TransportErrorKind::Tls => "TLS",
            _ => "HTTP",
        },
        _ => "HTTP",
    }
}

pub(in crate::commands) fn render(report: &Report, style: Style) -> String {
    const COLUMNS: [Column; 3] = [Column::Left(""), Column::Left("CHECK"), Column::Left("FOUND")];
    let rows = report.checks.iter().flat_map(|check| {
        let result = match (check.ok, &check.hint) {
            (true, None) => Cell::toned("ok", Tone::Good),
            (true, Some(_)) => Cell::toned("note", Tone::Doubtful),
            (false, _) => Cell::toned("FAILED", Tone::Bad),
        };
        let hint = check.hint.iter().map(|hint| ["".into(), "".into(), format!("try: {hint}").into()]);
        std::iter::once([result, (&check.name).into(), (&check.message).into()]).chain(hint)
    });
    let table = table::render(COLUMNS, rows, style);
    let failed = report.checks.iter().filter(|check| !check.ok).count();
    let summary = match failed {
        0 => style.paint(Tone::Good, "everything is as it should be"),
        _ => style.paint(Tone::Bad, &format!("{failed} of {} checks failed", report.checks.len())),
    };
    format!("{table}\n{summary}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_what_failed_and_what_to_try() {
        let checks = vec![
            Check::good("pd http://a", "v8.5.8"),
            Check::good("prometheus", "none").hint("name one"),
            Check::bad("store 4", "gone\u{1b}[2J").hint("start it"),
        ];
        let text = render(&Report { ok: false, checks }, Style::PLAIN);
        let expected = "        CHECK        FOUND\n\
                        ok      pd http://a  v8.5.8\n\
                        note    prometheus   none\n                     try: name one\n\
                        FAILED  store 4      gone\\u{1b}[2J\n                     try: start it\n\
                        \n1 of 3 checks failed\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn programs_see_no_hint_where_there_is_none() {
        let report = Report { ok: true, checks: vec![Check::good("clocks", "they agree")] };
        let json = serde_json::to_value(&report).unwrap();
        let expected = serde_json::json!({"ok": true, "checks": [{"name": "clocks", "ok": true, "message": "they agree"}]});
        assert_eq!(json, expected);
    }
}
