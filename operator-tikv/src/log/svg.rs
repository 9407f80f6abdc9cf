//! Who led which region when, as a picture.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};

use super::summary::Summary;

/// The regions that are drawn: those in which leadership moved most.
const ROWS: usize = 30;
const WIDTH: f64 = 960.0;
const LEFT: f64 = 92.0;
const TOP: f64 = 76.0;
const ROW: f64 = 18.0;
/// Nobody leads.
const GAP: &str = "#d1242f";
/// Told apart also by those who do not see red and green.
const COLORS: [&str; 8] =
    ["#0072b2", "#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#f0e442", "#8c6bb1", "#999933"];

/// A timeline: a row a region, coloured by who led it, red where nobody did. Stands alone, without scripts.
pub fn timeline(summary: &Summary) -> String {
    let regions = summary.regions();
    let shown = regions.get(..regions.len().min(ROWS)).unwrap_or_default();
    let height = TOP + ROW * shown.len() as f64 + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"11\" fill=\"#24292f\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let Some((first, last)) = summary.span() else {
        svg.push_str("<text x=\"20\" y=\"40\">No log tells of leadership.</text>\n</svg>\n");
        return svg;
    };
    let scale = Scale { first, seconds: (last - first).as_seconds_f64().max(1.0) };
    let _ = writeln!(
        svg,
        "<text x=\"20\" y=\"26\" font-size=\"15\" font-weight=\"600\">Who led which region</text>\n\
         <text x=\"{}\" y=\"26\" text-anchor=\"end\" fill=\"#57606a\">{} to {} UTC, {} of {} regions</text>",
        WIDTH - 20.0,
        first.format("%Y-%m-%d %H:%M:%S"),
        last.format("%Y-%m-%d %H:%M:%S"),
        shown.len(),
        regions.len()
    );
    legend(&mut svg, summary.places());
    axis(&mut svg, &scale, height);
    for (row, region) in shown.iter().enumerate() {
        let y = TOP + ROW * row as f64;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{}\" height=\"{}\" fill=\"#eaeef2\"/>",
            LEFT - 8.0,
            y + 11.0,
            region.region_id,
            WIDTH - 20.0 - LEFT,
            ROW - 4.0
        );
        let moments = summary.moments(region.region_id);
        // That nobody led is drawn last and seen, however short it was.
        let is_gap = |index: &usize| moments.get(*index).is_some_and(|moment| moment.place.is_none());
        let (gaps, led): (Vec<_>, Vec<_>) = (0..moments.len()).partition(is_gap);
        for index in led.into_iter().chain(gaps) {
            let Some(moment) = moments.get(index) else { continue };
            let from = scale.x(moment.at).min(WIDTH - 21.5);
            let until = moments.get(index + 1).map_or(last, |next| next.at);
            let least = if moment.place.is_none() { 1.5 } else { 0.2 };
            let width = (scale.x(until) - from).max(least);
            let (color, who) = match moment.place {
                Some(place) => (color(place), summary.places().get(place).map_or("", String::as_str)),
                None => (GAP, "nobody"),
            };
            let _ = writeln!(
                svg,
                "<rect x=\"{from:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{color}\"><title>region {}: {} from {} \
                 for {:.1} s</title></rect>",
                ROW - 4.0,
                region.region_id,
                escaped(who),
                moment.at.format("%H:%M:%S%.3f"),
                (until - moment.at).as_seconds_f64()
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

struct Scale {
    first: DateTime<Utc>,
    seconds: f64,
}

impl Scale {
    fn x(&self, at: DateTime<Utc>) -> f64 {
        let part = ((at - self.first).as_seconds_f64() / self.seconds).clamp(0.0, 1.0);
        LEFT + part * (WIDTH - 20.0 - LEFT)
    }
}

fn legend(svg: &mut String, places: &[String]) {
    let mut x = 20.0;
    let all = places.iter().enumerate().map(|(place, name)| (color(place), name.as_str()));
    for (color, name) in all.take(COLORS.len()).chain([(GAP, "nobody"), ("#eaeef2", "not known")]) {
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"40\" width=\"10\" height=\"10\" fill=\"{color}\"/>\n<text x=\"{}\" y=\"49\">{}</text>",
            x + 14.0,
            escaped(name)
        );
        x += 30.0 + 6.5 * name.chars().count() as f64;
    }
}

/// Some six round moments.
fn axis(svg: &mut String, scale: &Scale, height: f64) {
    const STEPS: [i64; 16] =
        [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];
    let wanted = scale.seconds / 7.0;
    let step = STEPS
        .into_iter()
        .find(|step| *step as f64 >= wanted)
        .unwrap_or((wanted / 86_400.0).ceil() as i64 * 86_400);
    let format = if step < 60 {
        "%H:%M:%S"
    } else if step < 86_400 {
        "%H:%M"
    } else {
        "%m-%d"
    };
    let begin = (scale.first.timestamp().div_euclid(step) + 1) * step;
    let ticks = (0..12).filter_map(|tick| DateTime::from_timestamp(begin + tick * step, 0));
    let end = scale.first + TimeDelta::milliseconds((scale.seconds * 1_000.0) as i64);
    for at in ticks.take_while(|at| *at <= end) {
        let x = scale.x(at);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{}\" stroke=\"#d0d7de\"/>\n\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#57606a\">{}</text>",
            TOP - 6.0,
            height - 32.0,
            height - 16.0,
            at.format(format)
        );
    }
}

fn color(place: usize) -> &'static str {
    COLORS.get(place % COLORS.len()).copied().unwrap_or(GAP)
}

fn escaped(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '&' => "&amp;".to_owned(),
            '"' => "&quot;".to_owned(),
            control if control.is_control() => "\u{FFFD}".to_owned(),
            other => other.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use operator_core::{LeadershipChange, LeadershipChangeKind as Kind, PeerId, RegionId};

    use super::*;

    #[test]
    fn a_picture_shows_who_led_and_that_nobody_did_and_cannot_be_broken_by_a_name() {
        let mut summary = Summary::default();
        assert!(timeline(&summary).contains("No log tells"));
        let mut add = |seconds, kind, peer, file: &str, from_role: Option<&str>| {
            let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
            let mut change = LeadershipChange::new(at, kind, "raft.rs:1", file, None);
            (change.region_id, change.peer_id) = (Some(RegionId(7)), Some(PeerId(peer)));
            change.from_role = from_role.map(str::to_owned);
            summary.add(&change);
        };
        add(0, Kind::BecameLeader, 1, "<a&\"b\u{1b}>", None);
        add(60, Kind::BecameFollower, 1, "a", Some("Leader"));
        add(90, Kind::BecameLeader, 2, "b", None);
        add(120, Kind::BecameLeader, 2, "b", None);
        let svg = timeline(&summary);
        assert!(svg.contains("&lt;a&amp;&quot;b\u{FFFD}&gt;") && !svg.contains('\u{1b}'), "{svg}");
        assert!(svg.contains("region 7: nobody from 00:01:00.000 for 30.0 s"), "{svg}");
        assert!(svg.contains("00:00:20") && svg.ends_with("</svg>\n"), "{svg}");
    }
}
