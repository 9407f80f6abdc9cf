//! What holds for the crate as a whole.

#[expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's helpers fail the test, and its child speaks"
)]
mod killed;

use std::collections::BTreeSet;
use std::process::Command;

/// The crates that talk to a network or encrypt what they say, and what every such crate is built on.
const OUTSIDE: [&str; 13] = [
    "axum",
    "h2",
    "hyper",
    "hyper-util",
    "mio",
    "native-tls",
    "openssl",
    "quinn",
    "reqwest",
    "ring",
    "rustls",
    "socket2",
    "ureq",
];

#[test]
fn the_core_does_no_input_or_output() {
    // Only what has been built for this test is looked at, so nothing needs to be downloaded.
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--frozen", "--package", "operator-core", "--edges", "normal", "--all-features"])
        .args(["--prefix", "none", "--format", "{p}"])
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("names are text");
    let names: BTreeSet<_> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains("operator-core") && names.contains("tokio"), "{names:?}");
    let outside: Vec<_> = OUTSIDE.into_iter().filter(|name| names.contains(name)).collect();
    assert!(outside.is_empty(), "operator-core must not depend on {outside:?}");
}
