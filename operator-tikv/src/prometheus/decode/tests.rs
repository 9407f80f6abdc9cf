use std::path::PathBuf;

use rstest::rstest;

use super::{InstantSample, InstantVector, Labels, NativeBucket, QueryResult, Sample};
use crate::prometheus::{Answer, AnswerError};

fn result(data: &str) -> Result<QueryResult, AnswerError> {
    Answer::from_json(format!(r#"{{"status":"success","data":{data}}}"#).as_bytes()).map(|answer| answer.data)
}

fn recordings() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/recordings"))
}

/// Every recorded answer of a Prometheus: folder, path, status, body.
fn recorded() -> Vec<(String, String, u64, Vec<u8>)> {
    let mut answers = Vec::new();
    for folder in std::fs::read_dir(recordings()).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(index) = std::fs::read(folder.join("index.json")) else { continue };
        let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
        for answer in index["answers"].as_array().unwrap() {
            if answer["group"] == "prometheus" {
                let body = std::fs::read(folder.join(answer["file"].as_str().unwrap())).unwrap();
                let name = folder.file_name().unwrap().to_string_lossy().into_owned();
                answers.push((
                    name,
                    answer["path"].as_str().unwrap().into(),
                    answer["status"].as_u64().unwrap(),
                    body,
                ));
            }
        }
    }
    answers
}

/// Labels, and the bits of the samples, in which every NaN is equal to itself.
type Series = (Labels, Vec<(i64, u64)>);

/// The samples as a plain JSON tree has them, through another number parser.
fn plain(body: &[u8]) -> Vec<Series> {
    let tree: serde_json::Value = serde_json::from_slice(body).unwrap();
    let sample = |pair: &serde_json::Value| {
        let value: f64 = pair[1].as_str().unwrap().parse().unwrap();
        ((pair[0].as_f64().unwrap() * 1000.0).round() as i64, value.to_bits())
    };
    let series = tree["data"]["result"].as_array().unwrap().iter().map(|series| {
        let labels = series["metric"].as_object().unwrap();
        let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let samples = match &series["values"] {
            serde_json::Value::Array(values) => values.iter().map(sample).collect(),
            _ => vec![sample(&series["value"])],
        };
        (labels, samples)
    });
    series.collect()
}

#[test]
fn every_recorded_query_is_decoded_to_the_same_samples() {
    let mut seen = std::collections::BTreeMap::new();
    for (folder, path, status, body) in recorded() {
        if !path.contains("/query") {
            continue;
        }
        let result = Answer::from_json(&body);
        if status != 200 {
            assert!(
                matches!(&result, Err(AnswerError::Api { error_type, message }) if error_type == "bad_data"
                    && message.contains("parse error")),
                "{folder} {path}: {result:?}"
            );
            *seen.entry("error").or_insert(0) += 1;
            continue;
        }
        let result = result.unwrap_or_else(|failure| panic!("{folder} {path}: {failure:?}")).data;
        *seen.entry(result.type_name()).or_insert(0) += 1;
        let series: Vec<Series> = match result {
            QueryResult::Vector(vector) => {
                assert!(vector.histograms.is_empty());
                let samples = vector.samples.into_iter();
                samples
                    .map(|InstantSample { labels, sample }| {
                        (labels, vec![(sample.timestamp_ms, sample.value.to_bits())])
                    })
                    .collect()
            }
            QueryResult::Matrix(series) => series
                .into_iter()
                .map(|series| {
                    let samples =
                        series.samples().map(|sample| (sample.timestamp_ms, sample.value.to_bits()));
                    (series.labels.clone(), samples.collect())
                })
                .collect(),
            QueryResult::Scalar(sample) => {
                let expected = if path.contains("query=1%2F0") { f64::INFINITY } else { f64::NAN };
                assert!(sample.value.to_bits() == expected.to_bits(), "{path}: {sample:?}");
                continue;
            }
            QueryResult::String { text, .. } => {
                assert_eq!(text, "text");
                continue;
            }
        };
        assert_eq!(series, plain(&body), "{folder} {path}");
    }
    // Twelve states were recorded, each with the same thirty questions.
    for (kind, at_least) in [("vector", 150), ("matrix", 24), ("scalar", 24), ("string", 12), ("error", 36)] {
        assert!(seen.get(kind).is_some_and(|&count| count >= at_least), "{seen:?}");
    }
}

