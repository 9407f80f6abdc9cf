//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use operator_core::CheckOutcome;
use tikv_simulator::Scenario;

use crate::commands::{
    ActArgs, AuditArgs, CheckArgs, ConfigArgs, DoctorArgs, HotArgs, LogsArgs, McpArgs, MetricsArgs,
    QueryArgs, RegionArgs, RegionsArgs, RulesArgs, RulesCommand, SimulateArgs, StatusArgs, StoreArgs,
    StoresArgs, WatchArgs,
};
use crate::help::flowing;
use crate::output::{ColorChoice, Format};

/// Look at a TiKV cluster: how far what PD says can be believed, what is there, what is wrong; and act on it
#[derive(Debug, Parser)]
#[command(
    name = "operator",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "\
Examples:
  operator --simulate status                   a simulated cluster: nothing to install
  operator --simulate=store-crash status       one in which something goes wrong
  operator --pd http://127.0.0.1:2379 status   a real one
  PD_ENDPOINT=http://pd0:2379,http://pd1:2379 operator stores -o json

Exit codes: 0 done, 1 failed, 4 an action was refused, 64 the command line makes no sense, 130 ended by
Ctrl-C; `check` has codes of its own."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes, before or after its name.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Options {
    /// Where PD answers, such as http://127.0.0.1:2379; several for a cluster that survives the loss of one [env:
    /// PD_ENDPOINT]
    #[arg(long, global = true, value_name = "URL", value_delimiter = ',')]
    pub(crate) pd: Vec<String>,
    /// Where Prometheus answers, or what speaks its API, such as http://127.0.0.1:9090 or https://mimir/prometheus
    /// [default: the one that PD names] [env: PROMETHEUS_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) prometheus: Option<String>,
    /// A file with the bearer token for Prometheus [env: PROMETHEUS_TOKEN has the token itself]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) prometheus_token_file: Option<PathBuf>,
    /// The user for Prometheus, with --prometheus-password-file [env: PROMETHEUS_USER]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) prometheus_user: Option<String>,
    /// A file with that user's password [env: PROMETHEUS_PASSWORD has the password itself]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) prometheus_password_file: Option<PathBuf>,
    /// The certificate of the authority that signed Prometheus', in PEM [default: as for PD] [env: PROMETHEUS_CACERT]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) prometheus_cacert: Option<PathBuf>,
    /// One more header for Prometheus, such as 'X-Scope-OrgID: tenant'; can be given again
    #[arg(long, global = true, value_name = "NAME: VALUE")]
    pub(crate) prometheus_header: Vec<String>,
    /// Prometheus' rates are over so long: take four of its scrape intervals
    #[arg(long, global = true, value_name = "DURATION", default_value = "1m")]
    pub(crate) prometheus_window: humantime::Duration,
    /// The certificate of the authority that signed PD's, in PEM [env: PD_CACERT]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    /// The client's certificate, in PEM [env: PD_CERT]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// The client certificate's key, in PEM [env: PD_KEY]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Look at a simulated cluster instead of a real one [default scenario: healthy]
    #[arg(
        long,
        global = true,
        value_name = "SCENARIO",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "healthy",
        value_parser = scenario(),
        hide_possible_values = true
    )]
    pub(crate) simulate: Option<Scenario>,
    /// How results are written: for people or for programs
    #[arg(short, long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) output: Format,
    /// How long one question may take, such as 10s or 2m
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s")]
    pub(crate) timeout: humantime::Duration,
    /// When to colour: auto is on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) color: ColorChoice,
    /// Tell on stderr what is asked and answered
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Ask(Question),
    Query(QueryArgs),
    Rules(RulesCommand),
    Doctor(DoctorArgs),
    Watch(WatchArgs),
    Logs(LogsArgs),
    Act(ActArgs),
    Audit(AuditArgs),
    Mcp(McpArgs),
    Simulate(SimulateArgs),
}

impl Command {
    /// Whether it is told to end, by Ctrl-C, SIGTERM or SIGHUP, and then ends in its own way.
    pub(crate) fn ends_itself(&self) -> bool {
        matches!(self, Self::Watch(_) | Self::Mcp(_))
    }

