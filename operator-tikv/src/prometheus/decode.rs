//! Query results (`data` of `/api/v1/query` and `/query_range`): each sample goes from the text into its column.

use serde::de::{Deserialize, Deserializer};

use super::number::{self, Timestamp, Value};
use super::scan::{Columns, Cursor, Malformed};
use super::wire::Envelope;
use super::{
    Answer, AnswerError, InstantSample, InstantVector, Labels, NativeBucket, NativeHistogram, QueryResult,
    RangeSeries, Sample,
};

impl Answer<QueryResult> {
    /// Reads the body of an answer of `/api/v1/query` or `/api/v1/query_range`.
    ///
    /// # Errors
    /// [`AnswerError::Api`] if it is an error; [`AnswerError::Malformed`] if it is no answer.
    pub fn from_json(body: &[u8]) -> Result<Self, AnswerError> {
        match envelope(body) {
            Ok(envelope) => envelope.open(),
            Err(why) => Err(AnswerError::of_malformed(body, why)),
        }
    }
}

/// Reads an answer with its data.
fn envelope(body: &[u8]) -> Result<Envelope<QueryResult>, Malformed> {
    let mut cursor = Cursor::new(body);
    let mut envelope = Envelope::default();
    cursor.object(|cursor, name| match name {
        "status" => cursor.value().map(|status| envelope.status = status),
        "data" => data(cursor).map(|data| envelope.data = data),
        "errorType" => cursor.value().map(|error_type| envelope.error_type = error_type),
        "error" => cursor.value().map(|error| envelope.error = error),
        "warnings" => cursor.value().map(|warnings| envelope.warnings = warnings),
        "infos" => cursor.value().map(|infos| envelope.infos = infos),
        "isPartial" => cursor.value().map(|is_partial| envelope.is_partial = is_partial),
        _ => cursor.skip(),
    })?;
    cursor.end()?;
    Ok(envelope)
}

fn data(cursor: &mut Cursor<'_>) -> Result<Option<QueryResult>, Malformed> {
    if cursor.peek() == Some(b'n') {
        return cursor.value::<()>().map(|()| None);
    }
    let (mut result_type, mut result) = (None, None);
    cursor.object(|cursor, name| match name {
        "resultType" => set(&mut result_type, cursor.value::<String>()?),
        "result" => set(&mut result, content(cursor)?),
        _ => cursor.skip(),
    })?;
    let result_type = result_type.ok_or("there is no `resultType`")?;
    match (result_type.as_str(), result.ok_or("there is no `result`")?) {
        ("vector", Content::Series(series)) => vector(series).map(QueryResult::Vector).map(Some),
        ("matrix", Content::Series(series)) => matrix(series).map(QueryResult::Matrix).map(Some),
        ("scalar", Content::Pair(timestamp_ms, text)) => {
            let value = number::parse_value(&text).ok_or("the scalar is no number")?;
            Ok(Some(QueryResult::Scalar(Sample { timestamp_ms, value })))
        }
        ("string", Content::Pair(timestamp_ms, text)) => Ok(Some(QueryResult::String { timestamp_ms, text })),
        ("vector" | "matrix" | "scalar" | "string", _) => Err(format!("`result` is no {result_type}")),
        _ => Err("`resultType` is not one of vector, matrix, scalar and string".to_owned()),
    }
}

fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), Malformed> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err("a field stands twice in one object".to_owned()),
    }
}

/// `result`, whose shape depends on `resultType`, which need not come first.
enum Content {
    /// A vector or a matrix.
    Series(Vec<Series>),
    /// A scalar or a string.
    Pair(i64, String),
}

