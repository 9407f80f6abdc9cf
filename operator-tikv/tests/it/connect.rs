//! No answer at all.

use std::time::Duration;

use operator_core::ErrorKind;
use operator_tikv::http::TransportErrorKind;
use operator_tikv::{Error, TimeoutPhase};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::server::{Server, client, closed_port, endpoint, patient, read_head, short};

fn unreachable(error: &Error) -> TransportErrorKind {
    match error {
        Error::Unreachable { source, .. } => source.kind,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_closed_port_is_told_with_address_and_advice() {
    let endpoint = endpoint(closed_port().await);
    let error = client([endpoint.clone()], patient()).get("/pd/api/v1/stores").await.unwrap_err();
    assert_eq!(unreachable(&error), TransportErrorKind::Connect);
    let message = error.to_string();
    assert!(message.starts_with(&format!("GET {endpoint}/pd/api/v1/stores: ")), "{message}");
    assert!(message.contains("refused") && message.contains("check host and port"), "{message}");
    let core = error.during("stores");
    assert_eq!((core.kind, core.endpoint), (ErrorKind::Unavailable, Some(endpoint.to_string())));
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told() {
    let client = client(["nosuch.invalid:2379".parse().unwrap()], patient());
    let error = client.get("/pd/api/v1/stores").await.unwrap_err();
    assert_eq!(unreachable(&error), TransportErrorKind::Dns, "{error}");
    assert!(error.to_string().contains("check the host name"), "{error}");
}

/// Linux drops what comes after the backlog is full, as a firewall would.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_that_is_never_made_ends_in_time() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await
    {
        waiting.push(connected.unwrap());
        assert!(waiting.len() < 100, "the backlog does not fill");
    }
    // The deadline for the connection comes before the one for silence.
    let limits = short().with_read_timeout(Duration::from_secs(5)).with_total_timeout(Duration::from_secs(5));
    let error = client([endpoint(address)], limits).get("/pd/api/v1/stores").await.unwrap_err();
    assert!(matches!(error, Error::Timeout { phase: TimeoutPhase::Connect, .. }), "{error:?}");
    assert!(error.to_string().contains("no connection within 2"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn silence_instead_of_an_answer_ends_in_time() {
    let server = Server::start(|mut stream| async move {
        read_head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let error = client([server.endpoint()], short()).get("/pd/api/v1/stores").await.unwrap_err();
    assert!(matches!(error, Error::Timeout { phase: TimeoutPhase::Head, .. }), "{error:?}");
    assert!(error.to_string().ends_with("no answer within 200 ms"), "{error}");
}

#[tokio::test]
async fn a_connection_closed_before_the_answer_is_told() {
    // Closing with the request unread resets the connection.
    let server = Server::start(|stream| async move { drop(stream) }).await;
    let error = client([server.endpoint()], patient()).get("/pd/api/v1/stores").await.unwrap_err();
    assert_eq!(unreachable(&error), TransportErrorKind::Reset, "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_told() {
    for garbage in [&b"\x15\x03\x01\x00\x02\x02\x46"[..], b"SSH-2.0-OpenSSH_9.2\r\n", b"\0\0\0\0\0\0\0\0"] {
        let server = Server::start(move |mut stream| async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(garbage).await;
        })
        .await;
        let error = client([server.endpoint()], patient()).get("/pd/api/v1/stores").await.unwrap_err();
        assert_eq!(unreachable(&error), TransportErrorKind::Reset, "{error:?}");
        assert!(error.to_string().contains("https://"), "{error}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    let server = Server::start(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let error = client([server.endpoint()], patient()).get("/pd/api/v1/stores").await.unwrap_err();
    assert_eq!(unreachable(&error), TransportErrorKind::Reset, "{error:?}");
}
