//! The program as a process: what a shell, a script and a tired person see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod help;
mod usage;
mod simulated;
mod check;
mod logs;
mod watch;
mod watch_logs;
#[cfg(unix)]
mod live;
mod faults;
mod terminal;

use std::time::Duration;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin_cmd;

/// The program with `line` as arguments, and nothing from the environment.
fn operator(line: &str) -> Command {
    let mut command = cargo_bin_cmd!("operator");
    // What the caller's shell has set is not what is tested.
    for (name, _) in std::env::vars() {
        if name.starts_with("PD_") || name.starts_with("PROMETHEUS_") || name == "NO_COLOR" {
            command.env_remove(name);
        }
    }
    command.args(line.split_whitespace()).timeout(Duration::from_secs(60));
    command
}

/// What a run left behind.
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs it to its end.
fn run(command: &mut Command) -> Outcome {
    let output = command.output().expect("the program starts and ends");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}
