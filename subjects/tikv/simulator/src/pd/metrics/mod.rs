//! PD's `/metrics`: each member's own, most of it only from the leader.

mod member;
mod leader;

use super::Pd;
use super::statistics::Check;
use super::view::View;
use crate::exposition::{Numbers, Page};
use crate::model::Cluster;
use crate::{Reply, Request};

const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=values";

impl Pd {
    pub(crate) fn metrics(&self, cluster: &Cluster, member: usize, request: &Request) -> Reply {
        let mut page = Page::new(Numbers::Go);
        self.member_metrics(&mut page, cluster.now, member);
        let leads = self.members.leader == Some(member);
        match self.memory.as_ref().map(|memory| View { cluster, pd: self, memory, leader: member }) {
            Some(view) if leads => view.leader_metrics(&mut page),
            // A follower has the series, and they are all zero.
            _ => regions_status(&mut page, |_| 0),
        }
        Reply::new(200, Some(EXPOSITION), page.finish()).gzipped_for(request)
    }
}

fn regions_status(page: &mut Page, count: impl Fn(Check) -> usize) {
    page.family("pd_regions_status", "gauge", "Status of the regions.");
    let mut samples: Vec<_> = Check::ALL
        .into_iter()
        .map(|check| {
            let name = check.name();
            let suffix = if name.ends_with("-region") { "-count" } else { "-region-count" };
            (format!("{name}{suffix}"), count(check))
        })
        .collect();
    samples.push(("witness-leader-region-count".to_owned(), 0));
    samples.sort();
    for (kind, count) in samples {
        page.sample(&[("type", &kind)], count as f64);
    }
}
