use super::*;

/// One line each, as recorded, or where that says so as the source of raft-rs, TiKV and PD would write it; the table in
/// `docs/logs.md` shows the same lines.
const FORMS: [(&str, Kind); 24] = [
    (
        r#"[2026/11/22 02:44:22.765 +00:00] [INFO] [raft.rs:1271] ["became leader at term 7"] [term=7] [raft_id=23] [region_id=6] [thread_id=83]"#,
        Kind::BecameLeader,
    ),
    (
        r#"[2026/11/22 02:46:04.081 +00:00] [INFO] [raft.rs:1162] ["became follower at term 8"] [from_role=Leader] [term=8] [raft_id=23] [region_id=6] [thread_id=82]"#,
        Kind::BecameFollower,
    ),
    (
        r#"[2026/11/22 02:44:22.741 +00:00] [INFO] [raft.rs:1187] ["became candidate at term 7"] [term=7] [raft_id=23] [region_id=6] [thread_id=83]"#,
        Kind::BecameCandidate,
    ),
    (
        r#"[2026/11/22 02:45:23.242 +00:00] [INFO] [raft.rs:1213] ["became pre-candidate at term 5"] [term=5] [raft_id=131] [region_id=128] [thread_id=82]"#,
        Kind::BecamePreCandidate,
    ),
    (
        r#"[2026/11/22 02:44:22.741 +00:00] [INFO] [raft.rs:1569] ["starting a new election"] [term=6] [raft_id=23] [region_id=6] [thread_id=83]"#,
        Kind::ElectionStarted,
    ),
    (
        r#"[2026/11/22 02:46:04.076 +00:00] [INFO] [raft.rs:1957] ["[term 7] starts to transfer leadership to 14"] [lead_transferee=14] [term=7] [raft_id=23] [region_id=6] [thread_id=82]"#,
        Kind::TransferStarted,
    ),
    (
        r#"[2026/11/22 02:44:22.741 +00:00] [INFO] [raft.rs:2400] ["[term 6] received MsgTimeoutNow from 7 and starts an election to get leadership."] [from=7] [term=6] [raft_id=23] [region_id=6] [thread_id=83]"#,
        Kind::TransferReceived,
    ),
    // From raft-rs.
    (
        r#"[2026/11/22 02:46:04.076 +00:00] [INFO] [raft.rs:1942] ["[term 7] abort previous transferring leadership to 14"] [last_lead_transferee=14] [term=7] [raft_id=23] [region_id=6] [thread_id=82]"#,
        Kind::TransferAborted,
    ),
    // From raft-rs.
    (
        r#"[2026/11/22 02:46:04.076 +00:00] [WARN] [raft.rs:2054] ["stepped down to follower since quorum is not active"] [raft_id=23] [region_id=6] [thread_id=82]"#,
        Kind::QuorumLost,
    ),
    // From TiKV.
    (
        r#"[2026/11/22 02:56:04.076 +00:00] [WARN] [peer.rs:5999] ["leader missing longer than abnormal_leader_missing_duration"] [expect=10m] [peer_id=23] [region_id=6] [thread_id=82]"#,
        Kind::LeaderMissing,
    ),
    (
        r#"[2026/11/22 02:44:22.741 +00:00] [INFO] [raft.rs:1333] ["broadcasting vote request"] [to="[14, 7]"] [log_index=11] [log_term=6] [term=7] [type=MsgRequestVote] [raft_id=23] [region_id=6] [thread_id=83]"#,
        Kind::VotesRequested,
    ),
    (
        r#"[2026/11/22 02:44:19.734 +00:00] [INFO] [raft.rs:1618] ["[logterm: 5, index: 5, vote: 0] cast vote for 25 [logterm: 5, index: 5] at term 5"] ["msg type"=MsgRequestPreVote] [term=5] [msg_index=5] [msg_term=5] [from=25] [vote=0] [log_index=5] [log_term=5] [raft_id=27] [region_id=24] [thread_id=82]"#,
        Kind::VoteGranted,
    ),
    // From raft-rs.
    (
        r#"[2026/11/22 02:44:19.734 +00:00] [INFO] [raft.rs:1634] ["[logterm: 6, index: 9, vote: 0] rejected vote from 25 [logterm: 5, index: 5] at term 6"] ["msg type"=MsgRequestPreVote] [term=6] [msg_index=5] [msg_term=5] [from=25] [vote=0] [log_index=9] [log_term=6] [raft_id=27] [region_id=24] [thread_id=82]"#,
        Kind::VoteRefused,
    ),
    (
        r#"[2026/11/22 02:48:28.257 +00:00] [INFO] [raft.rs:1366] ["[logterm: 6, index: 439, vote: 191] ignored vote from 189 [logterm: 6, index: 439]: lease is not expired"] [leader_id=191] ["msg type"=MsgRequestPreVote] ["remaining ticks"=7] [term=6] [msg_index=439] [msg_term=6] [from=189] [vote=191] [log_index=439] [log_term=6] [raft_id=191] [region_id=188] [thread_id=82]"#,
        Kind::VoteIgnored,
    ),
    (
        r#"[2026/11/22 02:44:22.763 +00:00] [INFO] [raft.rs:2257] ["received votes response"] [term=7] [type=MsgRequestVoteResponse] [approvals=2] [rejections=0] [from=14] [vote=true] [raft_id=23] [region_id=6] [thread_id=83]"#,
        Kind::VoteReceived,
    ),
    // From raft-rs: `vote=false`.
    (
        r#"[2026/11/22 02:44:22.763 +00:00] [INFO] [raft.rs:2257] ["received votes response"] [term=7] [type=MsgRequestVoteResponse] [approvals=1] [rejections=1] [from=14] [vote=false] [raft_id=23] [region_id=6] [thread_id=83]"#,
        Kind::RefusalReceived,
    ),
    (
        r#"[2026/11/22 02:43:56.932 +00:00] [INFO] [raft.rs:1399] ["received a message with higher term from 11"] ["msg type"=MsgHeartbeat] [message_term=6] [term=0] [from=11] [raft_id=19] [region_id=10] [thread_id=83]"#,
        Kind::HigherTermSeen,
    ),
    (
        r#"[2026/11/22 02:53:50.938 +00:00] [INFO] [region.go:765] ["leader changed"] [region-id=204] [from=5] [to=216]"#,
        Kind::LeaderReported,
    ),
    (
        r#"[2026/11/22 02:53:50.115 +00:00] [INFO] [server.go:1717] ["campaign PD leader ok"] [campaign-leader-name=pd2]"#,
        Kind::PdLeaderElected,
    ),
    (
        r#"[2026/11/22 02:43:45.595 +00:00] [INFO] [server.go:1768] ["PD leader is ready to serve"] [leader-name=pd0]"#,
        Kind::PdLeaderReady,
    ),
    (
        r#"[2026/11/22 02:53:56.831 +00:00] [INFO] [server.go:1792] ["etcd leader changed, resigns pd leadership"] [old-pd-leader-name=pd2]"#,
        Kind::PdLeaderResigned,
    ),
    // From PD.
    (
        r#"[2026/11/22 02:53:56.831 +00:00] [INFO] [server.go:1780] ["no longer a leader because lease has expired, pd leader will step down"]"#,
        Kind::PdLeaderResigned,
    ),
    (
        r#"[2026/11/22 02:43:45.767 +00:00] [INFO] [server.go:1648] ["start to watch pd leader"] [pd-leader="name:\"pd0\" member_id:16382016976602811638 peer_urls:\"http://pd0:2380\" client_urls:\"http://pd0:2379\" "]"#,
        Kind::PdLeaderFollowed,
    ),
    (
        r#"[2026/11/22 02:53:50.073 +00:00] [INFO] [server.go:1652] ["pd leader has changed, try to re-campaign a pd leader"]"#,
        Kind::PdLeaderLost,
    ),
];

