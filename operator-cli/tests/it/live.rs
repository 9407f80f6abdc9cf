//! The live view on a terminal: it shows, and whichever way it ends, the terminal is as it was.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";

/// The program on a terminal of 80x24.
struct Terminal {
    program: Child,
    /// The program's end of it.
    line: File,
    keys: File,
    written: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    fn start(line: &str, environment: &[(&str, &str)]) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        tcsetwinsize(&ours, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let end = || Stdio::from(OwnedFd::from(theirs.try_clone().unwrap()));
        let program = Command::new(env!("CARGO_BIN_EXE_operator"))
            .args(line.split_whitespace())
            .env_remove("PD_ENDPOINT")
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .envs(environment.iter().copied())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let keys = File::from(ours);
        let mut reader = keys.try_clone().unwrap();
        let (sender, written) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = reader.read(&mut bytes) {
                if count == 0 || sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { program, line: theirs, keys, written, shown: String::new() }
    }

    /// Waits until it has written `text`.
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.shown.contains(text) {
            let patience = deadline.saturating_duration_since(Instant::now());
            let bytes = self.written.recv_timeout(patience);
            let bytes = bytes.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.shown));
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([name, &self.program.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// Whether it reads lines and shows what is typed, as a shell expects.
    fn reads_lines(&self) -> bool {
        let modes = tcgetattr(&self.line).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    /// Waits for the program's end, and what it has left on the screen it was started on.
    fn end(mut self) -> (ExitStatus, String) {
        self.wait_for(LEAVE);
        self.wait_for("Last events:");
        let status = self.program.wait().unwrap();
        assert!(self.reads_lines(), "the terminal is left raw");
        while let Ok(bytes) = self.written.recv_timeout(Duration::from_millis(200)) {
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
        let (_, left) = self.shown.rsplit_once(LEAVE).unwrap();
        assert!(left.contains("\u{1b}[?25h"), "the cursor is left hidden: {left:?}");
        (status, left.to_owned())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
    }
}

#[test]
fn it_shows_the_cluster_and_every_key_and_signal_that_ends_it_leaves_the_terminal_as_it_was() {
    for leave in ["q", "\u{1b}", "\u{3}", "-INT", "-TERM", "-HUP"] {
        let mut terminal = Terminal::start("watch --simulate=store-crash", &[]);
        terminal.wait_for(ENTER);
        terminal.wait_for("COMPLETE");
        terminal.wait_for("tikv0:20160");
        assert!(!terminal.reads_lines(), "keys are read at once");
        if leave.starts_with('-') {
            terminal.signal(leave);
        } else {
            terminal.keys.write_all(leave.as_bytes()).unwrap();
        }
        let (status, left) = terminal.end();
        assert_eq!(status.code(), Some(0), "{leave:?}");
        assert!(left.contains("Watched store-crash, simulated, 20x for"), "{leave:?}: {left}");
        assert!(left.contains("Nothing fires."), "{leave:?}: {left}");
    }
}

#[test]
fn a_story_ends_by_itself_and_its_end_stays() {
    let terminal = Terminal::start("watch --simulate=store-crash --speed 5000", &[]);
    let (status, left) = terminal.end();
    assert_eq!(status.code(), Some(0));
    assert!(left.contains("now store 4 is started again"), "{left}");
    assert!(left.contains("resolved"), "{left}");
    assert!(left.contains("stopped"), "{left}");
}

#[test]
fn a_cluster_that_does_not_answer_can_be_left_at_once() {
    let mut terminal = Terminal::start("watch --pd http://127.0.0.1:1", &[]);
    terminal.wait_for("LOOKING");
    let begun = Instant::now();
    terminal.keys.write_all(b"q").unwrap();
    let (status, left) = terminal.end();
    assert_eq!(status.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(4), "it waits for PD");
    assert!(left.contains("Nothing is known yet."), "{left}");
}

#[test]
fn it_follows_the_size_of_the_terminal() {
    let mut terminal = Terminal::start("watch --simulate", &[]);
    terminal.wait_for("tikv0:20160");
    assert!(!terminal.shown.contains("LEADERS"));
    let size = Winsize { ws_row: 50, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal.line, size).unwrap();
    terminal.wait_for("LEADERS");
    terminal.keys.write_all(b"q").unwrap();
    assert_eq!(terminal.end().0.code(), Some(0));
}

#[test]
fn colour_can_be_refused() {
    for (line, environment, coloured) in [
        ("watch --simulate", &[][..], true),
        ("watch --simulate --color never", &[], false),
        ("watch --simulate", &[("NO_COLOR", "1")], false),
    ] {
        let mut terminal = Terminal::start(line, environment);
        terminal.wait_for("tikv0:20160");
        // Green, as `COMPLETE` is.
        assert_eq!(terminal.shown.contains("\u{1b}[38;5;2"), coloured, "{line} {environment:?}");
        terminal.keys.write_all(b"q").unwrap();
        terminal.end();
    }
}

#[test]
fn lines_are_written_on_request_and_where_no_screen_can_be() {
    for (line, environment) in [
        ("watch --simulate --no-live", &[][..]),
        ("watch --simulate --pending", &[]),
        ("watch --simulate -o json", &[]),
        ("watch --simulate -v", &[]),
        ("watch --simulate", &[("TERM", "dumb")]),
    ] {
        let mut terminal = Terminal::start(line, environment);
        terminal.wait_for("observed");
        terminal.signal("-INT");
        terminal.wait_for("stopped");
        assert_eq!(terminal.program.wait().unwrap().code(), Some(0), "{line}");
        assert!(!terminal.shown.contains(ENTER), "{line}");
    }
}
