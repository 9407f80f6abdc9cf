//! Decoding the answer of a range query: 1,000 series of 1,440 points, a day by the minute.
//!
//! `cargo bench -p operator-tikv --bench prometheus`. What to look at is the ratio of the other two to `columns`.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use operator_tikv::prometheus::{Answer, QueryResult};
use serde::Deserialize;

const SERIES: u32 = 1_000;
const POINTS: u32 = 1_440;

/// What serde derives: the answer as it is on the wire, one `String` a sample.
#[derive(Deserialize)]
struct Mirror {
    status: String,
    data: MirrorData,
}

#[derive(Deserialize)]
struct MirrorData {
    #[serde(rename = "resultType")]
    result_type: String,
    result: Vec<MirrorSeries>,
}

#[derive(Deserialize)]
struct MirrorSeries {
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

/// Rates with as many digits as in the recorded answers.
fn matrix() -> String {
    let mut text = r#"{"status":"success","data":{"resultType":"matrix","result":["#.to_owned();
    let mut state = 1_u64;
    for series in 0..SERIES {
        let comma = if series == 0 { "" } else { "," };
        write!(text, r#"{comma}{{"metric":{{"instance":"tikv-{series}:20180"}},"values":["#).unwrap();
        for point in 0..POINTS {
            // The generator of Knuth's MMIX: cheap, and the same every time.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = (state >> 11) as f64 / (1_u64 << 43) as f64;
            let comma = if point == 0 { "" } else { "," };
            write!(text, r#"{comma}[{},"{value}"]"#, 1_795_315_673 + point * 60).unwrap();
        }
        text.push_str("]}");
    }
    text.push_str("]}}");
    text
}

fn decode(criterion: &mut Criterion) {
    let text = matrix();
    let mut group = criterion.benchmark_group("1000 series of 1440 points");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(10);
    group.bench_function("columns", |bencher| {
        bencher.iter(|| {
            let answer = Answer::from_json(black_box(&text).as_bytes()).unwrap();
            let QueryResult::Matrix(series) = answer.data else { unreachable!() };
            assert!(series.iter().all(|series| series.sample_bytes() == POINTS as usize * 16));
            series
        });
    });
    group.bench_function("a String a sample", |bencher| {
        bencher.iter(|| {
            let mirror: Mirror = serde_json::from_str(black_box(&text)).unwrap();
            assert_eq!((mirror.status.as_str(), mirror.data.result_type.as_str()), ("success", "matrix"));
            mirror.data.result
        });
    });
    group.bench_function("a String a sample, then parsed", |bencher| {
        bencher.iter(|| {
            let mirror: Mirror = serde_json::from_str(black_box(&text)).unwrap();
            let parse = |(seconds, value): (f64, String)| (seconds, value.parse::<f64>().unwrap());
            let series = mirror.data.result.into_iter();
            series
                .map(|series| (series.metric, series.values.into_iter().map(parse).collect::<Vec<_>>()))
                .collect::<Vec<_>>()
        });
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
