//! `operator query`: a raw look into Prometheus.

use operator_tikv::prometheus::{Answer, QueryResult};
use serde_json::{Value, json};

use crate::args::Options;
use crate::connect;
use crate::error::Failure;
use crate::output::table::{self, Cell, Column};
use crate::output::text::escaped;
use crate::output::{Output, Style, text};
use crate::progress;

/// Ask Prometheus a question in PromQL
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator query 'up'
  operator --prometheus http://prometheus:9090 query 'topk(3, tikv_raftstore_region_count)'
  operator query 'sum by (instance) (rate(tikv_grpc_msg_duration_seconds_count[1m]))' -o json | jq '.result'

The Prometheus is that of --prometheus or PROMETHEUS_URL, or else the one that PD names. JSON is as Prometheus writes
the `data` of its answers: values are texts, because JSON knows no NaN.")]
pub(crate) struct QueryArgs {
    /// What to evaluate, at this moment
    #[arg(value_name = "PROMQL")]
    promql: String,
}

impl QueryArgs {
    pub(crate) async fn run(self, options: &Options, output: &mut Output) -> Result<(), Failure> {
        let failed = |error: operator_tikv::Error| Failure::from(error.during("query"));
        let client = connect::prometheus_client(options).await?;
        let asked = client.endpoint().map_or_else(String::new, |endpoint| endpoint.to_string());
        let question = client.query(&self.promql);
        let answer = progress::waiting(&format!("Prometheus at {asked}"), question).await.map_err(failed)?;
        for warning in &answer.warnings {
            output.note(&format!("warning: {}", escaped(warning)));
        }
        for info in &answer.infos {
            output.note(&format!("note: {}", escaped(info)));
        }
        output.show(&as_json(&answer), |_, style| render(&answer.data, style))
    }
}

/// As Prometheus writes it, with what it said beside it.
pub(super) fn as_json(answer: &Answer<QueryResult>) -> Value {
    let pair = |timestamp_ms: i64, value: f64| json!([seconds(timestamp_ms), number(value)]);
    let histogram = |histogram: &operator_tikv::prometheus::NativeHistogram| {
        let buckets = histogram.buckets.iter();
        let buckets: Vec<_> = buckets
            .map(|bucket| {
                let bounds = (number(bucket.lower), number(bucket.upper));
                json!([bucket.boundaries, bounds.0, bounds.1, number(bucket.count)])
            })
            .collect();
        let (count, sum) = (number(histogram.count), number(histogram.sum));
        json!([seconds(histogram.timestamp_ms), {"count": count, "sum": sum, "buckets": buckets}])
    };
    let result = match &answer.data {
        QueryResult::Vector(vector) => {
            let samples = vector.samples.iter().map(
                |one| json!({"metric": one.labels, "value": pair(one.sample.timestamp_ms, one.sample.value)}),
            );
            let histograms = vector.histograms.iter();
            let histograms =
                histograms.map(|(labels, one)| json!({"metric": labels, "histogram": histogram(one)}));
            samples.chain(histograms).collect()
        }
        QueryResult::Matrix(series) => {
            let series = series.iter().map(|one| {
                let values = one.samples().map(|sample| pair(sample.timestamp_ms, sample.value));
                let mut whole = json!({"metric": one.labels, "values": values.collect::<Vec<_>>()});
                if !one.histograms.is_empty() {
                    whole["histograms"] = one.histograms.iter().map(histogram).collect();
                }
                whole
            });
            series.collect()
        }
        QueryResult::Scalar(sample) => pair(sample.timestamp_ms, sample.value),
        QueryResult::String { timestamp_ms, text } => json!([seconds(*timestamp_ms), text]),
        _ => Value::Null,
    };
    json!({
        "resultType": answer.data.type_name(),
        "result": result,
        "warnings": answer.warnings,
        "infos": answer.infos,
    })
}

fn seconds(timestamp_ms: i64) -> f64 {
    timestamp_ms as f64 / 1000.0
}

