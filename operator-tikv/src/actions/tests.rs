//! Against what a real PD was sent and answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use operator_core::{
    Action, Actor, ErrorKind, PreconditionVerdict, Preview, RegionId, Sent, SplitPolicy, StoreId,
    StoreLimitKind,
};
use rstest::rstest;
use serde_json::{Value, json};

use super::request;
use crate::http::{HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};
use crate::pd::recorded::{self, Acted, Recorded};
use crate::{TikvActor, TikvSubject};

const FOLDERS: [&str; 4] = ["actions", "actions-2", "remove-store", "set-max-store-down-time"];

/// Everything that changes something, with its answer.
fn writes() -> Vec<Acted> {
    let all = FOLDERS.into_iter().flat_map(recorded::actions);
    all.filter(|acted| acted.method != "GET").collect()
}

/// A PD that answers everything so.
#[derive(Debug, Clone)]
struct Always {
    status: u16,
    body: String,
    asked: Arc<AtomicUsize>,
}

impl Always {
    fn new(status: u16, body: &str) -> Self {
        Self { status, body: body.to_owned(), asked: Arc::default() }
    }
}

#[async_trait]
impl Transport for Always {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, TransportError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.status == 0 {
            return Err(TransportError::new(TransportErrorKind::Reset, "connection reset"));
        }
        Ok(HttpResponse::whole(self.status, self.body.clone()))
    }
}

fn actor(transport: impl Transport) -> TikvActor {
    TikvActor::new(TikvSubject::with_transport(recorded::config(), Arc::new(transport)).unwrap())
}

fn drain(store: u64) -> Preview {
    let action = Action::DrainStore { store_id: store.into() };
    let mut preview = Preview::new("tikv", chrono::Utc::now(), action, "");
    preview.request = Some(request::of(&preview.action).unwrap());
    preview
}

#[tokio::test]
async fn recorded_answers_are_acceptance_or_refusal_in_pds_words() {
    let mut seen = [0, 0];
    for acted in writes() {
        let sent = actor(Always::new(acted.status, &acted.answer)).send(&drain(1)).await;
        match (acted.status, sent) {
            (200, Sent::Accepted(words)) if acted.answer == "null\n" => {
                assert_eq!(words, "PD answered 200");
                seen[0] += 1;
            }
            (200, Sent::Accepted(words)) => {
                assert_eq!(words, serde_json::from_str::<String>(&acted.answer).unwrap(), "{}", acted.note);
                seen[0] += 1;
            }
            (400.., Sent::Refused(words)) => {
                assert!(!words.is_empty() && !words.contains(['"', '\\']), "{}: {words}", acted.note);
                seen[1] += 1;
            }
            (status, sent) => panic!("{} {}: {status} became {sent:?}", acted.method, acted.path),
        }
    }
    assert_eq!(seen, [24, 25]);
}

#[rstest]
#[case("target holds no peer", "region has no voter in store 216")]
#[case("no such region", "[PD:region:ErrRegionNotFound] region 99999999 not found")]
#[case("nothing to cancel", "[PD:operator:ErrOperatorNotFound] operator not found")]
#[case("undrain again", "no explanation")]
#[case("out of range", "low-space-ratio should between 0 and 1")]
#[case("no such member", "no valid pd to transfer etcd leader")]
#[tokio::test]
async fn recorded_refusals(#[case] note: &str, #[case] expected: &str) {
    let acted = writes().into_iter().find(|acted| acted.note == note).unwrap();
    let sent = actor(Always::new(acted.status, &acted.answer)).send(&drain(1)).await;
    assert!(matches!(&sent, Sent::Refused(words) if words == expected), "{sent:?}");
}

#[tokio::test]
async fn recorded_refusal_that_is_encoded_twice() {
    let acted = writes().into_iter().find(|acted| acted.answer.starts_with("\"\\\"")).unwrap();
    let sent = actor(Always::new(acted.status, &acted.answer)).send(&drain(999_999)).await;
    let expected = "[PD:core:ErrStoreNotFound] store 999999 not found";
    assert!(matches!(&sent, Sent::Refused(words) if words == expected), "{sent:?}");
}

#[tokio::test]
async fn what_is_not_known_is_not_called_refused() {
    for (status, body) in [
        (0, ""),
        (500, ""),
        (502, "bad gateway"),
        (500, "[PD:apiutil:ErrRedirect]redirect failed\n"),
        (200, "<html><title>Sign in</title></html>"),
    ] {
        let pd = Always::new(status, body);
        let sent = actor(pd.clone()).send(&drain(1)).await;
        assert!(matches!(sent, Sent::Unknown(_)), "{status} {body}: {sent:?}");
        assert_eq!(pd.asked.load(Ordering::SeqCst), 1, "{status} {body}");
    }
    let redirect = actor(Always::new(302, "")).send(&drain(1)).await;
    assert!(matches!(redirect, Sent::NotSent(_)), "{redirect:?}");
}

