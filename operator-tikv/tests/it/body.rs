//! Answers that begin well.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use operator_core::ErrorKind;
use operator_tikv::http::TransportErrorKind;
use operator_tikv::{Error, TimeoutPhase};
use tokio::io::AsyncWriteExt;

use crate::server::{Server, answer, client, patient, read_head, short};

const PATH: &str = "/pd/api/v1/regions/key?limit=1024";

#[tokio::test]
async fn silence_within_the_body_ends_in_time() {
    let server = Server::start(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").await;
        std::future::pending::<()>().await;
    })
    .await;
    let error = client([server.endpoint()], short()).get(PATH).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { phase: TimeoutPhase::Body, .. }), "{error:?}");
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_keep_a_request_open() {
    let server = Server::start(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await;
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let started = Instant::now();
    let error = client([server.endpoint()], short()).get(PATH).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { phase: TimeoutPhase::Total, .. }), "{error:?}");
    assert!(error.to_string().ends_with("not complete after 400 ms"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_not_a_short_body() {
    let whole = "HTTP/1.1 200 OK\r\n";
    for raw in [
        format!("{whole}Content-Length: 1000\r\n\r\n{{\"count\""),
        format!("{whole}Transfer-Encoding: chunked\r\n\r\n8\r\n{{\"count\""),
        format!("{whole}Transfer-Encoding: chunked\r\n\r\nnot a length\r\n"),
        format!("{whole}Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!"),
    ] {
        let server = Server::canned(raw.clone()).await;
        let error = client([server.endpoint()], patient()).get(PATH).await.unwrap_err();
        let Error::Unreachable { source, .. } = &error else { panic!("{raw}: {error:?}") };
        assert_eq!(source.kind, TransportErrorKind::Body, "{raw}: {error}");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}

#[tokio::test]
async fn an_empty_body_is_an_answer_and_no_json() {
    let server = Server::canned(answer(200, "", "")).await;
    let answer = client([server.endpoint()], patient()).get("/status").await.unwrap();
    assert!(answer.body.is_empty());
    let error = answer.json::<Vec<u64>>().unwrap_err();
    assert!(error.to_string().contains("answered 200, but the body is empty"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn a_body_that_is_no_json_shows_where_it_fails_and_how_it_begins() {
    let server = Server::canned(answer(200, "", "[1,2,\x1b[2J")).await;
    let answer = client([server.endpoint()], patient()).get("/x").await.unwrap();
    let error = answer.json::<Vec<u64>>().unwrap_err().to_string();
    assert!(
        error.contains("line 1 column 6") && error.ends_with(r"the body begins with: [1,2,\u{1b}[2J"),
        "{error}"
    );
    assert!(!error.contains('\x1b'), "{error:?}");
}

#[tokio::test]
async fn a_gzip_bomb_is_counted_as_decoded() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..8 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 10_000);
    let server = Server::canned(answer(200, "Content-Encoding: gzip\r\n", bomb)).await;
    let client = client([server.endpoint()], patient());
    let error = client.get(PATH).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit_bytes: 1_048_576, .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let prefix = client.get_prefix(PATH, 4096).await.unwrap();
    assert_eq!((prefix.bytes.len(), prefix.complete), (4096, false));
}

#[tokio::test]
async fn gzip_is_decoded() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"{\"count\":3}").unwrap();
    let raw = answer(200, "Content-Encoding: gzip\r\n", encoder.finish().unwrap());
    let server = Server::canned(raw).await;
    let answer = client([server.endpoint()], patient()).get(PATH).await.unwrap();
    assert_eq!(&answer.body[..], b"{\"count\":3}");
}

/// Two gibibytes, declared or not: as many as the client takes.
async fn huge(declared: bool) -> (Server, Arc<AtomicU64>) {
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let server = Server::start(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            read_head(&mut stream).await;
            let length = if declared { "Content-Length: 2147483648\r\n" } else { "Connection: close\r\n" };
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{length}\r\n").as_bytes()).await;
            let piece = vec![b' '; 64 << 10];
            for _ in 0..(2_u64 << 30) / (64 << 10) {
                if stream.write_all(&piece).await.is_err() {
                    break;
                }
                count.fetch_add(piece.len() as u64, Ordering::SeqCst);
            }
        }
    })
    .await;
    (server, sent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gibibytes_are_not_read() {
    for declared in [true, false] {
        let (server, sent) = huge(declared).await;
        let error = client([server.endpoint()], patient()).get(PATH).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        // The limit, and what the sockets' buffers hold.
        assert!(sent.load(Ordering::SeqCst) < 64 << 20, "{} bytes were taken", sent.load(Ordering::SeqCst));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_beginning_of_a_long_list_is_enough() {
    let (server, sent) = huge(true).await;
    let prefix = client([server.endpoint()], patient()).get_prefix(PATH, 100_000).await.unwrap();
    assert_eq!((prefix.bytes.len(), prefix.complete), (100_000, false));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(sent.load(Ordering::SeqCst) < 64 << 20);

    let server = Server::canned(answer(200, "", "[]")).await;
    let prefix = client([server.endpoint()], patient()).get_prefix(PATH, 2).await.unwrap();
    assert_eq!((&prefix.bytes[..], prefix.complete), (&b"[]"[..], true));
}

#[tokio::test]
async fn the_body_of_an_error_is_limited_too() {
    let server = Server::canned(answer(500, "", vec![b'x'; 10 << 20])).await;
    let error = client([server.endpoint()], patient()).get(PATH).await.unwrap_err();
    assert!(matches!(&error, Error::Status { status: 500, .. }), "{error:?}");
    assert!(error.to_string().chars().count() < 500, "{error}");
}
