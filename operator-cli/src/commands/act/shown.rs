//! Actions, previews and outcomes as a person reads them.

use std::fmt::Write as _;

use operator_core::{
    Action, ActionInfo, Assessment, Danger, Outcome, OutcomeKind, PlannedRequest, PreconditionVerdict,
    Preview, Refusal,
};
use serde_json::Value;

use crate::output::table::{self, Cell, Column};
use crate::output::text::{escaped, wrapped};
use crate::output::{Style, Tone};

/// How wide the list of what can be done is, but for the parameters.
const LIST_COLUMNS: usize = 80;

/// What can be done: a line that tells what to type, and below it what that does.
pub(super) fn list(infos: &[ActionInfo], style: Style) -> String {
    const COLUMNS: [Column; 3] = [Column::Left("ACTION"), Column::Left("DANGER"), Column::Left("PARAMETERS")];
    const INDENT: &str = "    ";
    let rows = infos.iter().map(|info| {
        let danger = Cell::toned(info.danger.as_str(), tone(info.danger));
        [Cell::from(&info.name), danger, info.usage().into()]
    });
    let table = table::render(COLUMNS, rows, style);
    let mut lines = table.lines();
    let mut shown = lines.next().map_or_else(String::new, |titles| format!("{titles}\n"));
    for (line, info) in lines.zip(infos) {
        let _ = writeln!(shown, "{line}");
        for part in wrapped(&escaped(&info.description), LIST_COLUMNS - INDENT.len()) {
            let _ = writeln!(shown, "{INDENT}{part}");
        }
    }
    shown
}

fn tone(danger: Danger) -> Tone {
    match danger {
        Danger::Safe => Tone::Good,
        Danger::Disruptive => Tone::Doubtful,
        _ => Tone::Bad,
    }
}

/// What would be done, and whether it may be.
pub(super) fn assessment(assessment: &Assessment, force: bool, style: Style) -> String {
    let mut shown = preview(&assessment.preview, style);
    let (overruled, refused): (Vec<_>, Vec<_>) =
        assessment.refusals.iter().partition(|refusal| force && refusal.can_be_forced);
    shown.push_str(&refusals("Overruled by --force:", &overruled, Tone::Doubtful, style));
    shown.push_str(&refusals("Refused:", &refused, Tone::Bad, style));
    let last = match (&assessment.preview.request, refused.as_slice()) {
        (_, [_, ..]) if refused.iter().all(|refusal| refusal.can_be_forced) => {
            "Nothing was sent. --force overrules what it is refused for."
        }
        (_, [_, ..]) => "Nothing was sent, and nothing would be.",
        (None, []) => "There is nothing to send: that is asked for already.",
        (Some(_), []) => "Nothing was sent. To send it, give the same with --yes.",
    };
    let _ = writeln!(shown, "\n{last}");
    shown
}

fn refusals(title: &str, refusals: &[&Refusal], tone: Tone, style: Style) -> String {
    if refusals.is_empty() {
        return String::new();
    }
    let lines: String = refusals.iter().map(|refusal| format!("  {}\n", escaped(&refusal.message))).collect();
    format!("\n{}\n{lines}", style.paint(tone, title))
}

/// What would be done.
pub(in crate::commands) fn preview(preview: &Preview, style: Style) -> String {
    let request =
        preview.request.as_ref().map_or_else(|| "none: that is asked for already".to_owned(), request);
    let danger = style.paint(tone(preview.danger), preview.danger.as_str());
    let mut shown = format!("{} ({danger})\n\n", escaped(&preview.summary));
    shown.push_str(&table::render_pairs(&[
        ("Action", preview.action.to_string()),
        ("Request", request),
        ("Taken back by", preview.undo.as_ref().map_or_else(|| "nothing".to_owned(), command)),
    ]));
    if !preview.preconditions.is_empty() {
        const COLUMNS: [Column; 3] =
            [Column::Left("MUST HOLD"), Column::Left("HOLDS"), Column::Left("WHAT WAS SEEN")];
        let rows = preview.preconditions.iter().map(|one| {
            let (word, tone) = match one.verdict {
                PreconditionVerdict::Holds => ("yes", Tone::Good),
                PreconditionVerdict::Fails => ("no", Tone::Bad),
                _ => ("unknown", Tone::Doubtful),
            };
            [Cell::from(&one.name), Cell::toned(word, tone), Cell::from(&one.message)]
        });
        let _ = write!(shown, "\n{}", table::render(COLUMNS, rows, style));
    }
    if !preview.warnings.is_empty() {
        let _ = writeln!(shown, "\n{}", style.paint(Tone::Doubtful, "Mind:"));
        for warning in &preview.warnings {
            let _ = writeln!(shown, "  {}", escaped(warning));
        }
    }
    shown
}

/// What came of it.
pub(in crate::commands) fn outcome(outcome: &Outcome, steps: Option<&str>, style: Style) -> String {
    let tone = match outcome.outcome {
        OutcomeKind::Verified => Tone::Good,
        OutcomeKind::Accepted => Tone::Doubtful,
        _ => Tone::Bad,
    };
    let kind = style.paint(tone, outcome.outcome.as_str());
    let mut shown = format!("{kind}: {}\n", escaped(&outcome.message));
    if let Some(undo) = &outcome.undo {
        let _ = writeln!(shown, "To take it back: {}", escaped(&command(undo)));
    }
    if outcome.refusals.iter().any(|refusal| refusal.can_be_forced) {
        shown.push_str("--force overrules it.\n");
    }
    if let Some(steps) = steps {
        let _ = writeln!(shown, "Each step: {}", escaped(steps));
    }
    shown
}

/// `POST /pd/api/v1/schedulers {"name":…}`
pub(in crate::commands) fn request(request: &PlannedRequest) -> String {
    let mut shown = format!("{} {}", request.method, request.path);
    if let Some(body) = &request.body {
        let _ = write!(shown, " {body}");
    }
    shown
}

/// As it is typed into a shell.
fn command(action: &Action) -> String {
    let mut shown = format!("operator act {}", action.name());
    let json = serde_json::to_value(action).unwrap_or_default();
    for (name, value) in json.get("parameters").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let _ = write!(shown, " {}", quoted(&format!("{name}={value}")));
    }
    shown
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-=.,:/+@".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