fn told(line: &str) -> Option<Leadership<'_>> {
    let told = leadership_of_line(line.as_bytes(), "tikv.log", Some(7))?;
    assert!(may_tell(line.as_bytes(), true), "{line}");
    assert_eq!(may_tell(line.as_bytes(), false), !told.kind.is_vote(), "{line}");
    Some(told)
}

#[test]
fn every_form_is_told_and_the_same_in_both_types() {
    for (line, kind) in FORMS {
        let told = told(line).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(told.kind, kind, "{line}");
        assert_eq!(serde_json::to_string(&told).unwrap(), serde_json::to_string(&told.to_owned()).unwrap());
        let mut written = Vec::new();
        assert!(told.write_json(&mut written), "it is plain");
        assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&told).unwrap());
        let is_raft = line.contains("[raft.rs:") || line.contains("[peer.rs:");
        assert_eq!(told.region_id.is_some() && told.peer_id.is_some(), is_raft, "{line}");
    }
    let seen = |kind| FORMS.iter().any(|(_, seen)| *seen == kind);
    assert!(Kind::ALL.into_iter().all(seen), "a kind without a line");
}

#[test]
fn a_look_passes_every_form_whatever_its_level_its_source_and_what_else_is_sought() {
    for (line, kind) in FORMS {
        let [date, time, zone, _, source, rest] = line.splitn(6, ' ').collect::<Vec<_>>()[..] else {
            panic!()
        };
        for level in ["[INFO]", "[DEBUG]", "[WARNING]", "[DPANIC]", "[CRITICAL]"] {
            for number in ["1", "12", "123", "1234", "12345"] {
                let file = source.split_once(':').map(|(file, _)| format!("{file}:{number}]"));
                let source = file.as_deref().unwrap_or(source);
                let line = [date, time, zone, level, source, rest].join(" ");
                let told = leadership_of_line(line.as_bytes(), "tikv.log", None);
                assert_eq!(told.map(|told| told.kind), Some(kind), "{line}");
                assert!(may_tell(line.as_bytes(), kind.is_vote()), "{line}");
                for kinds in [&[kind][..], &[kind, Kind::BecameLeader]] {
                    assert!(Sought::new(kinds, false).may_be_in(line.as_bytes()), "{line}");
                }
            }
        }
        let only_leaders = Sought::new(&[Kind::BecameLeader], false).may_be_in(line.as_bytes());
        let is_pd = line.contains(".go:");
        assert_eq!(
            only_leaders,
            kind == Kind::BecameLeader || is_pd || kind == Kind::LeaderMissing,
            "{line}"
        );
    }
}

