//! The program `operator`: look at a TiKV cluster, and act on it, from a terminal, a script or an agent.

mod args;
mod help;
mod connect;
mod session;
mod signals;
mod listening;
mod commands;
mod output;
mod progress;
mod error;

use std::io::{self, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{Cli, Command, Question};
use crate::error::{Failure, INTERRUPTED, USAGE};
use crate::output::Output;
use crate::session::Session;

/// How long a command that ends itself may take for what still runs and for what it still has to tell.
const LAST_WORDS: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(told) => {
            // Help that was asked for goes to stdout, complaints to stderr; whether they are read is not our business.
            let _ = told.print();
            return if told.use_stderr() { USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    if cli.options.verbose {
        log_to_stderr();
    }
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            return end(
                &Failure::other("the program could not start its threads", error),
                cli.command.failed(),
            );
        }
    };
    let ends_itself = cli.command.ends_itself();
    let interrupted = if cli.command.ends_by_interrupt() { 0 } else { INTERRUPTED };
    let failed = cli.command.failed();
    let last_words = cli.command.last_words(LAST_WORDS);
    let code = runtime.block_on(async {
        let mut asked = pin!(signals::asked_to_end(ends_itself));
        // It listens from its first poll on, which is to be before anything is asked.
        let _ = futures::poll!(&mut asked);
        let stop = CancellationToken::new();
        // A task of its own: Ctrl-C is heard also while the command waits for whoever reads its output.
        let mut command = tokio::spawn(run(cli, stop.clone()));
        let ended = |outcome: Result<Result<ExitCode, Failure>, JoinError>| match outcome {
            Ok(Ok(code)) => code,
            Ok(Err(failure)) => end(&failure, failed),
            Err(panic) => end(&Failure::other("the program has a bug and stopped", panic), failed),
        };
        tokio::select! {
            outcome = &mut command => return ended(outcome),
            () = asked => {}
        }
        if !ends_itself {
            return interrupted.into();
        }
        stop.cancel();
        tokio::select! {
            outcome = command => return ended(outcome),
            // Whoever asks twice means it; and what still waits for an answer, or for a reader, is given up.
            () = signals::asked_to_end(true) => {}
            () = tokio::time::sleep(last_words) => {}
        }
        commands::give_back();
        ExitCode::SUCCESS
    });
    runtime.shutdown_background();
    code
}

async fn run(cli: Cli, stop: CancellationToken) -> Result<ExitCode, Failure> {
    let mut output = Output::standard(cli.options.output, cli.options.color);
    match cli.command {
        Command::Simulate(args) => args.run(&cli.options, &mut output).await?,
        Command::Query(args) => args.run(&cli.options, &mut output).await?,
        Command::Logs(args) => return args.run(output).await,
        Command::Act(args) => return args.run(&cli.options, &mut output).await,
        Command::Audit(args) => return args.run(output).await,
        Command::Rules(args) => return args.run(&cli.options, &mut output).await,
        Command::Doctor(args) => return args.run(&cli.options, &mut output).await,
        Command::Watch(args) => args.run(&cli.options, output, stop).await?,
        Command::Mcp(args) => args.run(&cli.options, output, stop).await?,
        Command::Ask(question) => {
            let connection = connect::connect(&cli.options, question.rules()).await?;
            return answer(question, &connection.session, &mut output).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn answer(question: Question, session: &Session, output: &mut Output) -> Result<ExitCode, Failure> {
    match question {
        Question::Check(args) => return args.run(session, output).await,
        Question::Status(args) => args.run(session, output).await?,
        Question::Stores(args) => args.run(session, output).await?,
        Question::Store(args) => args.run(session, output).await?,
        Question::Regions(args) => args.run(session, output).await?,
        Question::Region(args) => args.run(session, output).await?,
        Question::Hot(args) => args.run(session, output).await?,
        Question::Metrics(args) => args.run(session, output).await?,
        Question::Config(args) => args.run(session, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells why, if that is worth a word.
fn end(failure: &Failure, failed: u8) -> ExitCode {
    if !failure.is_closed_pipe() {
        let _ = write!(io::stderr(), "{}", failure.report());
    }
    failure.exit_code(failed)
}

/// Only our own crates: what lies beneath them could log what must not be shown.
fn log_to_stderr() {
    let ours = ["operator", "operator_core", "operator_tikv", "tikv_simulator"];
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    tracing_subscriber::registry()
        .with(lines)
        .with(Targets::new().with_targets(ours.map(|name| (name, LevelFilter::DEBUG))))
        .init();
}
