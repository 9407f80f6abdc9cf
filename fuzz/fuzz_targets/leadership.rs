//! A line that tells of leadership is never passed over by the look that comes first, whatever stands in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use operator_tikv::log::{leadership_of_line, may_tell};

fuzz_target!(|line: &[u8]| {
    let looks = [false, true].map(|votes| may_tell(line, votes));
    if let Some(change) = leadership_of_line(line, "a.log", Some(1)) {
        assert!(looks[1] && (looks[0] || change.kind.is_vote()));
        assert_eq!(change.to_owned().kind, change.kind);
    }
});
