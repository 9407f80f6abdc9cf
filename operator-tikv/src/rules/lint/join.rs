//! Whether the two sides of an operator can find each other.

use std::collections::BTreeSet;

use promql_parser::parser::{BinaryExpr, LabelModifier, VectorMatchCardinality};

use super::facts::{Facts, Told};
use super::shape::{Fate, Seen};

/// Of what needs a series of each side, matched by their labels.
pub(super) async fn join(facts: &Facts<'_>, binary: &BinaryExpr, left: Seen, right: Seen) -> Seen {
    let modifier = binary.modifier.as_ref();
    let matching = modifier.and_then(|modifier| modifier.matching.as_ref());
    let fate = if matches!((&left.fate, &right.fate), (Fate::Live, Fate::Live)) {
        parted(facts, matching, &left, &right).await
    } else {
        Fate::Live
    };
    let extra = match modifier.map(|modifier| &modifier.card) {
        Some(VectorMatchCardinality::ManyToOne(extra) | VectorMatchCardinality::OneToMany(extra)) => {
            Some(extra)
        }
        _ => None,
    };
    let many_right =
        matches!(modifier.map(|modifier| &modifier.card), Some(VectorMatchCardinality::OneToMany(_)));
    let (many, one) = if many_right { (right, left) } else { (left, right) };
    let mut seen = many.needs(&one);
    seen.fate = seen.fate.and(fate);
    if binary.op.is_set_operator() {
        return seen;
    }
    match (extra, matching) {
        (Some(extra), _) => {
            for label in &extra.labels {
                seen = seen.with_made(label);
            }
            seen
        }
        (None, Some(LabelModifier::Include(on))) => {
            seen.with_labels(|label| on.labels.iter().any(|known| known == label))
        }
        (None, Some(LabelModifier::Exclude(ignored))) => {
            seen.with_labels(|label| ignored.labels.iter().all(|known| known != label))
        }
        (None, None) => seen,
    }
}

/// What keeps the sides apart.
async fn parted(facts: &Facts<'_>, matching: Option<&LabelModifier>, left: &Seen, right: &Seen) -> Fate {
    let (Some(of_left), Some(of_right)) = (&left.labels, &right.labels) else { return Fate::Live };
    let all = || of_left.union(of_right).cloned().collect::<BTreeSet<_>>();
    let labels = match matching {
        Some(LabelModifier::Include(on)) => on.labels.iter().cloned().collect(),
        Some(LabelModifier::Exclude(ignored)) => {
            all().into_iter().filter(|label| !ignored.labels.contains(label)).collect()
        }
        None => all(),
    };
    for label in &labels {
        let told = match (of_left.contains(label), of_right.contains(label)) {
            (true, true) => values_differ(facts, label, left, right).await,
            (true, false) => always_there(facts, label, left, "left").await,
            (false, true) => always_there(facts, label, right, "right").await,
            (false, false) => Ok(None),
        };
        match told {
            Ok(Some(why)) => return Fate::dead(why),
            Ok(None) => {}
            Err(why) => return Fate::unknown(why),
        }
    }
    Fate::Live
}

/// Whether every series of a side has a label that none of the other has.
async fn always_there(
    facts: &Facts<'_>,
    label: &str,
    side: &Seen,
    which: &str,
) -> Result<Option<String>, String> {
    for origin in &side.origins {
        let without = match origin.strip_suffix('}') {
            Some(open) => format!("{open},{label}=\"\"}}"),
            None => format!("{origin}{{{label}=\"\"}}"),
        };
        if !facts.labels(&without).await?.is_empty() {
            return Ok(None);
        }
    }
    Ok((!side.origins.is_empty()).then(|| {
        format!("the sides never match: only the {which} one has the label `{label}`; name the common ones by on()")
    }))
}

/// Whether no value of a label is on both sides.
async fn values_differ(
    facts: &Facts<'_>,
    label: &str,
    left: &Seen,
    right: &Seen,
) -> Result<Option<String>, String> {
    if let (Some(one), Some(other)) = (left.fixed.get(label), right.fixed.get(label)) {
        let differ = one != other;
        return Ok(differ.then(|| {
            format!("the sides never match: {label} is \"{one}\" on the left and \"{other}\" on the right")
        }));
    }
    if left.origins.is_empty() || right.origins.is_empty() || left.origins == right.origins {
        return Ok(None);
    }
    let (one, other) = (values(facts, label, left).await?, values(facts, label, right).await?);
    let example = |values: &BTreeSet<String>| values.first().cloned().unwrap_or_default();
    Ok(one.is_disjoint(&other).then(|| {
        format!(
            "the sides never match: no value of `{label}` is on both, such as \"{}\" on the left and \"{}\" on the right",
            example(&one),
            example(&other)
        )
    }))
}

async fn values(facts: &Facts<'_>, label: &str, side: &Seen) -> Told {
    let mut all = BTreeSet::new();
    for origin in &side.origins {
        all.extend(facts.values(origin, label).await?.iter().cloned());
    }
    Ok(std::sync::Arc::new(all))
}