fn content(cursor: &mut Cursor<'_>) -> Result<Content, Malformed> {
    let mut all: Vec<Series> = Vec::new();
    let mut pair = (None, None);
    cursor.array(|cursor| match (cursor.peek(), &pair) {
        (Some(b'{'), (None, None)) => {
            // Series of one answer are mostly of one length.
            let probably = all.last().map_or(0, Series::len);
            all.push(series(cursor, probably)?);
            Ok(())
        }
        (Some(_), (None, _)) if all.is_empty() => cursor.value().map(|Timestamp(ms)| pair.0 = Some(ms)),
        (Some(_), (Some(_), None)) => cursor.value().map(|text| pair.1 = Some(text)),
        _ => Err(cursor.expected("a series, or a time and a value")),
    })?;
    match pair {
        (Some(timestamp_ms), Some(text)) => Ok(Content::Pair(timestamp_ms, text)),
        (None, _) => Ok(Content::Series(all)),
        (Some(_), None) => Err(cursor.expected("a value before it")),
    }
}

/// One series, of a vector or a matrix.
#[derive(Default)]
struct Series {
    labels: Labels,
    value: Option<Sample>,
    histogram: Option<NativeHistogram>,
    columns: Option<Columns>,
    histograms: Option<Vec<NativeHistogram>>,
}

impl Series {
    fn len(&self) -> usize {
        self.columns.as_ref().map_or(0, |columns| columns.values.len())
    }
}

/// Reads a series of probably so many samples.
fn series(cursor: &mut Cursor<'_>, probably: usize) -> Result<Series, Malformed> {
    let mut series = Series::default();
    let mut labels = None;
    cursor.object(|cursor, name| match name {
        "metric" => set(&mut labels, cursor.value()?),
        "value" => {
            let (Timestamp(timestamp_ms), Value(value)) = cursor.value()?;
            set(&mut series.value, Sample { timestamp_ms, value })
        }
        "histogram" => set(&mut series.histogram, cursor.value()?),
        "values" => set(&mut series.columns, cursor.columns(probably)?),
        "histograms" => set(&mut series.histograms, cursor.value()?),
        _ => cursor.skip(),
    })?;
    series.labels = labels.ok_or("a series has no `metric`")?;
    Ok(series)
}

fn vector(series: Vec<Series>) -> Result<InstantVector, Malformed> {
    let mut vector = InstantVector { samples: Vec::with_capacity(series.len()), histograms: Vec::new() };
    for Series { labels, value, histogram, columns, .. } in series {
        match (value, histogram) {
            (Some(sample), None) if columns.is_none() => {
                vector.samples.push(InstantSample { labels, sample })
            }
            (None, Some(histogram)) if columns.is_none() => vector.histograms.push((labels, histogram)),
            _ => return Err("a series of a vector has one `value` or one `histogram`".to_owned()),
        }
    }
    Ok(vector)
}

fn matrix(series: Vec<Series>) -> Result<Vec<RangeSeries>, Malformed> {
    series
        .into_iter()
        .map(|Series { labels, value, histogram, columns, histograms }| match (value, histogram) {
            (None, None) if columns.is_some() || histograms.is_some() => {
                let Columns { timestamps, values } = columns.unwrap_or_default();
                Ok(RangeSeries { labels, timestamps, values, histograms: histograms.unwrap_or_default() })
            }
            _ => Err("a series of a matrix has `values` or `histograms`".to_owned()),
        })
        .collect()
}

impl<'de> Deserialize<'de> for NativeHistogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Body {
            count: Value,
            sum: Value,
            #[serde(default)]
            buckets: Option<Vec<(u8, Value, Value, Value)>>,
        }

        let (Timestamp(timestamp_ms), body) = <(Timestamp, Body)>::deserialize(deserializer)?;
        let buckets = body.buckets.unwrap_or_default().into_iter().map(
            |(boundaries, Value(lower), Value(upper), Value(count))| NativeBucket {
                boundaries,
                lower,
                upper,
                count,
            },
        );
        Ok(Self { timestamp_ms, count: body.count.0, sum: body.sum.0, buckets: buckets.collect() })
    }
}

#[cfg(test)]
mod tests;
