use std::sync::Arc;

use chrono::DateTime;
use futures::FutureExt;

use super::*;
use crate::{Epoch, InMemorySubject, KeyRange, StoreState};

/// What an implementer has who writes nothing but what must be written.
#[derive(Debug)]
struct Least(SubjectConfig);

#[async_trait]
impl Subject for Least {
    fn config(&self) -> &SubjectConfig {
        &self.0
    }

    async fn stores(&self) -> Result<Vec<Store>> {
        Ok((1..=2).map(|id| Store::new(id.into(), format!("node{id}:1"), StoreState::Up)).collect())
    }
}

fn least() -> Least {
    Least(SubjectConfig::new("least"))
}

#[tokio::test]
async fn what_is_not_implemented_names_its_method() {
    let (subject, scope) = (least(), Scope::all());
    let errors = [
        subject.store_metrics().await.map(drop),
        subject.cluster_metrics().await.map(drop),
        subject.region_health().await.map(drop),
        subject.members().await.map(drop),
        subject.region(1.into()).await.map(drop),
        subject.regions(RegionQuery::all()).try_next().await.map(drop),
        subject.hot_regions(HotRegionQuery::default()).await.map(drop),
        subject.signals(&scope).await.map(drop),
    ]
    .map(Result::unwrap_err);
    assert!(errors.iter().all(|error| error.kind == ErrorKind::Unsupported));
    let operations = errors.iter().map(|error| error.operation.as_ref());
    assert!(operations.eq(Operation::ALL[1..].iter().map(|operation| operation.as_str())));
    assert!(subject.trust(&Observation::empty(DateTime::UNIX_EPOCH)).is_empty());
}

#[tokio::test]
async fn the_least_subject_conforms_and_its_stores_are_found() {
    let subject = least();
    crate::conformance::check(&subject).await.assert_passed();
    assert_eq!(subject.store(2.into()).await.unwrap().address, "node2:1");
    let error = subject.store(3.into()).await.unwrap_err();
    assert_eq!(error.to_string(), "store: there is no store 3");
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_subject_can_be_shared_without_its_type_and_observed_from_another_task() {
    let subject: Arc<dyn Subject> = Arc::new(least());
    let observed = tokio::spawn(async move { subject.observe(&Scope::all()).await.map(|seen| seen.stores) })
        .await
        .unwrap();
    assert_eq!(observed.unwrap().map(|stores| stores.len()), Some(2));
}

#[tokio::test]
async fn the_metrics_of_one_store() {
    let subject =
        InMemorySubject::new("demo").with_metrics([StoreMetrics::new(4.into(), DateTime::UNIX_EPOCH)]);
    assert_eq!(subject.store_metrics_of(4.into()).await.unwrap().store_id, 4.into());
    assert_eq!(subject.store_metrics_of(5.into()).await.unwrap_err().kind, ErrorKind::NotFound);
    let error = least().store_metrics_of(4.into()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn flat_regions_end_with_the_first_error_and_keep_what_came_before() {
    let region = |id: u64, start: &[u8], end: &[u8]| {
        Region::new(id.into(), KeyRange::new(start.into(), end.into()), Epoch::default())
    };
    let subject = InMemorySubject::new("demo").with_regions([
        region(1, b"", b"b"),
        region(2, b"b", b"c"),
        region(3, b"c", b""),
    ]);
    let query = RegionQuery { page_size: 2.try_into().unwrap(), ..RegionQuery::all() };
    let mut regions = subject.regions_flat(query);
    assert_eq!(regions.next().await.unwrap().unwrap().id, 1.into());
    subject.fail(Operation::Regions, ErrorKind::Unavailable);
    assert_eq!(regions.next().await.unwrap().unwrap().id, 2.into());
    assert_eq!(regions.next().await.unwrap().unwrap_err().kind, ErrorKind::Unavailable);
    assert!(regions.next().now_or_never().unwrap().is_none());
}