#[test]
fn the_order_of_fields_does_not_matter_and_unknown_ones_are_skipped() {
    let body = br#"{"stats":{"seriesFetched":"1"},"data":{"result":[{"value":[1.5,"2"],"group":1,"metric":{"a":"b"}}],
        "stats":{},"resultType":"vector"},"infos":["i"],"warnings":["w"],"isPartial":true,"status":"success"}"#;
    let answer = Answer::from_json(body).unwrap();
    let labels: Labels = [("a", "b")].into_iter().collect();
    let sample = Sample { timestamp_ms: 1500, value: 2.0 };
    assert_eq!(
        answer.data,
        QueryResult::Vector(InstantVector {
            samples: vec![InstantSample { labels, sample }],
            histograms: Vec::new()
        })
    );
    assert_eq!(answer.infos, ["i"]);
    assert_eq!(answer.warnings, ["w", "the server says that the data is partial"]);
}

#[test]
fn native_histograms_are_kept_apart_from_numbers() {
    let vector = result(
        r#"{"resultType":"vector","result":[
            {"metric":{"m":"h"},"histogram":[7,{"count":"3","sum":"1.5","buckets":[[3,"-0.1","0.1","1"],[0,"1","+Inf","2"]]}]},
            {"metric":{"m":"f"},"value":[7,"1"]}]}"#,
    );
    let Ok(QueryResult::Vector(vector)) = vector else { panic!("{vector:?}") };
    assert_eq!((vector.samples.len(), vector.histograms.len()), (1, 1));
    let (labels, histogram) = &vector.histograms[0];
    assert_eq!(labels.value("m"), Some("h"));
    assert_eq!((histogram.timestamp_ms, histogram.count, histogram.sum), (7000, 3.0, 1.5));
    assert_eq!(
        histogram.buckets[1],
        NativeBucket { boundaries: 0, lower: 1.0, upper: f64::INFINITY, count: 2.0 }
    );

    let matrix = result(
        r#"{"resultType":"matrix","result":[
            {"metric":{},"values":[[1,"1"]],"histograms":[[2,{"count":"0","sum":"0"}]]},
            {"metric":{},"histograms":[[2,{"count":"0","sum":"NaN"}]]}]}"#,
    );
    let Ok(QueryResult::Matrix(matrix)) = matrix else { panic!("{matrix:?}") };
    assert_eq!((matrix[0].values.len(), matrix[0].histograms.len()), (1, 1));
    assert_eq!((matrix[1].values.len(), matrix[1].histograms.len()), (0, 1));
}

