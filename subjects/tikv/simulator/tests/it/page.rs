//! A `/metrics` page, read by a parser of the tests' own: lines as both client libraries write them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use tikv_simulator::{Reply, Request, Simulator};

/// Series and their values; a series is `name{label="value",…}` as it stands on the page.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) series: BTreeMap<String, f64>,
    pub(crate) families: BTreeMap<String, Family>,
}

/// What is to be the same on a simulated and a recorded page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: String,
    /// Names of labels with the suffix of the series: `_bucket{type,le}`.
    pub(crate) labels: BTreeSet<String>,
    pub(crate) buckets: BTreeSet<String>,
}

impl Page {
    pub(crate) fn parse(text: String) -> Self {
        let (mut series, mut families) = (BTreeMap::new(), BTreeMap::<String, Family>::new());
        let mut current = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a help text");
                current = name.to_owned();
                families.entry(current.clone()).or_default().help = help.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                families.entry(name.to_owned()).or_default().kind = kind.to_owned();
            } else if !line.is_empty() {
                let (at, value) = line.rsplit_once(' ').expect("a value");
                let family = families.get_mut(&current).expect("a family before its samples");
                let (name, rest) = at.split_once('{').unwrap_or((at, ""));
                let pairs =
                    || rest.trim_end_matches('}').split("\",").filter_map(|pair| pair.split_once('='));
                let names: Vec<_> = pairs().map(|(name, _)| name).collect();
                let suffix = name.strip_prefix(&current).expect("samples are of their family");
                family.labels.insert(format!("{suffix}{{{}}}", names.join(",")));
                if let Some((_, bound)) = pairs().find(|(name, _)| *name == "le") {
                    family.buckets.insert(bound.trim_matches('"').to_owned());
                }
                let before = series.insert(at.to_owned(), value.parse().expect("a number"));
                assert!(before.is_none(), "{at} is there twice");
            }
        }
        Self { text, series, families }
    }

    pub(crate) fn read(path: &Path) -> Self {
        let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut text = String::new();
        // A label of a recorded page is not UTF-8.
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("gzip");
        text.push_str(&String::from_utf8_lossy(&bytes));
        Self::parse(text)
    }

    pub(crate) fn of(cluster: &mut Simulator, authority: &str) -> Self {
        let reply = cluster.answer(authority, &Request::get("/metrics"));
        assert_eq!(reply.status(), Some(200), "{authority}");
        assert_eq!(reply.header("content-encoding"), None);
        Self::parse(body(&reply))
    }

    pub(crate) fn value(&self, series: &str) -> f64 {
        *self.series.get(series).unwrap_or_else(|| panic!("{series} is not there"))
    }

    /// The sum of all series of this name whose labels hold `part`.
    pub(crate) fn sum(&self, name: &str, part: &str) -> f64 {
        let of_name = |series: &str| series.split('{').next() == Some(name);
        self.series
            .iter()
            .filter(|(series, _)| of_name(series) && series.contains(part))
            .map(|(_, v)| v)
            .sum()
    }
}

pub(crate) fn body(reply: &Reply) -> String {
    String::from_utf8(reply.body().to_vec()).expect("text")
}
