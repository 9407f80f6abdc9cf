//! Random numbers for what must not be guessed.

use crate::{Error, ErrorKind, Result};

/// So many random bytes of the system, in hex: two digits a byte.
///
/// # Errors
/// [`ErrorKind::Unavailable`] if the system has none to give.
pub fn random_hex(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| {
        let message = format!("the machine has no random numbers: {error}");
        Error::new(ErrorKind::Unavailable, "random_hex", message)
    })?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn they_are_as_long_as_asked_for_and_differ() {
        let all: BTreeSet<_> = (0..1_000).map(|_| random_hex(16).unwrap()).collect();
        assert_eq!(all.len(), 1_000);
        assert!(all.iter().all(|one| one.len() == 32 && one.bytes().all(|digit| digit.is_ascii_hexdigit())));
    }
}
