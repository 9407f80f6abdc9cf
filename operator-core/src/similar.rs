//! The name that was probably meant.

/// A name is suggested if it is at least so similar to what was written (Jaro-Winkler, 0 to 1).
const SIMILAR: f64 = 0.75;

/// What to add to an error that names something unknown: `; did you mean `…`?` with the one `among` the known names that is
/// most similar, whatever the case; empty if none is similar enough.
///
/// ```
/// use operator_core::did_you_mean;
///
/// let known = ["drain_store", "undrain_store"];
/// assert_eq!(did_you_mean("DRAIN_STORE", known), "; did you mean `drain_store`?");
/// assert_eq!(did_you_mean("make_coffee", known), "");
/// ```
pub fn did_you_mean<'a>(name: &str, among: impl IntoIterator<Item = &'a str>) -> String {
    let name = name.to_ascii_lowercase();
    let scored =
        among.into_iter().map(|other| (strsim::jaro_winkler(&name, &other.to_ascii_lowercase()), other));
    match scored.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((score, other)) if score >= SIMILAR => format!("; did you mean `{other}`?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_is_suggested_and_nothing_far_off() {
        let names = ["store_metrics", "stores", "hot_regions", "regions"];
        for (written, meant) in
            [("store", "stores"), ("hotregions", "hot_regions"), ("Stores", "stores"), ("REGIONS", "regions")]
        {
            assert_eq!(did_you_mean(written, names), format!("; did you mean `{meant}`?"));
        }
        assert_eq!(did_you_mean("xyz", names), "");
        assert_eq!(did_you_mean("", names), "");
        assert_eq!(did_you_mean("stores", []), "");
    }
}
