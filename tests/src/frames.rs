//! Recorded pages of `/metrics`, one every five seconds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};

/// The pages of one folder, decompressed.
///
/// Two ways lead from here to a real Prometheus: [`Frames::open_metrics`] with [`Setup::samples`](crate::Setup::samples)
/// gives it all of them at their true times, to be asked about any moment; [`ReplayServer::playing`](crate::ReplayServer::playing)
/// serves one after the other to be scraped.
#[derive(Debug)]
pub struct Frames {
    state: &'static str,
    began_at: DateTime<Utc>,
    /// By node, `pd0` or `tikv0`.
    pages: BTreeMap<String, Vec<Bytes>>,
}

/// The folder, the state that was recorded at the same time, and when the first page was made.
const FOLDERS: [(&str, &str, i64); 3] = [
    ("frames-load", "healthy-busy", 1_795_315_597),
    ("frames-store-down", "store-down", 1_795_315_825),
    ("frames-slow", "store-slow", 1_795_316_430),
];

impl Frames {
    /// From one page to the next.
    pub const INTERVAL: Duration = Duration::from_secs(5);

    /// Reads `frames-load`, `frames-store-down` or `frames-slow`.
    ///
    /// # Errors
    /// There is no such folder, or its files cannot be read.
    pub fn load(name: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let known = FOLDERS.into_iter().find(|(folder, ..)| *folder == name);
        let (_, state, began_at) = known.ok_or_else(|| format!("no frames are called {name}"))?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings").join(name);
        let mut pages = BTreeMap::new();
        for node in folder.read_dir()? {
            let node = node?;
            let count = node.path().read_dir()?.count();
            let page = |number| -> std::io::Result<Bytes> {
                let file = std::fs::File::open(node.path().join(format!("{number}.txt.gz")))?;
                let mut page = Vec::new();
                flate2::read::GzDecoder::new(file).read_to_end(&mut page)?;
                Ok(page.into())
            };
            let all = (0..count).map(page).collect::<Result<Vec<_>, _>>()?;
            pages.insert(node.file_name().to_string_lossy().into_owned(), all);
        }
        let began_at = DateTime::from_timestamp(began_at, 0).ok_or("a time")?;
        Ok(Self { state, began_at, pages })
    }

    /// The recorded state of the same minute.
    pub fn state(&self) -> &'static str {
        self.state
    }

    /// The nodes that have pages: one that was dead has none.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.pages.keys().map(String::as_str)
    }

    /// How many pages each node has.
    pub fn count(&self) -> usize {
        self.pages.values().map(Vec::len).min().unwrap_or_default()
    }

    /// When the pages of this number were made.
    pub fn at(&self, number: usize) -> DateTime<Utc> {
        self.began_at + Self::INTERVAL * u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// A node's page.
    pub fn page(&self, node: &str, number: usize) -> Option<&Bytes> {
        self.pages.get(node)?.get(number)
    }

    /// All samples of the metrics that `wanted` takes, as text for `promtool`: labelled as a Prometheus that scraped
    /// them would have done (`instance` is `tikv0:20180` or `pd0:2379`, `job` is `tikv` or `pd`), and with `up`. The last
    /// page is of `ends_at`, or of its true time.
    pub fn open_metrics(&self, wanted: impl Fn(&str) -> bool, ends_at: Option<DateTime<Utc>>) -> String {
        let count = self.count();
        let later = ends_at.map_or_else(Default::default, |at| at - self.at(count.saturating_sub(1)));
        let mut text = String::new();
        for (node, pages) in &self.pages {
            let (job, port) = if node.starts_with("pd") { ("pd", 2379) } else { ("tikv", 20180) };
            let own = format!("instance=\"{node}:{port}\",job=\"{job}\"");
            for (number, page) in pages.iter().enumerate() {
                let at = (self.at(number) + later).timestamp_millis();
                let at = format!("{}.{:03}", at / 1_000, at % 1_000);
                let _ = writeln!(text, "up{{{own}}} 1 {at}");
                for line in String::from_utf8_lossy(page).lines().filter(|line| !line.starts_with('#')) {
                    let Some(end) = line.find(['{', ' ']) else { continue };
                    let (name, rest) = line.split_at(end);
                    if !wanted(name) {
                        continue;
                    }
                    let _ = match rest.strip_prefix('{') {
                        Some(labels) => writeln!(text, "{name}{{{own},{labels} {at}"),
                        None => writeln!(text, "{name}{{{own}}}{rest} {at}"),
                    };
                }
            }
        }
        text + "# EOF\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_is_read_and_the_leaders_clock_agrees_with_its_time() {
        for (name, nodes, count, leader) in
            [("frames-load", 6, 18, "pd0"), ("frames-store-down", 5, 8, "pd0"), ("frames-slow", 6, 8, "pd1")]
        {
            let frames = Frames::load(name).unwrap();
            assert_eq!((frames.nodes().count(), frames.count()), (nodes, count), "{name}");
            for number in 0..count {
                let page = String::from_utf8_lossy(frames.page(leader, number).unwrap()).into_owned();
                let clock =
                    page.lines().find(|line| line.starts_with("pd_cluster_tso{") && line.contains("\"tso\""));
                let millis: f64 = clock.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
                let off = millis / 1_000.0 - frames.at(number).timestamp() as f64;
                assert!((-2.0..3.0).contains(&off), "{name} {number}: {off} s");
            }
        }
        assert!(Frames::load("healthy-busy").is_err());
    }

    #[test]
    fn samples_are_labelled_and_timed_as_if_they_had_been_scraped() {
        let frames = Frames::load("frames-slow").unwrap();
        let text = frames.open_metrics(|name| name == "process_resident_memory_bytes", None);
        assert!(text.contains("up{instance=\"pd0:2379\",job=\"pd\"} 1 1795316430.000\n"), "{text}");
        assert!(
            text.contains("process_resident_memory_bytes{instance=\"tikv0:20180\",job=\"tikv\"} "),
            "{text}"
        );
        assert_eq!(text.lines().count(), 2 * 6 * 8 + 1);
        assert!(text.ends_with(" 1795316465.000\n# EOF\n"), "{text}");

        let sizes = frames.open_metrics(
            |name| name == "tikv_store_size_bytes",
            frames.at(7).checked_add_signed(chrono::TimeDelta::seconds(5)),
        );
        assert!(sizes.contains(
            "{instance=\"tikv0:20180\",job=\"tikv\",type=\"capacity\"} 21474836480 1795316470.000\n"
        ));
    }
}