#[test]
fn a_sample_takes_sixteen_bytes() {
    let values: Vec<String> =
        (0..1441).map(|i| format!(r#"[{}.5,"{i}.25"]"#, 1_795_315_673 + i * 15)).collect();
    let values = values.join(",");
    let series: Vec<String> =
        (0..5).map(|i| format!(r#"{{"metric":{{"i":"{i}"}},"values":[{values}]}}"#)).collect();
    let Ok(QueryResult::Matrix(series)) =
        result(&format!(r#"{{"resultType":"matrix","result":[{}]}}"#, series.join(",")))
    else {
        panic!()
    };
    for series in series {
        assert_eq!((series.timestamps.len(), series.values.len()), (1441, 1441));
        assert_eq!(series.sample_bytes(), 1441 * 16);
    }
}

#[rstest]
#[case::rust_would_take_it(r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"infinity"]}]}"#)]
#[case::rust_would_take_it_too(r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"+1"]}]}"#)]
#[case::a_bare_number(r#"{"resultType":"vector","result":[{"metric":{},"value":[1,2]}]}"#)]
#[case::a_null_value(r#"{"resultType":"vector","result":[{"metric":{},"value":[1,null]}]}"#)]
#[case::no_time(r#"{"resultType":"vector","result":[{"metric":{},"value":["1"]}]}"#)]
#[case::three_parts(r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"1","1"]}]}"#)]
#[case::no_labels(r#"{"resultType":"vector","result":[{"value":[1,"1"]}]}"#)]
#[case::no_sample(r#"{"resultType":"vector","result":[{"metric":{}}]}"#)]
#[case::number_and_histogram(
    r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"1"],"histogram":[1,{"count":"0","sum":"0"}]}]}"#
)]
#[case::twice(r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"1"],"value":[1,"2"]}]}"#)]
#[case::a_matrix_called_vector(r#"{"resultType":"vector","result":[{"metric":{},"values":[[1,"1"]]}]}"#)]
#[case::a_vector_called_matrix(r#"{"resultType":"matrix","result":[{"metric":{},"value":[1,"1"]}]}"#)]
#[case::a_matrix_without_samples(r#"{"resultType":"matrix","result":[{"metric":{}}]}"#)]
#[case::a_series_and_a_time(r#"{"resultType":"matrix","result":[{"metric":{},"values":[]},1]}"#)]
#[case::a_scalar_called_vector(r#"{"resultType":"vector","result":[1,"1"]}"#)]
#[case::a_scalar_that_is_text(r#"{"resultType":"scalar","result":[1,"one"]}"#)]
#[case::a_scalar_cut(r#"{"resultType":"scalar","result":[1]}"#)]
#[case::no_type(r#"{"result":[]}"#)]
#[case::another_type(r#"{"resultType":"streams","result":[]}"#)]
#[case::null(r#"{"resultType":"vector","result":null}"#)]
#[case::an_object(r#"{"resultType":"vector","result":{}}"#)]
#[case::not_data("[]")]
#[case::data_is_null("null")]
#[case::a_time_beyond_all_dates(r#"{"resultType":"scalar","result":[1e300,"1"]}"#)]
fn what_is_no_result_is_malformed(#[case] data: &str) {
    assert!(matches!(result(data), Err(AnswerError::Malformed(_))), "{:?}", result(data));
}

#[test]
fn an_empty_result_is_a_result() {
    assert_eq!(
        result(r#"{"resultType":"vector","result":[]}"#),
        Ok(QueryResult::Vector(InstantVector::default()))
    );
    assert_eq!(result(r#"{"resultType":"matrix","result":[]}"#), Ok(QueryResult::Matrix(Vec::new())));
}

#[rstest]
#[case::plain(r#"{"status":"error","errorType":"execution","error":"many-to-many"}"#, "execution")]
#[case::with_null_data(
    r#"{"status":"error","errorType":"timeout","error":"many-to-many","data":{"resultType":"","result":null}}"#,
    "timeout"
)]
#[case::with_other_data(
    r#"{"data":7,"status":"error","errorType":"canceled","error":"many-to-many"}"#,
    "canceled"
)]
fn an_error_is_told_with_its_type(#[case] body: &str, #[case] error_type: &str) {
    let failure = AnswerError::Api { error_type: error_type.into(), message: "many-to-many".into() };
    assert_eq!(Answer::from_json(body.as_bytes()), Err(failure));
}

#[rstest]
#[case::nothing("")]
#[case::text("404 page not found\n")]
#[case::html("<html><body>Service is starting</body></html>")]
#[case::another_status(r#"{"status":"pending"}"#)]
#[case::no_status(r#"{"data":{"resultType":"vector","result":[]}}"#)]
#[case::no_data(r#"{"status":"success"}"#)]
#[case::trailing(r#"{"status":"success","data":{"resultType":"vector","result":[]}} tail"#)]
fn what_is_no_answer_is_malformed(#[case] body: &str) {
    assert!(matches!(Answer::from_json(body.as_bytes()), Err(AnswerError::Malformed(_))));
}

#[test]
fn an_answer_cut_anywhere_is_malformed() {
    let body = br#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1.5,"2"],[3,"NaN"]]}]},"warnings":["w"]}"#;
    assert!(Answer::from_json(body).is_ok());
    for end in 0..body.len() {
        assert!(matches!(Answer::from_json(&body[..end]), Err(AnswerError::Malformed(_))), "cut at {end}");
    }
}
