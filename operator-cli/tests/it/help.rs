use crate::{operator, run};

const COMMANDS: [&str; 18] = [
    "status", "check", "stores", "store", "regions", "region", "hot", "metrics", "config", "query", "rules",
    "doctor", "watch", "logs", "act", "audit", "mcp", "simulate",
];

#[test]
fn every_command_is_listed_and_has_examples() {
    let overview = run(&mut operator("--help"));
    assert_eq!(overview.code, Some(0));
    assert!(overview.stdout.contains("Examples:") && overview.stdout.contains("Exit codes:"));
    for command in COMMANDS {
        assert!(overview.stdout.contains(&format!("\n  {command} ")), "{command}");
        let help = run(&mut operator(&format!("{command} --help")));
        assert_eq!((help.code, &*help.stderr), (Some(0), ""), "{command}");
        assert!(
            help.stdout.contains(&format!("Examples:\n  operator {command}")),
            "{command}: {}",
            help.stdout
        );
    }
}

#[test]
fn the_list_of_commands_has_no_other() {
    let overview = run(&mut operator("--help")).stdout;
    let commands = overview.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty()).map(|line| line.split_whitespace().next());
    let listed: Vec<_> = commands.flatten().collect();
    assert_eq!(listed, [&COMMANDS[..], &["help"]].concat());
}

#[test]
fn the_version_is_told() {
    let version = run(&mut operator("--version"));
    assert_eq!(version.code, Some(0));
    assert_eq!(version.stdout, format!("operator {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn without_a_command_the_help_goes_to_stderr() {
    let outcome = run(&mut operator(""));
    assert_eq!((outcome.code, &*outcome.stdout), (Some(64), ""));
    assert!(outcome.stderr.contains("Usage: operator"), "{}", outcome.stderr);
}
