//! What an expression makes, as far as that can be told without evaluating it.

use std::collections::{BTreeMap, BTreeSet};

use super::range::Range;

/// Whether an expression can make anything.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fate {
    Live,
    /// It may, once something comes.
    Unknown(Vec<String>),
    /// It never does.
    Dead(Vec<String>),
}

impl Fate {
    /// Of what needs both.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Dead(mut all), Self::Dead(more)) => {
                all.extend(more.into_iter().filter(|why| !all.contains(why)).collect::<Vec<_>>());
                Self::Dead(all)
            }
            (Self::Dead(why), _) | (_, Self::Dead(why)) => Self::Dead(why),
            (Self::Unknown(mut all), Self::Unknown(more)) => {
                all.extend(more.into_iter().filter(|why| !all.contains(why)).collect::<Vec<_>>());
                Self::Unknown(all)
            }
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::Live, Self::Live) => Self::Live,
        }
    }

    pub(super) fn dead(why: impl Into<String>) -> Self {
        Self::Dead(vec![why.into()])
    }

    pub(super) fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown(vec![why.into()])
    }

    /// Why it is not live.
    pub(super) fn reasons(&self) -> &[String] {
        match self {
            Self::Live => &[],
            Self::Unknown(why) | Self::Dead(why) => why,
        }
    }
}

/// What is known of an expression.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) fate: Fate,
    /// What is odd and no reason to be dead.
    pub(super) remarks: Vec<String>,
    /// A number and no series.
    pub(super) scalar: bool,
    /// The labels that its series have; `None` if that is not known.
    pub(super) labels: Option<BTreeSet<String>>,
    /// Those of them that have one value only.
    pub(super) fixed: BTreeMap<String, String>,
    /// The selectors that its labels come from; none if they may come from elsewhere.
    pub(super) origins: Vec<String>,
    pub(super) range: Range,
    /// The metric, if the values are a counter's own.
    pub(super) counter: Option<String>,
}

impl Seen {
    pub(super) fn number(range: Range) -> Self {
        Self {
            fate: Fate::Live,
            remarks: Vec::new(),
            scalar: true,
            labels: Some(BTreeSet::new()),
            fixed: BTreeMap::new(),
            origins: Vec::new(),
            range,
            counter: None,
        }
    }

    /// Series of which nothing is known.
    pub(super) fn series(fate: Fate) -> Self {
        Self { fate, scalar: false, labels: None, ..Self::number(Range::ALL) }
    }

    /// Values that are made of these, and lie here.
    pub(super) fn within(self, range: Range) -> Self {
        Self { range, counter: None, ..self }
    }

    /// With only those labels for which this holds.
    pub(super) fn with_labels(mut self, kept: impl Fn(&str) -> bool) -> Self {
        self.labels = self.labels.map(|labels| labels.into_iter().filter(|label| kept(label)).collect());
        self.fixed.retain(|label, _| kept(label));
        self
    }

    /// With a label that was made.
    pub(super) fn with_made(mut self, label: &str) -> Self {
        if let Some(labels) = &mut self.labels {
            labels.insert(label.to_owned());
        }
        self.fixed.remove(label);
        self.origins.clear();
        self
    }

    /// Needs what `other` needs, too.
    pub(super) fn needs(mut self, other: &Self) -> Self {
        self.fate = self.fate.and(other.fate.clone());
        self.remark_all(other);
        self
    }

    pub(super) fn remark_all(&mut self, other: &Self) {
        other.remarks.iter().for_each(|remark| self.remark(remark.clone()));
    }

    pub(super) fn remark(&mut self, remark: String) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    pub(super) fn has(&self, label: &str) -> Option<bool> {
        self.labels.as_ref().map(|labels| labels.contains(label))
    }
}
