//! What the errors of a Prometheus mean.

use operator_core::ErrorKind;

/// What kind of failure an answer that is an error is: by its own word, else by its status.
pub(crate) fn error_kind(error_type: Option<&str>, status: u16) -> ErrorKind {
    match (error_type, status) {
        (_, 401 | 403 | 407) => ErrorKind::Unauthorized,
        (Some("bad_data" | "not_acceptable"), _) => ErrorKind::InvalidInput,
        // The query is well formed and cannot be answered: many-to-many, too many samples.
        (Some("execution"), _) => ErrorKind::Refused,
        (Some("timeout"), _) => ErrorKind::Timeout,
        (Some("canceled" | "unavailable" | "internal" | "too_many_requests"), _) => ErrorKind::Unavailable,
        (Some("not_found"), _) => ErrorKind::NotFound,
        (_, 404 | 405 | 501) => ErrorKind::Unsupported,
        (_, 400 | 422) => ErrorKind::InvalidInput,
        (_, 408 | 504) => ErrorKind::Timeout,
        (_, 413) => ErrorKind::TooLarge,
        (_, 429 | 500..=599) => ErrorKind::Unavailable,
        (_, 400..=499) => ErrorKind::Refused,
        _ => ErrorKind::Protocol,
    }
}

/// What it says, and what to try.
pub(crate) fn explained(error_type: Option<&str>, message: &str, status: u16) -> String {
    let hint = match (error_type, status) {
        (_, 401 | 403 | 407) => "; check the token, or the user and password",
        (None, 404) => "; is this the base URL of a Prometheus, with its path if it has one?",
        (None, 503) => "; a Prometheus that has just started reads its log first, which can take minutes",
        _ => "",
    };
    let message = if message.is_empty() { "no explanation" } else { message };
    match error_type {
        Some(error_type) => format!("{error_type}: {message}{hint}"),
        None => format!("{message}{hint}"),
    }
}
