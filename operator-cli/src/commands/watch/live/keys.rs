//! Which keys leave the view.

use std::io::{self, Read};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// What is typed, read by a thread of its own for as long as the program runs.
pub(super) struct Keys(mpsc::Receiver<Vec<u8>>);

/// The byte that begins what arrow and function keys send, and all that Esc sends.
const ESC: u8 = 0x1b;
const CTRL_C: u8 = 0x03;

/// How long the rest of what a key sends may take, over a slow line.
const REST: Duration = Duration::from_millis(50);

impl Keys {
    /// Reads what is typed.
    ///
    /// # Errors
    /// If there is no thread for it.
    pub(super) fn read() -> io::Result<Self> {
        let (typed, keys) = mpsc::sync_channel(16);
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
            let mut bytes = [0; 64];
            loop {
                match io::stdin().read(&mut bytes) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // Nobody can type any more: the terminal has gone.
                    Ok(0) | Err(_) => return,
                    Ok(count) => {
                        let chunk = bytes.get(..count).unwrap_or_default().to_vec();
                        if typed.send(chunk).is_err() {
                            return;
                        }
                    }
                }
            }
        })?;
        Ok(Self(keys))
    }

    /// Whether somebody leaves, by q, Esc or Ctrl-C, or can no longer type; waits at most this long.
    pub(super) fn leave_within(&mut self, patience: Duration) -> bool {
        match self.0.recv_timeout(patience) {
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
            Ok(typed) if typed == [ESC] => match self.0.recv_timeout(REST) {
                Ok(rest) => !matches!(rest.first(), Some(b'[' | b'O')),
                Err(_) => true,
            },
            Ok(typed) => leaves(&typed),
        }
    }
}

/// Whether one of the keys leaves; of what an arrow or function key sends, nothing does.
fn leaves(typed: &[u8]) -> bool {
    match typed {
        [ESC, ..] => typed.contains(&CTRL_C),
        _ => typed.iter().any(|byte| matches!(byte, b'q' | b'Q' | &CTRL_C)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_esc_and_ctrl_c_leave_and_an_arrow_does_not_however_it_arrives() {
        for (chunks, expected) in [
            (&[&b"q"[..]][..], true),
            (&[b"\x03"], true),
            (&[b"\x1b"], true),
            (&[b"x"], false),
            (&[b"\x1b[A"], false),
            (&[b"\x1bOq"], false),
            (&[b"\x1b", b"[A"], false),
            (&[b"\x1b", b"x"], true),
            (&[], false),
        ] {
            let (typed, keys) = mpsc::sync_channel(16);
            chunks.iter().for_each(|chunk| typed.send(chunk.to_vec()).unwrap());
            assert_eq!(Keys(keys).leave_within(Duration::ZERO), expected, "{chunks:?}");
        }
        let (typed, keys) = mpsc::sync_channel(16);
        drop(typed);
        assert!(Keys(keys).leave_within(Duration::from_secs(60)), "nobody can type");
    }
}
