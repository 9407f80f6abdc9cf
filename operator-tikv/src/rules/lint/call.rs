//! What functions make of their arguments.

use std::collections::BTreeSet;
use std::time::Duration;

use promql_parser::parser::{Call, Expr, MatrixSelector};

use super::judge::{Judge, short};
use super::look::{metric, text};
use super::range::Range;
use super::shape::{Fate, Seen};
use crate::rules::format_duration;

/// A window that holds fewer scrapes than this has gaps whenever a scrape is late.
const SCRAPES: u32 = 4;

impl Judge<'_> {
    pub(super) async fn call(&self, call: &Call, depth: usize) -> Seen {
        let name = call.func.name;
        let mut args = Vec::with_capacity(call.args.args.len());
        for arg in &call.args.args {
            args.push(self.expr(arg, depth).await);
        }
        if matches!(name, "absent" | "absent_over_time") {
            return args.into_iter().next().map_or_else(|| Seen::number(Range::ONE), absent);
        }
        // The first argument that is no number is what the function is about.
        let Some(place) = args.iter().position(|arg| !arg.scalar) else {
            let range = args.first().filter(|_| name == "vector").map_or(Range::ALL, |value| value.range);
            let seen = args.iter().fold(Seen::number(range), Seen::needs);
            return Seen { scalar: matches!(name, "time" | "pi"), ..seen };
        };
        let mut main = args.swap_remove(place);
        if let Some(Expr::MatrixSelector(matrix)) = call.args.args.get(place).map(Box::as_ref) {
            self.window(name, matrix, &mut main).await;
        }
        if name == "histogram_quantile" {
            return self.quantile(call, main).await;
        }
        let inner = main.range;
        match name {
            "scalar" => Seen { scalar: true, labels: Some(BTreeSet::new()), ..main.within(inner) },
            "rate" | "irate" | "increase" | "changes" | "resets" | "timestamp" | "stddev_over_time"
            | "stdvar_over_time" => main.within(Range::NOT_NEGATIVE),
            "count_over_time" => main.within(Range::COUNT),
            "present_over_time" => main.within(Range::ONE),
            "min_over_time" | "max_over_time" | "avg_over_time" | "last_over_time" | "quantile_over_time"
            | "sort" | "sort_desc" => main.within(inner),
            "sum_over_time" => main.within(inner.summed()),
            "label_replace" | "label_join" => match call.args.args.get(1).map(Box::as_ref) {
                Some(Expr::StringLiteral(label)) => main.with_made(&label.val),
                _ => main,
            },
            _ => main.within(Range::ALL),
        }
    }

    /// Whether a window holds enough scrapes, and whether what is counted is a counter.
    async fn window(&self, function: &str, matrix: &MatrixSelector, seen: &mut Seen) {
        let rates = matches!(function, "rate" | "irate" | "increase");
        let compares = rates
            || matches!(function, "delta" | "idelta" | "deriv" | "predict_linear" | "changes" | "resets");
        if !compares || seen.origins.is_empty() {
            return;
        }
        let name = metric(&matrix.vs);
        if rates && name.and_then(|name| self.facts.kind(name)) == Some("gauge") {
            seen.remark(format!(
                "{function} of `{}`, which is a gauge: delta or deriv is meant",
                name.unwrap_or_default()
            ));
        }
        let selector = text(&matrix.vs);
        let jobs = match self.facts.values(&selector, "job").await {
            Ok(jobs) => jobs,
            Err(why) => {
                seen.fate = seen.fate.clone().and(Fate::unknown(why));
                return;
            }
        };
        let intervals = jobs.iter().filter_map(|job| self.facts.jobs.get(job)?.interval);
        let Some(interval) = intervals.min().filter(|interval| !interval.is_zero()) else { return };
        // What was measured is not exact.
        let scrapes = matrix.range.as_secs_f64() / interval.as_secs_f64() * 1.1;
        let (window, interval) = (format_duration(matrix.range), rounded(interval));
        if scrapes < 1.2 {
            seen.fate = seen.fate.clone().and(Fate::dead(format!(
                "`{selector}[{window}]` never holds two samples: it is scraped every {interval}"
            )));
        } else if scrapes < f64::from(SCRAPES) {
            seen.remark(format!(
                "`{selector}[{window}]` is less than {SCRAPES} scrapes, which are {interval} apart: it has gaps"
            ));
        }
    }

    async fn quantile(&self, call: &Call, mut seen: Seen) -> Seen {
        if !matches!(seen.fate, Fate::Live) {
            return seen;
        }
        if seen.has("le") == Some(false) {
            let inner = call.args.args.last().map(|inner| short(inner)).unwrap_or_default();
            let mut why = format!("histogram_quantile needs the label `le`, and `{inner}` has none");
            for origin in &seen.origins {
                let metric = origin.split('{').next().unwrap_or_default();
                if self.facts.kind(metric) == Some("histogram") {
                    // It may be a native one, which has its buckets within.
                    seen.fate = Fate::unknown(format!("{why}: `{metric}` may be a native histogram"));
                    return seen;
                }
                let base = metric.strip_suffix("_count").or(metric.strip_suffix("_sum")).unwrap_or(metric);
                let (buckets, metrics) = (format!("{base}_bucket"), self.facts.metrics.as_ref());
                if metrics.is_ok_and(|metrics| metrics.contains(&buckets)) {
                    why = format!("{why}; nearest: `{buckets}`");
                }
            }
            seen.fate = Fate::dead(why);
            return seen;
        }
        if let Some(Expr::NumberLiteral(quantile)) = call.args.args.first().map(Box::as_ref)
            && !(0.0..=1.0).contains(&quantile.val)
        {
            seen.remark(format!("a quantile is 0 to 1, of {} it is always infinite", quantile.val));
            return seen.within(Range::ALL).with_labels(|label| label != "le");
        }
        let mut most = f64::NEG_INFINITY;
        for origin in &seen.origins {
            match self.facts.values(origin, "le").await {
                // A quantile beyond the last bound that is finite is told as that bound.
                Ok(bounds) => {
                    let bounds = bounds.iter().filter_map(|bound| bound.parse::<f64>().ok());
                    most = bounds.filter(|bound| bound.is_finite()).fold(most, f64::max);
                }
                Err(_) => most = f64::INFINITY,
            }
        }
        let range =
            if most.is_finite() && !seen.origins.is_empty() { Range::up_to(most) } else { Range::ALL };
        seen.within(range).with_labels(|label| label != "le")
    }
}

/// What is there if nothing is.
fn absent(inner: Seen) -> Seen {
    let mut seen = Seen { scalar: false, ..Seen::series(Fate::Live) }.within(Range::ONE);
    seen.remark_all(&inner);
    if let Fate::Dead(why) = &inner.fate {
        seen.remark(format!("it always fires: {}", why.join("; ")));
    }
    seen
}

/// A measured interval, to the second if it is one.
fn rounded(interval: Duration) -> String {
    let seconds = interval.as_secs_f64();
    format_duration(if seconds < 1.0 { interval } else { Duration::from_secs_f64(seconds.round()) })
}
