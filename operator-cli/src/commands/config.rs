//! `operator config`: what can be asked of the subject, and what is expected of it.

use operator_core::{Comparison, Operation, SubjectConfig};

use crate::error::Failure;
use crate::output::table::{self, Cell, Column};
use crate::output::{Output, Style, text};
use crate::session::Session;

/// Show what the subject can observe and do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator config
  operator --simulate config -o json | jq .observations

It asks the cluster nothing: it tells what this program could ask.")]
pub(crate) struct ConfigArgs {}

impl ConfigArgs {
    pub(crate) fn run(self, session: &Session, output: &mut Output) -> Result<(), Failure> {
        output.show(session.subject.config(), render)
    }
}

pub(super) fn render(config: &SubjectConfig, style: Style) -> String {
    let join = |operations: &mut dyn Iterator<Item = Operation>| {
        let names: Vec<_> = operations.map(Operation::as_str).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    let mut missing = Operation::ALL.into_iter().filter(|operation| !config.supports(*operation));
    let actions: Vec<_> = config.actions.iter().map(|action| &*action.name).collect();
    let mut shown = table::render_pairs(&[
        ("Subject", config.name.clone()),
        ("Observes", join(&mut config.observations.iter().copied())),
        ("Does not observe", join(&mut missing)),
        ("Acts", if actions.is_empty() { "no: it only reads".to_owned() } else { actions.join(", ") }),
    ]);
    if !config.slos.is_empty() {
        const COLUMNS: [Column; 2] = [Column::Left("OBJECTIVE"), Column::Left("MEANING")];
        let rows = config.slos.iter().flat_map(|slo| {
            let side = match slo.comparison {
                Comparison::AtMost => "at most",
                Comparison::AtLeast => "at least",
                _ => "against",
            };
            let measured = format!("{} {side} {} {}", slo.indicator, text::rate(slo.threshold), slo.unit);
            [[Cell::from(&slo.name), (&slo.description).into()], ["".into(), measured.into()]]
        });
        shown.push('\n');
        shown.push_str(&table::render(COLUMNS, rows, style));
    }
    shown
}

#[cfg(test)]
mod tests {
    use operator_core::Slo;

    use super::*;

    #[test]
    fn it_says_what_is_observed_and_what_is_not() {
        let mut config = SubjectConfig::new("demo").with_observations(Operation::ALL);
        config.observations.retain(|operation| *operation != Operation::StoreMetrics);
        let disk = Slo::new("disk", "Room to grow", "free", Comparison::AtLeast, 0.2, "ratio");
        config.slos.push(disk);
        let expected = "\
Subject           demo
Observes          stores, cluster_metrics, region_health, members, region, regions, hot_regions, signals
Does not observe  store_metrics
Acts              no: it only reads

OBJECTIVE  MEANING
disk       Room to grow
           free at least 0.2 ratio
";
        assert_eq!(render(&config, Style::PLAIN), expected);
    }
}
