use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::{Outcome, operator, run};

/// Answers everything with one status and body, until the test's process ends.
fn server(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
            while head.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
        }
    });
    url
}

/// An address at which nothing listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// It failed, said so in a few short lines that name the endpoint, and wrote no result.
fn assert_failed(outcome: &Outcome, endpoint: &str) {
    let Outcome { code, stdout, stderr } = outcome;
    assert_eq!((*code, &**stdout), (Some(1), ""), "{stderr}");
    assert!(stderr.starts_with("error: ") && stderr.contains(endpoint), "{stderr}");
    assert!(stderr.lines().count() <= 4, "{stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("Some("), "{stderr}");
}

#[test]
fn a_refused_connection_is_told_soon_and_names_the_endpoint() {
    let endpoint = nobody();
    for command in ["stores", "status", "regions", "region 1", "hot", "store 1"] {
        for format in ["table", "json"] {
            let begun = Instant::now();
            let outcome = run(&mut operator(&format!("--pd {endpoint} -o {format} --timeout 1s {command}")));
            assert_failed(&outcome, endpoint.trim_start_matches("http://"));
            assert!(outcome.stderr.contains("refused"), "{}", outcome.stderr);
            assert!(begun.elapsed() < Duration::from_secs(10), "{command}: {:?}", begun.elapsed());
        }
    }
}

#[test]
fn silence_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    let begun = Instant::now();
    let outcome = run(&mut operator(&format!("--pd {endpoint} --timeout 1s stores")));
    assert_failed(&outcome, &endpoint);
    assert!(outcome.stderr.contains("--timeout"), "{}", outcome.stderr);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn what_is_not_pd_is_told() {
    for (status, body) in [
        ("200 OK", "<html><body>Welcome</body></html>"),
        ("404 Not Found", "404 page not found"),
        ("200 OK", ""),
        ("301 Moved Permanently", ""),
    ] {
        let endpoint = server(status, body);
        let outcome = run(&mut operator(&format!("--pd {endpoint} --timeout 4s stores")));
        assert_failed(&outcome, endpoint.trim_start_matches("http://"));
    }
}

#[test]
fn control_characters_from_outside_are_escaped() {
    let stores = r#"{"count":1,"stores":[{"store":{"id":1,"address":"a\u001b[31m:1\u009b2J","state_name":"Up",
        "labels":[{"key":"k\u0007","value":"v\nv"}]},"status":{}}]}"#;
    let endpoint = server("200 OK", stores);
    for line in ["stores", "stores -o json", "store 1", "store 1 -o json"] {
        let outcome = run(&mut operator(&format!("--pd {endpoint} --timeout 4s {line}")));
        let shown = outcome.stdout + &outcome.stderr;
        let controls: Vec<_> = shown.chars().filter(|char| char.is_control() && *char != '\n').collect();
        assert_eq!(controls, [], "{line}: {shown}");
        if line == "stores" {
            assert!(shown.contains(r"a\u{1b}[31m:1\u{9b}2J"), "{shown}");
        }
    }
    let endpoint = server("500 Internal Server Error", "\u{1b}[2Jboom\u{7}");
    let outcome = run(&mut operator(&format!("--pd {endpoint} --timeout 4s stores -v")));
    assert!(outcome.stderr.contains("boom"), "{}", outcome.stderr);
    assert!(outcome.stderr.chars().all(|char| !char.is_control() || char == '\n'), "{}", outcome.stderr);
}

#[test]
fn secrets_are_never_shown() {
    const SECRET: &str = "PLANTEDSECRET";
    let folder = std::env::temp_dir().join(format!("operator-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("client.pem");
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n");
    std::fs::write(&file, pem).unwrap();
    let file = file.display();
    let endpoint = nobody().replace("http://", &format!("http://user:{SECRET}@"));
    let not_pd =
        server("500 Internal Server Error", "no").replace("http://", &format!("http://user:{SECRET}@"));
    for line in [
        format!("--pd {endpoint} --cert {file} --key {file} stores -v"),
        format!("--pd {endpoint} --cacert {file} stores -v"),
        format!("--pd {endpoint} --timeout 1s stores -v"),
        format!("--pd {endpoint} --timeout 1s status -o json -v"),
        format!("--pd {not_pd} --timeout 1s stores -v"),
        format!("--pd http://user:{SECRET}@:: stores -v"),
    ] {
        let outcome = run(&mut operator(&line));
        assert_ne!(outcome.code, Some(0), "{line}");
        assert!(
            !outcome.stdout.contains(SECRET) && !outcome.stderr.contains(SECRET),
            "{line}: {}",
            outcome.stderr
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_lets_us_in_is_sent_to_prometheus_and_shown_to_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/prometheus", listener.local_addr().unwrap());
    let (tell, heads) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<_> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let _ = tell.send(head.join("\n").to_lowercase());
            let body = "go away";
            let _ = write!(
                stream,
                "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let path = std::env::temp_dir().join(format!("operator-faults-{}", std::process::id()));
    std::fs::write(&path, "s3cr3t\n").unwrap();
    let file = path.display();
    // `printf ann:s3cr3t | base64`
    let basic = "authorization: basic yw5uonmzy3izda==";
    for (options, set, header) in [
        (format!("--prometheus-user ann --prometheus-password-file {file}"), &[][..], basic),
        (String::new(), &[("PROMETHEUS_USER", "ann"), ("PROMETHEUS_PASSWORD", "s3cr3t")], basic),
        (format!("--prometheus-token-file {file}"), &[], "authorization: bearer s3cr3t"),
        (String::new(), &[("PROMETHEUS_TOKEN", "s3cr3t")], "authorization: bearer s3cr3t"),
        ("--prometheus-header X-Scope-OrgID:s3cr3t".to_owned(), &[], "x-scope-orgid: s3cr3t"),
    ] {
        let mut command = operator(&format!("--prometheus {url} {options} -v query up"));
        let outcome = run(command.envs(set.iter().copied()));
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        let head = heads.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(head.starts_with("get /prometheus/api/v1/query") || head.starts_with("post"), "{head}");
        assert!(head.lines().any(|line| line == header), "{header}: {head}");
        while heads.try_recv().is_ok() {}
        let shown = outcome.stdout + &outcome.stderr;
        assert!(shown.contains("401"), "{shown}");
        assert!(!shown.contains("s3cr3t") && !shown.to_lowercase().contains("yw5uonmzy3izda"), "{shown}");
    }
    let _ = std::fs::remove_file(&path);
}
