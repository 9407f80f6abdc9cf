//! Where results go: stdout, as tables or JSON, through one writer that reports a closed pipe as an error.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::error::Failure;

pub(crate) mod text;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod history;
mod json;

pub(crate) use json::safe as json_safe;
pub(crate) use style::{ColorChoice, Style, Tone};

/// How results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    // For people.
    #[default]
    Table,
    // For programs.
    Json,
}

/// The one writer of results.
pub(crate) struct Output {
    results: Box<dyn Write + Send>,
    notes: Box<dyn Write + Send>,
    pub(crate) format: Format,
    pub(crate) style: Style,
}

impl Output {
    /// Results go to stdout, notes to stderr.
    pub(crate) fn standard(format: Format, color: ColorChoice) -> Self {
        let stdout = io::stdout();
        let style = Style { color: color.applies_to(&stdout) };
        let results = Box::new(BufWriter::with_capacity(64 * 1024, stdout));
        Self { results, notes: Box::new(io::stderr()), format, style }
    }

    /// Writes `value` as one JSON document, or what `table` makes of it.
    pub(crate) fn show<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        table: impl FnOnce(&T, Style) -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.text(&json::document(&value)?)?,
            Format::Table => self.text(&table(value, self.style))?,
        }
        self.flush()
    }

    /// Writes `value` as one line of JSON.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let line = json::line(value)?;
        self.text(&line)
    }

    /// Writes text that is safe and ends its own lines.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.results.write_all(text.as_bytes())?)
    }

    /// Writes text that is safe and ends its own lines, and stands in memory as bytes.
    pub(crate) fn lines(&mut self, lines: &[u8]) -> Result<(), Failure> {
        Ok(self.results.write_all(lines)?)
    }

    /// Says something beside the results, one line. Whether anybody reads it makes no difference.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = writeln!(self.notes, "{text}");
    }

    /// Hands everything written so far to whoever reads it.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.results.flush()?)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        /// An output that writes here, without colour.
        pub(crate) fn output(&self, format: Format) -> Output {
            let notes = Box::new(io::sink());
            Output { results: Box::new(self.clone()), notes, format, style: Style::PLAIN }
        }

        /// What was written.
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Output {
        /// Keeps the notes, too.
        pub(crate) fn with_notes(self, notes: &Written) -> Self {
            Self { notes: Box::new(notes.clone()), ..self }
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed(io::ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An output to which nothing can be written.
    pub(crate) fn closed(format: Format, why: io::ErrorKind) -> Output {
        Output { results: Box::new(Closed(why)), ..Written::default().output(format) }
    }

    #[test]
    fn a_closed_pipe_is_an_error_that_says_so() {
        let mut output = closed(Format::Json, io::ErrorKind::BrokenPipe);
        let failure = output.show(&1, |_, _| String::new()).unwrap_err();
        assert!(failure.is_closed_pipe());
    }
}
