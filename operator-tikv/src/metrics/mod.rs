//! The stores' metrics, through a Prometheus where there is one and from the stores themselves where there is none.
//!
//! [`MetricsSource`] is both behind one door; [`MetricsReading`] says which of them answered, and why if it was not the
//! first choice.

mod reading;
mod source;
#[cfg(test)]
mod tests;

pub use reading::{MetricsOrigin, MetricsReading};
pub use source::MetricsSource;
