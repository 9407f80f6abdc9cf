//! The bearer token of the server over HTTP.

use std::fmt;
use std::hint::black_box;
use std::path::Path;

use operator_core::random_hex;

use crate::error::Failure;

/// Shorter ones could be guessed.
const LEAST: usize = 16;

/// What a client must show.
pub(super) struct Token(String);

impl Token {
    /// A new one, of 256 random bits.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self(random_hex(32)?))
    }

    /// The first line of a file.
    ///
    /// # Errors
    /// If it cannot be read, or holds nothing that can be a token.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let unusable = |why: String| Failure::Usage(format!("--token-file: {}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        let token = text.lines().next().unwrap_or_default().trim();
        if token.len() < LEAST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable(format!(
                "expected a token of {LEAST} printable characters or more, such as `openssl rand -hex 32` writes"
            )));
        }
        Ok(Self(token.to_owned()))
    }

    /// For whoever started the server, once.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether an `Authorization` header shows it. Takes as long whatever is wrong with a token of the right length.
    pub(super) fn is_shown_by(&self, header: Option<&[u8]>) -> bool {
        let shown = header.and_then(|header| header.split_at_checked(7));
        let Some((_, shown)) = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer ")) else {
            return false;
        };
        let expected = self.0.as_bytes();
        let different = shown
            .iter()
            .zip(expected)
            .fold(0_u8, |different, (one, other)| black_box(different | (one ^ other)));
        shown.len() == expected.len() && different == 0
    }
}

/// Nobody shall find it in a log.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_lets_in() {
        let token = Token("0123456789abcdef".to_owned());
        let shows = |header: &str| token.is_shown_by(Some(header.as_bytes()));
        assert!(shows("Bearer 0123456789abcdef") && shows("bearer 0123456789abcdef"));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "0123456789abcdef",
            "Basic 0123456789abcdef",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789abcdeg",
            "Bearer  0123456789abcdef",
        ] {
            assert!(!shows(wrong), "{wrong}");
        }
        assert!(!token.is_shown_by(None));
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn new_ones_are_long_and_differ() {
        let (one, other) = (Token::new().unwrap(), Token::new().unwrap());
        assert!(one.reveal().len() == 64 && one.reveal() != other.reveal());
    }
}
