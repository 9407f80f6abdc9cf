//! TiKV's and PD's logs: what a line says, and what they tell of leadership.
//!
//! Nothing here holds a file in memory, maps one, or believes what it says: a line that cannot be read is counted and
//! shown, and the rest is read all the same.

mod time;
mod marks;
mod text;
mod level;
mod line;
mod json;
mod leadership;
mod files;
mod lines;
mod blocks;
mod pieces;
mod window;
mod filter;
mod scan;
mod entries;
mod groups;
mod follow;
mod churn;
mod summary;
mod svg;

#[cfg(test)]
mod robustness;

pub use blocks::LONGEST_LINE;
pub use churn::{Churn, LastMinute};
pub use entries::{Entries, Group, Merge};
pub use files::{current_logs, log_files};
pub use filter::Filter;
pub use follow::Follow;
pub use leadership::{Leadership, leadership_of, leadership_of_line, may_tell};
pub use level::{Level, UnknownLevel};
pub use line::{Entry, Fields, ParseLineError, parse_line};
pub use scan::{Scan, Scanned, Stats, Unparsed};
pub use summary::{Move, RegionSummary, Summary};
pub use svg::timeline;
pub use text::Text;
pub use time::Time;
pub use window::window_start;