/// All digits, as Prometheus writes them.
fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

pub(super) fn render(result: &QueryResult, style: Style) -> String {
    const HISTOGRAM: &str = "a native histogram: see -o json";
    match result {
        QueryResult::Vector(vector) => {
            let rows = vector.samples.iter().map(|one| (one.labels.to_string(), number(one.sample.value)));
            let histograms =
                vector.histograms.iter().map(|(labels, _)| (labels.to_string(), HISTOGRAM.to_owned()));
            let rows: Vec<_> =
                rows.chain(histograms).map(|(series, value)| [Cell::from(series), value.into()]).collect();
            if rows.is_empty() {
                return "no series\n".to_owned();
            }
            table::render([Column::Left("SERIES"), Column::Right("VALUE")], rows, style)
        }
        QueryResult::Matrix(series) => {
            let rows = series.iter().flat_map(|one| {
                let labels = one.labels.to_string();
                let numbers = one.samples().map(|sample| (sample.timestamp_ms, number(sample.value)));
                let histograms = one.histograms.iter().map(|one| (one.timestamp_ms, HISTOGRAM.to_owned()));
                let samples: Vec<_> = numbers.chain(histograms).collect();
                samples.into_iter().map(move |(timestamp_ms, value)| {
                    [Cell::from(&labels), moment(timestamp_ms).into(), value.into()]
                })
            });
            let rows: Vec<_> = rows.collect();
            if rows.is_empty() {
                return "no series\n".to_owned();
            }
            let columns = [Column::Left("SERIES"), Column::Left("AT"), Column::Right("VALUE")];
            table::render(columns, rows, style)
        }
        QueryResult::Scalar(sample) => format!("{}\n", number(sample.value)),
        QueryResult::String { text, .. } => format!("{}\n", escaped(text)),
        other => format!("a {}: see -o json\n", other.type_name()),
    }
}

fn moment(timestamp_ms: i64) -> String {
    text::known(chrono::DateTime::from_timestamp_millis(timestamp_ms).map(text::time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(data: &str) -> Answer<QueryResult> {
        let text = format!(r#"{{"status":"success","data":{data}}}"#);
        Answer::from_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn json_is_the_data_that_prometheus_sent() {
        for data in [
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","a":"b"},"value":[1795315673.25,"NaN"]}]}"#,
            r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1.5,"1"],[2.0,"-Inf"],[3.0,"0.1"]]}]}"#,
            r#"{"resultType":"scalar","result":[1.0,"+Inf"]}"#,
            r#"{"resultType":"string","result":[1.0,"text"]}"#,
        ] {
            let mut shown = as_json(&answer(data));
            for beside in ["warnings", "infos"] {
                assert_eq!(shown.as_object_mut().unwrap().remove(beside), Some(json!([])));
            }
            assert_eq!(shown, serde_json::from_str::<Value>(data).unwrap());
        }
    }

    #[test]
    fn a_table_has_a_row_a_sample_and_nothing_that_a_terminal_obeys() {
        let vector = r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","a":"\u001b[1m"},"value":[1,"0.5"]}]}"#;
        assert_eq!(
            render(&answer(vector).data, Style::PLAIN),
            "SERIES             VALUE\nup{a=\"\\u001b[1m\"}    0.5\n"
        );
        let matrix = r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2,"2"]]}]}"#;
        assert_eq!(
            render(&answer(matrix).data, Style::PLAIN),
            "SERIES  AT                    VALUE\n{}      1970-01-01T00:00:01Z      1\n{}      1970-01-01T00:00:02Z      2\n"
        );
        for nothing in [r#"{"resultType":"vector","result":[]}"#, r#"{"resultType":"matrix","result":[]}"#] {
            assert_eq!(render(&answer(nothing).data, Style::PLAIN), "no series\n");
        }
        assert_eq!(
            render(&answer(r#"{"resultType":"scalar","result":[1,"NaN"]}"#).data, Style::PLAIN),
            "NaN\n"
        );
    }
}
