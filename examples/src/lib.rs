//! Small programs in `examples/`, one use each: `cargo run -p operator-examples --example NAME`.
