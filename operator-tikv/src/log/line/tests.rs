use super::*;

const HEADER: &str = "[2026/11/22 02:43:46.081 +00:00] [INFO] [lib.rs:84] [\"Welcome to TiKV\"]";

fn fields(line: &str) -> Vec<(String, String)> {
    let entry = parse_line(line.as_bytes()).unwrap();
    entry.fields().map(|(name, value)| (name.text().into_owned(), value.text().into_owned())).collect()
}

#[test]
fn a_line_has_a_time_a_level_a_source_a_message_and_fields() {
    let line = r#"[2019/01/15 13:40:39.619 +08:00] [WARN] [<unknown>] [] ["msg type"=MsgHup] [to=] [err="a=[\"b\"]\nü"] [x=1=2]"#;
    let entry = parse_line(line.as_bytes()).unwrap();
    assert_eq!(entry.time.utc().to_rfc3339(), "2019-01-15T05:40:39.619+00:00");
    assert_eq!((entry.level, entry.logger), (Level::Warn, None));
    assert_eq!((entry.source.text(), entry.message.text()), ("<unknown>".into(), "".into()));
    let expected = [("msg type", "MsgHup"), ("to", ""), ("err", "a=[\"b\"]\nü"), ("x", "1=2")];
    assert_eq!(fields(line), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(entry.field("err").unwrap().text(), "a=[\"b\"]\nü");
    assert_eq!(entry.field("er"), None);
}

#[test]
fn a_logger_may_stand_before_the_source() {
    let line =
        br#"[2026/11/22 02:43:42.968 +00:00] [INFO] [raft] [zap_raft.go:77] ["e became follower"] [a=1]"#;
    let entry = parse_line(line).unwrap();
    assert_eq!(entry.logger.unwrap().text(), "raft");
    assert_eq!(
        (entry.source.text(), entry.message.text()),
        ("zap_raft.go:77".into(), "e became follower".into())
    );
    let mut written = Vec::new();
    entry.write(&mut written);
    assert_eq!(written, line);
}

#[test]
fn a_message_that_ends_as_a_source_does_is_none() {
    let line = br#"[2026/11/22 02:44:22.765 +00:00] [INFO] [main] ["listening on 127.0.0.1:2379"]"#;
    for fields in [&b""[..], b" [a=b]"] {
        let line = [line, fields].concat();
        let entry = parse_line(&line).unwrap();
        assert_eq!((entry.logger, entry.source.text()), (None, "main".into()));
        assert_eq!(entry.message.text(), "listening on 127.0.0.1:2379");
    }
    for (fields, number) in [("", 0), (" [a=b]", 1), (" [\"a b\"=c] [d=]", 2)] {
        let line = format!("[2026/11/22 02:44:22.765 +00:00] [INFO] [main] [127.0.0.1:2379]{fields}");
        let entry = parse_line(line.as_bytes()).unwrap();
        assert_eq!(
            (entry.logger, entry.message.text(), entry.fields().count()),
            (None, "127.0.0.1:2379".into(), number)
        );
    }
    // Needs its quotes to stay one.
    let json =
        br#"{"time":"2026/11/22 02:44:22.765 +00:00","level":"INFO","caller":"m","message":"b:00","a":""}"#;
    let mut written = Vec::new();
    parse_line(json).unwrap().write(&mut written);
    assert_eq!(written, br#"[2026/11/22 02:44:22.765 +00:00] [INFO] [m] ["b:00"] [a=]"#);
}

#[test]
fn a_field_that_is_none_is_passed_over() {
    let line = br#"[2026/11/22 02:43:45.545 +00:00] [INFO] [a.go:1] ["m"] [] [a=1] [] [] [b=]"#;
    let names: Vec<_> = parse_line(line).unwrap().fields().map(|(name, _)| name.text()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(parse_line(br#"[2026/11/22 02:43:45.545 +00:00] [INFO] [a.go:1] ["m"] []"#).is_ok());
}

#[test]
fn line_ends_are_no_part_of_it() {
    for end in ["", "\n", "\r\n", "\r"] {
        assert!(parse_line(format!("{HEADER} [a=b]{end}").as_bytes()).is_ok(), "{end:?}");
    }
}

#[test]
fn bytes_that_are_no_utf8_are_kept() {
    let line = [HEADER.as_bytes(), b" [key=\"\xFF \xFE\"] [k2=\xFF]"].concat();
    let entry = parse_line(&line).unwrap();
    assert_eq!(*entry.field("key").unwrap().bytes(), *b"\xFF \xFE");
    assert_eq!(entry.field("k2").unwrap().text(), "\u{FFFD}");
}

#[test]
fn what_is_wrong_says_where_and_whether_the_entry_began() {
    for (tail, at) in [
        ("", 32),
        (" [NOTICE] [a:1] [m]", 34),
        (" [INFO]", 39),
        (" [INFO] [a:1]", 45),
        (" [INFO] [a:1] [m", 48),
        (" [INFO] [a:1] [m] [k]", 52),
        (" [INFO] [a:1] [m] [k=v", 54),
        (" [INFO] [a:1] [m] [k=v] ", 55),
        (" [INFO] [a:1] [m] [k=\"v]", 56),
        (" [INFO] [a:1] [m] [k=v[2026/11/22 02:43:46.081 +00:00] [INFO] [a:1] [m]", 54),
        (" [INFO] [a:1] [m] [k=\"a\"b]", 56),
    ] {
        let line = format!("[2026/11/22 02:43:46.081 +00:00]{tail}");
        let error = parse_line(line.as_bytes()).unwrap_err();
        assert!(error.has_time, "{line}: {error}");
        assert_eq!(error.at, at, "{line}: {error}");
    }
    for line in [
        "",
        " ",
        "[",
        "[]",
        "panic: x",
        " [2026/11/22 02:43:46.081 +00:00] [INFO] [a:1] [m]",
        "\0\0",
        "[2026",
    ] {
        let error = parse_line(line.as_bytes()).unwrap_err();
        assert!(!error.has_time && error.at <= 1, "{line:?}: {error}");
    }
}
