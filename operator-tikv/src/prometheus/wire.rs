//! What is around every answer of Prometheus' HTTP API.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Answer;

/// Why there is no data in an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The server's own word (`status: error`).
    #[error("{error_type}: {message}")]
    Api {
        /// Such as `bad_data`, `execution`, `timeout`.
        error_type: String,
        /// What it says.
        message: String,
    },
    /// It is not what the API says: text, HTML, cut off, or other JSON. Why.
    #[error("{0}")]
    Malformed(String),
}

impl AnswerError {
    /// `body` was not understood because of `why`. If it is an error all the same, whose data may have any shape, that
    /// counts.
    pub(super) fn of_malformed(body: &[u8], why: String) -> Self {
        match serde_json::from_slice::<Envelope<IgnoredAny>>(body).map(Envelope::open) {
            Ok(Err(error @ Self::Api { .. })) => error,
            _ => Self::Malformed(why),
        }
    }
}

/// What is around every answer. VictoriaMetrics has `isPartial` where the others have a warning.
#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) status: String,
    pub(super) data: Option<T>,
    #[serde(rename = "errorType")]
    pub(super) error_type: Option<String>,
    pub(super) error: Option<String>,
    pub(super) warnings: Option<Vec<String>>,
    pub(super) infos: Option<Vec<String>>,
    #[serde(rename = "isPartial")]
    pub(super) is_partial: Option<bool>,
}

impl<T> Default for Envelope<T> {
    fn default() -> Self {
        let (data, status) = (None, String::new());
        Self { status, data, error_type: None, error: None, warnings: None, infos: None, is_partial: None }
    }
}

/// Reads an answer. The HTTP status does not matter: Prometheus says in the body what it means, also with 200.
pub(super) fn decode<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<Answer<T>, AnswerError> {
    match serde_json::from_slice::<Envelope<T>>(body) {
        Ok(envelope) => envelope.open(),
        Err(error) => Err(AnswerError::of_malformed(body, error.to_string())),
    }
}

impl<T> Envelope<T> {
    pub(super) fn open(self) -> Result<Answer<T>, AnswerError> {
        match self.status.as_str() {
            "success" => {}
            "error" => {
                return Err(AnswerError::Api {
                    error_type: self.error_type.unwrap_or_default(),
                    message: self.error.unwrap_or_default(),
                });
            }
            other => return Err(AnswerError::Malformed(format!("`status` is `{}`", crop(other)))),
        }
        let data = self.data.ok_or_else(|| AnswerError::Malformed("success without `data`".to_owned()))?;
        let mut warnings = self.warnings.unwrap_or_default();
        if self.is_partial == Some(true) {
            warnings.push("the server says that the data is partial".to_owned());
        }
        Ok(Answer { data, warnings, infos: self.infos.unwrap_or_default() })
    }
}

fn crop(text: &str) -> &str {
    text.char_indices().nth(40).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}