#[test]
fn every_form_stands_in_the_docs() {
    let docs = include_str!("../../../../docs/logs.md");
    for (line, kind) in FORMS {
        assert!(docs.contains(&format!("`{kind}`")) && docs.contains(line), "{kind}: {line}");
    }
}

#[test]
fn what_a_line_says_of_others_is_kept() {
    let form = |kind| told(FORMS.iter().find(|(_, listed)| *listed == kind).unwrap().0).unwrap();
    assert_eq!(form(Kind::BecameFollower).from_role.map(|role| role.text()), Some("Leader".into()));
    assert_eq!(form(Kind::TransferStarted).other_peer_id, Some(PeerId(14)));
    assert_eq!(form(Kind::TransferReceived).other_peer_id, Some(PeerId(7)));
    assert_eq!(form(Kind::VoteIgnored).other_peer_id, Some(PeerId(189)));
    let reported = form(Kind::LeaderReported);
    assert_eq!((reported.from_store, reported.to_store), (Some(StoreId(5)), Some(StoreId(216))));
    assert_eq!((reported.region_id, reported.peer_id), (Some(RegionId(204)), None));
    assert_eq!(form(Kind::PdLeaderFollowed).member.as_deref(), Some("pd0"));
}

#[test]
fn a_line_without_a_region_names_none() {
    let line = r#"[2026/11/22 02:44:22.765 +00:00] [INFO] [raft.rs:1271] ["became leader at term 7"] [term=7] [raft_id=23]"#;
    let told = told(line).unwrap();
    assert_eq!((told.region_id, told.peer_id, told.term), (None, Some(PeerId(23)), Some(7)));
}

