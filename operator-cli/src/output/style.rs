//! Colour, only where it can be seen and was not refused.

use std::io::IsTerminal;

use operator_core::StoreState;

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    // On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    // Also into a file or a pipe.
    Always,
    // Not at all.
    Never,
}

impl ColorChoice {
    /// Whether to colour what goes to `stream`.
    pub(crate) fn applies_to(self, stream: &impl IsTerminal) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                !refused && !dumb && stream.is_terminal()
            }
        }
    }
}

/// A colour with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Doubtful,
    Bad,
    Title,
}

impl From<StoreState> for Tone {
    fn from(state: StoreState) -> Self {
        match state {
            StoreState::Up => Self::Good,
            StoreState::Down => Self::Bad,
            _ => Self::Doubtful,
        }
    }
}

/// Colours text, or leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) color: bool,
}

impl Style {
    /// Text as it is.
    pub(crate) const PLAIN: Self = Self { color: false };

    /// `text` in a tone.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Doubtful => "33",
            Tone::Bad => "31",
            Tone::Title => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
