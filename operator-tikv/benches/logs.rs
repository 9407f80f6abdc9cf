//! Every field of every line of a recorded log: ours against lines, a regular expression with captures, and chrono.
//!
//! `cargo bench -p operator-tikv --bench logs`

#![expect(clippy::expect_used, reason = "a bench may panic")]

use std::hint::black_box;
use std::io::Read;

use chrono::DateTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::read::GzDecoder;
use operator_tikv::log::{leadership_of_line, may_tell, parse_line};
use regex::Regex;

const LOG: &[u8] = include_bytes!("../../tests/recordings/logs/tikv0.log.gz");

fn by_regex(log: &str, header: &Regex, field: &Regex) -> usize {
    let mut bytes = 0;
    for line in log.lines() {
        let captures = header.captures(line).expect("a recorded line");
        let time = DateTime::parse_from_str(&captures[1], "%Y/%m/%d %H:%M:%S%.3f %:z").expect("a time");
        black_box(time);
        bytes += captures[2].len() + captures[3].len() + captures[4].len();
        let rest = &captures[5];
        bytes += field.captures_iter(rest).map(|field| field[1].len() + field[2].len()).sum::<usize>();
    }
    bytes
}

fn by_parser(log: &str) -> usize {
    let (mut bytes, mut start) = (0, 0);
    // As a scan finds them.
    for end in memchr::memchr_iter(b'\n', log.as_bytes()) {
        let entry = parse_line(&log.as_bytes()[start..end]).expect("a recorded line");
        start = end + 1;
        black_box(entry.time.utc());
        bytes += entry.level.as_str().len() + entry.source.raw().len() + entry.message.raw().len();
        bytes += entry.fields().map(|(name, value)| name.raw().len() + value.raw().len()).sum::<usize>();
    }
    bytes
}

fn logs(criterion: &mut Criterion) {
    let mut log = String::new();
    GzDecoder::new(LOG).read_to_string(&mut log).expect("a recorded log");
    let text = r#""(?:[^"\\]|\\.)*"|[^\]="]*"#;
    let header = format!(r"^\[([^\]]+)\] \[([A-Z]+)\] \[([^\]]+)\] \[({text})\](.*)$");
    let header = Regex::new(&header).expect("a regular expression");
    let field = Regex::new(&format!(r" \[({text})=({text})\]")).expect("a regular expression");
    assert_eq!(by_regex(&log, &header, &field), by_parser(&log), "both read the same");

    let mut group = criterion.benchmark_group("log");
    group.throughput(Throughput::Bytes(log.len() as u64)).sample_size(10);
    group.bench_function("every field", |bench| bench.iter(|| by_parser(black_box(&log))));
    group.bench_function("every field, by regex and chrono", |bench| {
        bench.iter(|| by_regex(black_box(&log), &header, &field));
    });
    group.bench_function("leadership", |bench| {
        bench.iter(|| {
            let lines = log.lines().filter(|line| may_tell(line.as_bytes(), false));
            lines.filter_map(|line| leadership_of_line(line.as_bytes(), "tikv0.log", None)).count()
        });
    });
    group.finish();
}

criterion_group!(benches, logs);
criterion_main!(benches);
