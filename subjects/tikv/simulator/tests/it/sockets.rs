//! The server over loopback sockets, asked by a minimal client.

use std::time::Duration;

use tikv_simulator::{Config, Event, NodeId, Scenario, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends one `GET` and reads until the server closes. The head and the body as they came.
async fn get(authority: &str, path: &str) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    Ok((head.to_owned(), body.to_owned()))
}

fn authority(server: &Server, node: NodeId) -> String {
    let nodes = server.with(|cluster| cluster.nodes());
    nodes.into_iter().find(|info| info.id == node).expect("there is such a node").authority
}

#[tokio::test]
async fn every_node_answers_on_its_own_port_and_tells_real_addresses() {
    let server = Server::start(Config::new(Scenario::Healthy), 1.0).await.expect("starts");
    assert_eq!(server.pd_urls().len(), 3);
    for url in server.pd_urls() {
        let pd = url.strip_prefix("http://").expect("a URL");
        let (head, body) = get(pd, "/pd/api/v1/members").await.expect("answers");
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        for url in server.pd_urls() {
            assert!(body.contains(&url), "{url} is not in {body}");
        }
        let (head, _) = get(pd, "/pd/api/v1/regions/key?limit=2").await.expect("answers");
        let head = head.to_lowercase();
        assert!(head.contains("content-type: application/octet-stream"), "{head}");
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        let (_, stores) = get(pd, "/pd/api/v1/stores").await.expect("answers");
        assert!(stores.contains(&authority(&server, NodeId::Store(4))), "{stores}");
    }
    let (head, body) = get(&authority(&server, NodeId::Store(1)), "/status").await.expect("answers");
    assert!(head.starts_with("HTTP/1.1 200 OK") && body.is_empty(), "{head}");
    server.shutdown().await;
}

#[tokio::test]
async fn a_dead_node_refuses_a_hung_one_is_silent_and_both_come_back_at_their_port() {
    let server = Server::start(Config::new(Scenario::Healthy), 1.0).await.expect("starts");
    let store = authority(&server, NodeId::Store(4));

    // A connection that is kept open is cut, too.
    let mut open = TcpStream::connect(&store).await.expect("connects");
    server.with(|cluster| cluster.apply(Event::Crash(NodeId::Store(4))));
    assert_eq!(open.read(&mut [0; 16]).await.unwrap_or(0), 0);
    let refused = async {
        while TcpStream::connect(&store).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), refused).await.expect("the port is closed");

    server.with(|cluster| cluster.apply(Event::Restart(NodeId::Store(4))));
    let back = async {
        while get(&store, "/status").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), back).await.expect("it is back at the same port");

    server.with(|cluster| cluster.apply(Event::Hang(NodeId::Store(4))));
    let asked = tokio::spawn({
        let store = store.clone();
        async move { get(&store, "/status").await.map(|(head, _)| head) }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!asked.is_finished(), "a hung process accepts and does not answer");
    server.with(|cluster| cluster.apply(Event::Restart(NodeId::Store(4))));
    let head = tokio::time::timeout(Duration::from_secs(5), asked).await.expect("goes on").expect("ends");
    assert!(head.expect("answers").starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn simulated_time_runs_at_its_speed() {
    let server = Server::start(Config::new(Scenario::StoreCrash), 1_000.0).await.expect("starts");
    let start = server.with(|cluster| cluster.now());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let passed = server.with(|cluster| cluster.now()) - start;
    assert!(passed >= chrono::TimeDelta::seconds(200), "{passed}");
    for speed in [-1.0, f64::NAN, f64::INFINITY] {
        let error =
            Server::start(Config::new(Scenario::Healthy), speed).await.expect_err("there is no such speed");
        assert!(error.to_string().contains("between 0 and 100000"), "{error}");
    }
}
