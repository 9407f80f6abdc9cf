//! `operator simulate`: a cluster to try things on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

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
  operator simulate --scenario store-crash --speed 60 --log-dir logs
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
    /// Write each node's log into this directory, as TiKV and PD write them: tikv0.log, pd0.log, ...
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
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
    /// Where the nodes' logs are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    log_dir: Option<PathBuf>,
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
        config.logs = self.log_dir.is_some();
        let mut logs = self.log_dir.clone().map(LogFiles::create).transpose()?;
        let server = Server::start(config, self.speed)
            .await
            .map_err(|error| Failure::other("the simulated cluster could not be started", error))?;
        if let Some(logs) = &mut logs {
            logs.write(&server)?;
        }
        let running = Running { log_dir: self.log_dir, ..running(&server, self.scenario, self.speed) };
        match output.format {
            Format::Json => output.json_line(&running)?,
            Format::Table => output.text(&render(&running))?,
        }
        output.flush()?;
        let Some(mut logs) = logs else { return std::future::pending().await };
        loop {
            tokio::time::sleep(WRITTEN_EVERY).await;
            logs.write(&server)?;
        }
    }
}

/// How often what the nodes wrote goes to their files.
const WRITTEN_EVERY: Duration = Duration::from_millis(200);

/// The nodes' logs as files.
struct LogFiles {
    directory: PathBuf,
    files: BTreeMap<String, File>,
}

impl LogFiles {
    fn create(directory: PathBuf) -> Result<Self, Failure> {
        DirBuilder::new().recursive(true).create(&directory).map_err(|error| {
            Failure::other(format!("{} cannot be made a directory for logs", directory.display()), error)
        })?;
        Ok(Self { directory, files: BTreeMap::new() })
    }

    /// Writes what every node wrote since the last time.
    fn write(&mut self, server: &Server) -> Result<(), Failure> {
        let written = server.with(|simulator| {
            let nodes = simulator.nodes().into_iter();
            nodes.map(|node| (node.name, simulator.drain_log(node.id).lines)).collect::<Vec<_>>()
        });
        for (name, lines) in written {
            self.append(&name, &lines)?;
        }
        Ok(())
    }

    fn append(&mut self, name: &str, lines: &[String]) -> Result<(), Failure> {
        if lines.is_empty() {
            return Ok(());
        }
        let path = self.directory.join(format!("{name}.log"));
        if !self.files.contains_key(name) {
            let file = File::create_new(&path).map_err(|error| {
                let message = format!("{} cannot be created; name another directory", path.display());
                Failure::other(message, error)
            })?;
            self.files.insert(name.to_owned(), file);
        }
        let Some(file) = self.files.get_mut(name) else { return Ok(()) };
        let mut text = lines.join("\n");
        text.push('\n');
        file.write_all(text.as_bytes())
            .map_err(|error| Failure::other(format!("{} cannot be written", path.display()), error))
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
        log_dir: None,
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
    if let Some(directory) = &running.log_dir {
        let _ = writeln!(shown, "Logs    {}", directory.join("*.log").display());
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
    fn logs_are_written_to_files_that_were_not_there() {
        let directory = std::env::temp_dir().join(format!("operator-simulate-{}", std::process::id()));
        let mut logs = LogFiles::create(directory.join("new")).unwrap();
        for line in ["one", "two"] {
            logs.append("tikv0", &[line.to_owned()]).unwrap();
        }
        let path = directory.join("new/tikv0.log");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");

        let mut logs = LogFiles::create(directory.join("new")).unwrap();
        let error = logs.append("tikv0", &["three".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("tikv0.log") && error.contains("another directory"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert!(LogFiles::create(path).is_err(), "that is a file");
        std::fs::remove_dir_all(&directory).unwrap();
    }

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
            log_dir: Some(PathBuf::from("logs")),
        };
        let text = render(&running);
        assert!(text.starts_with("Simulating big: many stores\nIt shows in 8 s.\n"), "{text}");
        assert!(
            text.contains(
                "\nStore   8 with its status at http://127.0.0.1:8\n        and 2 more\nLogs    logs/*.log\n"
            ),
            "{text}"
        );
        assert!(text.ends_with("\n  operator --pd http://127.0.0.1:1,http://127.0.0.1:2 status\n"), "{text}");
    }
}