#[tokio::test]
async fn a_preview_that_somebody_has_changed_is_not_sent() {
    let pd = Always::new(200, "\"The scheduler is created.\"");
    let mut forged = drain(1);
    forged.request.as_mut().unwrap().path = "/pd/api/v1/admin/reset-ts".to_owned();
    let mut empty = drain(1);
    empty.request = None;
    for preview in [forged, empty] {
        let sent = actor(pd.clone()).send(&preview).await;
        assert!(matches!(&sent, Sent::NotSent(error) if error.kind == ErrorKind::InvalidInput), "{sent:?}");
    }
    assert_eq!(pd.asked.load(Ordering::SeqCst), 0);
}

/// Numbers as Go takes them: 2 and 2.0 are the same.
fn as_go(value: Option<&Value>) -> Option<Value> {
    let number = |value: &Value| value.as_f64().map_or_else(|| value.clone(), |number| json!(number));
    value.map(|value| match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), number(value))).collect(),
        other => other.clone(),
    })
}

#[test]
fn recorded_requests_are_what_is_planned() {
    let (region_id, store): (RegionId, StoreId) = (192.into(), 216.into());
    let one = StoreId(1);
    for (note, action) in [
        ("valid", Action::TransferLeader { region_id, to_store_id: 4.into() }),
        (
            "to a store that cannot take it or can",
            Action::TransferPeer { region_id, from_store_id: 4.into(), to_store_id: store },
        ),
        ("peer is there already", Action::AddPeer { region_id, store_id: 4.into() }),
        ("no peer there", Action::RemovePeer { region_id, store_id: store }),
        (
            "no such target",
            Action::MergeRegions { source_region_id: region_id, target_region_id: 99_999_999.into() },
        ),
        ("drain", Action::DrainStore { store_id: one }),
        ("undrain", Action::UndrainStore { store_id: one }),
        ("pause", Action::PauseScheduler { scheduler: "balance-leader-scheduler".to_owned(), seconds: 30 }),
        ("resume", Action::ResumeScheduler { scheduler: "balance-leader-scheduler".to_owned() }),
        ("set, prefixed", Action::SetLeaderScheduleLimit { limit: 4, ttl_seconds: None }),
        ("nothing to cancel", Action::CancelSchedulingOperator { region_id: 99_999_999.into() }),
        ("cancel", Action::CancelRemoveStore { store_id: one }),
        ("take store out", Action::RemoveStore { store_id: store }),
        ("transfer to pd0", Action::TransferPdLeader { member: "pd0".to_owned() }),
    ] {
        let acted = writes().into_iter().find(|acted| acted.note == note).unwrap();
        compare(&acted, &action);
    }
    for (path, action) in [
        (
            "/pd/api/v1/store/1/weight",
            Action::SetStoreWeight { store_id: one, leader_weight: 2.0, region_weight: 1.0 },
        ),
        (
            "/pd/api/v1/store/1/limit",
            Action::SetStoreLimit { store_id: one, kind: StoreLimitKind::AddPeer, rate_per_minute: 20.0 },
        ),
        (
            "/pd/api/v1/store/1/label",
            Action::SetStoreLabels {
                store_id: one,
                labels: [("zone".to_owned(), "z1".to_owned())].into_iter().collect(),
            },
        ),
    ] {
        compare(&writes().into_iter().find(|acted| acted.path == path).unwrap(), &action);
    }
    for (name, action) in [
        (
            "split-region",
            Action::SplitRegion { region_id: 10.into(), policy: SplitPolicy::Approximate, keys: Vec::new() },
        ),
        ("scatter-region", Action::ScatterRegion { region_id }),
    ] {
        let is = |acted: &Acted| acted.body.as_ref().is_some_and(|body| body["name"] == name);
        compare(&writes().into_iter().find(is).unwrap(), &action);
    }
}

#[track_caller]
fn compare(acted: &Acted, action: &Action) {
    let planned = request::of(action).unwrap();
    assert_eq!((&planned.method, &planned.path), (&acted.method, &acted.path));
    assert_eq!(as_go(planned.body.as_ref()), as_go(acted.body.as_ref()), "{}", acted.note);
}

