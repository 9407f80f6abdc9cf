//! The name that was perhaps meant.

/// Whether two names differ only in what people confuse: case, `-`, `.`, `_` and blanks.
pub(super) fn is_twin(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

fn plain(name: &str) -> String {
    let confused = |c: char| if matches!(c, '-' | '.' | ' ') { '_' } else { c.to_ascii_lowercase() };
    name.chars().map(confused).collect()
}

/// The candidate nearest to `name`: a twin, or else the one with the fewest changed letters, if a third of the letters
/// at most.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a String>) -> Option<&'a str> {
    let wanted: Vec<char> = plain(name).chars().collect();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let most = best.map_or(wanted.len() / 3, |(distance, _)| distance.saturating_sub(1));
        if candidate.len().abs_diff(name.len()) > most {
            continue;
        }
        let letters: Vec<char> = plain(candidate).chars().collect();
        let distance = distance(&wanted, &letters);
        if distance <= most {
            best = Some((distance, candidate));
        }
        if distance == 0 {
            break;
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How many letters must be changed, added or left out (Levenshtein).
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.iter().enumerate() {
        let (mut diagonal, mut left) = (index, index + 1);
        for (cell, second) in row.iter_mut().skip(1).zip(other) {
            let changed = diagonal + usize::from(letter != second);
            diagonal = *cell;
            left = changed.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_a_twin_or_differs_least() {
        let names = ["miss-peer-region-count", "down-peer-region-count", "up"].map(str::to_owned);
        assert_eq!(nearest("miss_peer_region_count", &names), Some("miss-peer-region-count"));
        assert_eq!(nearest("downpeer-region-count", &names), Some("down-peer-region-count"));
        assert_eq!(nearest("tikv_store_size_bytes", &names), None);
        assert_eq!(nearest("", &names), None);
        assert!(is_twin("Store-Down", "store_down") && !is_twin("store", "stores"));
    }

    #[test]
    fn distances_are_levenshteins() {
        for (one, other, expected) in
            [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("ab", "ba", 2)]
        {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(distance(&letters(one), &letters(other)), expected, "{one} {other}");
        }
    }
}
