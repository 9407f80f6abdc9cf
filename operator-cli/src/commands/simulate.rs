//! `operator simulate`: a cluster to try things on.

use std::fmt::Write as _;

use chrono::Utc;
use serde::Serialize;
use tikv_simulator::{Config, NodeId, Scenario, Server};

use crate::args::{Options, scenario};
use crate::error::Failure;
use crate::output::table::{self, Cell, Column};
use crate::output::{Format, Output, Style};

/// Run a simulated cluster until Ctrl-C
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator simulate
  operator simulate --scenario store-crash --speed 10
  operator simulate --scenario big --stores 10 --regions 1000000
  operator simulate --list
  operator simulate -o json > cluster.json &        for scripts: one line, then it runs on

The story is told from its beginning; `operator --simulate=SCENARIO status` shows its point at once, in one process.")]
pub(crate) struct SimulateArgs {
    /// What happens to the cluster
    #[arg(long, value_name = "SCENARIO", default_value = "healthy", value_parser = scenario(), hide_possible_values = true)]
    scenario: Scenario,
    /// The same seed makes the same cluster
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many stores there are at the start
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    stores: Option<u64>,
    /// How many regions there are at the start
    #[arg(long, value_name = "N")]
    regions: Option<u64>,
    /// How fast time passes; 0 stands still
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    speed: f64,
    /// List the scenarios instead
    #[arg(long)]
    list: bool,
}

/// A simulated cluster that runs, as JSON.
#[derive(Debug, Serialize)]
struct Running {
    scenario: &'static str,
    description: &'static str,
    /// When the story shows its point, in seconds from now.
    shows_after_seconds: f64,
    pd: Vec<String>,
    stores: Vec<RunningStore>,
}

#[derive(Debug, Serialize)]
struct RunningStore {
    id: u64,
    status_address: String,
}

/// A scenario in the list, as JSON.
#[derive(Debug, Serialize)]
struct Listed {
    name: &'static str,
    description: &'static str,
}

impl SimulateArgs {
    /// Returns once the list is written; a running cluster ends only with the program.
    pub(crate) async fn run(self, options: &Options, output: &mut Output) -> Result<(), Failure> {
        if options.simulate.is_some() || !options.pd.is_empty() {
            let message =
                "`operator simulate` takes neither --pd nor --simulate: name the scenario with --scenario";
            return Err(Failure::Usage(message.to_owned()));
        }
        if self.list {
            return output.show(&*list(), render_list);
        }
        let mut config = Config::new(self.scenario);
        config.start = Utc::now();
        config.seed = self.seed.unwrap_or(config.seed);
        config.regions = self.regions.unwrap_or(config.regions);
        if let Some(stores) = self.stores {
            config.stores = usize::try_from(stores).unwrap_or(usize::MAX);
        }
        let server = Server::start(config, self.speed)
            .await
            .map_err(|error| Failure::other("the simulated cluster could not be started", error))?;
        let running = running(&server, self.scenario, self.speed);
        match output.format {
            Format::Json => output.json_line(&running)?,
            Format::Table => output.text(&render(&running))?,
        }
        output.flush()?;
        std::future::pending().await
    }
}

fn running(server: &Server, scenario: Scenario, speed: f64) -> Running {
    let stores = server.with(|simulator| simulator.nodes()).into_iter().filter_map(|node| match node.id {
        NodeId::Store(id) => Some(RunningStore { id, status_address: node.authority }),
        NodeId::Pd(_) => None,
    });
    Running {
        scenario: scenario.name(),
        description: scenario.description(),
        shows_after_seconds: scenario.shows_after().as_secs_f64() / speed,
        pd: server.pd_urls(),
        stores: stores.collect(),
    }
}

fn render(running: &Running) -> String {
    /// More stores than this are counted.
    const SHOWN: usize = 8;
    let mut shown = format!("Simulating {}: {}\n", running.scenario, running.description);
    if running.shows_after_seconds > 0.0 && running.shows_after_seconds.is_finite() {
        let _ = writeln!(shown, "It shows in {} s.", running.shows_after_seconds.ceil());
    }
    let _ = writeln!(shown, "\nPD      {}", running.pd.join(" "));
    for store in running.stores.iter().take(SHOWN) {
        let _ = writeln!(shown, "Store   {} with its status at http://{}", store.id, store.status_address);
    }
    if let Some(more) = running.stores.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(shown, "        and {more} more");
    }
    let _ = writeln!(
        shown,
        "\nLook at it from another shell; Ctrl-C ends it:\n  operator --pd {} status",
        running.pd.join(",")
    );
    shown
}

fn list() -> Vec<Listed> {
    let listed =
        Scenario::ALL.map(|scenario| Listed { name: scenario.name(), description: scenario.description() });
    listed.into()
}

fn render_list(list: &[Listed], style: Style) -> String {
    const COLUMNS: [Column; 2] = [Column::Left("SCENARIO"), Column::Left("WHAT HAPPENS")];
    let rows = list.iter().map(|listed| [Cell::from(listed.name), listed.description.into()]);
    table::render(COLUMNS, rows, style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_what_runs_and_how_to_look_at_it() {
        let running = Running {
            scenario: "big",
            description: "many stores",
            shows_after_seconds: 7.5,
            pd: vec!["http://127.0.0.1:1".to_owned(), "http://127.0.0.1:2".to_owned()],
            stores: (1..=10)
                .map(|id| RunningStore { id, status_address: format!("127.0.0.1:{id}") })
                .collect(),
        };
        let text = render(&running);
        assert!(text.starts_with("Simulating big: many stores\nIt shows in 8 s.\n"), "{text}");
        assert!(
            text.contains("\nStore   8 with its status at http://127.0.0.1:8\n        and 2 more\n"),
            "{text}"
        );
        assert!(text.ends_with("\n  operator --pd http://127.0.0.1:1,http://127.0.0.1:2 status\n"), "{text}");
    }
}
