use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::{operator, run};

#[test]
fn a_reader_that_leaves_is_no_failure() {
    for format in ["json", "table"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_operator"))
            .args(["--simulate=big", "regions", "--limit", "200000", "-o", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        drop(stdout);
        let status = child.wait().unwrap();
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((status.code(), &*stderr), (Some(0), ""), "{format}");
    }
}

#[test]
fn colour_is_only_for_terminals_or_on_request() {
    let escapes = |line: &str| run(&mut operator(line)).stdout.contains('\u{1b}');
    assert!(!escapes("--simulate stores"));
    assert!(!escapes("--simulate --color never stores"));
    assert!(escapes("--simulate --color always stores"));
    assert!(!escapes("--simulate --color always stores -o json"));
    let refused = run(operator("--simulate stores").env("NO_COLOR", "1"));
    assert!(!refused.stdout.contains('\u{1b}'));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_simulation_well_and_a_question_with_130() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut kept = Vec::new();
    for (args, expected) in [(vec!["simulate"], 0), (vec!["--pd", &url, "stores"], 130)] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_operator"))
            .args(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Once it says or asks something, it listens to Ctrl-C.
        match expected {
            0 => child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap(),
            _ => kept.push(silent.accept().unwrap()),
        }
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert_eq!(child.wait().unwrap().code(), Some(expected), "{args:?}");
    }
}
