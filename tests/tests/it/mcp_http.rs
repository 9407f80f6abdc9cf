//! The Model Context Protocol over HTTP: who is let in, and who is not.

use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;

use crate::program::{PATIENCE, start};

/// `operator mcp --listen` as it runs.
struct Listening {
    _child: Child,
    authority: String,
    token: String,
}

impl Listening {
    async fn start(args: &[&str]) -> Self {
        let args = [&["mcp", "--simulate", "--listen", "127.0.0.1:0"], args].concat();
        let mut child = start(&args);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut authority, mut token) = (None, None);
        while authority.is_none() || token.is_none() {
            let line =
                tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it says where").unwrap();
            let line = line.expect("a line");
            if let Some((_, url)) = line.rsplit_once(" at http://") {
                authority = url.strip_suffix("/mcp").map(str::to_owned);
                if args.contains(&"--token-file") {
                    token = Some(String::new());
                }
            }
            if let Some(shown) = line.strip_prefix("Authorization: Bearer ") {
                token = Some(shown.to_owned());
            }
        }
        Self { _child: child, authority: authority.unwrap(), token: token.unwrap() }
    }

    /// The status and the body.
    async fn post(&self, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        self.send(&format!("POST /mcp HTTP/1.1\r\nContent-Length: {}", body.len()), headers, body).await
    }

    async fn send(&self, head: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut request = format!("{head}\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request += &format!("Host: {}\r\n", self.authority);
        }
        request += "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += "\r\n";
        request += body;
        let mut stream = TcpStream::connect(&self.authority).await.unwrap();
        // Whoever is refused early may find the rest of what it sends refused, too.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer");
        let answer = String::from_utf8(answer).unwrap();
        assert!(read.is_ok() || !answer.is_empty(), "{read:?}");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        (status.expect("a status"), body.expect("a body"))
    }
}

fn call(tool: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}})
        .to_string()
}

#[tokio::test]
async fn only_who_shows_the_token_comes_in_and_from_no_other_place() {
    let listening = Listening::start(&[]).await;
    assert_eq!(listening.token.len(), 64);
    let bearer = format!("Bearer {}", listening.token);
    let ours = [("Authorization", &*bearer)];

    let (status, body) = listening.post(&ours, &call("stores")).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200, "{body}");
    assert_eq!(answer["result"]["structuredContent"]["stores"].as_array().unwrap().len(), 3);
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }});
    let (status, body) = listening.post(&ours, &initialize.to_string()).await;
    assert!(status == 200 && body.contains("serverInfo"), "{body}");

    let forged = format!("Bearer {}", "0".repeat(64));
    let half = format!("Bearer {}", &listening.token[..32]);
    for headers in [vec![], vec![("Authorization", &*forged)], vec![("Authorization", &*half)]] {
        let (status, body) = listening.post(&headers, &call("stores")).await;
        assert!(status == 401 && !body.contains(&listening.token), "{body}");
    }
    let port = listening.authority.rsplit_once(':').unwrap().1;
    let (named, other) = (format!("localhost:{port}"), format!("evil.example:{port}"));
    assert_eq!(listening.post(&[ours[0], ("Host", &named)], &call("stores")).await.0, 200);
    for wrong in
        [("Host", &*other), ("Host", "127.0.0.1:1"), ("Origin", "http://evil.example"), ("Origin", "null")]
    {
        let (status, body) = listening.post(&[ours[0], wrong], &call("stores")).await;
        assert_eq!(status, 403, "{wrong:?}: {body}");
    }
    assert_eq!(listening.send("GET /mcp HTTP/1.1", &ours, "").await.0, 405);
    assert_eq!(listening.send("POST /other HTTP/1.1\r\nContent-Length: 0", &ours, "").await.0, 404);
    let (status, body) = listening.post(&ours, &format!("{{\"x\":\"{}\"}}", "y".repeat(2 << 20))).await;
    assert_eq!(status, 413, "{body}");
    // And it still answers.
    assert_eq!(listening.post(&ours, &call("config")).await.0, 200);
}

#[tokio::test]
async fn half_a_head_keeps_nobody_out_for_long() {
    let listening = Listening::start(&[]).await;
    let mut stream = TcpStream::connect(&listening.authority).await.unwrap();
    stream.write_all(b"POST /mcp HTTP/1.1\r\nHost: ").await.unwrap();
    let begun = std::time::Instant::now();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok() && begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_token_may_come_from_a_file_and_is_then_told_to_nobody() {
    let path: PathBuf = std::env::temp_dir().join(format!("operator-mcp-token-{}", std::process::id()));
    std::fs::write(&path, "a-token-of-a-person\n").unwrap();
    let listening = Listening::start(&["--token-file", path.to_str().unwrap()]).await;
    let ours = [("Authorization", "Bearer a-token-of-a-person")];
    assert_eq!(listening.post(&ours, &call("config")).await.0, 200);
    assert_eq!(listening.post(&[], &call("config")).await.0, 401);
    std::fs::write(&path, "short\n").unwrap();
    let run = crate::program::operator(
        ["mcp", "--simulate", "--listen", "127.0.0.1:0", "--token-file"]
            .into_iter()
            .chain([path.to_str().unwrap()]),
    );
    run.await.failed(64, &["--token-file", "16"]);
    std::fs::remove_file(&path).unwrap();
}
