//! One line in TiDB's unified log format: `[time] [LEVEL] [file:line] [message] [key=value]…`.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Warn,
}

#[derive(Debug)]
pub(crate) struct Line(String);

impl Line {
    pub(crate) fn new(at: DateTime<Utc>, level: Level, source: &str, message: &str) -> Self {
        let level = match level {
            Level::Info => "INFO",
            Level::Warn => "WARN",
        };
        let mut text = at.format("[%Y/%m/%d %H:%M:%S%.3f +00:00]").to_string();
        let _ = write!(text, " [{level}] [{source}] [");
        quote(&mut text, message);
        text.push(']');
        Self(text)
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.0.push_str(" [");
        quote(&mut self.0, key);
        self.0.push('=');
        quote(&mut self.0, value);
        self.0.push(']');
        self
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// Quoted as JSON where it holds a blank, a control character, a quote, a bracket or an equals sign.
fn quote(text: &mut String, value: &str) {
    let plain = |byte: u8| byte > b' ' && !matches!(byte, b'"' | b'=' | b'[' | b']');
    if value.bytes().all(plain) {
        text.push_str(value);
    } else {
        text.push_str(&serde_json::Value::from(value).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_as_recorded() {
        let at = DateTime::from_timestamp_millis(1_795_315_462_741).expect("in range");
        let line = Line::new(at, Level::Info, "raft.rs:1333", "broadcasting vote request")
            .with("to", "[14, 7]")
            .with("log_index", "11")
            .with("msg type", "MsgRequestVote");
        assert_eq!(
            line.into_text(),
            "[2026/11/22 02:44:22.741 +00:00] [INFO] [raft.rs:1333] [\"broadcasting vote request\"] [to=\"[14, 7]\"] \
             [log_index=11] [\"msg type\"=MsgRequestVote]"
        );
        let line = Line::new(at, Level::Warn, "x.rs:1", "").with("a", "").with("b", "é\"\n");
        assert_eq!(
            line.into_text(),
            "[2026/11/22 02:44:22.741 +00:00] [WARN] [x.rs:1] [] [a=] [b=\"é\\\"\\n\"]"
        );
    }
}
