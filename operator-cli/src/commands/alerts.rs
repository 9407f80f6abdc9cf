//! The alerts that Prometheus itself evaluates, as they stand.

use operator_core::Observation;
use operator_tikv::rules::PROMETHEUS_ALERT;

use crate::output::table::{self, Cell, Column};
use crate::output::text;
use crate::output::{Style, Tone};

/// A section of its own; `None` if there is nothing to tell.
pub(super) fn of_prometheus(observation: &Observation, style: Style) -> Option<String> {
    const COLUMNS: [Column; 5] = [
        Column::Left("STATE"),
        Column::Left("ALERT"),
        Column::Left("REGARDING"),
        Column::Left("SINCE"),
        Column::Left("MESSAGE"),
    ];
    let (alerts, remarks): (Vec<_>, Vec<_>) = observation
        .signals_named(PROMETHEUS_ALERT)
        .partition(|signal| signal.labels.contains_key("alertname"));
    let label = |signal: &operator_core::Signal, name| signal.labels.get(name).cloned().unwrap_or_default();
    let rows = alerts.iter().map(|alert| {
        let state = label(alert, "alertstate");
        let tone = if state == "firing" { Tone::Bad } else { Tone::Doubtful };
        [
            Cell::toned(state, tone),
            label(alert, "alertname").into(),
            alert.regarding.thing().to_string().into(),
            text::age(alert.at, observation.at).into(),
            alert.value.to_string().into(),
        ]
    });
    let mut shown = if alerts.is_empty() { String::new() } else { table::render(COLUMNS, rows, style) };
    for remark in remarks {
        shown.push_str(&format!("  {}\n", text::failure(&remark.value.to_string(), None, 4)));
    }
    let title = style.paint(Tone::Title, "Alerts of Prometheus:");
    (!shown.is_empty()).then(|| format!("{title}\n{shown}"))
}
