//! `operator store ID`: all that is known of one store.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use operator_core::{Store, StoreId};

use super::stores::free;
use crate::error::Failure;
use crate::output::table::render_pairs;
use crate::output::{Output, text};
use crate::session::Session;

/// Show one store
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator store 4
  operator store 4 -o json | jq .version")]
pub(crate) struct StoreArgs {
    /// The store's id, as `operator stores` lists it
    id: StoreId,
}

impl StoreArgs {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<(), Failure> {
        let store = session.ask("store", session.subject.store(self.id)).await?;
        let now = session.clock.now();
        output.show(&store, |store, _| render(store, now))
    }
}

fn render(store: &Store, now: DateTime<Utc>) -> String {
    let moment = |at: Option<DateTime<Utc>>| {
        text::known(at.map(|at| format!("{} ({})", text::age(at, now), text::time(at))))
    };
    let mut labels = String::new();
    for (name, value) in &store.labels {
        let _ = write!(labels, "{}{name}={value}", if labels.is_empty() { "" } else { ", " });
    }
    render_pairs(&[
        ("Store", store.id.to_string()),
        ("State", store.state.to_string()),
        ("Address", store.address.clone()),
        ("Status address", text::known(store.status_address.as_deref())),
        ("Version", text::known(store.version.as_deref())),
        ("Labels", if labels.is_empty() { "none".to_owned() } else { labels }),
        ("Capacity", text::known(store.capacity_bytes.map(text::bytes))),
        ("Free", free(store)),
        ("Data", text::known(store.used_bytes.map(text::bytes))),
        ("Leaders", text::known(store.leader_count)),
        ("Regions", text::known(store.region_count)),
        ("Started", moment(store.started_at)),
        ("Last heard from", moment(store.last_heartbeat)),
    ])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use operator_core::StoreState;

    use super::*;

    #[test]
    fn a_store_says_what_is_known_of_it_and_marks_what_is_not() {
        let now = DateTime::UNIX_EPOCH + Duration::from_secs(7_200);
        let mut store = Store::new(4.into(), "tikv1:20160\u{1b}[31m", StoreState::Up);
        store.labels.insert("zone".to_owned(), "a".to_owned());
        store.labels.insert("host".to_owned(), "h\n1".to_owned());
        store.started_at = Some(DateTime::UNIX_EPOCH);
        let expected = "\
Store            4
State            Up
Address          tikv1:20160\\u{1b}[31m
Status address   -
Version          -
Labels           host=h\\n1, zone=a
Capacity         -
Free             -
Data             -
Leaders          -
Regions          -
Started          2h ago (1970-01-01T00:00:00Z)
Last heard from  -
";
        assert_eq!(render(&store, now), expected);
    }
}
