//! etcd's JSON, field for field. 64-bit numbers are texts, and what is zero or empty is left out.

use serde::{Deserialize, Deserializer, de::Error};

/// `POST /v3/cluster/member/list`.
#[derive(Debug, Deserialize)]
pub(crate) struct MemberList {
    #[serde(default)]
    pub(crate) members: Vec<Member>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Member {
    #[serde(rename = "ID", deserialize_with = "number")]
    pub(crate) id: u64,
    /// Empty until it has started.
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default, rename = "clientURLs")]
    pub(crate) client_urls: Vec<String>,
    #[serde(default, rename = "isLearner")]
    pub(crate) is_learner: bool,
}

/// `POST /v3/maintenance/status`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Status {
    pub(crate) version: Option<String>,
    /// The size of the database's file, which the quota bounds.
    #[serde(default, rename = "dbSize", deserialize_with = "number")]
    pub(crate) db_size: u64,
    /// The leader that it follows; 0 is none.
    #[serde(default, deserialize_with = "number")]
    pub(crate) leader: u64,
    #[serde(default, rename = "raftTerm", deserialize_with = "number")]
    pub(crate) raft_term: u64,
}

/// The gateway's errors.
#[derive(Debug, Deserialize)]
pub(crate) struct Failure {
    pub(crate) error: String,
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("{text:?} is not a number from 0 to 2^64-1")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As etcd 3.4.23 wrote it.
    #[test]
    fn numbers_are_texts_and_no_leader_is_left_out() {
        let text = r#"{"header":{"cluster_id":"11768394255154444096"},"version":"3.4.23","dbSize":"20480","raftIndex":"12",
            "raftTerm":"3","raftAppliedIndex":"12","errors":["etcdserver: no leader"],"dbSizeInUse":"20480"}"#;
        let status: Status = serde_json::from_str(text).unwrap();
        assert_eq!((status.db_size, status.leader, status.raft_term), (20_480, 0, 3));
        let text = r#"{"members":[{"ID":"13668033151171901709","name":"n1","peerURLs":["http://127.0.0.1:23801"],
            "clientURLs":["http://127.0.0.1:23791"]},{"ID":"1"}]}"#;
        let members = serde_json::from_str::<MemberList>(text).unwrap().members;
        assert_eq!(members[0].id, 13_668_033_151_171_901_709);
        assert!(members[1].name.is_empty() && members[1].client_urls.is_empty());
    }

    #[test]
    fn rubbish_is_refused() {
        for text in [r#"{"members":[{"ID":"-1"}]}"#, r#"{"members":[{"name":"a"}]}"#, r#"{"members":{}}"#] {
            assert!(serde_json::from_str::<MemberList>(text).is_err(), "{text}");
        }
    }
}
