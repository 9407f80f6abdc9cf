//! What a query answers: samples in columns.

use std::fmt;
use std::mem;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Labels;

/// The result of a query, by its type.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum QueryResult {
    /// One sample of each series, all at one moment.
    Vector(InstantVector),
    /// Several samples of each series.
    Matrix(Vec<RangeSeries>),
    /// One number.
    Scalar(Sample),
    /// A text.
    String {
        /// When it was evaluated, in milliseconds since 1970.
        timestamp_ms: i64,
        /// The text.
        text: String,
    },
}

impl QueryResult {
    /// Prometheus' name of the type (`resultType`).
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Vector(_) => "vector",
            Self::Matrix(_) => "matrix",
            Self::Scalar(_) => "scalar",
            Self::String { .. } => "string",
        }
    }
}

/// A number and the moment it belongs to. Of an instant query this is when it was *evaluated*, not when the data was
/// scraped, which may be up to five minutes earlier; see [`Selector::timestamp`](super::Selector::timestamp).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The value; can be `NaN` or infinite.
    pub value: f64,
}

impl Sample {
    /// The moment, if a date can say it.
    pub fn at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.timestamp_ms)
    }
}

/// One moment of several series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InstantVector {
    /// Those whose sample is a number.
    pub samples: Vec<InstantSample>,
    /// Those whose sample is a native histogram, which is not a number.
    pub histograms: Vec<(Labels, NativeHistogram)>,
}

/// One sample of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct InstantSample {
    /// Which series.
    pub labels: Labels,
    /// When it was evaluated and what it is.
    pub sample: Sample,
}

/// Several samples of one series, in columns: 16 bytes a sample.
#[derive(Clone, Default, PartialEq)]
pub struct RangeSeries {
    /// Which series.
    pub labels: Labels,
    /// When, in milliseconds since 1970; as many as `values`.
    pub timestamps: Vec<i64>,
    /// What; can be `NaN` or infinite.
    pub values: Vec<f64>,
    /// Samples that are native histograms, kept apart: they are no numbers.
    pub histograms: Vec<NativeHistogram>,
}

impl RangeSeries {
    /// The samples one by one.
    pub fn samples(&self) -> impl Iterator<Item = Sample> + '_ {
        self.timestamps.iter().zip(&self.values).map(|(&timestamp_ms, &value)| Sample { timestamp_ms, value })
    }

    /// What the samples take in memory, in bytes.
    pub fn sample_bytes(&self) -> usize {
        self.timestamps.capacity() * mem::size_of::<i64>() + self.values.capacity() * mem::size_of::<f64>()
    }
}

impl fmt::Debug for RangeSeries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days of samples help nobody in a message.
        write!(f, "RangeSeries({}, {} samples", self.labels, self.values.len())?;
        if !self.histograms.is_empty() {
            write!(f, ", {} native histograms", self.histograms.len())?;
        }
        f.write_str(")")
    }
}

/// A sample that is a whole histogram with its own buckets (Prometheus 2.40 and later, where switched on).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NativeHistogram {
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// How many observations it counts.
    pub count: f64,
    /// What they add up to.
    pub sum: f64,
    /// The buckets that are not empty.
    pub buckets: Vec<NativeBucket>,
}

/// A bucket of a native histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct NativeBucket {
    /// Which bounds belong to it: 0 the upper, 1 the lower, 2 neither, 3 both.
    pub boundaries: u8,
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// How many observations lie in it.
    pub count: f64,
}

/// An answer and what the server said beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer<T> {
    /// What was asked for.
    pub data: T,
    /// What makes it incomplete or doubtful, such as a store of Thanos that did not answer. Partial data comes with
    /// success and looks whole but for this.
    pub warnings: Vec<String>,
    /// Remarks on the query (Prometheus 2.54 and later).
    pub infos: Vec<String>,
}

impl<T> Answer<T> {
    /// The same answer with other data.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { data: f(self.data), warnings: self.warnings, infos: self.infos }
    }
}
