//! Keys of the regions: their boundaries, their middles, their spelling.

/// The end of every key space that ends with `end`; the empty end is beyond every key.
pub(crate) fn ends_after(end: &[u8], key: &[u8]) -> bool {
    end.is_empty() || end > key
}

/// The boundary before region `index` of `count`: user keys spread evenly, as a hashing loader makes them.
pub(crate) fn boundary(index: u64, count: u64) -> Vec<u8> {
    if index == 0 {
        return Vec::new();
    }
    let step = 10_000_000_000_000_000_000_u64 / count.max(1);
    format!("usertable:user{:019}", index.saturating_mul(step)).into_bytes()
}

/// A key strictly between the two, or `None` when there is none. An empty `end` is beyond every key.
pub(crate) fn middle(start: &[u8], end: &[u8]) -> Option<Vec<u8>> {
    const BYTES: usize = 8;
    let common = start.iter().zip(end).take_while(|(a, b)| a == b).count();
    let number = |key: &[u8], filler: u8| {
        (0..BYTES).fold(0_u128, |sum, offset| {
            sum << 8 | u128::from(key.get(common + offset).copied().unwrap_or(filler))
        })
    };
    let low = number(start, 0);
    let high = if end.is_empty() { number(&[], u8::MAX) } else { number(end, 0) };
    let halfway = low + high.checked_sub(low)? / 2;
    let mut key = start.get(..common).unwrap_or(start).to_vec();
    key.extend_from_slice(halfway.to_be_bytes().get(BYTES..).unwrap_or(&[]));
    (key.as_slice() > start && ends_after(end, &key)).then_some(key)
}

/// Upper-case hex, as PD writes keys.
pub(crate) fn hex(key: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 });
    let mut text = String::with_capacity(key.len() * 2);
    for byte in key {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// Reads hex of either case. The error is Go's text.
pub(crate) fn unhex(text: &[u8]) -> Result<Vec<u8>, String> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or_else(|| format!("encoding/hex: invalid byte: U+{:04X} {:?}", byte, char::from(*byte)))
    };
    let mut key = Vec::with_capacity(text.len() / 2);
    for pair in text.chunks(2) {
        match pair {
            [high, low] => key.push(digit(high)? << 4 | digit(low)?),
            [single] => {
                digit(single)?;
                return Err("encoding/hex: odd length hex string".to_owned());
            }
            _ => {}
        }
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_rise() {
        for count in [1, 2, 48, 1_000_000] {
            let keys: Vec<_> = (0..count.min(1_000)).map(|index| boundary(index, count)).collect();
            assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{count}");
        }
    }

    #[test]
    fn a_middle_lies_between() {
        for (start, end) in [("", ""), ("", "b"), ("a", ""), ("a", "b"), ("abc", "abd"), ("abc", "abcd")] {
            let (start, end) = (start.as_bytes(), end.as_bytes());
            let key = middle(start, end).expect("there is room");
            assert!(key.as_slice() > start && ends_after(end, &key), "{start:?} {key:?} {end:?}");
        }
        assert_eq!(middle(b"a", b"a\0"), None);
    }

    #[test]
    fn hex_reads_back_in_either_case() {
        assert_eq!(hex(b"r\0\xFB"), "7200FB");
        assert_eq!(unhex(b"7200fB").as_deref(), Ok(b"r\0\xFB".as_slice()));
        assert_eq!(unhex(b"720"), Err("encoding/hex: odd length hex string".to_owned()));
        assert_eq!(unhex(b"7g"), Err("encoding/hex: invalid byte: U+0067 'g'".to_owned()));
    }
}
