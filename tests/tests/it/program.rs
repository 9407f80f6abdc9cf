//! The program `operator`, run as a process.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

/// Longer than any run may take, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How a run ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What a run that succeeded wrote, as JSON.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What a run that succeeded wrote, a JSON document a line.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Checks that a run failed with this exit code, wrote nothing as a result and told on standard error all of
    /// `parts`.
    pub(crate) fn failed(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in {self:?}");
        }
        let control = self.stderr.chars().find(|char| char.is_control() && *char != '\n');
        assert_eq!(control, None, "{self:?}");
        assert!(!self.stderr.contains("thread '"), "{self:?}");
    }
}

/// Runs the program to its end.
pub(crate) async fn operator<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Run {
    let mut command = command(args);
    let output = command.stdin(Stdio::null()).output();
    Run::of(tokio::time::timeout(PATIENCE, output).await.expect("it ends").expect("it starts"))
}

/// Starts the program with its standard output as a pipe; it is killed when dropped.
pub(crate) fn start<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Child {
    command(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

pub(crate) fn command<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(binary());
    command.args(args).kill_on_drop(true);
    // What the caller's shell has set is not what is tested.
    for (name, _) in std::env::vars() {
        let is_ours = ["PD_", "PROMETHEUS_", "OPERATOR_"].iter().any(|ours| name.starts_with(ours));
        if is_ours || ["NO_COLOR", "RUST_LOG"].contains(&&*name) {
            command.env_remove(name);
        }
    }
    command
}

/// The program, which is built if it is missing or older than its sources: cargo tells the path of a package's own
/// programs only.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().expect("the path of this test");
        let target = test.ancestors().nth(2).expect("target/PROFILE/deps/it");
        let binary = target.join(format!("operator{}", std::env::consts::EXE_SUFFIX));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut sources = Vec::new();
        for package in ["operator-core", "operator-tikv", "operator-cli", "subjects/tikv/simulator"] {
            files_below(&root.join(package).join("src"), &mut sources);
        }
        let changed = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
        let built = changed(&binary);
        // A file without a time is taken for new; `None` is less than any time.
        let is_fresh =
            built.is_some() && sources.iter().all(|path| changed(path).is_some_and(|at| Some(at) <= built));
        if !is_fresh {
            let mut build = std::process::Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--package", "operator-cli", "--target-dir"]);
            build.args(target.parent()).current_dir(root);
            if target.ends_with("release") {
                build.arg("--release");
            }
            let built = build.status().is_ok_and(|status| status.success());
            assert!(built && binary.is_file(), "build the program first: cargo build -p operator-cli");
        }
        binary
    })
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().expect("the sources are there") {
        let path = entry.expect("the sources can be read").path();
        if path.is_dir() { files_below(&path, files) } else { files.push(path) }
    }
}
