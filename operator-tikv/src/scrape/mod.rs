//! The stores' own `/metrics` as a source, where there is no Prometheus: what Prometheus does with a page, and no more
//! of it than is needed to say how each store fares.
//!
//! [`Scraper`] asks the stores. The parts stand by themselves too: [`Samples`] reads a page; [`increase`], [`rate`] and
//! [`histogram_quantile`] compute as Prometheus computes.

mod number;
mod labels;
mod exposition;
mod rate;
mod quantile;
mod sources;
mod reading;
mod scraper;
#[cfg(test)]
mod as_prometheus;
#[cfg(test)]
mod recorded;

pub use exposition::{LineError, Sample, Samples, Wanted};
pub use labels::Labels;
pub use quantile::{Bucket, histogram_quantile};
pub use rate::{Point, increase, rate};
pub use scraper::{ScrapeLimits, Scraped, Scraper, Target};
