//! A line is read or refused, and what is read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use operator_tikv::log::{Entry, parse_line};

fn texts(entry: &Entry<'_>) -> Vec<Vec<u8>> {
    let header = entry.logger.into_iter().chain([entry.source, entry.message]);
    let fields = entry.fields().flat_map(|(name, value)| [name, value]);
    header.chain(fields).map(|text| text.bytes().into_owned()).collect()
}

fuzz_target!(|line: &[u8]| {
    match parse_line(line) {
        Err(error) => assert!(error.at <= line.len()),
        Ok(entry) => {
            let mut written = Vec::new();
            entry.write(&mut written);
            let again = parse_line(&written).expect("what was written is read again");
            assert_eq!((again.time.utc(), again.level), (entry.time.utc(), entry.level));
            assert_eq!(texts(&again), texts(&entry));
        }
    }
});