    /// How long it may take, of those that end themselves, once it is told to.
    pub(crate) fn last_words(&self, usual: Duration) -> Duration {
        if let Self::Mcp(args) = self { args.last_words(usual) } else { usual }
    }

    /// Whether Ctrl-C is how it is meant to end.
    pub(crate) fn ends_by_interrupt(&self) -> bool {
        match self {
            Self::Simulate(_) => true,
            Self::Ask(Question::Metrics(args)) => args.watch,
            _ => false,
        }
    }

    /// The exit code for a failure: `check`, for which 1 is a warning, ends as with something unknown.
    pub(crate) fn failed(&self) -> u8 {
        if let Self::Ask(Question::Check(_)) = self { CheckOutcome::Unknown.exit_code() } else { 1 }
    }
}

/// What to ask a cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum Question {
    Status(StatusArgs),
    Check(CheckArgs),
    Stores(StoresArgs),
    Store(StoreArgs),
    Regions(RegionsArgs),
    Region(RegionArgs),
    Hot(HotArgs),
    Metrics(MetricsArgs),
    Config(ConfigArgs),
}

impl Question {
    /// The rule files that go with it.
    pub(crate) fn rules(&self) -> &RulesArgs {
        const NONE: &RulesArgs = &RulesArgs::NONE;
        if let Self::Check(args) = self { &args.rules } else { NONE }
    }
}

/// Reads the name of a scenario.
pub(crate) fn scenario() -> impl TypedValueParser<Value = Scenario> {
    let names = Scenario::ALL
        .map(|scenario| clap::builder::PossibleValue::new(scenario.name()).help(scenario.description()));
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Scenario>())
}

impl Cli {
    /// Reads the command line.
    ///
    /// # Errors
    /// What clap says, which includes the help that was asked for.
    pub(crate) fn read(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let line: Vec<_> = line.into_iter().collect();
        let matches = flowing(Self::command()).try_get_matches_from(&line)?;
        let cli = Self::from_arg_matches(&matches)?;
        let conflict = |message| Err(Self::command().error(ErrorKind::ArgumentConflict, message));

        // clap checks what excludes what within one level only, and global options stand on two; and of an option that
        // is given on both levels it keeps what follows the command.
        if cli.options.simulate.is_some() && !cli.options.pd.is_empty() {
            return conflict(
                "--simulate and --pd exclude each other: look at a simulated cluster or at a real one",
            );
        }
        let given = line.iter().filter_map(|arg| arg.to_str());
        let given = given.filter(|arg| *arg == "--pd" || arg.starts_with("--pd=")).count();
        let kept = matches.get_occurrences::<String>("pd").map_or(0, Iterator::count);
        if given > kept {
            return conflict("give --pd before the command or after it, not on both sides");
        }
        Ok(cli)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in ["operator --pd a,b -o json stores", "operator stores --pd a --pd b --output json"] {
            let options = read(line).unwrap().options;
            assert_eq!(options.pd, ["a", "b"], "{line}");
            assert_eq!(options.output, Format::Json);
        }
    }

    #[test]
    fn a_scenario_is_given_only_with_an_equals_sign() {
        let scenario = |line| read(line).map(|cli| cli.options.simulate);
        assert_eq!(scenario("operator --simulate status").unwrap(), Some(Scenario::Healthy));
        assert_eq!(scenario("operator status --simulate=store-crash").unwrap(), Some(Scenario::StoreCrash));
        assert_eq!(scenario("operator status").unwrap(), None);
        assert!(scenario("operator --simulate store-crash").is_err());
        assert!(scenario("operator status --simulate=store_crash").is_err());
    }

    #[test]
    fn a_simulated_and_a_real_cluster_exclude_each_other_wherever_they_are_named() {
        for line in [
            "operator --pd a --simulate status",
            "operator --pd a status --simulate",
            "operator status --pd a --simulate",
        ] {
            assert_eq!(read(line).unwrap_err().kind(), ErrorKind::ArgumentConflict, "{line}");
        }
    }

    #[test]
    fn no_endpoint_is_lost_in_silence() {
        let error = read("operator --pd a stores --pd=b").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
        assert_eq!(read("operator --pd=a --pd b stores").unwrap().options.pd, ["a", "b"]);
    }
}
