//! Asking a subject, with a deadline for each answer.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;

use crate::{
    Error, ErrorKind, HotRegionQuery, Operation, Region, RegionId, RegionPage, RegionQuery, Result, Scope,
    Subject,
};

/// What a rule found wrong, or why it does not apply.
pub(super) type Findings = std::result::Result<Vec<String>, Skip>;

/// Why a rule does not apply.
pub(super) struct Skip(pub(super) String);

/// A subject and how long to wait for it.
#[derive(Clone, Copy)]
pub(super) struct Probe<'a> {
    pub(super) subject: &'a dyn Subject,
    deadline: Duration,
}

/// A stream of regions as far as it was read.
pub(super) struct Streamed {
    pub(super) pages: Vec<RegionPage>,
    /// Whether the stream ended by itself, and not at the limit.
    pub(super) whole: bool,
    /// Whether it was left because its pages hold nothing and do not end.
    pub(super) endless: bool,
}

impl Streamed {
    pub(super) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.pages.iter().flat_map(|page| &page.regions)
    }
}

impl<'a> Probe<'a> {
    pub(super) fn new(subject: &'a dyn Subject, deadline: Duration) -> Self {
        Self { subject, deadline }
    }

    /// The operations that are, or are not, declared.
    pub(super) fn operations(self, declared: bool) -> impl Iterator<Item = Operation> {
        Operation::ALL
            .into_iter()
            .filter(move |operation| self.subject.config().supports(*operation) == declared)
    }

    /// The answer, or the error, or [`ErrorKind::Timeout`].
    pub(super) async fn within<T>(self, question: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(self.deadline, question).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Timeout, "", format!("no answer within {:?}", self.deadline)))
        })
    }

    /// The answer. Without one the rule does not apply: that what is declared answers is another rule.
    pub(super) async fn ask<T>(
        self,
        operation: Operation,
        question: impl Future<Output = Result<T>>,
    ) -> std::result::Result<T, Skip> {
        if !self.subject.config().supports(operation) {
            return Err(Skip(format!("{operation} is not declared")));
        }
        self.within(question).await.map_err(|error| Skip(format!("{operation} answered {}", error.kind)))
    }

    /// Reads a stream. One that does not end is left once it is clear that it goes on behind its limit.
    pub(super) async fn stream(self, query: RegionQuery) -> std::result::Result<Streamed, Skip> {
        let limit = query.limit.unwrap_or(usize::MAX);
        self.ask(Operation::Regions, async {
            let mut stream = self.subject.regions(query);
            let mut read = Streamed { pages: Vec::new(), whole: false, endless: false };
            let mut count = 0;
            while let Some(page) = stream.next().await {
                let page = page?;
                count += page.regions.len();
                read.pages.push(page);
                // Pages without regions can only tell of gaps, of which there is at most one more than regions.
                read.endless = read.pages.len() > limit.saturating_mul(2).saturating_add(2);
                if count > limit || read.endless {
                    return Ok(read);
                }
            }
            read.whole = count < limit;
            Ok(read)
        })
        .await
    }

    /// Asks `operation` in its simplest form. A region needs an id: without one, *not found* is an answer, too.
    pub(super) fn call(self, operation: Operation, region: Option<RegionId>) -> BoxFuture<'a, Result<()>> {
        let subject = self.subject;
        Box::pin(async move {
            match operation {
                Operation::Stores => subject.stores().await.map(drop),
                Operation::StoreMetrics => subject.store_metrics().await.map(drop),
                Operation::ClusterMetrics => subject.cluster_metrics().await.map(drop),
                Operation::RegionHealth => subject.region_health().await.map(drop),
                Operation::Members => subject.members().await.map(drop),
                Operation::Region => match subject.region(region.unwrap_or(RegionId(1))).await {
                    Err(error) if error.kind == ErrorKind::NotFound && region.is_none() => Ok(()),
                    answer => answer.map(drop),
                },
                Operation::Regions => {
                    subject.regions(RegionQuery::all().limit(1)).next().await.transpose().map(drop)
                }
                Operation::HotRegions => subject.hot_regions(HotRegionQuery::default()).await.map(drop),
                Operation::Signals => subject.signals(&Scope::all()).await.map(drop),
            }
        })
    }

    /// Whether `operation` is declared and answers.
    pub(super) async fn answers(self, operation: Operation) -> bool {
        let region = self.first_region().await;
        self.subject.config().supports(operation) && self.within(self.call(operation, region)).await.is_ok()
    }

    /// The first region, if regions can be listed and there is one.
    pub(super) async fn first_region(self) -> Option<RegionId> {
        let read = self.stream(RegionQuery::all().limit(1)).await.ok()?;
        read.regions().next().map(|region| region.id)
    }
}

/// What occurs more than once.
pub(super) fn doubles<T: Ord + Copy>(values: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut seen = BTreeSet::new();
    values.into_iter().filter(|value| !seen.insert(*value)).collect()
}

/// Whether `name` is in `snake_case`.
pub(super) fn is_snake_case(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
