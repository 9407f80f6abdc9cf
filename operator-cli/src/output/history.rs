//! How a value went, look by look, and as bars of one row.

use std::collections::VecDeque;

/// How many looks are remembered: a quarter of an hour of them at 5 s, and as many as the widest view shows.
const LOOKS: usize = 180;

/// The values of the last looks, oldest first; `None` where it was not known.
#[derive(Debug, Default)]
pub(crate) struct History(VecDeque<Option<f64>>);

impl History {
    /// Adds what one look has shown.
    pub(crate) fn push(&mut self, value: Option<f64>) {
        if self.0.len() == LOOKS {
            self.0.pop_front();
        }
        self.0.push_back(value.filter(|value| value.is_finite()));
    }

    /// The largest of the last `looks` values, if any is known.
    pub(crate) fn max(&self, looks: usize) -> Option<f64> {
        self.0.iter().rev().take(looks).copied().flatten().reduce(f64::max)
    }

    /// The last `looks` values as bars, the newest at the right; a full one is `most`, and `-` is not known.
    pub(crate) fn bars(&self, looks: usize, most: Option<f64>) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let bar = |value: &Option<f64>| match (value, most) {
            // Saturates: what is below zero is shown as zero.
            (Some(value), Some(most)) if most > 0.0 => {
                let level = (value / most * 7.0).round() as usize;
                BARS.get(level.min(7)).copied().unwrap_or(' ')
            }
            (Some(_), _) => '▁',
            (None, _) => '-',
        };
        let shown = self.0.len().min(looks);
        let bars = self.0.iter().skip(self.0.len() - shown).map(bar);
        std::iter::repeat_n(' ', looks - shown).chain(bars).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_the_values_and_what_is_not_known_is_no_bar() {
        let mut history = History::default();
        assert_eq!(history.bars(3, history.max(3)), "   ");
        for value in [Some(0.0), Some(50.0), None, Some(100.0), Some(f64::NAN)] {
            history.push(value);
        }
        assert_eq!(history.max(5), Some(100.0));
        assert_eq!(history.bars(7, Some(100.0)), "  ▁▅-█-");
        assert_eq!(history.bars(2, Some(200.0)), "▅-");
        assert_eq!(history.bars(2, Some(0.0)), "▁-");
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut history = History::default();
        (0..10_000).for_each(|value| history.push(Some(f64::from(value))));
        assert_eq!(history.bars(LOOKS + 1, Some(1.0)).trim_start().chars().count(), LOOKS);
    }
}
