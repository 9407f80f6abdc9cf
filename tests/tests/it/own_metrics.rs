//! What `operator watch --listen` tells of itself.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use operator_tests::{ClosedPort, Prometheus, Setup};
use operator_tikv::http::{Answer, HttpClient, Limits, ReqwestTransport};
use operator_tikv::scrape::Samples;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::local_cluster::queries;
use crate::program::{PATIENCE, operator, start};

/// `operator watch --listen` as it runs.
struct Watching {
    _child: Child,
    /// `host:port`
    address: String,
}

impl Watching {
    async fn start(args: &[&str]) -> Self {
        let line = ["watch", "--listen", "127.0.0.1:0", "-o", "json", "--interval", "1s"];
        let mut child = start([&line, args].concat());
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, said.next_line()).await.expect("it says where it listens");
        let line = line.unwrap().expect("a line");
        let address = line.strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line}"));
        Self { address: address.to_owned(), _child: child }
    }

    /// A simulated cluster, watched in real time.
    async fn simulated() -> Self {
        Self::start(&["--simulate", "--speed", "1"]).await
    }

    async fn get(&self, path: &str) -> Answer {
        let transport = ReqwestTransport::new(None, PATIENCE).unwrap();
        let http = HttpClient::new(transport, [self.address.parse().unwrap()], Limits::default()).unwrap();
        http.ask(path, None).await.unwrap()
    }

    /// Asks for `path` until the answer is as it should be.
    async fn wait_for(&self, path: &str, is_it: impl Fn(&Answer) -> bool) -> Answer {
        let started = Instant::now();
        loop {
            let answer = self.get(path).await;
            if is_it(&answer) {
                return answer;
            }
            assert!(started.elapsed() < PATIENCE, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn body(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

#[tokio::test]
async fn its_metrics_are_taken_by_promtool_and_by_our_own_reader() {
    let watching = Watching::simulated().await;
    watching.wait_for("/readyz", |answer| answer.status == 200).await;
    let page = watching.get("/metrics").await;
    let samples = Samples::new(&page.body).collect::<Result<Vec<_>, _>>().unwrap();
    let names: BTreeSet<_> = samples.iter().map(|sample| sample.name).collect();
    let expected = [
        "operator_last_observation_timestamp_seconds",
        "operator_observation_duration_seconds_bucket",
        "operator_observation_duration_seconds_count",
        "operator_observation_duration_seconds_sum",
        "operator_observation_errors_total",
        "operator_observations_total",
        "operator_ticks_skipped_total",
        "operator_unknown",
        "operator_violations",
    ];
    assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);

    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    // Where there is none, that is said, and in CI it is a failure.
    let mut promtool = match started {
        Ok(promtool) => promtool,
        Err(_) => return drop(crate::promtool::promtool(&["--version"])),
    };
    promtool.stdin.take().unwrap().write_all(&page.body).await.unwrap();
    let said = promtool.wait_with_output().await.unwrap();
    assert!(said.status.success() && said.stderr.is_empty(), "{said:?}\n{}", body(&page));
}

#[tokio::test]
async fn every_panel_of_the_dashboard_about_it_shows_something() {
    let watching = Watching::simulated().await;
    let setup = Setup { targets: vec![watching.address.clone()], ..Setup::default() };
    let Some(prometheus) = Prometheus::start(setup).await.unwrap() else { return };
    let client = prometheus.config().client().unwrap();
    let queries: Vec<_> = queries().into_iter().filter(|(_, query)| query.contains("operator_")).collect();
    assert!(queries.len() > 5, "{queries:?}");
    let started = Instant::now();
    for (title, query) in queries {
        let query = query.replace("$__rate_interval", "30s");
        loop {
            let shown = client.vector(&query).await.unwrap_or_else(|error| panic!("{title}: {error}"));
            if shown.data.samples.iter().any(|one| one.sample.value.is_finite()) {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "{title}: {query} shows nothing");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

#[tokio::test]
async fn it_is_not_ready_but_well_while_nobody_answers_and_says_who() {
    let closed = ClosedPort::take().unwrap();
    let url = closed.url().unwrap();
    let watching = Watching::start(&["--pd", &url, "--timeout", "2s"]).await;
    let answer = watching.wait_for("/readyz", |answer| body(answer).contains("refused")).await;
    assert_eq!(answer.status, 503);
    assert!(body(&answer).starts_with("nothing has been observed yet: ") && body(&answer).contains(&url));
    assert_eq!(body(&watching.get("/healthz").await), "ok\n");
    let failed = format!("operator_observation_errors_total{{endpoint=\"{url}\"}} ");
    let page = watching.get("/metrics").await;
    let count = body(&page).lines().find_map(|line| line.strip_prefix(&failed));
    assert!(count.unwrap().parse::<u64>().unwrap() > 0, "{}", body(&page));
}

#[tokio::test]
async fn it_asks_itself_whether_it_is_well() {
    let watching = Watching::simulated().await;
    let run = operator(["watch", "--probe", &watching.address]).await;
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "", ""));
    let closed = ClosedPort::take().unwrap().url().unwrap();
    operator(["watch", "--probe", &closed]).await.failed(1, &[&closed, "refused"]);
    operator(["watch", "--probe", &closed, "--simulate"]).await.failed(64, &["--probe"]);
    let elsewhere = watching.get("/").await;
    assert_eq!((elsewhere.status, body(&elsewhere)), (404, "here are /metrics, /healthz and /readyz\n"));
}

#[tokio::test]
async fn an_address_that_cannot_be_listened_on_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    operator(["watch", "--simulate", "--listen", &address]).await.failed(1, &[&address, "in use"]);
    operator(["watch", "--simulate", "--listen", "9464"]).await.failed(64, &["--listen", "127.0.0.1:9464"]);
}

#[tokio::test]
async fn connections_that_say_nothing_shut_nobody_out() {
    let watching = Watching::simulated().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(&watching.address).await.unwrap());
    }
    // They are closed after five seconds.
    let transport = ReqwestTransport::new(None, PATIENCE).unwrap();
    let limits = Limits::default().with_read_timeout(PATIENCE);
    let http = HttpClient::new(transport, [watching.address.parse().unwrap()], limits).unwrap();
    assert_eq!(http.ask("/healthz", None).await.unwrap().status, 200);
}
