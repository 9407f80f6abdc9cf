//! Help as wide as the terminal is.

use clap::Command;

/// With the texts after the options as paragraphs. They stand in the source in lines, which clap would keep, and would
/// break once more on a terminal that is narrower than they are.
pub(crate) fn flowing(command: Command) -> Command {
    let command = command.mut_subcommands(flowing);
    match command.get_after_help().map(|text| joined(&text.to_string())) {
        Some(text) => command.after_help(text),
        None => command,
    }
}

/// Lines that follow each other become one, unless they are indented, as examples and lists are.
fn joined(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut prose = false;
    for line in text.lines() {
        let continues = std::mem::replace(&mut prose, !line.is_empty() && !line.starts_with(' ')) && prose;
        if !joined.is_empty() {
            joined.push(if continues { ' ' } else { '\n' });
        }
        joined.push_str(line);
    }
    joined
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn prose_flows_and_what_is_indented_stays() {
        let text = "Examples:\n  one\n  two\n\nProse that\nflows.\n\nExit codes:\n  0 well\nnot well\nelse";
        let expected = "Examples:\n  one\n  two\n\nProse that flows.\n\nExit codes:\n  0 well\nnot well else";
        assert_eq!(joined(text), expected);
        assert_eq!(joined(""), "");
    }

    /// Each command's help on a terminal of so many columns.
    fn helps(columns: usize) -> Vec<(String, String)> {
        fn collect(command: &Command, columns: usize, into: &mut Vec<(String, String)>) {
            let help = command.clone().term_width(columns).render_help().to_string();
            into.push((command.get_name().to_owned(), help));
            command.get_subcommands().for_each(|command| collect(command, columns, into));
        }
        let mut helps = Vec::new();
        collect(&flowing(Cli::command()), columns, &mut helps);
        helps
    }

    #[test]
    fn lines_of_prose_are_as_full_as_the_terminal_is_wide() {
        for columns in [60, 80, 100] {
            let mut lines_of_prose = 0;
            for (name, help) in helps(columns) {
                let lines: Vec<_> = help.lines().collect();
                for pair in lines.windows(2) {
                    let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
                    if pair.iter().all(|line| is_prose(line)) {
                        let next = pair[1].split(' ').next().unwrap();
                        let would_be = pair[0].chars().count() + 1 + next.chars().count();
                        assert!(would_be > columns, "{name} in {columns} columns: {pair:?}");
                        lines_of_prose += 1;
                    }
                }
            }
            assert!(lines_of_prose > 40, "{lines_of_prose}");
        }
    }

    #[test]
    fn how_to_act_fits_a_narrow_terminal() {
        let (_, help) = helps(80).into_iter().find(|(name, _)| name == "act").unwrap();
        let (_, after) = help.split_once("Examples:\n").unwrap();
        for line in after.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        // Not even an example is broken.
        let examples = after.lines().take_while(|line| !line.is_empty());
        assert!(examples.clone().count() >= 7);
        examples.for_each(|line| assert!(line.starts_with("  operator "), "{line}"));
    }
}