#[test]
fn json_tells_the_same() {
    let line = r#"{"time":"2026/11/22 02:44:22.765 +00:00","level":"INFO","caller":"raft.rs:1271","message":"became leader at term 7","term":7,"raft_id":23,"region_id":6}"#;
    assert_eq!(told(line).unwrap().to_owned(), told(FORMS[0].0).unwrap().to_owned());
    // Also where a text has its level's end.
    let brackets = line.replace("{", &format!("{{\"a\":\"{}\",", "]".repeat(60)));
    assert_eq!(told(&brackets).unwrap().kind, Kind::BecameLeader);
}

#[test]
fn what_only_looks_like_it_tells_nothing() {
    let header = "[2026/11/22 02:44:22.765 +00:00] [INFO]";
    for rest in [
        r#"[peer.rs:1] ["a"] [err="[raft.rs:1271] [\"became leader at term 7\"] [region_id=6]"]"#,
        r#"[raft.rs:1] ["became leader at term 7 or so"] [term=7]"#,
        r#"[raft.rs:1] ["became leader"]"#,
        r#"[raft.rs:1] ["became the leader of deadlock detector!"]"#,
        r#"[deadlock.rs:762] ["became leader at term 7"]"#,
        r#"[raft.rs:1] ["became leader at term 7\n"]"#,
        r#"[raft.rs:1] ["became leader at term 7"] [raft_id=23"#,
        r#"[raft.rs:1] ["became leader at term 18446744073709551616"]"#,
        r#"[server.go:1] ["leader changed"]"#,
        r#"[raft] [raft.rs:1] ["became leader at term 7"]"#,
        r#"[raft.rs] ["became leader at term 7"]"#,
    ] {
        assert_eq!(leadership_of_line(format!("{header} {rest}").as_bytes(), "", None), None, "{rest}");
    }
    for line in
        ["", "\"became leader at term 7\"", "   [raft.rs:1271] [\"became leader at term 7\"] [region_id=6]"]
    {
        assert_eq!(leadership_of_line(line.as_bytes(), "", None), None);
        assert!(!may_tell(line.as_bytes(), true));
    }
}

#[test]
fn any_number_is_written_as_serde_does() {
    let mut told = told(FORMS[0].0).unwrap();
    for term in
        [0, 1, 9, 10, 99, 100, 12_345, u64::from(u32::MAX), 999_999_999_999_999_999, u64::MAX - 1, u64::MAX]
    {
        told.term = Some(term);
        let mut written = Vec::new();
        told.write_json(&mut written);
        assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&told).unwrap());
    }
}

#[test]
fn numbers_of_any_length_are_read_and_others_are_none() {
    for (value, expected) in [
        ("18446744073709551615", Some(u64::MAX)),
        ("999999999999999999", Some(999_999_999_999_999_999)),
        ("18446744073709551616", None),
        ("007", Some(7)),
        ("\"7\"", Some(7)),
        ("-7", None),
        ("7x", None),
        ("", None),
    ] {
        let line = format!(
            r#"[2026/11/22 02:44:22.765 +00:00] [INFO] [raft.rs:1569] ["starting a new election"] [term={value}] [raft_id={value}] [region_id={value}] [thread_id={value}]"#
        );
        let told = told(&line).unwrap();
        assert_eq!((told.term, told.peer_id.map(|id| id.0)), (expected, expected), "{value}");
        assert_eq!(told.region_id.map(|id| id.0), expected, "{value}");
    }
}