#[test]
fn by_reference_the_other_requests() {
    let body = |name, parameters| {
        let action = Action::parse(name, parameters).unwrap();
        let planned = request::of(&action).unwrap();
        (planned.path, planned.body.unwrap_or_default())
    };
    assert_eq!(
        body("split_region", json!({"region_id": 10, "policy": "keys", "keys": ["7480"]})),
        (
            "/pd/api/v1/operators".to_owned(),
            json!({"name": "split-region", "region_id": 10, "policy": "usekey", "keys": ["7480"]})
        )
    );
    assert_eq!(
        body("set_region_schedule_limit", json!({"limit": 0, "ttl_seconds": 60})),
        ("/pd/api/v1/config?ttlSecond=60".to_owned(), json!({"schedule.region-schedule-limit": 0}))
    );
    assert_eq!(
        body("set_low_space_threshold", json!({"used_ratio": 0.85})),
        ("/pd/api/v1/config".to_owned(), json!({"schedule.low-space-ratio": 0.85}))
    );
    assert_eq!(
        body("transfer_pd_leader", json!({"member": "pd 0/../x?"})).0,
        "/pd/api/v1/leader/transfer/pd%200%2F..%2Fx%3F"
    );
}

#[rstest]
#[case("transfer_peer", json!({"region_id": 1, "from_store_id": 4, "to_store_id": 4}), "to_store_id")]
#[case("merge_regions", json!({"source_region_id": 1, "target_region_id": 1}), "target_region_id")]
#[case("split_region", json!({"region_id": 1, "policy": "keys"}), "keys")]
#[case("split_region", json!({"region_id": 1, "keys": ["74"]}), "keys")]
#[case("set_store_weight", json!({"store_id": 1, "leader_weight": -1.0, "region_weight": 1.0}), "leader_weight")]
#[case("set_store_limit", json!({"store_id": 1, "kind": "add_peer", "rate_per_minute": 0.0}), "rate_per_minute")]
#[case("set_store_labels", json!({"store_id": 1, "labels": {}}), "labels")]
#[case("set_store_labels", json!({"store_id": 1, "labels": {"zone": "z1", "Zone": "z2"}}), "case")]
#[case("set_leader_schedule_limit", json!({"limit": 4, "ttl_seconds": 0}), "ttl_seconds")]
#[case("set_low_space_threshold", json!({"used_ratio": 1.5}), "used_ratio")]
#[case("pause_scheduler", json!({"scheduler": "balance-leader-scheduler", "seconds": 0}), "seconds")]
#[case("pause_scheduler", json!({"scheduler": "all", "seconds": 1}), "scheduler")]
#[case("transfer_pd_leader", json!({"member": ".."}), "member")]
#[case("drain_store", json!({"store_id": u64::MAX}), "exactly")]
#[tokio::test]
async fn what_never_makes_sense_is_invalid(
    #[case] name: &str,
    #[case] parameters: Value,
    #[case] named: &str,
) {
    let pd = Always::new(200, "null");
    let error = actor(pd.clone()).preview(&Action::parse(name, parameters).unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains(named), "{error}");
    assert_eq!(pd.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn recorded_cluster_a_drain_tells_what_moves() {
    let preview = actor(Arc::new(Recorded::load("healthy-busy")))
        .preview(&Action::DrainStore { store_id: 1.into() })
        .await
        .unwrap();
    assert_eq!(preview.objections().count(), 0, "{preview:?}");
    assert!(preview.request.is_some() && preview.undo == Some(Action::UndrainStore { store_id: 1.into() }));
    assert!(preview.warnings[0].contains("to each of 2 other stores"), "{preview:?}");
}

#[tokio::test]
async fn recorded_cluster_the_last_of_three_stores_may_not_go() {
    for state in ["healthy-busy", "store-down"] {
        let preview = actor(Arc::new(Recorded::load(state)))
            .preview(&Action::RemoveStore { store_id: 1.into() })
            .await
            .unwrap();
        let objections: Vec<_> = preview.objections().map(|one| one.name.as_str()).collect();
        match state {
            "store-down" => assert_eq!(objections, ["replicas_still_fit", "quorum_survives"]),
            _ => assert_eq!(objections, ["replicas_still_fit"]),
        }
    }
}

#[tokio::test]
async fn recorded_cluster_what_is_not_there() {
    let actor = actor(Arc::new(Recorded::load("store-tombstone")));
    for (action, expected) in [
        (Action::PauseScheduler { scheduler: "balance".to_owned(), seconds: 1 }, "scheduler_exists"),
        (Action::TransferPdLeader { member: "pd9".to_owned() }, "member_exists"),
    ] {
        let preview = actor.preview(&action).await.unwrap();
        let failed = preview.preconditions.iter().find(|one| one.verdict == PreconditionVerdict::Fails);
        assert_eq!(failed.unwrap().name, expected);
    }
}
